//! Tokens of users, as Backstage's auth backend issues them: JWTs of type `vnd.backstage.user`, signed with ES256.
//! The keys that sign rotate; they stand in Postgres, sealed, and their public halves are published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::User;
use super::queries::signing_keys::{self, StoredKey};
use crate::clock::Clock;
use crate::ids::new_id;
use crate::keys::Keys;

const USER: &str = "vnd.backstage.user";
const LIMITED_USER: &str = "vnd.backstage.limited-user";
const AUDIENCE: &str = "backstage";
const ALGORITHM: &str = "ES256";
const PURPOSE: &str = "signing key";
/// How long a token is good.
const LIFE: Duration = Duration::hours(1);
/// How long a key signs.
const SIGNS: Duration = Duration::days(1);
/// Clocks of other machines may differ by this.
const LEEWAY: Duration = Duration::minutes(1);
/// Longer ones are refused unread.
const LONGEST: usize = 32 * 1024;

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error("the keys that sign tokens cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    #[error("a signing key in the database cannot be opened; backend.auth.keys may have changed")]
    Sealed,
}

/// A token and what it says.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    pub token: String,
    pub expires_in_seconds: i64,
    /// Refs that own things on the user's behalf.
    pub ownership: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    ent: Vec<String>,
    aud: String,
    iat: i64,
    exp: i64,
    /// Proof of identity: the signature of a token of type `vnd.backstage.limited-user` with sub, iat and exp.
    uip: String,
    /// As the identity provider names them; CNOE's portal has them too.
    #[serde(default)]
    groups: Vec<String>,
    preferred_username: String,
    name: String,
}

/// Issues tokens and knows them again. Cheap to clone.
#[derive(Clone)]
pub struct UserTokens(Arc<Inner>);

struct Inner {
    db: PgPool,
    clock: Clock,
    keys: Keys,
    issuer: String,
    admin_groups: Vec<String>,
    signing: tokio::sync::Mutex<Option<(Uuid, SigningKey, DateTime<Utc>)>>,
    known: Mutex<HashMap<Uuid, VerifyingKey>>,
}

impl UserTokens {
    /// `issuer` is `<backend.baseUrl>/api/auth`.
    pub fn new(db: PgPool, clock: Clock, keys: Keys, issuer: String, admin_groups: Vec<String>) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            keys,
            issuer,
            admin_groups,
            signing: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        }))
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// A token for somebody who is signed in. It stays good until it is over, whatever becomes of the session.
    pub async fn issue(&self, user: &User, ownership: Vec<String>) -> Result<IssuedToken, IssueError> {
        let (id, key) = self.signing_key().await?;
        let issued_at = self.0.clock.now().timestamp();
        let expires_at = issued_at + LIFE.num_seconds();
        let proof = json!({"sub": user.entity_ref, "iat": issued_at, "exp": expires_at});
        let proof = signed(&key, id, LIMITED_USER, &proof);
        let claims = Claims {
            iss: self.0.issuer.clone(),
            sub: user.entity_ref.clone(),
            ent: ownership.clone(),
            aud: AUDIENCE.to_owned(),
            iat: issued_at,
            exp: expires_at,
            uip: proof.rsplit('.').next().unwrap_or_default().to_owned(),
            groups: user.groups.clone(),
            preferred_username: user.username.clone(),
            name: user.display_name.clone(),
        };
        Ok(IssuedToken {
            token: signed(&key, id, USER, &json!(claims)),
            expires_in_seconds: LIFE.num_seconds(),
            ownership,
        })
    }

    /// The person that a token stands for; `None` for anything that is not a good token of ours.
    pub async fn verify(&self, token: &str) -> Result<Option<User>, sqlx::Error> {
        Ok(self.claims(token).await?.map(|claims| User {
            admin: claims.groups.iter().any(|group| self.0.admin_groups.contains(group)),
            entity_ref: claims.sub,
            username: claims.preferred_username,
            display_name: claims.name,
            email: None,
            groups: claims.groups,
        }))
    }

    /// `{claims: {sub, ent}}` of a good token.
    pub async fn user_info(&self, token: &str) -> Result<Option<Value>, sqlx::Error> {
        let claims = self.claims(token).await?;
        Ok(claims.map(|claims| json!({"claims": {"sub": claims.sub, "ent": claims.ent}})))
    }

    /// The public keys, as a JSON Web Key Set.
    pub async fn key_set(&self) -> Result<Value, sqlx::Error> {
        let stored = signing_keys::list(&self.0.db, self.0.clock.now()).await?;
        let keys: Vec<Value> = stored
            .iter()
            .filter_map(|(id, public)| {
                let (x, y) = public.get(1..33).zip(public.get(33..65))?;
                Some(json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": ALGORITHM, "kid": id,
                    "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
                }))
            })
            .collect();
        Ok(json!({ "keys": keys }))
    }

    async fn claims(&self, token: &str) -> Result<Option<Claims>, sqlx::Error> {
        let Some((header, claims, message, signature)) = parts(token) else {
            return Ok(None);
        };
        let now = self.0.clock.now().timestamp();
        let leeway = LEEWAY.num_seconds();
        let right = header.typ == USER
            && header.alg == ALGORITHM
            && claims.iss == self.0.issuer
            && claims.aud == AUDIENCE
            && claims.exp > now
            && claims.iat <= now + leeway;
        let Some(id) = Uuid::parse_str(&header.kid).ok().filter(|_| right) else {
            return Ok(None);
        };
        let Some(key) = self.public_key(id).await? else {
            return Ok(None);
        };
        Ok(key.verify(message.as_bytes(), &signature).is_ok().then_some(claims))
    }

    async fn public_key(&self, id: Uuid) -> Result<Option<VerifyingKey>, sqlx::Error> {
        let known = |key: &HashMap<Uuid, VerifyingKey>| key.get(&id).copied();
        if let Some(key) = known(&self.0.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Some(key));
        }
        let stored = signing_keys::list(&self.0.db, self.0.clock.now()).await?;
        let mut keys = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        *keys = stored
            .into_iter()
            .filter_map(|(id, public)| Some((id, VerifyingKey::from_sec1_bytes(&public).ok()?)))
            .collect();
        Ok(known(&keys))
    }

    /// The key that signs now; made where there is none that still does.
    async fn signing_key(&self) -> Result<(Uuid, SigningKey), IssueError> {
        let inner = &self.0;
        let now = inner.clock.now();
        let mut cached = inner.signing.lock().await;
        if let Some((id, key, until)) = &*cached
            && *until > now
        {
            return Ok((*id, key.clone()));
        }
        let stored = match signing_keys::find_signing(&inner.db, now).await? {
            Some(stored) => stored,
            None => {
                let stored = self.new_key(now);
                signing_keys::delete_over(&inner.db, now).await?;
                // Another replica may make one too: both are published.
                signing_keys::insert(&inner.db, &stored).await?;
                tracing::info!(id = %stored.id, "a new key signs the tokens of users");
                stored
            }
        };
        let private = inner.keys.open(PURPOSE, &stored.private_key);
        let key = private.ok().and_then(|private| SigningKey::from_slice(&private).ok());
        let key = key.ok_or(IssueError::Sealed)?;
        *cached = Some((stored.id, key.clone(), stored.signs_until));
        Ok((stored.id, key))
    }

    fn new_key(&self, now: DateTime<Utc>) -> StoredKey {
        // All but a few of 2^256 numbers are keys.
        let key =
            std::iter::repeat_with(rand::random::<[u8; 32]>).find_map(|secret| SigningKey::from_slice(&secret).ok());
        #[expect(clippy::expect_used, reason = "the iterator does not end")]
        let key = key.expect("the iterator does not end");
        StoredKey {
            id: new_id(&self.0.clock),
            public_key: key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            private_key: self.0.keys.seal(PURPOSE, &key.to_bytes()),
            signs_until: now + SIGNS,
            published_until: now + SIGNS + LIFE + LEEWAY,
        }
    }
}

fn signed(key: &SigningKey, id: Uuid, typ: &str, claims: &Value) -> String {
    let header = json!({"typ": typ, "alg": ALGORITHM, "kid": id});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(claims));
    let signature: Signature = key.sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// Header, claims, what is signed, and the signature.
fn parts(token: &str) -> Option<(Header, Claims, &str, Signature)> {
    if token.len() > LONGEST {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    Some((header, claims, message, signature))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn user() -> User {
        User {
            entity_ref: "user:default/user1".into(),
            username: "user1".into(),
            display_name: "user one".into(),
            email: None,
            groups: vec!["admin".into()],
            admin: true,
        }
    }

    fn tokens(db: &PgPool, clock: &Clock, issuer: &str) -> UserTokens {
        let keys = Keys::fixed([7; 32], true);
        UserTokens::new(db.clone(), clock.clone(), keys, issuer.into(), vec!["admin".into()])
    }

    #[sqlx::test]
    async fn tokens_are_known_again_until_they_are_over(db: PgPool) {
        let now = Arc::new(Mutex::new(DateTime::<Utc>::UNIX_EPOCH + Duration::days(20_000)));
        let clock = {
            let now = now.clone();
            Clock::from_fn(move || *now.lock().expect("not poisoned"))
        };
        let pass = |time: Duration| *now.lock().expect("not poisoned") += time;
        let ours = tokens(&db, &clock, "https://portal.test/api/auth");
        let issued = ours.issue(&user(), user_refs()).await.expect("a token");
        // Another replica knows it too.
        let replica = tokens(&db, &clock, "https://portal.test/api/auth");
        assert_eq!(replica.verify(&issued.token).await.expect("an answer"), Some(user()));
        let info = ours.user_info(&issued.token).await.expect("an answer");
        assert_eq!(
            info,
            Some(json!({"claims": {"sub": "user:default/user1", "ent": user_refs()}}))
        );

        let (message, signature) = issued.token.rsplit_once('.').expect("a signature");
        let (header, claims) = message.split_once('.').expect("claims");
        let decoded = |text: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64")).expect("JSON")
        };
        assert_eq!(decoded(header)["typ"], USER);
        let mut forged = decoded(claims);
        forged["sub"] = json!("user:default/boss");
        let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"typ":"vnd.backstage.user","alg":"none","kid":""}"#);
        let elsewhere = tokens(&db, &clock, "https://other.test/api/auth");
        let foreign = elsewhere.issue(&user(), Vec::new()).await.expect("a token").token;
        for wrong in [
            String::new(),
            "a.b.c".to_owned(),
            message.to_owned(),
            format!("{header}.{forged}.{signature}"),
            format!("{unsigned}.{claims}."),
            format!("{unsigned}.{claims}.{signature}"),
            foreign,
            "x".repeat(LONGEST + 1),
        ] {
            assert_eq!(ours.verify(&wrong).await.expect("an answer"), None, "{wrong}");
        }

        pass(LIFE);
        assert_eq!(ours.verify(&issued.token).await.expect("an answer"), None);
        // The key goes on signing, then another takes its place, and in the end it is published no more.
        let set = async || {
            ours.key_set().await.expect("keys")["keys"]
                .as_array()
                .expect("a list")
                .clone()
        };
        assert_eq!(set().await.len(), 1);
        pass(SIGNS - LIFE);
        let next = ours.issue(&user(), Vec::new()).await.expect("a token");
        assert_eq!(set().await.len(), 2);
        pass(LIFE + LEEWAY + Duration::seconds(1));
        assert_eq!(set().await.len(), 1);
        assert_eq!(ours.verify(&next.token).await.expect("an answer"), None);
        let private: Vec<u8> = sqlx::query_scalar("select private_key from signing_keys limit 1")
            .fetch_one(&db)
            .await
            .expect("a key");
        assert!(SigningKey::from_slice(&private).is_err(), "it is sealed");
    }

    fn user_refs() -> Vec<String> {
        vec!["user:default/user1".into(), "group:default/admin".into()]
    }
}
