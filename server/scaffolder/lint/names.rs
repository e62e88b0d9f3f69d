//! What the expressions of steps and output refer to: parameters, steps, secrets and the rest.

use std::collections::BTreeSet;

use super::finding::Severity::{self, Error, Warning};
use super::outline::{Outline, StepOutline};
use super::source::{Source, Way, below, help, texts, way};
use crate::language::nearest;
use crate::scaffolder::actions::Registry;
use crate::scaffolder::expressions::{
    Analysis, ErrorKind, ExpressionError, Guard, Missing, Reference, Unknown, analyse, functions, names_of,
};

/// Keys of a step that are rendered.
const RENDERED: [&str; 5] = ["if", "each", "input", "timeout", "retry"];

pub fn check(source: &mut Source<'_>, outline: &Outline, actions: &Registry) {
    let mut used = Used::default();
    for (index, step) in outline.steps.iter().enumerate() {
        for key in RENDERED {
            let way = below(&step.way, key);
            let scope = Scope {
                outline,
                actions,
                step: Some((index, step)),
                is_condition: key == "if",
                // The others are rendered once for all iterations.
                has_each: matches!(key, "if" | "input") && !source.at(&below(&step.way, "each")).is_null(),
            };
            check_texts(source, &way, &scope, &mut used);
        }
    }
    let scope = Scope {
        outline,
        actions,
        step: None,
        is_condition: false,
        has_each: false,
    };
    check_texts(source, &way(&["spec", "output"]), &scope, &mut used);
    used.check(source, outline);
}

/// Where an expression stands, and so what it sees.
struct Scope<'a> {
    outline: &'a Outline,
    actions: &'a Registry,
    /// `None` in the output.
    step: Option<(usize, &'a StepOutline)>,
    is_condition: bool,
    /// The step is run for each of a list.
    has_each: bool,
}

/// How grave a name is that is not defined.
pub fn severity(guard: Guard, strict: bool) -> Severity {
    match guard {
        Guard::None => Error,
        Guard::Asked if strict => Error,
        Guard::Asked | Guard::Branch | Guard::StandIn => Warning,
    }
}

/// What an error of the syntax says, and where, as an offset in characters.
pub fn syntax(text: &str, error: &ExpressionError) -> (usize, String) {
    let line = text
        .split('\n')
        .take(error.line - 1)
        .map(|line| line.chars().count() + 1)
        .sum::<usize>();
    let content = text.split('\n').nth(error.line - 1).unwrap_or_default();
    let mut units = 0;
    let before = content.chars().take_while(|letter| {
        units += letter.len_utf16();
        units < error.column
    });
    let offset = line + before.count();
    let message = match error.kind {
        ErrorKind::Syntax => format!("the expression does not parse: {}", error.message),
        _ => error.message.clone(),
    };
    (offset, message)
}

/// A filter, test or method that does not exist: what to say, and what may be meant.
pub fn unknown(unknown: &Unknown) -> (String, Option<String>) {
    let what = match unknown.kind {
        Missing::Filter => "filter",
        Missing::Test => "test",
        Missing::Method => "method",
    };
    let help = help(&unknown.name, names_of(unknown.kind));
    (format!("there is no {what} \"{}\"", unknown.name), help)
}

fn check_texts(source: &mut Source<'_>, way: &[String], scope: &Scope<'_>, used: &mut Used) {
    let mut found = Vec::new();
    texts(source.at(way), way, &mut found);
    for (way, text) in found {
        match analyse(&text) {
            Ok(analysis) => check_analysis(source, &way, scope, &analysis, used),
            Err(error) => {
                let (offset, message) = syntax(&text, &error);
                source.tell_letter(Error, (&way, offset), message, None);
                used.unreadable = true;
            }
        }
    }
}

fn check_analysis(source: &mut Source<'_>, way: &[String], scope: &Scope<'_>, analysis: &Analysis, used: &mut Used) {
    for missing in &analysis.unknown {
        let (message, help) = unknown(missing);
        source.tell_letter(Error, (way, missing.at), message, help);
    }
    for reference in &analysis.references {
        used.add(reference);
        let Some((message, help)) = scope.problem(reference) else {
            continue;
        };
        let guard = match (scope.is_condition, scope.step) {
            (true, _) => reference.guard.max(Guard::Asked),
            (false, Some((_, step))) => step.guard(&reference.path, reference.guard),
            (false, None) => reference.guard,
        };
        let severity = match reference.path.first().map(String::as_str) {
            // Who starts a task by a program may give secrets that no form asks for.
            Some("secrets") if scope.step.is_some() => Warning,
            Some("steps") if scope.is_later(reference) => Error,
            _ => severity(guard, scope.outline.strict),
        };
        source.tell_letter(severity, (way, reference.at), message, help);
    }
}

type Problem = Option<(String, Option<String>)>;

impl Scope<'_> {
    /// What is wrong with a reference, and what may be meant.
    fn problem(&self, reference: &Reference) -> Problem {
        let path = &reference.path;
        let root = path.first()?.as_str();
        let rest = path.get(1..).unwrap_or_default();
        match root {
            "parameters" => self.parameter(rest),
            "steps" => self.of_step(rest),
            "secrets" if self.step.is_none() => {
                Some(("the output sees no secrets: everybody may read it".to_owned(), None))
            }
            "secrets" => self.secret(rest),
            "user" => member("user", rest, &["entity", "ref"]),
            "context" => member("context", rest, &["task"]).or_else(|| member("context.task", rest.get(1..)?, &["id"])),
            "environment" if self.step.is_none() => member("environment", rest, &["parameters"]),
            "environment" => member("environment", rest, &["parameters", "secrets"]),
            "each" if self.has_each => member("each", rest, &["key", "value"]),
            "each" => Some((
                "each is not defined: the step has no each".to_owned(),
                Some("add each: ${{ … }} to the step".to_owned()),
            )),
            name if functions().contains(&name) => None,
            name => {
                let mut known = vec!["parameters", "steps", "user", "context", "environment"];
                if self.step.is_some() {
                    known.push("secrets");
                }
                if self.has_each {
                    known.push("each");
                }
                let all = known.iter().chain(functions()).copied();
                let help = match self.outline.parameters.members.contains_key(name) {
                    true => Some(format!("write parameters.{name}")),
                    false => nearest(name, all)
                        .map(|meant| format!("did you mean \"{meant}\"?"))
                        .or_else(|| help(name, known)),
                };
                Some((format!("{name} is not defined"), help))
            }
        }
    }

    fn parameter(&self, path: &[String]) -> Problem {
        let declared = &self.outline.parameters;
        let known = declared.known(path);
        let name = path.get(known)?;
        let parent = path.get(..known).unwrap_or_default();
        let siblings = declared
            .member(parent)
            .into_iter()
            .flat_map(|member| member.members.keys());
        let spelled = path.get(..=known).unwrap_or_default().join(".");
        Some((
            format!("the parameter \"{spelled}\" is asked for on no page"),
            help(name, siblings.map(String::as_str)),
        ))
    }

    fn secret(&self, path: &[String]) -> Problem {
        let name = path.first()?;
        let known = &self.outline.secrets;
        (!known.contains(name)).then(|| {
            (
                format!("nothing in the form asks for the secret \"{name}\""),
                help(name, known.iter().map(String::as_str)),
            )
        })
    }

    /// The step that a reference names, with its place in the list.
    fn step_of(&self, reference: &[String]) -> Option<(usize, &StepOutline)> {
        let id = reference.first()?;
        self.outline.steps.iter().enumerate().find(|(_, step)| step.id == *id)
    }

    /// It refers to a step that has not run by then.
    fn is_later(&self, reference: &Reference) -> bool {
        let rest = reference.path.get(1..).unwrap_or_default();
        match (self.step, self.step_of(rest)) {
            (Some((here, _)), Some((there, _))) => there >= here,
            _ => false,
        }
    }

    fn of_step(&self, path: &[String]) -> Problem {
        let id = path.first()?;
        let Some((there, step)) = self.step_of(path) else {
            let earlier = self
                .outline
                .steps
                .iter()
                .take(self.step.map_or(usize::MAX, |(here, _)| here));
            return Some((
                format!("there is no step \"{id}\""),
                help(id, earlier.map(|step| step.id.as_str())),
            ));
        };
        if let Some((here, _)) = self.step
            && there >= here
        {
            let message = match there == here {
                true => format!("the step \"{id}\" refers to itself"),
                false => format!("the step \"{id}\" comes later: it has no output yet"),
            };
            return Some((message, None));
        }
        let rest = path.get(1..)?;
        member(&format!("steps.{id}"), rest, &["output"]).or_else(|| {
            let name = rest.get(1)?;
            let (_, schema) = self.actions.find(&step.action)?.schemas();
            if schema["type"] != "object" || schema.get("additionalProperties").is_some_and(|more| *more != false) {
                return None;
            }
            let outputs = schema["properties"].as_object();
            let known: Vec<&str> = outputs
                .into_iter()
                .flat_map(|list| list.keys().map(String::as_str))
                .collect();
            if known.contains(&name.as_str()) {
                return None;
            }
            let message = match known.is_empty() {
                true => format!("{} has no output", step.action),
                false => format!("{} has no output \"{name}\"", step.action),
            };
            Some((message, help(name, known)))
        })
    }
}

/// A member that is none of those that there are.
fn member(of: &str, path: &[String], known: &[&str]) -> Problem {
    let name = path.first()?;
    (!known.contains(&name.as_str())).then(|| (format!("{of} has no \"{name}\""), help(name, known.iter().copied())))
}

/// What is used of what the form asks for.
#[derive(Default)]
struct Used {
    parameters: BTreeSet<String>,
    secrets: BTreeSet<String>,
    /// All parameters are used at once.
    all: bool,
    /// All secrets are used at once.
    all_secrets: bool,
    /// There is a text that cannot be analysed: what it uses is not known.
    unreadable: bool,
}

impl Used {
    fn add(&mut self, reference: &Reference) {
        let name = reference.path.get(1);
        match (reference.path.first().map(String::as_str), name) {
            (Some("parameters"), Some(name)) => drop(self.parameters.insert(name.clone())),
            (Some("parameters"), None) => self.all = true,
            (Some("secrets"), Some(name)) => drop(self.secrets.insert(name.clone())),
            (Some("secrets"), None) => self.all_secrets = true,
            _ => {}
        }
    }

    /// Parameters that are asked for and used nowhere.
    fn check(&self, source: &mut Source<'_>, outline: &Outline) {
        if self.all || self.unreadable {
            return;
        }
        let asked = outline
            .pages
            .iter()
            .map(|page| source.at(page).clone())
            .collect::<Vec<_>>();
        let form = asked.iter().map(|page| page.to_string()).collect::<String>();
        let unused: Vec<(&String, Way)> = outline
            .parameters
            .members
            .iter()
            .filter(|(name, _)| !self.parameters.contains(*name))
            .filter(|(name, _)| {
                !(outline.secrets.contains(*name) && (self.all_secrets || self.secrets.contains(*name)))
            })
            // Fields of others refer to answers, and so do conditions of the form.
            .filter(|(name, _)| {
                !form.contains(&format!("parameters.{name}")) && !form.contains(&format!("formData.{name}"))
            })
            .filter(|(name, _)| !asked.iter().any(|page| decides(page, name)))
            .map(|(name, declared)| (name, declared.way.clone()))
            // A text for who fills in the form is no answer.
            .filter(|(_, way)| source.at(way)["type"] != "null")
            .collect();
        for (name, way) in unused {
            let message = format!("the parameter \"{name}\" is used by no step");
            let help = Some(format!("use it as ${{{{ parameters.{name} }}}}, or do not ask for it"));
            source.tell_key(Warning, &way, message, help);
        }
    }
}

/// The answer decides what else the form asks for.
fn decides(page: &serde_json::Value, name: &str) -> bool {
    let in_condition = |condition: &serde_json::Value| condition["properties"].get(name).is_some();
    page["dependencies"].get(name).is_some()
        || in_condition(&page["if"])
        || ["allOf", "anyOf", "oneOf"]
            .iter()
            .filter_map(|key| page[*key].as_array())
            .flatten()
            .any(|part| in_condition(&part["if"]) || decides(part, name))
}
