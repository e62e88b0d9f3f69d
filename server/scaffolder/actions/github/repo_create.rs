use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contents_url;
use super::options::Options;
use crate::scaffolder::Outside;
use crate::scaffolder::actions::publishing;
use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};

/// `github:repo:create`: a repository without the workspace.
pub struct CreateRepository;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// `<host>?owner=<owner>&repo=<name>`; the owner is an organisation, or the user that the token is of.
    repo_url: String,
    /// Begin with a commit that has an empty README.
    auto_init: Option<bool>,
    /// From where its workflows may be used: `none`, `user` or `organization`.
    workflow_access: Option<WorkflowAccess>,
    #[serde(flatten)]
    options: Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WorkflowAccess {
    None,
    User,
    Organization,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Address for `git clone`.
    remote_url: String,
    /// Address of the files.
    repo_contents_url: String,
}

#[async_trait::async_trait]
impl Action for CreateRepository {
    const ID: &'static str = "github:repo:create";
    const DESCRIPTION: &'static str = "Creates a repository on GitHub.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Create a repository whose address the skeleton needs, then fill it",
        example: "\
steps:
  - id: create
    action: github:repo:create
    input:
      repoUrl: github.com?owner=acme&repo=${{ parameters.name }}
  - id: template
    action: fetch:template
    input:
      url: ./skeleton
      values:
        remoteUrl: ${{ steps.create.output.remoteUrl }}
  - id: push
    action: github:repo:push
    input:
      repoUrl: github.com?owner=acme&repo=${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let target = target.with_token(cx, input.options.token.as_deref())?;
        let github = target.github()?;
        input.options.check(github, &target).await?;
        let free_at = publishing::reserve(cx, &target).await?;
        // By this a further run knows its repository, also one that is not empty (autoInit).
        let made = format!("created:{}", target.name());
        if cx.find_intent(&made).await?.is_none() {
            let new = input.options.new_repository(&target, input.auto_init);
            publishing::create(cx, &target, free_at, None, github.create(&new)).await?;
            cx.intend(&made, json!({}), false).await?;
        }
        input.options.apply(cx, github, &target).await?;
        if let Some(access) = input.workflow_access {
            let level = match access {
                WorkflowAccess::None => "none",
                WorkflowAccess::User => "user",
                WorkflowAccess::Organization => "organization",
            };
            github.set_workflow_access(&target.repository, level).await?;
        }
        let branch = target.forge.repository(&target.repository).await?.default_branch;
        Ok(Output {
            remote_url: target.forge.clone_url(&target.repository),
            repo_contents_url: contents_url(&target, &branch),
        })
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        publishing::name_problems(outside, input).await
    }
}
