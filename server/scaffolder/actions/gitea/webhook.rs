use schemars::JsonSchema;
use serde::Deserialize;

use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};
use crate::scm::NewHook;

/// `gitea:webhook`: a webhook of a repository. There is one for an address, however often this runs.
pub struct EnsureWebhook;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`.
    repo_url: String,
    /// Where events are sent to.
    webhook_url: String,
    /// Key that events are signed with. It is never shown.
    webhook_secret: Option<String>,
    /// `push` by default.
    #[serde(default = "push")]
    events: Vec<String>,
    /// `json` (the default) or `form`.
    #[serde(default)]
    content_type: ContentType,
    #[serde(default = "yes")]
    active: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ContentType {
    #[default]
    Json,
    Form,
}

fn push() -> Vec<String> {
    vec!["push".to_owned()]
}

fn yes() -> bool {
    true
}

#[async_trait::async_trait]
impl Action for EnsureWebhook {
    const ID: &'static str = "gitea:webhook";
    const DESCRIPTION: &'static str =
        "Makes a webhook of a repository on Forgejo or Gitea; one that is there for the address is replaced.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Tell a build system of pushes and pull requests",
        example: "\
steps:
  - id: hook
    action: gitea:webhook
    input:
      repoUrl: forge.example.com?repo=${{ parameters.name }}
      webhookUrl: https://ci.example.com/hook
      webhookSecret: ${{ secrets.hook }}
      events: [push, pull_request]
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let address = url::Url::parse(&input.webhook_url).ok();
        if !address.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Err(ActionError::Input(
                "webhookUrl must be an address that starts with https:// or http://".to_owned(),
            ));
        }
        if let Some(secret) = &input.webhook_secret {
            cx.hide(secret);
        }
        let hook = NewHook {
            url: &input.webhook_url,
            secret: input.webhook_secret.as_deref().unwrap_or_default(),
            events: &input.events.iter().map(String::as_str).collect::<Vec<_>>(),
            content_type: match input.content_type {
                ContentType::Json => "json",
                ContentType::Form => "form",
            },
            active: input.active,
        };
        target.collaboration()?.ensure_hook(&target.repository, &hook).await?;
        cx.log(format!(
            "{} reports {} to {}",
            target.name(),
            input.events.join(", "),
            input.webhook_url
        ));
        Ok(NoOutput {})
    }
}
