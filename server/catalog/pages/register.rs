//! `/catalog/register`: an address is looked at, then registered; where nothing describes it, a description is proposed.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Pages, icon};
use crate::auth::Caller;
use crate::catalog::read::Problem;
use crate::catalog::register::{Examined, Guess, Preview, Proposal, Proposed, Refused};
use crate::catalog::{CatalogError, EntityRef, Kinds};
use crate::language::{Text, filters, text};
use crate::web::{Error, Form, Query, Shell, SignedIn, page};

/// Addresses that are registered at once, at most.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "catalog/register.html")]
struct RegisterPage {
    shell: Shell,
    kinds: Kinds,
    readonly: bool,
    target: String,
    refused: Option<Text>,
    examined: Option<Shown>,
    pending: Vec<Proposed>,
    file: String,
}

enum Shown {
    Files {
        previews: Vec<Preview>,
        others: Vec<String>,
    },
    Proposal(Draft),
}

impl RegisterPage {
    fn icon(&self, kind: &str) -> &'static str {
        icon(&self.kinds, kind)
    }
}

impl Shown {
    fn usable(&self) -> usize {
        match self {
            Self::Files { previews, others } => {
                let new = previews
                    .iter()
                    .filter(|preview| preview.registered.is_none() && preview.is_usable());
                new.count() + others.len()
            }
            Self::Proposal(_) => 0,
        }
    }
}

/// A description file as it is typed.
struct Draft {
    target: String,
    path: String,
    repository: String,
    page: String,
    can_propose: bool,
    empty: bool,
    guesses: Vec<Guess>,
    text: String,
    checked: Checked,
}

/// What is right and wrong with it.
#[derive(Default)]
struct Checked {
    /// Ref, and the file that has the name already.
    entities: Vec<(String, Option<String>)>,
    problems: Vec<Problem>,
    refused: Option<Text>,
}

#[derive(Template)]
#[template(path = "catalog/_checked.html")]
struct CheckedFragment {
    checked: Checked,
}

#[derive(Template)]
#[template(path = "catalog/register_proposed.html")]
struct ProposedPage {
    shell: Shell,
    proposed: Proposed,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    target: String,
}

/// `GET /catalog/register?target=<address>`: the form, and what is at the address. Nothing is stored.
pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    if wanted.target.trim().is_empty() || pages.catalog.config().readonly {
        return form(&pages, shell, String::new(), None, None).await;
    }
    match pages
        .catalog
        .examine(&wanted.target, &owner(&pages, &caller).await?)
        .await
    {
        Ok(examined) => {
            let shown = shown(&pages, examined).await?;
            form(&pages, shell, wanted.target, None, Some(shown)).await
        }
        Err(error) => refuse(&pages, shell, wanted.target, error, None).await,
    }
}

async fn shown(pages: &Pages, examined: Examined) -> Result<Shown, Error> {
    Ok(match examined {
        Examined::Files { previews, others } => Shown::Files { previews, others },
        Examined::Nothing(proposal) => Shown::Proposal(draft(pages, &proposal, None).await?),
    })
}

async fn draft(pages: &Pages, proposal: &Proposal, typed: Option<String>) -> Result<Draft, Error> {
    let text = typed.unwrap_or_else(|| proposal.text());
    Ok(Draft {
        target: proposal.target.clone(),
        path: proposal.path.clone(),
        repository: proposal.repository.clone(),
        page: proposal.page.clone(),
        can_propose: proposal.can_propose,
        empty: proposal.empty,
        guesses: proposal.guesses.clone(),
        checked: checked(pages, &proposal.target, &text).await?,
        text,
    })
}

async fn checked(pages: &Pages, target: &str, text: &str) -> Result<Checked, Error> {
    let (entities, problems) = pages.catalog.check_text(target, text).await?;
    Ok(Checked {
        entities,
        problems,
        refused: None,
    })
}

/// The first of the caller's groups that the catalog has, or the caller.
async fn owner(pages: &Pages, caller: &Caller) -> Result<String, Error> {
    let refs = caller.ownership_refs();
    let groups = refs.iter().filter(|reference| reference.starts_with("group:"));
    let groups: Vec<String> = groups.cloned().collect();
    let known = pages.catalog.list_by_refs(&groups).await?;
    let known = known.into_iter().flatten().map(|group| group.entity_ref());
    let first = known.into_iter().next().or_else(|| {
        let own = groups.first().or(refs.first())?;
        EntityRef::parse(own, None, None).ok()
    });
    Ok(match first {
        Some(group) if group.kind == "group" && group.namespace == "default" => group.name,
        Some(other) => other.to_string(),
        None => "guests".to_owned(),
    })
}

async fn form(
    pages: &Pages,
    shell: Shell,
    target: String,
    refused: Option<Text>,
    examined: Option<Shown>,
) -> Result<Response, Error> {
    page(
        shell.locale,
        &RegisterPage {
            shell,
            kinds: pages.kinds().clone(),
            readonly: pages.catalog.config().readonly,
            pending: pages.catalog.proposals().await?,
            file: pages.catalog.config().entity_filename.clone(),
            target,
            refused,
            examined,
        },
    )
}

/// The form again, with what kept it from being done.
async fn refuse(
    pages: &Pages,
    shell: Shell,
    target: String,
    error: CatalogError,
    examined: Option<Shown>,
) -> Result<Response, Error> {
    if let CatalogError::Database(error) = error {
        return Err(error.into());
    }
    let mut response = form(pages, shell, target, Some(error.text()), examined).await?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// `POST /catalog/register`: registers each `target`, then shows how it was read.
pub async fn register(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Error> {
    let sent = sent
        .into_iter()
        .filter(|(name, value)| name == "target" && !value.trim().is_empty());
    let targets: Vec<String> = sent.map(|(_, value)| value).take(MOST).collect();
    if targets.is_empty() {
        let error = CatalogError::Invalid(text!("Choose at least one file."));
        return refuse(&pages, shell, String::new(), error, None).await;
    }
    let mut done = Vec::new();
    for target in &targets {
        match pages.catalog.register(&caller.actor(), target).await {
            Ok(registered) => done.push(registered.location.id),
            Err(error) => return refuse(&pages, shell, target.clone(), error, None).await,
        }
    }
    Ok(Redirect::to(&match done.as_slice() {
        [one] => format!("/catalog/locations/{one}"),
        _ => "/catalog/locations".to_owned(),
    })
    .into_response())
}

#[derive(Debug, Deserialize)]
pub struct Typed {
    target: String,
    #[serde(default)]
    text: String,
}

/// `POST /catalog/register/check`: what is right and wrong with a description file while it is typed.
pub async fn check(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    shell: Shell,
    Form(typed): Form<Typed>,
) -> Result<Response, Error> {
    let checked = checked(&pages, &typed.target, &typed.text).await?;
    page(shell.locale, &CheckedFragment { checked })
}

/// `POST /catalog/register/propose`: opens a pull request with the file; or the form again with its errors.
pub async fn propose(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Form(typed): Form<Typed>,
) -> Result<Response, Error> {
    let problems = match pages.catalog.propose(&caller.actor(), &typed.target, &typed.text).await {
        Ok(proposed) => return page(shell.locale, &ProposedPage { shell, proposed }),
        Err(Refused::Problems(_)) => None,
        Err(Refused::Error(CatalogError::Database(error))) => return Err(error.into()),
        Err(Refused::Error(error)) => Some(error.text()),
    };
    // What was typed stays.
    let mut examined = None;
    let folder = typed.target.rsplit_once('/').map_or("", |(folder, _)| folder);
    if let Ok(found) = pages.catalog.look_into(folder).await {
        let file = &pages.catalog.config().entity_filename;
        let mut draft = draft(&pages, &Proposal::of(&found, file, ""), Some(typed.text)).await?;
        draft.target = typed.target.clone();
        draft.guesses.clear();
        draft.checked.refused = problems.clone();
        examined = Some(Shown::Proposal(draft));
    }
    let refused = problems.filter(|_| examined.is_none());
    let mut response = form(&pages, shell, folder.to_owned(), refused, examined).await?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}
