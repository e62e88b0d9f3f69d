//! What was found, for people and for machines.

use std::fmt;

use serde::Serialize;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Ok,
    /// Works, and should be looked at.
    Note,
    Broken,
}

/// What was tried, what came back, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub system: String,
    pub tried: String,
    pub outcome: Outcome,
    pub answer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    pub(super) fn ok(system: &str, tried: &str, answer: impl Into<String>) -> Self {
        Self {
            system: system.to_owned(),
            tried: tried.to_owned(),
            outcome: Outcome::Ok,
            answer: answer.into(),
            todo: None,
        }
    }

    pub(super) fn note(system: &str, tried: &str, answer: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Note,
            todo: Some(todo.into()),
            ..Self::ok(system, tried, answer)
        }
    }

    pub(super) fn broken(system: &str, tried: &str, answer: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Broken,
            ..Self::note(system, tried, answer, todo)
        }
    }
}

/// All findings. Written as a line each, with what to do below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is broken.
    pub ok: bool,
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        Self {
            ok: findings.iter().all(|finding| finding.outcome != Outcome::Broken),
            findings,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let outcome = match finding.outcome {
                Outcome::Ok => "ok",
                Outcome::Note => "note",
                Outcome::Broken => "BROKEN",
            };
            let Finding {
                system, tried, answer, ..
            } = finding;
            writeln!(f, "{outcome:<7} {system}: {tried}: {answer}")?;
            if let Some(todo) = &finding.todo {
                writeln!(f, "        -> {todo}")?;
            }
        }
        match self.ok {
            true => writeln!(f, "Everything that was tried works."),
            false => writeln!(f, "Something is broken; see above."),
        }
    }
}
