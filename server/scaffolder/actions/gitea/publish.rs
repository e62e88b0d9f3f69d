//! `publish:gitea`: a repository with the workspace as its one commit.
//!
//! A second run must not make a second repository, nor take somebody else's. So: an intent is stored while
//! the name is free; the commit follows from task and step alone; and a repository that is there counts as
//! ours only with our intent, and when it is empty and younger than the intent, or has our commit in it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::git;
use super::target::{Target, check_branch, source_folder};
use crate::language::text;
use crate::scaffolder::Outside;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};
use crate::scaffolder::model::{EffectKind, iso};
use crate::scaffolder::queries::WriteError;
use crate::scm::{NewRepository, RepositoryInfo, ScmError};

/// The forge's clock may be behind ours by this much.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(2);
/// A pushed branch shows up in the forge's API a little later.
const READABLE_WITHIN: Duration = Duration::from_secs(20);

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
        let free_at = reserve(cx, &target).await?;
        let note = git::Note::of(
            cx,
            &input.git_commit_message,
            input.git_author_name.as_deref(),
            input.git_author_email.as_deref(),
        );
        let commit = git::commit(&cx.settings.git, &source, &note).await?;
        let created = create(cx, &target, &input, free_at, &commit.id).await?;
        cx.effect(
            EffectKind::Repository,
            &target.name(),
            Some(target.forge.repository_url(&target.repository)),
        )
        .await?;
        if created == State::Pushed {
            cx.log(format!("Commit {} is there already", commit.id));
        } else {
            push(cx, &target, &input.default_branch, &commit).await?;
        }
        wait_until_readable(&target, &input.default_branch).await?;
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
        let Some(repo_url) = input["repoUrl"].as_str() else {
            return Ok(Vec::new());
        };
        let problem = |message| {
            Ok(vec![InputProblem {
                key: "repoUrl",
                message,
            }])
        };
        let target = match Target::parse(&outside.forges, repo_url) {
            Ok(target) => target,
            // While the name is still empty there is nothing to say.
            Err(ScmError::InvalidUrl { .. }) if repo_url.ends_with('=') => return Ok(Vec::new()),
            Err(error) => return problem(error.to_string().into()),
        };
        match target.forge.repository(&target.repository).await {
            Ok(_) => problem(text!(
                "The name is taken: there is a repository {repository} on {forge} already. Choose another.",
                repository = target.name(),
                forge = target.repository.forge
            )),
            Err(ScmError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(Unchecked(text!(
                "Nobody knows yet whether the repository {repository} can be created: {reason}",
                repository = target.name(),
                reason = error.to_string()
            ))),
        }
    }
}

/// Records, before anything is made, that the name was free; gives the time at which it was.
async fn reserve(cx: &Context, target: &Target) -> Result<DateTime<Utc>, ActionError> {
    let key = format!("repository:{}/{}", target.repository.forge, target.name());
    let data = match cx.find_intent(&key).await? {
        Some(data) => data,
        None => {
            match target.forge.repository(&target.repository).await {
                Err(ScmError::NotFound { .. }) => {}
                Ok(_) => return Err(target.taken()),
                Err(error) => return Err(error.into()),
            }
            let data = json!({"freeAt": iso(cx.now)});
            match cx.intend(&key, data, true).await {
                Ok(intent) => intent.data,
                Err(ActionError::Write(WriteError::Reserved { task_id })) => {
                    return Err(ActionError::Failed(format!(
                        "the name is taken: task {task_id} is just creating the repository {}",
                        target.name()
                    )));
                }
                Err(error) => return Err(error),
            }
        }
    };
    data["freeAt"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .ok_or_else(|| ActionError::Failed("the record of when the name was free cannot be read".to_owned()))
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Empty,
    /// Our commit is in it.
    Pushed,
}

async fn create(
    cx: &Context,
    target: &Target,
    input: &Input,
    free_at: DateTime<Utc>,
    commit: &str,
) -> Result<State, ActionError> {
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
    match target.forge.create_repository(&new).await {
        Ok(_) => {
            cx.log(format!("Created the repository {}", target.name()));
            Ok(State::Empty)
        }
        Err(ScmError::Conflict { .. }) => {
            let info = target.forge.repository(&target.repository).await?;
            if is_ours_and_empty(&info, free_at) {
                cx.log(format!(
                    "The repository {} was created by an earlier run of this step",
                    target.name()
                ));
                Ok(State::Empty)
            } else {
                match target.forge.commit(&target.repository, commit).await {
                    Ok(found) if found.id == commit => Ok(State::Pushed),
                    Ok(_) | Err(ScmError::NotFound { .. }) => Err(target.taken()),
                    Err(error) => Err(error.into()),
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn is_ours_and_empty(info: &RepositoryInfo, free_at: DateTime<Utc>) -> bool {
    info.empty && info.created_at >= free_at - CLOCK_SKEW
}

async fn push(cx: &Context, target: &Target, branch: &str, commit: &git::Commit) -> Result<(), ActionError> {
    let to = target.forge.push_target(&target.repository)?;
    cx.hide(&to.password);
    cx.hide(&git::basic(&to));
    match git::push(&cx.settings.git, commit, &to, branch).await {
        Ok(()) => {
            cx.log(format!("Pushed commit {} to {branch}", commit.id));
            Ok(())
        }
        Err(error) => match target.forge.commit(&target.repository, &commit.id).await {
            // It arrived, only the answer did not.
            Ok(found) if found.id == commit.id => {
                cx.log(format!("Pushed commit {} to {branch}", commit.id));
                Ok(())
            }
            _ if error.rejected => Err(target.taken()),
            _ => Err(ActionError::Failed(format!(
                "pushing to {} failed: {}",
                to.url,
                cx.journal.clean(&error.reason)
            ))),
        },
    }
}

async fn wait_until_readable(target: &Target, branch: &str) -> Result<(), ActionError> {
    let mut last = None;
    let asking = async {
        loop {
            match target.forge.commit(&target.repository, branch).await {
                Ok(_) => return Ok(()),
                Err(error @ ScmError::NotFound { .. }) => {
                    last = Some(error);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) if error.is_temporary() => {
                    last = Some(error);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let asked = tokio::time::timeout(READABLE_WITHIN, asking).await;
    asked.unwrap_or_else(|_| {
        let reason = last.map(|error| format!(": {error}")).unwrap_or_default();
        Err(ActionError::Failed(format!(
            "the branch {branch} of {} was pushed, but the forge does not show it after {} s{reason}; try again",
            target.name(),
            READABLE_WITHIN.as_secs()
        )))
    })
}

fn with_slash(url: String) -> String {
    if url.ends_with('/') { url } else { format!("{url}/") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scm::Repository;

    #[test]
    fn an_empty_repository_is_ours_only_when_younger_than_the_intent() {
        let free_at = DateTime::UNIX_EPOCH + chrono::Duration::days(1);
        let info = |empty, minutes| RepositoryInfo {
            repository: Repository {
                forge: "http://f".to_owned(),
                owner: "o".to_owned(),
                name: "n".to_owned(),
            },
            default_branch: "main".to_owned(),
            empty,
            created_at: free_at + chrono::Duration::minutes(minutes),
            updated_at: free_at,
            may_administer: true,
        };
        for (empty, minutes, ours) in [(true, 0, true), (true, 5, true), (true, -60, false), (false, 5, false)] {
            assert_eq!(
                is_ours_and_empty(&info(empty, minutes), free_at),
                ours,
                "{empty} {minutes}"
            );
        }
    }
}
