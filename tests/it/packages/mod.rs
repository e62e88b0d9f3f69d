//! The packages with which Portico is installed, `deploy/kubernetes` and `deploy/idpbuilder`: that they fit together and fit the
//! program, and, on a real API server, that it takes them.

mod cluster;
mod composition;
mod configuration;
mod idpbuilder;
mod monitoring;
mod pods;
mod references;
mod rights;

use std::path::{Path, PathBuf};

use serde_json::Value;

use composition::compose;

/// What can be installed, with the objects that come out.
struct Package {
    name: &'static str,
    folder: PathBuf,
    objects: Vec<Value>,
}

impl Package {
    fn load(name: &'static str, folder: &str) -> Self {
        let folder = deploy().join(folder);
        let objects = compose(&folder);
        Self { name, folder, objects }
    }

    /// Both overlays of `deploy/kubernetes`, and the package for idpbuilder.
    fn all() -> [Self; 3] {
        [
            Self::load("small", "kubernetes/overlays/small"),
            Self::load("large", "kubernetes/overlays/large"),
            Self::load("idpbuilder", "idpbuilder/package/backstage/manifests"),
        ]
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// What makes pods.
    fn workloads(&self) -> impl Iterator<Item = &Value> {
        self.objects
            .iter()
            .filter(|object| object.pointer("/spec/template/spec/containers").is_some())
    }

    fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects
            .iter()
            .find(|object| object["kind"] == kind && text(object, "/metadata/name") == name)
    }

    /// The Deployment of the portal.
    fn portal(&self) -> &Value {
        self.of_kind("Deployment").next().expect("a portal")
    }
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Text at a pointer; empty where there is none.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a pointer; empty where there is none.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Kind, namespace and name, as messages have them.
fn title(object: &Value) -> String {
    format!(
        "{} {}/{}",
        text(object, "/kind"),
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name")
    )
}
