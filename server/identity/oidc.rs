//! The types of OpenID Connect as this portal uses it, over our own HTTP client.

use futures::future::BoxFuture;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, Client, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IdToken, IdTokenClaims, IdTokenFields, StandardErrorResponse, StandardTokenResponse,
    UserInfoClaims,
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::outbound;

/// Largest answer of a provider, in bytes.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// What providers send beside the standard claims.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Claims {
    /// `None` where the provider does not send them here.
    #[serde(default, deserialize_with = "groups")]
    pub groups: Option<Vec<String>>,
}

impl AdditionalClaims for Claims {}

/// A list, or one text.
fn groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(one) => Some(vec![one]),
        serde_json::Value::Array(items) => Some(
            items
                .into_iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
        ),
        _ => None,
    })
}

pub(super) type Token = IdToken<Claims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
pub(super) type TokenClaims = IdTokenClaims<Claims, CoreGenderClaim>;
pub(super) type UserClaims = UserInfoClaims<Claims, CoreGenderClaim>;
pub(super) type Refusal = StandardErrorResponse<CoreErrorResponseType>;
pub(super) type Tokens = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
pub(super) type OidcClient = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    Refusal,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why there was no answer that is worth reading.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("{0}")]
    NoAnswer(String),
    #[error("it answered {0}")]
    Failing(u16),
    #[error(transparent)]
    Body(#[from] outbound::OutboundError),
    #[error("{0}")]
    Http(#[from] openidconnect::http::Error),
}

/// Our HTTP client as the protocol's library wants it. Answers 5xx and 429 are failures of the provider, never
/// its decision.
pub(super) struct Http(pub reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = CallError;
    type Future = BoxFuture<'c, Result<HttpResponse, CallError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

impl Http {
    pub async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let no_answer = |error| CallError::NoAnswer(outbound::explain(error));
        let request = reqwest::Request::try_from(request).map_err(no_answer)?;
        let response = self.0.execute(request).await.map_err(no_answer)?;
        let status = response.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(CallError::Failing(status.as_u16()));
        }
        let mut answer = openidconnect::http::Response::builder().status(status);
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let body = outbound::read_body(response, ANSWER_LIMIT).await?;
        Ok(answer.body(body.to_vec())?)
    }
}
