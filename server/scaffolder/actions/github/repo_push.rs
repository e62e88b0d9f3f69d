use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::protection::Protection;
use super::publish::first_note;
use super::{contents_url, main_branch};
use crate::scaffolder::actions::target::{Target, check_branch, source_folder};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, git, publishing};

/// `github:repo:push`: the workspace as the first commit of a branch of a repository that is there.
pub struct PushRepository;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// `<host>?owner=<owner>&repo=<name>`
    repo_url: String,
    #[serde(default = "main_branch")]
    default_branch: String,
    /// Message of the commit; the configuration's, else "initial commit", by default.
    git_commit_message: Option<String>,
    git_author_name: Option<String>,
    git_author_email: Option<String>,
    /// Folder of the workspace to push; all of it by default.
    source_path: Option<String>,
    /// Token to use in place of the portal's own account.
    token: Option<String>,
    #[serde(flatten)]
    protection: Protection,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Address for `git clone`.
    remote_url: String,
    /// Address of the files.
    repo_contents_url: String,
    commit_hash: String,
}

#[async_trait::async_trait]
impl Action for PushRepository {
    const ID: &'static str = "github:repo:push";
    const DESCRIPTION: &'static str = "Pushes the workspace to an empty repository on GitHub.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Fill a repository that an earlier step has created",
        example: "\
steps:
  - id: push
    action: github:repo:push
    input:
      repoUrl: github.com?owner=acme&repo=${{ parameters.name }}
      gitCommitMessage: From the golden path
      protectDefaultBranch: false
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let target = target.with_token(cx, input.token.as_deref())?;
        let github = target.github()?;
        let branch = &input.default_branch;
        check_branch("defaultBranch", branch)?;
        let source = source_folder(cx, input.source_path.as_deref())?;
        target.forge.repository(&target.repository).await?;
        let note = first_note(
            cx,
            input.git_commit_message.as_deref(),
            input.git_author_name.as_deref(),
            input.git_author_email.as_deref(),
        );
        let commit = git::commit(&cx.settings.git, &source, &note).await?;
        publishing::push(cx, &target, branch, &commit).await?;
        publishing::wait_until_readable(&target, branch).await?;
        input.protection.apply(cx, github, &target, branch).await;
        Ok(Output {
            remote_url: target.forge.clone_url(&target.repository),
            repo_contents_url: contents_url(&target, branch),
            commit_hash: commit.id,
        })
    }
}
