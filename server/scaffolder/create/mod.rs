//! `/create`: the golden paths, and the way from a form over its review to a task. Everything works without a
//! script: each step is a form that carries the answers of the others in hidden fields.

mod actions;
mod draft;
mod form;
mod gallery;
mod makes;
mod review;
#[cfg(test)]
mod tests;
mod view;

pub(in crate::scaffolder) use gallery::path as form_path;

use axum::Router;
use axum::routing::get;

use super::Scaffolder;

/// The pages under `/create`, without the tasks'.
pub fn routes() -> Router<Scaffolder> {
    Router::new()
        .route("/create", get(gallery::list))
        .route("/create/actions", get(actions::list))
        .route(
            "/create/templates/{namespace}/{name}",
            get(form::show).post(form::go_on),
        )
        .route(
            "/create/templates/{namespace}/{name}/check",
            get(form::check).post(form::check),
        )
        .route(
            "/create/templates/{namespace}/{name}/create",
            get(review::back_to_review).post(form::create),
        )
}
