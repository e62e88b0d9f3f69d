//! Where each value of a configuration comes from, and what becomes of it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::advice::{Standing, Verdict, advice};
use super::node::{Earlier, Node, NodeValue, join};
use super::secrets::{HIDDEN, cleaned, looks_secret};
use super::{ConfigError, unknown};
use crate::language::nearest;

/// Longer texts are cut.
const SHOWN: usize = 100;

/// Why a key cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("there is no key {key}{}", nearest.as_ref().map(|nearest| format!("; is {nearest} meant?")).unwrap_or_default())]
    NoSuchKey { key: String, nearest: Option<String> },
}

/// One value. Written as a few lines, without secrets.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Dotted, `[0]` for places in lists.
    pub key: String,
    /// As JSON, or in words; never a secret.
    pub value: String,
    /// `file:line:column` or the environment variable, and what it was taken from.
    pub from: String,
    /// What it took the place of, the newest first.
    pub over: Vec<String>,
    pub standing: Standing,
}

impl Explained {
    /// No file and no variable says it.
    pub fn is_default(&self) -> bool {
        self.from.starts_with(super::BUILT_IN)
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} = {}", self.key, self.value)?;
        writeln!(f, "  from {}", self.from)?;
        for over in &self.over {
            writeln!(f, "  over {over}")?;
        }
        writeln!(f, "  {}", self.standing)
    }
}

/// Explains each value that files (as those of [`super::load`]) and the environment give, or those at and below `key`.
/// The values need not make a configuration that can be used.
///
/// # Errors
/// Where a file cannot be read, and where nothing knows `key`: names the nearest.
pub fn explain(files: &[PathBuf], key: Option<&str>) -> Result<Vec<Explained>, ExplainError> {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    explain_with(files, &variables, key)
}

/// As [`explain`], with the environment given.
///
/// # Errors
/// As those of [`explain`].
pub fn explain_with(
    files: &[PathBuf],
    variables: &[(String, String)],
    key: Option<&str>,
) -> Result<Vec<Explained>, ExplainError> {
    let tree = super::merged(files, variables)?;
    let schema = unknown::schema();
    let mut walk = Walk {
        environment: environment(&tree),
        ..Walk::default()
    };
    walk.node(&tree, Some(&schema), &mut Vec::new(), "", false);
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Ok(walk.found);
    };
    let explained: Vec<Explained> = walk
        .found
        .into_iter()
        .filter(|one| at_or_below(&one.key, key))
        .collect();
    if explained.is_empty() && !walk.seen.contains(key) && !walk.known.contains(key) {
        let all = walk.seen.iter().chain(&walk.known).map(String::as_str);
        return Err(ExplainError::NoSuchKey {
            key: key.to_owned(),
            nearest: nearest(key, all),
        });
    }
    if explained.is_empty() {
        return Ok(vec![Explained {
            key: key.to_owned(),
            value: "not set".to_owned(),
            from: "nowhere: neither the files, nor the environment, nor the built-in defaults say it".to_owned(),
            over: Vec::new(),
            standing: advised(&parts(key)).unwrap_or(Standing::Obeyed),
        }]);
    }
    Ok(explained)
}

fn at_or_below(path: &str, key: &str) -> bool {
    path.strip_prefix(key)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `auth.environment`: providers of others are not used.
fn environment(tree: &Node) -> String {
    let found = below(tree, "auth").and_then(|auth| below(auth, "environment"));
    match found.map(|node| &node.value) {
        Some(NodeValue::Text(text)) => text.clone(),
        _ => "development".to_owned(),
    }
}

fn below<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let NodeValue::Map(entries) = &node.value else {
        return None;
    };
    entries.iter().find_map(|(name, node)| (name == key).then_some(node))
}

fn parts(key: &str) -> Vec<String> {
    let key = key.replace('[', ".[");
    key.split('.')
        .map(|part| if part.starts_with('[') { "[]" } else { part }.to_owned())
        .collect()
}

fn advised(parts: &[String]) -> Option<Standing> {
    let advice = advice(parts)?;
    Some(match advice.verdict {
        Verdict::Differs => Standing::Differs(advice.says.to_owned()),
        Verdict::Ignored => Standing::Ignored(advice.says.to_owned()),
    })
}

#[derive(Default)]
struct Walk {
    found: Vec<Explained>,
    /// Every path that has a value at or below it.
    seen: BTreeSet<String>,
    /// Every path that could have one, beside those.
    known: BTreeSet<String>,
    environment: String,
}

impl Walk {
    /// `schema` is `None` where anything may stand or nothing is known; `secret` counts for all below.
    fn node(&mut self, node: &Node, schema: Option<&Value>, parts: &mut Vec<String>, path: &str, secret: bool) {
        self.seen.insert(path.to_owned());
        let alternatives = schema.map(unknown::alternatives).unwrap_or_default();
        let secret = secret
            || parts.last().is_some_and(|name| looks_secret(name))
            || alternatives.iter().any(|schema| schema.get("writeOnly").is_some());
        match &node.value {
            NodeValue::Map(entries) if !entries.is_empty() => {
                let names = unknown::names(&alternatives);
                self.known.extend(names.iter().map(|name| join(path, name)));
                for (key, value) in entries {
                    let property = unknown::property(&alternatives, key);
                    let path = join(path, key);
                    parts.push(key.clone());
                    match property {
                        None if !names.is_empty() && advice(parts).is_none() => {
                            let nearest = nearest(key, names.iter().copied());
                            let secret = secret || nearest.as_deref().is_some_and(looks_secret);
                            self.unknown(value, parts, &path, secret, &Standing::Unknown(nearest));
                        }
                        schema => self.node(value, schema, parts, &path, secret),
                    }
                    parts.pop();
                }
            }
            NodeValue::List(items) if !items.is_empty() => {
                let schema = alternatives.iter().find_map(|schema| schema.get("items"));
                for (index, item) in items.iter().enumerate() {
                    parts.push("[]".to_owned());
                    self.node(item, schema, parts, &format!("{path}[{index}]"), secret);
                    parts.pop();
                }
            }
            _ => {
                let standing = advised(parts)
                    .or_else(|| self.of_another_environment(parts))
                    .unwrap_or(Standing::Obeyed);
                self.leaf(node, path, secret, standing);
            }
        }
    }

    /// All below a key that nobody knows.
    fn unknown(&mut self, node: &Node, parts: &[String], path: &str, secret: bool, standing: &Standing) {
        self.seen.insert(path.to_owned());
        let secret = secret || parts.last().is_some_and(|name| looks_secret(name));
        match &node.value {
            NodeValue::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    self.unknown(value, std::slice::from_ref(key), &join(path, key), secret, standing);
                }
            }
            NodeValue::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.unknown(item, &[], &format!("{path}[{index}]"), secret, standing);
                }
            }
            _ => self.leaf(node, path, secret, standing.clone()),
        }
    }

    fn of_another_environment(&self, parts: &[String]) -> Option<Standing> {
        match parts {
            [auth, providers, _, environment, ..]
                if auth == "auth" && providers == "providers" && *environment != self.environment =>
            {
                Some(Standing::Ignored(format!(
                    "auth.environment is {}; say it there, or set auth.environment to {environment}",
                    self.environment
                )))
            }
            _ => None,
        }
    }

    fn leaf(&mut self, node: &Node, path: &str, secret: bool, standing: Standing) {
        // The address of the database as one text holds its password.
        let secret = secret || path == "backend.database.connection";
        self.found.push(Explained {
            key: path.to_owned(),
            value: shown(&node.value, secret || secret_source(&node.via)),
            from: with_via(&node.place.exact(), &node.via),
            over: node.under.iter().rev().map(|earlier| over(earlier, secret)).collect(),
            standing,
        });
    }
}

fn over(earlier: &Earlier, secret: bool) -> String {
    format!(
        "{} = {}",
        with_via(&earlier.place.exact(), &earlier.via),
        shown(&earlier.value, secret || secret_source(&earlier.via))
    )
}

/// What comes from a variable or file that is named like a secret is one, wherever it is used.
fn secret_source(via: &[String]) -> bool {
    via.iter().any(|via| {
        let name = via
            .strip_prefix("$file ")
            .map(|path| path.rsplit('/').next().unwrap_or(path));
        // Where an include stands says nothing of its values.
        !via.starts_with("$include") && looks_secret(name.unwrap_or(via))
    })
}

fn with_via(place: &str, via: &[String]) -> String {
    match via {
        [] => place.to_owned(),
        via => format!("{place}, by {}", via.join(", ")),
    }
}

fn shown(value: &NodeValue, secret: bool) -> String {
    match value {
        // Its variables stand beside where it comes from.
        NodeValue::Undefined(_) if secret => "not set: an environment variable that it names is not set".to_owned(),
        NodeValue::Undefined(text) => format!(
            "not set: {} names an environment variable that is not set",
            cleaned(&text.replace('\n', " "))
        ),
        NodeValue::List(items) if items.is_empty() => "[]".to_owned(),
        NodeValue::Map(entries) if entries.is_empty() => "{}".to_owned(),
        NodeValue::List(items) => format!("a list of {}", items.len()),
        NodeValue::Map(_) => "keys of its own".to_owned(),
        NodeValue::Null => "null".to_owned(),
        _ if secret => HIDDEN.to_owned(),
        NodeValue::Bool(value) => value.to_string(),
        NodeValue::Number(value) => value.to_string(),
        NodeValue::Text(text) => {
            let text = cleaned(text);
            let cut: String = text.chars().take(SHOWN).collect();
            let more = if cut.len() < text.len() { "…" } else { "" };
            format!("{}{more}", Value::String(cut))
        }
    }
}

#[cfg(test)]
mod tests;
