//! Port to the OpenID Connect provider: logging in (code flow with PKCE), asking again who somebody is, and
//! logging out. A provider that is down is found again by itself: nothing is asked of it before it is needed.

mod examine;
mod oidc;

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType};
use openidconnect::{
    AccessToken, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpResponse, LanguageTag, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenResponse,
};
use url::Url;

use crate::clock::Clock;
use crate::config::Secret;
use oidc::{CallError, Http, OidcClient, Refusal, Token, TokenClaims, Tokens, UserClaims};

pub use examine::{Authorization, Examined};

/// How long a discovery document is believed. A signature with an unknown key asks again at once.
const DISCOVERY_LIFE: Duration = Duration::hours(1);
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// One provider, as configured.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Key under `auth.providers`; part of the addresses of the login.
    pub id: String,
    /// Address of the discovery document.
    pub metadata_url: Url,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// `None` where the provider decides.
    pub prompt: Option<String>,
    pub additional_scopes: Vec<String>,
    /// Where the provider sends the browser back to: after logging in, and out.
    pub redirect_url: Url,
}

/// A provider. Cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    settings: ProviderSettings,
    http: Http,
    clock: Clock,
    discovered: RwLock<Option<Arc<Discovered>>>,
}

struct Discovered {
    metadata: ProviderMetadataWithLogout,
    client: OidcClient,
    at: DateTime<Utc>,
}

/// A login that has begun: where to send the browser, and what to remember until it comes back.
#[derive(Debug, Clone)]
pub struct Beginning {
    pub url: Url,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// Who the provider says that somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `preferred_username`.
    pub username: Option<String>,
    pub name: Option<String>,
    /// Never empty.
    pub email: Option<String>,
    /// Names without a leading slash.
    pub groups: Vec<String>,
}

/// Somebody who has logged in, or was asked about again.
#[derive(Clone)]
pub struct Login {
    pub person: Person,
    /// As the provider sent it; needed for logging out.
    pub id_token: Secret,
    /// `None` where the provider gives none: then it cannot be asked again.
    pub refresh_token: Option<Secret>,
}

/// Why the provider did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be reached or is failing: the same may work later.
    #[error("the identity provider {host} cannot be reached or is failing: {reason}")]
    Unavailable { host: String, reason: String },
    /// It said no to this person: the login is over.
    #[error("the identity provider {host} refuses it: {reason}")]
    Refused { host: String, reason: String },
    /// Its answer cannot be trusted or understood.
    #[error("the identity provider {host} answered something unexpected: {reason}")]
    Unexpected { host: String, reason: String },
}

impl Provider {
    /// `http` must not follow redirects: requests carry secrets in their body.
    pub fn new(settings: ProviderSettings, http: reqwest::Client, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            settings,
            http: Http(http),
            clock,
            discovered: RwLock::new(None),
        }))
    }

    /// Key under `auth.providers`.
    pub fn id(&self) -> &str {
        &self.0.settings.id
    }

    /// `host[:port]` of the provider, for people.
    pub fn host(&self) -> String {
        let url = &self.0.settings.metadata_url;
        let host = url.host_str().unwrap_or_default();
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Begins a login, in a language (BCP 47) if the provider's page has it. The provider is asked anew, whatever is known
    /// of it: nobody is sent to one that does not answer.
    pub async fn begin(&self, language: &str) -> Result<Beginning, IdentityError> {
        let discovered = self.discover().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let redirect = RedirectUrl::from_url(self.0.settings.redirect_url.clone());
        let client = discovered.client.clone().set_redirect_uri(redirect);
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(["profile", "email"].map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            .add_ui_locale(LanguageTag::new(language.to_owned()));
        // Asking for a scope that a provider does not know can fail.
        let knows_groups = discovered
            .metadata
            .scopes_supported()
            .is_some_and(|scopes| scopes.iter().any(|scope| scope.as_str() == "groups"));
        if knows_groups {
            request = request.add_scope(Scope::new("groups".into()));
        }
        for scope in &self.0.settings.additional_scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        match self.0.settings.prompt.as_deref() {
            None | Some("auto") => {}
            Some("login") => request = request.add_prompt(CoreAuthPrompt::Login),
            Some("consent") => request = request.add_prompt(CoreAuthPrompt::Consent),
            Some("none") => request = request.add_prompt(CoreAuthPrompt::None),
            Some(other) => request = request.add_extra_param("prompt", other.to_owned()),
        }
        let (url, state, nonce) = request.url();
        Ok(Beginning {
            url,
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Ends a login: the code that the browser brought back becomes a person.
    pub async fn finish(&self, code: String, verifier: String, nonce: &str) -> Result<Login, IdentityError> {
        let discovered = self.discovered().await?;
        let redirect = RedirectUrl::from_url(self.0.settings.redirect_url.clone());
        let client = discovered.client.clone().set_redirect_uri(redirect);
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| self.unexpected(error))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let tokens: Tokens = request
            .request_async(&self.0.http)
            .await
            .map_err(|error| self.token_error(error))?;
        let nonce = Nonce::new(nonce.to_owned());
        self.login(&discovered, &tokens, Some(&nonce), None).await
    }

    /// Asks again who somebody is. `Refused` means that their login at the provider is over.
    pub async fn refresh(&self, refresh_token: &Secret, id_token: &Secret) -> Result<Login, IdentityError> {
        let discovered = self.discovered().await?;
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let tokens: Tokens = discovered
            .client
            .exchange_refresh_token(&token)
            .map_err(|error| self.unexpected(error))?
            .request_async(&self.0.http)
            .await
            .map_err(|error| self.token_error(error))?;
        let mut login = self.login(&discovered, &tokens, None, Some(id_token)).await?;
        if login.refresh_token.is_none() {
            login.refresh_token = Some(refresh_token.clone());
        }
        Ok(login)
    }

    /// Where to send the browser so that the provider ends the login too; `None` where it has no such page, or
    /// cannot be reached.
    pub async fn end_session_url(&self, id_token: &Secret) -> Option<Url> {
        let discovered = self.discovered().await.ok()?;
        let endpoint = discovered.metadata.additional_metadata().end_session_endpoint.clone()?;
        let mut url = endpoint.url().clone();
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token.expose())
            .append_pair("client_id", &self.0.settings.client_id)
            .append_pair(
                "post_logout_redirect_uri",
                &PostLogoutRedirectUrl::from_url(self.0.settings.redirect_url.clone()),
            );
        Some(url)
    }

    async fn login(
        &self,
        discovered: &Arc<Discovered>,
        tokens: &Tokens,
        nonce: Option<&Nonce>,
        earlier: Option<&Secret>,
    ) -> Result<Login, IdentityError> {
        let (person, id_token) = match tokens.id_token() {
            Some(token) => {
                let claims = self.verify(discovered, token, nonce).await?;
                let user = if claims.additional_claims().groups.is_some() && claims.preferred_username().is_some() {
                    None
                } else {
                    self.user_info(discovered, tokens.access_token(), &claims).await
                };
                (person(Some(&claims), user.as_ref()), Secret::new(token.to_string()))
            }
            // A refresh may come without one.
            None => match earlier {
                Some(earlier) => {
                    let user = self.user_info_of(discovered, tokens.access_token()).await?;
                    (person(None, Some(&user)), earlier.clone())
                }
                None => return Err(self.unexpected("there is no id_token in it")),
            },
        };
        Ok(Login {
            person,
            id_token,
            refresh_token: tokens.refresh_token().map(|token| Secret::new(token.secret().clone())),
        })
    }

    async fn verify(
        &self,
        discovered: &Arc<Discovered>,
        token: &Token,
        nonce: Option<&Nonce>,
    ) -> Result<TokenClaims, IdentityError> {
        let check = |discovered: &Discovered| {
            let clock = self.0.clock.clone();
            // Clocks differ a little.
            let verifier = discovered
                .client
                .id_token_verifier()
                .set_time_fn(move || clock.now() - Duration::seconds(30));
            let checked = match nonce {
                Some(nonce) => token.claims(&verifier, nonce),
                // Tokens of a refresh carry no nonce, or the old one (OpenID Connect Core 1.0, 12.2).
                None => token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
            };
            checked.cloned()
        };
        match check(discovered) {
            Ok(claims) => Ok(claims),
            Err(openidconnect::ClaimsVerificationError::SignatureVerification(_)) => {
                // Perhaps the provider has new keys.
                let fresh = self.discover().await?;
                check(&fresh).map_err(|error| self.unexpected(format!("the id_token is not valid: {error}")))
            }
            Err(error) => Err(self.unexpected(format!("the id_token is not valid: {error}"))),
        }
    }

    /// What the userinfo page adds; nothing where it fails, since the id_token says who it is.
    async fn user_info(
        &self,
        discovered: &Discovered,
        access: &AccessToken,
        claims: &TokenClaims,
    ) -> Option<UserClaims> {
        let subject = Some(claims.subject().clone());
        let request = discovered.client.user_info(access.clone(), subject).ok()?;
        let answer = request.request_async(&self.0.http).await;
        answer
            .inspect_err(|error| tracing::warn!(provider = self.id(), %error, "the userinfo page does not answer"))
            .ok()
    }

    async fn user_info_of(&self, discovered: &Discovered, access: &AccessToken) -> Result<UserClaims, IdentityError> {
        discovered
            .client
            .user_info(access.clone(), None)
            .map_err(|error| self.unexpected(error))?
            .request_async(&self.0.http)
            .await
            .map_err(|error| match error {
                openidconnect::UserInfoError::Request(error) => self.unavailable(error),
                other => self.unexpected(other),
            })
    }

    async fn discovered(&self) -> Result<Arc<Discovered>, IdentityError> {
        let known = self.0.discovered.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) if self.0.clock.now() - known.at < DISCOVERY_LIFE => Ok(known),
            // An old document is better than none.
            Some(known) => Ok(self.discover().await.unwrap_or(known)),
            None => self.discover().await,
        }
    }

    async fn get(&self, url: &Url, accept: &str) -> Result<HttpResponse, IdentityError> {
        let request = openidconnect::http::Request::get(url.as_str())
            .header("accept", accept)
            .body(Vec::new())
            .map_err(|error| self.unexpected(error))?;
        self.0.http.ask(request).await.map_err(|error| self.unavailable(error))
    }

    async fn discover(&self) -> Result<Arc<Discovered>, IdentityError> {
        let settings = &self.0.settings;
        let answer = self.get(&settings.metadata_url, "application/json").await?;
        if !answer.status().is_success() {
            let reason = format!("{} answered {}", settings.metadata_url, answer.status());
            return Err(self.unexpected(reason));
        }
        let metadata: ProviderMetadataWithLogout = serde_json::from_slice(answer.body())
            .map_err(|error| self.unexpected(format!("{} is no discovery document: {error}", settings.metadata_url)))?;
        let address = settings.metadata_url.as_str();
        let expected = address
            .strip_suffix(WELL_KNOWN)
            .unwrap_or(address)
            .trim_end_matches('/');
        let issuer = metadata.issuer().as_str();
        if address.ends_with(WELL_KNOWN) && issuer.trim_end_matches('/') != expected {
            return Err(self.unexpected(format!("it calls itself {issuer}, and metadataUrl says {expected}")));
        }
        let keys = openidconnect::JsonWebKeySet::fetch_async(metadata.jwks_uri(), &self.0.http)
            .await
            .map_err(|error| match error {
                openidconnect::DiscoveryError::Request(error) => self.unavailable(error),
                other => self.unexpected(format!("its keys cannot be read: {other}")),
            })?;
        let metadata = metadata.set_jwks(keys);
        let secret = settings.client_secret.as_ref();
        let client = OidcClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(settings.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
        );
        let discovered = Arc::new(Discovered {
            metadata,
            client,
            at: self.0.clock.now(),
        });
        let mut known = self.0.discovered.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(discovered.clone());
        Ok(discovered)
    }

    fn unavailable(&self, error: CallError) -> IdentityError {
        IdentityError::Unavailable {
            host: self.host(),
            reason: error.to_string(),
        }
    }

    fn unexpected(&self, reason: impl ToString) -> IdentityError {
        IdentityError::Unexpected {
            host: self.host(),
            reason: reason.to_string(),
        }
    }

    fn token_error(&self, error: RequestTokenError<CallError, Refusal>) -> IdentityError {
        match error {
            RequestTokenError::ServerResponse(refusal) if *refusal.error() == CoreErrorResponseType::InvalidGrant => {
                IdentityError::Refused {
                    host: self.host(),
                    reason: refusal.to_string(),
                }
            }
            // Anything else is about this portal (a wrong secret), not about the person.
            RequestTokenError::ServerResponse(refusal) => self.unexpected(refusal),
            RequestTokenError::Request(error) => self.unavailable(error),
            // The answer itself may hold tokens: only what was wrong with it is told.
            RequestTokenError::Parse(error, _) => self.unexpected(error),
            RequestTokenError::Other(reason) => self.unexpected(reason),
        }
    }
}

fn person(claims: Option<&TokenClaims>, user: Option<&UserClaims>) -> Person {
    let filled = |text: &String| !text.trim().is_empty();
    let username = claims
        .and_then(|claims| claims.preferred_username())
        .or_else(|| user.and_then(|user| user.preferred_username()))
        .map(|name| name.as_str().to_owned())
        .filter(filled);
    let name = claims
        .and_then(|claims| claims.name())
        .or_else(|| user.and_then(|user| user.name()))
        .and_then(|name| name.get(None))
        .map(|name| name.as_str().to_owned())
        .filter(filled);
    let email = claims
        .and_then(|claims| claims.email())
        .or_else(|| user.and_then(|user| user.email()))
        .map(|email| email.as_str().to_owned())
        .filter(filled);
    let groups = claims
        .and_then(|claims| claims.additional_claims().groups.clone())
        .or_else(|| user.and_then(|user| user.additional_claims().groups.clone()))
        .unwrap_or_default()
        .into_iter()
        .map(|group| group.trim_start_matches('/').to_owned())
        .filter(filled)
        .collect();
    Person {
        username,
        name,
        email,
        groups,
    }
}
