//! From files to the objects that an Application wants.

use serde_json::Value;

use super::git::{Failure, SourceFile};

/// Parses the files of a folder. What is not plain YAML or JSON (Kustomize, Helm) is refused with a clear word.
pub fn parse(files: &[SourceFile]) -> Result<Vec<Value>, Failure> {
    let mut objects = Vec::new();
    for file in files {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        if matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization") {
            return Err(format!("{}: Kustomize is not supported by this sandbox", file.path));
        }
        if name == "Chart.yaml" {
            return Err(format!("{}: Helm is not supported by this sandbox", file.path));
        }
        let broken = |why: String| format!("failed to unmarshal \"{}\": {why}", file.path);
        let text = std::str::from_utf8(&file.content).map_err(|_| broken("it is not UTF-8".into()))?;
        if text.contains("+argocd:skip-file-rendering") {
            continue;
        }
        let documents = if name.ends_with(".json") {
            serde_json::from_str(text)
                .map(|one| vec![one])
                .map_err(|error| broken(error.to_string()))?
        } else {
            serde_saphyr::from_multiple::<Value>(text).map_err(|error| {
                broken(format!(
                    "failed to unmarshal manifest: error converting YAML to JSON: yaml: {error}"
                ))
            })?
        };
        for document in documents {
            add(document, &mut objects).map_err(broken)?;
        }
    }
    Ok(objects)
}

fn add(document: Value, objects: &mut Vec<Value>) -> Result<(), Failure> {
    if document.is_null() {
        return Ok(());
    }
    for field in ["kind", "apiVersion"] {
        if document[field].as_str().unwrap_or_default().is_empty() {
            let shown = document.to_string();
            let shown = shown.chars().take(200).collect::<String>();
            let field = if field == "kind" { "Kind" } else { "apiVersion" };
            return Err(format!("Object '{field}' is missing in '{shown}'"));
        }
    }
    if document["kind"] == "List" {
        for item in document["items"].as_array().into_iter().flatten() {
            add(item.clone(), objects)?;
        }
        return Ok(());
    }
    objects.push(document);
    Ok(())
}

/// The images that workloads among the objects run, sorted, each once.
pub fn images(objects: &[Value]) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    for object in objects {
        let spec = &object["spec"];
        for pod in [
            spec,
            &spec["template"]["spec"],
            &spec["jobTemplate"]["spec"]["template"]["spec"],
        ] {
            for list in ["initContainers", "containers"] {
                let containers = pod[list].as_array().into_iter().flatten();
                found.extend(
                    containers
                        .filter_map(|container| container["image"].as_str())
                        .map(String::from),
                );
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str, content: &str) -> Result<Vec<Value>, Failure> {
        parse(&[SourceFile {
            path: path.into(),
            content: content.into(),
        }])
    }

    #[test]
    fn files_become_objects() {
        let two = parsed(
            "m/a.yaml",
            "---\nkind: A\napiVersion: v1\n---\nkind: B\napiVersion: v1\n---\n",
        )
        .expect("fine");
        assert_eq!(two.len(), 2);
        let list = r#"{"kind": "List", "apiVersion": "v1", "items": [{"kind": "A", "apiVersion": "v1"}]}"#;
        assert_eq!(parsed("a.json", list).expect("fine").len(), 1);
        assert!(parsed("empty.yml", "# nothing\n").expect("fine").is_empty());
    }

    #[test]
    fn what_cannot_be_read_names_its_file() {
        for (path, content) in [
            ("m/broken.yaml", "a: b: c\n"),
            ("m/kindless.yaml", "a: b\n"),
            ("m/broken.json", "{"),
            ("m/kustomization.yaml", "resources: []\n"),
        ] {
            let failure = parsed(path, content).expect_err("refused");
            assert!(failure.contains(path), "{failure}");
        }
    }

    #[test]
    fn images_are_found_in_templates() {
        let object = serde_json::json!({"spec": {"template": {"spec": {"containers": [{"image": "b"}, {"image": "a"}, {"image": "b"}]}}}});
        assert_eq!(images(&[object]), ["a", "b"]);
    }
}
