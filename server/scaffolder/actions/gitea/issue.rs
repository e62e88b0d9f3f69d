use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::model::EffectKind;
use crate::scm::NewIssue;

/// `gitea:issues:create`: an issue. Its text carries a mark that nobody sees, by which a second run finds it.
pub struct CreateIssue;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The repository, `<host>?owner=<owner>&repo=<name>`.
    repo_url: String,
    title: String,
    /// Markdown.
    #[serde(default)]
    body: String,
    /// Names of accounts of the forge.
    #[serde(default)]
    assignees: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Page of the issue.
    issue_url: String,
    issue_number: u64,
}

#[async_trait::async_trait]
impl Action for CreateIssue {
    const ID: &'static str = "gitea:issues:create";
    const DESCRIPTION: &'static str = "Creates an issue on Forgejo or Gitea.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Ask the platform team for a review",
        example: "\
steps:
  - id: ask
    action: gitea:issues:create
    input:
      repoUrl: forge.example.com?owner=platform&repo=requests
      title: Review ${{ parameters.name }}
      body: It was created by ${{ user.ref }}.
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let forge = target.collaboration()?;
        let mark = format!("<!-- portico task {} step {} -->", cx.task_id, comment(&cx.step_key()));
        let found = forge.find_issue(&target.repository, &mark, cx.task_created_at).await?;
        let issue = match found {
            Some(issue) => {
                cx.log(format!("{} was created by an earlier run of this step", issue.url));
                issue
            }
            None => {
                let new = NewIssue {
                    title: &input.title,
                    body: &format!("{}\n\n{mark}\n", input.body),
                    assignees: &input.assignees,
                };
                let issue = forge.create_issue(&target.repository, &new).await?;
                cx.log(format!("Created the issue {}", issue.url));
                issue
            }
        };
        let reference = format!("{}#{}", target.name(), issue.number);
        cx.effect(EffectKind::Issue, &reference, Some(issue.url.clone()))
            .await?;
        Ok(Output {
            issue_url: issue.url,
            issue_number: issue.number,
        })
    }
}

/// Text that cannot end a comment.
fn comment(text: &str) -> String {
    text.replace("--", "-\u{2060}-").replace('>', "&gt;")
}
