use crate::catalog::CatalogError;
use crate::gitops::GitOpsError;
use crate::kubernetes::ApplyError;
use crate::scaffolder::engine::{WorkspaceError, is_temporary};
use crate::scaffolder::expressions::ExpressionError;
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
    /// The task could not be written: it is another worker's, or the database refuses it.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl ActionError {
    /// The word that Backstage's errors have as `name`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input(_) | Self::Workspace(_) | Self::Limit { .. } => "InputError",
            Self::Scm(ScmError::NotFound { .. }) => "NotFoundError",
            Self::Scm(ScmError::Conflict { .. })
            | Self::GitOps {
                source: GitOpsError::Conflict { .. },
            } => "ConflictError",
            _ => "Error",
        }
    }
}

impl ActionError {
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
