//! The same verdict on entities as the validators of the field. `tests/conformance/model.mjs` made the file; where
//! its packages are at hand, `tests/it` makes it anew and compares.

use serde_json::{Map, Value};

use crate::catalog::{EntityRef, Kinds, read};

const VERDICTS: &str = include_str!("../../../tests/conformance/model.json");

/// The entity with `value` at a path, or with nothing there.
fn changed(entity: &Value, at: &[Value], value: Option<&Value>) -> Value {
    let mut copy = entity.clone();
    if let Some((last, parents)) = at.split_last() {
        let parent = parents
            .iter()
            .fold(&mut copy, |inner, key| &mut inner[key.as_str().unwrap()]);
        let parent: &mut Map<String, Value> = parent.as_object_mut().unwrap();
        let last = last.as_str().unwrap();
        match value {
            Some(value) => drop(parent.insert(last.to_owned(), value.clone())),
            None => drop(parent.shift_remove(last)),
        }
    }
    copy
}

#[test]
fn entities_get_the_verdict_of_the_published_validators() {
    let verdicts: Value = serde_json::from_str(VERDICTS).unwrap();
    let entities = verdicts["entities"].as_array().unwrap();
    let changes = verdicts["changes"].as_array().unwrap();
    assert!(changes.len() > 1500, "the corpus is {} changes", changes.len());
    let kinds = Kinds::default();
    let mut wrong = Vec::new();
    for change in changes {
        let base = entities.iter().find(|entity| entity["kind"] == change["kind"]).unwrap();
        let at = change["at"].as_array().unwrap();
        let entity = changed(base, at, change.get("value"));
        let ours = read::validate(&kinds, entity);
        if ours.is_ok() != (change["valid"] == true) {
            wrong.push(format!("{change}\n    ours: {:?}", ours.err()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn refs_are_read_as_the_published_parser_reads_them() {
    let verdicts: Value = serde_json::from_str(VERDICTS).unwrap();
    let refs = verdicts["refs"].as_array().unwrap();
    assert!(refs.len() > 100, "{} refs", refs.len());
    for expected in refs {
        let text = expected["text"].as_str().unwrap();
        let (kind, namespace) = (expected["defaultKind"].as_str(), expected["defaultNamespace"].as_str());
        let ours = EntityRef::parse(text, kind, namespace)
            .ok()
            .map(|found| found.to_string());
        assert_eq!(ours.as_deref(), expected["ref"].as_str(), "{expected}");
    }
}
