//! What the forge knows beside the repositories themselves.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod repository;

pub use repository::{Issue, Permission, Pull, Repository, Status};

/// All of it, in one file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Contents {
    /// Source of all ids.
    last_id: u64,
    /// Users and organisations by lower-case name.
    pub accounts: BTreeMap<String, Account>,
    /// Repositories by id.
    pub repositories: BTreeMap<u64, Repository>,
    /// Webhook deliveries that are still to be made, oldest first.
    pub pending: Vec<Delivery>,
}

/// A user or an organisation.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    /// Unique among all accounts.
    pub id: u64,
    /// As it was written when it was made.
    pub name: String,
    /// Shown beside the name.
    pub full_name: String,
    /// Address, may be empty.
    pub email: String,
    /// May do everything.
    pub is_admin: bool,
    /// Members for an organisation, absent for a user: lower-case names that may administer its repositories.
    pub members: Option<Vec<String>>,
    /// Salt and SHA-256 of salt and password, hexadecimal; an organisation has none.
    password: Option<(String, String)>,
    /// Access tokens.
    pub tokens: Vec<Token>,
    /// Webhooks for all of its repositories.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Account({})", self.name)
    }
}

/// An access token; only its digest is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Unique.
    pub id: u64,
    /// Chosen by the user, unique for the user.
    pub name: String,
    /// SHA-256 of the token, hexadecimal.
    digest: String,
    /// To recognise it.
    pub last_eight: String,
    /// Asked for, but not enforced.
    pub scopes: Vec<String>,
}

/// A webhook.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hook {
    /// Unique.
    pub id: u64,
    /// `gitea` or `forgejo`.
    pub kind: String,
    /// Where deliveries go.
    pub url: String,
    /// `json` or `form`.
    pub content_type: String,
    /// Key of the signature; empty for none.
    pub secret: String,
    /// Sent as `Authorization`; empty for none.
    pub authorization: String,
    /// Whether it is on.
    pub active: bool,
    /// Events that it is for.
    pub events: Vec<String>,
    /// Glob of branches, `*` for all.
    pub branch_filter: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
    /// The last deliveries, newest first.
    pub deliveries: Vec<Delivered>,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Hook({} to {})", self.id, self.url)
    }
}

/// A delivery to be made. The hook is looked up when its turn comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// `X-Gitea-Delivery`.
    pub uuid: String,
    /// The repository's id.
    pub repository: u64,
    /// The hook's id.
    pub hook: u64,
    /// For instance `push`.
    pub event: String,
    /// The payload as it will be signed and sent.
    pub payload: String,
}

/// A delivery that was tried; there is no second try.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivered {
    /// `X-Gitea-Delivery`.
    pub uuid: String,
    /// For instance `push`.
    pub event: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The receiver's status.
    pub status: Option<u16>,
    /// Why there is no status.
    pub error: Option<String>,
}

impl Contents {
    /// A new id.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// An account by name, in any case.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(&name.to_lowercase())
    }

    /// A repository by names, in any case.
    pub fn repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        let (owner, name) = (owner.to_lowercase(), name.to_lowercase());
        self.repositories
            .values()
            .find(|repository| repository.owner == owner && repository.name.to_lowercase() == name)
    }

    /// Makes or replaces nothing: a new account, or `None` when the name is taken.
    pub fn add_account(
        &mut self,
        name: &str,
        password: Option<&str>,
        members: Option<Vec<String>>,
    ) -> Option<&mut Account> {
        let key = name.to_lowercase();
        if self.accounts.contains_key(&key) {
            return None;
        }
        let account = Account {
            id: self.next_id(),
            name: name.to_owned(),
            full_name: String::new(),
            email: if members.is_some() {
                String::new()
            } else {
                format!("{key}@noreply.localhost")
            },
            is_admin: false,
            members,
            password: password.map(salted),
            tokens: Vec::new(),
            hooks: Vec::new(),
            created: Utc::now(),
        };
        Some(self.accounts.entry(key).or_insert(account))
    }

    /// What `account` (none: a stranger) may do with a repository; `None`: it does not exist for them.
    pub fn permission(&self, account: Option<&Account>, repository: &Repository) -> Option<Permission> {
        let open = (!repository.private).then_some(Permission::Read);
        let Some(account) = account else { return open };
        let key = account.name.to_lowercase();
        if account.is_admin || repository.owner == key || self.may_administer(account, &repository.owner) {
            return Some(Permission::Admin);
        }
        repository.collaborators.get(&key).copied().max(open)
    }

    /// Whether `account` may make repositories for `owner`.
    pub fn may_administer(&self, account: &Account, owner: &str) -> bool {
        let key = account.name.to_lowercase();
        account.is_admin
            || key == owner.to_lowercase()
            || self
                .account(owner)
                .and_then(|owner| owner.members.as_ref())
                .is_some_and(|members| members.contains(&key))
    }

    /// Who a token belongs to.
    pub fn by_token(&self, token: &str) -> Option<&Account> {
        let digest = digest(token);
        self.accounts
            .values()
            .find(|account| account.tokens.iter().any(|known| known.digest == digest))
    }
}

impl Account {
    /// Whether this is the account's password.
    pub fn has_password(&self, password: &str) -> bool {
        self.password
            .as_ref()
            .is_some_and(|(salt, hash)| digest(&format!("{salt}{password}")) == *hash)
    }

    /// Sets the password.
    pub fn set_password(&mut self, password: &str) {
        self.password = Some(salted(password));
    }

    /// Adds a token; the text is returned once and not kept.
    pub fn add_token(&mut self, id: u64, name: &str, scopes: Vec<String>) -> (Token, String) {
        let text = crate::credentials::random_hex(20);
        let last_eight = text[text.len() - 8..].to_owned();
        let token = Token {
            id,
            name: name.to_owned(),
            digest: digest(&text),
            last_eight,
            scopes,
        };
        self.tokens.push(token.clone());
        (token, text)
    }
}

fn salted(password: &str) -> (String, String) {
    let salt = crate::credentials::random_hex(16);
    let hash = digest(&format!("{salt}{password}"));
    (salt, hash)
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_see_only_what_is_open() {
        let mut contents = Contents::default();
        contents.add_account("Owner", Some("secret"), None);
        contents.add_account("other", Some("secret"), None);
        contents.add_account("team", None, Some(vec!["other".into()]));
        assert!(contents.add_account("OWNER", None, None).is_none());
        let mut repository = Repository::new(1, "owner", "demo", "main");
        let who = |name: &str| contents.account(name);
        assert_eq!(contents.permission(None, &repository), Some(Permission::Read));
        repository.private = true;
        assert_eq!(contents.permission(None, &repository), None);
        assert_eq!(contents.permission(who("other"), &repository), None);
        assert_eq!(contents.permission(who("owner"), &repository), Some(Permission::Admin));
        repository.collaborators.insert("other".into(), Permission::Write);
        assert_eq!(contents.permission(who("other"), &repository), Some(Permission::Write));
        repository.owner = "team".into();
        assert_eq!(contents.permission(who("other"), &repository), Some(Permission::Admin));
        assert!(who("owner").is_some_and(|owner| owner.has_password("secret") && !owner.has_password("")));
        assert!(who("team").is_some_and(|team| !team.has_password("")));
    }
}
