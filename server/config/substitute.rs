//! `${VAR}`, `$env`, `$file`, `$include`, as `@backstage/config-loader` has them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::node::{Node, NodeValue, Place};
use super::{ConfigError, Environment};

/// Includes may include; deeper than this is a circle.
const DEPTH: usize = 16;

#[expect(clippy::expect_used, reason = "the pattern is a constant")]
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$?\$\{[^{}]*\}").expect("a valid pattern"));

/// Reads a file and replaces all that it refers to.
pub(super) fn read(path: &Path, environment: Environment<'_>) -> Result<Node, ConfigError> {
    read_at(path, environment, 0)
}

fn read_at(path: &Path, environment: Environment<'_>, depth: usize) -> Result<Node, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let source: Arc<str> = path.display().to_string().into();
    let node = Node::parse(&text, &source).map_err(|(place, reason)| wrong(&place, "", reason))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let substitution = Substitution {
        folder,
        environment,
        depth,
    };
    substitution.apply(node, "")
}

struct Substitution<'a> {
    /// Paths are relative to the file that names them.
    folder: &'a Path,
    environment: Environment<'a>,
    depth: usize,
}

impl Substitution<'_> {
    fn apply(&self, node: Node, path: &str) -> Result<Node, ConfigError> {
        let Node {
            place,
            value,
            via,
            under,
        } = node;
        let value = match value {
            NodeValue::Text(text) if text.contains("${") => {
                let mut named: Vec<String> = named_variables(&text);
                named.extend(via);
                let value = self.text(text);
                return Ok(Node {
                    place,
                    value,
                    via: named,
                    under,
                });
            }
            NodeValue::List(items) => NodeValue::List(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| self.apply(item, &format!("{path}[{index}]")))
                    .collect::<Result<_, _>>()?,
            ),
            NodeValue::Map(entries) => match directive(&entries) {
                Some((name, argument)) => return self.directive(name, argument, &place, path),
                None => NodeValue::Map(
                    entries
                        .into_iter()
                        .map(|(key, value)| {
                            let value = self.apply(value, &super::node::join(path, &key))?;
                            Ok((key, value))
                        })
                        .collect::<Result<_, ConfigError>>()?,
                ),
            },
            other => other,
        };
        Ok(Node {
            place,
            value,
            via,
            under,
        })
    }

    /// `$${` is a plain `${`; one variable that is not set makes the whole text undefined.
    fn text(&self, text: String) -> NodeValue {
        if !text.contains("${") {
            return NodeValue::Text(text);
        }
        let mut result = String::new();
        let mut end = 0;
        for found in VARIABLE.find_iter(&text) {
            result.push_str(&text[end..found.start()]);
            end = found.end();
            let part = found.as_str();
            if let Some(escaped) = part.strip_prefix('$').filter(|rest| rest.starts_with('$')) {
                result.push_str(escaped);
                continue;
            }
            let inner = &part[2..part.len() - 1];
            let value = match inner.split_once(":-") {
                Some((name, fallback)) => Some(
                    (self.environment)(name.trim())
                        .filter(|value| !value.is_empty())
                        .unwrap_or_else(|| fallback.to_owned()),
                ),
                None => (self.environment)(inner.trim()),
            };
            match value {
                Some(value) => result.push_str(&value),
                None => return NodeValue::Undefined(text),
            }
        }
        result.push_str(&text[end..]);
        NodeValue::Text(result)
    }

    fn directive(&self, name: &str, argument: &Node, place: &Place, path: &str) -> Result<Node, ConfigError> {
        let NodeValue::Text(argument) = &argument.value else {
            return Err(wrong(place, path, format!("{name} needs a text")));
        };
        let via = format!("{name} {argument}");
        let argument = match self.text(argument.clone()) {
            NodeValue::Text(text) => text,
            other => return Ok(Node::new(place.clone(), other).taken_from(&via)),
        };
        let value = match name {
            "$env" => match (self.environment)(&argument) {
                Some(value) => NodeValue::Text(value),
                None => NodeValue::Undefined(format!("${{{argument}}}")),
            },
            "$file" => {
                let file = self.folder.join(&argument);
                let text = std::fs::read_to_string(&file)
                    .map_err(|error| wrong(place, path, format!("$file {} cannot be read: {error}", file.display())))?;
                NodeValue::Text(text.trim_end().to_owned())
            }
            _ => {
                let included = self.include(&argument, place, path)?;
                return Ok(included.taken_from(&format!("{via} at {}", place.exact())));
            }
        };
        Ok(Node::new(place.clone(), value).taken_from(&via))
    }

    /// `file.yaml` or `file.yaml#a.b`.
    fn include(&self, argument: &str, place: &Place, path: &str) -> Result<Node, ConfigError> {
        if self.depth >= DEPTH {
            return Err(wrong(
                place,
                path,
                format!("$include {argument} goes round in a circle"),
            ));
        }
        let (file, inside) = argument.split_once('#').unwrap_or((argument, ""));
        let file: PathBuf = self.folder.join(file);
        let known = file
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json");
        if !known {
            return Err(wrong(
                place,
                path,
                format!("$include {argument}: only .yaml, .yml and .json files can be included"),
            ));
        }
        let mut node = read_at(&file, self.environment, self.depth + 1).map_err(|error| match error {
            ConfigError::Read { reason, .. } => wrong(
                place,
                path,
                format!("$include {} cannot be read: {reason}", file.display()),
            ),
            other => other,
        })?;
        for key in inside.split('.').filter(|key| !key.is_empty()) {
            let NodeValue::Map(entries) = node.value else {
                return Err(wrong(place, path, format!("$include {argument}: there is no {key}")));
            };
            node = entries
                .into_iter()
                .find_map(|(name, value)| (name == key).then_some(value))
                .ok_or_else(|| wrong(place, path, format!("$include {argument}: there is no {key}")))?;
        }
        Ok(node)
    }
}

/// `${NAME}` for each variable that a text names.
fn named_variables(text: &str) -> Vec<String> {
    VARIABLE
        .find_iter(text)
        .map(|found| found.as_str())
        .filter(|part| !part.starts_with("$$"))
        .map(|part| {
            let inner = part.trim_start_matches("${").trim_end_matches('}');
            let name = inner.split_once(":-").map_or(inner, |(name, _)| name);
            format!("${{{}}}", name.trim())
        })
        .collect()
}

fn directive(entries: &[(String, Node)]) -> Option<(&str, &Node)> {
    match entries {
        [(name, argument)] if matches!(name.as_str(), "$env" | "$file" | "$include") => Some((name, argument)),
        _ => None,
    }
}

fn wrong(place: &Place, path: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Wrong {
        place: place.to_string(),
        key: path.to_owned(),
        reason: reason.into(),
    }
}
