use schemars::JsonSchema;
use serde::Deserialize;

use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};

/// `gitea:actions:secret`: a secret that workflows of a repository can use. A second run sets it again.
pub struct SetSecret;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`.
    repo_url: String,
    /// Letters, digits and `_`; neither GITEA_ nor GITHUB_ at its start.
    name: String,
    /// The secret itself. It is never shown.
    value: String,
}

#[async_trait::async_trait]
impl Action for SetSecret {
    const ID: &'static str = "gitea:actions:secret";
    const DESCRIPTION: &'static str = "Sets a secret for the Actions of a repository on Forgejo or Gitea.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Hand a token from the form to the workflows",
        example: "\
steps:
  - id: token
    action: gitea:actions:secret
    input:
      repoUrl: forge.example.com?repo=${{ parameters.name }}
      name: REGISTRY_TOKEN
      value: ${{ secrets.registryToken }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        cx.hide(&input.value);
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        check_name(&input.name)?;
        let forge = target.collaboration()?;
        forge.set_secret(&target.repository, &input.name, &input.value).await?;
        cx.log(format!("Set the secret {} of {}", input.name, target.name()));
        Ok(NoOutput {})
    }
}

/// As Forgejo and Gitea want the names of secrets and variables.
pub fn check_name(name: &str) -> Result<(), ActionError> {
    let upper = name.to_ascii_uppercase();
    let fine = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.len() <= 255
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["GITEA_", "GITHUB_", "FORGEJO_"]
            .iter()
            .any(|reserved| upper.starts_with(reserved))
        && upper != "CI";
    if fine {
        return Ok(());
    }
    Err(ActionError::Input(format!(
        "\"{name}\" cannot be the name: it has letters, digits and _ only, starts with none of GITEA_, GITHUB_ and \
         FORGEJO_, and is not CI"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_forge_takes() {
        for (name, fine) in [
            ("REGISTRY_TOKEN", true),
            ("_a1", true),
            ("1a", false),
            ("", false),
            ("a-b", false),
            ("../x", false),
            ("github_token", false),
            ("ci", false),
        ] {
            assert_eq!(check_name(name).is_ok(), fine, "{name}");
        }
    }
}
