//! `publish:gitea:pull-request`: the workspace as one commit on a branch of its own, and a pull request of it.
//!
//! A second run makes the same commit: the branch's commit to build on is looked up once and kept. So the branch is
//! ours when that commit is its newest one, and the pull request of our branch is ours.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::git::{self, Changes, Note};
use super::target::{Target, check_branch, source_folder};
use crate::language::text;
use crate::scaffolder::Outside;
use crate::scaffolder::actions::context::join;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};
use crate::scaffolder::model::EffectKind;
use crate::scm::{NewPullRequest, PullRequest, ScmError};

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
    #[serde(default)]
    description: String,
    /// Folder of the workspace with the files; all of it by default.
    source_path: Option<String>,
    /// Folder of the repository that the files are put into; its root by default.
    target_path: Option<String>,
    /// Message of the commit; the title by default.
    commit_message: Option<String>,
    git_author_name: Option<String>,
    git_author_email: Option<String>,
    /// Files of the repository that are deleted.
    #[serde(default)]
    files_to_delete: Vec<String>,
    /// Put the commit on top of a branch that is there already.
    #[serde(default)]
    update: bool,
    /// With `false` nothing is made where nothing would change; otherwise that is an error.
    #[serde(default = "yes")]
    create_when_empty: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Page of the pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request_number: Option<u64>,
    target_branch_name: String,
}

/// What a first run found, for all further ones.
struct Base {
    branch: String,
    /// The commit to build on.
    commit: String,
}

#[async_trait::async_trait]
impl Action for PublishPullRequest {
    const ID: &'static str = "publish:gitea:pull-request";
    const DESCRIPTION: &'static str =
        "Puts the files of the workspace onto a branch of a repository on Forgejo or Gitea, and opens a pull request.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Propose a change of one folder",
        example: "\
steps:
  - id: propose
    action: publish:gitea:pull-request
    input:
      repoUrl: forge.example.com?owner=platform&repo=clusters
      branchName: add-${{ parameters.name }}
      title: Add ${{ parameters.name }}
      targetPath: apps/${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = Target::parse(&cx.outside.forges, &input.repo_url)?;
        check_branch("branchName", &input.branch_name)?;
        let source = source_folder(cx, input.source_path.as_deref())?;
        let (prefix, deleted) = (prefix(&input)?, deleted(&input)?);
        let wanted = match &input.target_branch_name {
            Some(branch) => branch.clone(),
            None => target.forge.repository(&target.repository).await?.default_branch,
        };
        check_branch("targetBranchName", &wanted)?;
        if wanted == input.branch_name {
            return Err(ActionError::Input(format!(
                "branchName and the branch that gets the changes are both \"{wanted}\""
            )));
        }
        let base = base(cx, &target, &input, &wanted).await?;
        let note = Note::of(
            cx,
            input.commit_message.as_deref().unwrap_or(&input.title),
            input.git_author_name.as_deref(),
            input.git_author_email.as_deref(),
        );
        let to = target.forge.push_target(&target.repository)?;
        cx.hide(&to.password);
        cx.hide(&git::basic(&to));
        let changes = Changes {
            source: &source,
            prefix: &prefix,
            deleted: &deleted,
        };
        let commit = git::commit_onto(&cx.settings.git, &to, &base.branch, &base.commit, &changes, &note).await?;
        let Some(commit) = commit else {
            return nothing_to_do(cx, &target, &input, wanted);
        };
        push(cx, &target, &input, &base, &commit, &to).await?;
        let pull = open(cx, &target, &input, &wanted).await?;
        let reference = format!("{}#{}", target.name(), pull.number);
        cx.effect(EffectKind::PullRequest, &reference, Some(pull.url.clone()))
            .await?;
        Ok(Output {
            remote_url: Some(pull.url),
            pull_request_number: Some(pull.number),
            target_branch_name: wanted,
        })
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        let (Some(repo_url), Some(branch)) = (input["repoUrl"].as_str(), input["branchName"].as_str()) else {
            return Ok(Vec::new());
        };
        let problem = |key, message| Ok(vec![InputProblem { key, message }]);
        let unchecked = |error: ScmError| {
            Unchecked(text!(
                "Nobody knows yet whether a pull request can be opened in {repository}: {reason}",
                repository = repo_url,
                reason = error.to_string()
            ))
        };
        let target = match Target::parse(&outside.forges, repo_url) {
            Ok(target) => target,
            Err(ScmError::InvalidUrl { .. }) if repo_url.ends_with('=') => return Ok(Vec::new()),
            Err(error) => return problem("repoUrl", error.to_string().into()),
        };
        match target.forge.repository(&target.repository).await {
            Ok(_) => {}
            Err(error @ ScmError::NotFound { .. }) => return problem("repoUrl", error.to_string().into()),
            Err(error) => return Err(unchecked(error)),
        }
        if input["update"] == true || check_branch("branchName", branch).is_err() {
            return Ok(Vec::new());
        }
        match target.forge.commit(&target.repository, branch).await {
            Ok(_) => problem(
                "branchName",
                text!(
                    "{repository} has a branch {branch} already. Choose another name.",
                    repository = target.name(),
                    branch = branch
                ),
            ),
            Err(ScmError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(unchecked(error)),
        }
    }
}

/// The folder in the repository, with a slash at its end.
fn prefix(input: &Input) -> Result<String, ActionError> {
    let path = input.target_path.as_deref().unwrap_or_default();
    match confined(path) {
        Some(path) if path.is_empty() => Ok(path),
        Some(path) => Ok(format!("{path}/")),
        None => Err(ActionError::Input(format!(
            "targetPath \"{path}\" leaves the repository"
        ))),
    }
}

fn deleted(input: &Input) -> Result<Vec<String>, ActionError> {
    let paths = input.files_to_delete.iter().map(|path| {
        let inside = confined(path).filter(|path| !path.is_empty());
        inside.ok_or_else(|| ActionError::Input(format!("filesToDelete: \"{path}\" is no file of the repository")))
    });
    paths.collect()
}

/// A path inside of the repository, and outside of git's own folder.
fn confined(path: &str) -> Option<String> {
    let path = join("", path).filter(|path| !path.contains('\0'))?;
    let own = path.split('/').any(|segment| segment.eq_ignore_ascii_case(".git"));
    (!own).then_some(path)
}

/// What to build on, as the first run of this step found it.
async fn base(cx: &Context, target: &Target, input: &Input, wanted: &str) -> Result<Base, ActionError> {
    let key = format!(
        "branch:{}/{}:{}",
        target.repository.forge,
        target.name(),
        input.branch_name
    );
    let data = match cx.find_intent(&key).await? {
        Some(data) => data,
        None => {
            let found = match target.forge.commit(&target.repository, &input.branch_name).await {
                Ok(commit) if input.update => json!({"branch": input.branch_name, "commit": commit.id}),
                Ok(_) => return Err(taken(target, input)),
                Err(ScmError::NotFound { .. }) => {
                    let commit = target.forge.commit(&target.repository, wanted).await?;
                    json!({"branch": wanted, "commit": commit.id})
                }
                Err(error) => return Err(error.into()),
            };
            cx.intend(&key, found, true).await?.data
        }
    };
    match (data["branch"].as_str(), data["commit"].as_str()) {
        (Some(branch), Some(commit)) => Ok(Base {
            branch: branch.to_owned(),
            commit: commit.to_owned(),
        }),
        _ => Err(ActionError::Failed(
            "the record of the commit to build on cannot be read".to_owned(),
        )),
    }
}

fn taken(target: &Target, input: &Input) -> ActionError {
    ActionError::Scm(ScmError::Conflict {
        host: target.repository.forge.clone(),
        what: format!(
            "The branch {} of {} was not made by this task (set update: true to add to it). It",
            input.branch_name,
            target.name()
        ),
    })
}

fn nothing_to_do(cx: &Context, target: &Target, input: &Input, wanted: String) -> Result<Output, ActionError> {
    let text = format!("{} has these files already: there is nothing to propose", target.name());
    if input.create_when_empty {
        return Err(ActionError::Input(text));
    }
    cx.log(text);
    Ok(Output {
        remote_url: None,
        pull_request_number: None,
        target_branch_name: wanted,
    })
}

async fn push(
    cx: &Context,
    target: &Target,
    input: &Input,
    base: &Base,
    commit: &git::Commit,
    to: &crate::scm::PushTarget,
) -> Result<(), ActionError> {
    let branch = &input.branch_name;
    // An earlier run has pushed it, and somebody may have gone on from there.
    let arrived = async || {
        let found = target.forge.commit(&target.repository, &commit.id).await;
        found.is_ok_and(|found| found.id == commit.id)
    };
    match git::push(&cx.settings.git, commit, to, branch).await {
        Ok(()) => {}
        Err(_) if arrived().await => {}
        Err(error) if error.rejected && base.branch != *branch => return Err(taken(target, input)),
        Err(error) => {
            return Err(ActionError::Failed(format!(
                "pushing to {} failed: {}",
                to.url,
                cx.journal.clean(&error.reason)
            )));
        }
    }
    cx.log(format!("Pushed commit {} to {branch}", commit.id));
    Ok(())
}

async fn open(cx: &Context, target: &Target, input: &Input, wanted: &str) -> Result<PullRequest, ActionError> {
    let forge = target.collaboration()?;
    let new = NewPullRequest {
        head: input.branch_name.clone(),
        base: wanted.to_owned(),
        title: input.title.clone(),
        body: input.description.clone(),
    };
    if let Some(pull) = forge
        .find_pull_request(&target.repository, &new.head, &new.base)
        .await?
    {
        cx.log(format!("Pull request {} is open already", pull.url));
        return Ok(pull);
    }
    match forge.open_pull_request(&target.repository, &new).await {
        Ok(pull) => {
            cx.log(format!("Opened the pull request {}", pull.url));
            Ok(pull)
        }
        // The answer to an earlier request was lost.
        Err(error @ ScmError::Conflict { .. }) => forge
            .find_pull_request(&target.repository, &new.head, &new.base)
            .await?
            .ok_or_else(|| error.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_repository() {
        for (path, inside) in [
            ("", Some("")),
            ("apps/demo", Some("apps/demo")),
            ("./a/../b/", Some("b")),
            ("/a", Some("a")),
            ("..", None),
            ("a/../../b", None),
            (".git/hooks", None),
            ("a/.GIT/config", None),
            ("a\0b", None),
        ] {
            assert_eq!(confined(path).as_deref(), inside, "{path}");
        }
    }
}
