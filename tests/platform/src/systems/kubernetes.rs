//! A real Kubernetes API: etcd, the API server, and the controllers that make pods of Deployments.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use portico_local::folder::write_private;
use serde_json::json;
use tokio::process::Command;

use super::{Setting, objects};
use crate::addresses::{CONTROLLER_MANAGER, ETCD, ETCD_PEER, KUBERNETES, kubernetes_url};
use crate::kept::{Kept, subfolder};
use crate::program::{Program, answers};

const PORTAL_ACCOUNT: &str = include_str!("../../manifests/portal.yaml");
const NODE: &str = include_str!("../../manifests/node.yaml");
/// Namespace and name of the portal's account.
const PORTAL: &str = "backstage";
/// Those that somebody who deploys a service meets.
const CONTROLLERS: [&str; 11] = [
    "daemonset-controller",
    "deployment-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
];

/// The administrator's kubeconfig.
pub fn kubeconfig(setting: &Setting) -> PathBuf {
    setting.folder.path().join("kubeconfig")
}

/// The file with the token of the portal's account.
pub fn portal_token(setting: &Setting) -> PathBuf {
    setting.folder.path().join("kubernetes/portal.token")
}

/// A client with the administrator's rights.
pub async fn client(setting: &Setting) -> Result<kube::Client> {
    let file = kubeconfig(setting);
    let kubeconfig = Kubeconfig::read_from(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

/// Starts it and waits until the portal's account and the node are there.
pub async fn start(setting: &Setting, kept: &Kept) -> Result<Vec<Program>> {
    let home = subfolder(setting.folder.path(), "kubernetes")?;
    let tokens = home.join("tokens.csv");
    write_private(
        &tokens,
        &format!("{},admin,admin,system:masters\n", kept.kubernetes_token),
    )?;
    write_kubeconfig(setting, kept)?;

    let logs = setting.folder.logs()?;
    let mut etcd = Program::start("etcd", etcd(setting, &home)?, &logs, &setting.nursery).await?;
    let health = format!("http://127.0.0.1:{ETCD}/readyz");
    etcd.ready(async || answers(&setting.client, &health).await).await?;

    let command = api_server(setting, &home, &tokens);
    let mut api_server = Program::start("kube-apiserver", command, &logs, &setting.nursery).await?;
    let client = client(setting).await?;
    api_server
        .ready(async || {
            let request = axum::http::Request::get("/readyz").body(Vec::new());
            match request {
                Ok(request) => client.request_text(request).await.is_ok(),
                Err(_) => false,
            }
        })
        .await?;

    let command = controller_manager(setting, &home);
    let manager = Program::start("kube-controller-manager", command, &logs, &setting.nursery).await?;
    objects::apply(&client, PORTAL_ACCOUNT).await?;
    objects::apply(&client, NODE).await?;
    write_private(&portal_token(setting), &token(client).await?)?;
    Ok(vec![manager, api_server, etcd])
}

fn etcd(setting: &Setting, home: &std::path::Path) -> Result<Command> {
    let data = home.join("etcd");
    if !data.is_dir() {
        // It insists on a folder that nobody else can read.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&data)
            .with_context(|| format!("cannot make {}", data.display()))?;
    }
    let clients = format!("http://127.0.0.1:{ETCD}");
    let peers = format!("http://127.0.0.1:{ETCD_PEER}");
    let mut command = Command::new(setting.built.etcd.join("etcd"));
    command
        .arg(format!("--data-dir={}", data.display()))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg(format!("--initial-advertise-peer-urls={peers}"))
        .arg(format!("--initial-cluster=default={peers}"))
        .arg("--log-level=warn");
    Ok(command)
}

fn api_server(setting: &Setting, home: &std::path::Path, tokens: &std::path::Path) -> Command {
    let certificates = &setting.certificates;
    let mut command = Command::new(setting.built.kubernetes.join("kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{ETCD}"))
        .args([
            "--bind-address=127.0.0.1",
            "--authorization-mode=RBAC",
            "--profiling=false",
        ])
        .arg(format!("--secure-port={KUBERNETES}"))
        .arg(format!(
            "--tls-cert-file={}",
            certificates.kubernetes.certificate.display()
        ))
        .arg(format!(
            "--tls-private-key-file={}",
            certificates.kubernetes.key.display()
        ))
        .arg(format!("--cert-dir={}", home.display()))
        .arg(format!("--token-auth-file={}", tokens.display()))
        .arg(format!("--service-account-issuer={}", kubernetes_url()))
        .arg(format!(
            "--service-account-key-file={}",
            certificates.accounts_public.display()
        ))
        .arg(format!(
            "--service-account-signing-key-file={}",
            certificates.accounts_private.display()
        ))
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        // There is one API server, and its address is not one of the cluster's.
        .arg("--endpoint-reconciler-type=none")
        // No program stands behind the node to say that it is ready, so nothing may wait for that.
        .arg("--disable-admission-plugins=TaintNodesByCondition")
        .arg("--enable-priority-and-fairness=false");
    command
}

fn controller_manager(setting: &Setting, home: &std::path::Path) -> Command {
    let mut command = Command::new(setting.built.kubernetes.join("kube-controller-manager"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig(setting).display()))
        .args(["--leader-elect=false", "--bind-address=127.0.0.1", "--profiling=false"])
        .arg(format!("--secure-port={CONTROLLER_MANAGER}"))
        .arg(format!("--cert-dir={}", home.display()))
        .arg(format!(
            "--service-account-private-key-file={}",
            setting.certificates.accounts_private.display()
        ))
        .arg(format!("--root-ca-file={}", setting.certificates.authority.display()))
        .arg(format!("--controllers={}", CONTROLLERS.join(",")));
    command
}

fn write_kubeconfig(setting: &Setting, kept: &Kept) -> Result<()> {
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "platform", "cluster": {
            "server": kubernetes_url(),
            "certificate-authority": setting.certificates.authority,
        } }],
        "users": [{ "name": "admin", "user": { "token": kept.kubernetes_token } }],
        "contexts": [{ "name": "platform", "context": { "cluster": "platform", "user": "admin", "namespace": "argocd" } }],
        "current-context": "platform",
    });
    let text = serde_saphyr::to_string(&kubeconfig).context("cannot write a kubeconfig")?;
    write_private(&self::kubeconfig(setting), &text)
}

/// A token of the portal's account. In a cluster the kubelet renews it; here it is good for a year.
async fn token(client: kube::Client) -> Result<String> {
    const YEAR: i64 = 365 * 24 * 60 * 60;
    let accounts: Api<ServiceAccount> = Api::namespaced(client, PORTAL);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(YEAR),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(PORTAL, &PostParams::default(), &request)
        .await
        .context("the cluster gives the portal's account no token")?;
    let status = answer.status.context("the cluster's answer holds no token")?;
    Ok(status.token)
}
