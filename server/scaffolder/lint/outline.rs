//! What a template declares: parameters, steps, secrets. What expressions may refer to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::source::{Source, Way, at, below, way};
use crate::scaffolder::expressions::{Guard, analyse};

/// What a template declares.
pub struct Outline {
    /// Pages of the form, with their ways.
    pub pages: Vec<Way>,
    /// The members of `parameters`, of all pages.
    pub parameters: Declared,
    pub steps: Vec<StepOutline>,
    /// An expression that fails, and a name that is not defined, ends the step: `portico/expressions: strict`.
    pub strict: bool,
    /// Members of `secrets` that the form asks for.
    pub secrets: BTreeSet<String>,
}

/// A step as others refer to it.
pub struct StepOutline {
    pub way: Way,
    pub id: String,
    pub action: String,
    /// Names that its `if` refers to: what hangs on them is looked at only where they say so.
    pub guards: Vec<Vec<String>>,
}

/// An object of the parameters.
#[derive(Default)]
pub struct Declared {
    pub members: BTreeMap<String, Declared>,
    /// Where it is declared.
    pub way: Way,
    /// Others may be in it, too.
    pub open: bool,
}

/// Schemas in a schema that say more about the same object.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const BRANCHES: [&str; 3] = ["if", "then", "else"];

impl Outline {
    pub fn read(source: &Source<'_>) -> Self {
        let parameters = way(&["spec", "parameters"]);
        let pages: Vec<Way> = match source.at(&parameters) {
            Value::Array(pages) => (0..pages.len()).map(|index| below(&parameters, index)).collect(),
            Value::Null => Vec::new(),
            _ => vec![parameters],
        };
        let mut declared = Declared::default();
        for page in &pages {
            declared.read(source.value, page);
        }
        let mut secrets = BTreeSet::new();
        for page in &pages {
            collect_secrets(source.at(page), &mut secrets);
        }
        let asked = source.at(&way(&["spec", "secrets", "schema", "properties"]));
        secrets.extend(
            asked
                .as_object()
                .into_iter()
                .flat_map(|properties| properties.keys().cloned()),
        );
        let annotations = source.at(&way(&["metadata", "annotations"]));
        Self {
            pages,
            parameters: declared,
            steps: read_steps(source),
            strict: annotations["portico/expressions"] == "strict",
            secrets,
        }
    }
}

fn read_steps(source: &Source<'_>) -> Vec<StepOutline> {
    let list = way(&["spec", "steps"]);
    let count = source.at(&list).as_array().map_or(0, Vec::len);
    (0..count)
        .map(|index| {
            let way = below(&list, index);
            let step = source.at(&way);
            let condition = step["if"].as_str().and_then(|text| analyse(text).ok());
            let references = condition.map(|analysis| analysis.references).unwrap_or_default();
            StepOutline {
                id: match step["id"].as_str() {
                    Some(id) => id.to_owned(),
                    None => format!("step-{}", index + 1),
                },
                action: step["action"].as_str().unwrap_or_default().to_owned(),
                guards: references.into_iter().map(|reference| reference.path).collect(),
                way,
            }
        })
        .collect()
}

impl StepOutline {
    /// The guard of a name in this step: its `if` may ask for it.
    pub fn guard(&self, path: &[String], guard: Guard) -> Guard {
        match self
            .guards
            .iter()
            .any(|asked| asked.len() > 1 && path.starts_with(asked))
        {
            true => guard.max(Guard::Branch),
            false => guard,
        }
    }
}

impl Declared {
    /// Adds what the schema at a way of the document declares.
    fn read(&mut self, root: &Value, way: &[String]) {
        let schema = at(root, way);
        self.open |= schema.get("$ref").is_some()
            || schema.get("patternProperties").is_some()
            || schema
                .get("additionalProperties")
                .is_some_and(|more| *more != Value::Bool(false));
        let properties = below(way, "properties");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let place = below(&properties, name);
            let is_new = !self.members.contains_key(name);
            let member = self.members.entry(name.clone()).or_default();
            if is_new {
                member.way.clone_from(&place);
            }
            let has_members = property["properties"]
                .as_object()
                .is_some_and(|members| !members.is_empty());
            match has_members && property.get("ui:field").is_none() {
                true => member.read(root, &place),
                false => member.open = true,
            }
        }
        for key in BRANCHES {
            self.read_branch(root, &below(way, key));
        }
        for key in ALTERNATIVES {
            let list = below(way, key);
            for index in 0..schema[key].as_array().map_or(0, Vec::len) {
                self.read_branch(root, &below(&list, index));
            }
        }
        let dependencies = below(way, "dependencies");
        for name in schema["dependencies"]
            .as_object()
            .into_iter()
            .flat_map(|list| list.keys())
        {
            self.read_branch(root, &below(&dependencies, name));
        }
    }

    fn read_branch(&mut self, root: &Value, way: &[String]) {
        if at(root, way).is_object() {
            self.read(root, way);
        }
    }

    /// How many steps of a path of members are declared; all of them where it cannot be told.
    pub fn known(&self, path: &[String]) -> usize {
        let mut declared = self;
        for (index, name) in path.iter().enumerate() {
            match declared.members.get(name) {
                Some(member) => declared = member,
                None if declared.open => return path.len(),
                None => return index,
            }
        }
        path.len()
    }

    /// The object at a path.
    pub fn member(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |declared, name| declared.members.get(name))
    }
}

/// Names of `ui:field: Secret`, and of `requestUserCredentials`.
fn collect_secrets(schema: &Value, secrets: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let field = property
                    .get("ui:field")
                    .or_else(|| property.pointer("/ui:options/field"));
                if field.is_some_and(|field| field == "Secret") {
                    secrets.insert(name.clone());
                }
            }
            let asked = schema
                .pointer("/requestUserCredentials/secretsKey")
                .and_then(Value::as_str);
            secrets.extend(asked.map(str::to_owned));
            members.values().for_each(|member| collect_secrets(member, secrets));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_secrets(item, secrets)),
        _ => {}
    }
}
