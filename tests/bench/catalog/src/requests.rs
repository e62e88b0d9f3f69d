//! The requests of Backstage's catalog client, and what answering them costs.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cost::Family;
use crate::http::Connection;
use crate::portal::Portal;
use portico_bench_catalog::files::Manifest;

/// Addresses of a kind whose answers are looked at.
const CHECKED: usize = 200;
/// Sent before measuring starts.
const WARM_UP: Duration = Duration::from_millis(500);

/// Requests of one kind, sent one after the other.
pub struct Kind {
    pub name: &'static str,
    /// Milliseconds of processor time a request that Backstage takes with 10,000 entities.
    pub backstage: Option<f64>,
    pub paths: Vec<String>,
}

/// What a kind of request cost.
pub struct Answered {
    pub name: &'static str,
    pub backstage: Option<f64>,
    pub requests: usize,
    /// Milliseconds of processor time a request, of the portal and of PostgreSQL.
    pub portal: f64,
    pub postgres: f64,
    /// Milliseconds until the answer was there, for half of the requests and for all but one in a hundred.
    pub half: f64,
    pub p99: f64,
    pub per_second: f64,
    /// Bytes of an answer, on average.
    pub bytes: usize,
}

impl Answered {
    pub fn cpu(&self) -> f64 {
        self.portal + self.postgres
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.3} ms (portal {:.3}, PostgreSQL {:.3}), p50 {:.1} ms, p99 {:.1} ms, {:.0} a second, {} requests of {} B",
            self.name,
            self.cpu(),
            self.portal,
            self.postgres,
            self.half,
            self.p99,
            self.per_second,
            self.requests,
            self.bytes,
        )
    }
}

/// Every kind of request, for the names and words of these files.
pub fn all(manifest: &Manifest) -> Vec<Kind> {
    let one = |name, backstage, path: &str| Kind {
        name,
        backstage,
        paths: vec![path.to_owned()],
    };
    let page = "/api/catalog/entities/by-query?limit=20&filter=kind%3Dcomponent";
    let by_name = format!("{page}&orderField=metadata.name%2Casc");
    let texts = |path: &str, fields: &str| -> Vec<String> {
        let words = manifest.samples.fulltext.iter();
        words
            .map(|word| format!("{path}&fullTextFilterTerm={word}&fullTextFilterFields={fields}"))
            .collect()
    };
    let facet = |keys: &[&str], filter: &str| -> Vec<String> {
        let keys = keys.iter();
        keys.map(|key| format!("/api/catalog/entity-facets?facet={key}{filter}"))
            .collect()
    };
    let names = manifest.samples.component.iter();
    vec![
        one("first page of components", Some(16.4), page),
        one("ordered by name", Some(38.9), &by_name),
        Kind {
            name: "by name",
            backstage: Some(2.0),
            paths: names
                .map(|name| format!("/api/catalog/entities/by-name/component/default/{name}"))
                .collect(),
        },
        one("facets of kind", Some(6.4), "/api/catalog/entity-facets?facet=kind"),
        one("facets of tags", Some(43.0), "/api/catalog/entity-facets?facet=metadata.tags"),
        Kind {
            name: "text in name and title, ordered by name",
            backstage: Some(32.0),
            paths: texts(&by_name, "metadata.name%2Cmetadata.title"),
        },
        Kind {
            name: "text in name, title, description",
            backstage: None,
            paths: texts(page, "metadata.name%2Cmetadata.title%2Cmetadata.description"),
        },
        Kind {
            name: "facets of type and lifecycle",
            backstage: None,
            paths: facet(&["spec.type", "spec.lifecycle"], ""),
        },
        Kind {
            name: "facets of kind, type, lifecycle, tags of components",
            backstage: None,
            paths: facet(
                &["kind", "spec.type", "spec.lifecycle", "metadata.tags"],
                "&filter=kind%3Dcomponent",
            ),
        },
        Kind {
            name: "facets of kind, type, lifecycle, tags with a tag",
            backstage: None,
            paths: facet(
                &["kind", "spec.type", "spec.lifecycle", "metadata.tags"],
                "&filter=metadata.tags%3Djava",
            ),
        },
        Kind {
            name: "pages ordered by name, no two alike",
            backstage: None,
            // None of these answers is at hand: more than are asked for while measuring.
            paths: (0..20_000)
                .map(|n| {
                    let (limit, offset) = (20 + n / 500, n % 500);
                    format!(
                        "/api/catalog/entities/by-query?limit={limit}&offset={offset}&filter=kind%3Dcomponent\
                         &orderField=metadata.name%2Casc"
                    )
                })
                .collect(),
        },
        one("facets of owners", None, "/api/catalog/entity-facets?facet=spec.owner"),
        Kind {
            name: "first page of an owner's",
            backstage: None,
            paths: manifest
                .samples
                .group
                .iter()
                .map(|group| {
                    format!(
                        "/api/catalog/entities/by-query?limit=20&filter=kind%3Dcomponent%2Crelations.ownedBy%3Dgroup%3Adefault%2F{group}"
                    )
                })
                .collect(),
        },
    ]
}

/// Sends requests of a kind for some time over connections that stay open.
pub async fn measure(kind: Kind, portal: &Portal, family: &Family, clients: usize, time: Duration) -> Result<Answered> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(portal.connect().await?);
    }
    check(&kind, &mut connections[0]).await?;
    send(&kind, &mut connections, WARM_UP).await?;
    let (portal_before, postgres_before) = (portal.cpu()?, family.postgres()?);
    let started = Instant::now();
    let (mut times, bytes) = send(&kind, &mut connections, time).await?;
    let seconds = started.elapsed().as_secs_f64();
    let milliseconds = |seconds: f64| seconds * 1_000.0 / times.len() as f64;
    let portal = milliseconds(portal.cpu()? - portal_before);
    let postgres = milliseconds(family.postgres()? - postgres_before);
    times.sort();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times
            .get(place)
            .or(times.last())
            .map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    Ok(Answered {
        name: kind.name,
        backstage: kind.backstage,
        requests: times.len(),
        portal,
        postgres,
        half: at(0.5),
        p99: at(0.99),
        per_second: times.len() as f64 / seconds,
        bytes: bytes / times.len().max(1),
    })
}

/// Answers that hold nothing would be quick: some must hold something (not every word is in a name).
async fn check(kind: &Kind, connection: &mut Connection) -> Result<()> {
    let mut filled = false;
    for path in kind.paths.iter().take(CHECKED) {
        let answer = connection.get(path).await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let full = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
        let is_page = answer.body.trim_ascii_start().starts_with(b"<");
        filled |= is_page
            || full(&body["items"])
            || body["metadata"]["name"].is_string()
            || body["facets"]
                .as_object()
                .is_some_and(|facets| facets.values().all(full));
        if answer.status != 200 {
            bail!(
                "{path} answers {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
    }
    anyhow::ensure!(filled, "no answer of \"{}\" holds anything", kind.name);
    Ok(())
}

/// How long each request took, and the bytes of all answers.
async fn send(kind: &Kind, connections: &mut [Connection], time: Duration) -> Result<(Vec<Duration>, usize)> {
    let times = RefCell::new((Vec::new(), 0));
    let next = std::cell::Cell::new(0_usize);
    let end = Instant::now() + time;
    let clients = connections.iter_mut().map(|connection| {
        let (times, next) = (&times, &next);
        async move {
            while Instant::now() < end {
                let path = &kind.paths[next.replace(next.get() + 1) % kind.paths.len()];
                let sent = Instant::now();
                let answer = connection.get(path).await.with_context(|| path.clone())?;
                if answer.status != 200 {
                    bail!("{path} answers {}", answer.status);
                }
                let mut times = times.borrow_mut();
                times.0.push(sent.elapsed());
                times.1 += answer.body.len();
            }
            Ok(())
        }
    });
    futures::future::try_join_all(clients).await?;
    Ok(times.into_inner())
}
