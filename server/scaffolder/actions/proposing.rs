//! What actions have in common that open a pull request: the workspace as one commit on a branch of its own.
//!
//! A second run makes the same commit: the branch's commit to build on is looked up once and kept. So the branch is
//! ours when that commit is its newest one, and the pull request of our branch is ours.

use serde_json::{Value, json};

use super::context::join;
use super::git::{self, Changes, Note};
use super::target::{Target, check_branch, source_folder};
use super::{ActionError, Context, InputProblem, Unchecked};
use crate::language::text;
use crate::scaffolder::Outside;
use crate::scaffolder::model::EffectKind;
use crate::scm::{NewPullRequest, PullRequest, ScmError};

/// What is proposed. The fields are named as the inputs of the actions.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Branch that is made for the changes.
    pub branch_name: String,
    /// Branch that shall get them; the repository's default branch where nothing is named.
    pub target_branch_name: Option<String>,
    pub title: String,
    pub description: String,
    /// Folder of the workspace with the files; all of it where nothing is named.
    pub source_path: Option<String>,
    /// Folder of the repository that the files are put into; its root where nothing is named.
    pub target_path: Option<String>,
    pub commit_message: String,
    pub git_author_name: Option<String>,
    pub git_author_email: Option<String>,
    /// Paths in the repository.
    pub files_to_delete: Vec<String>,
    /// Put the commit on top of a branch that is there already.
    pub update: bool,
    pub draft: bool,
    pub when_empty: WhenEmpty,
}

/// What becomes of a proposal that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenEmpty {
    Refuse,
    /// Nothing is made.
    Skip,
    /// A commit without a change.
    Propose,
}

/// What came of it.
pub struct Proposed {
    /// `None` where nothing would change.
    pub pull: Option<PullRequest>,
    pub target_branch: String,
}

/// What a first run found, for all further ones.
struct Base {
    branch: String,
    /// The commit to build on.
    commit: String,
}

/// Pushes the changes and opens the pull request, or finds that it is done.
pub async fn propose(cx: &Context, target: &Target, proposal: &Proposal) -> Result<Proposed, ActionError> {
    check_branch("branchName", &proposal.branch_name)?;
    let source = source_folder(cx, proposal.source_path.as_deref())?;
    let (prefix, deleted) = (prefix(proposal)?, deleted(proposal)?);
    let wanted = match &proposal.target_branch_name {
        Some(branch) => branch.clone(),
        None => target.forge.repository(&target.repository).await?.default_branch,
    };
    check_branch("targetBranchName", &wanted)?;
    if wanted == proposal.branch_name {
        return Err(ActionError::Input(format!(
            "branchName and the branch that gets the changes are both \"{wanted}\""
        )));
    }
    let base = base(cx, target, proposal, &wanted).await?;
    let note = Note::of(
        cx,
        &proposal.commit_message,
        proposal.git_author_name.as_deref(),
        proposal.git_author_email.as_deref(),
    );
    let to = target.forge.push_target(&target.repository)?;
    cx.hide(&to.password);
    cx.hide(&git::basic(&to));
    let changes = Changes {
        source: &source,
        prefix: &prefix,
        deleted: &deleted,
        or_nothing: proposal.when_empty == WhenEmpty::Propose,
    };
    let commit = git::commit_onto(&cx.settings.git, &to, &base.branch, &base.commit, &changes, &note).await?;
    let Some(commit) = commit else {
        return nothing_to_do(cx, target, proposal, wanted);
    };
    push(cx, target, proposal, &base, &commit, &to).await?;
    let pull = open(cx, target, proposal, &wanted).await?;
    let reference = format!("{}#{}", target.name(), pull.number);
    cx.effect(EffectKind::PullRequest, &reference, Some(pull.url.clone()))
        .await?;
    Ok(Proposed {
        pull: Some(pull),
        target_branch: wanted,
    })
}

/// What would keep a pull request of the input's `branchName` from being opened.
pub async fn branch_problems(outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
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

/// The folder in the repository, with a slash at its end.
fn prefix(proposal: &Proposal) -> Result<String, ActionError> {
    let path = proposal.target_path.as_deref().unwrap_or_default();
    match confined(path) {
        Some(path) if path.is_empty() => Ok(path),
        Some(path) => Ok(format!("{path}/")),
        None => Err(ActionError::Input(format!(
            "targetPath \"{path}\" leaves the repository"
        ))),
    }
}

fn deleted(proposal: &Proposal) -> Result<Vec<String>, ActionError> {
    let paths = proposal.files_to_delete.iter().map(|path| {
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
async fn base(cx: &Context, target: &Target, proposal: &Proposal, wanted: &str) -> Result<Base, ActionError> {
    let key = format!(
        "branch:{}/{}:{}",
        target.repository.forge,
        target.name(),
        proposal.branch_name
    );
    let data = match cx.find_intent(&key).await? {
        Some(data) => data,
        None => {
            let found = match target.forge.commit(&target.repository, &proposal.branch_name).await {
                Ok(commit) if proposal.update => json!({"branch": proposal.branch_name, "commit": commit.id}),
                Ok(_) => return Err(taken(target, proposal)),
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

fn taken(target: &Target, proposal: &Proposal) -> ActionError {
    ActionError::Scm(ScmError::Conflict {
        host: target.repository.forge.clone(),
        what: format!(
            "The branch {} of {} was not made by this task (set update: true to add to it). It",
            proposal.branch_name,
            target.name()
        ),
    })
}

fn nothing_to_do(
    cx: &Context,
    target: &Target,
    proposal: &Proposal,
    target_branch: String,
) -> Result<Proposed, ActionError> {
    let text = format!("{} has these files already: there is nothing to propose", target.name());
    if proposal.when_empty != WhenEmpty::Skip {
        return Err(ActionError::Input(text));
    }
    cx.log(text);
    Ok(Proposed {
        pull: None,
        target_branch,
    })
}

async fn push(
    cx: &Context,
    target: &Target,
    proposal: &Proposal,
    base: &Base,
    commit: &git::Commit,
    to: &crate::scm::PushTarget,
) -> Result<(), ActionError> {
    let branch = &proposal.branch_name;
    // An earlier run has pushed it, and somebody may have gone on from there.
    let arrived = async || {
        let found = target.forge.commit(&target.repository, &commit.id).await;
        found.is_ok_and(|found| found.id == commit.id)
    };
    match git::push(&cx.settings.git, commit, to, branch).await {
        Ok(()) => {}
        Err(_) if arrived().await => {}
        Err(error) if error.rejected && base.branch != *branch => return Err(taken(target, proposal)),
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

async fn open(cx: &Context, target: &Target, proposal: &Proposal, wanted: &str) -> Result<PullRequest, ActionError> {
    let forge = target.collaboration()?;
    let new = NewPullRequest {
        head: proposal.branch_name.clone(),
        base: wanted.to_owned(),
        title: proposal.title.clone(),
        body: proposal.description.clone(),
        draft: proposal.draft,
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
