//! Gitea, as an idpbuilder platform has it: below /gitea, with the administrator that its templates name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use portico_local::folder::write_private;
use portico_local::golden_paths::{BRANCH, Destination};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use super::Setting;
use crate::addresses::{FORGE, HOST, platform_url};
use crate::commands::output;
use crate::kept::{Kept, subfolder};
use crate::program::{Program, answers};

pub const ADMIN: &str = "giteaAdmin";

/// Its address as people and templates know it.
pub fn url() -> String {
    format!("{}/gitea", platform_url())
}

/// Starts it, on the first time with a database and the administrator, and waits until it answers.
pub async fn start(setting: &Setting, kept: &Kept) -> Result<Vec<Program>> {
    let home = subfolder(setting.folder.path(), "gitea")?;
    write_private(&home.join("app.ini"), &settings(&home, setting, kept))?;
    // Written when all of it is done: what was interrupted is done again.
    let prepared = home.join("prepared");
    if !prepared.exists() {
        prepare(setting, &home, kept).await?;
        std::fs::write(&prepared, "").with_context(|| format!("cannot write {}", prepared.display()))?;
    }
    let mut command = gitea(setting, &home);
    command.arg("web");
    let mut program = Program::start("gitea", command, &setting.folder.logs()?, &setting.nursery).await?;
    let health = format!("http://127.0.0.1:{FORGE}/api/healthz");
    program.ready(async || answers(&setting.client, &health).await).await?;
    Ok(vec![program])
}

async fn prepare(setting: &Setting, home: &Path, kept: &Kept) -> Result<()> {
    let mut migrate = gitea(setting, home);
    migrate.arg("migrate");
    output(&mut migrate).await.context("Gitea cannot make its database")?;
    let mut list = gitea(setting, home);
    list.args(["admin", "user", "list", "--admin"]);
    if output(&mut list).await?.contains(ADMIN) {
        return Ok(());
    }
    let mut create = gitea(setting, home);
    create
        .args(["admin", "user", "create", "--admin", "--must-change-password=false"])
        .args(["--username", ADMIN, "--password", &kept.forge_password])
        .args(["--email", &format!("{ADMIN}@{HOST}")]);
    output(&mut create)
        .await
        .context("Gitea cannot make its administrator")?;
    Ok(())
}

fn gitea(setting: &Setting, home: &Path) -> Command {
    let mut command = Command::new(setting.built.gitea.join("gitea"));
    command
        .current_dir(home)
        .arg("--config")
        .arg(home.join("app.ini"))
        .env("GITEA_WORK_DIR", home)
        .env("HOME", home)
        // It delivers webhooks to the portal's public address.
        .env("SSL_CERT_FILE", &setting.certificates.authority);
    command
}

fn settings(home: &Path, setting: &Setting, kept: &Kept) -> String {
    // SAFETY: geteuid only reads.
    let root = unsafe { libc::geteuid() } == 0;
    let home = home.display();
    format!(
        "\
APP_NAME = Forge of the test platform
RUN_MODE = prod
WORK_PATH = {home}
; It refuses root unless told; everything here is the user's who started the platform, and only this machine reaches it.
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = {root}

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {FORGE}
DOMAIN = {HOST}
ROOT_URL = {url}/
LOCAL_ROOT_URL = http://127.0.0.1:{FORGE}/
STATIC_ROOT_PATH = {static_files}
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {home}/data/gitea.db
SQLITE_JOURNAL_MODE = WAL

[repository]
ROOT = {home}/data/repositories
DEFAULT_BRANCH = {BRANCH}

[security]
INSTALL_LOCK = true
INTERNAL_TOKEN = {internal_token}
SECRET_KEY = {secret_key}
PASSWORD_COMPLEXITY = off

[service]
DISABLE_REGISTRATION = true
ENABLE_NOTIFY_MAIL = false

[oauth2]
ENABLED = false

[webhook]
ALLOWED_HOST_LIST = loopback

[indexer]
ISSUE_INDEXER_TYPE = db
REPO_INDEXER_ENABLED = false

[session]
PROVIDER = db

[actions]
ENABLED = false

[cron.update_checker]
ENABLED = false

[log]
MODE = console
LEVEL = Info
",
        url = url(),
        static_files = setting.built.gitea.join("static").display(),
        internal_token = kept.forge_internal_token,
        secret_key = kept.forge_secret_key,
    )
}

/// The forge as a destination of golden paths.
pub struct Repositories<'a> {
    pub client: &'a reqwest::Client,
    pub password: &'a str,
    /// The authority that git must trust.
    pub authority: &'a Path,
}

impl Repositories<'_> {
    fn api(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}/api/v1/{path}", url()))
            .basic_auth(ADMIN, Some(self.password))
    }
}

impl Destination for Repositories<'_> {
    fn url(&self, name: &str) -> String {
        format!("{}/{ADMIN}/{name}", url())
    }

    async fn head(&self, name: &str) -> Result<Option<String>> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let path = format!("repos/{ADMIN}/{name}/branches/{BRANCH}");
        let deadline = Instant::now() + PATIENCE;
        let mut answer = self.api(reqwest::Method::GET, &path).send().await?;
        // Between the first push to a repository and the moment in which Gitea notices that it is no longer empty, this
        // question makes it fail.
        while answer.status().is_server_error() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = self.api(reqwest::Method::GET, &path).send().await?;
        }
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let branch: Value = answer.error_for_status()?.json().await?;
        Ok(branch["commit"]["id"].as_str().map(str::to_owned))
    }

    async fn put(&self, name: &str, folder: &Path) -> Result<()> {
        let answer = self
            .api(reqwest::Method::POST, "user/repos")
            .json(&json!({ "name": name, "default_branch": BRANCH }))
            .send()
            .await?;
        if answer.status() != StatusCode::CONFLICT {
            answer.error_for_status()?;
        }
        // A history apart from the folder: what the folder's own git keeps is nobody's business here.
        let history = tempfile::tempdir().context("no temporary folder")?;
        let git = Git {
            history: history.path().join("git"),
            folder: folder.to_owned(),
        };
        git.run(&["init", "--quiet", "--initial-branch", BRANCH]).await?;
        git.run(&["add", "--all", "--force"]).await?;
        git.run(&["commit", "--quiet", "--message", "Golden paths of this machine"])
            .await?;
        // Given as a variable: arguments can be read by everybody on the machine.
        let mut push = git.command(&["push", "--quiet", "--force", &self.url(name), &format!("HEAD:{BRANCH}")]);
        push.env("GIT_SSL_CAINFO", self.authority)
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "http.extraHeader")
            .env("GIT_CONFIG_VALUE_0", format!("Authorization: {}", basic(self.password)));
        output(&mut push).await?;
        Ok(())
    }
}

fn basic(password: &str) -> String {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{ADMIN}:{password}"));
    format!("Basic {pair}")
}

struct Git {
    history: PathBuf,
    folder: PathBuf,
}

impl Git {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .arg("--git-dir")
            .arg(&self.history)
            .arg("--work-tree")
            .arg(&self.folder)
            .args(["-c", "user.name=Portico", "-c", "user.email=portico@localhost"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    async fn run(&self, arguments: &[&str]) -> Result<()> {
        output(&mut self.command(arguments)).await?;
        Ok(())
    }
}
