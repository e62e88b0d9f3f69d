//! Composition: configuration becomes adapters, state, router and workers. The only place that knows all.

mod backup;
mod doctor;
mod kinds;
mod migration;
mod own_api;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::auth::{Sessions, UserTokens};
use crate::catalog::{self, Additions, Catalog, CatalogErrors, EntityPages, RecentlySeen};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::db::{self, DbError};
use crate::definitions::{self, DefinitionTab, Definitions};
use crate::deployments::{self, ApplicationCard, Deployments, HealthColumn, NeedsAttention, SyncColumn, WhatNowCard};
use crate::docs::{self, Docs, DocsTab, FoundPages};
use crate::events::{self, Webhooks};
use crate::gitops::{GitOps, GitOpsSettingsError};
use crate::home::{self, Home};
use crate::keys::{Keys, KeysError};
use crate::kubernetes::{self, ClusterError};
use crate::login::{self, LoginContext};
use crate::outbound::{Outbound, OutboundError};
use crate::scaffolder::{self, FoundTasks, MadeByCard, Outside, RecentTasks, Requests, Scaffolder};
use crate::scm::{ForgeSettingsError, Forges, Watched};
use crate::web::{self, Frame, KeptForms, Readiness, Section};

pub use backup::{backup, restore};
pub use doctor::{Finding, Outcome, Report, doctor};
pub use kinds::{kinds, kinds_of_files};
pub use migration::{Migration, MigrationLine, check_migration};
use own_api::InProcess;

/// How long the start waits for a database that is not there yet.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long requests may go on after the end was asked for.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How often all repositories are gone through for those without a webhook.
const ALL_WEBHOOKS_EVERY: Duration = Duration::from_secs(60 * 60);
/// How soon, after the database was away.
const WEBHOOKS_AGAIN: Duration = Duration::from_secs(5);

/// Why the portal did not start. One line each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error(transparent)]
    Forges(#[from] ForgeSettingsError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    GitOps(#[from] GitOpsSettingsError),
    #[error("{address} is taken by another program; stop it or change backend.listen")]
    Taken { address: String },
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: String, reason: std::io::Error },
    #[error("a worker panicked; the log says why")]
    Panicked,
    #[error("the server stopped: {0}")]
    Serve(std::io::Error),
}

/// A portal that is put together and not yet listening.
pub struct App {
    pub router: Router,
    pub readiness: Readiness,
    /// Ends workers and streams.
    pub stop: CancellationToken,
    pub workers: Workers,
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
    let kinds = kinds(config)?;
    let stop = CancellationToken::new();
    let readiness = Readiness::default();
    let keys = Keys::load(&db, &clock, &settings::key_secrets(config)).await?;
    let outbound = Outbound::new(settings::allowed(config), &extra_certificates())?;
    let secure = config.app.base_url.scheme() == "https";
    let tokens = UserTokens::new(
        db.clone(),
        clock.clone(),
        keys.clone(),
        format!("{}/api/auth", config.base_url()),
        config.portico.admin_groups.clone(),
    );
    let sessions = Sessions::new(
        db.clone(),
        clock.clone(),
        settings::sessions(config, &outbound, &clock, tokens.clone(), secure),
    );

    let pool = db.clone();
    readiness.check("database", move || {
        let pool = pool.clone();
        Box::pin(async move { db::check(&pool).await })
    });

    let forges = Forges::new(settings::forges(config), outbound.client())?;
    let forges = forges.and_github(settings::github(config), &outbound.client())?;
    // Applications are watched in the first cluster: that is where the platform runs.
    let clusters = kubernetes::clusters(&settings::clusters(config))?;
    let gitops = GitOps::new(
        settings::gitops(config),
        clusters.first().cloned(),
        outbound.direct_client(),
        clock.clone(),
    )?;

    // The catalog tells of repositories that it meets, and what hears of them needs the catalog.
    let (met, meetings) = mpsc::unbounded_channel();
    let sources = Arc::new(catalog::Web {
        forges: forges.clone(),
        outbound: outbound.clone(),
    });
    let catalog = Catalog::new(
        db.clone(),
        clock.clone(),
        sources.clone(),
        settings::catalog(config, kinds),
        Some(Arc::new(move |watched| drop(met.send(watched)))),
    );
    let webhooks = Webhooks::new(
        db.clone(),
        clock.clone(),
        keys.clone(),
        forges.clone(),
        catalog.clone(),
        gitops.clone(),
        &config.webhook_base_url(),
    );
    let requests = Requests::new(settings::requests(config), Some(outbound.clone()));
    let outside = Outside {
        catalog: catalog.clone(),
        forges: forges.clone(),
        gitops: gitops.clone(),
        clusters: clusters.into(),
        requests: requests.clone(),
    };
    let scaffolder = Scaffolder::new(
        db.clone(),
        clock.clone(),
        outside,
        settings::scaffolder(config, &keys),
        scaffolder::actions::shipped(),
    );
    let deployments = Deployments::new(gitops.clone(), forges, clock.clone(), stop.clone());
    let attention = NeedsAttention::new(deployments.clone(), catalog.clone());
    let errors = CatalogErrors::new(catalog.clone());
    let sections: Vec<Arc<dyn Section>> = vec![
        Arc::new(attention.clone()),
        Arc::new(errors.clone()),
        Arc::new(RecentlySeen::new(catalog.clone())),
        Arc::new(RecentTasks::new(scaffolder.clone())),
    ];
    let home = Home::new(catalog.clone(), sections, secure);

    let docs = Docs::new(db.clone(), clock.clone(), catalog.clone(), sources);

    let located = readiness.gate("the configured locations");
    let worker = readiness.gate("the worker of tasks");
    let workers = Workers::default();
    workers.spawn({
        let (catalog, stop) = (catalog.clone(), stop.clone());
        async move { catalog::run(catalog, stop).await }
    });
    workers.spawn(docs.clone().run(stop.clone()));
    workers.spawn({
        let catalog = catalog.clone();
        async move {
            catalog.ready().await;
            located.open();
        }
    });
    workers.spawn({
        let (scaffolder, stop) = (scaffolder.clone(), stop.clone());
        async move {
            worker.open();
            scaffolder::run_worker(scaffolder, stop).await;
        }
    });
    workers.spawn({
        let (scaffolder, pushes, stop) = (scaffolder.clone(), catalog.pushes(), stop.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = scaffolder.wake_for_pushes(pushes) => {}
            }
        }
    });
    workers.spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = gitops.run() => {}
            }
        }
    });
    workers.spawn({
        let (webhooks, stop) = (webhooks.clone(), stop.clone());
        async move { webhooks.run(stop).await }
    });
    workers.spawn(remember_repositories(
        catalog.clone(),
        webhooks.clone(),
        meetings,
        stop.clone(),
    ));

    let login = login::routes(LoginContext {
        sessions: sessions.clone(),
        tokens,
        catalog: catalog.clone(),
        keys,
        clock: clock.clone(),
        secure,
    });
    let public = Router::new()
        .merge(web::asset_routes())
        .merge(web::health_routes(readiness.clone()))
        .merge(events::public_router(webhooks))
        .merge(login);
    let additions = Additions {
        cards: vec![
            Arc::new(ApplicationCard(deployments.clone())),
            Arc::new(WhatNowCard(deployments.clone())),
            Arc::new(MadeByCard::new(scaffolder.clone())),
            Arc::new(attention),
            Arc::new(errors),
        ],
        columns: vec![
            Arc::new(SyncColumn(deployments.clone())),
            Arc::new(HealthColumn(deployments.clone())),
        ],
        sections: vec![
            Arc::new(FoundPages(docs.clone())),
            Arc::new(FoundTasks::new(scaffolder.clone())),
        ],
    };
    let entities = EntityPages::new(
        catalog.clone(),
        vec![Arc::new(DefinitionTab), Arc::new(DocsTab(docs.clone()))],
    );
    let protected = Router::new()
        .merge(home::router(home))
        .merge(definitions::router(Definitions::new(catalog.clone()), entities.clone()))
        .merge(docs::router(docs, entities.clone()))
        .merge(catalog::router(entities, additions))
        .merge(deployments::router(deployments))
        .merge(scaffolder::router(scaffolder.clone()));

    let counting = catalog.clone();
    let frame = Frame {
        site: config.app.title.clone().into(),
        clock: clock.clone(),
        callers: Arc::new(sessions.clone()),
        count_tasks: Some(Arc::new(move |user| {
            let scaffolder = scaffolder.clone();
            Box::pin(async move { scaffolder.count_running(user).await })
        })),
        count_errors: Some(Arc::new(move |caller| {
            let catalog = counting.clone();
            let owners = caller.ownership_refs();
            Box::pin(async move { catalog.count_faults(&owners).await })
        })),
        form_origins: settings::issuer_origins(config),
        own_origins: settings::own_origins(config),
        kept_forms: Some(KeptForms::new(db, clock, secure)),
        stop: stop.clone(),
    };
    let router = frame.around(public, protected);
    requests.answered_by(Arc::new(InProcess {
        router: router.clone(),
        sessions,
    }));
    Ok(App {
        router,
        readiness,
        stop,
        workers,
    })
}

/// Asks for a webhook on each repository that the catalog meets. A process that dies and a database that is away keep
/// some from being asked for, so all that the catalog has met are gone through at the start and now and then.
async fn remember_repositories(
    catalog: Catalog,
    webhooks: Webhooks,
    mut meetings: mpsc::UnboundedReceiver<Watched>,
    stop: CancellationToken,
) {
    let mut all = tokio::time::interval(ALL_WEBHOOKS_EVERY);
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            _ = all.tick() => want_all(&catalog, &webhooks).await,
            met = meetings.recv() => match met {
                Some(met) => webhooks.want(&met).await,
                None => return,
            },
        };
        if let Err(error) = asked {
            tracing::warn!(%error, "webhooks could not be asked for; trying again");
            all.reset_after(WEBHOOKS_AGAIN);
        }
    }
}

async fn want_all(catalog: &Catalog, webhooks: &Webhooks) -> sqlx::Result<()> {
    for repository in catalog.list_repositories().await? {
        webhooks.want(&Watched::Repository(repository)).await?;
    }
    Ok(())
}

/// Background work of this process. One that panics ends the process: whoever supervises it starts it anew, which is
/// better than a portal that looks well and does nothing.
#[derive(Default)]
pub struct Workers(std::sync::Mutex<tokio::task::JoinSet<()>>);

impl Workers {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .spawn(work);
    }

    /// Resolves when one has panicked; never otherwise.
    async fn panicked(&mut self) {
        let workers = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        while let Some(ended) = workers.join_next().await {
            if ended.is_err_and(|error| error.is_panic()) {
                return;
            }
        }
        std::future::pending().await
    }

    /// Waits until all have ended.
    async fn ended(mut self) {
        let workers = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        while workers.join_next().await.is_some() {}
    }
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
    let App {
        router,
        readiness,
        stop,
        mut workers,
    } = app;
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        result = &mut server => return result.map_err(StartError::Serve),
        () = workers.panicked() => return Err(StartError::Panicked),
        () = ended => {}
    }
    tracing::info!("stopping");
    readiness.stop();
    stop.cancel();
    let drained = tokio::time::timeout(DRAIN_TIME, async {
        let (served, ()) = tokio::join!(server, workers.ended());
        served
    });
    match drained.await {
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
