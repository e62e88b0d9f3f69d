//! Status badges: a silhouette and a word, colour only beside them.

use crate::language::{Text, text};

/// What `templates/components/ui.html` draws for a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// `ok`, `warn`, `bad`, `run` or `idle`.
    pub class: &'static str,
    /// Symbol of `static/icons.svg`.
    pub icon: &'static str,
    pub word: Text,
}

impl Badge {
    fn new(class: &'static str, icon: &'static str, word: impl Into<Text>) -> Self {
        let word = word.into();
        Self { class, icon, word }
    }

    /// Argo CD's sync status; its words are the same in every language, so that they are found in its own pages.
    pub fn sync(word: &str) -> Self {
        match word {
            "Synced" => Self::new("ok", "synced", word),
            "OutOfSync" => Self::new("warn", "outofsync", word),
            _ => Self::new("idle", "unknown", "Unknown"),
        }
    }

    /// Argo CD's health status, in its words too.
    pub fn health(word: &str) -> Self {
        match word {
            "Healthy" => Self::new("ok", "healthy", word),
            "Progressing" => Self::new("run", "progressing", word),
            "Degraded" => Self::new("bad", "degraded", word),
            "Suspended" => Self::new("idle", "suspended", word),
            "Missing" => Self::new("bad", "missing", word),
            _ => Self::new("idle", "unknown", "Unknown"),
        }
    }

    /// Status of a scaffolder task or step, as Backstage's API names it.
    pub fn task(status: &str) -> Self {
        match status {
            "open" => Self::new("idle", "waiting", text!("Waiting")),
            "processing" => Self::new("run", "progressing", text!("Running")),
            "completed" => Self::new("ok", "synced", text!("Done")),
            "failed" => Self::new("bad", "failed", text!("Failed")),
            "cancelled" => Self::new("idle", "suspended", text!("Cancelled")),
            "skipped" => Self::new("idle", "next", text!("Skipped")),
            _ => Self::new("idle", "unknown", text!("Unknown")),
        }
    }
}
