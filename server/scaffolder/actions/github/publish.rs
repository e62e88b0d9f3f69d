use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::options::Options;
use super::protection::Protection;
use super::{contents_url, main_branch};
use crate::scaffolder::Outside;
use crate::scaffolder::actions::publishing::{self, State};
use crate::scaffolder::actions::target::{Target, check_branch, source_folder};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked, git};

/// `publish:github`: a repository with the workspace as its one commit.
pub struct PublishGithub;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// `<host>?owner=<owner>&repo=<name>`; the owner is an organisation, or the user that the token is of.
    repo_url: String,
    #[serde(default = "main_branch")]
    default_branch: String,
    /// Message of the commit; the configuration's, else "initial commit", by default.
    git_commit_message: Option<String>,
    git_author_name: Option<String>,
    git_author_email: Option<String>,
    /// Folder of the workspace to publish; all of it by default.
    source_path: Option<String>,
    #[serde(flatten)]
    options: Options,
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
impl Action for PublishGithub {
    const ID: &'static str = "publish:github";
    const DESCRIPTION: &'static str = "Creates a repository on GitHub and pushes the workspace to it.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Publish to an organisation, for all to read",
        example: "\
steps:
  - id: publish
    action: publish:github
    input:
      repoUrl: github.com?owner=acme&repo=${{ parameters.name }}
      description: ${{ parameters.description }}
      repoVisibility: public
      topics: [golden-path]
      collaborators:
        - team: platform
          access: maintain
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let target = target.with_token(cx, input.options.token.as_deref())?;
        let github = target.github()?;
        let branch = &input.default_branch;
        check_branch("defaultBranch", branch)?;
        let source = source_folder(cx, input.source_path.as_deref())?;
        input.options.check(github, &target).await?;
        let free_at = publishing::reserve(cx, &target).await?;
        let note = first_note(
            cx,
            input.git_commit_message.as_deref(),
            input.git_author_name.as_deref(),
            input.git_author_email.as_deref(),
        );
        let commit = git::commit(&cx.settings.git, &source, &note).await?;
        let new = input.options.new_repository(&target, None);
        let state = publishing::create(cx, &target, free_at, Some(&commit.id), github.create(&new)).await?;
        input.options.apply(cx, github, &target).await?;
        match state {
            State::Pushed => cx.log(format!("Commit {} is there already", commit.id)),
            State::Empty => publishing::push(cx, &target, branch, &commit).await?,
        }
        publishing::wait_until_readable(&target, branch).await?;
        input.protection.apply(cx, github, &target, branch).await;
        Ok(Output {
            remote_url: target.forge.clone_url(&target.repository),
            repo_contents_url: contents_url(&target, branch),
            commit_hash: commit.id,
        })
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        publishing::name_problems(outside, input).await
    }
}

/// The note of a first commit. Here the template's message wins over the configuration's, as in the field's action.
pub fn first_note(cx: &Context, message: Option<&str>, name: Option<&str>, email: Option<&str>) -> git::Note {
    let message = message.filter(|message| !message.is_empty());
    let configured = cx.settings.default_commit_message.as_deref();
    git::Note::of(cx, message.or(configured).unwrap_or("initial commit"), name, email)
}
