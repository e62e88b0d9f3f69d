//! Composition: configuration becomes adapters, state, router and workers. The only place that knows all.

mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::Sessions;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{self, DbError};
use crate::keys::{Keys, KeysError};
use crate::login::{self, LoginContext};
use crate::outbound::{Outbound, OutboundError};
use crate::web::{self, Frame, KeptForms, Readiness};

/// How long the start waits for a database that is not there yet.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long requests may go on after the end was asked for.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Why the portal did not start. One line each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("{address} is taken by another program; stop it or change backend.listen")]
    Taken { address: String },
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: String, reason: std::io::Error },
    #[error("the server stopped: {0}")]
    Serve(std::io::Error),
}

/// A portal that is put together and not yet listening.
pub struct App {
    pub router: Router,
    pub readiness: Readiness,
    /// Ends workers and streams.
    pub stop: CancellationToken,
}

/// Opens the database, waiting up to 30 seconds for one that is starting.
pub async fn open_database(config: &Config) -> Result<PgPool, StartError> {
    let settings = &config.backend.database;
    let options = db::options(&settings.connection)?;
    let give_up = tokio::time::Instant::now() + DATABASE_PATIENCE;
    loop {
        match db::connect(options.clone(), settings.ensure_exists).await {
            Ok(pool) => return Ok(pool),
            Err(error) if error.is_temporary() && tokio::time::Instant::now() < give_up => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Puts everything together. The database is at this version already.
pub async fn build(config: &Config, db: PgPool, clock: Clock) -> Result<App, StartError> {
    let stop = CancellationToken::new();
    let readiness = Readiness::default();
    let keys = Keys::load(&db, &clock, &settings::key_secrets(config)).await?;
    let outbound = Outbound::new(settings::allowed(config), &extra_certificates())?;
    let secure = config.app.base_url.scheme() == "https";
    let sessions = Sessions::new(
        db.clone(),
        clock.clone(),
        settings::sessions(config, &outbound, &clock, secure),
    );

    let pool = db.clone();
    readiness.check("database", move || {
        let pool = pool.clone();
        Box::pin(async move { db::check(&pool).await })
    });

    let login = login::routes(LoginContext {
        sessions: sessions.clone(),
        keys,
        clock: clock.clone(),
        secure,
    });
    let public = Router::new()
        .merge(web::asset_routes())
        .merge(web::health_routes(readiness.clone()))
        .merge(login);
    // Replaced by the home feature's routes.
    let protected = Router::new().route("/", get(|| async { Redirect::to("/catalog") }));

    let frame = Frame {
        site: config.app.title.clone().into(),
        clock: clock.clone(),
        callers: Arc::new(sessions),
        count_tasks: None,
        form_origins: settings::issuer_origins(config),
        own_origins: settings::own_origins(config),
        kept_forms: Some(KeptForms::new(db, clock, secure)),
    };
    Ok(App {
        router: frame.around(public, protected),
        readiness,
        stop,
    })
}

/// Serves until `ended` resolves; requests then have ten seconds to finish.
pub async fn serve(app: App, config: &Config, ended: impl Future<Output = ()>) -> Result<(), StartError> {
    let (host, port) = config.backend.listen.address();
    let address = format!("{host}:{port}");
    let listener = TcpListener::bind((host, port)).await.map_err(|reason| {
        let address = address.clone();
        if reason.kind() == std::io::ErrorKind::AddrInUse {
            StartError::Taken { address }
        } else {
            StartError::Listen { address, reason }
        }
    })?;
    tracing::info!(%address, url = %config.app.base_url, "serving");
    let stop = app.stop.clone();
    let server = axum::serve(listener, app.router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        result = &mut server => return result.map_err(StartError::Serve),
        () = ended => {}
    }
    tracing::info!("stopping");
    app.readiness.stop();
    stop.cancel();
    match tokio::time::timeout(DRAIN_TIME, server).await {
        Ok(result) => result.map_err(StartError::Serve),
        Err(_) => {
            tracing::warn!("some requests did not finish in time");
            Ok(())
        }
    }
}

/// Files with certificate authorities beside the system's.
fn extra_certificates() -> Vec<PathBuf> {
    std::env::var_os("NODE_EXTRA_CA_CERTS")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .into_iter()
        .collect()
}
