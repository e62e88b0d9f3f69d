//! Files at addresses of no forge: those that `backend.reading.allow` names.

use axum::body::Bytes;
use axum::http::StatusCode;
use futures::future::BoxFuture;
use std::sync::Arc;
use url::Url;

use super::source::Sources;
use crate::outbound::{self, Outbound, OutboundError};
use crate::scm::{Forges, Located, Repository, Scm, ScmError};

/// All that the configuration lets the catalog read.
pub struct Web {
    pub forges: Forges,
    pub outbound: Outbound,
}

impl Sources for Web {
    fn locate(&self, url: &str) -> Result<Located, ScmError> {
        self.forges.locate(url)
    }

    fn forge_of(&self, repository: &Repository) -> Result<Arc<dyn Scm>, ScmError> {
        self.forges.forge_of(repository)
    }

    fn forge_by_host(&self, host: &str) -> Result<Arc<dyn Scm>, ScmError> {
        self.forges.forge_by_host(host)
    }

    fn permits(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.outbound.permits(&url))
    }

    fn read_address<'a>(&'a self, url: &'a Url, limit: u64) -> BoxFuture<'a, Result<Bytes, ScmError>> {
        Box::pin(read(&self.outbound, url, limit))
    }
}

async fn read(outbound: &Outbound, url: &Url, limit: u64) -> Result<Bytes, ScmError> {
    let host = url.authority().to_owned();
    if !outbound.permits(url) {
        return Err(ScmError::UnknownHost { host });
    }
    let answer = match outbound.client().get(url.clone()).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let temporary = !error.is_redirect();
            let reason = outbound::explain(error);
            return Err(match temporary {
                true => ScmError::Unavailable { host, reason },
                false => ScmError::Unexpected { host, reason },
            });
        }
    };
    let status = answer.status();
    let reason = format!("{url} answers {status}");
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(ScmError::NotFound {
            host,
            what: url.path().to_owned(),
        }),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ScmError::Denied { host, reason }),
        StatusCode::TOO_MANY_REQUESTS => Err(ScmError::RateLimited {
            host,
            retry_after: None,
        }),
        _ if status.is_server_error() => Err(ScmError::Unavailable { host, reason }),
        _ if !status.is_success() => Err(ScmError::Unexpected { host, reason }),
        _ => outbound::read_body(answer, limit).await.map_err(|error| match error {
            OutboundError::TooLarge { limit } => ScmError::TooLarge {
                what: url.to_string(),
                limit,
            },
            other => ScmError::Unavailable {
                host,
                reason: other.to_string(),
            },
        }),
    }
}
