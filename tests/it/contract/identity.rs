//! Keycloak, as `portico::identity` relies on it, with a browser that comes back with a code.

use portico::clock::Clock;
use portico::config::Secret;
use portico::identity::{Beginning, IdentityError, Login, Person, Provider, ProviderSettings};
use reqwest::StatusCode;
use url::Url;

use crate::support::{Bench, Browser, Page};

const CLIENT: &str = "backstage";

/// A provider and the portal's client there.
struct Target {
    systems: Bench,
}

impl Target {
    fn provider(&self) -> Provider {
        self.provider_with(&self.systems.identity.client_secret)
    }

    fn provider_with(&self, secret: &str) -> Provider {
        let identity = &self.systems.identity;
        let metadata = format!("{}/.well-known/openid-configuration", identity.issuer);
        let settings = ProviderSettings {
            id: "keycloak-oidc".to_owned(),
            metadata_url: metadata.parse().expect("a URL"),
            client_id: CLIENT.to_owned(),
            client_secret: Some(Secret::new(secret.to_owned())),
            prompt: Some("auto".to_owned()),
            additional_scopes: Vec::new(),
            redirect_url: identity.callback.parse().expect("a URL"),
        };
        let http = self.systems.outbound(&identity.issuer).direct_client();
        Provider::new(settings, http, Clock::system())
    }

    /// One that stops where the portal would take over.
    fn browser(&self) -> Browser {
        let identity = &self.systems.identity;
        Browser::stopping_at(self.systems.http(), &identity.issuer, &identity.callback)
    }

    /// What the provider sends the browser back with.
    async fn code(&self, browser: &Browser, beginning: &Beginning, username: &str) -> String {
        let page = browser.open(beginning.url.as_str()).await;
        assert!(page.has("input[name=password]"), "no login form: {}", page.html);
        let answers = [
            ("username", username),
            ("password", self.systems.identity.user_password.as_str()),
        ];
        self.code_of(&browser.submit(&page, "form", &answers).await, beginning)
    }

    fn code_of(&self, page: &Page, beginning: &Beginning) -> String {
        let sent_to = page.sent_to.as_ref();
        let sent_to = sent_to.unwrap_or_else(|| panic!("{} keeps the browser: {}", page.url, page.html));
        assert!(
            sent_to.as_str().starts_with(&self.systems.identity.callback),
            "{sent_to}"
        );
        assert_eq!(value(sent_to, "state").as_ref(), Some(&beginning.state), "{sent_to}");
        value(sent_to, "code").unwrap_or_else(|| panic!("no code in {sent_to}"))
    }

    async fn log_in(&self, browser: &Browser, username: &str) -> Login {
        let provider = self.provider();
        let beginning = provider.begin("en").await.expect("the provider answers");
        let code = self.code(browser, &beginning, username).await;
        let login = provider.finish(code, beginning.verifier, &beginning.nonce).await;
        login.unwrap_or_else(|error| panic!("{username}: {error}"))
    }
}

fn value(url: &Url, key: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

async fn everybody_logs_in_with_groups_and_without_an_email(target: &Target) {
    for (username, name, group) in [
        ("user1", "user one", "admin"),
        ("user2", "user two", "base-user"),
        ("ipcei", "ipcei user", "base-user"),
    ] {
        let login = target.log_in(&target.browser(), username).await;
        let expected = Person {
            username: Some(username.to_owned()),
            name: Some(name.to_owned()),
            email: None,
            groups: vec![group.to_owned()],
        };
        assert_eq!(login.person, expected);
    }
}

async fn the_login_request_is_one_with_pkce(target: &Target) {
    let beginning = target.provider().begin("en").await.expect("the provider answers");
    assert_eq!(
        value(&beginning.url, "code_challenge_method").as_deref(),
        Some("S256"),
        "{}",
        beginning.url
    );
    let scope = value(&beginning.url, "scope").expect("scopes");
    for wanted in ["openid", "profile", "email", "groups"] {
        assert!(scope.split(' ').any(|scope| scope == wanted), "{wanted} of {scope}");
    }
    // Whoever catches the code cannot use it without the verifier.
    let code = target.code(&target.browser(), &beginning, "user2").await;
    let another = target.provider().begin("en").await.expect("the provider answers");
    let refused = target.provider().finish(code, another.verifier, &beginning.nonce).await;
    assert!(
        matches!(refused, Err(IdentityError::Refused { .. })),
        "{:?}",
        refused.err()
    );
}

async fn a_code_counts_once_and_for_its_nonce(target: &Target) {
    let provider = target.provider();
    let browser = target.browser();
    let beginning = provider.begin("en").await.expect("the provider answers");
    let code = target.code(&browser, &beginning, "user1").await;
    let login = provider
        .finish(code.clone(), beginning.verifier.clone(), &beginning.nonce)
        .await;
    let login = login.expect("the first time it counts");
    let again = provider.finish(code, beginning.verifier, &beginning.nonce).await;
    assert!(matches!(again, Err(IdentityError::Refused { .. })), "{:?}", again.err());
    // A code that is used twice was stolen: what the first use gave is worth nothing any more.
    let refresh_token = login.refresh_token.expect("a refresh token");
    let refreshed = provider.refresh(&refresh_token, &login.id_token).await;
    assert!(
        matches!(refreshed, Err(IdentityError::Refused { .. })),
        "{:?}",
        refreshed.err()
    );

    // The same browser is known from now on, and another nonce is noticed.
    let browser = target.browser();
    target.log_in(&browser, "user1").await;
    let beginning = provider.begin("en").await.expect("the provider answers");
    let code = target.code_of(&browser.open(beginning.url.as_str()).await, &beginning);
    let other = provider.finish(code, beginning.verifier, "another nonce").await;
    assert!(
        matches!(other, Err(IdentityError::Unexpected { .. })),
        "{:?}",
        other.err()
    );
}

async fn a_login_is_refreshed_until_it_is_logged_out(target: &Target) {
    let provider = target.provider();
    let browser = target.browser();
    let login = target.log_in(&browser, "user1").await;
    let refresh_token = login.refresh_token.clone().expect("a refresh token");
    let refreshed = provider.refresh(&refresh_token, &login.id_token).await;
    let refreshed = refreshed.expect("the login is on");
    assert_eq!(refreshed.person, login.person);
    let refresh_token = refreshed.refresh_token.expect("a refresh token");

    let out = provider
        .end_session_url(&refreshed.id_token)
        .await
        .expect("it has such a page");
    let page = browser.open(out.as_str()).await;
    let sent_to = page.sent_to.as_ref().map(Url::as_str).unwrap_or_default();
    assert_eq!(
        sent_to, target.systems.identity.callback,
        "{}: {}",
        page.status, page.html
    );
    let refused = provider.refresh(&refresh_token, &refreshed.id_token).await;
    assert!(
        matches!(refused, Err(IdentityError::Refused { .. })),
        "{:?}",
        refused.err()
    );
    // The browser must show its password again.
    let beginning = provider.begin("en").await.expect("the provider answers");
    let page = browser.open(beginning.url.as_str()).await;
    assert!(page.has("input[name=password]"), "{}: {}", page.url, page.html);
}

async fn what_is_wrong_is_refused(target: &Target) {
    let browser = target.browser();
    let beginning = target.provider().begin("en").await.expect("the provider answers");
    let mut page = browser.open(beginning.url.as_str()).await;
    for (username, password) in [("user1", "wrong"), ("nobody", "wrong"), ("user1", "")] {
        page = browser
            .submit(&page, "form", &[("username", username), ("password", password)])
            .await;
        assert_eq!(page.status, StatusCode::OK, "{username}: {}", page.html);
        assert!(
            page.sent_to.is_none() && page.has("input[name=password]"),
            "{username}: {}",
            page.html
        );
        assert!(page.html.contains("Invalid username or password."), "{}", page.html);
    }

    // A wrong secret is the portal's fault, not the person's.
    let wrong = target.provider_with("not-the-secret");
    let beginning = wrong.begin("en").await.expect("nothing is secret yet");
    let code = target.code(&browser, &beginning, "user1").await;
    let refused = wrong.finish(code, beginning.verifier, &beginning.nonce).await;
    match refused {
        Err(IdentityError::Unexpected { reason, .. }) => {
            assert!(reason.contains("unauthorized_client"), "{reason}");
        }
        other => panic!("{:?}", other.err()),
    }
    let nothing = Secret::new("not a token".to_owned());
    let refused = target.provider().refresh(&nothing, &nothing).await;
    assert!(
        matches!(refused, Err(IdentityError::Refused { .. })),
        "{:?}",
        refused.err()
    );

    // Nobody is sent elsewhere.
    let mut elsewhere = target.provider().begin("en").await.expect("the provider answers").url;
    let pairs: Vec<(String, String)> = elsewhere
        .query_pairs()
        .filter(|(key, _)| key != "redirect_uri")
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    elsewhere
        .query_pairs_mut()
        .clear()
        .extend_pairs(pairs)
        .append_pair("redirect_uri", "https://evil.example/");
    let page = browser.open(elsewhere.as_str()).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.html);
    assert!(
        page.sent_to.is_none() && page.html.contains("redirect_uri"),
        "{}",
        page.html
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_provider_keeps_the_contract() {
    let target = Target {
        systems: Bench::start().await,
    };
    everybody_logs_in_with_groups_and_without_an_email(&target).await;
    the_login_request_is_one_with_pkce(&target).await;
    a_code_counts_once_and_for_its_nonce(&target).await;
    a_login_is_refreshed_until_it_is_logged_out(&target).await;
    what_is_wrong_is_refused(&target).await;
}
