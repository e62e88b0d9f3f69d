//! Why Argo CD, or the cluster that it lives in, did not do what was asked.

use crate::language::{Text, text};

/// `instance` is the name of the Argo CD instance or of the cluster, as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitOpsError {
    #[error("{what} was not found on Argo CD ({instance})")]
    NotFound { instance: String, what: String },
    #[error("Argo CD ({instance}) refuses it: {reason}")]
    Denied { instance: String, reason: String },
    #[error("{what} exists already on Argo CD ({instance}) and was not made by this task")]
    Conflict { instance: String, what: String },
    #[error("Argo CD ({instance}) cannot be reached or is failing: {reason}")]
    Unavailable { instance: String, reason: String },
    #[error("Argo CD ({instance}) answered something unexpected: {reason}")]
    Unexpected { instance: String, reason: String },
}

impl GitOpsError {
    /// The same request may succeed later without anything being changed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// What the operator or the reader can do about it.
    pub fn hint(&self) -> Text {
        match self {
            Self::NotFound { .. } => text!("Check the name, and the instances under argocd.appLocatorMethods."),
            Self::Denied { .. } => {
                text!(
                    "Check the account under argocd.appLocatorMethods, what it may do, and the values that were sent."
                )
            }
            Self::Conflict { .. } => text!("Choose another name, or delete the Application that has it."),
            Self::Unavailable { .. } => {
                text!("Try again later; if it stays, look at Argo CD and the cluster themselves.")
            }
            Self::Unexpected { .. } => text!("Check that the url is the address of an Argo CD or Kubernetes API."),
        }
    }

    /// From an answer of the Kubernetes API about `what`.
    pub(super) fn from_kube(instance: &str, what: &str, error: &kube::Error) -> Self {
        let instance = instance.to_owned();
        let what = what.to_owned();
        match error {
            kube::Error::Api(status) => {
                let reason = format!("{} ({})", status.message, status.code);
                match status.code {
                    404 => Self::NotFound { instance, what },
                    409 => Self::Conflict { instance, what },
                    400 | 401 | 403 | 422 => Self::Denied { instance, reason },
                    429 | 500.. => Self::Unavailable { instance, reason },
                    _ => Self::Unexpected { instance, reason },
                }
            }
            kube::Error::SerdeError(error) => Self::Unexpected {
                instance,
                reason: format!("{what} is not what the API describes: {error}"),
            },
            other => Self::Unavailable {
                instance,
                reason: innermost(other),
            },
        }
    }
}

/// The innermost cause: the outer texts only repeat that something failed.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
