use std::time::Duration;

use crate::catalog::CatalogError;
use crate::gitops::GitOpsError;
use crate::kubernetes::ApplyError;
use crate::scaffolder::engine::{WorkspaceError, is_temporary};
use crate::scaffolder::expressions::ExpressionError;
use crate::scaffolder::model::Waiting;
use crate::scaffolder::queries::WriteError;
use crate::scm::ScmError;

/// Why a step failed: what, why, and what to do, in words for whoever reads the task's page.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The step's input is wrong.
    #[error("{0}")]
    Input(String),
    /// A file or the workspace is too large; `limit` is in bytes, `of` says what it is the limit of.
    #[error("{what} is larger than the limit of {} MiB for {of}", limit / 1024 / 1024)]
    Limit { what: String, limit: u64, of: &'static str },
    #[error("{file}: {error}")]
    Template { file: String, error: ExpressionError },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Scm(#[from] ScmError),
    #[error("{source}. {}", source.hint())]
    GitOps {
        #[from]
        source: GitOpsError,
    },
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("{0}")]
    Failed(String),
    /// Nothing went wrong: a dry run without a portal around it cannot ask for this. The step is left out.
    #[error("{0} is not read: this dry run reaches nothing but the files beside the template")]
    NotRead(String),
    /// It is decided, and no other try changes it.
    #[error("{0}")]
    Settled(String),
    /// The step took longer than it may.
    #[error(
        "{} {} ({}); {}",
        match waiting {
            Some(waiting) => format!("gave up waiting for {waiting} after"),
            None => "it was stopped because it had not ended after".to_owned(),
        },
        crate::language::duration(chrono::Duration::from_std(*limit).unwrap_or_default()),
        if *by_author { "the step's timeout" } else { "the longest that a step may take" },
        "retry the task, or give the step a longer timeout in the template"
    )]
    TimedOut {
        limit: Duration,
        /// The template says so; otherwise it is what holds for all steps.
        by_author: bool,
        /// What it waited for.
        waiting: Option<String>,
    },
    /// Nothing went wrong: the action waits for something, and is run again when it may have come.
    #[error("it waits for {}", .0.waiting)]
    Pause(Box<Pause>),
    /// The task could not be written: it is another worker's, or the database refuses it.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl ActionError {
    /// The word that Backstage's errors have as `name`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input(_) | Self::Workspace(_) | Self::Limit { .. } => "InputError",
            Self::TimedOut { .. } => "TimeoutError",
            Self::Scm(ScmError::NotFound { .. }) => "NotFoundError",
            Self::Scm(ScmError::Conflict { .. })
            | Self::GitOps {
                source: GitOpsError::Conflict { .. },
            } => "ConflictError",
            _ => "Error",
        }
    }
}

/// What an action waits for, without holding anything or anybody up.
#[derive(Debug, Clone)]
pub struct Pause {
    pub waiting: Waiting,
    /// [`super::Context::step_key`] of who waits.
    pub step_key: String,
    /// When to look again, where nothing tells earlier that there is something to see.
    pub look_after: Duration,
    /// How long it waits in all, where the template does not say.
    pub timeout: Duration,
}

impl ActionError {
    /// The same step may succeed later without anything being changed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Scm(error) | Self::Catalog(CatalogError::Scm(error)) => error.is_temporary(),
            Self::GitOps { source } => source.is_temporary(),
            Self::Kubernetes(error) => error.is_temporary,
            _ => false,
        }
    }

    /// When the other system wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Scm(ScmError::RateLimited { retry_after, .. })
            | Self::Catalog(CatalogError::Scm(ScmError::RateLimited { retry_after, .. })) => *retry_after,
            _ => None,
        }
    }

    /// Wrong as written, or decided: no other try can end otherwise.
    pub fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::Input(_) | Self::Template { .. } | Self::Limit { .. } | Self::Settled(_)
        )
    }

    /// The portal's own database could not be reached: nothing is wrong with the step.
    pub fn database_is_away(&self) -> bool {
        match self {
            Self::Catalog(CatalogError::Database(error)) | Self::Write(WriteError::Database(error)) => {
                is_temporary(error)
            }
            _ => false,
        }
    }
}

impl From<std::io::Error> for ActionError {
    fn from(error: std::io::Error) -> Self {
        Self::Workspace(error.into())
    }
}
