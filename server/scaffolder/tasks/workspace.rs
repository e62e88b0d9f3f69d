//! `/create/tasks/<id>/workspace`: the files of a task that did not complete, as its last finished step left them.

use std::io;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::task_id;
use crate::language::text;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::queries;
use crate::web::{Error, SignedIn};

/// Only whoever may see the task: the files may have secrets in them.
pub async fn download(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let task = scaffolder.get_task(&caller, task_id(&id)?).await?;
    let gone = || {
        Error::NotFound(text!(
            "The files of this task are not kept: it has completed, it has made none, or they were removed after the time of portico.workspaceRetention."
        ))
    };
    if !task.status.is_final() {
        return Err(Error::Conflict(text!(
            "The task is still running. Its files can be downloaded when it has failed."
        )));
    }
    let stored = queries::find_workspace(scaffolder.db(), task.id)
        .await?
        .ok_or_else(gone)?;
    let archive = scaffolder
        .vault()
        .open_files(task.id, Some(stored))
        .map_err(|error| Error::Conflict(error.into()))?
        .ok_or_else(gone)?;
    let packed = tokio::task::spawn_blocking(move || to_gzip(&archive))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| Error::Internal(Box::new(error)))?;
    tracing::info!(task = %task.id, actor = %caller.actor(), "workspace downloaded");
    let headers = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"task-{}.tar.gz\"", task.id),
        ),
    ];
    Ok((headers, packed).into_response())
}

/// What every machine can unpack.
fn to_gzip(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    io::copy(&mut zstd::Decoder::new(archive)?, &mut gzip)?;
    gzip.finish()
}
