use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scaffolder::Outside;
use crate::scaffolder::actions::proposing::{Proposal, WhenEmpty, branch_problems, propose};
use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};
use crate::scm::Github;

/// As many as GitHub takes.
const ASSIGNEES: usize = 10;

/// `publish:github:pull-request`: the workspace as one commit on a branch of its own, and a pull request of it.
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
    /// Markdown.
    #[serde(default)]
    description: String,
    /// Not to be merged yet.
    #[serde(default)]
    draft: bool,
    /// Folder of the workspace with the files; all of it by default.
    source_path: Option<String>,
    /// Folder of the repository that the files are put into; its root by default.
    target_path: Option<String>,
    /// Files that are deleted, below `targetPath`.
    #[serde(default)]
    files_to_delete: Vec<String>,
    /// Token to use in place of the portal's own account.
    token: Option<String>,
    /// Names of users who are asked for a review.
    #[serde(default)]
    reviewers: Vec<String>,
    /// Slugs of teams that are asked for a review.
    #[serde(default)]
    team_reviewers: Vec<String>,
    /// Names of users, 10 at most.
    #[serde(default)]
    assignees: Vec<String>,
    /// Message of the commit; the configuration's, else the title, by default.
    commit_message: Option<String>,
    /// Put the commit on top of a branch that is there already.
    #[serde(default)]
    update: bool,
    /// Not supported: the branch is made in the repository itself.
    #[serde(default)]
    force_fork: bool,
    git_author_name: Option<String>,
    git_author_email: Option<String>,
    /// Accepted for templates that have it: a commit of git has an author, so the portal's is taken.
    #[serde(default)]
    force_empty_git_author: bool,
    /// With `false` nothing is made where nothing would change; by default a pull request is opened all the same.
    #[serde(default = "yes")]
    create_when_empty: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Page of the pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request_number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_branch_name: Option<String>,
}

#[async_trait::async_trait]
impl Action for PublishPullRequest {
    const ID: &'static str = "publish:github:pull-request";
    const DESCRIPTION: &'static str =
        "Puts the files of the workspace onto a branch of a repository on GitHub, and opens a pull request.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Propose a change of one folder",
        example: "\
steps:
  - id: propose
    action: publish:github:pull-request
    input:
      repoUrl: github.com?owner=acme&repo=clusters
      branchName: add-${{ parameters.name }}
      title: Add ${{ parameters.name }}
      targetPath: apps/${{ parameters.name }}
      reviewers: [octocat]
",
    }];
    const DRY_RUN: bool = true;
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        cx.ask(&input.repo_url)?;
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        let target = target.with_token(cx, input.token.as_deref())?;
        let github = target.github()?;
        if input.force_fork {
            return Err(ActionError::Input(
                "forceFork is not supported: the branch is made in the repository itself, so the account needs to be allowed to \
                 push there"
                    .to_owned(),
            ));
        }
        if cx.dry_run {
            cx.log("A dry run opens no pull request");
            // What the field's action answers then.
            return Ok(Output {
                remote_url: Some(input.repo_url),
                pull_request_number: Some(43),
                target_branch_name: Some(input.branch_name),
            });
        }
        let proposed = propose(cx, &target, &proposal(cx, &input)).await?;
        let Some(pull) = proposed.pull else {
            return Ok(Output::default());
        };
        ask_people(cx, github, &target, pull.number, &input).await;
        Ok(Output {
            remote_url: Some(pull.url),
            pull_request_number: Some(pull.number),
            target_branch_name: Some(proposed.target_branch),
        })
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        branch_problems(outside, input).await
    }
}

fn proposal(cx: &Context, input: &Input) -> Proposal {
    let message = input.commit_message.as_ref();
    let message = message.or(cx.settings.default_commit_message.as_ref());
    let author = |text: &Option<String>| text.clone().filter(|_| !input.force_empty_git_author);
    let folder = input.target_path.as_deref().unwrap_or_default();
    let deleted = input.files_to_delete.iter().map(|path| format!("{folder}/{path}"));
    Proposal {
        branch_name: input.branch_name.clone(),
        target_branch_name: input.target_branch_name.clone(),
        title: input.title.clone(),
        description: input.description.clone(),
        source_path: input.source_path.clone(),
        target_path: input.target_path.clone(),
        commit_message: message.unwrap_or(&input.title).clone(),
        git_author_name: author(&input.git_author_name),
        git_author_email: author(&input.git_author_email),
        files_to_delete: deleted.collect(),
        update: input.update,
        draft: input.draft,
        when_empty: match input.create_when_empty {
            true => WhenEmpty::Propose,
            false => WhenEmpty::Skip,
        },
    }
}

/// Asks for reviews and assigns. As in the field's action, people whom GitHub refuses are told of, and the step goes on.
async fn ask_people(cx: &Context, github: &Github, target: &Target, number: u64, input: &Input) {
    if !input.reviewers.is_empty() || !input.team_reviewers.is_empty() {
        let asked = github
            .request_reviews(&target.repository, number, &input.reviewers, &input.team_reviewers)
            .await;
        cx.log(match asked {
            Ok(()) => {
                let all: Vec<&str> = input
                    .reviewers
                    .iter()
                    .chain(&input.team_reviewers)
                    .map(String::as_str)
                    .collect();
                format!("Asked {} for a review", all.join(", "))
            }
            Err(error) => format!("Nobody was asked for a review: {error}"),
        });
    }
    if !input.assignees.is_empty() {
        if input.assignees.len() > ASSIGNEES {
            cx.log(format!("GitHub takes {ASSIGNEES} assignees; the others are left out"));
        }
        let assignees = &input.assignees[..input.assignees.len().min(ASSIGNEES)];
        let assigned = github.assign(&target.repository, number, assignees).await;
        cx.log(match assigned {
            Ok(()) => format!("Assigned {}", assignees.join(", ")),
            Err(error) => format!("Nobody was assigned: {error}"),
        });
    }
}
