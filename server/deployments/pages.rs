//! `/deployments`, the fragment of one Application, and asking Argo CD to look again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::routing::TypedPath;
use serde::Deserialize;

use super::Deployments;
use super::cards::{Fragment, Kind};
use crate::gitops::{Application, GitOpsError};
use crate::language::filters;
use crate::web::{self, Error, Form, Shell};

/// All Applications.
#[derive(Debug, Clone, Deserialize, TypedPath)]
#[typed_path("/deployments")]
pub struct ListPath;

/// Changed cells of lists, as they change.
#[derive(Debug, Clone, Deserialize, TypedPath)]
#[typed_path("/deployments/live")]
pub struct ListLivePath;

/// The fragment about one Application.
#[derive(Debug, Clone, Deserialize, TypedPath)]
#[typed_path("/deployments/{app}/card")]
pub struct CardPath {
    pub app: String,
}

/// The same fragment, each time that it changes.
#[derive(Debug, Clone, Deserialize, TypedPath)]
#[typed_path("/deployments/{app}/live")]
pub struct CardLivePath {
    pub app: String,
}

/// Has Argo CD compare the Application with its repository now.
#[derive(Debug, Clone, Deserialize, TypedPath)]
#[typed_path("/deployments/{app}/refresh")]
pub struct RefreshPath {
    pub app: String,
}

#[derive(Template)]
#[template(path = "deployments/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    connected: bool,
    /// The line about the connection.
    notice: String,
}

struct Row {
    application: Arc<Application>,
    sync_key: String,
    health_key: String,
}

/// Where to go back to after a form without a script.
#[derive(Debug, Deserialize)]
pub struct Back {
    #[serde(default)]
    next: String,
}

pub async fn list(_: ListPath, State(deployments): State<Deployments>, shell: Shell) -> Result<Response, Error> {
    let rows = deployments.gitops.list().into_iter().map(|application| Row {
        sync_key: Kind::Sync.key(&application.name),
        health_key: Kind::Health.key(&application.name),
        application,
    });
    web::page(
        shell.locale,
        &ListPage {
            rows: rows.collect(),
            connected: deployments.gitops.connection().is_connected(),
            notice: deployments.connection(shell.locale, shell.now).unwrap_or_default(),
            shell,
        },
    )
}

pub async fn card(path: CardPath, State(deployments): State<Deployments>, shell: Shell) -> Result<Response, Error> {
    let view = deployments.view(&path.app).await;
    web::page(
        shell.locale,
        &Fragment {
            view: &view,
            now: &shell.now,
        },
    )
}

pub async fn refresh(
    path: RefreshPath,
    State(deployments): State<Deployments>,
    headers: HeaderMap,
    Form(back): Form<Back>,
) -> Result<Response, Error> {
    deployments.gitops.refresh(&path.app).await.map_err(upstream)?;
    if headers.contains_key("hx-request") {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Redirect::to(web::local_path(&back.next)).into_response())
}

fn upstream(error: GitOpsError) -> Error {
    let hint = error.hint();
    match error {
        GitOpsError::NotFound { .. } => Error::NotFound(format!("{error}.").into()),
        GitOpsError::Conflict { .. } => Error::Conflict(format!("{error}.").into()),
        GitOpsError::Denied { instance, reason }
        | GitOpsError::Unavailable { instance, reason }
        | GitOpsError::Unexpected { instance, reason } => Error::Upstream {
            system: instance,
            reason,
            hint,
        },
    }
}
