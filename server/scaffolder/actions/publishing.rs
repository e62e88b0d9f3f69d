//! What actions have in common that make a repository.
//!
//! A second run must not make a second repository, nor take somebody else's. So: an intent is stored while
//! the name is free; the commit follows from task and step alone; and a repository that is there counts as
//! ours only with our intent, and when it is empty and younger than the intent, or has our commit in it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::target::Target;
use super::{ActionError, Context, InputProblem, Unchecked, git};
use crate::language::text;
use crate::scaffolder::Outside;
use crate::scaffolder::model::{EffectKind, iso};
use crate::scaffolder::queries::WriteError;
use crate::scm::{RepositoryInfo, ScmError};

/// The forge's clock may be behind ours by this much.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(2);
/// A pushed branch shows up in the forge's API a little later.
const READABLE_WITHIN: Duration = Duration::from_secs(20);

/// What became of a repository that was to be created.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    Empty,
    /// Our commit is in it.
    Pushed,
}

/// Creates the repository by `making` it, or finds the one that an earlier run of this step made: an empty one, or one with
/// `commit` in it. `free_at` comes from [`reserve`].
pub async fn create(
    cx: &Context,
    target: &Target,
    free_at: DateTime<Utc>,
    commit: Option<&str>,
    making: impl Future<Output = Result<RepositoryInfo, ScmError>>,
) -> Result<State, ActionError> {
    let state = match making.await {
        Ok(_) => {
            cx.log(format!("Created the repository {}", target.name()));
            State::Empty
        }
        Err(ScmError::Conflict { .. }) => found(cx, target, free_at, commit).await?,
        Err(error) => return Err(error.into()),
    };
    let url = target.forge.repository_url(&target.repository);
    cx.effect(EffectKind::Repository, &target.name(), Some(url)).await?;
    Ok(state)
}

async fn found(
    cx: &Context,
    target: &Target,
    free_at: DateTime<Utc>,
    commit: Option<&str>,
) -> Result<State, ActionError> {
    let info = target.forge.repository(&target.repository).await?;
    if is_ours_and_empty(&info, free_at) {
        cx.log(format!(
            "The repository {} was created by an earlier run of this step",
            target.name()
        ));
        return Ok(State::Empty);
    }
    let Some(commit) = commit else {
        return Err(target.taken());
    };
    match target.forge.commit(&target.repository, commit).await {
        Ok(found) if found.id == commit => Ok(State::Pushed),
        Ok(_) | Err(ScmError::NotFound { .. }) => Err(target.taken()),
        Err(error) => Err(error.into()),
    }
}

/// Records, before anything is made, that the name was free; gives the time at which it was.
pub async fn reserve(cx: &Context, target: &Target) -> Result<DateTime<Utc>, ActionError> {
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

fn is_ours_and_empty(info: &RepositoryInfo, free_at: DateTime<Utc>) -> bool {
    info.empty && info.created_at >= free_at - CLOCK_SKEW
}

/// Pushes the commit as the first one of a branch; a branch that holds something else is not ours.
pub async fn push(cx: &Context, target: &Target, branch: &str, commit: &git::Commit) -> Result<(), ActionError> {
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

/// Waits until the forge shows what was pushed.
pub async fn wait_until_readable(target: &Target, branch: &str) -> Result<(), ActionError> {
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

/// What would keep a repository of the input's `repoUrl` from being created.
pub async fn name_problems(outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
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
