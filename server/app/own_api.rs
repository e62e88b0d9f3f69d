//! The portal asks its own API, in this process: no socket, no token, no certificate.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, header};
use tower::ServiceExt;

use crate::auth::Sessions;
use crate::scaffolder::OwnApi;
use crate::web::OnBehalfOf;

/// Answers as the router does to somebody who is signed in.
pub(super) struct InProcess {
    pub router: Router,
    pub sessions: Sessions,
}

#[async_trait::async_trait]
impl OwnApi for InProcess {
    async fn answer(&self, actor: &str, mut request: Request<Body>) -> Result<Response<Body>, String> {
        // Who brings a token of their own is who it says.
        if !request.headers().contains_key(header::AUTHORIZATION) {
            let caller = self.sessions.on_behalf_of(actor).await;
            let caller = caller.map_err(|error| format!("sessions cannot be read: {error}"))?;
            let caller = caller.ok_or_else(|| format!("{actor} has no access to the portal any more"))?;
            request.extensions_mut().insert(OnBehalfOf(caller));
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }
}
