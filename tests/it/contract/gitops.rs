//! Argo CD and the cluster that it lives in, as `portico::gitops` relies on them.

use std::time::Duration;

use portico::clock::Clock;
use portico::gitops::{
    Change, Connection, Created, GitOps, GitOpsError, GitOpsSettings, HealthStatus, InstanceSettings, NewApplication,
    SyncStatus,
};
use portico::kubernetes::{Cluster, ClusterSettings};
use portico_sandbox::{Credentials, Options, Sandbox};
use tokio::sync::broadcast::error::RecvError;

use super::{fresh, git, outbound};

/// A cluster with Argo CD in it, and a repository that Argo CD can read.
struct Target {
    cluster: ClusterSettings,
    /// Argo CD's own API, with an account.
    argocd: Option<InstanceSettings>,
    /// Clone URL with credentials, for pushing. Its folder `manifests` has a Deployment with one replica, `idle` has
    /// no manifest.
    push_url: Option<String>,
    /// The same repository as an Application names it.
    repo_url: String,
}

impl Target {
    fn by_cluster(&self) -> GitOps {
        let instance = InstanceSettings {
            name: "in-cluster".to_owned(),
            ..InstanceSettings::default()
        };
        self.gitops(instance, true)
    }

    fn by_argocd(&self, cluster: bool) -> Option<GitOps> {
        Some(self.gitops(self.argocd.clone()?, cluster))
    }

    fn gitops(&self, instance: InstanceSettings, cluster: bool) -> GitOps {
        let http = outbound(instance.url.as_deref().unwrap_or("http://127.0.0.1:9")).direct_client();
        let cluster = cluster.then(|| Cluster::new(&self.cluster).expect("settings that work"));
        let settings = GitOpsSettings {
            instances: vec![instance],
            ..GitOpsSettings::default()
        };
        GitOps::new(settings, cluster, http, Clock::system()).expect("settings that work")
    }

    /// One with nothing to roll out: two Applications may not have the same object.
    fn idle_application(&self, name: &str) -> NewApplication {
        NewApplication {
            path: "idle".to_owned(),
            ..self.new_application(name)
        }
    }

    fn new_application(&self, name: &str) -> NewApplication {
        NewApplication {
            instance: "in-cluster".to_owned(),
            app_name: name.to_owned(),
            app_namespace: "default".to_owned(),
            project: "default".to_owned(),
            repo_url: self.repo_url.clone(),
            path: "manifests".to_owned(),
            label_value: None,
            task: "task-1".to_owned(),
            step: "create".to_owned(),
        }
    }
}

/// Waits until the store satisfies `check`, driven by what subscribers are told; half a minute at most.
async fn until<T>(gitops: &GitOps, what: &str, check: impl Fn() -> Option<T>) -> T {
    let mut changes = gitops.subscribe();
    let wait = async {
        loop {
            if let Some(found) = check() {
                return found;
            }
            assert!(
                !matches!(changes.recv().await, Err(RecvError::Closed)),
                "nobody tells any more"
            );
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}; {:?}, {:?}", gitops.connection(), gitops.list()))
}

fn watch(gitops: &GitOps) -> tokio::task::JoinHandle<()> {
    let gitops = gitops.clone();
    tokio::spawn(async move { gitops.run().await })
}

async fn applications_are_created_once(target: &Target, gitops: &GitOps) {
    let name = fresh("app");
    let new = target.idle_application(&name);
    assert_eq!(gitops.exists("in-cluster", &name).await, Ok(false));
    assert_eq!(gitops.create(&new).await, Ok(Created { already: false }));
    assert_eq!(gitops.exists("in-cluster", &name).await, Ok(true));
    assert_eq!(
        gitops.create(&new).await,
        Ok(Created { already: true }),
        "the same step of the same task"
    );
    for other in [
        NewApplication {
            task: "task-2".to_owned(),
            ..new.clone()
        },
        NewApplication {
            task: "task-2".to_owned(),
            path: "elsewhere".to_owned(),
            ..new.clone()
        },
        NewApplication {
            step: "create-2".to_owned(),
            ..new.clone()
        },
    ] {
        let taken = gitops.create(&other).await;
        assert!(matches!(taken, Err(GitOpsError::Conflict { .. })), "{taken:?}");
    }
    let bad = gitops.create(&target.idle_application("Not_A_Name")).await;
    assert!(matches!(bad, Err(GitOpsError::Denied { .. })), "{bad:?}");
}

async fn the_store_follows(target: &Target) {
    let gitops = target.by_cluster();
    assert!(gitops.list().is_empty());
    let watching = watch(&gitops);
    until(&gitops, "connected", || {
        (gitops.connection() == Connection::Connected).then_some(())
    })
    .await;
    let mut changes = gitops.subscribe();

    let name = fresh("seen");
    gitops
        .create(&target.idle_application(&name))
        .await
        .expect("it can be created");
    let application = until(&gitops, "the new Application", || gitops.get(&name)).await;
    assert_eq!(
        (application.namespace.as_str(), application.path.as_str()),
        ("argocd", "idle")
    );
    assert_eq!(application.labels.get("backstage-name"), Some(&name));
    assert_eq!(application.target_revision, "HEAD");
    assert_eq!(
        gitops
            .for_repository(|url| url == target.repo_url)
            .iter()
            .filter(|a| a.name == name)
            .count(),
        1
    );
    let told = async { while changes.recv().await != Ok(Change::Application(name.as_str().into())) {} };
    tokio::time::timeout(Duration::from_secs(10), told)
        .await
        .expect("subscribers are told");

    // A second store starts with a list of what is there.
    let second = target.by_cluster();
    let also_watching = watch(&second);
    until(&second, "the listed Application", || second.get(&name)).await;
    assert!(
        gitops
            .refresh_repository(|url| url == target.repo_url)
            .await
            .expect("it can be refreshed")
            > 0
    );
    watching.abort();
    also_watching.abort();
}

async fn a_push_is_rolled_out(target: &Target) {
    let Some(push_url) = &target.push_url else { return };
    let gitops = target.by_argocd(true).unwrap_or_else(|| target.by_cluster());
    let watching = watch(&gitops);
    let name = fresh("push");
    gitops
        .create(&target.new_application(&name))
        .await
        .expect("it can be created");
    let well = |application: &portico::gitops::Application| {
        application.sync == SyncStatus::Synced && application.health == HealthStatus::Healthy
    };
    let first = until(&gitops, "Synced and Healthy", || gitops.get(&name).filter(|a| well(a))).await;
    assert!(!first.resources.is_empty() && !first.history.is_empty(), "{first:?}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    git(folder.path(), &["clone", "--quiet", push_url, "."]);
    let file = folder.path().join("manifests/deployment.yaml");
    let text = std::fs::read_to_string(&file).expect("a manifest");
    std::fs::write(&file, text.replace("replicas: 1", "replicas: 2")).expect("a manifest");
    git(
        folder.path(),
        &["commit", "--quiet", "--all", "--message", "Two replicas"],
    );
    git(folder.path(), &["push", "--quiet"]);
    let commit = git(folder.path(), &["rev-parse", "HEAD"]);
    gitops.refresh(&name).await.expect("it can be refreshed");
    let second = until(&gitops, "the pushed commit, Synced and Healthy", || {
        gitops
            .get(&name)
            .filter(|a| well(a) && a.revision.as_ref() == Some(&commit))
    })
    .await;
    assert_eq!(second.history.first().map(|entry| &entry.revision), Some(&commit));

    let broken = fresh("broken");
    let nowhere = NewApplication {
        repo_url: format!("{}-not-there", target.repo_url),
        ..target.new_application(&broken)
    };
    // Argo CD's own API looks at the repository first; the cluster takes anything.
    target.by_cluster().create(&nowhere).await.expect("it can be created");
    let broken = until(&gitops, "a condition", || {
        gitops.get(&broken).filter(|a| !a.conditions.is_empty())
    })
    .await;
    assert_eq!(broken.sync, SyncStatus::Unknown);
    watching.abort();
}

async fn all(target: &Target) {
    applications_are_created_once(target, &target.by_cluster()).await;
    if let Some(gitops) = target.by_argocd(false) {
        applications_are_created_once(target, &gitops).await;
    }
    the_store_follows(target).await;
    a_push_is_rolled_out(target).await;
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: default\nspec:\n  replicas: 1\n  \
     selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n      - \
     name: web\n        image: nginx\n";

async fn on_sandbox() -> (Sandbox, Target, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options::new(folder.path().join("data"), "http://localhost:9");
    let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("manifests")).expect("a folder");
    std::fs::write(tree.join("manifests/deployment.yaml"), DEPLOYMENT).expect("a manifest");
    std::fs::create_dir_all(tree.join("idle")).expect("a folder");
    std::fs::write(tree.join("idle/README.md"), "Nothing to roll out.\n").expect("a file");
    let admin = Credentials::FORGE_ADMIN;
    sandbox
        .forge
        .put_tree(admin, "deployed", "main", &tree, "Manifests")
        .await
        .expect("the forge takes it");
    let kubeconfig = std::fs::read_to_string(sandbox.kubeconfig()).expect("the kubeconfig");
    let kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).expect("JSON");
    let token = kubeconfig
        .pointer("/users/0/user/token")
        .and_then(|token| token.as_str())
        .expect("a token");
    let forge = &sandbox.urls.forge;
    let password = &sandbox.credentials.forge_password;
    let target = Target {
        cluster: ClusterSettings {
            name: "local".to_owned(),
            url: sandbox.urls.kubernetes.clone(),
            service_account_token: Some(token.to_owned()),
            ca_file: Some(sandbox.ca_certificate()),
            ..ClusterSettings::default()
        },
        argocd: Some(InstanceSettings {
            name: "in-cluster".to_owned(),
            url: Some(sandbox.urls.argocd.clone()),
            username: Some(Credentials::ARGOCD_ADMIN.to_owned()),
            password: Some(sandbox.credentials.argocd_password.clone()),
            token: None,
        }),
        push_url: Some(format!(
            "{}/{admin}/deployed.git",
            forge.replacen("://", &format!("://{admin}:{password}@"), 1)
        )),
        repo_url: format!("{forge}/{admin}/deployed"),
    };
    (sandbox, target, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_argo_cd_keeps_the_contract() {
    let (sandbox, target, _folder) = on_sandbox().await;
    all(&target).await;
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (sandbox, target, _folder) = on_sandbox().await;
    let gitops = Target {
        cluster: ClusterSettings {
            ca_file: None,
            ..target.cluster.clone()
        },
        ..target
    }
    .by_cluster();
    let refused = gitops.exists("in-cluster", "any").await;
    assert!(matches!(refused, Err(GitOpsError::Unavailable { .. })), "{refused:?}");
    sandbox.shutdown().await;
}

/// `CONTRACT_CLUSTER=<url>,<token>,<CA file>,<repository that Argo CD can read>` names a real cluster with Argo CD;
/// Applications are left behind there.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_argo_cd_keeps_the_contract() {
    let Ok(named) = std::env::var("CONTRACT_CLUSTER") else {
        eprintln!("CONTRACT_CLUSTER names no real cluster: not run");
        return;
    };
    let parts: Vec<&str> = named.splitn(4, ',').collect();
    let [url, token, ca_file, repo_url] = parts.as_slice() else {
        panic!("CONTRACT_CLUSTER is not <url>,<token>,<CA file>,<repository>");
    };
    all(&Target {
        cluster: ClusterSettings {
            name: "real".to_owned(),
            url: (*url).to_owned(),
            service_account_token: Some((*token).to_owned()),
            ca_file: Some(ca_file.into()),
            ..ClusterSettings::default()
        },
        argocd: None,
        push_url: std::env::var("CONTRACT_PUSH_URL").ok(),
        repo_url: (*repo_url).to_owned(),
    })
    .await;
}
