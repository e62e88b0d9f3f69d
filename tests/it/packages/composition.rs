//! Puts a folder with a `kustomization.yaml` together, as far as our packages use that: resources, components, patches that add to
//! lists, replacements of a whole value or of a part between delimiters, images. Anything else is refused, so that nothing
//! is composed here in another way than by kustomize.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Package, deploy, documents, list, text, title};

const KEYS: [&str; 7] = [
    "apiVersion",
    "kind",
    "resources",
    "components",
    "patches",
    "replacements",
    "images",
];

/// The objects of a folder.
pub fn compose(folder: &Path) -> Vec<Value> {
    let mut objects = Vec::new();
    add(folder, &mut objects);
    objects
}

/// A component changes what is there before it; anything else is complete for itself.
fn add(folder: &Path, objects: &mut Vec<Value>) {
    let kustomization = kustomization(folder);
    for key in kustomization.as_object().expect("a mapping").keys() {
        assert!(
            KEYS.contains(&key.as_str()),
            "{}: {key} is not composed here",
            folder.display()
        );
    }
    for resource in list(&kustomization, "/resources") {
        let path = folder.join(resource.as_str().expect("a path"));
        if path.is_dir() {
            objects.extend(compose(&path));
        } else {
            objects.extend(documents(&path));
        }
    }
    for component in list(&kustomization, "/components") {
        add(&folder.join(component.as_str().expect("a path")), objects);
    }
    for patch in list(&kustomization, "/patches") {
        let operations = documents(&folder.join(text(patch, "/path")));
        let target = selected(objects, &patch["target"]);
        for operation in operations[0].as_array().expect("a list of operations") {
            append(target, operation);
        }
    }
    for replacement in list(&kustomization, "/replacements") {
        replace(objects, replacement);
    }
    for image in list(&kustomization, "/images") {
        rename(objects, image);
    }
}

fn kustomization(folder: &Path) -> Value {
    documents(&folder.join("kustomization.yaml")).remove(0)
}

/// The one object that a selector means.
fn selected<'a>(objects: &'a mut [Value], selector: &Value) -> &'a mut Value {
    let mut found = objects
        .iter_mut()
        .filter(|object| object["kind"] == selector["kind"] && object["metadata"]["name"] == selector["name"]);
    let one = found.next().unwrap_or_else(|| panic!("{selector} selects nothing"));
    assert!(found.next().is_none(), "{selector} selects several");
    one
}

fn append(target: &mut Value, operation: &Value) {
    assert_eq!(operation["op"], "add", "only additions are composed here");
    let path = text(operation, "/path");
    let parent = path
        .strip_suffix("/-")
        .unwrap_or_else(|| panic!("{path} does not end a list"));
    let values = target.pointer_mut(parent).and_then(Value::as_array_mut);
    values
        .unwrap_or_else(|| panic!("{parent} is no list"))
        .push(operation["value"].clone());
}

fn replace(objects: &mut [Value], replacement: &Value) {
    let source = &replacement["source"];
    let pointer = pointer(text(source, "/fieldPath"));
    let value = text(selected(objects, source), &pointer).to_owned();
    assert!(!value.is_empty(), "{source} is empty");
    for target in list(replacement, "/targets") {
        let object = selected(objects, &target["select"]);
        for path in list(target, "/fieldPaths") {
            let path = path.as_str().expect("a path");
            let place = object.pointer_mut(&self::pointer(path));
            let place = place.unwrap_or_else(|| panic!("{path} is not there"));
            let old = place.as_str().expect("a text").to_owned();
            *place = match target.pointer("/options/delimiter").and_then(Value::as_str) {
                None => value.clone().into(),
                Some(delimiter) => {
                    let index = target.pointer("/options/index").and_then(Value::as_u64).unwrap_or(0);
                    let mut parts: Vec<&str> = old.split(delimiter).collect();
                    parts[usize::try_from(index).expect("a small number")] = &value;
                    parts.join(delimiter).into()
                }
            };
        }
    }
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

fn rename(objects: &mut [Value], image: &Value) {
    let mut renamed = 0;
    for object in objects.iter_mut() {
        let containers = object
            .pointer_mut("/spec/template/spec/containers")
            .and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let now = text(container, "/image").to_owned();
            let (name, _) = now.rsplit_once(':').unwrap_or((&now, ""));
            if name == text(image, "/name") {
                let new = image["newName"].as_str().unwrap_or(name);
                container["image"] = format!("{new}:{}", text(image, "/newTag")).into();
                renamed += 1;
            }
        }
    }
    assert_eq!(renamed, 1, "{image} renames {renamed} images");
}

/// kustomize, or kubectl, which has it.
fn kustomize() -> Option<Vec<&'static str>> {
    let candidates = [vec!["kustomize", "build"], vec!["kubectl", "kustomize"]];
    candidates.into_iter().find(|command| {
        let mut help = Command::new(command[0]);
        help.args(&command[1..]).arg("--help");
        help.output().is_ok_and(|output| output.status.success())
    })
}

#[test]
fn packages_are_composed_as_kustomize_does() {
    let Some(kustomize) = kustomize() else {
        println!("skipped: neither kustomize nor kubectl is here; packages are composed by the tests' own rules only");
        return;
    };
    for package in Package::all() {
        let output = Command::new(kustomize[0])
            .args(&kustomize[1..])
            .arg(&package.folder)
            .output()
            .expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && errors.is_empty(),
            "{}: {errors}",
            package.name
        );
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let theirs: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
        let by_title = |objects: &[Value]| -> BTreeMap<String, Value> {
            objects.iter().map(|object| (title(object), object.clone())).collect()
        };
        let (ours, theirs) = (by_title(&package.objects), by_title(&theirs));
        assert!(ours.keys().eq(theirs.keys()), "{}: other objects", package.name);
        for (title, object) in ours {
            assert_eq!(object, theirs[&title], "{}: {title}", package.name);
        }
    }
}

#[test]
fn every_file_is_used_and_no_object_is_there_twice() {
    let mut used: BTreeSet<PathBuf> = BTreeSet::new();
    let mut files = Vec::new();
    let mut open = vec![deploy().join("kubernetes"), deploy().join("idpbuilder")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                documents(&path);
                files.push(path);
            }
        }
        if folder.join("kustomization.yaml").exists() {
            let kustomization = kustomization(&folder);
            used.insert(folder.join("kustomization.yaml"));
            let resources = list(&kustomization, "/resources").iter().filter_map(Value::as_str);
            let patches = list(&kustomization, "/patches")
                .iter()
                .map(|patch| text(patch, "/path"));
            used.extend(resources.chain(patches).map(|path| folder.join(path)));
        }
    }
    // Given to people, and to idpbuilder.
    used.insert(deploy().join("kubernetes/secrets.example.yaml"));
    used.insert(deploy().join("idpbuilder/package/backstage.yaml"));
    let unused: Vec<_> = files.iter().filter(|file| !used.contains(*file)).collect();
    assert!(unused.is_empty(), "no kustomization.yaml names {unused:?}");

    for package in Package::all() {
        let mut seen = BTreeSet::new();
        for object in &package.objects {
            assert!(!text(object, "/apiVersion").is_empty(), "{}: {object}", package.name);
            assert!(
                seen.insert(title(object)),
                "{}: {} is there twice",
                package.name,
                title(object)
            );
        }
    }
}

#[test]
fn the_host_stands_in_one_place() {
    for package in ["small", "large"] {
        let folder = deploy().join("kubernetes/overlays").join(package);
        let copy = tempfile::tempdir().expect("a folder");
        // A copy of an overlay, as somebody makes it, beside the base.
        let beside = copy.path().join("kubernetes");
        copy_folder(&deploy().join("kubernetes"), &beside);
        let mine = beside.join("overlays").join(package);
        let address = std::fs::read_to_string(folder.join("address.yaml")).expect("the address");
        std::fs::write(
            mine.join("address.yaml"),
            address.replace("portico.example.com", "portal.acme.test"),
        )
        .expect("written");
        let mut found = 0;
        for object in compose(&mine) {
            let text = object.to_string();
            assert!(!text.contains("portico.example.com"), "{package}: {}", title(&object));
            found += usize::from(text.contains("portal.acme.test"));
        }
        assert!(found >= 2, "{package}: the address and the Ingress tell the host");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}
