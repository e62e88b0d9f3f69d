//! Settings, pull requests, issues, secrets and variables.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;

use super::{Forgejo, wire};
use crate::scm::{
    Collaboration, Issue, NewFile, NewHook, NewIssue, NewPullRequest, PullRequest, PullRequestState, Repository,
    RepositorySettings, Scm, ScmError, Watched,
};

/// Asked for in one page, and pages: more than there is between two runs of a step.
const A_PAGE: usize = 50;
const PAGES: usize = 40;

#[async_trait::async_trait]
impl Collaboration for Forgejo {
    async fn update_repository(&self, repository: &Repository, settings: &RepositorySettings) -> Result<(), ScmError> {
        let request = self.of(Method::PATCH, repository, &[])?.json(&wire::EditRepository {
            description: settings.description.as_deref(),
            private: settings.private,
            archived: settings.archived,
            default_branch: settings.default_branch.as_deref(),
            has_issues: settings.has_issues,
            has_wiki: settings.has_wiki,
            has_pull_requests: settings.has_pull_requests,
        });
        self.api.send(request, &full_name(repository)).await?;
        Ok(())
    }

    async fn delete_repository(&self, repository: &Repository) -> Result<(), ScmError> {
        let request = self.of(Method::DELETE, repository, &[])?;
        self.api.send(request, &full_name(repository)).await?;
        Ok(())
    }

    async fn ensure_hook(&self, repository: &Repository, hook: &NewHook<'_>) -> Result<(), ScmError> {
        self.put_webhook(&Watched::Repository(repository.clone()), hook).await
    }

    async fn propose_file(&self, repository: &Repository, file: &NewFile<'_>) -> Result<(), ScmError> {
        let what = format!("{} in {}", file.path, full_name(repository));
        let content = STANDARD.encode(file.content);
        let segments: Vec<&str> = std::iter::once("contents").chain(file.path.split('/')).collect();
        let mut write = wire::WriteContents {
            content: &content,
            message: file.message,
            branch: file.branch,
            new_branch: None,
            sha: None,
        };
        match self.commit(repository, file.branch).await {
            Ok(_) => {}
            Err(ScmError::NotFound { .. }) => {
                self.commit(repository, file.base).await?;
                write.branch = file.base;
                write.new_branch = Some(file.branch);
                let request = self.of(Method::POST, repository, &segments)?.json(&write);
                self.api.send(request, &what).await?;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let request = self.of(Method::GET, repository, &segments)?;
        let there: Option<wire::Contents> = match self.api.json(request.query(&[("ref", file.branch)]), &what).await {
            Err(ScmError::NotFound { .. }) => None,
            other => Some(other?),
        };
        let mut method = Method::POST;
        if let Some(there) = &there {
            if there.content.as_deref().is_some_and(|known| is_same(known, &content)) {
                return Ok(());
            }
            write.sha = Some(&there.sha);
            method = Method::PUT;
        }
        let request = self.of(method, repository, &segments)?.json(&write);
        self.api.send(request, &what).await?;
        Ok(())
    }

    async fn open_pull_request(&self, repository: &Repository, new: &NewPullRequest) -> Result<PullRequest, ScmError> {
        let what = format!(
            "a pull request of {} to {} in {}",
            new.head,
            new.base,
            full_name(repository)
        );
        let request = self
            .of(Method::POST, repository, &["pulls"])?
            .json(&wire::CreatePullRequest {
                head: &new.head,
                base: &new.base,
                // How both forges mark what is not to be merged yet.
                title: &if new.draft {
                    format!("WIP: {}", new.title)
                } else {
                    new.title.clone()
                },
                body: &new.body,
            });
        Ok(pull_request(self.api.json(request, &what).await?))
    }

    async fn find_pull_request(
        &self,
        repository: &Repository,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, ScmError> {
        let what = format!("pull requests of {}", full_name(repository));
        for page in 1..=PAGES {
            let request = self
                .of(Method::GET, repository, &["pulls"])?
                .query(&[("state", "open")])
                .query(&[("page", page), ("limit", A_PAGE)]);
            let pulls: Vec<wire::PullRequest> = self.api.json(request, &what).await?;
            let last = pulls.len() < A_PAGE;
            let found = pulls.into_iter().find(|pull| {
                pull.head.name == head && pull.base.name == base && pull.head.repo_id == pull.base.repo_id
            });
            if last || found.is_some() {
                return Ok(found.map(pull_request));
            }
        }
        Ok(None)
    }

    async fn pull_request(&self, repository: &Repository, number: u64) -> Result<PullRequest, ScmError> {
        let what = format!("pull request {number} of {}", full_name(repository));
        let request = self.of(Method::GET, repository, &["pulls", &number.to_string()])?;
        Ok(pull_request(self.api.json(request, &what).await?))
    }

    async fn create_issue(&self, repository: &Repository, new: &NewIssue<'_>) -> Result<Issue, ScmError> {
        let what = format!("an issue in {}", full_name(repository));
        let request = self
            .of(Method::POST, repository, &["issues"])?
            .json(&wire::CreateIssue {
                title: new.title,
                body: new.body,
                assignees: new.assignees,
            });
        Ok(issue(self.api.json(request, &what).await?))
    }

    async fn find_issue(
        &self,
        repository: &Repository,
        mark: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<Issue>, ScmError> {
        let what = format!("issues of {}", full_name(repository));
        // The forge's clock may be behind ours.
        let since = (since - chrono::Duration::minutes(5)).to_rfc3339_opts(SecondsFormat::Secs, true);
        for page in 1..=PAGES {
            let request = self
                .of(Method::GET, repository, &["issues"])?
                .query(&[("state", "all"), ("type", "issues"), ("since", &since)])
                .query(&[("page", page), ("limit", A_PAGE)]);
            let issues: Vec<wire::Issue> = self.api.json(request, &what).await?;
            let last = issues.len() < A_PAGE;
            let found = issues.into_iter().find(|issue| issue.body.contains(mark));
            if last || found.is_some() {
                return Ok(found.map(issue));
            }
        }
        Ok(None)
    }

    async fn set_secret(&self, repository: &Repository, name: &str, value: &str) -> Result<(), ScmError> {
        let what = format!("the secret {name} of {}", full_name(repository));
        let request = self
            .of(Method::PUT, repository, &["actions", "secrets", name])?
            .json(&wire::WriteSecret { data: value });
        self.api.send(request, &what).await?;
        Ok(())
    }

    async fn set_variable(&self, repository: &Repository, name: &str, value: &str) -> Result<(), ScmError> {
        let what = format!("the variable {name} of {}", full_name(repository));
        let set = |method| {
            let request = self.of(method, repository, &["actions", "variables", name])?;
            Ok::<_, ScmError>(request.json(&wire::WriteVariable { value }))
        };
        match self.api.send(set(Method::PUT)?, &what).await {
            // There is none yet.
            Err(ScmError::NotFound { .. }) => self.api.send(set(Method::POST)?, &what).await?,
            answer => answer?,
        };
        Ok(())
    }
}

impl Forgejo {
    /// A request about a repository.
    fn of(&self, method: Method, repository: &Repository, rest: &[&str]) -> Result<reqwest::RequestBuilder, ScmError> {
        let mut segments = vec!["repos", &repository.owner, &repository.name];
        segments.extend(rest);
        self.api.request(method, &segments)
    }
}

/// Is it the same Base64, wherever its lines end?
fn is_same(one: &str, other: &str) -> bool {
    let letters = |text: &str| {
        text.chars()
            .filter(|letter| !letter.is_whitespace())
            .collect::<String>()
    };
    letters(one) == letters(other)
}

fn full_name(repository: &Repository) -> String {
    format!("{}/{}", repository.owner, repository.name)
}

fn pull_request(pull: wire::PullRequest) -> PullRequest {
    PullRequest {
        number: pull.number,
        url: pull.html_url,
        state: match (pull.merged, pull.state.as_str()) {
            (true, _) => PullRequestState::Merged,
            (false, "closed") => PullRequestState::Closed,
            (false, _) => PullRequestState::Open,
        },
    }
}

fn issue(issue: wire::Issue) -> Issue {
    Issue {
        number: issue.number,
        url: issue.html_url,
    }
}
