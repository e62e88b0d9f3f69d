//! Applications that are not like most: of a private repository, dying, dying while they are tried again.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use portico::gitops::{GitOps, GitOpsError, Maker, NewApplication, Removal};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Repository, Target, until, watch, well};
use crate::support::fresh;

pub async fn a_private_repository_needs_its_secret(target: &Target) {
    let gitops = target.by_cluster();
    let watching = watch(&gitops);
    let repository = target.repository("private", true).await;
    let name = &repository.name;
    gitops
        .create(&repository.new_application(name))
        .await
        .expect("it can be created");
    until(&gitops, "that it cannot be read", || {
        gitops
            .get(name)
            .filter(|a| a.conditions.iter().any(|c| c.kind == "ComparisonError"))
    })
    .await;

    let forge = &target.systems.forge;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("repository-{name}"), "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        "stringData": {"type": "git", "url": repository.url, "username": forge.username, "password": forge.password},
    });
    let secrets: Api<Secret> = Api::namespaced(target.systems.kubernetes(), "argocd");
    let secret = serde_json::from_value(secret).expect("a Secret");
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .expect("it can be created");
    let hard = Patch::Merge(json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}));
    target
        .applications()
        .patch(name, &PatchParams::default(), &hard)
        .await
        .expect("it can be refreshed");
    let read = until(&gitops, "Synced and Healthy", || gitops.get(name).filter(|a| well(a))).await;
    assert!(read.conditions.iter().all(|c| c.kind != "ComparisonError"), "{read:?}");
    watching.abort();
}

/// The finalizer takes the resources along; the store forgets the Application when it is gone.
pub async fn a_deletion_takes_the_resources_along(target: &Target, repository: &Repository) {
    let gitops = target.by_cluster();
    let watching = watch(&gitops);
    let name = &repository.name;
    until(&gitops, "the Application", || gitops.get(name)).await;
    let deployments: Api<Deployment> = Api::namespaced(target.systems.kubernetes(), "default");
    assert!(deployments.get(name).await.is_ok());
    target
        .applications()
        .delete(name, &DeleteParams::default())
        .await
        .expect("it can be deleted");
    until(&gitops, "that it is gone", || gitops.get(name).is_none().then_some(())).await;
    assert!(
        deployments.get_opt(name).await.expect("an answer").is_none(),
        "what it deployed is gone too"
    );
    watching.abort();
}

/// Argo CD ends a running operation, with all its tries, before it deletes.
pub async fn a_deletion_waits_for_a_retry(target: &Target) {
    let gitops = target.by_cluster();
    let watching = watch(&gitops);
    let repository = target.repository("homeless", false).await;
    let name = &repository.name;
    let homeless = NewApplication {
        app_namespace: fresh("nowhere"),
        ..repository.new_application(name)
    };
    gitops.create(&homeless).await.expect("it can be created");
    let retrying = until(&gitops, "a second try", || {
        gitops
            .get(name)
            .filter(|a| a.operation.as_ref().is_some_and(|operation| operation.retries > 0))
    })
    .await;
    let operation = retrying.operation.as_ref().expect("an operation");
    // It failed, and is Running all the same.
    assert_eq!(operation.phase, "Running", "{retrying:?}");
    assert!(operation.message.contains("not found"), "{}", operation.message);

    target
        .applications()
        .delete(name, &DeleteParams::default())
        .await
        .expect("it can be deleted");
    let held = until(&gitops, "that it is being deleted", || {
        gitops.get(name).filter(|a| a.deleting)
    })
    .await;
    assert_eq!(
        held.operation.as_ref().map(|operation| operation.phase.as_str()),
        Some("Running"),
        "{held:?}"
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(gitops.get(name).is_some(), "it waits for the operation");
    let argocd = target.systems.argocd_api().await;
    let ended = argocd
        .send(Method::DELETE, &format!("/applications/{name}/operation"), None)
        .await;
    let (status, answer): (StatusCode, Value) = ended.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{answer}");
    until(&gitops, "that it is gone", || gitops.get(name).is_none().then_some(())).await;
    watching.abort();
}

/// Removing ends a sync that is tried again and again, leaves what it shall leave, and touches nothing of somebody else.
pub async fn a_removal_ends_what_runs_and_takes_what_it_shall(target: &Target, gitops: &GitOps) {
    let watched = target.by_cluster();
    let watching = watch(&watched);
    let deployments: Api<Deployment> = Api::namespaced(target.systems.kubernetes(), "default");
    let maker = Maker {
        task: "task-1",
        until: chrono::DateTime::UNIX_EPOCH,
    };
    let removed = async |name: &str, with_resources: bool| {
        crate::support::eventually(&format!("{name} is removed"), || async {
            let progress = gitops
                .remove(name, &maker, with_resources)
                .await
                .expect("it can be removed");
            (progress == Removal::Gone).then_some(())
        })
        .await;
    };

    let repository = target.repository("removed", false).await;
    let name = &repository.name;
    gitops
        .create(&repository.new_application(name))
        .await
        .expect("it can be created");
    until(&watched, "Synced and Healthy", || watched.get(name).filter(|a| well(a))).await;
    let stranger = Maker {
        task: "task-2",
        ..maker
    };
    let refused = gitops.remove(name, &stranger, true).await;
    assert!(matches!(refused, Err(GitOpsError::Conflict { .. })), "{refused:?}");
    removed(name, false).await;
    assert!(
        deployments.get_opt(name).await.expect("an answer").is_some(),
        "what it rolled out stays"
    );
    gitops
        .create(&repository.new_application(name))
        .await
        .expect("it can be created");
    until(&watched, "Synced and Healthy", || watched.get(name).filter(|a| well(a))).await;
    removed(name, true).await;
    assert!(
        deployments.get_opt(name).await.expect("an answer").is_none(),
        "what it rolled out is gone"
    );

    let repository = target.repository("retried", false).await;
    let name = &repository.name;
    let homeless = NewApplication {
        app_namespace: fresh("nowhere"),
        ..repository.new_application(name)
    };
    watched.create(&homeless).await.expect("it can be created");
    until(&watched, "a second try", || {
        watched
            .get(name)
            .filter(|a| a.operation.as_ref().is_some_and(|operation| operation.retries > 0))
    })
    .await;
    let first = gitops.remove(name, &maker, true).await.expect("it can be removed");
    assert_eq!(first, Removal::EndingSync);
    removed(name, true).await;
    watching.abort();
}
