//! `/create/tasks/<id>/remove`: what a task has made, what can become of it, and the start of its removal.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::task_id;
use super::view::is_safe;
use crate::auth::Caller;
use crate::language::{Text, filters, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::{EffectKind, Fate};
use crate::scaffolder::operations::{Plan, Planned, TaskError};
use crate::web::{Error, Form, Shell, SignedIn, page};

/// A tick in the box that asks whether one is sure.
const SURE: &str = "sure";

#[derive(Template)]
#[template(path = "scaffolder/removal.html")]
struct RemovalPage {
    shell: Shell,
    plan: Plan,
    lines: Vec<Line>,
    /// Why it was not started.
    problem: Option<Text>,
}

struct Line {
    planned: Planned,
    icon: &'static str,
    label: Text,
    choices: Vec<Choice>,
}

struct Choice {
    fate: Fate,
    label: Text,
    chosen: bool,
}

impl Line {
    fn url(&self) -> Option<&str> {
        self.planned.effect.url.as_deref().filter(|url| is_safe(url))
    }
}

impl RemovalPage {
    /// Something can be removed here.
    fn has_choices(&self) -> bool {
        self.lines.iter().any(|line| !line.choices.is_empty())
    }
}

pub async fn show(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    render(&scaffolder, shell, &caller, &id, &[], None).await
}

async fn render(
    scaffolder: &Scaffolder,
    shell: Shell,
    caller: &Caller,
    id: &str,
    given: &[(String, String)],
    problem: Option<Text>,
) -> Result<Response, Error> {
    let plan = scaffolder.removal_plan(caller, task_id(id)?).await?;
    let status = match problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let lines = plan.items.iter().map(|planned| line(planned, given)).collect();
    let response = page(
        shell.locale,
        &RemovalPage {
            shell,
            plan,
            lines,
            problem,
        },
    )?;
    Ok((status, response).into_response())
}

fn line(planned: &Planned, given: &[(String, String)]) -> Line {
    let (icon, label) = match planned.effect.kind {
        EffectKind::Repository => ("repo", text!("Repository")),
        EffectKind::Application => ("deploy", text!("Argo CD application")),
        EffectKind::Location => ("component", text!("Catalog entry")),
        EffectKind::Project => ("deploy", text!("Argo CD project")),
        EffectKind::Object => ("deploy", text!("Kubernetes object")),
        EffectKind::PullRequest => ("repo", text!("Pull request")),
        EffectKind::Issue => ("repo", text!("Issue")),
    };
    let chosen = chosen(planned, given);
    let choices = planned.fates.iter().map(|fate| Choice {
        fate: *fate,
        label: match fate {
            Fate::Keep => text!("Keep it"),
            Fate::Archive => text!("Archive it"),
            Fate::Delete if planned.effect.kind == EffectKind::Location => text!("Take it out of the catalog"),
            Fate::Delete => text!("Delete it with everything in it"),
            Fate::WithResources => text!("Delete it with its resources"),
            Fate::WithoutResources => text!("Delete it, and leave its resources running"),
        },
        chosen: chosen == Some(*fate),
    });
    Line {
        icon,
        label,
        choices: choices.collect(),
        planned: planned.clone(),
    }
}

/// What the form says of a thing; the proposed fate where it says nothing.
fn chosen(planned: &Planned, given: &[(String, String)]) -> Option<Fate> {
    let key = planned.key();
    match given.iter().find(|(name, _)| *name == key) {
        Some((_, word)) => Fate::from_word(word),
        None => planned.fates.first().copied(),
    }
}

pub async fn start(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Form(given): Form<Vec<(String, String)>>,
) -> Result<Response, Error> {
    if !given.iter().any(|(name, _)| name == SURE) {
        let problem = text!("Say that you are sure: tick the box at the end.");
        return render(&scaffolder, shell, &caller, &id, &given, Some(problem)).await;
    }
    // What the form does not name was not seen, and stays.
    let choose = |planned: &Planned| {
        let key = planned.key();
        let named = given.iter().any(|(name, _)| *name == key);
        chosen(planned, &given).filter(|_| named)
    };
    match scaffolder.remove_made(&caller, task_id(&id)?, choose).await {
        Ok(removal) => Ok(Redirect::to(&format!("/create/tasks/{removal}")).into_response()),
        Err(TaskError::NothingToRemove) => {
            let problem = text!("Everything would be kept. Choose what to remove.");
            render(&scaffolder, shell, &caller, &id, &given, Some(problem)).await
        }
        Err(error) => Err(error.into()),
    }
}
