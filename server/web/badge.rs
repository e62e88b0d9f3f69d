//! Status badges: a silhouette and a word, colour only beside them.

/// What `templates/components/ui.html` draws for a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge {
    /// `ok`, `warn`, `bad`, `run` or `idle`.
    pub class: &'static str,
    /// Symbol of `static/icons.svg`.
    pub icon: &'static str,
    pub word: &'static str,
}

const UNKNOWN: Badge = Badge::new("idle", "unknown", "Unknown");

impl Badge {
    const fn new(class: &'static str, icon: &'static str, word: &'static str) -> Self {
        Self { class, icon, word }
    }

    /// Argo CD's sync status.
    pub fn sync(word: &str) -> Self {
        match word {
            "Synced" => Self::new("ok", "synced", "Synced"),
            "OutOfSync" => Self::new("warn", "outofsync", "OutOfSync"),
            _ => UNKNOWN,
        }
    }

    /// Argo CD's health status.
    pub fn health(word: &str) -> Self {
        match word {
            "Healthy" => Self::new("ok", "healthy", "Healthy"),
            "Progressing" => Self::new("run", "progressing", "Progressing"),
            "Degraded" => Self::new("bad", "degraded", "Degraded"),
            "Suspended" => Self::new("idle", "suspended", "Suspended"),
            "Missing" => Self::new("bad", "missing", "Missing"),
            _ => UNKNOWN,
        }
    }

    /// Status of a scaffolder task or step, as Backstage's API names it.
    pub fn task(status: &str) -> Self {
        match status {
            "open" => Self::new("idle", "waiting", "Waiting"),
            "processing" => Self::new("run", "progressing", "Running"),
            "completed" => Self::new("ok", "synced", "Done"),
            "failed" => Self::new("bad", "failed", "Failed"),
            "cancelled" => Self::new("idle", "suspended", "Cancelled"),
            "skipped" => Self::new("idle", "next", "Skipped"),
            _ => UNKNOWN,
        }
    }
}
