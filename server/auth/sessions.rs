//! Sessions of people, in Postgres. The cookie's value is known to the browser only: the database has its
//! digest, and the provider's tokens sealed under a key that follows from the value.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::queries::sessions::{self as queries, Session};
use super::{Caller, Callers, MachineTokens, User, UserTokens};
use crate::clock::Clock;
use crate::config::Secret;
use crate::identity::{IdentityError, Login, Person, Provider};
use crate::keys;

/// Nobody stays logged in longer, whatever they do.
const LIFE: Duration = Duration::days(7);
/// Where the provider cannot be asked again.
const LIFE_UNCHECKED: Duration = Duration::hours(12);
/// A session that is not used is over.
const IDLE: Duration = Duration::hours(12);
/// How exactly the last use is known.
const SEEN_STEP: Duration = Duration::minutes(1);
/// The provider is asked again after this long, beside a request.
const CHECK_AFTER: Duration = Duration::minutes(5);
/// After this long the request waits for the answer.
const CHECK_FIRST_AFTER: Duration = Duration::minutes(30);
/// How long a request waits for it.
const CHECK_TIME: std::time::Duration = std::time::Duration::from_secs(5);
const PURPOSE: &str = "session tokens";

/// How a person becomes a user entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// `user:default/<preferred_username>`.
    Username,
    /// `user:default/<name>`, as CNOE's Backstage does it.
    DisplayName,
}

/// Why somebody whom the provider knows cannot log in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error("the identity provider sends no {0}, so the portal cannot tell who this is")]
    Nameless(&'static str),
    #[error("the session cannot be stored: {0}")]
    Database(#[from] sqlx::Error),
}

/// What sessions are made of.
pub struct SessionsSettings {
    pub admin_groups: Vec<String>,
    pub machine_tokens: MachineTokens,
    pub user_tokens: UserTokens,
    /// Each with its way to name users.
    pub providers: Vec<(Provider, Resolver)>,
    /// The portal is reached by https.
    pub secure: bool,
}

/// Sessions and machine tokens. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    db: PgPool,
    clock: Clock,
    admin_groups: Vec<String>,
    machine_tokens: MachineTokens,
    user_tokens: UserTokens,
    providers: BTreeMap<String, (Provider, Resolver)>,
    secure: bool,
}

#[derive(Serialize, Deserialize)]
struct SealedTokens {
    id_token: String,
    refresh_token: Option<String>,
}

impl Sessions {
    pub fn new(db: PgPool, clock: Clock, settings: SessionsSettings) -> Self {
        let providers = settings
            .providers
            .into_iter()
            .map(|(provider, resolver)| (provider.id().to_owned(), (provider, resolver)))
            .collect();
        Self(Arc::new(Inner {
            db,
            clock,
            admin_groups: settings.admin_groups,
            machine_tokens: settings.machine_tokens,
            user_tokens: settings.user_tokens,
            providers,
            secure: settings.secure,
        }))
    }

    /// The providers, in the order of their ids.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.0.providers.values().map(|(provider, _)| provider)
    }

    /// The provider with this id.
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.0.providers.get(id).map(|(provider, _)| provider)
    }

    /// Starts a session for somebody who has just logged in; gives the cookie, and who it is.
    pub async fn start(&self, provider: &str, login: Login) -> Result<(Cookie<'static>, Caller), SignInError> {
        let inner = &self.0;
        let now = inner.clock.now();
        let value = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let resolver = inner
            .providers
            .get(provider)
            .map_or(Resolver::Username, |(_, resolver)| *resolver);
        let life = if login.refresh_token.is_some() {
            LIFE
        } else {
            LIFE_UNCHECKED
        };
        let username = login
            .person
            .username
            .clone()
            .ok_or(SignInError::Nameless("preferred_username"))?;
        let session = Session {
            provider: provider.to_owned(),
            entity_ref: entity_ref(&login.person, resolver)?,
            display_name: login.person.name.clone().unwrap_or_else(|| username.clone()),
            username,
            email: login.person.email.clone(),
            groups: login.person.groups.clone(),
            tokens: seal(&value, &login),
            seen_at: now,
            checked_at: now,
        };
        queries::delete_over(&inner.db, now, now - IDLE).await?;
        queries::insert(&inner.db, &hash(&value), &session, now, now + life).await?;
        Ok((self.cookie(value, life), self.caller(&session)))
    }

    /// Ends the request's session; gives the provider and the id token that end it there too.
    pub async fn end(&self, headers: &HeaderMap) -> Result<Option<(Provider, Secret)>, sqlx::Error> {
        let inner = &self.0;
        let Some(value) = self.cookie_value(headers) else {
            return Ok(None);
        };
        let now = inner.clock.now();
        let found = queries::find(&inner.db, &hash(&value), now, now - IDLE).await?;
        queries::delete(&inner.db, &hash(&value)).await?;
        Ok(found.and_then(|session| {
            let (provider, _) = inner.providers.get(&session.provider)?;
            let tokens = open(&value, &session.tokens)?;
            Some((provider.clone(), Secret::new(tokens.id_token)))
        }))
    }

    /// A cookie that removes the session's.
    pub fn removal(&self) -> Cookie<'static> {
        let mut cookie = self.cookie(String::new(), Duration::zero());
        cookie.make_removal();
        cookie
    }

    fn cookie(&self, value: String, life: Duration) -> Cookie<'static> {
        Cookie::build((self.cookie_name(), value))
            .path("/")
            .http_only(true)
            .secure(self.0.secure)
            .same_site(SameSite::Lax)
            .max_age(life.to_std().unwrap_or_default().try_into().unwrap_or_default())
            .build()
    }

    fn cookie_name(&self) -> &'static str {
        // The prefix makes browsers refuse one that another host or plain http has set.
        if self.0.secure {
            "__Host-portico-session"
        } else {
            "portico-session"
        }
    }

    fn cookie_value(&self, headers: &HeaderMap) -> Option<String> {
        let jar = CookieJar::from_headers(headers);
        jar.get(self.cookie_name()).map(|cookie| cookie.value().to_owned())
    }

    fn caller(&self, session: &Session) -> Caller {
        Caller::User(User {
            entity_ref: session.entity_ref.clone(),
            username: session.username.clone(),
            display_name: session.display_name.clone(),
            email: session.email.clone(),
            groups: session.groups.clone(),
            admin: session.groups.iter().any(|group| self.0.admin_groups.contains(group)),
        })
    }

    /// Whom an actor of [`Caller::actor`] is now, for work that the portal does later in their name: with the groups of
    /// the session that was used last, and in no group while there is none. `None` for a program whose token is gone.
    pub async fn on_behalf_of(&self, actor: &str) -> Result<Option<Caller>, sqlx::Error> {
        if let Some(subject) = actor.strip_prefix("external:") {
            let subject = subject.to_owned();
            let known = self.0.machine_tokens.knows(&subject);
            return Ok(known.then_some(Caller::Machine { subject }));
        }
        let now = self.0.clock.now();
        if let Some(session) = queries::find_newest(&self.0.db, actor, now, now - IDLE).await? {
            return Ok(Some(self.caller(&session)));
        }
        let name = actor.rsplit(['/', ':']).next().unwrap_or(actor);
        Ok(Some(Caller::User(User {
            entity_ref: actor.to_owned(),
            username: name.to_owned(),
            display_name: name.to_owned(),
            email: None,
            groups: Vec::new(),
            admin: false,
        })))
    }

    /// Asks the provider again; `None` where it ended the login.
    async fn check(&self, value: &str, mut session: Session) -> Result<Option<Session>, sqlx::Error> {
        let inner = &self.0;
        let Some((provider, _)) = inner.providers.get(&session.provider) else {
            // The provider is no longer configured.
            queries::delete(&inner.db, &hash(value)).await?;
            return Ok(None);
        };
        let Some(tokens) = open(value, &session.tokens) else {
            return Ok(None);
        };
        let Some(refresh_token) = tokens.refresh_token else {
            return Ok(Some(session));
        };
        let answer = provider
            .refresh(&Secret::new(refresh_token), &Secret::new(tokens.id_token))
            .await;
        match answer {
            Ok(login) => {
                session.tokens = seal(value, &login);
                session.display_name = login.person.name.unwrap_or_else(|| session.username.clone());
                session.email = login.person.email;
                session.groups = login.person.groups;
                session.checked_at = inner.clock.now();
                queries::update_person(&inner.db, &hash(value), &session).await?;
                Ok(Some(session))
            }
            Err(IdentityError::Refused { reason, .. }) => {
                tracing::info!(user = session.entity_ref, reason, "the login was ended at the provider");
                queries::delete(&inner.db, &hash(value)).await?;
                Ok(None)
            }
            Err(error) => {
                // Who is logged in stays so while the provider is away.
                tracing::warn!(%error, "a session could not be checked");
                Ok(Some(session))
            }
        }
    }

    async fn session(&self, value: String) -> Result<Option<Session>, sqlx::Error> {
        let inner = &self.0;
        let now = inner.clock.now();
        let id_hash = hash(&value);
        let Some(session) = queries::find(&inner.db, &id_hash, now, now - IDLE).await? else {
            return Ok(None);
        };
        if now - session.seen_at > SEEN_STEP {
            queries::update_seen(&inner.db, &id_hash, now).await?;
        }
        let age = now - session.checked_at;
        if age <= CHECK_AFTER || !queries::claim_check(&inner.db, &id_hash, session.checked_at, now).await? {
            return Ok(Some(session));
        }
        // A task of its own: a browser that goes away must not lose a refresh token that was just replaced.
        let sessions = self.clone();
        let copy = session.copy();
        let check = tokio::spawn(async move { sessions.check(&value, copy).await });
        if age <= CHECK_FIRST_AFTER {
            return Ok(Some(session));
        }
        match tokio::time::timeout(CHECK_TIME, check).await {
            Ok(Ok(checked)) => checked,
            _ => Ok(Some(session)),
        }
    }
}

impl Session {
    fn copy(&self) -> Self {
        Self {
            provider: self.provider.clone(),
            entity_ref: self.entity_ref.clone(),
            username: self.username.clone(),
            display_name: self.display_name.clone(),
            email: self.email.clone(),
            groups: self.groups.clone(),
            tokens: self.tokens.clone(),
            seen_at: self.seen_at,
            checked_at: self.checked_at,
        }
    }
}

#[async_trait::async_trait]
impl Callers for Sessions {
    async fn resolve(&self, headers: &HeaderMap) -> Result<Option<Caller>, sqlx::Error> {
        if let Some(token) = bearer(headers) {
            if let Some(machine) = self.0.machine_tokens.find(token) {
                return Ok(Some(machine));
            }
            return Ok(self.0.user_tokens.verify(token).await?.map(Caller::User));
        }
        match self.cookie_value(headers) {
            Some(value) => Ok(self.session(value).await?.map(|session| self.caller(&session))),
            None => Ok(None),
        }
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn entity_ref(person: &Person, resolver: Resolver) -> Result<String, SignInError> {
    let name = match resolver {
        Resolver::Username => person
            .username
            .as_ref()
            .ok_or(SignInError::Nameless("preferred_username"))?,
        Resolver::DisplayName => person.name.as_ref().ok_or(SignInError::Nameless("name"))?,
    };
    Ok(format!("user:default/{}", name.to_lowercase()))
}

fn hash(value: &str) -> [u8; 32] {
    Sha256::digest(value.as_bytes()).into()
}

fn seal(value: &str, login: &Login) -> Vec<u8> {
    let tokens = SealedTokens {
        id_token: login.id_token.expose().to_owned(),
        refresh_token: login.refresh_token.as_ref().map(|token| token.expose().to_owned()),
    };
    // Two texts always serialize.
    let plain = serde_json::to_vec(&tokens).unwrap_or_default();
    keys::seal_with(&keys::derive(value.as_bytes(), PURPOSE, b""), PURPOSE, &plain)
}

fn open(value: &str, sealed: &[u8]) -> Option<SealedTokens> {
    let plain = keys::open_with(&keys::derive(value.as_bytes(), PURPOSE, b""), PURPOSE, sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::auth::MachineToken;

    fn login() -> Login {
        Login {
            person: Person {
                username: Some("User1".into()),
                name: Some("user one".into()),
                email: None,
                groups: vec!["admin".into()],
            },
            id_token: Secret::new("the id token"),
            refresh_token: None,
        }
    }

    fn with_cookie(cookie: &Cookie<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let text = format!("other=1; {}={}", cookie.name(), cookie.value());
        headers.insert(header::COOKIE, text.parse().expect("a header"));
        headers
    }

    #[test]
    fn people_become_users() {
        let person = login().person;
        assert_eq!(
            entity_ref(&person, Resolver::Username).ok().as_deref(),
            Some("user:default/user1")
        );
        assert_eq!(
            entity_ref(&person, Resolver::DisplayName).ok().as_deref(),
            Some("user:default/user one")
        );
        let nameless = Person {
            username: None,
            ..person
        };
        assert!(entity_ref(&nameless, Resolver::Username).is_err());
    }

    #[sqlx::test]
    async fn a_session_lives_as_long_as_it_may(db: PgPool) {
        let now = Arc::new(Mutex::new(DateTime::<Utc>::UNIX_EPOCH + Duration::days(20_000)));
        let clock = {
            let now = now.clone();
            Clock::from_fn(move || *now.lock().expect("not poisoned"))
        };
        let settings = SessionsSettings {
            admin_groups: vec!["admin".into()],
            machine_tokens: MachineTokens::new(&[MachineToken {
                token: Secret::new("machine-token"),
                subject: "script".into(),
            }]),
            user_tokens: UserTokens::new(
                db.clone(),
                clock.clone(),
                keys::Keys::fixed([7; 32], true),
                "https://portal.test/api/auth".into(),
                vec!["admin".into()],
            ),
            providers: vec![],
            secure: true,
        };
        let sessions = Sessions::new(db.clone(), clock, settings);
        let (cookie, _) = sessions.start("sso", login()).await.expect("a session");
        assert_eq!(cookie.name(), "__Host-portico-session");
        assert!(cookie.http_only().unwrap_or(false) && cookie.secure().unwrap_or(false));
        let headers = with_cookie(&cookie);
        let caller = sessions.resolve(&headers).await.expect("an answer").expect("a caller");
        assert_eq!(caller.actor(), "user:default/user1");
        assert!(caller.is_admin());

        let (id_hash, tokens): (Vec<u8>, Vec<u8>) = sqlx::query_as("select id_hash, tokens from sessions")
            .fetch_one(&db)
            .await
            .expect("a row");
        let raw = [id_hash, tokens].concat();
        for secret in [cookie.value(), "the id token"] {
            assert!(!raw.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }

        let forged = Cookie::new("__Host-portico-session", "forged");
        assert_eq!(sessions.resolve(&with_cookie(&forged)).await.expect("an answer"), None);
        let mut bearer = headers.clone();
        bearer.insert(header::AUTHORIZATION, "Bearer machine-token".parse().expect("a header"));
        let machine = sessions.resolve(&bearer).await.expect("an answer").expect("a caller");
        assert_eq!(machine.actor(), "external:script");
        bearer.insert(header::AUTHORIZATION, "Bearer wrong".parse().expect("a header"));
        assert_eq!(sessions.resolve(&bearer).await.expect("an answer"), None);

        // What the portal does later in their name.
        let later = async |actor: &str| sessions.on_behalf_of(actor).await.expect("an answer");
        assert_eq!(later("user:default/user1").await, Some(caller));
        assert_eq!(later("external:script").await, Some(machine));
        assert_eq!(later("external:gone").await, None);
        assert!(later("user:default/other").await.is_some_and(|other| !other.is_admin()));

        *now.lock().expect("not poisoned") += IDLE + Duration::seconds(1);
        assert_eq!(sessions.resolve(&headers).await.expect("an answer"), None);
        let logged_out = sessions.on_behalf_of("user:default/user1").await.expect("an answer");
        assert!(logged_out.is_some_and(|caller| caller.actor() == "user:default/user1" && !caller.is_admin()));
    }
}
