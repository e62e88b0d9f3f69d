use schemars::JsonSchema;
use serde::Deserialize;

use super::secret::check_name;
use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};

/// `gitea:actions:variable`: a variable that workflows of a repository can use. A second run sets it again.
pub struct SetVariable;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`.
    repo_url: String,
    /// Letters, digits and `_`; neither GITEA_ nor GITHUB_ at its start.
    name: String,
    value: String,
}

#[async_trait::async_trait]
impl Action for SetVariable {
    const ID: &'static str = "gitea:actions:variable";
    const DESCRIPTION: &'static str = "Sets a variable for the Actions of a repository on Forgejo or Gitea.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Tell the workflows where to deploy",
        example: "\
steps:
  - id: stage
    action: gitea:actions:variable
    input:
      repoUrl: forge.example.com?repo=${{ parameters.name }}
      name: STAGE
      value: ${{ parameters.stage }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        check_name(&input.name)?;
        let forge = target.collaboration()?;
        forge
            .set_variable(&target.repository, &input.name, &input.value)
            .await?;
        cx.log(format!("Set the variable {} of {}", input.name, target.name()));
        Ok(NoOutput {})
    }
}
