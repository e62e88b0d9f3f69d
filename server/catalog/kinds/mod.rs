//! The kinds that the portal knows, one file each: what a spec must hold and which relations it makes.
//! The rules are those of `@backstage/catalog-model` 1.10.1; keys that they do not name are kept.

use serde_json::Value;

use super::EntityRef;
use super::envelope::{FieldFault, type_name};

mod api;
mod component;
mod domain;
mod group;
mod location;
mod resource;
mod system;
mod template;
mod user;

/// A kind of the catalog. Kinds are matched case-sensitively in files, and ignoring case in refs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Component,
    Api,
    Resource,
    System,
    Domain,
    Group,
    User,
    Location,
    Template,
}

/// Form of a known field of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text of at least one character; blanks count.
    Text,
    /// A list of such texts; sorted when stored where `true`.
    Texts { sorted: bool },
    /// A list of mappings.
    Mappings,
    /// A mapping.
    Mapping,
    /// `profile` of people and groups: optional texts.
    Profile,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

struct Field {
    name: &'static str,
    form: Form,
    required: bool,
    /// What to write there, for the message when it is missing.
    hint: &'static str,
}

/// A field whose refs become relations in both directions.
struct Link {
    field: &'static str,
    /// Relation from this entity to the one that the field names.
    forward: &'static str,
    /// Relation back.
    inverse: &'static str,
    /// Kind of a ref that names none; `None`: the ref must name it.
    kind: Option<&'static str>,
}

struct Rules {
    name: &'static str,
    api_versions: &'static [&'static str],
    fields: &'static [Field],
    links: &'static [Link],
}

const BACKSTAGE: &[&str] = &["backstage.io/v1alpha1", "backstage.io/v1beta1"];

const fn required(name: &'static str, form: Form, hint: &'static str) -> Field {
    Field {
        name,
        form,
        required: true,
        hint,
    }
}

const fn optional(name: &'static str, form: Form) -> Field {
    Field {
        name,
        form,
        required: false,
        hint: "",
    }
}

const fn link(field: &'static str, forward: &'static str, inverse: &'static str, kind: Option<&'static str>) -> Link {
    Link {
        field,
        forward,
        inverse,
        kind,
    }
}

const SORTED: Form = Form::Texts { sorted: true };
const OWNER: Field = required(
    "owner",
    Form::Text,
    "the group or user that owns it, for example platform-team",
);
const OWNED: Link = link("owner", "ownedBy", "ownerOf", Some("Group"));
const PART_OF_SYSTEM: Link = link("system", "partOf", "hasPart", Some("System"));
const DEPENDS_ON: Link = link("dependsOn", "dependsOn", "dependencyOf", None);
const DEPENDENCY_OF: Link = link("dependencyOf", "dependencyOf", "dependsOn", None);

/// A relation from one entity to another; the target may not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    pub source: EntityRef,
    pub kind: &'static str,
    pub target: EntityRef,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Component,
        Self::Api,
        Self::Resource,
        Self::System,
        Self::Domain,
        Self::Group,
        Self::User,
        Self::Location,
        Self::Template,
    ];

    /// The kind of a document, by its `kind` and `apiVersion`.
    pub fn of(entity: &Value) -> Option<Self> {
        let name = entity.get("kind")?.as_str()?;
        let version = entity.get("apiVersion")?.as_str()?;
        Self::ALL.into_iter().find(|kind| {
            let rules = kind.rules();
            rules.name == name && rules.api_versions.contains(&version)
        })
    }

    fn rules(self) -> &'static Rules {
        match self {
            Self::Component => &component::RULES,
            Self::Api => &api::RULES,
            Self::Resource => &resource::RULES,
            Self::System => &system::RULES,
            Self::Domain => &domain::RULES,
            Self::Group => &group::RULES,
            Self::User => &user::RULES,
            Self::Location => &location::RULES,
            Self::Template => &template::RULES,
        }
    }
}

/// Checks the spec of a document whose envelope is right, sorts its lists of refs, and returns the
/// relations that it makes, sorted. Every fault is told.
pub fn check(entity: &mut Value) -> Result<Vec<Relation>, Vec<FieldFault>> {
    let text = |pointer: &str| entity.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, version) = (text("/kind"), text("/apiVersion"));
    let own = EntityRef::new(kind, text("/metadata/namespace"), text("/metadata/name"));
    let Some(rules) = Kind::of(entity).map(Kind::rules) else {
        let known = Kind::ALL.map(|kind| kind.rules().name).join(", ");
        let field = match Kind::ALL.iter().any(|known| known.rules().name == kind) {
            true => "apiVersion",
            false => "kind",
        };
        return Err(vec![FieldFault::at(
            &[field],
            format!(
                "No processor recognized the entity {own} as valid, possibly caused by a foreign kind or apiVersion \
                 (kind {kind}, apiVersion {version}); known kinds are {known}"
            ),
        )]);
    };
    let mut faults = Vec::new();
    let spec = entity.get_mut("spec");
    let empty = Value::Object(serde_json::Map::new());
    let has_required = rules.fields.iter().any(|field| field.required);
    if spec.is_none() && has_required {
        return Err(vec![FieldFault::at(
            &[],
            format!("spec is missing; a {} needs one", rules.name),
        )]);
    }
    let mut spec = spec;
    for field in rules.fields {
        let value = spec.as_deref().unwrap_or(&empty).get(field.name);
        match value {
            None if field.required => faults.push(FieldFault::at(
                &["spec", field.name],
                format!("spec.{} is missing: {}", field.name, field.hint),
            )),
            None => {}
            Some(value) => {
                if let Some(message) = field.form.wrong(value) {
                    faults.push(FieldFault::at(
                        &["spec", field.name],
                        format!("spec.{} must be {message}, not {}", field.name, shown(value)),
                    ));
                }
            }
        }
        if field.form == SORTED
            && let Some(Value::Array(list)) = spec.as_deref_mut().and_then(|spec| spec.get_mut(field.name))
        {
            list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
    let mut relations = Vec::new();
    for link in rules.links {
        let value = spec.as_deref().unwrap_or(&empty).get(link.field);
        for text in refs(value) {
            match EntityRef::parse(text, link.kind, Some(&own.namespace)) {
                Ok(target) => {
                    relations.push(Relation {
                        source: own.clone(),
                        kind: link.forward,
                        target: target.clone(),
                    });
                    relations.push(Relation {
                        source: target,
                        kind: link.inverse,
                        target: own.clone(),
                    });
                }
                Err(error) => faults.push(FieldFault::at(
                    &["spec", link.field],
                    format!("spec.{}: {error}", link.field),
                )),
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    relations.sort();
    relations.dedup();
    Ok(relations)
}

/// The refs of a field: one text, or a list of them. Other forms are faults that are told elsewhere, except
/// in `dependencyOf`, which the schemas of the field do not name: there they are passed over.
fn refs(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A value as a message shows it: short ones as they are.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() <= 60 {
        true => text,
        false => type_name(value).to_owned(),
    }
}

impl Form {
    /// What is expected, where the value is not it.
    fn wrong(self, value: &Value) -> Option<String> {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let all = |check: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(check));
        let (right, expected) = match self {
            Self::Text => (is_text(value), "text that is not empty"),
            Self::Texts { .. } => (
                all(|item| item.as_str().is_some_and(|text| !text.is_empty())),
                "a list of texts",
            ),
            Self::Mappings => (all(Value::is_object), "a list of mappings"),
            Self::Mapping => (value.is_object(), "a mapping"),
            Self::Profile => (
                value.as_object().is_some_and(|profile| {
                    ["displayName", "email", "picture"]
                        .iter()
                        .all(|key| profile.get(*key).is_none_or(is_text))
                }),
                "a mapping whose displayName, email and picture are texts that are not empty",
            ),
            Self::OneOf(words) => {
                return (!value.as_str().is_some_and(|text| words.contains(&text)))
                    .then(|| format!("one of {}", words.join(", ")));
            }
        };
        (!right).then(|| expected.to_owned())
    }
}

#[cfg(test)]
mod tests;
