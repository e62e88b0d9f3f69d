use schemars::JsonSchema;
use serde::Deserialize;

use crate::scaffolder::actions::target::{Target, check_branch};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};
use crate::scm::RepositorySettings;

/// `gitea:repo:update`: settings of a repository. Twice is once.
pub struct UpdateRepository;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`. Settings that are not named stay.
    repo_url: String,
    description: Option<String>,
    private: Option<bool>,
    /// Nobody may change an archived repository.
    archived: Option<bool>,
    /// A branch that is there.
    default_branch: Option<String>,
    has_issues: Option<bool>,
    has_wiki: Option<bool>,
    has_pull_requests: Option<bool>,
}

#[async_trait::async_trait]
impl Action for UpdateRepository {
    const ID: &'static str = "gitea:repo:update";
    const DESCRIPTION: &'static str = "Changes settings of a repository on Forgejo or Gitea.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Hide a repository and its wiki",
        example: "\
steps:
  - id: settings
    action: gitea:repo:update
    input:
      repoUrl: forge.example.com?repo=${{ parameters.name }}
      private: true
      hasWiki: false
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        if let Some(branch) = &input.default_branch {
            check_branch("defaultBranch", branch)?;
        }
        let settings = RepositorySettings {
            description: input.description,
            private: input.private,
            archived: input.archived,
            default_branch: input.default_branch,
            has_issues: input.has_issues,
            has_wiki: input.has_wiki,
            has_pull_requests: input.has_pull_requests,
        };
        if settings == RepositorySettings::default() {
            return Err(ActionError::Input(
                "no setting is named; see /create/actions".to_owned(),
            ));
        }
        let forge = target.collaboration()?;
        forge.update_repository(&target.repository, &settings).await?;
        cx.log(format!("Changed settings of {}", target.name()));
        Ok(NoOutput {})
    }
}
