//! `/login`, `/logout`, `/signed-out`, `/api/auth/<provider>/…`: through the identity provider into a session
//! and out again.
//!
//! The provider's one redirect address is `/api/auth/<provider>/handler/frame`, as Backstage's auth backend has it;
//! after logging out the provider sends browsers there too, because many know no other address of this portal.

mod attempt;
mod pages;
mod tokens;

use axum::Router;
use axum::routing::{get, post};

use crate::auth::{Sessions, UserTokens};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::keys::Keys;

/// What the login needs. Cheap to clone.
#[derive(Clone)]
pub struct LoginContext {
    pub sessions: Sessions,
    pub tokens: UserTokens,
    pub catalog: Catalog,
    pub keys: Keys,
    pub clock: Clock,
    /// The portal is reached by https.
    pub secure: bool,
}

/// Routes for everybody.
pub fn routes(context: LoginContext) -> Router {
    Router::new()
        .route("/login", get(pages::show))
        .route("/signed-out", get(pages::signed_out))
        .route("/logout", post(pages::log_out))
        .route("/api/auth/.well-known/jwks.json", get(tokens::key_set))
        .route("/api/auth/.well-known/openid-configuration", get(tokens::configuration))
        .route("/api/auth/v1/userinfo", get(tokens::user_info))
        .route(
            "/api/auth/{provider}/refresh",
            get(tokens::refresh).post(tokens::refresh),
        )
        .route("/api/auth/{provider}/start", get(pages::start))
        .route("/api/auth/{provider}/handler/frame", get(pages::come_back))
        .with_state(context)
}

/// Path at which the provider sends browsers back.
pub fn callback_path(provider: &str) -> String {
    format!("/api/auth/{provider}/handler/frame")
}
