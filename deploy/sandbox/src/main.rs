//! `portico-sandbox`: the stand-ins on their own, until Ctrl-C.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use portico_sandbox::{Credentials, GivenCredentials, Options, Ports, Sandbox};

/// Stand-ins for Keycloak, Forgejo, the Kubernetes API and Argo CD, on 127.0.0.1 only.
#[derive(Debug, Parser)]
#[command(name = "portico-sandbox", version)]
struct Arguments {
    /// Folder for all state; it survives restarts.
    #[arg(long, default_value = ".portico-sandbox")]
    data: PathBuf,
    /// Base URL of the portal that logs in here.
    #[arg(long, default_value = "http://localhost:7007")]
    portal_url: String,
    /// Port of the forge; 0 for any free one, as for the other ports.
    #[arg(long, default_value_t = 7008)]
    forge_port: u16,
    /// Port of the Kubernetes API (TLS).
    #[arg(long, default_value_t = 7009)]
    kubernetes_port: u16,
    /// Port of the identity provider.
    #[arg(long, default_value_t = 7010)]
    identity_port: u16,
    /// Port of Argo CD's own API.
    #[arg(long, default_value_t = 7011)]
    argocd_port: u16,
    /// Further host name of the forge, with port; may be repeated.
    #[arg(long = "forge-alias", value_name = "HOST[:PORT]")]
    forge_aliases: Vec<String>,
    /// Password of the users user1, user2 and ipcei; generated once when not given.
    #[arg(long, env = "SANDBOX_USER_PASSWORD", hide_env_values = true)]
    user_password: Option<String>,
    /// Secret of the client `backstage`; generated once when not given.
    #[arg(long, env = "SANDBOX_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Password of the forge's administrator giteaAdmin; generated once when not given.
    #[arg(long, env = "SANDBOX_FORGE_PASSWORD", hide_env_values = true)]
    forge_password: Option<String>,
    /// Password of Argo CD's account admin; generated once when not given.
    #[arg(long, env = "SANDBOX_ARGOCD_PASSWORD", hide_env_values = true)]
    argocd_password: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let sandbox = Sandbox::start(Options {
        data: arguments.data,
        listen: Ports {
            forge: arguments.forge_port,
            kubernetes: arguments.kubernetes_port,
            identity: arguments.identity_port,
            argocd: arguments.argocd_port,
        },
        portal_url: arguments.portal_url,
        forge_aliases: arguments.forge_aliases,
        credentials: GivenCredentials {
            user_password: arguments.user_password,
            client_secret: arguments.client_secret,
            forge_password: arguments.forge_password,
            argocd_password: arguments.argocd_password,
        },
    })
    .await?;
    println!("issuer      {}  (user1, user2, ipcei)", sandbox.urls.issuer);
    println!("forge       {}  ({})", sandbox.urls.forge, Credentials::FORGE_ADMIN);
    println!(
        "kubernetes  {}  (kubeconfig {})",
        sandbox.urls.kubernetes,
        sandbox.kubeconfig().display()
    );
    println!("argocd      {}  ({})", sandbox.urls.argocd, Credentials::ARGOCD_ADMIN);
    println!("passwords are in {}", sandbox.data().join("credentials.json").display());
    println!("Ctrl-C ends it.");
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminated.recv() => {}
    }
    sandbox.shutdown().await;
    Ok(())
}
