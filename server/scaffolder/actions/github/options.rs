//! How a repository is created, and what is set once it is there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scaffolder::actions::target::Target;
use crate::scaffolder::actions::{ActionError, Context};
use crate::scm::{Access, Github, NewGithubRepository, OidcSubject};

/// What `publish:github` and `github:repo:create` have in common: a part of their inputs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Description of the repository.
    description: Option<String>,
    /// Address of its homepage.
    homepage: Option<String>,
    /// Somebody who becomes an administrator: a user, or a team as `<organisation>/<team>`.
    access: Option<String>,
    /// `private` (the default), `public` or `internal`.
    #[serde(default)]
    repo_visibility: Visibility,
    /// Delete branches when they are merged.
    #[serde(default)]
    delete_branch_on_merge: bool,
    /// Pull requests may be merged with a commit of the merge.
    #[serde(default = "yes")]
    allow_merge_commit: bool,
    /// Pull requests may be merged as one commit.
    #[serde(default = "yes")]
    allow_squash_merge: bool,
    /// `COMMIT_OR_PR_TITLE` (the default) or `PR_TITLE`.
    #[serde(default = "commit_title")]
    squash_merge_commit_title: String,
    /// `COMMIT_MESSAGES` (the default), `PR_BODY` or `BLANK`.
    #[serde(default = "commit_message")]
    squash_merge_commit_message: String,
    /// Pull requests may be merged commit by commit.
    #[serde(default = "yes")]
    allow_rebase_merge: bool,
    /// Pull requests may be merged by GitHub as soon as they can be.
    #[serde(default)]
    allow_auto_merge: bool,
    /// The page of a pull request offers to update its branch.
    #[serde(default)]
    allow_update_branch: bool,
    /// Users and teams, each with a permission.
    #[serde(default)]
    collaborators: Vec<Collaborator>,
    has_projects: Option<bool>,
    has_wiki: Option<bool>,
    has_issues: Option<bool>,
    /// Topics of the repository; GitHub wants lower case.
    topics: Option<Vec<String>>,
    /// Variables for its workflows.
    #[serde(default)]
    repo_variables: BTreeMap<String, String>,
    /// Secrets for its workflows.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// What its workflows' tokens say that they are.
    oidc_customization: Option<OidcCustomization>,
    /// Properties that the organisation has defined.
    #[serde(default)]
    custom_properties: Map<String, Value>,
    /// The portal's account is told of what happens in the repository.
    #[serde(default)]
    subscribe: bool,
    /// Token to use in place of the portal's own account.
    pub token: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    #[default]
    Private,
    Public,
    Internal,
}

/// A user or a team.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Collaborator {
    /// `pull`, `triage`, `push`, `maintain`, `admin`, or a role of the organisation.
    access: String,
    /// Name or entity ref of a user.
    #[serde(alias = "username")]
    user: Option<String>,
    /// Slug or entity ref of a team.
    team: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OidcCustomization {
    #[serde(default = "yes")]
    use_default: bool,
    include_claim_keys: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

fn commit_title() -> String {
    "COMMIT_OR_PR_TITLE".to_owned()
}

fn commit_message() -> String {
    "COMMIT_MESSAGES".to_owned()
}

impl Options {
    /// What would be refused after the repository is there.
    pub async fn check(&self, github: &Github, target: &Target) -> Result<(), ActionError> {
        for collaborator in &self.collaborators {
            if collaborator.user.is_some() == collaborator.team.is_some() {
                return Err(ActionError::Input(
                    "each of collaborators needs access and one of user and team".to_owned(),
                ));
            }
        }
        if let Some((organisation, team)) = self.team_of(&target.repository.owner)
            && !github.has_team(organisation, team).await?
        {
            return Err(ActionError::Input(format!(
                "access names the team {organisation}/{team}, which GitHub does not know, or does not show to this account"
            )));
        }
        Ok(())
    }

    fn team_of(&self, owner: &str) -> Option<(&str, &str)> {
        let access = self.access.as_deref()?.split_once('/')?;
        (access.0 == owner).then_some(access)
    }

    /// The repository that is to be created.
    pub fn new_repository(&self, target: &Target, auto_init: Option<bool>) -> NewGithubRepository {
        let visibility = match self.repo_visibility {
            Visibility::Private => "private",
            Visibility::Public => "public",
            Visibility::Internal => "internal",
        };
        let flags = [
            ("allow_auto_merge", Some(self.allow_auto_merge)),
            ("allow_merge_commit", Some(self.allow_merge_commit)),
            ("allow_rebase_merge", Some(self.allow_rebase_merge)),
            ("allow_squash_merge", Some(self.allow_squash_merge)),
            ("allow_update_branch", Some(self.allow_update_branch)),
            ("auto_init", auto_init),
            ("delete_branch_on_merge", Some(self.delete_branch_on_merge)),
            ("has_issues", self.has_issues),
            ("has_projects", self.has_projects),
            ("has_wiki", self.has_wiki),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        let mut settings: Map<String, Value> = flags.collect();
        let texts = [
            ("homepage", self.homepage.as_deref()),
            (
                "squash_merge_commit_message",
                Some(self.squash_merge_commit_message.as_str()),
            ),
            (
                "squash_merge_commit_title",
                Some(self.squash_merge_commit_title.as_str()),
            ),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                settings.insert(key.to_owned(), value.into());
            }
        }
        NewGithubRepository {
            owner: target.repository.owner.clone(),
            name: target.repository.name.clone(),
            description: self.description.clone(),
            visibility: visibility.to_owned(),
            settings,
            custom_properties: self.custom_properties.clone(),
        }
    }

    /// Sets what is set on a repository that is there. Twice is once. As in the field's action, collaborators and topics
    /// that GitHub refuses are told of and left out.
    pub async fn apply(&self, cx: &Context, github: &Github, target: &Target) -> Result<(), ActionError> {
        let repository = &target.repository;
        let name = |reference: &str| reference.rsplit([':', '/']).next().unwrap_or_default().to_owned();
        match (self.access.as_deref(), self.team_of(&repository.owner)) {
            (_, Some((_, team))) => github.give_access(repository, Access::Team(team), "admin").await?,
            (Some(user), None) if !user.is_empty() && user != repository.owner => {
                github.give_access(repository, Access::User(user), "admin").await?;
            }
            _ => {}
        }
        for collaborator in &self.collaborators {
            let user = collaborator.user.as_deref().map(name);
            let team = collaborator.team.as_deref().map(name);
            let who = match (&user, &team) {
                (Some(user), _) => Access::User(user),
                (None, Some(team)) => Access::Team(team),
                (None, None) => continue,
            };
            if let Err(error) = github.give_access(repository, who, &collaborator.access).await {
                cx.log(format!("Skipping {} access for {who:?}: {error}", collaborator.access));
            }
        }
        if let Some(topics) = &self.topics {
            let topics: Vec<String> = topics.iter().map(|topic| topic.to_lowercase()).collect();
            if let Err(error) = github.set_topics(repository, &topics).await {
                cx.log(format!("Skipping the topics {}: {error}", topics.join(" ")));
            }
        }
        let forge = target.collaboration()?;
        for (name, value) in &self.repo_variables {
            forge.set_variable(repository, name, value).await?;
            cx.log(format!("Set the variable {name}"));
        }
        for (name, value) in &self.secrets {
            cx.hide(value);
            forge.set_secret(repository, name, value).await?;
            cx.log(format!("Set the secret {name}"));
        }
        if let Some(oidc) = &self.oidc_customization {
            let subject = OidcSubject {
                use_default: oidc.use_default,
                claims: oidc.include_claim_keys.clone(),
            };
            github.set_oidc_subject(repository, &subject).await?;
        }
        if self.subscribe {
            github.subscribe(repository).await?;
        }
        Ok(())
    }
}
