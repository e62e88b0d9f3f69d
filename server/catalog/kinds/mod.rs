//! The kinds that the portal knows, one file each: what a spec must hold and which relations it makes.
//! The rules are those of `@backstage/catalog-model` 1.10.1; keys that they do not name are kept.

use serde_json::Value;

use super::EntityRef;
use super::envelope::FieldFault;

mod api;
mod component;
mod domain;
mod form;
mod group;
mod location;
mod resource;
mod system;
mod template;
mod user;

use form::{Field, Form, optional, required};

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

const fn link(field: &'static str, forward: &'static str, inverse: &'static str, kind: Option<&'static str>) -> Link {
    Link {
        field,
        forward,
        inverse,
        kind,
    }
}

const SORTED: Form = Form::Texts { sorted: true };
/// `profile` of people and groups.
const PROFILE: Field = optional(
    "profile",
    Form::Mapping(
        &[
            optional("displayName", Form::Text),
            optional("email", Form::Text),
            optional("picture", Form::Text),
        ],
        None,
    ),
);
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

    /// As files write it.
    pub fn name(self) -> &'static str {
        self.rules().name
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
    let Some(spec) = entity.get_mut("spec") else {
        return Err(vec![FieldFault::at(
            &[],
            format!("spec is missing; a {} needs one", rules.name),
        )]);
    };
    let mut faults = Vec::new();
    form::check_fields(rules.fields, None, spec, &mut vec!["spec".to_owned()], &mut faults);
    for field in rules.fields.iter().filter(|field| field.form == SORTED) {
        if let Some(Value::Array(list)) = spec.get_mut(field.name) {
            list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
    let mut relations = Vec::new();
    for link in rules.links {
        // A value of the wrong form is told already.
        if faults
            .iter()
            .any(|fault| fault.path.get(1).is_some_and(|name| name == link.field))
        {
            continue;
        }
        for target in refs(spec.get(link.field)) {
            match read_ref(target, link.kind, &own.namespace) {
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
                Err(reason) => faults.push(FieldFault::at(
                    &["spec", link.field],
                    format!("spec.{}: {reason}", link.field),
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

/// The refs of a field: one, or a list of them; none in a field that is empty in any way.
fn refs(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => &[],
        Some(Value::String(text)) if text.is_empty() => &[],
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => &[],
        Some(Value::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    }
}

/// A ref as text, or as a mapping of its parts.
fn read_ref(value: &Value, kind: Option<&str>, namespace: &str) -> Result<EntityRef, String> {
    let part = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    match value {
        Value::String(text) => EntityRef::parse(text, kind, Some(namespace)).map_err(|error| error.to_string()),
        Value::Object(_) => match (part("kind").or(kind), part("name")) {
            (Some(kind), Some(name)) => Ok(EntityRef::new(kind, part("namespace").unwrap_or(namespace), name)),
            _ => Err(format!("{value} is not an entity ref: it needs kind and name")),
        },
        other => Err(format!("{other} is not an entity ref such as component:default/name")),
    }
}

#[cfg(test)]
mod tests;
