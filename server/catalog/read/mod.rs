//! Reads a location and everything that it names, without the database: files, documents, substitutions,
//! checks, relations. What cannot be read or is wrong becomes a [`Problem`]; the rest loads.

mod annotate;
mod packed;
mod source;
mod substitute;

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use annotate::{is_web_address, location_entity, parse_location, web_target};
pub use packed::{Body, End};
pub use source::{Checked, MAX_TREE_BYTES, Sources, head};

use super::envelope::{self, FieldFault};
use super::kinds::{self, Relation};
use super::rules::Rules;
use super::{EntityRef, yaml};
use source::Failure;
pub use source::Reading;

/// Files read for one location at most.
const MAX_FILES: usize = 5_000;
/// Locations that name locations, at most.
const MAX_DEPTH: usize = 10;
/// Entities of one location at most.
const MAX_ENTITIES: usize = 100_000;
/// Problems kept for one location at most: enough to work through, few enough to show.
const MAX_PROBLEMS: usize = 200;

/// Something that is wrong with a source, told to the people who own it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// URL or path of the file that needs a change.
    pub source: String,
    /// Counted from 1, in that file.
    pub line: Option<usize>,
    pub column: Option<usize>,
    /// Canonical ref, where the document names one.
    pub entity: Option<String>,
    pub message: String,
    /// The lines around, numbered; empty where there are none.
    #[serde(default)]
    pub excerpt: String,
    /// The next read may succeed without anybody changing anything.
    #[serde(default)]
    pub temporary: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(entity) = &self.entity {
            write!(f, " ({entity})")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt.trim_end())?;
        }
        Ok(())
    }
}

/// An entity that was read and is right.
#[derive(Debug, Clone)]
pub struct ReadEntity {
    pub entity_ref: EntityRef,
    pub body: Body,
    pub relations: Vec<End>,
    /// `<type>:<target>` of its file.
    pub source: String,
}

/// An entity as it is stored of the last good read.
#[derive(Debug, Clone)]
pub struct Previous {
    pub entity_ref: EntityRef,
    pub source: String,
    pub body: Value,
}

/// What reading a location brought.
#[derive(Debug, Default)]
pub struct Outcome {
    /// In the order in which they were read, the location's own entity first.
    pub entities: Vec<ReadEntity>,
    /// Refs whose stored version stays, as their source is broken or out of reach.
    pub kept: HashSet<EntityRef>,
    /// Those of them whose source has disappeared.
    pub missed: HashSet<EntityRef>,
    pub problems: Vec<Problem>,
    /// Repositories that were looked into, with their commits.
    pub checked: Vec<Checked>,
}

/// A file to read.
struct Job {
    kind: String,
    target: String,
    /// A missing file is no problem.
    optional: bool,
    depth: usize,
    /// Where the file is named: problems of finding it are told there.
    named: Option<Problem>,
}

/// Reads the location `kind:target` and all below it. `previous` are the location's stored entities.
pub async fn read(sources: &dyn Sources, rules: &Rules, kind: &str, target: &str, previous: &[Previous]) -> Outcome {
    let mut reader = Reader {
        rules,
        root: (kind, target),
        previous,
        reading: Reading::new(sources, (kind == "file").then(|| std::path::PathBuf::from(target))),
        outcome: Outcome::default(),
        queue: VecDeque::new(),
        visited: HashSet::new(),
        seen: HashMap::new(),
    };
    let own = annotate::annotated_location(&reader.reading, kind, target);
    reader.outcome.entities.push(own);
    reader.queue.push_back(Job {
        kind: kind.to_owned(),
        target: target.to_owned(),
        optional: false,
        depth: 0,
        named: None,
    });
    while let Some(job) = reader.queue.pop_front() {
        reader.file(job).await;
    }
    let mut outcome = reader.outcome;
    outcome.checked = reader.reading.checked();
    let told = outcome.problems.len();
    if told > MAX_PROBLEMS {
        outcome.problems.truncate(MAX_PROBLEMS);
        outcome.problems.push(Problem {
            source: target.to_owned(),
            line: None,
            column: None,
            entity: None,
            message: format!("{} more problems are not listed; mend these first", told - MAX_PROBLEMS),
            excerpt: String::new(),
            temporary: false,
        });
    }
    // A ref that was read anew is not also kept.
    for entity in &outcome.entities {
        outcome.kept.remove(&entity.entity_ref);
        outcome.missed.remove(&entity.entity_ref);
    }
    outcome
}

struct Reader<'a> {
    rules: &'a Rules,
    root: (&'a str, &'a str),
    previous: &'a [Previous],
    reading: Reading<'a>,
    outcome: Outcome,
    queue: VecDeque<Job>,
    visited: HashSet<String>,
    /// Refs read so far and the file of each.
    seen: HashMap<EntityRef, String>,
}

impl Reader<'_> {
    async fn file(&mut self, job: Job) {
        if !self.visited.insert(format!("{}:{}", job.kind, job.target)) {
            return;
        }
        if self.visited.len() > MAX_FILES || job.depth > MAX_DEPTH {
            let message = match job.depth > MAX_DEPTH {
                true => format!(
                    "locations name locations more than {MAX_DEPTH} deep; {} is not read",
                    job.target
                ),
                false => format!("more than {MAX_FILES} files; {} is not read", job.target),
            };
            self.problem_of(&job, message, false);
            self.keep_source(&job.kind, &job.target, job.depth);
            return;
        }
        match self.reading.files(&job.kind, &job.target).await {
            Ok(files) => {
                for (target, text) in files {
                    self.documents(&job.kind, &target, &text, job.depth).await;
                }
            }
            Err(Failure::Missing(_)) if job.optional => {}
            Err(Failure::Missing(message)) => {
                self.problem_of(&job, message, false);
                let source = format!("{}:{}", job.kind, job.target);
                let described = self.previous.iter().filter(|previous| previous.source == source);
                let own = location_ref(self.root.0, self.root.1);
                let missed = described
                    .map(|previous| &previous.entity_ref)
                    .filter(|entity| **entity != own);
                self.outcome.missed.extend(missed.cloned());
                self.keep_source(&job.kind, &job.target, job.depth);
            }
            Err(Failure::Unreadable { message, temporary }) => {
                self.problem_of(&job, message, temporary);
                self.keep_source(&job.kind, &job.target, job.depth);
            }
        }
    }

    /// A file could not be had: told where it is named, else at the file itself.
    fn problem_of(&mut self, job: &Job, message: String, temporary: bool) {
        let problem = match &job.named {
            Some(named) => Problem {
                message,
                temporary,
                ..named.clone()
            },
            None => Problem {
                source: job.target.clone(),
                line: None,
                column: None,
                entity: None,
                message,
                excerpt: String::new(),
                temporary,
            },
        };
        self.outcome.problems.push(problem);
    }

    /// The source is out of reach: what it said last stays, and what it named is read.
    fn keep_source(&mut self, kind: &str, target: &str, depth: usize) {
        let source = format!("{kind}:{target}");
        for previous in self.previous.iter().filter(|previous| previous.source == source) {
            self.keep(previous, depth);
        }
    }

    fn keep(&mut self, previous: &Previous, depth: usize) {
        if self.outcome.kept.insert(previous.entity_ref.clone()) && previous.entity_ref.kind == "location" {
            let (kind, target) = previous.source.split_once(':').unwrap_or(("url", &previous.source));
            let own = location_ref(self.root.0, self.root.1);
            if previous.entity_ref != own {
                self.enqueue(&previous.body, kind, target, "", 1, depth);
            }
        }
    }

    async fn documents(&mut self, kind: &str, target: &str, text: &str, depth: usize) {
        let source = format!("{kind}:{target}");
        let mut unnamed = false;
        let mut named = HashSet::new();
        for document in yaml::documents(text) {
            match document.value {
                Err(fault) => {
                    unnamed = true;
                    self.outcome.problems.push(Problem {
                        source: target.to_owned(),
                        line: fault.line,
                        column: fault.column,
                        entity: None,
                        excerpt: fault.line.map(|line| yaml::excerpt(text, line)).unwrap_or_default(),
                        message: fault.message,
                        temporary: false,
                    });
                }
                Ok(value) => {
                    let claimed = ref_of(&value);
                    unnamed |= claimed.is_none();
                    named.extend(claimed.clone());
                    let place = Place {
                        kind,
                        target,
                        text,
                        document: document.text,
                        line: document.line,
                        entity: claimed.as_ref().map(EntityRef::to_string),
                    };
                    if let Err(problems) = self.entity(value, &place, depth).await {
                        self.outcome.problems.extend(problems);
                        for previous in self.previous {
                            if Some(&previous.entity_ref) == claimed.as_ref() && previous.source == source {
                                self.keep(previous, depth);
                            }
                        }
                    }
                }
            }
        }
        // A document that does not even tell its name may be any of those that are missing now.
        if unnamed {
            for previous in self.previous {
                if previous.source == source && !named.contains(&previous.entity_ref) {
                    self.keep(previous, depth);
                }
            }
        }
    }

    /// Checks one document and takes it in.
    async fn entity(&mut self, mut value: Value, place: &Place<'_>, depth: usize) -> Result<(), Vec<Problem>> {
        let told = |faults: Vec<FieldFault>| faults.into_iter().map(|fault| place.problem(fault)).collect::<Vec<_>>();
        if value.is_object() {
            substitute::apply(&mut self.reading, place.kind, place.target, &mut value)
                .await
                .map_err(|(path, message, temporary)| {
                    let path: Vec<&str> = path.iter().map(String::as_str).collect();
                    vec![Problem {
                        temporary,
                        ..place.problem(FieldFault::at(&path, message))
                    }]
                })?;
        }
        yaml::plain_numbers(&mut value);
        if holds_nul(&value) {
            let message = "the text holds a NUL character (\\0), which cannot be stored; remove it";
            return Err(told(vec![FieldFault::at(&[], message)]));
        }
        let faults = envelope::check(&mut value);
        if !faults.is_empty() {
            return Err(told(faults));
        }
        if let Err(faults) = annotate::entity(&self.reading, &mut value, place.kind, place.target, self.root) {
            return Err(told(faults));
        }
        let relations = kinds::check(&mut value).map_err(told)?;
        let Some(entity_ref) = ref_of(&value) else {
            return Err(told(vec![FieldFault::at(&[], "the document names no entity")]));
        };
        if !self.rules.allows(&value, self.root.0, self.root.1) {
            return Err(told(vec![FieldFault::at(
                &["kind"],
                format!(
                    "{entity_ref} is not of an allowed kind for this location; allow it under catalog.rules, or under \
                     rules of the location {}:{}",
                    self.root.0, self.root.1
                ),
            )]));
        }
        if let Some(first) = self.seen.get(&entity_ref) {
            return Err(told(vec![FieldFault::at(
                &["metadata", "name"],
                format!("{entity_ref} is described a second time; the first description is in {first}"),
            )]));
        }
        if self.outcome.entities.len() >= MAX_ENTITIES {
            return Err(told(vec![FieldFault::at(
                &[],
                format!("the location holds more than {MAX_ENTITIES} entities; split it into several locations"),
            )]));
        }
        if kinds::Kind::of(&value) == Some(kinds::Kind::Location) {
            self.enqueue(&value, place.kind, place.target, place.document, place.line, depth);
        }
        self.seen.insert(entity_ref.clone(), place.target.to_owned());
        self.outcome.entities.push(ReadEntity {
            body: Body::of(&value),
            relations: End::all(&entity_ref, &relations),
            entity_ref,
            source: format!("{}:{}", place.kind, place.target),
        });
        Ok(())
    }

    /// Queues what a Location names. `document` is its text, which begins on line `line` of its file.
    fn enqueue(&mut self, location: &Value, kind: &str, file: &str, document: &str, line: usize, depth: usize) {
        let spec = &location["spec"];
        let wanted = spec["type"].as_str().unwrap_or(kind);
        let optional = spec["presence"].as_str() == Some("optional");
        let listed = spec["targets"].as_array().into_iter().flatten();
        for target in spec["target"]
            .as_str()
            .into_iter()
            .chain(listed.filter_map(Value::as_str))
        {
            let position = document
                .lines()
                .enumerate()
                .find_map(|(index, content)| content.find(target).map(|column| (line + index, column + 1)));
            let named = Problem {
                source: file.to_owned(),
                line: position.map(|(line, _)| line),
                column: position.map(|(_, column)| column),
                entity: ref_of(location).map(|entity| entity.to_string()),
                message: String::new(),
                // The whole file's text is not at hand here; the line itself says enough.
                excerpt: position
                    .and_then(|(at, _)| {
                        document
                            .lines()
                            .nth(at - line)
                            .map(|text| format!("> {at:>4} | {text}\n"))
                    })
                    .unwrap_or_default(),
                temporary: false,
            };
            match self.reading.resolve(kind, file, wanted, target) {
                Ok(resolved) => self.queue.push_back(Job {
                    kind: wanted.to_owned(),
                    target: resolved,
                    optional,
                    depth: depth + 1,
                    named: Some(named),
                }),
                Err(message) => self.outcome.problems.push(Problem { message, ..named }),
            }
        }
    }
}

/// Where a document stands.
struct Place<'a> {
    kind: &'a str,
    target: &'a str,
    /// The whole file.
    text: &'a str,
    document: &'a str,
    /// Line of the file on which the document begins.
    line: usize,
    entity: Option<String>,
}

impl Place<'_> {
    fn problem(&self, fault: FieldFault) -> Problem {
        let path: Vec<&str> = fault.path.iter().map(String::as_str).collect();
        let (line, column) = yaml::find(self.document, &path).unwrap_or_else(|| {
            let first = self
                .document
                .lines()
                .position(|line| !line.trim().is_empty() && !line.starts_with('#') && !line.starts_with("---"));
            (first.unwrap_or(0) + 1, 1)
        });
        let line = self.line + line - 1;
        Problem {
            source: self.target.to_owned(),
            line: Some(line),
            column: Some(column),
            entity: self.entity.clone(),
            message: fault.message,
            excerpt: yaml::excerpt(self.text, line),
            temporary: false,
        }
    }
}

/// Ref of the entity that stands for a registered location.
pub fn location_ref(kind: &str, target: &str) -> EntityRef {
    location_entity(kind, target).0
}

/// The ref of a document, where kind and name can be read.
fn ref_of(value: &Value) -> Option<EntityRef> {
    let text = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    Some(EntityRef::new(
        text("/kind")?,
        text("/metadata/namespace").unwrap_or("default"),
        text("/metadata/name")?,
    ))
}

/// Postgres keeps no NUL in text.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// Checks one entity as if it stood in the file `url:<target>`: what `/validate-entity` answers.
pub fn validate(mut value: Value) -> Result<Vec<Relation>, Vec<FieldFault>> {
    // Files may leave the mapping empty, as the catalog fills it; a program has no reason to.
    if value.pointer("/metadata/annotations") == Some(&Value::Null) {
        let path = ["metadata", "annotations"];
        return Err(vec![FieldFault::at(&path, "metadata.annotations must be a mapping")]);
    }
    let faults = envelope::check(&mut value);
    if !faults.is_empty() {
        return Err(faults);
    }
    kinds::check(&mut value)
}
