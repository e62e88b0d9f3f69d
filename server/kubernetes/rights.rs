//! What the account of a cluster may do there.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use super::Cluster;
use crate::telemetry;

/// Something that an account may do, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    pub verb: &'static str,
    /// API group; empty for the core.
    pub group: &'static str,
    /// Plural, or `*`.
    pub resource: &'static str,
    /// `None` for all.
    pub namespace: Option<String>,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

/// Why a cluster did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct RightsError {
    /// The token is not accepted.
    pub refused: bool,
    /// The cluster does not tell about rights.
    pub untold: bool,
    pub reason: String,
}

impl Cluster {
    /// Version of the API server.
    ///
    /// # Errors
    /// Where it does not answer, or not to this account.
    pub async fn version(&self) -> Result<String, RightsError> {
        let version = telemetry::outside(self.client.apiserver_version()).await;
        version
            .map(|version| version.git_version)
            .map_err(|error| wrong(&error))
    }

    /// Whether the account may do it, as the cluster itself says (SelfSubjectAccessReview).
    ///
    /// # Errors
    /// Where the cluster does not answer, or does not tell.
    pub async fn may(&self, right: &Right) -> Result<bool, RightsError> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(right.verb.to_owned()),
                    group: Some(right.group.to_owned()),
                    resource: Some(right.resource.to_owned()),
                    namespace: right.namespace.clone(),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = telemetry::outside(api.create(&PostParams::default(), &review)).await;
        let answer = answer.map_err(|error| wrong(&error))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

fn wrong(error: &kube::Error) -> RightsError {
    let code = match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    };
    let mut reason = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        next = cause.source();
    }
    RightsError {
        refused: code == 401,
        untold: matches!(code, 403..=405),
        reason,
    }
}
