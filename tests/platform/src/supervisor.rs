//! The process that stays: it holds all others, carries out orders, and takes everything with it when it ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portico_local::endpoints;
use portico_local::folder::Folder;
use portico_local::portal::{Phase, Portal};
use portico_local::postgres::{Cluster, Durability};
use portico_local::processes::{self, Identity, Nursery};
use portico_local::progress::{Took, note, warn};
use portico_local::{golden_paths, listen_for_signals};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::builds;
use crate::certificates;
use crate::control::{self, Order};
use crate::detach;
use crate::front;
use crate::kept::{self, Kept};
use crate::marked;
use crate::program::Program;
use crate::systems::{Setting, System, argocd, forge, identity, kubernetes, pods, portal};
use crate::versions::Versions;

const LOG: &str = "supervisor.log";

/// What `up` tells its supervisor.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Data folder, absolute.
    #[arg(long)]
    pub data: PathBuf,
    /// The portal's program.
    #[arg(long)]
    pub program: PathBuf,
    /// Folders of golden paths, absolute.
    #[arg(long)]
    pub golden_paths: Vec<PathBuf>,
}

/// Everything that runs.
struct Supervisor {
    setting: Setting,
    kept: Kept,
    portal_program: PathBuf,
    programs: BTreeMap<System, Vec<Program>>,
    postgres: Option<Cluster>,
    portal: Option<RunningPortal>,
    pods: Option<JoinHandle<()>>,
    front: CancellationToken,
}

struct RunningPortal {
    watch: JoinHandle<Result<()>>,
    stop: CancellationToken,
    process: Arc<Mutex<Option<Identity>>>,
}

/// Brings all up, says `ready` on the standard output, lets go of the terminal, and works until it is told to end.
///
/// # Errors
/// When it does not come up. Nothing runs any more then.
pub async fn run(arguments: Arguments) -> Result<()> {
    std::env::set_current_dir(&arguments.data)
        .with_context(|| format!("cannot work in {}", arguments.data.display()))?;
    let folder = Arc::new(Folder::open(&arguments.data, &kept::OWNER)?);
    let left = marked::end_all(folder.path()).await;
    if left > 0 {
        note(
            "Ended",
            &format!("{left} processes that an earlier platform left running"),
        );
    }
    folder.remove(endpoints::FILE)?;
    processes::write_own_log(&folder.logs()?.join(LOG), "info,kube_client=off")?;
    let stop = CancellationToken::new();
    listen_for_signals(stop.clone())?;

    let mut supervisor = Supervisor::new(folder.clone(), arguments.program).await?;
    let outcome = tokio::select! {
        outcome = supervisor.bring_up(&arguments.golden_paths) => outcome,
        () = stop.cancelled() => Err(anyhow::anyhow!("interrupted")),
    };
    let outcome = match outcome {
        Ok(()) => supervisor.work(&stop).await,
        Err(error) => Err(error),
    };
    supervisor.shut_down().await;
    let left = marked::end_all(folder.path()).await;
    if left > 0 {
        warn(&format!(
            "{left} processes did not end with their system and were ended"
        ));
    }
    if let Some(mut caller) = outcome? {
        control::reply(&mut caller, &Ok(())).await;
    }
    Ok(())
}

impl Supervisor {
    async fn new(folder: Arc<Folder>, portal_program: PathBuf) -> Result<Supervisor> {
        let kept = Kept::of(&folder)?;
        let certificates = certificates::open(folder.path())?;
        let authority = std::fs::read(&certificates.authority).context("cannot read the platform's authority")?;
        let client = reqwest::Client::builder()
            .tls_certs_merge(reqwest::Certificate::from_pem_bundle(&authority)?)
            // All of it is on this machine.
            .no_proxy()
            .build()
            .context("no HTTP client")?;
        Ok(Supervisor {
            setting: Setting {
                built: builds::ready(&Versions::pinned()?).await?,
                nursery: Nursery::open()?,
                folder,
                certificates,
                client,
            },
            kept,
            portal_program,
            programs: BTreeMap::new(),
            postgres: None,
            portal: None,
            pods: None,
            front: CancellationToken::new(),
        })
    }

    async fn bring_up(&mut self, golden_path_folders: &[PathBuf]) -> Result<()> {
        front::serve(&self.setting.certificates.front, self.front.clone()).await?;
        self.postgres = Some(timed(System::Postgres, start_postgres(&self.setting, &self.kept)).await?);
        note("Starting", "Keycloak, Gitea, Kubernetes and Argo CD");
        let (setting, kept) = (&self.setting, &self.kept);
        // Each failure ends the others' starts, and with them their programs.
        let (identity, forge, (kubernetes, argocd)) = tokio::try_join!(
            timed(System::Identity, identity::start(setting, kept)),
            timed(System::Forge, forge::start(setting, kept)),
            async {
                let kubernetes = timed(System::Kubernetes, kubernetes::start(setting, kept)).await?;
                let argocd = timed(System::Argocd, argocd::start(setting)).await?;
                Ok((kubernetes, argocd))
            },
        )?;
        for (system, programs) in [
            (System::Identity, identity),
            (System::Forge, forge),
            (System::Kubernetes, kubernetes),
            (System::Argocd, argocd),
        ] {
            self.programs.insert(system, programs);
        }
        self.pods = Some(tokio::spawn(pods::look_after(kubernetes::client(&self.setting).await?)));
        let locations = self
            .publish(golden_path_folders)
            .await
            .context("the golden paths do not get into the forge")?;
        portal::write_config(&self.setting, &locations)?;
        self.portal = Some(timed(System::Portal, self.start_portal()).await?);
        Ok(())
    }

    async fn publish(&mut self, folders: &[PathBuf]) -> Result<Vec<String>> {
        let repositories = forge::Repositories {
            client: &self.setting.client,
            password: &self.kept.forge_password,
            authority: &self.setting.certificates.authority,
        };
        let mut kept = self.kept.clone();
        let folder = &self.setting.folder;
        let locations = golden_paths::publish(folders, &repositories, self.kept.golden_paths.clone(), |published| {
            kept.golden_paths.clone_from(published);
            folder.remember(&kept)
        })
        .await?;
        let account = endpoints::Account {
            username: forge::ADMIN,
            password: &kept.forge_password,
        };
        kept.forge_token =
            endpoints::forge_token(&self.setting.client, &forge::url(), account, &kept.forge_token).await?;
        folder.remember(&kept)?;
        self.kept = kept;
        Ok(locations)
    }

    async fn start_portal(&self) -> Result<RunningPortal> {
        let cluster = self.postgres.as_ref().context("the portal needs postgres")?;
        let argocd_password = argocd::admin_password(&self.setting).await?;
        let environment = portal::environment(&self.setting, &self.kept, cluster.socket_folder(), argocd_password);
        let endpoints = portal::endpoints(&self.setting, &self.kept, cluster.url(portal::DATABASE));
        let folder = self.setting.folder.clone();
        let process = Arc::new(Mutex::new(None));
        let known = process.clone();
        let portal = Portal {
            program: self.portal_program.clone(),
            environment,
            config: folder.path().join(portal::FILE),
            log: folder.logs()?.join("portal.log"),
            readiness: portal::readiness(),
            started: Box::new(move |process, phase| {
                *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
                match phase {
                    Phase::Spawned => Ok(()),
                    Phase::Ready | Phase::Again => endpoints.write(&folder, process.pid),
                }
            }),
        };
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let watch = tokio::spawn(portal.supervise(self.setting.nursery.clone(), stop.clone(), ready));
        if is_ready.await.is_err() {
            // It gave up, and tells why.
            watch.await.context("the portal's watch failed")??;
            bail!("the portal was stopped before it was ready");
        }
        Ok(RunningPortal { watch, stop, process })
    }

    /// Carries out orders until one asks for the end, whose sender is returned, or a signal does.
    async fn work(&mut self, stop: &CancellationToken) -> Result<Option<UnixStream>> {
        const LOOK_AROUND: Duration = Duration::from_secs(1);
        let orders = control::listen()?;
        detach::from_terminal(&self.setting.folder.logs()?.join(LOG))?;
        loop {
            let accepted = tokio::select! {
                accepted = orders.accept() => accepted,
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(LOOK_AROUND) => {
                    self.tell_deaths();
                    continue;
                }
            };
            let Ok((mut caller, _)) = accepted else { continue };
            let outcome = match control::receive(&mut caller).await {
                Ok(Order::Down) => return Ok(Some(caller)),
                Ok(Order::Stop(system)) => self.kill(system).await,
                Ok(Order::Start(system)) => timed(system, self.start(system)).await,
                Err(error) => Err(error),
            };
            control::reply(&mut caller, &outcome).await;
        }
    }

    fn tell_deaths(&mut self) {
        for (system, programs) in &mut self.programs {
            for program in programs {
                match program.ended() {
                    Ok(None) => {}
                    Ok(Some(end)) => warn(&format!("{system}: {end}")),
                    Err(error) => warn(&format!("{system}: {error:#}")),
                }
            }
        }
    }

    async fn start(&mut self, system: System) -> Result<()> {
        if self.runs(system) {
            bail!("{system} runs already");
        }
        let programs = match system {
            System::Postgres => {
                self.postgres = Some(start_postgres(&self.setting, &self.kept).await?);
                return Ok(());
            }
            System::Portal => {
                self.portal = Some(self.start_portal().await?);
                return Ok(());
            }
            System::Identity => identity::start(&self.setting, &self.kept).await?,
            System::Forge => forge::start(&self.setting, &self.kept).await?,
            System::Kubernetes => kubernetes::start(&self.setting, &self.kept).await?,
            System::Argocd => argocd::start(&self.setting).await?,
        };
        self.programs.insert(system, programs);
        Ok(())
    }

    fn runs(&self, system: System) -> bool {
        match system {
            System::Postgres => self.postgres.is_some(),
            System::Portal => self.portal.is_some(),
            _ => self.programs.contains_key(&system),
        }
    }

    /// Ends a system as a crash would; its data stays.
    async fn kill(&mut self, system: System) -> Result<()> {
        if !self.runs(system) {
            bail!("{system} does not run");
        }
        match system {
            System::Postgres => {
                if let Some(cluster) = self.postgres.take() {
                    cluster.kill().await;
                }
            }
            System::Portal => {
                if let Some(portal) = self.portal.take() {
                    // Killed first: asked to end, it would do so in order.
                    if let Some(process) = *portal.process.lock().unwrap_or_else(PoisonError::into_inner) {
                        processes::send(process.pid, libc::SIGKILL);
                    }
                    portal.stop.cancel();
                    drop(portal.watch.await);
                }
            }
            _ => {
                let programs = self.programs.remove(&system).unwrap_or_default();
                futures::future::join_all(programs.into_iter().map(Program::kill)).await;
            }
        }
        note("Killed", system.name());
        Ok(())
    }

    /// Ends everything in order, the portal first. Nothing in here can fail: what does not end is ended.
    async fn shut_down(&mut self) {
        if let Some(portal) = self.portal.take() {
            portal.stop.cancel();
            drop(portal.watch.await);
        }
        // Whoever reads it must not take a stopped platform for a running one.
        if let Err(error) = self.setting.folder.remove(endpoints::FILE) {
            warn(&format!("{error:#}"));
        }
        self.front.cancel();
        if let Some(pods) = self.pods.take() {
            pods.abort();
        }
        // Each with its programs in order; the systems at once.
        let systems = std::mem::take(&mut self.programs).into_values().map(|programs| async {
            for program in programs {
                program.end().await;
            }
        });
        futures::future::join_all(systems).await;
        if let Some(cluster) = self.postgres.take() {
            cluster.stop().await;
        }
    }
}

async fn start_postgres(setting: &Setting, kept: &Kept) -> Result<Cluster> {
    let log = setting.folder.logs()?.join("postgres.log");
    let log_from = processes::log_length(&log);
    let mut cluster = Cluster::start(&kept.postgres, Durability::Full, &log, &setting.nursery).await?;
    cluster.wait(portal::DATABASE, log_from).await?;
    Ok(cluster)
}

/// Says what was started and how long it took, or what did not start.
async fn timed<T>(system: System, start: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    let started = start.await.with_context(|| format!("{system} does not start"))?;
    note("Started", &format!("{system} in {}", Took(begun.elapsed())));
    Ok(started)
}
