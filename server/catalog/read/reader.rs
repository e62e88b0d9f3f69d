//! Goes from file to file of a location, and from document to document of a file.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::super::envelope::{self, FieldFault};
use super::super::{EntityRef, yaml};
use super::packed::{Body, End};
use super::problem::{Place, Problem};
use super::source::{Failure, Reading};
use super::{Outcome, Policy, Previous, ReadEntity, annotate, location_ref, ref_of, substitute};

/// Files read for one location at most.
const MAX_FILES: usize = 5_000;
/// Locations that name locations, at most.
const MAX_DEPTH: usize = 10;
/// Entities of one location at most.
const MAX_ENTITIES: usize = 100_000;

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

/// One read of a location: files that are still to be read, and what was found so far.
pub struct Reader<'a> {
    policy: Policy<'a>,
    root: (&'a str, &'a str),
    previous: &'a [Previous],
    reading: Reading<'a>,
    outcome: Outcome,
    queue: VecDeque<Job>,
    visited: HashSet<String>,
    /// Refs read so far and the file of each.
    seen: HashMap<EntityRef, String>,
}

impl<'a> Reader<'a> {
    /// `root` is the location's type and target.
    pub fn new(policy: Policy<'a>, root: (&'a str, &'a str), previous: &'a [Previous], reading: Reading<'a>) -> Self {
        Self {
            policy,
            root,
            previous,
            reading,
            outcome: Outcome::default(),
            queue: VecDeque::new(),
            visited: HashSet::new(),
            seen: HashMap::new(),
        }
    }

    /// Reads until no file is left.
    pub async fn run(mut self) -> Outcome {
        let (kind, target) = self.root;
        let own = annotate::annotated_location(&self.reading, kind, target);
        self.outcome.entities.push(own);
        self.queue.push_back(Job {
            kind: kind.to_owned(),
            target: target.to_owned(),
            optional: false,
            depth: 0,
            named: None,
        });
        while let Some(job) = self.queue.pop_front() {
            self.file(job).await;
        }
        self.outcome.checked = self.reading.checked();
        self.outcome
    }

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
                temporary,
                ..Problem::of_source(&job.target, message)
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
        let relations = self.policy.kinds.check(&mut value).map_err(told)?;
        let Some(entity_ref) = ref_of(&value) else {
            return Err(told(vec![FieldFault::at(&[], "the document names no entity")]));
        };
        if !self.policy.rules.allows(&value, self.root.0, self.root.1) {
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
        if self.policy.kinds.is_location(&value) {
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
        let given = spec["type"].as_str().unwrap_or(kind);
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
            let wanted = self.reading.kind_of(kind, given, target);
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

/// Postgres keeps no NUL in text.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}
