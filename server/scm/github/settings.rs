//! What only GitHub has: how a repository is created, who may change it, and how a branch is protected.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::collaboration::full_name;
use super::request::Ask;
use super::{Github, wire};
use crate::scm::{Repository, RepositoryInfo, ScmError};

/// A repository to create.
#[derive(Debug, Clone, Default)]
pub struct NewGithubRepository {
    /// An organisation, or the user that the token is of.
    pub owner: String,
    pub name: String,
    pub description: Option<String>,
    /// `private`, `public` or `internal`.
    pub visibility: String,
    /// Further settings in GitHub's words, such as `has_wiki`.
    pub settings: Map<String, Value>,
    /// Only organisations have them.
    pub custom_properties: Map<String, Value>,
}

/// Somebody who gets a permission (`pull`, `triage`, `push`, `maintain`, `admin`, or a role of the organisation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<'a> {
    User(&'a str),
    /// Slug of a team of the repository's organisation.
    Team(&'a str),
}

/// How a branch is protected, in GitHub's words.
#[derive(Debug, Clone, Default)]
pub struct BranchProtection {
    /// Body of the request.
    pub rules: Value,
    /// Commits have to be signed.
    pub signed: bool,
}

/// What a workflow's token says that it is.
#[derive(Debug, Clone, Default)]
pub struct OidcSubject {
    pub use_default: bool,
    pub claims: Option<Vec<String>>,
}

impl Github {
    /// Creates a repository; `Conflict` where the name is taken.
    pub async fn create(&self, new: &NewGithubRepository) -> Result<RepositoryInfo, ScmError> {
        let what = format!("repository {}/{}", new.owner, new.name);
        let mut body = new.settings.clone();
        body.insert("name".to_owned(), new.name.clone().into());
        if let Some(description) = &new.description {
            body.insert("description".to_owned(), description.clone().into());
        }
        body.insert("private".to_owned(), (new.visibility == "private").into());
        let ask = if self.is_organization(&new.owner).await? {
            body.insert("visibility".to_owned(), new.visibility.clone().into());
            if !new.custom_properties.is_empty() {
                body.insert("custom_properties".to_owned(), new.custom_properties.clone().into());
            }
            Ask::new(Method::POST, &["orgs", &new.owner, "repos"])
        } else {
            let account = self.known_account().await?;
            if !account.eq_ignore_ascii_case(&new.owner) {
                return Err(ScmError::Denied {
                    host: self.api.host.clone(),
                    reason: format!(
                        "{} is a user, and the token is of {account}: repositories can be created for {account} and for \
                         organisations",
                        new.owner
                    ),
                });
            }
            Ask::new(Method::POST, &["user", "repos"])
        };
        let found: wire::Repository = self.api.json(ask.json(Value::Object(body)), &what).await?;
        self.info(found).await
    }

    /// Gives somebody a permission.
    pub async fn give_access(
        &self,
        repository: &Repository,
        who: Access<'_>,
        permission: &str,
    ) -> Result<(), ScmError> {
        let (owner, name) = (repository.owner.as_str(), repository.name.as_str());
        let (ask, what) = match who {
            Access::User(user) => (
                Ask::new(Method::PUT, &["repos", owner, name, "collaborators", user]),
                format!("the user {user}"),
            ),
            Access::Team(team) => (
                Ask::new(Method::PUT, &["orgs", owner, "teams", team, "repos", owner, name]),
                format!("the team {owner}/{team}"),
            ),
        };
        self.api
            .send(ask.json(json!({"permission": permission})), &what)
            .await?;
        Ok(())
    }

    /// There is such a team.
    pub async fn has_team(&self, organisation: &str, team: &str) -> Result<bool, ScmError> {
        let ask = Ask::new(Method::GET, &["orgs", organisation, "teams", team]);
        match self.api.send(ask, &format!("the team {organisation}/{team}")).await {
            Ok(_) => Ok(true),
            Err(ScmError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces all topics.
    pub async fn set_topics(&self, repository: &Repository, topics: &[String]) -> Result<(), ScmError> {
        self.put(repository, &["topics"], json!({"names": topics})).await
    }

    pub async fn set_oidc_subject(&self, repository: &Repository, subject: &OidcSubject) -> Result<(), ScmError> {
        let mut body = json!({"use_default": subject.use_default});
        if let Some(claims) = &subject.claims {
            body["include_claim_keys"] = json!(claims);
        }
        let path = ["actions", "oidc", "customization", "sub"];
        self.put(repository, &path, body).await
    }

    /// The token's account is told of what happens in the repository.
    pub async fn subscribe(&self, repository: &Repository) -> Result<(), ScmError> {
        let body = json!({"subscribed": true, "ignored": false});
        self.put(repository, &["subscription"], body).await
    }

    /// From where the repository's workflows may be used: `none`, `user` or `organization`.
    pub async fn set_workflow_access(&self, repository: &Repository, level: &str) -> Result<(), ScmError> {
        let body = json!({"access_level": level});
        self.put(repository, &["actions", "permissions", "access"], body).await
    }

    /// Protects a branch, in place of how it was protected.
    pub async fn protect_branch(
        &self,
        repository: &Repository,
        branch: &str,
        protection: &BranchProtection,
    ) -> Result<(), ScmError> {
        let path = ["branches", branch, "protection"];
        self.put(repository, &path, protection.rules.clone()).await?;
        if protection.signed {
            let path = ["branches", branch, "protection", "required_signatures"];
            let ask = Self::of(Method::POST, repository, &path);
            self.api.send(ask, &full_name(repository)).await?;
        }
        Ok(())
    }

    /// Asks people and teams to review a pull request.
    pub async fn request_reviews(
        &self,
        repository: &Repository,
        number: u64,
        users: &[String],
        teams: &[String],
    ) -> Result<(), ScmError> {
        let path = ["pulls", &number.to_string(), "requested_reviewers"];
        let ask = Self::of(Method::POST, repository, &path);
        let ask = ask.json(json!({"reviewers": users, "team_reviewers": teams}));
        let what = format!("pull request {number} of {}", full_name(repository));
        self.api.send(ask, &what).await?;
        Ok(())
    }

    /// Assigns a pull request or issue.
    pub async fn assign(&self, repository: &Repository, number: u64, users: &[String]) -> Result<(), ScmError> {
        let path = ["issues", &number.to_string(), "assignees"];
        let ask = Self::of(Method::POST, repository, &path).json(json!({"assignees": users}));
        let what = format!("pull request {number} of {}", full_name(repository));
        self.api.send(ask, &what).await?;
        Ok(())
    }

    async fn put(&self, repository: &Repository, path: &[&str], body: Value) -> Result<(), ScmError> {
        let ask = Self::of(Method::PUT, repository, path).json(body);
        self.api.send(ask, &full_name(repository)).await?;
        Ok(())
    }
}
