//! A start, from the checks to the address on the terminal, and the way back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portico_sandbox::{Credentials, Options, Sandbox};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app_config::{self, FORGE_ALIASES};
use crate::endpoints::{self, Account, Endpoints, forge_token};
use crate::folder::{self, Database, Folder, Remembered};
use crate::machine::{self, Ports};
use crate::portal::{Phase, Portal};
use crate::postgres::{self, Cluster, Durability, Foreign};
use crate::processes::{Nursery, log_length, write_own_log};
use crate::progress::{Step, note, result, warn};
use crate::{golden_paths, program, secrets};

const DEFAULT_PORT: u16 = 7007;
const DATABASE: &str = "portico";
/// How long a portal that an earlier start left behind may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the command line says.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder for everything that is kept (default: portico in the user's data folder).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// First of five ports of 127.0.0.1: portal, forge, Kubernetes API, identity provider, Argo CD (default: 7007).
    /// A data folder keeps its ports.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Folder with a catalog-info.yaml and templates; may be repeated (default: golden-paths of the repository).
    #[arg(long, value_name = "DIR")]
    golden_paths: Vec<PathBuf>,
    /// Delete what earlier starts made in the data folder, then start anew.
    #[arg(long)]
    reset: bool,
    /// Use this portal program instead of building it.
    #[arg(long, value_name = "FILE", env = "PORTICO_PROGRAM", hide = true)]
    program: Option<PathBuf>,
}

/// What runs and must be stopped, in the order of its starts.
#[derive(Default)]
struct Running {
    postgres: Option<(JoinHandle<()>, CancellationToken)>,
    sandbox: Option<Sandbox>,
    portal: Option<(JoinHandle<Result<()>>, CancellationToken)>,
}

/// Brings the platform up and keeps it until `stop`.
///
/// # Errors
/// When it does not come up, or when the portal cannot be started again. What runs by then is stopped first.
pub async fn run(arguments: Arguments, stop: CancellationToken) -> Result<()> {
    let data = match &arguments.data {
        Some(data) => data.clone(),
        None => crate::folder::default_path()?,
    };
    let folder = Arc::new(Folder::open(&data, &folder::LOCAL)?);
    let mut running = Running::default();
    let outcome = tokio::select! {
        outcome = bring_up(&arguments, &folder, &mut running) => outcome,
        () = stop.cancelled() => Ok(()),
    };
    let outcome = match (outcome, &mut running.portal) {
        (Ok(()), Some((portal, _))) if !stop.is_cancelled() => tokio::select! {
            ended = portal => {
                running.portal = None;
                ended.context("the portal's watch failed").and_then(|ended| ended)
            }
            () = stop.cancelled() => Ok(()),
            never = machine::watch_room(folder.path()) => match never {},
        },
        (outcome, _) => outcome,
    };
    running.stop(&folder).await;
    outcome
}

async fn bring_up(arguments: &Arguments, folder: &Arc<Folder>, running: &mut Running) -> Result<()> {
    // First of all: who waits for it must not read what a start left behind that was killed.
    folder.remove(endpoints::FILE)?;
    let earlier_port = if arguments.reset { reset(folder).await? } else { None };
    machine::check_tools()?;
    let earlier: Option<Remembered> = folder.remembered()?;
    let is_first = earlier.is_none();
    machine::check_room(folder.path(), is_first)?;
    let mut remembered = match earlier {
        Some(remembered) => remembered,
        None => first_start(arguments.port.or(earlier_port))?,
    };
    let ports = ports(arguments, &remembered, folder)?;
    end_earlier_portal(&remembered).await;
    // Nothing is remembered until it is sure that something will be made: a first start that was refused is free to
    // take other ports the next time.
    machine::check_free(
        &ports.named(),
        if is_first {
            "choose others with --port N (N to N+4 must be free)"
        } else {
            "use another data folder with --data DIR --port N (N to N+4 must be free)"
        },
    )?;
    let source = program::source();
    let paths = golden_paths::resolve(&arguments.golden_paths, source.as_deref())?;
    let program = program::ready(arguments.program.as_deref()).await?;
    let nursery = Nursery::open()?;

    let database = start_database(folder, &mut remembered, &nursery, running).await?;

    let step = Step::begin("Starting", "forge, identity provider, Kubernetes API and Argo CD");
    let portal_url = format!("http://localhost:{}", ports.portal);
    let mut options = Options::new(folder.private_folder("sandbox")?, &portal_url);
    options.listen = portico_sandbox::Ports {
        forge: ports.forge,
        kubernetes: ports.kubernetes,
        identity: ports.issuer,
        argocd: ports.argocd,
    };
    options.forge_aliases = FORGE_ALIASES.map(str::to_owned).to_vec();
    // The terminal is for progress.
    write_own_log(&folder.logs()?.join("sandbox.log"), "info")?;
    let sandbox = running.sandbox.insert(Sandbox::start(options).await?);
    step.done("Started", "forge, identity provider, Kubernetes API and Argo CD");

    let published = remembered.golden_paths.clone();
    let locations = golden_paths::publish(&paths, &*sandbox, published, |published| {
        remembered.golden_paths.clone_from(published);
        folder.remember(&remembered)
    })
    .await?;
    let account = Account {
        username: Credentials::FORGE_ADMIN,
        password: &sandbox.credentials.forge_password,
    };
    let client = endpoints::here()?;
    remembered.forge_token = forge_token(&client, &sandbox.urls.forge, account, &remembered.forge_token).await?;
    folder.remember(&remembered)?;
    app_config::write(folder, &remembered, ports, sandbox, &database, &locations)?;

    let endpoints = of_this_start(portal_url.clone(), database, sandbox, &remembered);
    start_portal(
        folder,
        remembered,
        program,
        &portal_url,
        endpoints.clone(),
        nursery,
        running,
    )
    .await?;
    farewell(folder, &endpoints);
    Ok(())
}

fn first_start(port: Option<u16>) -> Result<Remembered> {
    Ok(Remembered {
        port: Ports::starting_at(port.unwrap_or(DEFAULT_PORT))?.portal,
        backend_key: secrets::random_base64(),
        api_token: secrets::random_hex(),
        session_secret: secrets::random_hex(),
        ..Remembered::default()
    })
}

/// A data folder keeps its ports: addresses with them stand in the catalog, in repositories and in Applications.
fn ports(arguments: &Arguments, remembered: &Remembered, folder: &Folder) -> Result<Ports> {
    if let Some(wanted) = arguments.port
        && wanted != remembered.port
    {
        bail!(
            "{} was made for port {}, and its repositories hold addresses with it: start without --port, use another folder with --data, or start anew with --reset",
            folder.path().display(),
            remembered.port
        );
    }
    Ports::starting_at(remembered.port)
}

async fn end_earlier_portal(remembered: &Remembered) {
    if let Some(portal) = remembered.portal.filter(|portal| portal.runs()) {
        let step = Step::begin("Stopping", "a portal that an earlier start left running");
        portal.end(PATIENCE).await;
        step.done("Stopped", "a portal that an earlier start left running");
    }
}

/// Starts or finds Postgres; returns the URL of the database.
async fn start_database(
    folder: &Folder,
    remembered: &mut Remembered,
    nursery: &Nursery,
    running: &mut Running,
) -> Result<String> {
    let given = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
    if remembered.database == Database::Unmade {
        let fingerprint = folder.fingerprint();
        remembered.database = match given {
            Some(_) => Database::Foreign(format!("portico_local_{fingerprint}")),
            None => Database::Private(postgres::place(folder.path(), &fingerprint)?),
        };
        // Remembered before it is made, so that --reset finds it.
        folder.remember(remembered)?;
    } else if given.is_some() && matches!(remembered.database, Database::Private(_)) {
        warn("this data folder has a Postgres of its own: DATABASE_URL is not used (--reset to change)");
    }
    match &remembered.database {
        Database::Unmade => bail!("no database was chosen"),
        Database::Foreign(name) => {
            let Some(url) = given else {
                bail!(
                    "the database of {} is {name} in the server that DATABASE_URL named: set it again, or start anew with --reset",
                    folder.path().display()
                );
            };
            let foreign = Foreign::new(&url, name)?;
            let step = Step::begin("Preparing", &format!("the database {name}"));
            let version = foreign.prepare().await?;
            step.done(
                "Prepared",
                &format!("the database {name} in the PostgreSQL {version} of DATABASE_URL"),
            );
            Ok(foreign.url())
        }
        Database::Private(home) => {
            let log = folder.logs()?.join("postgres.log");
            let log_from = log_length(&log);
            let mut cluster = Cluster::start(home, Durability::Full, &log, nursery).await?;
            let step = Step::begin("Starting", &format!("PostgreSQL {}", cluster.version()));
            cluster.wait(DATABASE, log_from).await?;
            step.done("Started", &format!("PostgreSQL {}", cluster.version()));
            let url = cluster.url(DATABASE);
            let stop = CancellationToken::new();
            let watch = tokio::spawn(cluster.supervise(nursery.clone(), stop.clone()));
            running.postgres = Some((watch, stop));
            Ok(url)
        }
    }
}

async fn start_portal(
    folder: &Arc<Folder>,
    remembered: Remembered,
    program: PathBuf,
    portal_url: &str,
    endpoints: Endpoints,
    nursery: Nursery,
    running: &mut Running,
) -> Result<()> {
    let step = Step::begin("Starting", "the portal");
    let remembered = Mutex::new(remembered);
    let told = folder.clone();
    let portal = Portal {
        program,
        environment: Vec::new(),
        config: folder.path().join(app_config::FILE),
        log: folder.logs()?.join("portal.log"),
        readiness: format!("{portal_url}/.backstage/health/v1/readiness"),
        started: Box::new(move |process, phase| {
            if phase != Phase::Ready {
                let mut remembered = remembered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                remembered.portal = Some(process);
                told.remember(&*remembered)?;
            }
            // Before it is ready for the first time nobody is told; later on readers want the new process at once.
            if phase == Phase::Spawned {
                Ok(())
            } else {
                endpoints.write(&told, process.pid)
            }
        }),
    };
    let stop = CancellationToken::new();
    let (ready, is_ready) = oneshot::channel();
    let (portal, _) = running
        .portal
        .insert((tokio::spawn(portal.supervise(nursery, stop.clone(), ready)), stop));
    if is_ready.await.is_err() {
        // It gave up, and tells why.
        let ended = portal.await;
        running.portal = None;
        ended.context("the portal's watch failed")??;
        bail!("the portal was stopped before it was ready");
    }
    step.done("Started", "the portal");
    Ok(())
}

/// All of it but the portal's process, which is told at each of its starts.
fn of_this_start(portal: String, database: String, sandbox: &Sandbox, remembered: &Remembered) -> Endpoints {
    Endpoints {
        portal,
        api_token: remembered.api_token.clone(),
        issuer: sandbox.urls.issuer.clone(),
        database,
        kubeconfig: sandbox.kubeconfig(),
        ca_file: None,
        portal_pid: 0,
        argocd_namespace: endpoints::ARGOCD_NAMESPACE,
        forge: endpoints::Forge {
            url: sandbox.urls.forge.clone(),
            username: Credentials::FORGE_ADMIN,
            password: sandbox.credentials.forge_password.clone(),
            token: remembered.forge_token.clone(),
        },
        users: endpoints::users(&sandbox.credentials.user_password),
    }
}

/// Deletes what earlier starts made: the cluster or the database, then the files. Returns the port of before: who
/// starts anew without saying another expects the same addresses.
async fn reset(folder: &Folder) -> Result<Option<u16>> {
    let mut port = None;
    let step = Step::begin("Deleting", &format!("what is in {}", folder.path().display()));
    match folder.remembered::<Remembered>() {
        Ok(None) => {}
        Ok(Some(remembered)) => {
            port = Some(remembered.port);
            end_earlier_portal(&remembered).await;
            match &remembered.database {
                Database::Unmade => {}
                Database::Private(home) => {
                    if !postgres::is_ours(home, folder.path(), &folder.fingerprint()) {
                        bail!(
                            "{} was not made for this data folder; it is not deleted",
                            home.display()
                        );
                    }
                    postgres::delete(home).await?;
                }
                Database::Foreign(name) => {
                    let url = std::env::var("DATABASE_URL")
                        .ok()
                        .filter(|url| !url.is_empty())
                        .with_context(|| {
                            format!(
                                "set DATABASE_URL to the server that holds the database {name}: --reset drops it there"
                            )
                        })?;
                    Foreign::new(&url, name)?.drop_database().await?;
                }
            }
        }
        Err(error) => warn(&format!("{error:#}; a database that it named stays")),
    }
    folder.empty()?;
    step.done("Deleted", &format!("what was in {}", folder.path().display()));
    Ok(port)
}

fn farewell(folder: &Folder, endpoints: &Endpoints) {
    let users: String = endpoints
        .users
        .iter()
        .map(|user| {
            format!(
                "    {:<12} {}   ({})\n",
                user.username,
                user.password,
                user.groups.join(", ")
            )
        })
        .collect();
    note("Ready", &endpoints.portal);
    result(&format!(
        "\n  Portico   {}\n{users}\n  Forge     {}\n    {:<12} {}\n\n  Data and logs are in {}\n  Ctrl-C stops all of it; the data stays, --reset starts anew.",
        endpoints.portal,
        endpoints.forge.url,
        endpoints.forge.username,
        endpoints.forge.password,
        folder.path().display()
    ));
}

impl Running {
    /// Stops what runs, the last started first. Nothing in here can fail: what does not end is ended.
    async fn stop(self, folder: &Folder) {
        if self.postgres.is_none() && self.sandbox.is_none() && self.portal.is_none() {
            return;
        }
        let step = Step::begin("Stopping", "everything");
        if let Some((portal, stop)) = self.portal {
            stop.cancel();
            drop(portal.await);
        }
        // Whoever reads it must not take a stopped platform for a running one.
        if let Err(error) = folder.remove(endpoints::FILE) {
            warn(&format!("{error:#}"));
        }
        if let Some(sandbox) = self.sandbox {
            sandbox.shutdown().await;
        }
        if let Some((postgres, stop)) = self.postgres {
            stop.cancel();
            drop(postgres.await);
        }
        step.done("Stopped", "everything");
    }
}
