//! The identity provider: one realm over OpenID Connect, with the paths, claims and errors of Keycloak 26.
//!
//! What it leaves out: consent, registration, required actions, the admin API, other clients than the portal's.

mod authorize;
mod keys;
mod login_page;
mod logout;
mod parameters;
mod sessions;
mod token;
mod userinfo;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, extract::State};
use serde_json::json;

use crate::Credentials;
use crate::html;
use crate::store::Store;
use keys::Keys;
use sessions::Sessions;

/// Name of the realm.
pub const REALM: &str = "cnoe";

/// What the identity provider needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for keys and sessions.
    pub data: PathBuf,
    /// Its own URL, `http://localhost:<port>/realms/cnoe`.
    pub issuer: String,
    /// Base URL of the portal, without a slash at the end.
    pub portal_url: String,
    /// Passwords and the client's secret.
    pub credentials: Credentials,
}

/// A user of the realm. E-mail addresses are empty: Keycloak's `UserAdapter.setEmail` keeps a blank one as none, so
/// tokens have no claim `email`.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    /// What is typed at login; claim `preferred_username`.
    pub name: &'static str,
    /// Claim `given_name`.
    pub first_name: &'static str,
    /// Claim `family_name`.
    pub last_name: &'static str,
    /// Claim `groups`, without a leading slash.
    pub groups: &'static [&'static str],
}

/// The users of the realm; all have the same password.
pub const USERS: [User; 3] = [
    User {
        name: "user1",
        first_name: "user",
        last_name: "one",
        groups: &["admin"],
    },
    User {
        name: "user2",
        first_name: "user",
        last_name: "two",
        groups: &["base-user"],
    },
    User {
        name: "ipcei",
        first_name: "ipcei",
        last_name: "user",
        groups: &["base-user"],
    },
];

impl User {
    // Keycloak compares user names in lower case.
    fn find(name: &str) -> Option<&'static Self> {
        USERS.iter().find(|user| user.name == name.trim().to_lowercase())
    }
}

/// The realm. Clones share it.
#[derive(Debug, Clone)]
pub struct Identity {
    realm: Arc<Realm>,
}

#[derive(Debug)]
struct Realm {
    settings: Settings,
    redirect_uri: String,
    keys: Keys,
    sessions: Store<Sessions>,
}

type Shared = State<Arc<Realm>>;

impl Identity {
    /// Opens the realm in its folder, making the signing key when there is none.
    pub fn open(settings: Settings) -> Result<Self> {
        let keys = Keys::open(&settings.data)?;
        let sessions = Store::open(settings.data.join("sessions.json"), Sessions::new)?;
        let redirect_uri = format!("{}/api/auth/keycloak-oidc/handler/frame", settings.portal_url);
        Ok(Self {
            realm: Arc::new(Realm {
                settings,
                redirect_uri,
                keys,
                sessions,
            }),
        })
    }

    /// All its pages and endpoints.
    pub fn routes(&self) -> Router {
        let protocol = Router::new()
            .route("/auth", get(authorize::by_query).post(authorize::by_form))
            .route("/token", post(token::exchange))
            .route("/token/introspect", post(token::introspect))
            .route("/revoke", post(token::revoke))
            .route("/userinfo", get(userinfo::show).post(userinfo::show))
            .route("/certs", get(certificates))
            .route("/logout", get(logout::by_query).post(logout::by_form))
            .route("/logout/logout-confirm", post(logout::confirmed));
        let realm = Router::new()
            .route("/", get(about))
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/login-actions/authenticate", post(authorize::log_in))
            .route("/style.css", get(html::style))
            .nest("/protocol/openid-connect", protocol);
        Router::new()
            .route(
                "/",
                get(|| async { axum::response::Redirect::to(&format!("/realms/{REALM}/")) }),
            )
            .nest(&format!("/realms/{REALM}"), realm.clone())
            .route(&format!("/realms/{REALM}/"), get(about))
            .fallback(nothing_here)
            .with_state(Arc::clone(&self.realm))
    }
}

impl Realm {
    fn endpoint(&self, path: &str) -> String {
        format!("{}/protocol/openid-connect/{path}", self.settings.issuer)
    }

    fn page(&self, status: StatusCode, title: &str, main: &str) -> Response {
        self.page_in("en", status, title, main)
    }

    fn page_in(&self, language: &str, status: StatusCode, title: &str, main: &str) -> Response {
        // Chromium applies `form-action` to the redirects after a form too, and those lead to the portal. The issuer is
        // named, since the page may have been opened by another name of this machine.
        let origins: Vec<String> = [&self.settings.issuer, &self.settings.portal_url]
            .into_iter()
            .filter_map(|url| url::Url::parse(url).ok())
            .map(|url| url.origin().ascii_serialization())
            .collect();
        let header = format!(
            "<header><span class=\"brand\">Sandbox</span><span class=\"tag\">realm {REALM}</span></header>\n\
             <h1>{}</h1>\n",
            html::escape(title)
        );
        let title = format!("{title} · Sandbox identity provider");
        html::page(
            status,
            language,
            &title,
            &format!("/realms/{REALM}/style.css"),
            true,
            &origins.join(" "),
            &(header + main),
        )
    }

    fn error_page(&self, message: &str) -> Response {
        let main = format!("<p class=\"note\">{}</p>", html::escape(message));
        self.page(StatusCode::BAD_REQUEST, "We are sorry…", &main)
    }
}

async fn about(State(realm): Shared) -> Json<serde_json::Value> {
    Json(json!({
        "realm": REALM,
        "public_key": realm.keys.public_key_base64(),
        "token-service": format!("{}/protocol/openid-connect", realm.settings.issuer),
        "account-service": format!("{}/account", realm.settings.issuer),
        "tokens-not-before": 0,
    }))
}

async fn discovery(State(realm): Shared) -> Json<serde_json::Value> {
    Json(json!({
        "issuer": realm.settings.issuer,
        "authorization_endpoint": realm.endpoint("auth"),
        "token_endpoint": realm.endpoint("token"),
        "introspection_endpoint": realm.endpoint("token/introspect"),
        "userinfo_endpoint": realm.endpoint("userinfo"),
        "end_session_endpoint": realm.endpoint("logout"),
        "revocation_endpoint": realm.endpoint("revoke"),
        "jwks_uri": realm.endpoint("certs"),
        "frontchannel_logout_session_supported": false,
        "frontchannel_logout_supported": false,
        "backchannel_logout_supported": false,
        "grant_types_supported": ["authorization_code", "refresh_token", "password"],
        "acr_values_supported": ["0", "1"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "claims_supported":
            ["aud", "sub", "iss", "auth_time", "name", "given_name", "family_name", "preferred_username", "email", "acr"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": false,
        "scopes_supported": authorize::SCOPES,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "code_challenge_methods_supported": ["plain", "S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn certificates(State(realm): Shared) -> Json<serde_json::Value> {
    Json(json!({ "keys": [realm.keys.public_jwk()] }))
}

async fn nothing_here() -> Response {
    let body = Json(json!({ "error": "Unable to find matching target resource method" }));
    (StatusCode::NOT_FOUND, body).into_response()
}

/// An OAuth error as Keycloak's `CorsErrorResponseException` writes it.
fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    let body = Json(json!({ "error": error, "error_description": description }));
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The disk failed, in words that help whoever watches the terminal.
fn broken_store(error: &anyhow::Error) -> Response {
    tracing::error!(
        error = format!("{error:#}"),
        "the identity provider cannot keep its sessions"
    );
    oauth_error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "unknown_error",
        "For more on this error consult the server log.",
    )
}
