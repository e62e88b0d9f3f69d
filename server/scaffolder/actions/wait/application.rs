use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::gitops::{Application, Connection, GitOpsError, HealthStatus, SyncStatus};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::model::Waiting;

/// Changes are told; this finds what was not.
const LOOK_AFTER: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// `portico:wait:application`: until an Argo CD Application is in order.
pub struct WaitForApplication;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Name of the Application.
    app_name: String,
    /// Commit that it must have rolled out; any by default.
    revision: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `Healthy`.
    health: &'static str,
    /// `Synced`.
    sync: &'static str,
    /// The commit that is rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// Its page in Argo CD.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[async_trait::async_trait]
impl Action for WaitForApplication {
    const ID: &'static str = "portico:wait:application";
    const DESCRIPTION: &'static str =
        "Waits until an Argo CD Application is synced and healthy, 30 minutes at most unless the step has a timeout.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Wait until what was created is running, an hour at most",
        example: "\
steps:
  - id: healthy
    action: portico:wait:application
    timeout: 1h
    input:
      appName: ${{ parameters.name }}
      revision: ${{ steps.publish.output.commitHash }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let gitops = &cx.outside.gitops;
        let application = gitops.get(&input.app_name);
        let state = match (&application, gitops.connection()) {
            (Some(application), Connection::Connected) => match missing(application, input.revision.as_deref()) {
                None => {
                    return Ok(Output {
                        health: application.health.word(),
                        sync: application.sync.word(),
                        revision: application.revision.clone(),
                        url: application.url.clone(),
                    });
                }
                Some(state) => state,
            },
            (None, Connection::Connected) => "not there yet".to_owned(),
            (_, Connection::Disconnected { reason, .. }) => format!("not known: {reason}"),
        };
        // Argo CD by itself looks at the repository every few minutes only.
        let is_old = application.is_some_and(|application| is_other(&application, input.revision.as_deref()));
        if is_old && cx.intend("pin:refreshed", json!(true), false).await?.fresh {
            match gitops.refresh(&input.app_name).await {
                Ok(()) | Err(GitOpsError::NotFound { .. }) => {}
                Err(error) => cx.log(format!("Argo CD cannot be asked to look at the repository: {error}")),
            }
        }
        let name = input.app_name;
        Err(cx.pause(Waiting::Application { name, state }, LOOK_AFTER, TIMEOUT))
    }
}

/// How the Application is, where it is not as it shall be.
fn missing(application: &Application, revision: Option<&str>) -> Option<String> {
    if application.deleting {
        return Some("being deleted".to_owned());
    }
    let runs = application
        .operation
        .as_ref()
        .is_some_and(|operation| matches!(operation.phase.as_str(), "Running" | "Terminating"));
    let other = is_other(application, revision);
    if application.sync == SyncStatus::Synced && application.health == HealthStatus::Healthy && !runs && !other {
        return None;
    }
    let mut state = format!("{} and {}", application.sync.word(), application.health.word());
    if let (true, Some(known)) = (other, &application.revision) {
        state = format!("{state} at {}", known.chars().take(7).collect::<String>());
    }
    if runs {
        state.push_str(", and is being synced");
    }
    if let Some(message) = application
        .health_message
        .as_deref()
        .filter(|message| !message.is_empty())
    {
        state = format!("{state}: {message}");
    }
    Some(state)
}

/// Another commit is rolled out than is waited for.
fn is_other(application: &Application, revision: Option<&str>) -> bool {
    revision.is_some_and(|wanted| !wanted.is_empty() && application.revision.as_deref() != Some(wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::clock::Clock;
    use crate::gitops::testing::{gitops, listed};

    #[test]
    fn an_application_is_in_order_when_nothing_is_open() {
        let gitops = gitops(Clock::system());
        let state = |sync: &str, health: Value, more: Value, wanted: Option<&str>| {
            let mut object = json!({
                "metadata": {"name": "demo", "namespace": "argocd"},
                "spec": {"project": "default", "source": {"repoURL": "https://f/o/demo", "path": "m"},
                         "destination": {"namespace": "demo"}},
                "status": {"sync": {"status": sync, "revision": "0123456789"}, "health": health},
            });
            for (key, value) in more.as_object().unwrap() {
                object[key] = value.clone();
                if key == "operationState" {
                    object["status"][key] = value.clone();
                }
            }
            listed(&gitops, &[object]);
            missing(&gitops.get("demo").unwrap(), wanted)
        };
        let healthy = || json!({"status": "Healthy"});
        assert_eq!(state("Synced", healthy(), json!({}), None), None);
        assert_eq!(state("Synced", healthy(), json!({}), Some("0123456789")), None);
        let told = |state: Option<String>| state.unwrap_or_default();
        assert_eq!(
            told(state("Synced", healthy(), json!({}), Some("other"))),
            "Synced and Healthy at 0123456"
        );
        assert_eq!(
            told(state(
                "Synced",
                json!({"status": "Degraded", "message": "no image"}),
                json!({}),
                None
            )),
            "Synced and Degraded: no image"
        );
        let running = json!({"operationState": {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"}});
        assert_eq!(
            told(state("Synced", healthy(), running, None)),
            "Synced and Healthy, and is being synced"
        );
        let deleting =
            json!({"metadata": {"name": "demo", "namespace": "argocd", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(told(state("Synced", healthy(), deleting, None)), "being deleted");
    }
}
