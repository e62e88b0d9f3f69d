//! Kinds that the configuration declares (`portico.catalog.kinds`): a schema for the spec, relations, an icon, columns.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::envelope::{self, FieldFault};
use super::super::yaml;
use super::columns::{self, FieldColumn, for_each, segments};
use super::relations::Relations;
use super::schema::Schema;
use super::{BUILT_IN, Made};
use crate::language::Text;

/// Declared kinds at most: the list page shows them all.
pub(super) const MOST_KINDS: usize = 50;
const MOST_RELATIONS: usize = 50;
const MOST_COLUMNS: usize = 12;

/// Symbols of `static/icons.svg` that stand for kinds of things.
pub const ICONS: [&str; 18] = [
    "api",
    "catalog",
    "clock",
    "code",
    "component",
    "database",
    "deploy",
    "docs",
    "group",
    "key",
    "link",
    "network",
    "repo",
    "resource",
    "server",
    "settings",
    "system",
    "terminal",
];

/// A kind as the configuration has it.
#[derive(Debug, Clone)]
pub struct KindDeclaration {
    /// As files write it.
    pub name: String,
    pub api_versions: Vec<String>,
    /// What pages call one of them; the name where it is not given.
    pub title: Option<Text>,
    /// What pages call several of them.
    pub plural: Option<Text>,
    /// One of [`ICONS`].
    pub icon: Option<String>,
    /// JSON Schema of `spec`, or its text; anything goes where it is not given.
    pub schema: Option<Value>,
    pub relations: Vec<RelationDeclaration>,
    pub columns: Vec<ColumnDeclaration>,
}

/// A field whose refs become relations in both directions.
#[derive(Debug, Clone)]
pub struct RelationDeclaration {
    /// Path in `spec`, dotted.
    pub field: String,
    /// Relation from the entity to the one that the field names.
    pub forward: String,
    /// Relation back.
    pub inverse: String,
    /// Kind of a ref that names none.
    pub default_kind: Option<String>,
    pub label: Option<Text>,
    pub inverse_label: Option<Text>,
}

/// A column of lists of the kind, and a line of its entities' pages.
#[derive(Debug, Clone)]
pub struct ColumnDeclaration {
    pub title: Text,
    /// Path in the entity, dotted: `spec.engine`.
    pub field: String,
}

/// Why kinds cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct KindsError {
    /// Below the list of declarations: `[0].relations[1].inverse`.
    pub key: String,
    pub reason: String,
}

/// A declared kind, ready to be used.
#[derive(Debug)]
pub struct Declared {
    pub name: String,
    pub(super) api_versions: Vec<String>,
    pub title: Text,
    pub plural: Text,
    /// Symbol of `static/icons.svg`.
    pub icon: &'static str,
    schema: Option<Schema>,
    links: Vec<Link>,
    pub columns: Vec<Arc<FieldColumn>>,
}

#[derive(Debug)]
struct Link {
    /// Path in `spec`.
    field: Vec<String>,
    forward: Cow<'static, str>,
    inverse: Cow<'static, str>,
    kind: Option<String>,
}

impl Declared {
    /// `index` is the declaration's place in the configuration, `relations` takes its types in.
    pub(super) fn new(
        index: usize,
        declaration: &KindDeclaration,
        relations: &mut Relations,
    ) -> Result<Self, KindsError> {
        let fail = |key: &str, reason: String| KindsError {
            key: format!("[{index}].{key}"),
            reason,
        };
        let name = &declaration.name;
        if !envelope::is_kind(name) {
            let reason = format!("{name:?} is not a kind: letters and digits, a letter first, at most 63");
            return Err(fail("name", reason));
        }
        if BUILT_IN.iter().any(|rules| rules.name.eq_ignore_ascii_case(name)) || name.eq_ignore_ascii_case("all") {
            return Err(fail("name", format!("{name} is built in; choose another name")));
        }
        if declaration.api_versions.is_empty() {
            return Err(fail(
                "apiVersions",
                "must name at least one, such as example.com/v1".to_owned(),
            ));
        }
        for (place, version) in declaration.api_versions.iter().enumerate() {
            if !envelope::is_api_version(version) {
                let reason = format!("{version:?} is not an API version such as example.com/v1");
                return Err(fail(&format!("apiVersions[{place}]"), reason));
            }
        }
        let icon = match declaration.icon.as_deref() {
            None => "component",
            Some(wanted) => ICONS.into_iter().find(|icon| *icon == wanted).ok_or_else(|| {
                fail(
                    "icon",
                    format!("there is no icon {wanted:?}; there are {}", ICONS.join(", ")),
                )
            })?,
        };
        let schema = declaration.schema.as_ref().map(|schema| match schema {
            Value::String(text) => Schema::new(&parsed(text)?),
            schema => Schema::new(schema),
        });
        let schema = schema.transpose().map_err(|reason| fail("schema", reason))?;
        few(declaration.relations.len(), MOST_RELATIONS).map_err(|reason| fail("relations", reason))?;
        few(declaration.columns.len(), MOST_COLUMNS).map_err(|reason| fail("columns", reason))?;
        let mut links = Vec::new();
        for (place, relation) in declaration.relations.iter().enumerate() {
            let link = link(relation, relations)
                .map_err(|(key, reason)| fail(&format!("relations[{place}].{key}"), reason))?;
            links.push(link);
        }
        let fields: Vec<_> = links
            .iter()
            .map(|link| (link.field.as_slice(), link.kind.as_deref()))
            .collect();
        let mut columns: Vec<Arc<FieldColumn>> = Vec::new();
        for (place, column) in declaration.columns.iter().enumerate() {
            let column = FieldColumn::new(name, column, &fields)
                .map_err(|(key, reason)| fail(&format!("columns[{place}].{key}"), reason))?;
            if columns.iter().any(|other| other.name == column.name) {
                let reason = "another column shows this field, or one whose name differs in signs only".to_owned();
                return Err(fail(&format!("columns[{place}].field"), reason));
            }
            columns.push(Arc::new(column));
        }
        let title = declaration.title.clone().unwrap_or_else(|| name.as_str().into());
        Ok(Self {
            name: name.clone(),
            api_versions: declaration.api_versions.clone(),
            plural: declaration.plural.clone().unwrap_or_else(|| plural(name).into()),
            title,
            icon,
            schema,
            links,
            columns,
        })
    }

    /// What names of its columns begin with.
    pub fn mark(&self) -> String {
        columns::mark(&self.name)
    }

    /// Adds what is wrong with the spec, and the relations that it makes.
    pub(super) fn check(&self, entity: &Value, faults: &mut Vec<FieldFault>, made: &mut Made) {
        // Without one, it is as if it were empty: the schema says whether that will do.
        let empty = json!({});
        let spec = entity.get("spec").unwrap_or(&empty);
        if let Some(schema) = &self.schema {
            faults.extend(schema.faults(spec));
        }
        for link in &self.links {
            let mut path = vec!["spec".to_owned()];
            for_each(spec, &link.field, &mut path, &mut |value, path| {
                // A value of the wrong form is told already.
                if faults.iter().any(|fault| fault.path.starts_with(path)) {
                    return;
                }
                made.link(
                    path,
                    Some(value),
                    (&link.forward, &link.inverse),
                    link.kind.as_deref(),
                    faults,
                );
            });
        }
    }

    /// What decides whether an entity is right and which relations it has.
    pub(super) fn rules(declaration: &KindDeclaration) -> Value {
        let relations = declaration.relations.iter();
        json!({
            "name": declaration.name,
            "apiVersions": declaration.api_versions,
            "schema": declaration.schema,
            "relations": relations
                .map(|relation| json!([relation.field, relation.forward, relation.inverse, relation.default_kind]))
                .collect::<Vec<_>>(),
        })
    }
}

/// A schema that stands in a file of its own.
fn parsed(text: &str) -> Result<Value, String> {
    let mut documents = yaml::documents(text).into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => document
            .value
            .map_err(|fault| format!("is neither JSON nor YAML: {}", fault.message)),
        (None, _) => Err("is empty".to_owned()),
        _ => Err("must be one document".to_owned()),
    }
}

fn few(count: usize, most: usize) -> Result<(), String> {
    match count <= most {
        true => Ok(()),
        false => Err(format!("has {count} entries; {most} is the most")),
    }
}

fn link(declaration: &RelationDeclaration, relations: &mut Relations) -> Result<Link, (&'static str, String)> {
    let field = segments(&declaration.field).map_err(|reason| ("field", reason))?;
    if field.first().is_some_and(|first| first == "spec") {
        let reason = format!("{} begins with spec; write the path within it", declaration.field);
        return Err(("field", reason));
    }
    let (forward, inverse) = (&declaration.forward, &declaration.inverse);
    for (key, name) in [("forward", forward), ("inverse", inverse)] {
        if !envelope::is_kind(name) {
            let reason =
                format!("{name:?} is not the name of a relation: letters and digits, a letter first, such as ownedBy");
            return Err((key, reason));
        }
    }
    if forward.eq_ignore_ascii_case(inverse) {
        return Err(("inverse", format!("must differ from {forward}, the way there")));
    }
    if let Some(kind) = &declaration.default_kind
        && !envelope::is_kind(kind)
    {
        return Err(("defaultKind", format!("{kind:?} is not a kind")));
    }
    relations.add(
        forward,
        inverse,
        (declaration.label.clone(), declaration.inverse_label.clone()),
    )?;
    Ok(Link {
        field,
        forward: Cow::Owned(forward.clone()),
        inverse: Cow::Owned(inverse.clone()),
        kind: declaration.default_kind.clone(),
    })
}

/// What English would say.
pub fn plural(kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let rest: String = letters.collect();
    match rest.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{first}{stem}ies"),
        None if ["s", "x", "ch", "sh"].iter().any(|end| rest.ends_with(end)) => format!("{first}{rest}es"),
        _ => format!("{first}{rest}s"),
    }
}

/// Names of declared kinds must differ in more than case.
pub(super) fn differ(declarations: &[KindDeclaration]) -> Result<(), KindsError> {
    let mut seen = BTreeSet::new();
    for (index, declaration) in declarations.iter().enumerate() {
        if !seen.insert(declaration.name.to_lowercase()) {
            return Err(KindsError {
                key: format!("[{index}].name"),
                reason: format!("{} is declared a second time", declaration.name),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
