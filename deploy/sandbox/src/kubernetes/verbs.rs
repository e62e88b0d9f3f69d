//! One function a verb: get, list, create, update, patch, delete.

use std::sync::Arc;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    api::{Parameters, is_true},
    cluster::Cluster,
    deletion::{DeleteOptions, Propagation},
    kinds::Kind,
    patch::PatchType,
    paths::Address,
    selectors::Selector,
    status::{Cause, Status},
    writes::Write,
};

const PATCHES: &str = "application/json-patch+json, application/merge-patch+json, \
    application/strategic-merge-patch+json, application/apply-patch+yaml";

/// One request, understood as far as its headers and URL go.
pub(super) struct Call<'a> {
    pub cluster: &'a Cluster,
    pub address: &'a Address,
    pub parameters: &'a Parameters,
    /// The client wants `PartialObjectMetadata`.
    pub metadata_only: bool,
    pub manager: String,
}

impl Call<'_> {
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    pub fn kind(&self) -> Result<Arc<Kind>, Status> {
        self.address.kind(self.cluster, None)
    }

    pub fn selector(&self) -> Result<Selector, Status> {
        Selector::parse(self.parameter("labelSelector"), self.parameter("fieldSelector"))
    }

    /// The object in the form the client asked for.
    pub fn shown(&self, object: &Value) -> Value {
        if self.metadata_only {
            json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"],
            })
        } else {
            object.clone()
        }
    }

    pub fn get(&self) -> Result<Response, Status> {
        let kind = self.kind()?;
        let object = self.cluster.get(&kind, &self.address.namespace, &self.address.name)?;
        match (self.address.subresource.as_str(), kind.kind.as_str()) {
            ("", _) => Ok(Json(self.shown(&object)).into_response()),
            ("status", _) if kind.status => Ok(Json(self.shown(&object)).into_response()),
            ("scale", _) if scalable(&kind) => Ok(Json(scale(&object)).into_response()),
            ("log", "Pod") => Ok(log(&object).into_response()),
            _ => Err(Status::no_such_resource()),
        }
    }

    pub fn list(&self) -> Result<Response, Status> {
        let kind = self.kind()?;
        let list = self.cluster.list(&kind, &self.address.namespace, &self.selector()?);
        let (mut version, mut items) = (list.version, list.items);
        let place = |object: &Value| {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        };
        if let Some(token) = self.parameters.get("continue").filter(|token| !token.is_empty()) {
            let (asked, after) = read_token(token)?;
            if asked < self.cluster.lock().objects.oldest() {
                return Err(Status::expired(asked, version));
            }
            // The first page's version: a watch from there tells of everything that changed between the pages.
            version = asked;
            items.retain(|object| place(object) > after);
        }
        let limit = self.parameter("limit").parse().unwrap_or(0_usize);
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if limit > 0 && items.len() > limit {
            metadata["remainingItemCount"] = json!(items.len() - limit);
            items.truncate(limit);
            let last = items.last().map(|object| place(object)).unwrap_or_default();
            metadata["continue"] = json!(write_token(version, &last));
        }
        Ok(Json(self.list_document(&kind, metadata, &items)).into_response())
    }

    fn list_document(&self, kind: &Kind, metadata: Value, items: &[Arc<Value>]) -> Value {
        let items = items.iter().map(|object| {
            let mut item = self.shown(object);
            // Lists of Kubernetes' own kinds say it once, at the top.
            if kind.builtin
                && !self.metadata_only
                && let Some(fields) = item.as_object_mut()
            {
                fields.shift_remove("apiVersion");
                fields.shift_remove("kind");
            }
            item
        });
        let items = items.collect::<Vec<_>>();
        if self.metadata_only {
            return json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            });
        }
        json!({
            "kind": format!("{}List", kind.kind),
            "apiVersion": kind.api_version(),
            "metadata": metadata,
            "items": items,
        })
    }

    fn write(&self, kind: &Kind) -> Result<Write<'_>, Status> {
        let dry_run = match self.parameters.get("dryRun").map(String::as_str) {
            None | Some("") => false,
            Some("All") => true,
            Some(other) => return Err(Status::bad_request(format!("dryRun: Unsupported value: \"{other}\""))),
        };
        match self.address.subresource.as_str() {
            "" => Ok(Write {
                manager: &self.manager,
                dry_run,
                subresource: "",
            }),
            "status" if kind.status => Ok(Write {
                manager: &self.manager,
                dry_run,
                subresource: "status",
            }),
            _ => Err(Status::no_such_resource()),
        }
    }

    pub fn create(&self, body: Value) -> Result<Response, Status> {
        let kind = self.address.kind(self.cluster, body["kind"].as_str())?;
        if kind.namespaced && self.address.namespace.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let object = self
            .cluster
            .create(&kind, &self.address.namespace, body, self.write(&kind)?)?;
        Ok((StatusCode::CREATED, Json(self.shown(&object))).into_response())
    }

    pub fn update(&self, body: Value) -> Result<Response, Status> {
        let kind = self.kind()?;
        let (namespace, name) = (self.address.namespace.as_str(), self.address.name.as_str());
        if self.address.subresource == "scale" && scalable(&kind) {
            return self.rescale(&kind, &body);
        }
        let object = self.cluster.update(&kind, namespace, name, body, self.write(&kind)?)?;
        Ok(Json(self.shown(&object)).into_response())
    }

    pub fn patch(&self, content_type: &str, body: Value) -> Result<Response, Status> {
        let taught_by = body["kind"]
            .as_str()
            .filter(|_| content_type.starts_with("application/apply-patch"));
        let kind = self.address.kind(self.cluster, taught_by)?;
        let (namespace, name) = (self.address.namespace.as_str(), self.address.name.as_str());
        if self.address.subresource == "scale" && scalable(&kind) {
            return self.rescale(&kind, &body);
        }
        let patch_type = match content_type {
            "application/json-patch+json" => PatchType::Json,
            "application/merge-patch+json" => PatchType::Merge,
            "application/strategic-merge-patch+json" => PatchType::Strategic,
            "application/apply-patch+yaml" | "application/apply-patch+json" => return self.apply(&kind, body),
            _ => return Err(Status::unsupported_media_type(PATCHES)),
        };
        let object = self
            .cluster
            .patch(&kind, namespace, name, &body, patch_type, self.write(&kind)?)?;
        Ok(Json(self.shown(&object)).into_response())
    }

    fn apply(&self, kind: &Kind, body: Value) -> Result<Response, Status> {
        if self.parameter("fieldManager").is_empty() {
            let options = Kind {
                group: "meta.k8s.io".into(),
                kind: "PatchOptions".into(),
                ..kind.clone()
            };
            let cause = Cause::required("fieldManager", "is required for apply patch");
            return Err(Status::invalid(&options, "", &[cause]));
        }
        let (namespace, name) = (self.address.namespace.as_str(), self.address.name.as_str());
        let force = is_true(self.parameters, "force");
        let (object, created) = self
            .cluster
            .apply(kind, namespace, name, body, force, self.write(kind)?)?;
        let code = if created { StatusCode::CREATED } else { StatusCode::OK };
        Ok((code, Json(self.shown(&object))).into_response())
    }

    fn rescale(&self, kind: &Kind, body: &Value) -> Result<Response, Status> {
        let Some(replicas) = body["spec"]["replicas"].as_i64() else {
            return Err(Status::bad_request("a scale needs spec.replicas"));
        };
        let patch = json!({ "spec": { "replicas": replicas } });
        let write = Write::by(&self.manager);
        let (namespace, name) = (self.address.namespace.as_str(), self.address.name.as_str());
        let object = self
            .cluster
            .patch(kind, namespace, name, &patch, PatchType::Merge, write)?;
        Ok(Json(scale(&object)).into_response())
    }

    pub fn delete(&self, body: Value) -> Result<Response, Status> {
        let kind = self.kind()?;
        if !self.address.subresource.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let options = self.delete_options(&body)?;
        let deleted = self
            .cluster
            .delete(&kind, &self.address.namespace, &self.address.name, &options)?;
        if deleted.pending {
            return Ok(Json(self.shown(&deleted.object)).into_response());
        }
        let mut details = json!({
            "name": self.address.name,
            "kind": kind.plural,
            "uid": deleted.object["metadata"]["uid"],
        });
        if !kind.group.is_empty() {
            details["group"] = json!(kind.group);
        }
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        Ok(Json(status).into_response())
    }

    pub fn delete_collection(&self, body: Value) -> Result<Response, Status> {
        let kind = self.kind()?;
        if kind.namespaced && self.address.namespace.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let options = self.delete_options(&body)?;
        let list = self.cluster.list(&kind, &self.address.namespace, &self.selector()?);
        for object in &list.items {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            match self.cluster.delete(&kind, &self.address.namespace, name, &options) {
                Err(status) if status.code != 404 => return Err(status),
                _ => {}
            }
        }
        let metadata = json!({ "resourceVersion": self.cluster.version().to_string() });
        Ok(Json(self.list_document(&kind, metadata, &list.items)).into_response())
    }

    /// `DeleteOptions` come in the body, and their main parts also as parameters.
    fn delete_options(&self, body: &Value) -> Result<DeleteOptions, Status> {
        let propagation = body["propagationPolicy"]
            .as_str()
            .unwrap_or_else(|| self.parameter("propagationPolicy"));
        let propagation = match propagation {
            "" if body["orphanDependents"] == true => Propagation::Orphan,
            "" | "Background" => Propagation::Background,
            "Foreground" => Propagation::Foreground,
            "Orphan" => Propagation::Orphan,
            other => {
                return Err(Status::bad_request(format!(
                    "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": \
                     supported values: \"Foreground\", \"Background\", \"Orphan\""
                )));
            }
        };
        let text = |value: &Value| value.as_str().map(String::from);
        Ok(DeleteOptions {
            propagation,
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: body["dryRun"].as_array().is_some_and(|list| !list.is_empty())
                || self.parameter("dryRun") == "All",
        })
    }
}

fn scalable(kind: &Kind) -> bool {
    kind.group == "apps" && matches!(kind.kind.as_str(), "Deployment" | "ReplicaSet" | "StatefulSet")
}

fn scale(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let labels = object["spec"]["selector"]["matchLabels"]
        .as_object()
        .into_iter()
        .flatten();
    let selector = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": object["spec"]["replicas"] },
        "status": {
            "replicas": object["status"]["replicas"].as_i64().unwrap_or_default(),
            "selector": selector.collect::<Vec<_>>().join(","),
        },
    })
}

/// Nothing really runs, so nothing is really logged; a few lines tell so.
fn log(pod: &Value) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    let started = pod["status"]["startTime"].as_str().unwrap_or_default();
    format!("{started} {name}: started with image {image}\n{started} {name}: ready (nothing runs in the sandbox)\n")
}

fn write_token(version: u64, last: &(String, String)) -> String {
    URL_SAFE_NO_PAD.encode(json!([version, last.0, last.1]).to_string())
}

fn read_token(token: &str) -> Result<(u64, (String, String)), Status> {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    let (version, namespace, name) = serde_json::from_slice::<(u64, String, String)>(&bytes)
        .map_err(|_| Status::bad_request("continue key is not valid: it is not one of this server"))?;
    Ok((version, (namespace, name)))
}
