//! A value of a configuration file that remembers where it stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// File (or environment variable), line and column, counted from 1; 0 where there are no lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub source: Arc<str>,
    pub line: u64,
    pub column: u64,
}

impl Place {
    /// `file:line:column`; messages about mistakes name the line only.
    pub fn exact(&self) -> String {
        match self.line {
            0 => self.source.to_string(),
            line => format!("{}:{line}:{}", self.source, self.column),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.source),
            line => write!(f, "{}:{line}", self.source),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: NodeValue,
    /// What the value was taken from, as the file names it: `${HOST}`, `$file token`, `$include more.yaml`.
    pub via: Vec<String>,
    /// What stood here before, in files or defaults below; the newest last.
    pub under: Vec<Earlier>,
}

/// A value that another one took the place of.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub place: Place,
    pub via: Vec<String>,
    pub value: NodeValue,
}

#[derive(Debug, Clone)]
pub(super) enum NodeValue {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// Text that names environment variables which are not set: as if the key were not there.
    Undefined(String),
}

impl Node {
    pub fn new(place: Place, value: NodeValue) -> Self {
        Self {
            place,
            value,
            via: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Remembers what this and all below it was taken from.
    pub fn taken_from(mut self, via: &str) -> Self {
        self.via.push(via.to_owned());
        self.value = match self.value {
            NodeValue::List(items) => NodeValue::List(items.into_iter().map(|item| item.taken_from(via)).collect()),
            NodeValue::Map(entries) => NodeValue::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, value.taken_from(via)))
                    .collect(),
            ),
            other => other,
        };
        self
    }

    /// Parses one YAML (or JSON) document; an empty one is an empty map.
    pub fn parse(text: &str, source: &Arc<str>) -> Result<Self, (Place, String)> {
        let options = serde_saphyr::options! { strict_booleans: true };
        match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(text, options) {
            Ok(Some(raw)) => Ok(Self::from_raw(raw, source)),
            Ok(None) => Ok(Self::new(place(source, 1, 1), NodeValue::Map(Vec::new()))),
            Err(error) => {
                // A snippet could show a secret.
                let error = error.without_snippet();
                let (line, column) = error
                    .location()
                    .map_or((0, 0), |location| (location.line(), location.column()));
                Err((place(source, line, column), error.to_string()))
            }
        }
    }

    /// A value that JSON describes, for example from an environment variable.
    pub fn from_json(value: serde_json::Value, place: &Place) -> Self {
        let value = match value {
            serde_json::Value::Null => NodeValue::Null,
            serde_json::Value::Bool(value) => NodeValue::Bool(value),
            serde_json::Value::Number(value) => NodeValue::Number(value),
            serde_json::Value::String(value) => NodeValue::Text(value),
            serde_json::Value::Array(items) => {
                NodeValue::List(items.into_iter().map(|item| Self::from_json(item, place)).collect())
            }
            serde_json::Value::Object(entries) => NodeValue::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, Self::from_json(value, place)))
                    .collect(),
            ),
        };
        Self::new(place.clone(), value)
    }

    fn from_raw(raw: Spanned<Raw>, source: &Arc<str>) -> Self {
        let value = match raw.value {
            Raw::Null => NodeValue::Null,
            Raw::Bool(value) => NodeValue::Bool(value),
            Raw::Number(value) => NodeValue::Number(value),
            Raw::Text(value) => NodeValue::Text(value),
            Raw::List(items) => NodeValue::List(items.into_iter().map(|item| Self::from_raw(item, source)).collect()),
            Raw::Map(entries) => NodeValue::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, Self::from_raw(value, source)))
                    .collect(),
            ),
        };
        let place = place(source, raw.referenced.line(), raw.referenced.column());
        Self::new(place, value)
    }

    /// Lays `over` on top: maps are merged key by key, everything else is replaced, arrays too.
    pub fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (NodeValue::Map(under), NodeValue::Map(entries)) => {
                // What is wrong with a map is most likely wrong in what was written last.
                self.place = over.place;
                for (key, value) in entries {
                    match under.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => known.merge(value),
                        None => under.push((key, value)),
                    }
                }
            }
            // What is not defined leaves what stands below.
            (NodeValue::Undefined(_), value @ NodeValue::Undefined(_)) => self.value = value,
            (_, value @ NodeValue::Undefined(_)) => self.under.push(Earlier {
                place: over.place,
                via: over.via,
                value,
            }),
            (_, value) => self.under.push(Earlier {
                place: std::mem::replace(&mut self.place, over.place),
                via: std::mem::replace(&mut self.via, over.via),
                value: std::mem::replace(&mut self.value, value),
            }),
        }
    }

    /// As JSON without what is undefined, and where each path (`a.b[0].c`) stands.
    pub fn into_json(self, path: &str, places: &mut Places) -> Option<serde_json::Value> {
        places.at.insert(path.to_owned(), self.place.clone());
        Some(match self.value {
            NodeValue::Null => serde_json::Value::Null,
            NodeValue::Bool(value) => value.into(),
            NodeValue::Number(value) => value.into(),
            NodeValue::Text(value) => value.into(),
            NodeValue::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    let index = list.len();
                    list.extend(item.into_json(&format!("{path}[{index}]"), places));
                }
                list.into()
            }
            NodeValue::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    let below = join(path, &key);
                    if let Some(value) = value.into_json(&below, places) {
                        map.insert(key, value);
                    }
                }
                map.into()
            }
            NodeValue::Undefined(text) => {
                places.undefined.insert(path.to_owned(), text);
                return None;
            }
        })
    }
}

/// `a.b` below `a`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Where values stand, by path.
#[derive(Debug, Default)]
pub struct Places {
    pub(super) at: BTreeMap<String, Place>,
    /// Texts whose variables are not set.
    pub(super) undefined: BTreeMap<String, String>,
}

fn place(source: &Arc<str>, line: u64, column: u64) -> Place {
    Place {
        source: source.clone(),
        line,
        column,
    }
}

/// What YAML says, before substitution.
enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(String, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(serde_json::Number::from_f64(value).map_or_else(|| Raw::Text(value.to_string()), Raw::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
