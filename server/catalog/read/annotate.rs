//! Annotations that tell where an entity comes from. Those that the file has already win.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::super::envelope::FieldFault;
use super::super::{CatalogError, EntityRef};
use super::source::Reading;
use super::{Body, ReadEntity};

use crate::language::text;
use crate::scm::Located;

pub const ANNOTATION_LOCATION: &str = "backstage.io/managed-by-location";
pub const ANNOTATION_ORIGIN: &str = "backstage.io/managed-by-origin-location";
pub const ANNOTATION_SOURCE: &str = "backstage.io/source-location";
const ANNOTATION_VIEW: &str = "backstage.io/view-url";
const ANNOTATION_EDIT: &str = "backstage.io/edit-url";

/// The entity that stands for a registered location: `location:default/generated-<sha1 of "type:target">`.
pub fn location_entity(kind: &str, target: &str) -> (EntityRef, Value) {
    let location = format!("{kind}:{target}");
    let name = format!("generated-{}", hex::encode(Sha1::digest(&location)));
    (
        EntityRef::new("location", "default", &name),
        json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Location",
            "metadata": {
                "name": name,
                "namespace": "default",
                "annotations": {ANNOTATION_LOCATION: location, ANNOTATION_ORIGIN: location},
            },
            "spec": {"type": kind, "target": target},
        }),
    )
}

/// The same with the annotations that every entity gets.
pub fn annotated_location(reading: &Reading<'_>, kind: &str, target: &str) -> ReadEntity {
    let (entity_ref, mut body) = location_entity(kind, target);
    for (key, text) in annotations(reading, kind, target, (kind, target)) {
        body["metadata"]["annotations"][key] = Value::String(text);
    }
    ReadEntity {
        entity_ref,
        body: Body::of(&body),
        relations: Vec::new(),
        source: format!("{kind}:{target}"),
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
    for (key, text) in self::annotations(reading, kind, target, root) {
        annotations.entry(key).or_insert(Value::String(text));
    }
    let mut faults = Vec::new();
    for key in [ANNOTATION_VIEW, ANNOTATION_EDIT] {
        if let Some(text) = annotations.get(key).and_then(Value::as_str)
            && runs_a_script(text)
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

/// Address of the folder that the file is in. On GitHub folders have other addresses than files.
fn folder(located: &Located, target: &str) -> Option<String> {
    if located.forge.github().is_some() {
        let mut source = located.source.clone();
        source.path = source
            .path
            .rsplit_once('/')
            .map_or(String::new(), |(folder, _)| folder.to_owned());
        return Some(located.forge.web_url(&source, true));
    }
    let folder = url::Url::parse(target).and_then(|target| target.join("./"));
    folder.ok().map(Into::into)
}

fn annotations(reading: &Reading<'_>, kind: &str, target: &str, root: (&str, &str)) -> Vec<(&'static str, String)> {
    let mut own = vec![
        (ANNOTATION_LOCATION, format!("{kind}:{target}")),
        (ANNOTATION_ORIGIN, format!("{}:{}", root.0, root.1)),
    ];
    if kind != "url" {
        return own;
    }
    own.push((ANNOTATION_VIEW, target.to_owned()));
    if let Ok(located) = reading.locate(target) {
        let names_a_commit = target
            .split(|c: char| !c.is_ascii_hexdigit())
            .any(|part| part.len() >= 40);
        if !names_a_commit {
            own.push((ANNOTATION_EDIT, located.forge.edit_url(&located.source)));
        }
        if let Some(folder) = folder(&located, target) {
            own.push((ANNOTATION_SOURCE, format!("url:{folder}")));
        }
    }
    own
}

/// `javascript:` in all the ways in which browsers read it.
fn runs_a_script(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| c <= ' ');
    let letters = start.chars().filter(|c| !['\r', '\n', '\t'].contains(c));
    let scheme: String = letters.take("javascript:".len()).collect();
    scheme.eq_ignore_ascii_case("javascript:")
}

/// Reads `<type>:<target>` as `parseLocationRef` of `@backstage/catalog-model` 1.10.1 does.
pub fn parse_location(text: &str) -> Result<(&str, &str), String> {
    let wrong =
        || format!("Unable to parse location ref '{text}', expected '<type>:<target>', e.g. 'url:https://host/path'");
    let (kind, target) = text.split_once(':').ok_or_else(wrong)?;
    let (kind, target) = (kind.trim(), target.trim());
    match kind {
        _ if kind.is_empty() || target.is_empty() => Err(wrong()),
        "http" | "https" => Err(format!(
            "Invalid location ref '{text}', please prefix it with 'url:', e.g. 'url:{text}'"
        )),
        _ if runs_a_script(target) => Err(format!(
            "Invalid location ref '{text}', the target runs a script, which is not allowed"
        )),
        _ => Ok((kind, target)),
    }
}

/// The address of a location that somebody registers, without blanks around it.
pub fn web_target(target: &str) -> Result<String, CatalogError> {
    let url = url::Url::parse(target.trim()).map_err(|error| {
        CatalogError::Invalid(text!(
            "\"{target}\" is not a complete address (https://…): {reason}",
            target = target,
            reason = error.to_string()
        ))
    })?;
    match ["http", "https"].contains(&url.scheme()) {
        true => Ok(target.trim().to_owned()),
        false => Err(CatalogError::Invalid(text!(
            "\"{target}\" is not an http or https address; name the file by its address at the forge",
            target = target
        ))),
    }
}

/// True for addresses that are safe to put behind a link.
pub fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
}
