use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scaffolder::Outside;
use crate::scaffolder::actions::proposing::{Proposal, WhenEmpty, branch_problems, propose};
use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};

/// `publish:gitea:pull-request`: the workspace as one commit on a branch of its own, and a pull request of it.
pub struct PublishPullRequest;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`.
    repo_url: String,
    /// Branch that is made for the changes.
    branch_name: String,
    /// Branch that shall get them; the repository's default branch where nothing is named.
    target_branch_name: Option<String>,
    title: String,
    #[serde(default)]
    description: String,
    /// Folder of the workspace with the files; all of it by default.
    source_path: Option<String>,
    /// Folder of the repository that the files are put into; its root by default.
    target_path: Option<String>,
    /// Message of the commit; the title by default.
    commit_message: Option<String>,
    git_author_name: Option<String>,
    git_author_email: Option<String>,
    /// Files of the repository that are deleted.
    #[serde(default)]
    files_to_delete: Vec<String>,
    /// Put the commit on top of a branch that is there already.
    #[serde(default)]
    update: bool,
    /// With `false` nothing is made where nothing would change; otherwise that is an error.
    #[serde(default = "yes")]
    create_when_empty: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Page of the pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request_number: Option<u64>,
    target_branch_name: String,
}

#[async_trait::async_trait]
impl Action for PublishPullRequest {
    const ID: &'static str = "publish:gitea:pull-request";
    const DESCRIPTION: &'static str =
        "Puts the files of the workspace onto a branch of a repository on Forgejo or Gitea, and opens a pull request.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Propose a change of one folder",
        example: "\
steps:
  - id: propose
    action: publish:gitea:pull-request
    input:
      repoUrl: forge.example.com?owner=platform&repo=clusters
      branchName: add-${{ parameters.name }}
      title: Add ${{ parameters.name }}
      targetPath: apps/${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        // The configuration's message wins over the template's, as where a repository is published.
        let message = cx.settings.default_commit_message.clone();
        let message = message.or(input.commit_message).unwrap_or_else(|| input.title.clone());
        let proposal = Proposal {
            branch_name: input.branch_name,
            target_branch_name: input.target_branch_name,
            title: input.title,
            description: input.description,
            source_path: input.source_path,
            target_path: input.target_path,
            commit_message: message,
            git_author_name: input.git_author_name,
            git_author_email: input.git_author_email,
            files_to_delete: input.files_to_delete,
            update: input.update,
            draft: false,
            when_empty: if input.create_when_empty {
                WhenEmpty::Refuse
            } else {
                WhenEmpty::Skip
            },
        };
        let proposed = propose(cx, &target, &proposal).await?;
        Ok(Output {
            remote_url: proposed.pull.as_ref().map(|pull| pull.url.clone()),
            pull_request_number: proposed.pull.map(|pull| pull.number),
            target_branch_name: proposed.target_branch,
        })
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        branch_problems(outside, input).await
    }
}
