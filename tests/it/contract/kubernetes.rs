//! The API server, as the ports rely on it: server-side apply, conflicts, watches and what ends them.

use std::time::Duration;

use futures::{Stream, StreamExt, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::support::{Bench, fresh};

/// A bound for things that hang.
const PATIENCE: Duration = Duration::from_secs(30);

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

fn map(name: &str, data: &Value) -> ConfigMap {
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"watched": name}}, "data": data});
    serde_json::from_value(body).expect("a ConfigMap")
}

/// Code and reason of a refusal, and its text.
fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> (u16, String, String) {
    match answer {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("a refusal was expected: {other:?}"),
    }
}

async fn objects_are_created_once_and_deleted(client: &Client) {
    let maps = maps(client);
    let name = fresh("once");
    let made = maps
        .create(&PostParams::default(), &map(&name, &json!({"a": "1"})))
        .await;
    let made = made.expect("it can be created");
    assert!(made.uid().is_some() && made.resource_version().is_some() && made.creation_timestamp().is_some());
    let (code, reason, message) = refusal(maps.create(&PostParams::default(), &map(&name, &json!({}))).await);
    assert_eq!((code, reason.as_str()), (409, "AlreadyExists"), "{message}");

    // A write that is based on an old state is refused.
    let mut old = made.clone();
    let changed = Patch::Merge(json!({"data": {"a": "2"}}));
    maps.patch(&name, &PatchParams::default(), &changed)
        .await
        .expect("it can be changed");
    old.data = Some([("a".to_owned(), "3".to_owned())].into());
    let (code, reason, message) = refusal(maps.replace(&name, &PostParams::default(), &old).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"), "{message}");

    let bad = refusal(
        maps.create(&PostParams::default(), &map("Not_A_Name", &json!({})))
            .await,
    );
    assert_eq!((bad.0, bad.1.as_str()), (422, "Invalid"), "{}", bad.2);

    maps.delete(&name, &DeleteParams::default())
        .await
        .expect("it can be deleted");
    let (code, reason, message) = refusal(maps.get(&name).await);
    assert_eq!((code, reason.as_str()), (404, "NotFound"), "{message}");
    let (code, ..) = refusal(maps.delete(&name, &DeleteParams::default()).await);
    assert_eq!(code, 404);
}

async fn apply_gives_fields_to_managers(client: &Client) {
    let maps = maps(client);
    let name = fresh("applied");
    let wanted = |data: Value| {
        Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}))
    };
    let (ours, theirs) = (PatchParams::apply("portico"), PatchParams::apply("somebody"));
    let made = maps.patch(&name, &ours, &wanted(json!({"a": "1", "b": "1"}))).await;
    let made = made.expect("apply creates");
    assert_eq!(made.managed_fields()[0].manager.as_deref(), Some("portico"));
    let again = maps.patch(&name, &ours, &wanted(json!({"a": "1", "b": "1"}))).await;
    assert_eq!(
        again.expect("the same again").resource_version(),
        made.resource_version(),
        "the same again changes nothing"
    );

    let other = wanted(json!({"a": "2"}));
    let (code, reason, message) = refusal(maps.patch(&name, &theirs, &other).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"), "{message}");
    assert!(
        message.contains("\"portico\"") && message.contains(".data.a"),
        "{message}"
    );
    maps.patch(&name, &theirs, &wanted(json!({"a": "1"})))
        .await
        .expect("the same value is shared");
    let forced = maps
        .patch(&name, &theirs.clone().force(), &other)
        .await
        .expect("it is taken over");
    assert_eq!(
        forced.data.as_ref().and_then(|data| data.get("a")).map(String::as_str),
        Some("2")
    );

    // What a manager no longer states goes, unless somebody else states it.
    let less = maps
        .patch(&name, &ours, &wanted(json!({})))
        .await
        .expect("it can be applied");
    let left: Vec<String> = less.data.unwrap_or_default().into_keys().collect();
    assert_eq!(left, ["a"]);
    let params = PatchParams {
        field_manager: None,
        ..PatchParams::apply("")
    };
    let unnamed = maps.patch(&name, &params, &wanted(json!({}))).await;
    assert!(unnamed.is_err(), "an apply needs a manager");
    maps.delete(&name, &DeleteParams::default())
        .await
        .expect("it can be deleted");
}

async fn a_watch_tells_and_is_resumed_where_it_was_lost(client: &Client) {
    let maps = maps(client);
    let name = fresh("watched");
    let labels = format!("watched={name}");
    let begin = maps.list(&ListParams::default().labels(&labels)).await.expect("a list");
    assert!(begin.items.is_empty());
    let version = begin.metadata.resource_version.expect("a version");
    let parameters = WatchParams::default().labels(&labels).timeout(30);

    let reached = {
        let stream = maps.watch(&parameters, &version).await.expect("a watch");
        pin_mut!(stream);
        maps.create(&PostParams::default(), &map(&name, &json!({"a": "1"})))
            .await
            .expect("created");
        let (kind, seen) = next(&mut stream).await;
        assert_eq!((kind, seen.name_any()), ("ADDED", name.clone()));
        seen.resource_version().expect("a version")
    };

    // Nobody watches while these happen; nothing of it is lost, and nothing is told twice.
    for value in ["2", "3"] {
        let change = Patch::Merge(json!({"data": {"a": value}}));
        maps.patch(&name, &PatchParams::default(), &change)
            .await
            .expect("changed");
    }
    maps.delete(&name, &DeleteParams::default()).await.expect("deleted");
    let stream = maps.watch(&parameters, &reached).await.expect("a watch");
    pin_mut!(stream);
    let mut told = Vec::new();
    for _ in 0..3 {
        let (kind, seen) = next(&mut stream).await;
        told.push((
            kind,
            seen.data.unwrap_or_default().get("a").cloned().unwrap_or_default(),
        ));
    }
    let expected = [("MODIFIED", "2"), ("MODIFIED", "3"), ("DELETED", "3")].map(|(kind, a)| (kind, a.to_owned()));
    assert_eq!(told, expected);
}

/// The next event that is not a bookmark.
async fn next(
    stream: &mut (impl Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Unpin),
) -> (&'static str, ConfigMap) {
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("an event in time");
        match event.expect("the watch goes on").expect("it does not fail") {
            WatchEvent::Added(object) => return ("ADDED", object),
            WatchEvent::Modified(object) => return ("MODIFIED", object),
            WatchEvent::Deleted(object) => return ("DELETED", object),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => panic!("{status:?}"),
        }
    }
}

async fn a_forgotten_version_is_told_and_a_new_list_helps(client: &Client) {
    let maps = maps(client);
    let name = fresh("forgotten");
    maps.create(&PostParams::default(), &map(&name, &json!({})))
        .await
        .expect("created");
    // Argo CD's kinds were made known long after the first version of all.
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
    let applications: Api<DynamicObject> = Api::namespaced_with(client.clone(), "argocd", &resource);
    let refused = match applications.watch(&WatchParams::default(), "1").await {
        Err(kube::Error::Api(status)) => status.code,
        Err(other) => panic!("{other:?}"),
        Ok(stream) => {
            pin_mut!(stream);
            match tokio::time::timeout(PATIENCE, stream.next())
                .await
                .expect("an answer in time")
            {
                Some(Ok(WatchEvent::Error(status))) => status.code,
                other => panic!("an error was expected: {other:?}"),
            }
        }
    };
    assert_eq!(refused, 410);

    // The watcher that the portal uses lists anew.
    let stream = watcher(
        maps.clone(),
        watcher::Config::default().labels(&format!("watched={name}")),
    );
    pin_mut!(stream);
    let mut listed = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("an event in time");
        match event.expect("no end").expect("no error") {
            Event::InitApply(object) => listed.push(object.name_any()),
            Event::InitDone => break,
            _ => {}
        }
    }
    assert_eq!(listed, [name.as_str()]);
    maps.delete(&name, &DeleteParams::default()).await.expect("deleted");
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("an event in time");
        if let Event::Delete(object) = event.expect("no end").expect("no error") {
            assert_eq!(object.name_any(), name);
            break;
        }
    }
}

/// An object with a finalizer stays, marked, until whoever set it is done.
async fn finalizers_hold_a_deletion(client: &Client) {
    let maps = maps(client);
    let name = fresh("held");
    let mut held = map(&name, &json!({}));
    held.metadata.finalizers = Some(vec!["portico.example/held".to_owned()]);
    maps.create(&PostParams::default(), &held).await.expect("created");
    maps.delete(&name, &DeleteParams::default()).await.expect("accepted");
    let marked = maps.get(&name).await.expect("it is still there");
    assert!(marked.metadata.deletion_timestamp.is_some());
    let (code, reason, message) = refusal(maps.create(&PostParams::default(), &map(&name, &json!({}))).await);
    assert_eq!((code, reason.as_str()), (409, "AlreadyExists"), "{message}");
    let done = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch(&name, &PatchParams::default(), &done)
        .await
        .expect("released");
    assert_eq!(refusal(maps.get(&name).await).0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_keeps_the_contract() {
    let systems = Bench::start().await;
    let client = systems.kubernetes();
    objects_are_created_once_and_deleted(&client).await;
    apply_gives_fields_to_managers(&client).await;
    a_watch_tells_and_is_resumed_where_it_was_lost(&client).await;
    a_forgotten_version_is_told_and_a_new_list_helps(&client).await;
    finalizers_hold_a_deletion(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_is_refused() {
    let systems = Bench::start().await;
    let settings = portico::kubernetes::ClusterSettings {
        service_account_token: Some("not-a-token".to_owned()),
        ..systems.cluster.clone()
    };
    let client = portico::kubernetes::Cluster::new(&settings)
        .expect("settings that work")
        .client;
    let (code, reason, message) = refusal(maps(&client).list(&ListParams::default()).await);
    assert_eq!((code, reason.as_str()), (401, "Unauthorized"), "{message}");
}
