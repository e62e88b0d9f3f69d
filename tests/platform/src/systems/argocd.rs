//! Argo CD: its controller, its server of repositories and its API, with Redis between them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::process::Command;
use tokio::time::Instant;

use super::identity::link;
use super::{Setting, kubernetes, objects};
use crate::addresses::{
    APPLICATION_CONTROLLER_METRICS, ARGOCD, ARGOCD_METRICS, HOST, REDIS, REPO_SERVER, REPO_SERVER_METRICS,
};
use crate::kept::subfolder;
use crate::program::{Program, answers};

const OBJECTS: &str = include_str!("../../manifests/argocd.yaml");
pub const NAMESPACE: &str = "argocd";
/// What idpbuilder sets: without word of a change, repositories are looked at this often.
const RESYNC_SECONDS: &str = "60";

/// Starts it and waits until all of it answers.
pub async fn start(setting: &Setting) -> Result<Vec<Program>> {
    let home = subfolder(setting.folder.path(), "argocd")?;
    let client = kubernetes::client(setting).await?;
    for definition in ["application-crd.yaml", "appproject-crd.yaml"] {
        let file = setting.built.argocd.join("crds").join(definition);
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        objects::apply(&client, &text).await?;
    }
    objects::apply(&client, OBJECTS).await?;

    let logs = setting.folder.logs()?;
    let nursery = &setting.nursery;
    let mut redis = Command::new("redis-server");
    // A title would be written over its variables, by which `down` recognises what is ours.
    redis.args(["--set-proc-title", "no"]);
    redis
        .current_dir(&home)
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--port", &REDIS.to_string()]);
    let redis = Program::start("redis", redis, &logs, nursery).await?;

    let mut server = part(setting, &home, "argocd-repo-server")?;
    server
        .args(["--address", "127.0.0.1", "--port", &REPO_SERVER.to_string()])
        .args([
            "--metrics-address",
            "127.0.0.1",
            "--metrics-port",
            &REPO_SERVER_METRICS.to_string(),
        ])
        .args(["--disable-tls", "--revision-cache-expiration", "5s"]);
    let mut repo_server = Program::start("argocd-repo-server", server, &logs, nursery).await?;

    let repositories = format!("127.0.0.1:{REPO_SERVER}");
    let mut controller = part(setting, &home, "argocd-application-controller")?;
    controller
        .args(["--repo-server", &repositories, "--repo-server-plaintext"])
        .args(["--metrics-port", &APPLICATION_CONTROLLER_METRICS.to_string()])
        .args(["--app-resync", RESYNC_SECONDS, "--app-resync-jitter", "0"]);
    let mut controller = Program::start("argocd-application-controller", controller, &logs, nursery).await?;

    let mut api = part(setting, &home, "argocd-server")?;
    api.args(["--insecure", "--basehref", "/argocd", "--address", "127.0.0.1"])
        .args(["--port", &ARGOCD.to_string()])
        .args([
            "--metrics-address",
            "127.0.0.1",
            "--metrics-port",
            &ARGOCD_METRICS.to_string(),
        ])
        .args(["--repo-server", &repositories, "--repo-server-plaintext"]);
    let mut api = Program::start("argocd-server", api, &logs, nursery).await?;

    for (program, address) in [
        (
            &mut repo_server,
            format!("http://127.0.0.1:{REPO_SERVER_METRICS}/healthz?full=true"),
        ),
        (
            &mut controller,
            format!("http://127.0.0.1:{APPLICATION_CONTROLLER_METRICS}/healthz"),
        ),
        (&mut api, format!("http://127.0.0.1:{ARGOCD}/healthz")),
    ] {
        program.ready(async || answers(&setting.client, &address).await).await?;
    }
    Ok(vec![api, controller, repo_server, redis])
}

/// One of its parts with what all of them need.
fn part(setting: &Setting, home: &Path, name: &str) -> Result<Command> {
    let trusted = subfolder(home, "tls")?;
    // A file with the name of a host holds the authorities for it.
    link(&setting.certificates.authority, &trusted.join(HOST))?;
    // They call the program that answers git's questions by its name, and its name decides what it is.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(setting.built.argocd.clone()).chain(std::env::split_paths(&path));
    let mut command = Command::new(setting.built.argocd.join(name));
    command
        .args(["--redis", &format!("127.0.0.1:{REDIS}"), "--logformat", "text"])
        .env(
            "PATH",
            std::env::join_paths(folders).context("PATH cannot be extended")?,
        )
        .env("KUBECONFIG", kubernetes::kubeconfig(setting))
        .env("ARGOCD_FAKE_IN_CLUSTER", "true")
        .env("ARGOCD_GPG_ENABLED", "false")
        .env("ARGOCD_TLS_DATA_PATH", trusted)
        .env("ARGOCD_SSH_DATA_PATH", subfolder(home, "ssh")?)
        .env("ARGOCD_GNUPGHOME", subfolder(home, "gpg")?)
        .env("ARGOCD_PLUGINSOCKFILEPATH", subfolder(home, "plugins")?)
        // Otherwise all platforms of a machine would share one socket in the temporary folder.
        .env("ARGOCD_ASK_PASS_SOCK", home.join("askpass.sock"))
        .env("TMPDIR", subfolder(home, "work")?)
        .env("HOME", home);
    Ok(command)
}

/// The administrator's password, which Argo CD makes at its first start.
pub async fn admin_password(setting: &Setting) -> Result<String> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let secrets: Api<Secret> = Api::namespaced(kubernetes::client(setting).await?, NAMESPACE);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let secret = secrets.get_opt("argocd-initial-admin-secret").await?;
        if let Some(password) = secret.and_then(|secret| secret.data?.remove("password")) {
            return String::from_utf8(password.0).context("Argo CD's password is no text");
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "Argo CD made no password for its administrator"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
