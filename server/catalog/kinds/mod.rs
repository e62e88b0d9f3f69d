//! The kinds that the portal knows, one file each: what a spec must hold and which relations it makes.
//! The rules are those of `@backstage/catalog-model` 1.10.1; keys that they do not name are kept.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use sha1::{Digest, Sha1};

use super::EntityRef;
use super::envelope::FieldFault;
use crate::language::Text;

mod api;
mod columns;
mod component;
mod declared;
mod domain;
mod form;
mod group;
mod location;
mod relations;
mod resource;
mod schema;
mod system;
mod template;
mod user;

pub use columns::{FieldColumn, Said};
pub use declared::{ColumnDeclaration, Declared, KindDeclaration, KindsError, RelationDeclaration, plural};
use form::{Field, Form, optional, required};
use relations::Relations;

/// A kind of the catalog. Kinds are matched case-sensitively in files, and ignoring case in refs.
#[derive(Clone, Copy)]
enum Kind<'a> {
    /// Of Backstage.
    BuiltIn(&'static Rules),
    /// Of the configuration.
    Declared(&'a Declared),
}

/// A field whose refs become relations in both directions.
#[derive(Debug)]
struct Link {
    field: &'static str,
    /// Relation from this entity to the one that the field names.
    forward: &'static str,
    /// Relation back.
    inverse: &'static str,
    /// Kind of a ref that names none; `None`: the ref must name it.
    kind: Option<&'static str>,
}

#[derive(Debug)]
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
    pub kind: Cow<'static, str>,
    pub target: EntityRef,
}

/// The kinds of Backstage, in the order in which messages name them.
static BUILT_IN: [&Rules; 9] = [
    &component::RULES,
    &api::RULES,
    &resource::RULES,
    &system::RULES,
    &domain::RULES,
    &group::RULES,
    &user::RULES,
    &location::RULES,
    &template::RULES,
];

/// All kinds: those of Backstage, and those that the configuration declares. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Kinds(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    declared: Vec<Declared>,
    relations: Relations,
    digest: Option<String>,
}

impl Kinds {
    /// The kinds of Backstage and these.
    ///
    /// # Errors
    /// Of the first declaration that cannot be used.
    pub fn new(declarations: &[KindDeclaration]) -> Result<Self, KindsError> {
        if declarations.len() > declared::MOST_KINDS {
            return Err(KindsError {
                key: format!("[{}]", declared::MOST_KINDS),
                reason: format!("more than {} kinds cannot be declared", declared::MOST_KINDS),
            });
        }
        declared::differ(declarations)?;
        let mut registry = Registry::default();
        for (index, declaration) in declarations.iter().enumerate() {
            let kind = Declared::new(index, declaration, &mut registry.relations)?;
            registry.declared.push(kind);
        }
        if !declarations.is_empty() {
            let rules: Value = declarations.iter().map(Declared::rules).collect();
            registry.digest = Some(hex::encode(Sha1::digest(rules.to_string())));
        }
        Ok(Self(Arc::new(registry)))
    }

    /// As files write them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = BUILT_IN.iter().map(|rules| rules.name);
        built_in.chain(self.declared().iter().map(|kind| kind.name.as_str()))
    }

    pub fn declared(&self) -> &[Declared] {
        &self.0.declared
    }

    /// The declared kind of this name, in any case.
    pub fn find(&self, name: &str) -> Option<&Declared> {
        self.declared().iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// Stands for what the declarations make of files; `None` where nothing is declared.
    pub fn digest(&self) -> Option<&str> {
        self.0.digest.as_deref()
    }

    /// The kind of a document, by its `kind` and `apiVersion`.
    fn of(&self, entity: &Value) -> Option<Kind<'_>> {
        let name = entity.get("kind")?.as_str()?;
        let version = entity.get("apiVersion")?.as_str()?;
        let is_built_in = |rules: &&&Rules| rules.name == name && rules.api_versions.contains(&version);
        let is_declared =
            |kind: &&Declared| kind.name == name && kind.api_versions.iter().any(|known| known == version);
        match BUILT_IN.iter().find(is_built_in) {
            Some(rules) => Some(Kind::BuiltIn(rules)),
            None => self.declared().iter().find(is_declared).map(Kind::Declared),
        }
    }

    /// Does the document name files to be read?
    pub fn is_location(&self, entity: &Value) -> bool {
        matches!(self.of(entity), Some(Kind::BuiltIn(rules)) if rules.name == location::RULES.name)
    }

    /// Types of relations in pairs: from the entity that says it, and back.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .relations
            .pairs
            .iter()
            .map(|pair| (&*pair.forward, &*pair.inverse))
    }

    /// Types of relations in the order in which they are listed, and their words.
    pub fn relations(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.0.relations.words()
    }

    /// Types that the configuration adds, as the far end has them, and their words.
    pub fn declared_inverses(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.0.relations.declared_inverses()
    }

    /// The words of a type of relation; one that is not known as it is written.
    pub fn relation_word(&self, kind: &str) -> Text {
        self.0.relations.word(kind)
    }

    /// The other type of the pair.
    pub fn inverse(&self, kind: &str) -> Option<&str> {
        self.0.relations.inverse(kind)
    }

    /// Is it the first of its pair?
    pub fn is_forward(&self, kind: &str) -> bool {
        !self.pairs().any(|(_, back)| back == kind)
    }

    /// Checks the spec of a document whose envelope is right, sorts its lists of refs, and returns the
    /// relations that it makes, sorted. Every fault is told.
    pub fn check(&self, entity: &mut Value) -> Result<Vec<Relation>, Vec<FieldFault>> {
        let text = |pointer: &str| entity.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let own = EntityRef::new(text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        let mut made = Made {
            own,
            relations: Vec::new(),
        };
        let mut faults = Vec::new();
        match self.of(entity) {
            None => faults.push(self.unknown(text("/kind"), text("/apiVersion"), &made.own)),
            Some(Kind::Declared(kind)) => kind.check(entity, &mut faults, &mut made),
            Some(Kind::BuiltIn(rules)) => rules.check(entity, &mut faults, &mut made),
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        made.relations.sort();
        made.relations.dedup();
        Ok(made.relations)
    }

    fn unknown(&self, kind: &str, version: &str, own: &EntityRef) -> FieldFault {
        let known = self.names().collect::<Vec<_>>().join(", ");
        let field = match self.names().any(|known| known == kind) {
            true => "apiVersion",
            false => "kind",
        };
        FieldFault::at(
            &[field],
            format!(
                "No processor recognized the entity {own} as valid, possibly caused by a foreign kind or apiVersion \
                 (kind {kind}, apiVersion {version}); known kinds are {known}"
            ),
        )
    }
}

impl Rules {
    fn check(&self, entity: &mut Value, faults: &mut Vec<FieldFault>, made: &mut Made) {
        let Some(spec) = entity.get_mut("spec") else {
            let message = format!("spec is missing; a {} needs one", self.name);
            return faults.push(FieldFault::at(&[], message));
        };
        form::check_fields(self.fields, None, spec, &mut vec!["spec".to_owned()], faults);
        for field in self.fields.iter().filter(|field| field.form == SORTED) {
            if let Some(Value::Array(list)) = spec.get_mut(field.name) {
                list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
        }
        for link in self.links {
            // A value of the wrong form is told already.
            let is_told = |fault: &FieldFault| fault.path.get(1).is_some_and(|name| name == link.field);
            if !faults.iter().any(is_told) {
                let path = ["spec".to_owned(), link.field.to_owned()];
                let pair = (&Cow::Borrowed(link.forward), &Cow::Borrowed(link.inverse));
                made.link(&path, spec.get(link.field), pair, link.kind, faults);
            }
        }
    }
}

/// The relations that an entity makes.
struct Made {
    own: EntityRef,
    relations: Vec<Relation>,
}

impl Made {
    /// Takes in the refs of the field at `path`, in both directions; `kind` is that of refs that name none.
    fn link(
        &mut self,
        path: &[String],
        value: Option<&Value>,
        (forward, inverse): (&Cow<'static, str>, &Cow<'static, str>),
        kind: Option<&str>,
        faults: &mut Vec<FieldFault>,
    ) {
        for target in refs(value) {
            match read_ref(target, kind, &self.own.namespace) {
                Ok(target) => {
                    self.relations.push(Relation {
                        source: self.own.clone(),
                        kind: forward.clone(),
                        target: target.clone(),
                    });
                    self.relations.push(Relation {
                        source: target,
                        kind: inverse.clone(),
                        target: self.own.clone(),
                    });
                }
                Err(reason) => faults.push(FieldFault {
                    path: path.to_vec(),
                    message: format!("{}: {reason}", path.join(".")),
                }),
            }
        }
    }
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
