//! Argo CD and the cluster that it lives in, as `portico::gitops` relies on them.

mod special;

use std::path::Path;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use portico::clock::Clock;
use portico::gitops::{
    Application, Change, Connection, Created, GitOps, GitOpsError, GitOpsSettings, HealthStatus, InstanceSettings,
    NewApplication, SyncStatus,
};
use portico::kubernetes::{Cluster, ClusterSettings};
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::support::{ARGOCD_INSTANCE, Bench, Checkout, fresh};

/// A cluster with Argo CD in it, and a forge that Argo CD reads from.
struct Target {
    systems: Bench,
}

impl Target {
    async fn start() -> Self {
        Self {
            systems: Bench::start().await,
        }
    }

    fn by_cluster(&self) -> GitOps {
        self.by_cluster_with(&self.systems.cluster)
    }

    fn by_cluster_with(&self, cluster: &ClusterSettings) -> GitOps {
        let instance = InstanceSettings {
            name: ARGOCD_INSTANCE.to_owned(),
            ..InstanceSettings::default()
        };
        self.gitops(instance, Some(cluster))
    }

    fn by_argocd(&self, cluster: Option<&ClusterSettings>) -> GitOps {
        self.gitops(self.systems.argocd.clone(), cluster)
    }

    fn gitops(&self, instance: InstanceSettings, cluster: Option<&ClusterSettings>) -> GitOps {
        let url = instance.url.as_deref().unwrap_or("http://127.0.0.1:9");
        let http = self.systems.outbound(url).direct_client();
        let cluster = cluster.map(|settings| Cluster::new(settings).expect("settings that work"));
        let settings = GitOpsSettings {
            instances: vec![instance],
            ..GitOpsSettings::default()
        };
        GitOps::new(settings, cluster, http, Clock::system()).expect("settings that work")
    }

    fn applications(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
        let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
        Api::namespaced_with(self.systems.kubernetes(), "argocd", &resource)
    }

    /// A new repository: its folder `manifests` has a Deployment of the repository's name with one replica, `idle`
    /// has no manifest.
    async fn repository(&self, prefix: &str, private: bool) -> Repository {
        let name = fresh(prefix);
        let forge = &self.systems.forge;
        let wanted = json!({"name": name, "private": private, "default_branch": "main"});
        let (status, made) = self.systems.forge_api().post("/user/repos", &wanted).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let url = format!("{}/{}/{name}", forge.url, forge.username);
        let clone_url = format!("{url}.git");
        let checkout = Checkout::clone(
            &clone_url,
            &forge.username,
            &forge.password,
            self.systems.authority.as_deref(),
        );
        write(checkout.path(), "manifests/deployment.yaml", &deployment(&name));
        write(checkout.path(), "idle/README.md", "Nothing to roll out.\n");
        checkout.push("Manifests");
        Repository { name, url, checkout }
    }
}

/// A repository and a checkout of it.
struct Repository {
    name: String,
    /// As an Application names it.
    url: String,
    checkout: Checkout,
}

impl Repository {
    /// One with nothing to roll out: two Applications may not have the same object.
    fn idle_application(&self, name: &str) -> NewApplication {
        NewApplication {
            path: "idle".to_owned(),
            ..self.new_application(name)
        }
    }

    fn new_application(&self, name: &str) -> NewApplication {
        NewApplication {
            instance: ARGOCD_INSTANCE.to_owned(),
            app_name: name.to_owned(),
            app_namespace: "default".to_owned(),
            project: "default".to_owned(),
            repo_url: self.url.clone(),
            path: "manifests".to_owned(),
            label_value: None,
            server_side_apply: false,
            task: "task-1".to_owned(),
            step: "create".to_owned(),
        }
    }
}

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 1\n  selector:\n    \
         matchLabels: {{app: {name}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      containers:\n      \
         - name: web\n        image: nginx\n"
    )
}

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

/// Waits until the store satisfies `check`, driven by what subscribers are told; a minute at most.
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

async fn applications_are_created_once(repository: &Repository, gitops: &GitOps) {
    let name = fresh("app");
    let new = repository.idle_application(&name);
    assert_eq!(gitops.exists(ARGOCD_INSTANCE, &name).await, Ok(false));
    assert_eq!(gitops.create(&new).await, Ok(Created { already: false }));
    assert_eq!(gitops.exists(ARGOCD_INSTANCE, &name).await, Ok(true));
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
    let bad = gitops.create(&repository.idle_application("Not_A_Name")).await;
    assert!(matches!(bad, Err(GitOpsError::Denied { .. })), "{bad:?}");
}

async fn the_store_follows(target: &Target, repository: &Repository) {
    let gitops = target.by_cluster();
    assert!(gitops.list().is_empty(), "nothing is read before it is watched");
    let watching = watch(&gitops);
    until(&gitops, "connected", || {
        (gitops.connection() == Connection::Connected).then_some(())
    })
    .await;
    let mut changes = gitops.subscribe();

    let name = fresh("seen");
    gitops
        .create(&repository.idle_application(&name))
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
            .for_repository(|url| url == repository.url)
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
            .refresh_repository(|url| url == repository.url)
            .await
            .expect("it can be refreshed")
            > 0
    );
    watching.abort();
    also_watching.abort();
}

fn well(application: &Application) -> bool {
    application.sync == SyncStatus::Synced && application.health == HealthStatus::Healthy
}

async fn a_push_is_rolled_out(target: &Target, repository: &Repository) {
    let gitops = target.by_argocd(Some(&target.systems.cluster));
    let watching = watch(&gitops);
    let name = &repository.name;
    gitops
        .create(&repository.new_application(name))
        .await
        .expect("it can be created");
    let first = until(&gitops, "Synced and Healthy", || gitops.get(name).filter(|a| well(a))).await;
    assert_eq!(
        first
            .resources
            .iter()
            .map(|resource| resource.kind.as_str())
            .collect::<Vec<_>>(),
        ["Deployment"],
        "{first:?}"
    );
    assert!(!first.history.is_empty(), "{first:?}");

    // Without automatic syncs the difference stays until somebody asks for a sync.
    let applications = target.applications();
    let manual = Patch::Merge(json!({"spec": {"syncPolicy": {"automated": null}}}));
    applications
        .patch(name, &PatchParams::default(), &manual)
        .await
        .expect("it can be changed");
    repository
        .checkout
        .edit("manifests/deployment.yaml", "replicas: 1", "replicas: 2");
    let commit = repository.checkout.push("Two replicas");
    gitops.refresh(name).await.expect("it can be refreshed");
    until(&gitops, "OutOfSync", || {
        gitops
            .get(name)
            .filter(|a| a.sync == SyncStatus::OutOfSync && a.revision.as_ref() == Some(&commit))
    })
    .await;
    let argocd = target.systems.argocd_api().await;
    let (status, answer) = argocd.post(&format!("/applications/{name}/sync"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let at = |commit: &str| {
        gitops.get(name).filter(|a| {
            well(a)
                && a.revision.as_deref() == Some(commit)
                && a.history.first().is_some_and(|entry| entry.revision == commit)
        })
    };
    let second = until(&gitops, "the pushed commit, Synced and Healthy", || at(&commit)).await;
    let operation = second.operation.as_ref().expect("an operation");
    assert_eq!(
        (operation.phase.as_str(), operation.revision.as_ref()),
        ("Succeeded", Some(&commit))
    );

    // With them a push and a refresh are enough.
    let automated = Patch::Merge(json!({"spec": {"syncPolicy": {"automated": {"prune": true, "selfHeal": true}}}}));
    applications
        .patch(name, &PatchParams::default(), &automated)
        .await
        .expect("it can be changed");
    repository
        .checkout
        .edit("manifests/deployment.yaml", "replicas: 2", "replicas: 1");
    let commit = repository.checkout.push("One replica");
    assert_eq!(
        gitops
            .refresh_repository(|url| url == repository.url)
            .await
            .map(|count| count > 0),
        Ok(true)
    );
    until(&gitops, "the third commit, Synced and Healthy", || at(&commit)).await;
    watching.abort();
}

/// Real Argo CD keeps health Healthy: the error is in the conditions only.
async fn a_bad_repository_is_told_in_a_condition(target: &Target, repository: &Repository) {
    let gitops = target.by_cluster();
    let watching = watch(&gitops);
    let name = fresh("broken");
    let nowhere = NewApplication {
        repo_url: format!("{}-not-there", repository.url),
        ..repository.new_application(&name)
    };
    // Argo CD's own API looks at the repository first; the cluster takes anything.
    let refused = target.by_argocd(None).create(&nowhere).await;
    assert!(matches!(refused, Err(GitOpsError::Denied { .. })), "{refused:?}");
    gitops.create(&nowhere).await.expect("it can be created");
    let broken = until(&gitops, "a condition", || {
        gitops.get(&name).filter(|a| !a.conditions.is_empty())
    })
    .await;
    assert_eq!(
        (broken.sync, broken.health, broken.conditions[0].kind.as_str()),
        (SyncStatus::Unknown, HealthStatus::Healthy, "ComparisonError"),
        "{broken:?}"
    );
    assert!(!broken.conditions[0].message.is_empty());
    watching.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_keeps_the_contract() {
    let target = Target::start().await;
    let repository = target.repository("deployed", false).await;
    applications_are_created_once(&repository, &target.by_cluster()).await;
    applications_are_created_once(&repository, &target.by_argocd(None)).await;
    the_store_follows(&target, &repository).await;
    a_push_is_rolled_out(&target, &repository).await;
    a_bad_repository_is_told_in_a_condition(&target, &repository).await;
    special::a_private_repository_needs_its_secret(&target).await;
    special::a_deletion_takes_the_resources_along(&target, &repository).await;
    special::a_deletion_waits_for_a_retry(&target).await;
    // Nobody has seen yet whether a real Argo CD agrees.
    if target.systems.authority.is_none() {
        for gitops in [target.by_cluster(), target.by_argocd(None)] {
            special::a_removal_ends_what_runs_and_takes_what_it_shall(&target, &gitops).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let target = Target::start().await;
    let unknown = ClusterSettings {
        ca_file: None,
        ca_data: None,
        ..target.systems.cluster.clone()
    };
    let refused = target.by_cluster_with(&unknown).exists(ARGOCD_INSTANCE, "any").await;
    assert!(matches!(refused, Err(GitOpsError::Unavailable { .. })), "{refused:?}");
}
