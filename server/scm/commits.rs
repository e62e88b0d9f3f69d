//! Commits as Gitea's, Forgejo's and GitHub's APIs answer them: in the same form.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Commit;
use super::address::is_commit_id;

#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    sha: String,
    commit: Body,
    /// The account whose address the author has; null, or empty, where there is none.
    #[serde(default)]
    author: Option<Author>,
}

#[derive(Debug, Deserialize)]
struct Author {
    #[serde(default)]
    login: String,
}

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    message: String,
    author: Signature,
}

#[derive(Debug, Deserialize)]
struct Signature {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    date: DateTime<Utc>,
}

impl Answered {
    /// The commit; else what is unexpected about the answer.
    pub fn read(self) -> Result<Commit, String> {
        if !is_commit_id(&self.sha) {
            return Err(format!("{:?} is not a commit id", self.sha));
        }
        let account = self.author.map(|account| account.login);
        Ok(Commit {
            id: self.sha,
            message: self.commit.message,
            author: self.commit.author.name,
            email: self.commit.author.email,
            account: account.filter(|login| !login.is_empty()),
            at: self.commit.author.date,
        })
    }
}
