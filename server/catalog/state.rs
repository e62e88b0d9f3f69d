//! A location and what is known of its reads.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::read::Problem;
use crate::language::{Text, text};

/// A registered source of entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub id: Uuid,
    /// `url` or `file`.
    pub kind: String,
    pub target: String,
}

/// A location with the state of its last read: enough to explain why an entity is there, old, or missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationState {
    pub id: Uuid,
    pub kind: String,
    pub target: String,
    /// Named in the configuration, or found by what it names.
    pub configured: bool,
    /// Who registered it, as [`crate::auth::Caller::actor`] names callers.
    pub registered_by: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The source was last looked at.
    pub checked_at: Option<DateTime<Utc>>,
    /// Entities were last stored.
    pub read_at: Option<DateTime<Utc>>,
    pub next_read_at: DateTime<Utc>,
    /// Version of the program that read it, and what the configuration declared.
    pub read_by: Option<String>,
    /// The next read happens even if no commit changed.
    pub stale: bool,
    /// Reads with problems, in a row.
    pub failures: i32,
    pub failing_since: Option<DateTime<Utc>>,
    pub problems: Vec<Problem>,
    /// How many entities it holds now.
    pub entities: i64,
    /// Commits at which its repositories were read.
    pub commits: Vec<String>,
    /// The provider of the configuration that found it: `gitea:<id>`.
    pub discovered_by: Option<String>,
}

impl LocationState {
    pub fn location(&self) -> Location {
        Location {
            id: self.id,
            kind: self.kind.clone(),
            target: self.target.clone(),
        }
    }

    /// Why the catalog reads it.
    pub fn origin(&self) -> Text {
        if self.kind == "identity" {
            return text!("People who logged in");
        }
        if let Some(provider) = &self.discovered_by {
            return text!("Found by {provider}", provider = provider);
        }
        if self.configured {
            return text!("From the configuration");
        }
        match &self.registered_by {
            Some(person) => text!("Registered by {person}", person = person),
            None => text!("Registered by nobody known"),
        }
    }
}

/// Where an entity was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `<type>:<target>` of its file.
    pub source: String,
    /// The location that brought it.
    pub location: Location,
}

/// What registering a location brought.
#[derive(Debug, Clone)]
pub struct Registered {
    pub location: Location,
    /// Every entity that is readable now because of the location, in the order of the file.
    pub entities: Vec<super::Entity>,
    /// The location was registered before, by anybody.
    pub existed: bool,
    /// What is wrong with files below it; the rest is readable.
    pub problems: Vec<Problem>,
}
