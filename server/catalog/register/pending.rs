//! Description files that were proposed: the pull request, and the registration once it is merged.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::read::Problem;
use super::super::{Catalog, CatalogError, queries, read};
use crate::ids::new_id;
use crate::language::text;
use crate::scm::{NewFile, NewPullRequest, PullRequestState, Repository, ScmError};

/// How often the forge is asked what has become of a pull request, where no push tells.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(2);
/// Nobody waits for it any more.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(60);
/// Characters of a description file that is typed here.
pub const LONGEST_TEXT: usize = 200_000;

/// A description file in a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    pub id: Uuid,
    /// Address of the file once it is merged.
    pub target: String,
    pub repository: Repository,
    pub number: u64,
    /// Page of the pull request.
    pub url: String,
    pub proposed_by: String,
    pub proposed_at: DateTime<Utc>,
}

/// Why a file was not proposed.
#[derive(Debug)]
pub enum Refused {
    /// It is wrong.
    Problems(Vec<Problem>),
    Error(CatalogError),
}

impl<E: Into<CatalogError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Catalog {
    /// Proposes a description file to the repository that `target` lies in, by a pull request. Asked again, it changes the
    /// file of that pull request.
    pub async fn propose(&self, actor: &str, target: &str, text: &str) -> Result<Proposed, Refused> {
        self.writable()?;
        let target = read::web_target(target)?;
        let located = self.sources().locate(&target)?;
        let (forge, source) = (&located.forge, &located.source);
        let Some(collaboration) = forge.collaboration() else {
            return Err(CatalogError::Invalid(text!(
                "Pull requests cannot be made on {forge} from here. Add the file there, then register its address.",
                forge = forge.base()
            ))
            .into());
        };
        if text.len() > LONGEST_TEXT {
            return Err(CatalogError::Invalid(text!("The file is too long to be proposed from here.")).into());
        }
        let (_, problems) = self.check_text(&target, text).await?;
        if !problems.is_empty() {
            return Err(Refused::Problems(problems));
        }
        let base = match &source.reference {
            Some(reference) => reference.clone(),
            None => forge.repository(&source.repository).await?.default_branch,
        };
        let branch = &self.config().proposal_branch;
        let text = format!("{}\n", text.replace("\r\n", "\n").trim_end());
        let title = format!("Add {}", source.path);
        let file = NewFile {
            path: &source.path,
            content: &text,
            branch,
            base: &base,
            message: &format!("{title}\n\nIt describes this repository to the developer portal. Proposed by {actor}."),
        };
        collaboration.propose_file(&source.repository, &file).await?;
        let new = NewPullRequest {
            head: branch.clone(),
            base: base.clone(),
            title,
            body: format!(
                "This file describes the repository to the developer portal at {}. Once it is merged, what it describes is in \
                 the catalog.\n\nProposed by {actor}.",
                self.config().base_url
            ),
            draft: false,
        };
        let open = match collaboration
            .find_pull_request(&source.repository, branch, &base)
            .await?
        {
            Some(open) => open,
            None => collaboration.open_pull_request(&source.repository, &new).await?,
        };
        let now = self.clock().now();
        let proposed = Proposed {
            id: new_id(self.clock()),
            target,
            repository: source.repository.clone(),
            number: open.number,
            url: open.url,
            proposed_by: actor.to_owned(),
            proposed_at: now,
        };
        queries::proposals::put(self.db(), &proposed, now + LOOK_EVERY).await?;
        // Its pushes tell when it is merged.
        self.tell_repository(source.repository.clone());
        Ok(proposed)
    }

    /// Files that wait for their pull requests, newest first.
    pub async fn proposals(&self) -> Result<Vec<Proposed>, CatalogError> {
        Ok(queries::proposals::list(self.db()).await?)
    }

    /// A push was reported: its pull requests may have been merged.
    pub(in super::super) async fn look_at_proposals_of(&self, repository: &Repository) -> Result<(), CatalogError> {
        for proposed in queries::proposals::list_of(self.db(), repository).await? {
            self.look_at_proposal(&proposed).await?;
        }
        Ok(())
    }

    /// Looks at those that are due; answers whether there were any.
    pub async fn look_at_due_proposals(&self) -> Result<bool, CatalogError> {
        let now = self.clock().now();
        let Some(proposed) = queries::proposals::take_due(self.db(), now, now + LOOK_EVERY).await? else {
            return Ok(false);
        };
        if let Err(error) = self.look_at_proposal(&proposed).await {
            tracing::warn!(target = proposed.target, %error, "what has become of a proposed file is not known");
        }
        Ok(true)
    }

    async fn look_at_proposal(&self, proposed: &Proposed) -> Result<(), CatalogError> {
        let forge = self.sources().forge_of(&proposed.repository)?;
        let Some(collaboration) = forge.collaboration() else {
            return Ok(());
        };
        let state = match collaboration.pull_request(&proposed.repository, proposed.number).await {
            Ok(pull) => pull.state,
            Err(ScmError::NotFound { .. }) => PullRequestState::Closed,
            Err(error) => return Err(error.into()),
        };
        match state {
            PullRequestState::Open if proposed.proposed_at + GIVEN_UP_AFTER > self.clock().now() => return Ok(()),
            PullRequestState::Open | PullRequestState::Closed => {}
            PullRequestState::Merged => match self.register(&proposed.proposed_by, &proposed.target).await {
                Ok(_) => {}
                Err(CatalogError::Scm(error)) if error.is_temporary() => return Err(error.into()),
                Err(CatalogError::Database(error)) => return Err(error.into()),
                // It was merged otherwise than it was proposed; who looks at the location's page or registers it is told why.
                Err(error) => {
                    tracing::warn!(target = proposed.target, %error, "a merged description file cannot be used")
                }
            },
        }
        queries::proposals::delete(self.db(), proposed.id).await?;
        Ok(())
    }
}
