//! Where everything listens: one front that people see, and ports of 127.0.0.1 behind it.

use anyhow::{Context, Result, bail};
use portico_local::machine;
use portico_local::progress::note;

/// The name that idpbuilder's platforms have.
pub const HOST: &str = "cnoe.localtest.me";
pub const FRONT: u16 = 8443;
pub const PORTAL: u16 = 7007;

// Below the range that systems hand out for outgoing connections, so that only programs of people can be in the way.
pub const FORGE: u16 = 18_301;
pub const IDENTITY: u16 = 18_302;
pub const ETCD: u16 = 18_303;
pub const ETCD_PEER: u16 = 18_304;
pub const KUBERNETES: u16 = 18_305;
pub const CONTROLLER_MANAGER: u16 = 18_306;
pub const REDIS: u16 = 18_307;
pub const REPO_SERVER: u16 = 18_308;
pub const REPO_SERVER_METRICS: u16 = 18_309;
pub const APPLICATION_CONTROLLER_METRICS: u16 = 18_310;
pub const ARGOCD: u16 = 18_311;
pub const ARGOCD_METRICS: u16 = 18_312;

const ALL: [(&str, u16); 14] = [
    ("the front", FRONT),
    ("portal", PORTAL),
    ("Gitea", FORGE),
    ("Keycloak", IDENTITY),
    ("etcd", ETCD),
    ("etcd's peers", ETCD_PEER),
    ("Kubernetes API", KUBERNETES),
    ("controller manager", CONTROLLER_MANAGER),
    ("Redis", REDIS),
    ("Argo CD's repo server", REPO_SERVER),
    ("its metrics", REPO_SERVER_METRICS),
    ("metrics of Argo CD's controller", APPLICATION_CONTROLLER_METRICS),
    ("Argo CD's API", ARGOCD),
    ("its metrics", ARGOCD_METRICS),
];

/// The platform's address, without a path.
pub fn platform_url() -> String {
    format!("https://{HOST}:{FRONT}")
}

/// The Kubernetes API's address.
pub fn kubernetes_url() -> String {
    format!("https://127.0.0.1:{KUBERNETES}")
}

/// Names the ports that other programs hold.
pub fn check_free() -> Result<()> {
    machine::check_free(&ALL, "end the other platform: a machine holds one")
}

/// Makes sure that [`HOST`] is this machine. As root a line is added to /etc/hosts where nobody knows the name.
///
/// # Errors
/// When it is another machine, or when it is unknown and we may not change that.
pub async fn check_name() -> Result<()> {
    const HOSTS: &str = "/etc/hosts";
    let line = format!("127.0.0.1 {HOST}");
    if let Some(known) = is_this_machine().await {
        if known {
            return Ok(());
        }
        bail!("{HOST} is another machine for this one; add the line `{line}` to {HOSTS}");
    }
    // SAFETY: geteuid only reads.
    if unsafe { libc::geteuid() } != 0 {
        bail!("{HOST} is not known here; add the line `{line}` to {HOSTS}");
    }
    let hosts = std::fs::read_to_string(HOSTS).with_context(|| format!("cannot read {HOSTS}"))?;
    let end = if hosts.is_empty() || hosts.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    // Written in place: in containers the file cannot be replaced.
    std::fs::write(HOSTS, format!("{hosts}{end}{line}\n")).with_context(|| format!("cannot write {HOSTS}"))?;
    note("Added", &format!("`{line}` to {HOSTS}"));
    match is_this_machine().await {
        Some(true) => Ok(()),
        _ => bail!("{HOST} is not known although {HOSTS} has the line `{line}`"),
    }
}

/// `None` where nobody knows the name.
async fn is_this_machine() -> Option<bool> {
    let addresses: Vec<_> = tokio::net::lookup_host((HOST, FRONT)).await.ok()?.collect();
    let known = !addresses.is_empty();
    known.then(|| {
        addresses.iter().all(|address| address.ip().is_loopback())
            && addresses.iter().any(std::net::SocketAddr::is_ipv4)
    })
}
