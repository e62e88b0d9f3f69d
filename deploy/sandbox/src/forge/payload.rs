//! JSON of users, repositories and commits, the same in API answers and in webhook payloads (Gitea's `modules/structs`).

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::Forge;
use super::git::{Commit, NOTHING, Signature};
use super::model::{Account, Permission, Repository};

/// Something that webhooks are told.
#[derive(Debug)]
pub struct Event {
    /// For instance `push`.
    pub name: &'static str,
    /// The branch it is about, for the hooks' filters.
    pub branch: Option<String>,
    /// The body.
    pub payload: Value,
}

/// A push lists so many commits at most (Gitea's `FEED_MAX_COMMIT_NUM`).
const LISTED_COMMITS: usize = 5;

/// RFC 3339, seconds.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Forge {
    /// Its own URL.
    pub fn root(&self) -> &str {
        &self.inner.settings.root_url
    }

    /// A user by name, for instance the author of a status.
    pub fn user_named(&self, name: &str) -> Value {
        self.inner.contents.read(|contents| {
            contents
                .account(name)
                .map_or(Value::Null, |account| user(self.root(), account))
        })
    }

    /// The user that an e-mail address belongs to.
    pub fn user_of_email(&self, email: &str) -> Option<Account> {
        self.inner.contents.read(|contents| {
            contents
                .accounts
                .values()
                .find(|account| !email.is_empty() && account.email.eq_ignore_ascii_case(email))
                .cloned()
        })
    }

    /// `<owner>/<name>` in the case they were written.
    pub fn full_name(&self, repository: &Repository) -> String {
        let owner = self
            .inner
            .contents
            .read(|contents| contents.account(&repository.owner).map(|owner| owner.name.clone()));
        format!("{}/{}", owner.as_deref().unwrap_or(&repository.owner), repository.name)
    }

    /// A repository for somebody with this permission.
    pub async fn repository(&self, repository: &Repository, permission: Permission) -> Value {
        let empty = self
            .git(repository.id)
            .refs()
            .await
            .is_ok_and(|refs| !refs.keys().any(|name| name.starts_with("refs/heads/")));
        let full_name = self.full_name(repository);
        let root = self.root();
        let url = format!("{root}/{full_name}");
        let port = root.rsplit_once(':').map_or("22", |(_, port)| port);
        let open_pulls = repository.pulls.iter().filter(|pull| pull.state == "open").count();
        let mut whole = json!({
            "id": repository.id,
            "owner": self.user_named(&repository.owner),
            "name": repository.name,
            "full_name": full_name,
            "description": repository.description,
            "empty": empty,
            "private": repository.private,
            "fork": false,
            "template": false,
            "mirror": false,
            "size": 0,
            "language": "",
            "languages_url": format!("{root}/api/v1/repos/{full_name}/languages"),
            "html_url": url,
            "url": format!("{root}/api/v1/repos/{full_name}"),
            "link": "",
            "ssh_url": format!("ssh://git@localhost:{port}/{full_name}.git"),
            "clone_url": format!("{url}.git"),
            "original_url": "",
            "website": "",
            "stars_count": 0,
            "forks_count": 0,
            "watchers_count": 1,
            "open_issues_count": 0,
            "open_pr_counter": open_pulls,
            "release_counter": 0,
            "default_branch": repository.default_branch,
            "archived": repository.archived,
            "created_at": time(repository.created),
            "updated_at": time(repository.updated),
            "archived_at": "1970-01-01T00:00:00Z",
        });
        // In two halves, since one would be too long for the macro.
        let rest = json!({
            "permissions": {
                "admin": permission >= Permission::Admin,
                "push": permission >= Permission::Write,
                "pull": true,
            },
            "has_issues": repository.units.issues,
            "has_wiki": repository.units.wiki,
            "has_pull_requests": repository.units.pulls,
            "has_projects": false,
            "has_releases": false,
            "has_packages": false,
            "has_actions": false,
            "ignore_whitespace_conflicts": false,
            "allow_merge_commits": true,
            "allow_rebase": false,
            "allow_rebase_explicit": false,
            "allow_squash_merge": true,
            "allow_fast_forward_only_merge": false,
            "default_merge_style": "merge",
            "avatar_url": "",
            "internal": false,
            "mirror_interval": "",
            "object_format_name": "sha1",
            "mirror_updated": "0001-01-01T00:00:00Z",
            "topics": [],
            "licenses": [],
        });
        if let (Some(whole), Value::Object(rest)) = (whole.as_object_mut(), rest) {
            whole.extend(rest);
        }
        whole
    }

    /// A commit as pushes and branches show it.
    pub async fn payload_commit(&self, repository: &Repository, commit: &Commit) -> Result<Value> {
        let touched = self.git(repository.id).touched(&commit.id).await?;
        let person = |signature: &Signature| {
            let username = self
                .user_of_email(&signature.email)
                .map(|account| account.name)
                .unwrap_or_default();
            json!({ "name": signature.name, "email": signature.email, "username": username })
        };
        Ok(json!({
            "id": commit.id,
            "message": commit.message,
            "url": format!("{}/{}/commit/{}", self.root(), self.full_name(repository), commit.id),
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "verification": null,
            "timestamp": commit.committer.date,
            "added": touched.added,
            "removed": touched.removed,
            "modified": touched.modified,
        }))
    }
}

/// A user or organisation.
pub fn user(root: &str, account: &Account) -> Value {
    json!({
        "id": account.id,
        "login": account.name,
        "login_name": "",
        "source_id": 0,
        "full_name": account.full_name,
        "email": account.email,
        "avatar_url": "",
        "html_url": format!("{root}/{}", account.name),
        "language": "",
        "is_admin": account.is_admin,
        "last_login": time(account.created),
        "created": time(account.created),
        "restricted": false,
        "active": true,
        "prohibit_login": false,
        "location": "",
        "website": "",
        "description": "",
        "visibility": "public",
        "followers_count": 0,
        "following_count": 0,
        "starred_repos_count": 0,
        "username": account.name,
    })
}

/// What changed between the refs announced last and `refs`, as events.
pub async fn of_refs(
    forge: &Forge,
    repository: &Repository,
    refs: &BTreeMap<String, String>,
    pusher: Option<&str>,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let empty = String::new();
    let names: std::collections::BTreeSet<&String> = refs.keys().chain(repository.announced.keys()).collect();
    for name in names {
        let (before, after) = (repository.announced.get(name), refs.get(name));
        if before == after {
            continue;
        }
        let (kind, short) = match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/")) {
            (Some(branch), _) => ("branch", branch),
            (None, Some(tag)) => ("tag", tag),
            (None, None) => continue,
        };
        let branch = (kind == "branch").then(|| short.to_owned());
        let seen = forge.repository(repository, Permission::Admin).await;
        let sender = forge.user_named(pusher.unwrap_or(&repository.owner));
        let about = |name, payload| Event {
            name,
            branch: branch.clone(),
            payload,
        };
        if before.is_none() {
            let payload = json!({
                "sha": after, "ref": short, "ref_type": kind, "repository": seen, "sender": sender,
            });
            events.push(about("create", payload));
        }
        match after {
            Some(after) => {
                let payload = push(forge, repository, name, before.unwrap_or(&empty), after, &seen, &sender).await?;
                events.push(about("push", payload));
            }
            None => {
                let payload = json!({
                    "ref": short, "ref_type": kind, "pusher_type": "user", "repository": seen, "sender": sender,
                });
                events.push(about("delete", payload));
            }
        }
    }
    Ok(events)
}

/// A repository that was `created` or `deleted`.
pub async fn of_repository(forge: &Forge, repository: &Repository, action: &str) -> Event {
    let seen = forge.repository(repository, Permission::Admin).await;
    let owner = forge.user_named(&repository.owner);
    Event {
        name: "repository",
        branch: None,
        payload: json!({ "action": action, "repository": seen, "organization": owner, "sender": owner }),
    }
}

/// The body of a `push`; an empty `before` stands for a new ref.
pub async fn push(
    forge: &Forge,
    repository: &Repository,
    name: &str,
    before: &str,
    after: &str,
    seen: &Value,
    sender: &Value,
) -> Result<Value> {
    let git = forge.git(repository.id);
    let mut range = vec![after.to_owned()];
    if !before.is_empty() {
        range.push(format!("^{before}"));
    } else if let Some(base) = repository
        .announced
        .get(&format!("refs/heads/{}", repository.default_branch))
    {
        range.push(format!("^{base}"));
    }
    let range: Vec<&str> = range.iter().map(String::as_str).collect();
    // A tag of something that is no commit has no commits to tell of; nor has a base that a forced push removed.
    let found = git.log(&range, "", 0, 100).await.unwrap_or_default();
    let mut commits = Vec::new();
    for commit in found.iter().take(LISTED_COMMITS) {
        commits.push(forge.payload_commit(repository, commit).await?);
    }
    let head = match git.commit(after).await {
        Ok(Some(commit)) => forge.payload_commit(repository, &commit).await?,
        _ => Value::Null,
    };
    let compare = if before.is_empty() {
        String::new()
    } else {
        format!(
            "{}/{}/compare/{before}...{after}",
            forge.root(),
            forge.full_name(repository)
        )
    };
    Ok(json!({
        "ref": name,
        "before": if before.is_empty() { NOTHING } else { before },
        "after": after,
        "compare_url": compare,
        "commits": commits,
        "total_commits": found.len(),
        "head_commit": head,
        "repository": seen,
        "pusher": sender,
        "sender": sender,
    }))
}
