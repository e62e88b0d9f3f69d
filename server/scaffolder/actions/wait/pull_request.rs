use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::model::Waiting;
use crate::scm::PullRequestState;

/// A push to the repository is heard of at once, where it has a webhook.
const LOOK_AFTER: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// `portico:wait:pull-request`: until a pull request is merged.
pub struct WaitForPullRequest;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`.
    repo_url: String,
    /// Number of the pull request.
    pull_request_number: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Page of the pull request.
    remote_url: String,
}

#[async_trait::async_trait]
impl Action for WaitForPullRequest {
    const ID: &'static str = "portico:wait:pull-request";
    const DESCRIPTION: &'static str = "Waits until a pull request on Forgejo or Gitea is merged, a week at most unless the step has \
                                       a timeout. One that is closed without being merged fails the step.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Go on when what an earlier step has proposed is merged",
        example: "\
steps:
  - id: merged
    action: portico:wait:pull-request
    timeout: {days: 2}
    input:
      repoUrl: forge.example.com?owner=platform&repo=clusters
      pullRequestNumber: ${{ steps.propose.output.pullRequestNumber }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let number = input.pull_request_number;
        let pull = target.collaboration()?.pull_request(&target.repository, number).await?;
        let name = format!("{}#{number}", target.name());
        match pull.state {
            PullRequestState::Merged => {
                cx.log(format!("{name} is merged"));
                Ok(Output { remote_url: pull.url })
            }
            PullRequestState::Closed => Err(ActionError::Settled(format!(
                "the pull request {name} was closed without being merged; open it again and retry, or cancel the task"
            ))),
            PullRequestState::Open => Err(cx.pause(Waiting::PullRequest { name, url: pull.url }, LOOK_AFTER, TIMEOUT)),
        }
    }
}
