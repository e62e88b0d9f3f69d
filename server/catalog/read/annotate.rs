//! Annotations that tell where an entity comes from. Those that the file has already win.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::super::EntityRef;
use super::super::envelope::FieldFault;
use super::ReadEntity;
use super::source::Reading;

pub const ANNOTATION_LOCATION: &str = "backstage.io/managed-by-location";
pub const ANNOTATION_ORIGIN: &str = "backstage.io/managed-by-origin-location";
pub const ANNOTATION_SOURCE: &str = "backstage.io/source-location";
const ANNOTATION_VIEW: &str = "backstage.io/view-url";
const ANNOTATION_EDIT: &str = "backstage.io/edit-url";

/// The entity that stands for a registered location: `location:default/generated-<sha1 of "type:target">`.
pub fn location_entity(kind: &str, target: &str) -> ReadEntity {
    let location = format!("{kind}:{target}");
    let name = format!("generated-{}", hex::encode(Sha1::digest(&location)));
    ReadEntity {
        entity_ref: EntityRef::new("location", "default", &name),
        body: json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Location",
            "metadata": {
                "name": name,
                "namespace": "default",
                "annotations": {ANNOTATION_LOCATION: location, ANNOTATION_ORIGIN: location},
            },
            "spec": {"type": kind, "target": target},
        }),
        relations: Vec::new(),
        source: location,
    }
}

/// Adds the annotations to an entity of the file `kind:target` below the location `root`; refuses
/// annotations of the file that would run a script when clicked.
pub fn entity(
    reading: &Reading<'_>,
    value: &mut Value,
    kind: &str,
    target: &str,
    root: (&str, &str),
) -> Result<(), Vec<FieldFault>> {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    let Some(annotations) = annotations.as_object_mut() else {
        return Ok(());
    };
    let mut own = vec![
        (ANNOTATION_LOCATION, format!("{kind}:{target}")),
        (ANNOTATION_ORIGIN, format!("{}:{}", root.0, root.1)),
    ];
    if kind == "url" {
        let pinned = target
            .split(|c: char| !c.is_ascii_hexdigit())
            .any(|part| part.len() == 40);
        if let Ok(located) = reading.locate(target) {
            if !pinned {
                own.push((ANNOTATION_VIEW, located.forge.web_url(&located.source, false)));
                own.push((ANNOTATION_EDIT, located.forge.edit_url(&located.source)));
            }
            if let Ok(folder) = url::Url::parse(target).and_then(|target| target.join("./")) {
                own.push((ANNOTATION_SOURCE, format!("url:{folder}")));
            }
        }
    }
    for (key, text) in own {
        annotations.entry(key).or_insert(Value::String(text));
    }
    let mut faults = Vec::new();
    for key in [ANNOTATION_VIEW, ANNOTATION_EDIT] {
        if let Some(text) = annotations.get(key).and_then(Value::as_str)
            && !is_web_address(text)
        {
            faults.push(FieldFault::at(
                &["metadata", "annotations", key],
                format!("{key} must be an http or https address, not \"{text}\""),
            ));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults),
    }
}

/// True for addresses that are safe to put behind a link.
pub fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
}
