//! The Applications part of the API.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State},
};
use serde_json::{Value, json};

use super::{ArgoCd, error::Error, session::User};
use crate::{
    kubernetes::{
        deletion::{DeleteOptions, Propagation},
        kinds::Kind,
        patch::{PatchType, patched},
        selectors::Selector,
        writes::Write,
    },
    reconciler::application::{Application, FINALIZER, IN_CLUSTER, NAMESPACE, REFRESH, kind, modify},
};

type Parameters = Query<HashMap<String, String>>;
type Answer = Result<Json<Value>, Error>;

const MANAGER: &str = "argocd-server";
/// How long a read with `refresh` waits for the controller.
const PATIENCE: Duration = Duration::from_secs(60);

fn flag(parameters: &HashMap<String, String>, name: &str, otherwise: bool) -> bool {
    parameters.get(name).map_or(otherwise, |value| value == "true")
}

fn parse(body: &[u8]) -> Result<Value, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Error::invalid(error.to_string()))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Error::invalid("the body must be an object"))
    }
}

impl ArgoCd {
    fn kind(&self) -> Result<Arc<Kind>, Error> {
        Ok(kind(&self.shared.cluster)?)
    }

    /// Reads an Application with Argo CD's caution: who does not name its project learns nothing of its absence.
    pub(super) fn find(&self, name: &str, parameters: &HashMap<String, String>) -> Result<Arc<Value>, Error> {
        let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        if !matches!(text("appNamespace"), "" | NAMESPACE) {
            return Err(Error::denied());
        }
        let project = text("project");
        let kind = self.kind()?;
        match self.shared.cluster.get(&kind, NAMESPACE, name) {
            Ok(found) if project.is_empty() || found["spec"]["project"] == project => Ok(found),
            Ok(_) => Err(Error::denied()),
            Err(status) if project.is_empty() => {
                tracing::debug!(application = name, error = %status, "asked for an Application that is not there");
                Err(Error::denied())
            }
            Err(status) => Err(status.into()),
        }
    }

    /// What `argocd-server` checks and fills in before it stores a specification.
    async fn validated(&self, mut application: Value, check_source: bool) -> Result<Value, Error> {
        let name = application["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Error::invalid("application name is required"));
        }
        if !matches!(
            application["metadata"]["namespace"].as_str(),
            None | Some("" | NAMESPACE)
        ) {
            let namespace = &application["metadata"]["namespace"];
            return Err(Error::invalid(format!("namespace {namespace} is not permitted")));
        }
        application["metadata"]["namespace"] = json!(NAMESPACE);
        if application["spec"]["project"].as_str().unwrap_or_default().is_empty() {
            application["spec"]["project"] = json!("default");
        }
        let project = application["spec"]["project"].as_str().unwrap_or_default();
        let projects = self.shared.cluster.kind("argoproj.io", "AppProject")?;
        if self.shared.cluster.get(&projects, NAMESPACE, project).is_err() {
            return Err(Error::invalid(format!(
                "application references project {project} which does not exist"
            )));
        }
        if check_source {
            let invalid = |why: String| {
                Error::invalid(format!(
                    "application spec for {name} is invalid: InvalidSpecError: {why}"
                ))
            };
            self.shared
                .reconciler
                .check(&Application(Arc::new(application.clone())))
                .await
                .map_err(invalid)?;
        }
        Ok(application)
    }
}

/// `GET /api/v1/applications`
pub async fn list(State(argocd): State<ArgoCd>, Query(parameters): Parameters) -> Answer {
    let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let selector = Selector::parse(text("selector"), "")?;
    let kind = argocd.kind()?;
    let list = argocd.shared.cluster.list(&kind, NAMESPACE, &selector);
    let mut items = list.items;
    items.retain(|one| {
        let is = |value: &Value, wanted: &str| wanted.is_empty() || value == wanted;
        is(&one["metadata"]["name"], text("name")) && is(&one["spec"]["source"]["repoURL"], text("repo"))
    });
    let project = [text("projects"), text("project")]
        .into_iter()
        .find(|project| !project.is_empty());
    items.retain(|one| project.is_none_or(|project| one["spec"]["project"] == project));
    let items = items.iter().map(|one| (**one).clone()).collect::<Vec<_>>();
    // An empty list is null in Go.
    let items = if items.is_empty() {
        Value::Null
    } else {
        Value::Array(items)
    };
    Ok(Json(
        json!({ "metadata": { "resourceVersion": list.version.to_string() }, "items": items }),
    ))
}

/// `POST /api/v1/applications`: an identical one is answered as if it had been made, another one is refused unless
/// `upsert=true`.
pub async fn create(State(argocd): State<ArgoCd>, Query(parameters): Parameters, body: Bytes) -> Answer {
    let sent = argocd
        .validated(parse(&body)?, flag(&parameters, "validate", true))
        .await?;
    let name = sent["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let kind = argocd.kind()?;
    let cluster = &argocd.shared.cluster;
    let existing = match cluster.create(&kind, NAMESPACE, sent.clone(), Write::by(MANAGER)) {
        Ok(created) => return Ok(Json((*created).clone())),
        Err(status) if status.reason == "AlreadyExists" => cluster.get(&kind, NAMESPACE, &name)?,
        Err(status) => return Err(status.into()),
    };
    let same = |field: &str| {
        let plain = |value: &Value| {
            let empty =
                value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
            if empty { Value::Null } else { value.clone() }
        };
        plain(&existing["metadata"][field]) == plain(&sent["metadata"][field])
    };
    if existing["spec"] == sent["spec"] && ["labels", "annotations", "finalizers"].into_iter().all(same) {
        return Ok(Json((*existing).clone()));
    }
    if !flag(&parameters, "upsert", false) {
        return Err(Error::invalid(
            "existing application spec is different, use upsert flag to force update",
        ));
    }
    replace(&argocd, &name, &sent)
}

fn replace(argocd: &ArgoCd, name: &str, sent: &Value) -> Answer {
    let updated = modify(&argocd.shared.cluster, name, |object| {
        object["spec"] = sent["spec"].clone();
        for field in ["labels", "annotations", "finalizers"] {
            let Some(metadata) = object["metadata"].as_object_mut() else {
                continue;
            };
            match sent["metadata"].get(field).filter(|value| !value.is_null()) {
                Some(value) => metadata.insert(field.into(), value.clone()),
                None => metadata.shift_remove(field),
            };
        }
    })?;
    updated.map(|one| Json((*one.0).clone())).ok_or_else(Error::denied)
}

/// `GET /api/v1/applications/{name}`, with `refresh=normal|hard` after a fresh look at the repository.
pub async fn read(State(argocd): State<ArgoCd>, Path(name): Path<String>, Query(parameters): Parameters) -> Answer {
    let found = argocd.find(&name, &parameters)?;
    let refresh = match parameters.get("refresh").map(String::as_str) {
        None | Some("") => return Ok(Json((*found).clone())),
        Some("hard") => "hard",
        Some(_) => "normal",
    };
    let cluster = &argocd.shared.cluster;
    let mut changes = cluster.changes();
    modify(cluster, &name, |object| {
        object["metadata"]["annotations"][REFRESH] = json!(refresh)
    })?;
    let refreshed = async {
        loop {
            let found = argocd.find(&name, &parameters)?;
            if found["metadata"]["annotations"][REFRESH].is_null() {
                return Ok(Json((*found).clone()));
            }
            let _ = changes.changed().await;
        }
    };
    match tokio::time::timeout(PATIENCE, refreshed).await {
        Ok(answer) => answer,
        Err(_) => Ok(Json((*argocd.find(&name, &parameters)?).clone())),
    }
}

/// `PUT /api/v1/applications/{name}`
pub async fn update(
    State(argocd): State<ArgoCd>,
    Path(name): Path<String>,
    Query(parameters): Parameters,
    body: Bytes,
) -> Answer {
    let mut sent = parse(&body)?;
    argocd.find(&name, &parameters)?;
    sent["metadata"]["name"] = json!(name);
    let sent = argocd.validated(sent, flag(&parameters, "validate", true)).await?;
    replace(&argocd, &name, &sent)
}

/// `PUT /api/v1/applications/{name}/spec`
pub async fn update_spec(
    State(argocd): State<ArgoCd>,
    Path(name): Path<String>,
    Query(parameters): Parameters,
    body: Bytes,
) -> Answer {
    let mut sent = (*argocd.find(&name, &parameters)?).clone();
    sent["spec"] = parse(&body)?;
    let sent = argocd.validated(sent, flag(&parameters, "validate", true)).await?;
    let Json(updated) = replace(&argocd, &name, &sent)?;
    Ok(Json(updated["spec"].clone()))
}

/// `PATCH /api/v1/applications/{name}`: `{patch: "<JSON as text>", patchType: "merge"|"json"}`
pub async fn patch(
    State(argocd): State<ArgoCd>,
    Path(name): Path<String>,
    Query(parameters): Parameters,
    body: Bytes,
) -> Answer {
    let sent = parse(&body)?;
    let found = argocd.find(&name, &parameters)?;
    let patch = serde_json::from_str(sent["patch"].as_str().unwrap_or_default())
        .map_err(|error| Error::invalid(format!("error decoding patch: {error}")))?;
    let patch_type = match sent["patchType"].as_str() {
        Some("json") => PatchType::Json,
        Some("merge") => PatchType::Merge,
        other => {
            return Err(Error::invalid(format!(
                "Patch type '{}' is not supported",
                other.unwrap_or_default()
            )));
        }
    };
    let changed = patched(&*argocd.kind()?, &found, &patch, patch_type)?;
    let changed = argocd.validated(changed, true).await?;
    replace(&argocd, &name, &changed)
}

/// `DELETE /api/v1/applications/{name}`: with its resources, unless `cascade=false`.
pub async fn remove(State(argocd): State<ArgoCd>, Path(name): Path<String>, Query(parameters): Parameters) -> Answer {
    argocd.find(&name, &parameters)?;
    let finalizer = match parameters.get("propagationPolicy").map(String::as_str) {
        None | Some("" | "foreground") => FINALIZER.to_owned(),
        Some("background") => format!("{FINALIZER}/background"),
        Some(other) => return Err(Error::invalid(format!("invalid propagation policy: {other}"))),
    };
    let cascade = flag(&parameters, "cascade", true);
    modify(&argocd.shared.cluster, &name, |object| {
        let before = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let ours = |one: &Value| one.as_str().is_some_and(|one| one.starts_with(FINALIZER));
        let mut after = before.into_iter().filter(|one| !ours(one)).collect::<Vec<_>>();
        if cascade {
            after.push(json!(finalizer));
        }
        object["metadata"]["finalizers"] = Value::Array(after);
    })?;
    let options = DeleteOptions {
        propagation: Propagation::Background,
        ..DeleteOptions::default()
    };
    match argocd
        .shared
        .cluster
        .delete(&*argocd.kind()?, NAMESPACE, &name, &options)
    {
        Err(status) if status.code != 404 => Err(status.into()),
        _ => Ok(Json(json!({}))),
    }
}

/// `POST /api/v1/applications/{name}/sync`: `{revision, prune, dryRun, …}`
pub async fn sync(
    State(argocd): State<ArgoCd>,
    Extension(user): Extension<User>,
    Path(name): Path<String>,
    Query(parameters): Parameters,
    body: Bytes,
) -> Answer {
    let sent = if body.is_empty() { json!({}) } else { parse(&body)? };
    let found = argocd.find(&name, &parameters)?;
    if found["operation"].is_object() {
        return Err(Error::precondition("another operation is already in progress"));
    }
    if !found["metadata"]["deletionTimestamp"].is_null() {
        return Err(Error::precondition("application is deleting"));
    }
    let mut request = json!({ "prune": sent["prune"] == true });
    let revision = sent["revision"].as_str().unwrap_or_default();
    if !revision.is_empty() {
        let own = found["spec"]["source"]["targetRevision"].as_str().unwrap_or_default();
        if found["spec"]["syncPolicy"]["automated"].is_object() && revision != own {
            return Err(Error::precondition(format!(
                "Cannot sync to {revision}: auto-sync currently set to {}",
                if own.is_empty() { "HEAD" } else { own }
            )));
        }
        request["revision"] = json!(revision);
    }
    if sent["syncOptions"]["items"].is_array() {
        request["syncOptions"] = sent["syncOptions"]["items"].clone();
    } else if found["spec"]["syncPolicy"]["syncOptions"].is_array() {
        request["syncOptions"] = found["spec"]["syncPolicy"]["syncOptions"].clone();
    }
    if sent["dryRun"] == true {
        return Ok(Json((*found).clone()));
    }
    let mut operation = json!({ "initiatedBy": { "username": user.0 }, "sync": request });
    for retry in [&sent["retryStrategy"], &found["spec"]["syncPolicy"]["retry"]] {
        if retry.is_object() && operation["retry"].is_null() {
            operation["retry"] = retry.clone();
        }
    }
    let updated = modify(&argocd.shared.cluster, &name, |object| {
        if object["operation"].is_null() {
            object["operation"] = operation.clone();
        }
    })?;
    updated.map(|one| Json((*one.0).clone())).ok_or_else(Error::denied)
}

/// `DELETE /api/v1/applications/{name}/operation`: ends a running sync.
pub async fn terminate(
    State(argocd): State<ArgoCd>,
    Path(name): Path<String>,
    Query(parameters): Parameters,
) -> Answer {
    let found = argocd.find(&name, &parameters)?;
    if !found["operation"].is_object() {
        return Err(Error::invalid(
            "Unable to terminate operation. No operation is in progress",
        ));
    }
    modify(&argocd.shared.cluster, &name, |object| {
        object["status"]["operationState"]["phase"] = json!("Terminating");
    })?;
    Ok(Json(json!({})))
}

/// `GET /api/v1/applications/{name}/resource-tree`: what belongs to it, with what that owns.
pub async fn resource_tree(
    State(argocd): State<ArgoCd>,
    Path(name): Path<String>,
    Query(parameters): Parameters,
) -> Answer {
    argocd.find(&name, &parameters)?;
    Ok(Json(json!({ "nodes": argocd.shared.reconciler.tree(&name) })))
}

/// `GET /api/v1/projects`
pub async fn projects(State(argocd): State<ArgoCd>) -> Answer {
    let kind = argocd.shared.cluster.kind("argoproj.io", "AppProject")?;
    let list = argocd.shared.cluster.list(&kind, NAMESPACE, &Selector::default());
    let items = list.items.iter().map(|one| (**one).clone()).collect::<Vec<_>>();
    Ok(Json(
        json!({ "metadata": { "resourceVersion": list.version.to_string() }, "items": items }),
    ))
}

/// `GET /api/v1/projects/{name}`
pub async fn project(State(argocd): State<ArgoCd>, Path(name): Path<String>) -> Answer {
    let kind = argocd.shared.cluster.kind("argoproj.io", "AppProject")?;
    Ok(Json((*argocd.shared.cluster.get(&kind, NAMESPACE, &name)?).clone()))
}

/// `POST /api/v1/projects`: `{project}`; an identical one is answered as if it had been made.
pub async fn create_project(State(argocd): State<ArgoCd>, body: Bytes) -> Answer {
    let mut project = parse(&body)?["project"].take();
    let name = project["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(Error::invalid("project name is required"));
    }
    project["apiVersion"] = json!("argoproj.io/v1alpha1");
    project["kind"] = json!("AppProject");
    project["metadata"]["namespace"] = json!(NAMESPACE);
    let cluster = &argocd.shared.cluster;
    let kind = cluster.kind("argoproj.io", "AppProject")?;
    let spec = project["spec"].clone();
    match cluster.create(&kind, NAMESPACE, project, Write::by(MANAGER)) {
        Ok(created) => Ok(Json((*created).clone())),
        Err(status) if status.reason == "AlreadyExists" => {
            let existing = cluster.get(&kind, NAMESPACE, &name)?;
            if existing["spec"] == spec {
                return Ok(Json((*existing).clone()));
            }
            Err(Error::invalid(
                "existing project spec is different, use upsert flag to force update",
            ))
        }
        Err(status) => Err(status.into()),
    }
}

/// `GET /api/v1/clusters`
pub async fn clusters() -> Json<Value> {
    Json(json!({ "metadata": {}, "items": [{
        "server": IN_CLUSTER, "name": "in-cluster", "connectionState": { "status": "Successful" },
    }] }))
}
