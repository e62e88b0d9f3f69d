//! A private cluster: made once, reached by a Unix socket alone, recovered after any end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::binaries::{self, Binaries};
use super::socket::{self, PORT, USER, make_folder};
use crate::processes::{self, Nursery, Pauses};
use crate::progress::{Step, Took, warn};

/// What an end without warning may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed.
    Full,
    /// Everything: for tests.
    None,
}

/// A running cluster.
pub struct Cluster {
    child: Child,
    place: Place,
}

/// All that a start needs once the cluster is made.
struct Place {
    home: PathBuf,
    data: PathBuf,
    socket_folder: PathBuf,
    binaries: Binaries,
    account: Option<Account>,
    durability: Durability,
    log: PathBuf,
}

impl Place {
    async fn launch(&self, nursery: &Nursery) -> Result<Child> {
        end_leftovers(&self.data).await;
        let mut command = Command::new(self.binaries.program("postgres"));
        command
            .arg("-D")
            .arg(&self.data)
            .current_dir(&self.home)
            .kill_on_drop(true);
        // The setting is a list: what stands in quotes is one folder.
        let socket_setting = format!(
            "unix_socket_directories=\"{}\"",
            self.socket_folder.to_string_lossy().replace('"', "\"\"")
        );
        let mut settings = vec![
            "listen_addresses=",
            "unix_socket_permissions=0700",
            &socket_setting,
            "max_connections=300",
        ];
        if self.durability == Durability::None {
            settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
        }
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        if let Some(account) = &self.account {
            account.run(&mut command);
        }
        // SIGINT is Postgres's fast shutdown: sessions are ended, data is written.
        nursery.start(command, libc::SIGINT, &self.log).await
    }
}

impl Cluster {
    /// Makes the cluster in `home` if it is not there, ends what an earlier start left running, and starts it.
    /// Returns as soon as the process runs; [`Cluster::wait`] waits until it answers.
    ///
    /// # Errors
    /// When programs of the right version cannot be had, and when making or starting fails.
    pub async fn start(home: &Path, durability: Durability, log: &Path, nursery: &Nursery) -> Result<Cluster> {
        let account = Account::choose()?;
        let data = home.join("data");
        let major = made_with(&data)?;
        let binaries = binaries::find(major, account.as_ref()).await?;
        make_folder(home, account.as_ref())?;
        if major.is_none() {
            initialise(home, &data, &binaries, account.as_ref()).await?;
        }
        let socket_folder = socket::folder(home, account.as_ref())?;
        let place = Place {
            home: home.to_owned(),
            data,
            socket_folder,
            binaries,
            account,
            durability,
            log: log.to_owned(),
        };
        let child = place.launch(nursery).await?;
        Ok(Cluster { child, place })
    }

    /// Waits until the cluster answers, recovery after a crash included, and makes the database.
    pub async fn wait(&mut self, database: &str, log_from: u64) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(120);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot watch Postgres")? {
                bail!(
                    "Postgres ended with {status}:{}",
                    processes::log_tail(&self.place.log, log_from)
                );
            }
            match PgConnection::connect_with(&self.options("postgres")).await {
                Ok(mut connection) => {
                    make_database(&mut connection, database).await?;
                    return Ok(());
                }
                Err(error) if tokio::time::Instant::now() > deadline => {
                    bail!(
                        "Postgres does not answer after {}s ({error}):{}",
                        PATIENCE.as_secs(),
                        processes::log_tail(&self.place.log, log_from)
                    );
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The version that runs: "15.14".
    pub fn version(&self) -> &str {
        &self.place.binaries.version
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.place.socket_folder)
            .port(PORT)
            .username(USER)
            .database(database)
    }

    /// A URL that Portico, `psql` and other programs with libpq's rules take: the folder of the socket is the host.
    pub fn url(&self, database: &str) -> String {
        socket::url(&self.place.socket_folder, database)
    }

    /// The folder of its socket, which is the host in the parts of a URL.
    pub fn socket_folder(&self) -> &Path {
        &self.place.socket_folder
    }

    /// Keeps it running until `stop`, then stops it: one that ends by itself is started again.
    pub async fn supervise(mut self, nursery: Nursery, stop: CancellationToken) {
        let mut pauses = Pauses::default();
        loop {
            let began = tokio::time::Instant::now();
            let status = tokio::select! {
                status = self.child.wait() => status,
                () = stop.cancelled() => return self.stop().await,
            };
            let reason = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            let mut pause = pauses.after(began.elapsed());
            warn(&format!(
                "Postgres ended with {reason} (see {}); starting it again in {}",
                self.place.log.display(),
                Took(pause)
            ));
            self.child = loop {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                match self.place.launch(&nursery).await {
                    Ok(child) => break child,
                    Err(error) => {
                        pause = pauses.after(Duration::ZERO);
                        warn(&format!(
                            "Postgres does not start: {error:#}; trying again in {}",
                            Took(pause)
                        ));
                    }
                }
            };
        }
    }

    /// Stops it: sessions are ended, data is written. Without an answer for long, recovery does it at the next start.
    pub async fn stop(mut self) {
        processes::end(&mut self.child, libc::SIGINT, Duration::from_secs(20)).await;
    }

    /// Ends it as a crash would, with all processes of its sessions.
    pub async fn kill(mut self) {
        // It may have ended by itself this moment.
        drop(self.child.kill().await);
        while !servers_of(&self.place.data).is_empty() {
            for pid in servers_of(&self.place.data) {
                processes::send(pid, libc::SIGKILL);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Makes a database unless it is there.
pub(super) async fn make_database(connection: &mut PgConnection, name: &str) -> Result<()> {
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut *connection)
        .await
        .context("cannot list the databases")?;
    if !there {
        // A name cannot be bound; ours are made of letters, digits and underscores.
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "CREATE DATABASE \"{}\"",
            name.replace('"', "\"\"")
        )))
        .execute(connection)
        .await
        .with_context(|| format!("cannot make the database {name}"))?;
    }
    Ok(())
}

/// The major version that a cluster was made with, `None` where there is none yet.
fn made_with(data: &Path) -> Result<Option<u32>> {
    let file = data.join("PG_VERSION");
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let major = text
                .trim()
                .parse()
                .with_context(|| format!("{} is damaged", file.display()))?;
            Ok(Some(major))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

async fn initialise(home: &Path, data: &Path, binaries: &Binaries, account: Option<&Account>) -> Result<()> {
    let step = Step::begin("Creating", "a PostgreSQL cluster");
    // Made beside and moved: a start that is interrupted here leaves nothing that looks complete.
    let unfinished = home.join("data.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).with_context(|| format!("cannot delete {}", unfinished.display()))?;
    }
    let mut problem = String::new();
    // C.UTF-8 sorts and folds the same on every machine; a C library without it still has C.
    for locale in ["C.UTF-8", "C"] {
        let mut command = Command::new(binaries.program("initdb"));
        command.arg("-D").arg(&unfinished);
        command
            .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-instructions"])
            .arg(format!("--locale={locale}"));
        command.current_dir(home).stdin(Stdio::null()).kill_on_drop(true);
        if let Some(account) = account {
            account.run(&mut command);
        }
        let output = command.output().await.context("cannot run initdb")?;
        if output.status.success() {
            std::fs::rename(&unfinished, data).with_context(|| format!("cannot make {}", data.display()))?;
            step.done("Created", &format!("a PostgreSQL {} cluster", binaries.version));
            return Ok(());
        }
        problem = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    }
    bail!(
        "cannot make a PostgreSQL cluster in {}: initdb says: {problem}",
        home.display()
    );
}

/// Ends servers of this cluster that an earlier start left behind, and forgets a process file that lies.
pub async fn end_leftovers(data: &Path) {
    let running = servers_of(data);
    if running.is_empty() {
        // A number in the file may belong to another program by now, and Postgres would then refuse to start. That
        // no server works in the folder was looked up just now. Without /proc it is left to Postgres.
        if cfg!(target_os = "linux") {
            drop(std::fs::remove_file(data.join("postmaster.pid")));
        }
        return;
    }
    let step = Step::begin("Stopping", "a PostgreSQL that an earlier start left running");
    for (signal, patience) in [(libc::SIGINT, 10), (libc::SIGQUIT, 5), (libc::SIGKILL, 5)] {
        for pid in servers_of(data) {
            processes::send(pid, signal);
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(patience);
        while tokio::time::Instant::now() < deadline {
            if servers_of(data).is_empty() {
                step.done("Stopped", "a PostgreSQL that an earlier start left running");
                drop(std::fs::remove_file(data.join("postmaster.pid")));
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Processes of PostgreSQL whose working folder is the cluster's: each of its processes works there.
fn servers_of(data: &Path) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            let works_there = std::fs::read_link(process.path().join("cwd")).ok()? == data;
            let is_postgres = std::fs::read_link(process.path().join("exe")).ok()?.file_name()? == "postgres";
            (works_there && is_postgres).then_some(pid)
        })
        .collect()
}

/// Deletes a cluster that no server works in any more, with the folder of its socket.
pub async fn delete(home: &Path) -> Result<()> {
    end_leftovers(&home.join("data")).await;
    for folder in [socket::place(home), home.to_owned()] {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot delete {}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_clusters_are_read() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(made_with(temporary.path()).expect("none"), None);
        std::fs::write(temporary.path().join("PG_VERSION"), "15\n").expect("written");
        assert_eq!(made_with(temporary.path()).expect("read"), Some(15));
        std::fs::write(temporary.path().join("PG_VERSION"), "").expect("written");
        assert!(made_with(temporary.path()).is_err());
    }
}
