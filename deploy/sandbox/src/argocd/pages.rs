//! Plain pages in place of Argo CD's web interface, so that links to an Application open something.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;

use super::ArgoCd;
use crate::{
    kubernetes::selectors::Selector,
    reconciler::application::{Application, NAMESPACE, kind},
};

/// `GET /applications`
pub async fn list(State(argocd): State<ArgoCd>) -> Response {
    let Ok(kind) = kind(&argocd.shared.cluster) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let list = argocd.shared.cluster.list(&kind, NAMESPACE, &Selector::default());
    let rows = list.items.iter().map(|one| {
        let name = escape(text(&one["metadata"]["name"]));
        let (sync, health) = (
            escape(text(&one["status"]["sync"]["status"])),
            escape(text(&one["status"]["health"]["status"])),
        );
        format!("<tr><td><a href=\"/applications/{NAMESPACE}/{name}\">{name}</a><td>{sync}<td>{health}\n")
    });
    let rows = rows.collect::<String>();
    page(
        "Applications",
        &format!("<table><tr><th>Name<th>Sync<th>Health\n{rows}</table>"),
    )
}

/// `GET /applications/{name}`
pub async fn by_name(State(argocd): State<ArgoCd>, Path(name): Path<String>) -> Response {
    show(&argocd, &name)
}

/// `GET /applications/{namespace}/{name}`
pub async fn by_namespace(State(argocd): State<ArgoCd>, Path((namespace, name)): Path<(String, String)>) -> Response {
    if namespace == NAMESPACE {
        show(&argocd, &name)
    } else {
        missing(&name)
    }
}

fn show(argocd: &ArgoCd, name: &str) -> Response {
    let Some(application) = Application::read(&argocd.shared.cluster, name) else {
        return missing(name);
    };
    let (source, status) = (application.source(), &application.0["status"]);
    let facts = [
        ("Sync", text(&status["sync"]["status"])),
        ("Health", text(&status["health"]["status"])),
        ("Revision", text(&status["sync"]["revision"])),
        ("Repository", text(&source["repoURL"])),
        ("Path", text(&source["path"])),
        ("Last operation", text(&status["operationState"]["message"])),
    ];
    let facts = facts
        .map(|(name, value)| format!("<tr><th>{name}<td>{}\n", escape(value)))
        .concat();
    let list = |items: &Value, line: &dyn Fn(&Value) -> String| {
        items
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| format!("<li>{}\n", escape(&line(item))))
            .collect::<String>()
    };
    let resources = list(&status["resources"], &|one| {
        format!(
            "{} {}: {}",
            text(&one["kind"]),
            text(&one["name"]),
            text(&one["status"])
        )
    });
    let conditions = list(&status["conditions"], &|one| {
        format!("{}: {}", text(&one["type"]), text(&one["message"]))
    });
    page(
        name,
        &format!(
            "<table>{facts}</table><h2>Conditions</h2><ul>{conditions}</ul><h2>Resources</h2><ul>{resources}</ul>"
        ),
    )
}

fn missing(name: &str) -> Response {
    (
        StatusCode::NOT_FOUND,
        page("Not found", &format!("<p>There is no Application {}.", escape(name))),
    )
        .into_response()
}

fn page(title: &str, content: &str) -> Response {
    let title = escape(title);
    let style = "body{font:16px sans-serif;margin:2rem}th{text-align:left;padding-right:1rem}";
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title} – Argo CD (sandbox)</title>\
         <style>{style}</style><p><a href=\"/applications\">Argo CD (sandbox)</a><h1>{title}</h1>{content}</html>"
    ))
    .into_response()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
