//! `/.backstage/health/v1/…`, as Backstage's root health service answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::future::BoxFuture;
use serde_json::json;

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Longest time that one check may take.
const CHECK_TIME: Duration = Duration::from_secs(3);

/// Whether this process can serve: gates that features open once, and checks that are made each time.
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<Conditions>>);

#[derive(Default)]
struct Conditions {
    closed: BTreeSet<&'static str>,
    checks: Vec<(&'static str, Check)>,
    stopping: bool,
}

/// One thing that must have happened once before the portal is ready.
#[derive(Clone)]
pub struct Gate {
    readiness: Readiness,
    name: &'static str,
}

impl Gate {
    /// It has happened.
    pub fn open(&self) {
        self.readiness.change(|state| {
            state.closed.remove(self.name);
        });
    }

    /// Opens after this time even if it has not happened: another system that is down must not keep the portal
    /// from serving.
    pub fn open_at_latest(&self, after: Duration) {
        let gate = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            gate.open();
        });
    }
}

impl Readiness {
    /// A closed gate: the portal is not ready until it is opened.
    pub fn gate(&self, name: &'static str) -> Gate {
        self.change(|state| {
            state.closed.insert(name);
        });
        Gate {
            readiness: self.clone(),
            name,
        }
    }

    /// A check made whenever readiness is asked for; `Err` says what is wrong.
    pub fn check(
        &self,
        name: &'static str,
        check: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) {
        self.change(|state| state.checks.push((name, Arc::new(check))));
    }

    /// From now on not ready: the process is about to end.
    pub fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    /// `Err` names the first thing that is missing.
    pub async fn state(&self) -> Result<(), String> {
        let (closed, checks, stopping) = {
            let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (state.closed.first().copied(), state.checks.clone(), state.stopping)
        };
        if stopping {
            return Err("the portal is stopping".into());
        }
        if let Some(name) = closed {
            return Err(format!("waiting for {name}"));
        }
        for (name, check) in checks {
            match tokio::time::timeout(CHECK_TIME, check()).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => return Err(format!("{name}: {reason}")),
                Err(_) => return Err(format!("{name}: no answer within {} s", CHECK_TIME.as_secs())),
            }
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// `/.backstage/health/v1/readiness` and `/.backstage/health/v1/liveness`; for everybody.
pub fn health_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/.backstage/health/v1/readiness", get(readiness_now))
        .route(
            "/.backstage/health/v1/liveness",
            get(|| async { Json(json!({"status": "ok"})) }),
        )
        .with_state(readiness)
}

async fn readiness_now(State(readiness): State<Readiness>) -> Response {
    match readiness.state().await {
        Ok(()) => Json(json!({"status": "ok"})).into_response(),
        Err(message) => {
            let body = json!({"message": message, "status": "error"});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gates_checks_and_stopping_decide() {
        let readiness = Readiness::default();
        let gate = readiness.gate("migrations");
        assert_eq!(readiness.state().await, Err("waiting for migrations".into()));
        gate.open();
        assert_eq!(readiness.state().await, Ok(()));
        readiness.check("database", || Box::pin(async { Err("away".to_owned()) }));
        assert_eq!(readiness.state().await, Err("database: away".into()));
        readiness.stop();
        assert_eq!(readiness.state().await, Err("the portal is stopping".into()));
    }
}
