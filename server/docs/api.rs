//! `/api/techdocs`, as programs of Backstage ask for it.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Name, Pages, is_picture_name, pages};
use crate::catalog::CatalogError;
use crate::web::{Error, Json, SignedIn};

/// `GET …/metadata/techdocs/…`
pub async fn metadata(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Path(name): Path<Name>,
) -> Result<Json<Value>, Error> {
    let opened = pages.book(&name).await?;
    let files: Vec<String> = opened.book.pages.iter().map(|page| address(&page.path)).collect();
    Ok(Json(json!({
        "site_name": opened.book.name,
        "site_description": opened.book.description,
        "etag": opened.files.version,
        "build_timestamp": opened.files.at.map(|at| at.timestamp_millis()),
        "files": files,
    })))
}

/// `GET …/metadata/entity/…`
pub async fn entity(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Path(name): Path<Name>,
) -> Result<Json<Value>, Error> {
    let entity = pages.entity(&name).await?;
    let location = entity
        .annotation("backstage.io/source-location")
        .and_then(|text| text.split_once(':'));
    let location = location.map(|(kind, target)| json!({"type": kind, "target": target}));
    let mut body = entity.body;
    if let Some(location) = location {
        body["locationMetadata"] = location;
    }
    Ok(Json(body))
}

/// `GET …/static/docs/…/<path>`: a page as HTML by itself, or a picture.
pub async fn file(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Path((namespace, kind, name, path)): Path<(String, String, String, String)>,
) -> Result<Response, Error> {
    let opened = pages.book(&(namespace, kind, name)).await?;
    if is_picture_name(&path) {
        return pages::send_picture(&pages, &opened, &path, false).await;
    }
    let info = opened
        .book
        .page_at(&path)
        .map(|index| &opened.book.pages[index])
        .ok_or_else(pages::no_page)?;
    let page = pages
        .docs
        .0
        .library
        .page(&opened, &info.file)
        .await
        .map_err(CatalogError::Scm)?;
    let html = format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"></head><body><article class=\"md-content\">{}</article></body></html>\n",
        page.html
    );
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

fn address(path: &str) -> String {
    match path.is_empty() {
        true => "index.html".to_owned(),
        false => format!("{path}/index.html"),
    }
}
