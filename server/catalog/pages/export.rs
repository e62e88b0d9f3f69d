//! `GET /catalog/export.csv` and `.json`: all pages of a list as a file, made as it is taken.

use std::collections::{HashMap, VecDeque};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt, stream};

use super::Pages;
use super::asked::Asked;
use super::columns::{Chosen, Column};
use super::source::attachment;
use crate::auth::Caller;
use crate::catalog::queries::list::{self, Dated};
use crate::catalog::{Catalog, queries::entities::Row};
use crate::web::{Error, Query, SignedIn};

/// Entities that are read at once.
const STREAMED: usize = 500;

/// The list as a table: ref, name, title, description, and the columns that are chosen.
pub async fn csv(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let asked = asked.clean();
    let columns = Chosen::of(&pages, &asked, &headers).columns;
    let mut head: Vec<String> = ["ref", "name", "title", "description"].map(str::to_owned).into();
    head.extend(columns.iter().map(Column::name));
    let row = move |_first: bool, dated: Dated| table_row(dated, &columns);
    file(
        &pages,
        &caller,
        &asked,
        Form {
            kind: "text/csv; charset=utf-8",
            end: "csv",
            head: line(&head),
            foot: "",
        },
        row,
    )
    .await
}

/// The list as an array of documents, as the API answers them.
pub async fn json(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let row = |first: bool, dated: Dated| {
        let comma = if first { "\n" } else { ",\n" };
        Ok(format!("{comma}{}", dated.document))
    };
    let form = Form {
        kind: "application/json",
        end: "json",
        head: "[".to_owned(),
        foot: "\n]\n",
    };
    file(&pages, &caller, &asked.clean(), form, row).await
}

/// What a file is, and what stands before and after its rows.
struct Form {
    kind: &'static str,
    end: &'static str,
    head: String,
    foot: &'static str,
}

/// The refs at once, the documents part by part as the client takes them: no connection to the database waits for it.
async fn file(
    pages: &Pages,
    caller: &Caller,
    asked: &Asked,
    Form { kind, end, head, foot }: Form,
    row: impl Fn(bool, Dated) -> Result<String, Error> + Send + 'static,
) -> Result<Response, Error> {
    let stars = pages.catalog.starred(&caller.actor()).await?;
    let query = asked.query(pages.kinds(), &caller.ownership_refs(), &stars);
    let refs = list::list_refs(pages.catalog.db(), &query, &asked.words()).await?;
    let parts: VecDeque<Vec<String>> = refs.chunks(STREAMED).map(<[String]>::to_vec).collect();
    let start = (pages.catalog.clone(), parts, true, row);
    let rows = stream::try_unfold(start, |(catalog, mut parts, mut first, row)| async move {
        let Some(refs) = parts.pop_front() else {
            return Ok::<_, Error>(None);
        };
        let mut text = String::new();
        for dated in documents(&catalog, &refs).await? {
            text.push_str(&row(first, dated)?);
            first = false;
        }
        Ok(Some((text, (catalog, parts, first, row))))
    });
    let text = stream::once(async move { Ok(head) })
        .chain(rows)
        .chain(stream::once(async move { Ok(foot.to_owned()) }))
        .map_err(|error| {
            tracing::warn!(error = %error.chain(), "a file of the catalog was cut off");
            std::io::Error::other("cut off")
        });
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, attachment("catalog", end)),
    ];
    Ok((headers, Body::from_stream(text)).into_response())
}

/// Documents in the order of their refs. One that was deleted meanwhile is left out.
async fn documents(catalog: &Catalog, refs: &[String]) -> Result<Vec<Dated>, Error> {
    let found = list::list_dated(catalog.db(), refs).await?;
    let mut found: HashMap<String, Dated> = found
        .into_iter()
        .map(|dated| (dated.entity_ref.clone(), dated))
        .collect();
    Ok(refs.iter().filter_map(|reference| found.remove(reference)).collect())
}

fn table_row(dated: Dated, columns: &[Column]) -> Result<String, Error> {
    let changed_at = dated.changed_at;
    let row = Row {
        entity_ref: dated.entity_ref,
        document: dated.document,
    };
    let entity = row.entity()?;
    let mut cells = vec![
        row.entity_ref,
        entity.name().to_owned(),
        entity.title().to_owned(),
        entity.description().unwrap_or_default().to_owned(),
    ];
    cells.extend(columns.iter().map(|column| column.word(&entity, changed_at)));
    Ok(line(&cells))
}

/// A line of a table (RFC 4180).
fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    cells.join(",") + "\r\n"
}

/// A cell. What a spreadsheet would compute stays a text: an apostrophe stands before it.
fn cell(text: &str) -> String {
    let computes = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let safe = if computes { format!("'{text}") } else { text.to_owned() };
    match safe.contains([',', '"', '\n', '\r', ';', '\'']) {
        true => format!("\"{}\"", safe.replace('"', "\"\"")),
        false => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_compute_nothing() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("+49", "\"'+49\""),
            ("-x", "\"'-x\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
        assert_eq!(line(&["a".to_owned(), "=b".to_owned()]), "a,\"'=b\"\r\n");
    }
}
