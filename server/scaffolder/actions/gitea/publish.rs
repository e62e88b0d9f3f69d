use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scaffolder::Outside;
use crate::scaffolder::actions::publishing::{self, State};
use crate::scaffolder::actions::target::{Target, check_branch, source_folder};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked, git};
use crate::scm::NewRepository;

/// `publish:gitea`: a repository with the workspace as its one commit.
pub struct PublishGitea;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// `<host>?repo=<name>`, or `<host>?owner=<owner>&repo=<name>`; without an owner the portal's own account is it.
    repo_url: String,
    #[serde(default)]
    description: String,
    /// `public` (the default) or `private`.
    repo_visibility: Option<Visibility>,
    #[serde(default = "main_branch")]
    default_branch: String,
    #[serde(default = "initial_commit")]
    git_commit_message: String,
    git_author_name: Option<String>,
    git_author_email: Option<String>,
    /// Folder of the workspace to publish; all of it by default.
    source_path: Option<String>,
    /// Accepted for templates that have it; commits are not signed.
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, not used")]
    sign_commit: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    Public,
    Private,
}

fn main_branch() -> String {
    "main".to_owned()
}

fn initial_commit() -> String {
    "initial commit".to_owned()
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Address for `git clone`.
    remote_url: String,
    /// Address of the files, with a slash at its end.
    repo_contents_url: String,
    commit_hash: String,
}

#[async_trait::async_trait]
impl Action for PublishGitea {
    const ID: &'static str = "publish:gitea";
    const DESCRIPTION: &'static str = "Creates a repository on Forgejo or Gitea and pushes the workspace to it.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Publish to the portal's own account",
        example: "steps:\n  - id: publish\n    action: publish:gitea\n    input:\n      repoUrl: forge.example.com?repo=${{ parameters.name }}\n      defaultBranch: main\n",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        check_branch("defaultBranch", &input.default_branch)?;
        let source = source_folder(cx, input.source_path.as_deref())?;
        let free_at = publishing::reserve(cx, &target).await?;
        // The configuration's message wins over the template's, as in CNOE's action.
        let configured = cx.settings.default_commit_message.as_deref();
        let note = git::Note::of(
            cx,
            configured.unwrap_or(&input.git_commit_message),
            input.git_author_name.as_deref(),
            input.git_author_email.as_deref(),
        );
        let commit = git::commit(&cx.settings.git, &source, &note).await?;
        // The own account is no organisation: naming it is the same as naming nobody.
        let owner = target
            .owner
            .clone()
            .filter(|owner| !owner.eq_ignore_ascii_case(target.forge.account()));
        let new = NewRepository {
            owner,
            name: target.repository.name.clone(),
            description: input.description.clone(),
            private: input.repo_visibility == Some(Visibility::Private),
            default_branch: input.default_branch.clone(),
        };
        let making = target.forge.create_repository(&new);
        match publishing::create(cx, &target, free_at, Some(&commit.id), making).await? {
            State::Pushed => cx.log(format!("Commit {} is there already", commit.id)),
            State::Empty => publishing::push(cx, &target, &input.default_branch, &commit).await?,
        }
        publishing::wait_until_readable(&target, &input.default_branch).await?;
        let source = crate::scm::Source {
            repository: target.repository.clone(),
            reference: Some(input.default_branch.clone()),
            path: String::new(),
        };
        Ok(Output {
            remote_url: target.forge.clone_url(&target.repository),
            repo_contents_url: with_slash(target.forge.web_url(&source, true)),
            commit_hash: commit.id,
        })
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        publishing::name_problems(outside, input).await
    }
}

fn with_slash(url: String) -> String {
    if url.ends_with('/') { url } else { format!("{url}/") }
}
