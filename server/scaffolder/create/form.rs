//! A template's form: its pages, what is wrong with them, and the start of the task.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::Value;
use uuid::Uuid;

use super::draft::{Draft, Head, number, own};
use super::makes::{Made, makes};
use super::review::{Checked, prechecked, show_review};
use super::view::{Line, element_id, lines, sent, summary};
use crate::auth::Caller;
use crate::ids::new_id;
use crate::language::{Text, filters, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::forms::{Control, Page, Pairs};
use crate::scaffolder::operations::StartError;
use crate::scaffolder::precheck::Problem;
use crate::web::{Error, FieldError, Form, Query, RestoredForm, Shell, SignedIn, page};

#[derive(askama::Template)]
#[template(path = "scaffolder/form.html")]
struct FormPage {
    shell: Shell,
    head: Head,
    number: usize,
    count: usize,
    title: Text,
    description: String,
    lines: Vec<Line>,
    /// Problems for the summary: where they lead, and what they say.
    summary: Vec<(String, Text)>,
    carried: Pairs,
    makes: Vec<Made>,
    conditional: bool,
}

#[derive(askama::Template)]
#[template(path = "scaffolder/_field_error.html")]
struct FieldErrorFragment {
    id: String,
    error: Text,
}

type Place = Path<(String, String)>;

/// The first page; filled in by `?formData=<JSON>`, or with what was typed before the session ended. With `?task=<id>`
/// the answers are those of a task: passwords are asked anew, and where nothing is wrong they come up for review.
pub async fn show(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(place): Place,
    RestoredForm(restored): RestoredForm,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Error> {
    if let Some(pairs) = restored {
        let at = number(&pairs, "_page").unwrap_or(0);
        let draft = Draft::open(&scaffolder, &place, pairs).await?;
        return show_page(&scaffolder, shell, &caller, &draft, at, &[], StatusCode::OK).await;
    }
    let mut draft = Draft::open(&scaffolder, &place, Pairs::new()).await?;
    if let Some(given) = query.get("formData") {
        let values: Value = serde_json::from_str(given).map_err(|error| {
            Error::invalid(
                "formData",
                text!(
                    "The answers in the address are not JSON: {reason}",
                    reason = error.to_string()
                ),
            )
        })?;
        draft.fill(&values);
    }
    if let Some(id) = query.get("task") {
        let id = id
            .parse()
            .map_err(|_| Error::NotFound(text!("There is no such task. It may have been removed.")))?;
        let task = scaffolder.get_task(&caller, id).await?;
        draft.fill(&task.spec.parameters);
        if let Some(at) = draft.forget_masked() {
            return show_page(&scaffolder, shell, &caller, &draft, at, &[], StatusCode::OK).await;
        }
        return again(&scaffolder, shell, &caller, &draft).await;
    }
    if draft.template.parameters.is_empty() {
        return show_review(&scaffolder, shell, &draft, prechecked(&scaffolder, &draft).await);
    }
    show_page(&scaffolder, shell, &caller, &draft, 0, &[], StatusCode::OK).await
}

/// The answers of a task once more: the review, or the first page with something that has become wrong since.
async fn again(scaffolder: &Scaffolder, shell: Shell, caller: &Caller, draft: &Draft) -> Result<Response, Error> {
    let status = StatusCode::OK;
    if let Some((at, problems)) = draft.first_problems() {
        return show_page(scaffolder, shell, caller, draft, at, &problems, status).await;
    }
    let found = scaffolder.precheck(&draft.entity, draft.values()).await;
    let problems = field_errors(found.problems);
    match problems.iter().find_map(|problem| draft.page_of(&problem.field)) {
        Some(at) => show_page(scaffolder, shell, caller, draft, at, &problems, status).await,
        None => {
            let unchecked = found.unchecked;
            show_review(scaffolder, shell, draft, Checked { problems, unchecked })
        }
    }
}

/// One page is sent: the next one, the review, or the same with what is wrong.
pub async fn go_on(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(place): Place,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Error> {
    let at = number(&pairs, "_page").unwrap_or(0);
    let back = number(&pairs, "_back");
    let refresh = own(&pairs, "_refresh").is_some();
    let draft = Draft::open(&scaffolder, &place, pairs).await?;
    let count = draft.template.parameters.len();
    if let Some(back) = back {
        return show_page(&scaffolder, shell, &caller, &draft, back, &[], StatusCode::OK).await;
    }
    if refresh {
        return show_page(&scaffolder, shell, &caller, &draft, at, &[], StatusCode::OK).await;
    }
    let at = at.min(count.saturating_sub(1));
    let mut problems = draft.problems(at);
    let mut unchecked = Vec::new();
    if problems.is_empty() {
        let found = scaffolder.precheck(&draft.entity, draft.values()).await;
        problems = field_errors(found.problems);
        unchecked = found.unchecked;
        // What concerns later pages, or nothing that was asked, is told at the review.
        problems.retain(|problem| draft.page_of(&problem.field).is_some_and(|page| page <= at));
    }
    if let Some(first) = problems.first() {
        let page = draft.page_of(&first.field).unwrap_or(at);
        return show_page(
            &scaffolder,
            shell,
            &caller,
            &draft,
            page,
            &problems,
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
    }
    if has_new_questions(&draft, at) {
        return show_page(&scaffolder, shell, &caller, &draft, at, &[], StatusCode::OK).await;
    }
    if at + 1 < count {
        return show_page(&scaffolder, shell, &caller, &draft, at + 1, &[], StatusCode::OK).await;
    }
    show_review(&scaffolder, shell, &draft, Checked { problems, unchecked })
}

/// An answer of this page has brought up fields that the page did not have when it was sent.
fn has_new_questions(draft: &Draft, at: usize) -> bool {
    let (Some(page), Some(shown)) = (draft.page(at), own(&draft.pairs, "_fields")) else {
        return false;
    };
    let shown: Vec<&str> = shown.split(' ').collect();
    page.conditional && page.fields().any(|field| !shown.contains(&field.path.as_str()))
}

/// Starts the task.
pub async fn create(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(place): Place,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Error> {
    let draft = Draft::open(&scaffolder, &place, pairs).await?;
    if let Some((at, problems)) = draft.first_problems() {
        return show_page(
            &scaffolder,
            shell,
            &caller,
            &draft,
            at,
            &problems,
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
    }
    let id = own(&draft.pairs, "_task")
        .and_then(|text| text.parse::<Uuid>().ok())
        .filter(|id| id.get_version_num() == 7)
        .unwrap_or_else(|| new_id(scaffolder.clock()));
    let template_ref = draft.entity.entity_ref().to_string();
    let (values, secrets) = (draft.values().clone(), draft.parsed.secrets.clone());
    match scaffolder
        .start_task_as(id, &caller, &template_ref, values, secrets)
        .await
    {
        Ok(id) => Ok(Redirect::to(&format!("/create/tasks/{id}")).into_response()),
        Err(StartError::Invalid(found)) => {
            let problems = field_errors(found);
            let page = problems.iter().find_map(|problem| draft.page_of(&problem.field));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            match page {
                Some(at) => show_page(&scaffolder, shell, &caller, &draft, at, &problems, status).await,
                None => {
                    let checked = Checked {
                        problems,
                        ..Checked::default()
                    };
                    show_review(&scaffolder, shell, &draft, checked)
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with one field (`_field`), told while it is typed: the line under it.
pub async fn check(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(_): SignedIn,
    Path(place): Place,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Error> {
    let field = own(&pairs, "_field").unwrap_or_default().to_owned();
    let draft = Draft::open(&scaffolder, &place, pairs).await?;
    let is_empty = own(&draft.pairs, &field).is_none_or(|text| text.trim().is_empty());
    let mut problems = match draft.page_of(&field) {
        // What is not there yet is no mistake before the form is sent.
        Some(at) if !is_empty => draft.problems(at),
        _ => Vec::new(),
    };
    problems.retain(|problem| problem.field == field);
    if problems.is_empty() && !is_empty {
        problems = field_errors(scaffolder.precheck(&draft.entity, draft.values()).await.problems);
        problems.retain(|problem| problem.field == field);
    }
    page(
        shell.locale,
        &FieldErrorFragment {
            id: element_id(&field),
            error: problems
                .into_iter()
                .next()
                .map(|problem| problem.message)
                .unwrap_or_default(),
        },
    )
}

/// One a field: several steps may object to the same answer, and the shortest of them says it most plainly.
fn field_errors(mut problems: Vec<Problem>) -> Vec<FieldError> {
    problems.sort_by_key(|problem| problem.message.to_string().len());
    let mut errors: Vec<FieldError> = Vec::new();
    for problem in problems {
        let field = problem.field.unwrap_or_default();
        if field.is_empty() || !errors.iter().any(|known| known.field == field) {
            errors.push(FieldError {
                field,
                message: problem.message,
            });
        }
    }
    errors
}

async fn show_page(
    scaffolder: &Scaffolder,
    shell: Shell,
    caller: &Caller,
    draft: &Draft,
    at: usize,
    problems: &[FieldError],
    status: StatusCode,
) -> Result<Response, Error> {
    let count = draft.template.parameters.len();
    let at = at.min(count.saturating_sub(1));
    let Some(current) = draft.page(at) else {
        let checked = Checked {
            problems: problems.to_vec(),
            ..Checked::default()
        };
        return show_review(scaffolder, shell, draft, checked);
    };
    let entities = entities(scaffolder, caller, &current).await?;
    let mut carried = draft.carried(Some(&current));
    carried.push(("_page".to_owned(), at.to_string()));
    if current.conditional {
        let fields: Vec<&str> = current.fields().map(|field| field.path.as_str()).collect();
        carried.push(("_fields".to_owned(), fields.join(" ")));
    }
    let response = page(
        shell.locale,
        &FormPage {
            shell,
            head: draft.head(),
            number: at + 1,
            count,
            title: current.title.clone(),
            description: current.description.clone().unwrap_or_default(),
            lines: lines(&current, &sent(&draft.pairs), problems, &entities),
            summary: summary(Some(&current), problems),
            carried,
            makes: makes(&draft.template.steps, draft.values()),
            conditional: current.conditional,
        },
    )?;
    Ok((status, response).into_response())
}

/// Refs of the entities that the page's pickers offer, by their kinds; the caller's own come first.
async fn entities(
    scaffolder: &Scaffolder,
    caller: &Caller,
    page: &Page,
) -> Result<HashMap<Vec<String>, Vec<String>>, Error> {
    const DEFAULT_KINDS: &[&str] = &["Component", "System", "Group", "User"];
    let mine = caller.ownership_refs();
    let mut offered = HashMap::new();
    for field in page.fields() {
        let Control::Entity { kinds } = &field.control else {
            continue;
        };
        if offered.contains_key(kinds) {
            continue;
        }
        let mut refs = Vec::new();
        let wanted: Vec<&str> = match kinds.as_slice() {
            [] => DEFAULT_KINDS.to_vec(),
            kinds => kinds.iter().map(String::as_str).collect(),
        };
        for kind in wanted {
            let found = scaffolder.outside().catalog.list_kind(kind).await?;
            refs.extend(found.iter().map(|entity| entity.entity_ref().to_string()));
        }
        refs.sort_by_key(|entity_ref| !mine.contains(entity_ref));
        offered.insert(kinds.clone(), refs);
    }
    Ok(offered)
}
