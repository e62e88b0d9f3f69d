//! The review: what was answered, what it will make, and what stands in the way or is not known.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use uuid::Uuid;

use super::draft::{Draft, Head, own};
use super::gallery::path;
use super::makes::{Made, makes};
use super::view::{Answer, answers, summary};
use crate::catalog::EntityRef;
use crate::ids::new_id;
use crate::language::{Text, filters};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::forms::{Control, Page, Pairs};
use crate::web::{Error, FieldError, RestoredForm, Shell, SignedIn, page};

#[derive(askama::Template)]
#[template(path = "scaffolder/review.html")]
struct ReviewPage {
    shell: Shell,
    head: Head,
    sections: Vec<(Text, Vec<Answer>)>,
    /// Names and labels of the secrets that are asked here.
    secrets: Vec<(String, String)>,
    summary: Vec<(String, Text)>,
    /// What could not be checked.
    unchecked: Vec<Text>,
    carried: Pairs,
    makes: Vec<Made>,
    /// Page that "Back" leads to.
    last: usize,
    count: usize,
    /// Id that the task will have, so that a form sent twice starts one.
    task: Uuid,
    steps: usize,
}

/// What is told on the review page: what is wrong, and what nobody knows.
#[derive(Default)]
pub struct Checked {
    pub problems: Vec<FieldError>,
    pub unchecked: Vec<Text>,
}

/// Asks what could not be checked, for a review that follows no form. Problems are told when the task is to start.
pub async fn prechecked(scaffolder: &Scaffolder, draft: &Draft) -> Checked {
    let found = scaffolder.precheck(&draft.entity, draft.values()).await;
    Checked {
        problems: Vec::new(),
        unchecked: found.unchecked,
    }
}

/// After a login in the middle of the creation, or a reload: the review where the answers are known, else the form.
pub async fn back_to_review(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(_): SignedIn,
    Path(place): Path<(String, String)>,
    RestoredForm(restored): RestoredForm,
) -> Result<Response, Error> {
    let Some(pairs) = restored else {
        let template_ref = EntityRef::new("template", &place.0, &place.1);
        return Ok(Redirect::to(&path(&template_ref)).into_response());
    };
    let draft = Draft::open(&scaffolder, &place, pairs).await?;
    show_review(&scaffolder, shell, &draft, prechecked(&scaffolder, &draft).await)
}

/// The page itself; 422 where something is wrong.
pub fn show_review(scaffolder: &Scaffolder, shell: Shell, draft: &Draft, checked: Checked) -> Result<Response, Error> {
    let status = if checked.problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let count = draft.template.parameters.len();
    let pages: Vec<Page> = (0..count).filter_map(|at| draft.page(at)).collect();
    let secrets = pages
        .iter()
        .flat_map(Page::fields)
        .filter(|field| field.control == Control::Secret)
        .map(|field| (field.path.clone(), field.label.clone()))
        .collect();
    let task = own(&draft.pairs, "_task")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| new_id(scaffolder.clock()));
    let response = page(
        shell.locale,
        &ReviewPage {
            shell,
            head: draft.head(),
            sections: pages
                .iter()
                .map(|page| (page.title.clone(), answers(page, draft.values())))
                .collect(),
            secrets,
            summary: summary(None, &checked.problems),
            unchecked: checked.unchecked,
            carried: draft.carried(None),
            makes: makes(&draft.template.steps, draft.values()),
            last: count.saturating_sub(1),
            count,
            task,
            steps: draft.template.steps.len(),
        },
    )?;
    Ok((status, response).into_response())
}
