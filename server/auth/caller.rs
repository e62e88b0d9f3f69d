//! Whoever a request comes from.

use axum::http::HeaderMap;

/// Tells who sends a request.
#[async_trait::async_trait]
pub trait Callers: Send + Sync {
    /// The caller that the request's cookie or bearer token stands for; `None` where there is none, or it is
    /// not (or no longer) valid. An error means that sessions cannot be read right now.
    async fn resolve(&self, headers: &HeaderMap) -> Result<Option<Caller>, sqlx::Error>;
}

/// A person who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Canonical entity ref, for example `user:default/user1`.
    pub entity_ref: String,
    /// `preferred_username` of the identity provider.
    pub username: String,
    /// The name to show; the username where the provider gives none.
    pub display_name: String,
    /// `None` where the provider sends none, or an empty one as the reference realm does.
    pub email: Option<String>,
    /// Group names as the `groups` claim has them, for example `admin`.
    pub groups: Vec<String>,
    /// True when one of the groups is listed in `portico.adminGroups`.
    pub admin: bool,
}

/// Whoever a request comes from, once it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A person with a session.
    User(User),
    /// A program with a token of `backend.auth.externalAccess`; `subject` as configured.
    Machine { subject: String },
}

impl Caller {
    /// What is recorded as the author of a change: the user's ref, or `external:<subject>`
    /// (as Backstage names such principals).
    pub fn actor(&self) -> String {
        match self {
            Self::User(user) => user.entity_ref.clone(),
            Self::Machine { subject } => format!("external:{subject}"),
        }
    }

    /// May see and change everything: machines, and users of an admin group.
    pub fn is_admin(&self) -> bool {
        match self {
            Self::User(user) => user.admin,
            Self::Machine { .. } => true,
        }
    }

    /// The person, where it is one.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Machine { .. } => None,
        }
    }

    /// True when the caller may see or change what `actor` made.
    pub fn may_act_for(&self, actor: &str) -> bool {
        self.is_admin() || self.actor() == actor
    }

    /// Canonical refs that own things on the caller's behalf: the user and the groups.
    pub fn ownership_refs(&self) -> Vec<String> {
        match self {
            Self::User(user) => std::iter::once(user.entity_ref.clone())
                .chain(
                    user.groups
                        .iter()
                        .map(|group| format!("group:default/{}", group.to_lowercase())),
                )
                .collect(),
            Self::Machine { .. } => Vec::new(),
        }
    }
}
