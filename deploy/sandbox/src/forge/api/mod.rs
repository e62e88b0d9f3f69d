//! The REST API under `/api/v1`, as the Swagger files of Forgejo and Gitea describe it.

mod automation;
mod branches;
mod changes;
mod contents;
mod history;
mod hooks;
mod issues;
mod pulls;
mod repositories;
mod statuses;
mod users;

use axum::extract::{FromRequest, Request};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Forge;
use super::access::Refusal;

pub use contents::{archive, raw_file};

/// What a handler answers when all is well, or why not.
type Answer<T> = Result<T, Refusal>;

/// All routes, relative to `/api/v1`.
pub fn routes() -> Router<Forge> {
    let repository = Router::new()
        .route(
            "/collaborators/{user}",
            get(repositories::is_collaborator).put(repositories::add_collaborator),
        )
        .route("/contents", get(contents::root).post(changes::change_many))
        .route(
            "/contents/{*path}",
            get(contents::show)
                .post(changes::create)
                .put(changes::update)
                .delete(changes::delete),
        )
        .route("/raw/{*path}", get(contents::raw))
        .route("/media/{*path}", get(contents::raw))
        .route("/archive/{*name}", get(contents::archive))
        .route("/branches", get(branches::list).post(branches::create))
        .route("/branches/{*branch}", get(branches::show).delete(branches::delete))
        .route("/commits", get(history::list))
        .route("/commits/{reference}/status", get(statuses::combined))
        .route("/commits/{reference}/statuses", get(statuses::list))
        .route("/git/commits/{reference}", get(history::show))
        .route("/git/trees/{reference}", get(history::tree))
        .route("/git/blobs/{id}", get(history::blob))
        .route("/git/refs", get(history::refs))
        .route("/hooks", get(hooks::list).post(hooks::create))
        .route(
            "/hooks/{id}",
            get(hooks::show).patch(hooks::update).delete(hooks::delete),
        )
        .route("/hooks/{id}/tests", post(hooks::test))
        .route(
            "/actions/secrets/{name}",
            axum::routing::put(automation::set_secret).delete(automation::delete_secret),
        )
        .route(
            "/actions/variables/{name}",
            get(automation::show_variable)
                .post(automation::create_variable)
                .put(automation::update_variable),
        )
        .route("/issues", get(issues::list).post(issues::create))
        .route("/pulls", get(pulls::list).post(pulls::create))
        .route("/pulls/{number}", get(pulls::show).patch(pulls::update))
        .route("/pulls/{number}/merge", post(pulls::merge))
        .route("/statuses/{reference}", get(statuses::list).post(statuses::create));
    Router::new()
        .route(
            "/version",
            get(|| async { Json(json!({ "version": "11.0.0+gitea-1.22.0" })) }),
        )
        .route("/user", get(users::myself))
        .route("/user/repos", get(repositories::mine).post(repositories::create_mine))
        .route("/user/orgs", get(users::my_organisations))
        .route("/user/hooks", get(hooks::list).post(hooks::create))
        .route(
            "/user/hooks/{id}",
            get(hooks::show).patch(hooks::update).delete(hooks::delete),
        )
        .route("/users/{user}", get(users::show))
        .route("/users/{user}/repos", get(repositories::of_owner))
        .route("/users/{user}/tokens", get(users::tokens).post(users::create_token))
        .route(
            "/users/{user}/tokens/{token}",
            axum::routing::delete(users::delete_token),
        )
        .route("/orgs", post(users::create_organisation))
        .route(
            "/orgs/{owner}",
            get(users::organisation).delete(users::delete_organisation),
        )
        .route("/orgs/{owner}/hooks", get(hooks::list).post(hooks::create))
        .route(
            "/orgs/{owner}/hooks/{id}",
            get(hooks::show).patch(hooks::update).delete(hooks::delete),
        )
        .route(
            "/orgs/{owner}/repos",
            get(repositories::of_owner).post(repositories::create_for_organisation),
        )
        .route("/admin/users", post(users::create))
        .route("/admin/users/{owner}/repos", post(repositories::create_for_user))
        .route("/repos/search", get(repositories::search))
        .route(
            "/repos/{owner}/{repository}",
            get(repositories::show)
                .patch(repositories::update)
                .delete(repositories::delete),
        )
        .nest("/repos/{owner}/{repository}", repository)
        .fallback(|| async { Refusal::not_found() })
}

/// A JSON body; a wrong one is 422 with the place of the error.
pub struct Input<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| Refusal::new(error.status(), error.body_text()))?;
        let bytes = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Refusal::invalid(format!("[]: {error}")))
    }
}

/// `page` (from 1) and `limit` of a list.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Paging {
    page: Option<usize>,
    limit: Option<usize>,
}

impl Paging {
    /// How many to leave out, and how many to give: 30 when not asked for, 50 at most, as Gitea is set.
    pub fn window(self) -> (usize, usize) {
        let limit = self.limit.unwrap_or(30).clamp(1, 50);
        (
            self.page.unwrap_or(1).max(1).saturating_sub(1).saturating_mul(limit),
            limit,
        )
    }

    /// The part of a whole list.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        let (skip, limit) = self.window();
        all.into_iter().skip(skip).take(limit).collect()
    }
}

/// A list with the number of all entries, where clients look for it.
pub fn counted(total: usize, list: Vec<serde_json::Value>) -> impl axum::response::IntoResponse {
    (
        [
            ("X-Total-Count", total.to_string()),
            ("Access-Control-Expose-Headers", "X-Total-Count".to_owned()),
        ],
        Json(list),
    )
}
