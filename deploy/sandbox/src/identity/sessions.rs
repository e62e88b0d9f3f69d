//! Logins and codes, and how long they are good. The times are Keycloak's defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{USERS, User};

/// An access or id token, seconds.
pub const ACCESS_SECONDS: i64 = 300;
/// A login that nobody uses, seconds; so long is a refresh token good.
pub const IDLE_SECONDS: i64 = 1800;
/// Any login, seconds.
pub const MAXIMUM_SECONDS: i64 = 36_000;
/// A code, seconds.
pub const CODE_SECONDS: i64 = 60;

/// All that the realm remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sessions {
    /// User name → `sub`, made once.
    subjects: BTreeMap<String, String>,
    /// `sid` → login.
    logins: BTreeMap<String, Login>,
    /// Codes that were given out, used ones included until they are too old.
    codes: BTreeMap<String, Code>,
}

/// Somebody logged in with a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// Also in tokens, as `sid`.
    pub id: String,
    /// User name.
    pub user: String,
    /// Value of the browser's cookie; none for the password grant.
    pub cookie: Option<String>,
    /// When the password was typed, Unix seconds.
    pub started: i64,
    /// Last use, Unix seconds.
    pub used: i64,
    /// Whether the client still takes part; ended by a replayed code and by revocation.
    pub attached: bool,
}

/// What a code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    /// The login's `sid`.
    pub login: String,
    /// Must come again with the code.
    pub redirect_uri: String,
    /// Space-separated scopes.
    pub scope: String,
    /// For the id token.
    pub nonce: Option<String>,
    /// PKCE challenge and whether it is `S256` (else `plain`).
    pub challenge: Option<(String, bool)>,
    /// Unix seconds.
    pub made: i64,
    /// A code is good once.
    pub spent: bool,
}

/// Now, Unix seconds.
pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

impl Login {
    fn is_alive(&self, now: i64) -> bool {
        now < self.started + MAXIMUM_SECONDS && now < self.used + IDLE_SECONDS
    }

    /// The user, if still in the table.
    pub fn user(&self) -> Option<&'static User> {
        User::find(&self.user)
    }
}

impl Sessions {
    /// Nobody is logged in.
    pub fn new() -> Self {
        let subjects = USERS
            .iter()
            .map(|user| (user.name.to_owned(), uuid::Uuid::new_v4().to_string()))
            .collect();
        Self {
            subjects,
            logins: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }

    /// The stable id of a user.
    pub fn subject(&self, user: &User) -> String {
        self.subjects
            .get(user.name)
            .cloned()
            .unwrap_or_else(|| user.name.to_owned())
    }

    /// Begins a login; with a cookie for browsers.
    pub fn begin(&mut self, user: &User, browser: bool, now: i64) -> Login {
        self.forget_old(now);
        let login = Login {
            id: uuid::Uuid::new_v4().to_string(),
            user: user.name.to_owned(),
            cookie: browser.then(|| crate::credentials::random_hex(32)),
            started: now,
            used: now,
            attached: true,
        };
        self.logins.insert(login.id.clone(), login.clone());
        login
    }

    /// The login of a browser.
    pub fn by_cookie(&self, cookie: &str, now: i64) -> Option<Login> {
        self.logins
            .values()
            .find(|login| login.cookie.as_deref() == Some(cookie) && login.is_alive(now))
            .cloned()
    }

    /// The login with this `sid`, if the client takes part in it.
    pub fn attached(&self, id: &str, now: i64) -> Option<Login> {
        self.logins
            .get(id)
            .filter(|login| login.attached && login.is_alive(now))
            .cloned()
    }

    /// Marks a login as used now.
    pub fn touch(&mut self, id: &str, now: i64) {
        if let Some(login) = self.logins.get_mut(id) {
            login.used = now;
        }
    }

    /// Ends a login.
    pub fn end(&mut self, id: &str) {
        self.logins.remove(id);
    }

    /// Takes the client out of a login: its refresh tokens are void.
    pub fn detach(&mut self, id: &str) {
        if let Some(login) = self.logins.get_mut(id) {
            login.attached = false;
        }
    }

    /// Makes a code for a login.
    pub fn give_code(&mut self, code: Code) -> String {
        self.forget_old(code.made);
        if let Some(login) = self.logins.get_mut(&code.login) {
            login.attached = true;
            login.used = code.made;
        }
        let name = format!("{}.{}", crate::credentials::random_hex(24), code.login);
        self.codes.insert(name.clone(), code);
        name
    }

    /// Uses a code up, if it is good. Using one again takes the client out of the login (RFC 6749 4.1.2).
    pub fn spend_code(&mut self, name: &str, now: i64) -> Option<(Code, Login)> {
        let code = self.codes.get_mut(name)?;
        let login = code.login.clone();
        if std::mem::replace(&mut code.spent, true) {
            self.detach(&login);
            return None;
        }
        let code = code.clone();
        if now >= code.made + CODE_SECONDS {
            return None;
        }
        let login = self.attached(&login, now)?;
        Some((code, login))
    }

    fn forget_old(&mut self, now: i64) {
        self.logins.retain(|_, login| login.is_alive(now));
        // A spent code is remembered as long as a replay matters.
        self.codes.retain(|_, code| now < code.made + IDLE_SECONDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(login: &Login, made: i64) -> Code {
        Code {
            login: login.id.clone(),
            redirect_uri: "http://localhost/back".into(),
            scope: "openid".into(),
            nonce: None,
            challenge: None,
            made,
            spent: false,
        }
    }

    #[test]
    fn a_code_is_good_once_and_briefly() {
        let mut sessions = Sessions::new();
        let login = sessions.begin(&USERS[0], true, 1000);
        let late = sessions.give_code(code(&login, 1000));
        assert!(sessions.spend_code(&late, 1000 + CODE_SECONDS).is_none());
        let name = sessions.give_code(code(&login, 1000));
        assert!(sessions.spend_code(&name, 1001).is_some());
        assert!(sessions.attached(&login.id, 1001).is_some());
        assert!(sessions.spend_code(&name, 1002).is_none());
        assert!(
            sessions.attached(&login.id, 1002).is_none(),
            "a replay ends what the code began"
        );
        assert!(sessions.spend_code("unknown", 1002).is_none());
    }

    #[test]
    fn logins_end_when_idle_and_at_the_maximum() {
        let mut sessions = Sessions::new();
        let login = sessions.begin(&USERS[1], true, 0);
        let cookie = login.cookie.clone().expect("a browser's login");
        assert!(sessions.by_cookie(&cookie, IDLE_SECONDS - 1).is_some());
        assert!(sessions.by_cookie(&cookie, IDLE_SECONDS).is_none());
        sessions.touch(&login.id, MAXIMUM_SECONDS - 1);
        assert!(sessions.by_cookie(&cookie, MAXIMUM_SECONDS - 1).is_some());
        assert!(sessions.by_cookie(&cookie, MAXIMUM_SECONDS).is_none());
    }
}
