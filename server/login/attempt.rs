//! A login between its start and the browser's return: in a sealed cookie, so that nothing is stored for
//! those who never come back.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::keys::Keys;

const PURPOSE: &str = "login attempt";
/// Where the provider sends browsers back to stands below this path.
const PATH: &str = "/api/auth";
/// How long somebody may take to log in at the provider.
const LIFE: Duration = Duration::minutes(15);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub provider: String,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    /// Path of this portal to go to afterwards.
    pub next: String,
    pub begun_at: DateTime<Utc>,
}

/// Each login has a cookie of its own, so that two tabs do not disturb each other.
fn cookie_name(state: &str) -> String {
    let id: String = state.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("portico-login-{id}")
}

impl Attempt {
    pub fn cookie(&self, keys: &Keys, secure: bool) -> Cookie<'static> {
        // A few texts always serialize.
        let plain = serde_json::to_vec(self).unwrap_or_default();
        let value = URL_SAFE_NO_PAD.encode(keys.seal(PURPOSE, &plain));
        Cookie::build((cookie_name(&self.state), value))
            .path(PATH)
            .http_only(true)
            .secure(secure)
            .same_site(SameSite::Lax)
            .max_age(LIFE.to_std().unwrap_or_default().try_into().unwrap_or_default())
            .build()
    }

    /// The login that this browser began with `state`, if it did and is not too late.
    pub fn find(jar: &CookieJar, keys: &Keys, provider: &str, state: &str, now: DateTime<Utc>) -> Option<Self> {
        let cookie = jar.get(&cookie_name(state))?;
        let sealed = URL_SAFE_NO_PAD.decode(cookie.value()).ok()?;
        let attempt: Self = serde_json::from_slice(&keys.open(PURPOSE, &sealed).ok()?).ok()?;
        let same = bool::from(attempt.state.as_bytes().ct_eq(state.as_bytes()));
        (same && attempt.provider == provider && now - attempt.begun_at <= LIFE).then_some(attempt)
    }

    /// Removes the cookie: a login is used once.
    pub fn removal(state: &str) -> Cookie<'static> {
        let mut cookie = Cookie::build((cookie_name(state), "")).path(PATH).build();
        cookie.make_removal();
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_browser_that_began_comes_back() {
        let keys = Keys::fixed([1; 32], false);
        let begun_at = DateTime::UNIX_EPOCH;
        let attempt = Attempt {
            provider: "sso".into(),
            state: "abcdefgh-state".into(),
            nonce: "nonce".into(),
            verifier: "verifier".into(),
            next: "/catalog".into(),
            begun_at,
        };
        let cookie = attempt.cookie(&keys, false);
        assert!(!cookie.value().contains("verifier"));
        let jar = CookieJar::new().add(cookie);
        let find = |provider, state, after| Attempt::find(&jar, &keys, provider, state, begun_at + after);
        assert_eq!(
            find("sso", "abcdefgh-state", Duration::minutes(1)),
            Some(attempt.clone())
        );
        assert_eq!(find("sso", "abcdefgh-other", Duration::minutes(1)), None);
        assert_eq!(find("other", "abcdefgh-state", Duration::minutes(1)), None);
        assert_eq!(find("sso", "abcdefgh-state", Duration::minutes(16)), None);
        let other = Keys::fixed([2; 32], false);
        assert_eq!(Attempt::find(&jar, &other, "sso", "abcdefgh-state", begun_at), None);
        assert_eq!(
            Attempt::find(&CookieJar::new(), &keys, "sso", "abcdefgh-state", begun_at),
            None
        );
    }
}
