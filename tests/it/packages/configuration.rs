//! The configuration in each package, read as the program reads it, with the variables that its pod has.

use std::path::{Path, PathBuf};

use portico::config::{self, Loaded};
use serde_json::Value;

use super::references::sources;
use super::{Package, deploy, documents, list, text};

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The variables of the portal's pod. Those of Secrets have values that look like what they stand for.
fn variables(package: &Package) -> Vec<(String, String)> {
    let container = &package.portal()["spec"]["template"]["spec"]["containers"][0];
    let mut variables: Vec<(String, String)> = Vec::new();
    for from in list(container, "/envFrom") {
        if let Some(name) = from.pointer("/configMapRef/name").and_then(Value::as_str) {
            let map = package.find("ConfigMap", name).expect("the map");
            let data = map["data"].as_object().expect("its data");
            variables.extend(
                data.iter()
                    .map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned())),
            );
        } else {
            let name = text(from, "/secretRef/name").to_owned();
            let keys = sources(package).remove(&("Secret", name.clone())).expect("the secret");
            variables.extend(keys.into_iter().map(|key| {
                let value = value(&name, &key);
                (key, value)
            }));
        }
    }
    for variable in list(container, "/env") {
        let name = text(variable, "/name").to_owned();
        let value = if let Some(value) = variable["value"].as_str() {
            value.to_owned()
        } else if let Some(from) = variable.pointer("/valueFrom/configMapKeyRef") {
            let map = package.find("ConfigMap", text(from, "/name")).expect("the map");
            map["data"][text(from, "/key")].as_str().expect("a text").to_owned()
        } else {
            let from = &variable["valueFrom"]["secretKeyRef"];
            self::value(text(from, "/name"), text(from, "/key"))
        };
        variables.push((name, value));
    }
    variables
}

fn value(secret: &str, key: &str) -> String {
    let examples = documents(&deploy().join("kubernetes/secrets.example.yaml"));
    let example = examples
        .iter()
        .find(|example| text(example, "/metadata/name") == secret);
    match example.map(|example| text(&example["stringData"], &format!("/{key}"))) {
        Some(example) if !example.is_empty() => example.to_owned(),
        _ if key.to_lowercase().ends_with("port") => "5432".to_owned(),
        _ => format!("{key}-0123456789"),
    }
}

/// Writes the files of the portal's folders with configuration as its pod has them, and loads what its arguments name.
fn load(package: &Package, root: &Path) -> Loaded {
    let place = |path: &str| root.join(path.trim_start_matches('/'));
    let write = |path: PathBuf, content: &str| {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let content = content.replace(ACCOUNT, &place(ACCOUNT).display().to_string());
        std::fs::write(path, content).expect("written");
    };
    write(place(ACCOUNT).join("token"), "a-token");
    write(place(ACCOUNT).join("ca.crt"), &certificate());
    let pod = &package.portal()["spec"]["template"]["spec"];
    for mount in list(pod, "/containers/0/volumeMounts") {
        let volume = list(pod, "/volumes")
            .iter()
            .find(|volume| volume["name"] == mount["name"]);
        let volume = volume.expect("the volume");
        let single = [volume.clone()];
        let sources = volume
            .pointer("/projected/sources")
            .and_then(Value::as_array)
            .map_or(&single[..], Vec::as_slice);
        for source in sources {
            let name = source.pointer("/configMap/name").or(source.pointer("/secret/name"));
            let name = name.or(source.pointer("/secret/secretName")).and_then(Value::as_str);
            let Some(name) = name else { continue };
            let folder = place(text(mount, "/mountPath"));
            let object = package.find("ConfigMap", name).or(package.find("Secret", name));
            let data = object.map(|object| object.get("data").unwrap_or(&object["stringData"]));
            match data.and_then(Value::as_object) {
                Some(files) => {
                    for (file, content) in files {
                        write(folder.join(file), content.as_str().expect("a text"));
                    }
                }
                // Certificates that an operator makes.
                None => write(folder.join("ca.crt"), &certificate()),
            }
        }
    }
    let arguments = list(pod, "/containers/0/args").iter().filter_map(Value::as_str);
    let files: Vec<PathBuf> = arguments
        .filter(|argument| argument.starts_with('/'))
        .map(place)
        .collect();
    assert!(!files.is_empty(), "{}", package.name);
    config::load_with(&files, &variables(package)).unwrap_or_else(|error| panic!("{}: {error}", package.name))
}

fn certificate() -> String {
    let key = rcgen::generate_simple_self_signed(["cluster.test".to_owned()]).expect("a certificate");
    key.cert.pem()
}

#[test]
fn it_can_be_used_and_nothing_is_warned_about() {
    for package in Package::all() {
        let root = tempfile::tempdir().expect("a folder");
        let loaded = load(&package, root.path());
        assert!(loaded.warnings.is_empty(), "{}: {:?}", package.name, loaded.warnings);
        let config = loaded.config;
        // Nothing stayed empty because its variable is not set.
        let connection = &config.backend.database.connection;
        assert!(
            connection.host.is_some() && connection.user.is_some(),
            "{}",
            package.name
        );
        assert!(
            connection.password.is_some() && connection.database.is_some(),
            "{}",
            package.name
        );
        assert_eq!(connection.port, Some(5432), "{}", package.name);
        assert_eq!(connection.ssl.is_some(), package.name == "large", "{}", package.name);
        assert_eq!(config.backend.auth.keys.len(), 1, "{}", package.name);
        assert!(!config.integrations.gitea.is_empty(), "{}", package.name);
        for forge in &config.integrations.gitea {
            assert!(forge.username.is_some() && forge.password.is_some(), "{}", package.name);
        }
        let environment = config.auth.environment.as_deref().expect("an environment");
        let mut providers = config
            .auth
            .providers
            .values()
            .filter_map(|provider| provider.get(environment));
        let provider = providers.next().expect("a provider");
        assert!(
            provider.metadata_url.is_some() && provider.client_id.is_some(),
            "{}",
            package.name
        );
        assert!(provider.client_secret.is_some(), "{}", package.name);
    }
}

#[test]
fn the_port_is_that_of_the_pod_and_the_address_that_of_the_ingress() {
    for package in Package::all() {
        let root = tempfile::tempdir().expect("a folder");
        let config = load(&package, root.path()).config;
        let (_, port) = config.backend.listen.address();
        let ports = list(package.portal(), "/spec/template/spec/containers/0/ports");
        assert_eq!(ports[0]["containerPort"], port, "{}", package.name);
        let ingress = package.of_kind("Ingress").next().expect("an Ingress");
        let mut hosts = list(ingress, "/spec/rules").iter().map(|rule| text(rule, "/host"));
        let host = config.app.base_url.host_str().expect("a host");
        assert!(
            hosts.any(|one| one == host),
            "{}: the Ingress has no {host}",
            package.name
        );
    }
}
