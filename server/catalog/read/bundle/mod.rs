//! `$openapi` and `$asyncapi`: a definition with all that it refers to in other files, as one document. What is where is
//! decided as `$RefParser.bundle` of the npm package `@apidevtools/json-schema-ref-parser` 15 does, which Backstage's
//! placeholder resolvers call: each value is put in once, and every other reference to it points there.

mod inventory;
mod pointers;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::source::Reading;
use crate::catalog::yaml;
use inventory::{Fate, Inventory, Met, Reference};
use pointers::{keys_of, pointer_of, reference, shorten, split};

/// Files that one definition refers to, at most.
const MAX_FILES: usize = 200;
/// References that lead from one to the next, and levels of the result, at most.
const MAX_DEPTH: usize = 100;
/// Keys from the root to a value, through references, at most.
const MAX_KEYS: usize = 2_000;
/// For as many levels.
const STACK: usize = 64 * 1024 * 1024;
/// Values in the result, at most.
const MAX_VALUES: usize = 1_000_000;
/// Why there is no bundle, and whether that may pass by itself.
pub type Fault = (String, bool);

/// A value: the number of its file, and the keys that lead to it.
type Place = (usize, Vec<String>);

/// A file and its content.
struct File {
    name: String,
    value: Value,
}

/// The file `kind:name` with content `text` and all that it refers to, as YAML. Everything must lie in the same
/// repository or below the same folder, as for any substitution.
pub async fn bundle(reading: &mut Reading<'_>, kind: &str, name: &str, text: &str) -> Result<String, Fault> {
    let mut files = Files::default();
    files.add(name.to_owned(), text).map_err(|message| (message, false))?;
    let mut next = 0;
    while next < files.list.len() {
        let (from, wanted) = (files.list[next].name.clone(), external(&files.list[next].value));
        for target in wanted {
            let told = |message: String| format!("{from} refers to {target}: {message}");
            let resolved = reading
                .resolve(kind, &from, kind, &target)
                .map_err(|message| (told(message), false))?;
            files.names.insert((next, target.clone()), resolved.clone());
            if files.find(&resolved).is_some() {
                continue;
            }
            if files.list.len() >= MAX_FILES {
                return Err((
                    told(format!("more than {MAX_FILES} files belong to one definition")),
                    false,
                ));
            }
            let text = reading
                .beside(kind, &from, &target)
                .await
                .map_err(|failure| (told(failure.message().to_owned()), failure.is_temporary()))?;
            files.add(resolved, &text).map_err(|message| (told(message), false))?;
        }
        next += 1;
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // It takes its time, and a stack of its own.
    let thread = std::thread::Builder::new().name("bundle".to_owned()).stack_size(STACK);
    let begun = thread.spawn(move || sender.send(files.together()));
    begun.map_err(|error| (format!("no thread to put it together: {error}"), true))?;
    let together = receiver
        .await
        .map_err(|_| ("putting it together failed".to_owned(), false))?;
    together.map_err(|message| (message, false))
}

/// Files that a value refers to, as it names them, without what is meant in them.
fn external(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some((file, _)) = reference(value).map(split)
                    && !file.is_empty()
                    && !found.iter().any(|known| known == file)
                {
                    found.push(file.to_owned());
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

/// Keys in the order in which JavaScript has them: whole numbers first.
fn in_order(map: &Map<String, Value>) -> Vec<&String> {
    let index = |key: &str| key.parse::<u32>().ok().filter(|number| number.to_string() == key);
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_by_key(|key| index(key).map_or((1, 0), |number| (0, number)));
    keys
}

#[derive(Default)]
struct Files {
    list: Vec<File>,
    /// What a file calls another one, and that one's full name.
    names: HashMap<(usize, String), String>,
}

impl Files {
    fn find(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|file| file.name == name)
    }

    fn add(&mut self, name: String, text: &str) -> Result<(), String> {
        let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
        let value = match ending.as_str() {
            "txt" | "md" | "html" | "htm" => Value::String(text.to_owned()),
            "json" => serde_json::from_str(text).map_err(|error| format!("{name} is not JSON: {error}"))?,
            _ => yaml::text::read(text).map_err(|message| format!("{name}: {message}"))?,
        };
        self.list.push(File { name, value });
        Ok(())
    }

    fn value(&self, place: &Place) -> Option<&Value> {
        let root = self.list.get(place.0).map(|file| &file.value);
        place.1.iter().try_fold(root?, |value, key| match value {
            Value::Object(map) => map.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// What a reference written in file `file` names, without following what stands there.
    fn named(&self, file: usize, reference: &str) -> Result<Place, String> {
        let (name, pointer) = split(reference);
        let file = match name {
            "" => Some(file),
            name => self
                .names
                .get(&(file, name.to_owned()))
                .and_then(|full| self.find(full)),
        };
        let file = file.ok_or_else(|| format!("the reference {reference} leads nowhere"))?;
        Ok((file, keys_of(pointer)))
    }

    /// The value that a place stands for, with the references that were passed. True: it names itself.
    fn resolve(&self, place: &Place, depth: usize) -> Result<(Place, usize, bool), String> {
        let leads_nowhere = || {
            let name = &self.list[place.0].name;
            format!("the reference {name}{} leads nowhere", pointer_of(&place.1))
        };
        if depth > MAX_DEPTH {
            return Err(format!(
                "references lead in a circle, at {}{}",
                self.list[place.0].name,
                pointer_of(&place.1)
            ));
        }
        let (mut at, mut passed): (Place, usize) = ((place.0, Vec::new()), 0);
        for key in &place.1 {
            let value = self.value(&at).ok_or_else(leads_nowhere)?;
            if let Some(reference) = reference(value)
                && value.get(key).is_none()
            {
                let (found, further, _) = self.resolve(&self.named(at.0, reference)?, depth + 1)?;
                passed += further + 1;
                at = found;
            }
            at.1.push(key.clone());
        }
        let value = self.value(&at).ok_or_else(leads_nowhere)?;
        let Some(reference) = reference(value) else {
            return Ok((at, passed, false));
        };
        let next = self.named(at.0, reference)?;
        if next == at {
            return Ok((at, passed, true));
        }
        let (found, further, circular) = self.resolve(&next, depth + 1)?;
        match is_extended(value) {
            // It makes a value of its own.
            true => Ok((at, passed + further + 1, false)),
            false => Ok((found, passed + further + 1, circular)),
        }
    }

    fn together(&self) -> Result<String, String> {
        let mut inventory = Inventory::default();
        self.crawl(&(0, Vec::new()), &[], 0, &mut inventory)?;
        let fates = inventory.decide();
        let mut left = MAX_VALUES;
        let mut whole = self.written(&(0, Vec::new()), &fates, 0, &mut left)?;
        let read = whole.clone();
        shorten(&mut whole, &read);
        yaml::text::write(&whole, &yaml::text::Style::default())
    }

    /// Takes stock of the references at a place and below.
    fn crawl(
        &self,
        at: &Place,
        from_root: &[String],
        indirections: usize,
        inventory: &mut Inventory,
    ) -> Result<(), String> {
        if from_root.len() > MAX_KEYS {
            return Err(format!("the definition is nested more than {MAX_KEYS} levels deep"));
        }
        let below = |key: &str| (at.0, [at.1.as_slice(), &[key.to_owned()]].concat());
        match self.value(at) {
            Some(value) if reference(value).is_some() => self.meet(at, value, from_root, indirections, inventory),
            Some(Value::Object(_) | Value::Array(_)) if !inventory.seen.insert(at.clone()) => Ok(()),
            Some(Value::Object(map)) => {
                let mut keys = in_order(map);
                // The shortest keys first, so that references get short; definitions before all.
                keys.sort_by_key(|key| (!inventory::is_definitions(key), key.encode_utf16().count()));
                for key in keys {
                    let from_root = [from_root, std::slice::from_ref(key)].concat();
                    self.crawl(&below(key), &from_root, indirections, inventory)?;
                }
                Ok(())
            }
            Some(Value::Array(items)) => {
                for index in 0..items.len() {
                    let key = index.to_string();
                    let from_root = [from_root, std::slice::from_ref(&key)].concat();
                    self.crawl(&below(&key), &from_root, indirections, inventory)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn meet(
        &self,
        at: &Place,
        value: &Value,
        from_root: &[String],
        indirections: usize,
        inventory: &mut Inventory,
    ) -> Result<(), String> {
        let Some(reference) = reference(value) else {
            return Ok(());
        };
        let named = self.named(at.0, reference)?;
        let (target, passed, circular) = match named == *at {
            true => (named, 0, true),
            false => self.resolve(&named, 0)?,
        };
        let met = Reference {
            at: at.clone(),
            from_root: from_root.to_vec(),
            target: target.clone(),
            circular,
            extended: is_extended(value),
            indirections: indirections + passed,
        };
        let external = met.is_external();
        let indirections = met.indirections;
        match inventory.add(met)? {
            Met::Known => Ok(()),
            Met::Nearer if !external => Ok(()),
            Met::First | Met::Nearer => self.crawl(&target, from_root, indirections + 1, inventory),
        }
    }

    /// The value at a place with every reference as decided.
    fn written(
        &self,
        at: &Place,
        fates: &HashMap<Place, Fate>,
        depth: usize,
        left: &mut usize,
    ) -> Result<Value, String> {
        *left = left
            .checked_sub(1)
            .filter(|_| depth <= 2 * MAX_DEPTH)
            .ok_or("the definition is too large once everything is put in")?;
        let value = self.value(at).cloned().unwrap_or_default();
        let below = |key: &str| (at.0, [at.1.as_slice(), &[key.to_owned()]].concat());
        match (fates.get(at), value) {
            (Some(Fate::Point(to)), Value::Object(mut map)) => {
                map.insert("$ref".to_owned(), Value::String(pointer_of(to)));
                Ok(Value::Object(map))
            }
            (Some(Fate::Put(target)), own) => {
                let put = self.written(target, fates, depth + 1, left)?;
                Ok(match (own, put) {
                    (Value::Object(mut own), Value::Object(put)) if own.len() > 1 => {
                        own.shift_remove("$ref");
                        for (key, value) in put {
                            own.entry(key).or_insert(value);
                        }
                        Value::Object(own)
                    }
                    (_, put) => put,
                })
            }
            (None, Value::Object(map)) => {
                let mut written = Map::new();
                for key in in_order(&map) {
                    written.insert(key.clone(), self.written(&below(key), fates, depth + 1, left)?);
                }
                Ok(Value::Object(written))
            }
            (None, Value::Array(items)) => (0..items.len())
                .map(|index| self.written(&below(&index.to_string()), fates, depth + 1, left))
                .collect(),
            (_, other) => Ok(other),
        }
    }
}

fn is_extended(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.len() > 1)
}
