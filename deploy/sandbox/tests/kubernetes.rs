//! The Kubernetes stand-in as kube-rs sees it, over TLS with the kubeconfig that it writes.

mod support;

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Namespace, Pod, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
        WatchEvent, WatchParams,
    },
    core::Status as ErrorStatus,
    runtime::watcher,
};
use portico_sandbox::Sandbox;
use serde_json::{Value, json};
use support::{client, eventually, sandbox};

fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> Box<ErrorStatus> {
    match result {
        Err(kube::Error::Api(status)) => status,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn deployment(name: &str, replicas: i32, image: &str) -> Deployment {
    serde_json::from_value(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]},
            },
        },
    }))
    .expect("a deployment")
}

fn config_map(name: &str, labels: Value) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "data": {"a": "b"}}))
        .expect("a config map")
}

fn applications(client: &Client) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application"));
    Api::namespaced_with(client.clone(), "argocd", &resource)
}

#[tokio::test]
async fn objects_are_created_read_changed_and_deleted() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let made = maps
        .create(&PostParams::default(), &config_map("one", json!({"x": "1"})))
        .await
        .expect("created");
    assert!(made.uid().is_some() && made.resource_version().is_some() && made.creation_timestamp().is_some());
    let again = refusal(maps.create(&PostParams::default(), &config_map("one", json!({}))).await);
    assert_eq!((again.code, again.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(again.message, "configmaps \"one\" already exists");
    let bad = refusal(
        maps.create(&PostParams::default(), &config_map("Not_Good", json!({})))
            .await,
    );
    assert_eq!((bad.code, bad.reason.as_str()), (422, "Invalid"));
    let nowhere: Api<ConfigMap> = Api::namespaced(client.clone(), "nowhere");
    let lost = refusal(
        nowhere
            .create(&PostParams::default(), &config_map("one", json!({})))
            .await,
    );
    assert_eq!(
        (lost.code, lost.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );

    let mut first = made.clone();
    first.data = Some(BTreeMap::from([("a".into(), "c".into())]));
    let changed = maps
        .replace("one", &PostParams::default(), &first)
        .await
        .expect("replaced");
    assert_ne!(changed.resource_version(), made.resource_version());
    let stale = refusal(maps.replace("one", &PostParams::default(), &first).await);
    assert_eq!((stale.code, stale.reason.as_str()), (409, "Conflict"));
    let rehearsed = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    maps.patch("one", &rehearsed, &Patch::Merge(json!({"data": {"a": null}})))
        .await
        .expect("rehearsed");
    assert_eq!(maps.get("one").await.expect("read").data, first.data);

    for index in 0..5 {
        maps.create(
            &PostParams::default(),
            &config_map(&format!("page-{index}"), json!({"page": "yes"})),
        )
        .await
        .expect("created");
    }
    let mut pages = ListParams::default().labels("page=yes").limit(2);
    let mut names = Vec::new();
    loop {
        let page = maps.list(&pages).await.expect("a page");
        names.extend(page.items.iter().map(ResourceExt::name_any));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => pages = pages.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["page-0", "page-1", "page-2", "page-3", "page-4"]);
    let one = maps
        .list(&ListParams::default().fields("metadata.name=one"))
        .await
        .expect("listed");
    assert_eq!(one.items.len(), 1);
    maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("page=yes"))
        .await
        .expect("deleted");
    assert!(
        maps.list(&ListParams::default().labels("page"))
            .await
            .expect("listed")
            .items
            .is_empty()
    );
    assert!(
        maps.delete("one", &DeleteParams::default())
            .await
            .expect("deleted")
            .is_right()
    );
    assert!(maps.get_opt("one").await.expect("asked").is_none());
    let gone = refusal(maps.delete("one", &DeleteParams::default()).await);
    assert_eq!(gone.message, "configmaps \"one\" not found");
}

#[tokio::test]
async fn only_who_has_the_token_comes_in() {
    let (_folder, sandbox) = sandbox().await;
    let authority = reqwest::Certificate::from_pem(&std::fs::read(sandbox.ca_certificate()).expect("the authority"));
    let http = reqwest::Client::builder()
        .tls_certs_only([authority.expect("PEM")])
        .build()
        .expect("a client");
    for token in [None, Some("wrong")] {
        let mut request = http.get(format!("{}/api/v1/namespaces", sandbox.urls.kubernetes));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 401);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(
            (&body["kind"], &body["reason"]),
            (&json!("Status"), &json!("Unauthorized"))
        );
    }
    let health = http
        .get(format!("{}/readyz", sandbox.urls.kubernetes))
        .send()
        .await
        .expect("an answer");
    assert_eq!(health.text().await.expect("text"), "ok");
    use std::os::unix::fs::PermissionsExt;
    for file in ["kubeconfig.yaml", "token.json", "server.key", "objects.jsonl"] {
        let mode = std::fs::metadata(sandbox.data().join("kubernetes").join(file))
            .expect(file)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn discovery_serves_a_generic_client() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let found = kube::discovery::Discovery::new(client.clone())
        .run()
        .await
        .expect("discovery");
    let group = found
        .groups()
        .find(|group| group.name() == "argoproj.io")
        .expect("Argo CD's group");
    assert!(group.recommended_kind("Application").is_some());
    assert!(found.groups().any(|group| group.name() == "apps"));
    assert_eq!(client.apiserver_version().await.expect("version").minor, "33");
    let unknown = ApiResource::from_gvk(&GroupVersionKind::gvk("ray.io", "v1", "RayService"));
    let services: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &unknown);
    assert_eq!(refusal(services.get("x").await).code, 404);
    let object = DynamicObject::new("x", &unknown).data(json!({"spec": {"any": ["thing"]}}));
    services
        .create(&PostParams::default(), &object)
        .await
        .expect("an unknown kind is learned");
    assert_eq!(
        services.list(&ListParams::default()).await.expect("listed").items.len(),
        1
    );
}

#[tokio::test]
async fn apply_reports_conflicts_and_removes_what_is_no_longer_stated() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let api = applications(&client);
    let application = |revision: &str| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "demo", "labels": {"backstage-name": "demo"}},
            "spec": {"project": "missing", "destination": {"namespace": "default", "server": "https://kubernetes.default.svc"},
                     "source": {"repoURL": "http://localhost/a/b", "path": "manifests", "targetRevision": revision}},
        })
    };
    let portal = PatchParams::apply("portal");
    let made = api
        .patch("demo", &portal, &Patch::Apply(application("main")))
        .await
        .expect("applied");
    assert_eq!(made.managed_fields()[0].manager.as_deref(), Some("portal"));
    let again = api
        .patch("demo", &portal, &Patch::Apply(application("main")))
        .await
        .expect("applied again");
    let specs = (&made.data["spec"], &again.data["spec"]);
    assert_eq!(specs.0, specs.1);
    let other = PatchParams::apply("other");
    let refused = refusal(api.patch("demo", &other, &Patch::Apply(application("next"))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert!(
        refused.message.contains("conflict with \"portal\""),
        "{}",
        refused.message
    );
    api.patch("demo", &other.clone().force(), &Patch::Apply(application("next")))
        .await
        .expect("forced");
    let mut less = application("next");
    less["metadata"]
        .as_object_mut()
        .expect("metadata")
        .shift_remove("labels");
    api.patch("demo", &other, &Patch::Apply(less.clone()))
        .await
        .expect("applied");
    assert!(
        api.get("demo")
            .await
            .expect("read")
            .labels()
            .contains_key("backstage-name"),
        "the portal still owns it"
    );
    api.patch("demo", &portal.clone().force(), &Patch::Apply(less))
        .await
        .expect("applied");
    assert!(api.get("demo").await.expect("read").labels().is_empty());
    let nameless = PatchParams {
        field_manager: None,
        ..PatchParams::default()
    };
    let merge = Patch::Merge(json!({"metadata": {"annotations": {"a": "b"}}}));
    api.patch("demo", &nameless, &merge).await.expect("merged");
    let strategic = refusal(
        api.patch("demo", &nameless, &Patch::<Value>::Strategic(json!({})))
            .await,
    );
    assert_eq!(strategic.code, 415);
}

#[tokio::test]
async fn watches_tell_of_changes_and_of_being_too_late() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let version = maps
        .list(&ListParams::default())
        .await
        .expect("listed")
        .metadata
        .resource_version
        .expect("a version");
    maps.create(&PostParams::default(), &config_map("one", json!({"watched": "yes"})))
        .await
        .expect("created");
    maps.patch(
        "one",
        &PatchParams::default(),
        &Patch::Merge(json!({"data": {"a": "x"}})),
    )
    .await
    .expect("changed");
    maps.patch(
        "one",
        &PatchParams::default(),
        &Patch::Merge(json!({"metadata": {"labels": null}})),
    )
    .await
    .expect("changed");
    let stream = maps
        .watch(&WatchParams::default().labels("watched=yes").timeout(1), &version)
        .await
        .expect("a watch");
    let events = stream.try_collect::<Vec<_>>().await.expect("events");
    let names = events.iter().map(|event| match event {
        WatchEvent::Added(_) => "added",
        WatchEvent::Modified(_) => "modified",
        WatchEvent::Deleted(_) => "deleted",
        WatchEvent::Bookmark(_) => "bookmark",
        WatchEvent::Error(_) => "error",
    });
    assert_eq!(names.collect::<Vec<_>>(), ["added", "modified", "deleted", "bookmark"]);

    let folder = sandbox.data().to_owned();
    sandbox.shutdown().await;
    let sandbox = Sandbox::start(portico_sandbox::Options::new(folder, "http://localhost:7007"))
        .await
        .expect("again");
    let client = support::client(&sandbox).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    assert!(maps.get("one").await.is_ok(), "objects survive");
    for (version, code) in [("1", 410), ("99999999", 504)] {
        let stream = maps.watch(&WatchParams::default(), version).await.expect("a watch");
        pin_mut!(stream);
        match stream.next().await {
            Some(Ok(WatchEvent::Error(status))) => assert_eq!(status.code, code),
            other => panic!("expected an error event, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn both_ways_of_listing_serve_a_watcher() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    maps.create(&PostParams::default(), &config_map("old", json!({})))
        .await
        .expect("created");
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let stream = watcher(maps.clone(), config);
        pin_mut!(stream);
        let mut seen = Vec::new();
        while !seen.iter().any(|one| one == "gone new") {
            let event = tokio::time::timeout(Duration::from_secs(20), stream.next())
                .await
                .expect("in time");
            match event.expect("no end").expect("no error") {
                watcher::Event::Init => seen.push("init".to_owned()),
                watcher::Event::InitApply(object) => seen.push(format!("init {}", object.name_any())),
                watcher::Event::InitDone => {
                    seen.push("done".to_owned());
                    maps.create(&PostParams::default(), &config_map("new", json!({})))
                        .await
                        .expect("created");
                }
                watcher::Event::Apply(object) => {
                    seen.push(format!("apply {}", object.name_any()));
                    maps.delete("new", &DeleteParams::default()).await.expect("deleted");
                }
                watcher::Event::Delete(object) => seen.push(format!("gone {}", object.name_any())),
            }
        }
        assert_eq!(seen, ["init", "init old", "done", "apply new", "gone new"]);
    }
}

#[tokio::test]
async fn deployments_roll_out_fail_and_scale() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let sets: Api<ReplicaSet> = Api::default_namespaced(client.clone());
    deployments
        .create(&PostParams::default(), &deployment("web", 2, "nginx:1"))
        .await
        .expect("created");
    let ready = async |count: i32| {
        eventually(|| async {
            let found = deployments.get("web").await.expect("read");
            let status = found.status.clone().unwrap_or_default();
            let settled = status.observed_generation == found.metadata.generation && status.replicas == Some(count);
            settled && status.ready_replicas == Some(count) && status.updated_replicas == Some(count)
        })
        .await;
    };
    ready(2).await;
    assert_eq!(
        pods.list(&ListParams::default().labels("app=web"))
            .await
            .expect("listed")
            .items
            .len(),
        2
    );
    let scale = Patch::Merge(json!({"spec": {"replicas": 1}}));
    let scaled = deployments
        .patch("web", &PatchParams::default(), &scale)
        .await
        .expect("scaled");
    assert_eq!(scaled.metadata.generation, Some(2));
    ready(1).await;
    assert_eq!(pods.list(&ListParams::default()).await.expect("listed").items.len(), 1);

    let image = json!({"spec": {"progressDeadlineSeconds": 1, "template": {"spec": {"containers": [{"name": "web", "image": "nginx:does-not-exist"}]}}}});
    let patched = deployments
        .patch("web", &PatchParams::default(), &Patch::Strategic(image))
        .await
        .expect("patched");
    let ports = patched
        .spec
        .and_then(|spec| spec.template.spec)
        .and_then(|pod| pod.containers[0].ports.clone());
    assert!(ports.is_some(), "a strategic patch keeps the rest of the container");
    eventually(|| async {
        let status = deployments.get("web").await.expect("read").status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        conditions
            .iter()
            .any(|one| one.reason.as_deref() == Some("ProgressDeadlineExceeded"))
            && status.available_replicas == Some(1)
    })
    .await;
    deployments
        .delete("web", &DeleteParams::foreground())
        .await
        .expect("deleted");
    eventually(|| async {
        let left = pods.list(&ListParams::default()).await.expect("listed").items.len()
            + sets.list(&ListParams::default()).await.expect("listed").items.len();
        left == 0 && deployments.get_opt("web").await.expect("asked").is_none()
    })
    .await;
}

#[tokio::test]
async fn finalizers_hold_and_namespaces_empty_themselves() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let space: Namespace = serde_json::from_value(json!({"metadata": {"name": "team"}})).expect("a namespace");
    namespaces
        .create(&PostParams::default(), &space)
        .await
        .expect("created");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "team");
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"generateName": "key-", "finalizers": ["example.com/hold"]}, "stringData": {"a": "b"},
    }))
    .expect("a secret");
    let secret = secrets.create(&PostParams::default(), &secret).await.expect("created");
    let name = secret.name_any();
    assert!(name.starts_with("key-") && name.len() == 9, "{name}");
    assert_eq!(secret.data.expect("data")["a"].0, b"b");
    namespaces
        .delete("team", &DeleteParams::default())
        .await
        .expect("deleted");
    eventually(|| async {
        secrets
            .get(&name)
            .await
            .is_ok_and(|secret| secret.metadata.deletion_timestamp.is_some())
    })
    .await;
    let late = refusal(
        secrets
            .create(
                &PostParams::default(),
                &Secret {
                    metadata: kube::api::ObjectMeta {
                        name: Some("late".into()),
                        ..Default::default()
                    },
                    ..Secret::default()
                },
            )
            .await,
    );
    assert_eq!((late.code, late.reason.as_str()), (403, "Forbidden"));
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    secrets
        .patch(&name, &PatchParams::default(), &release)
        .await
        .expect("released");
    eventually(|| async { namespaces.get_opt("team").await.expect("asked").is_none() }).await;
    assert_eq!(
        refusal(namespaces.delete("default", &DeleteParams::default()).await).code,
        403
    );
}
