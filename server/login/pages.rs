//! Each failure on the way in says what happened and offers another try.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::LoginContext;
use super::attempt::Attempt;
use crate::auth::{SignInError, User};
use crate::catalog::Person;
use crate::identity::{IdentityError, Provider};
use crate::language::{Text, filters, text};
use crate::web::{self, Error, Query, Shell};

#[derive(Template)]
#[template(path = "login/message.html")]
struct Message<'a> {
    shell: &'a Shell,
    title: Text,
    text: Text,
    reason: Option<&'a str>,
    choices: Vec<Choice>,
}

struct Choice {
    href: String,
    label: Text,
}

#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /login?next=`: straight to the provider where there is one; else the choice.
pub(super) async fn show(
    State(context): State<LoginContext>,
    shell: Shell,
    Query(query): Query<Next>,
    jar: CookieJar,
) -> Result<Response, Error> {
    let next = web::local_path(&query.next);
    if shell.user.is_some() {
        return Ok(see_other(next));
    }
    let providers: Vec<&Provider> = context.sessions.providers().collect();
    match providers.as_slice() {
        [] => Message {
            shell: &shell,
            title: text!("Nobody can log in"),
            text: text!("No OpenID Connect provider is configured. Add one under auth.providers, with metadataUrl, clientId and clientSecret, and start the portal again."),
            reason: None,
            choices: Vec::new(),
        }
        .answer(StatusCode::SERVICE_UNAVAILABLE),
        [one] => begin(&context, one, next, jar, &shell).await,
        several => Message {
            shell: &shell,
            title: text!("Log in"),
            text: text!("Choose where you have your account."),
            reason: None,
            choices: several
                .iter()
                .map(|provider| Choice {
                    href: start_url(provider.id(), next),
                    label: text!("Log in with {provider}", provider = provider.id()),
                })
                .collect(),
        }
        .answer(StatusCode::OK),
    }
}

/// `GET /api/auth/<provider>/start?next=`.
pub(super) async fn start(
    State(context): State<LoginContext>,
    shell: Shell,
    Path(provider): Path<String>,
    Query(query): Query<Next>,
    jar: CookieJar,
) -> Result<Response, Error> {
    let provider = find(&context, &provider)?;
    begin(&context, &provider, web::local_path(&query.next), jar, &shell).await
}

async fn begin(
    context: &LoginContext,
    provider: &Provider,
    next: &str,
    jar: CookieJar,
    shell: &Shell,
) -> Result<Response, Error> {
    let beginning = match provider.begin(shell.locale.language.tag()).await {
        Ok(beginning) => beginning,
        Err(error) => return provider_failed(&error, next, shell),
    };
    let attempt = Attempt {
        provider: provider.id().to_owned(),
        state: beginning.state,
        nonce: beginning.nonce,
        verifier: beginning.verifier,
        next: next.to_owned(),
        begun_at: context.clock.now(),
    };
    let jar = jar.add(attempt.cookie(&context.keys, context.secure));
    Ok((jar, see_other(beginning.url.as_str())).into_response())
}

#[derive(Deserialize)]
pub(super) struct Return {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// `GET /api/auth/<provider>/handler/frame`: the browser is back from the provider.
pub(super) async fn come_back(
    State(context): State<LoginContext>,
    shell: Shell,
    Path(provider): Path<String>,
    Query(query): Query<Return>,
    headers: HeaderMap,
    jar: CookieJar,
) -> Result<Response, Error> {
    let provider = find(&context, &provider)?;
    if query.code.is_none() && query.error.is_none() {
        return Ok(Redirect::to("/signed-out").into_response());
    }
    let now = context.clock.now();
    let state = query.state.as_deref().unwrap_or_default();
    let attempt = Attempt::find(&jar, &context.keys, provider.id(), state, now);
    let Some(attempt) = attempt else {
        // Somebody who is logged in already has pressed "back", or used an old tab.
        if shell.user.is_some() {
            return Ok(see_other("/"));
        }
        return Message {
            shell: &shell,
            title: text!("This login cannot be finished"),
            text: text!("It was started in another browser, took longer than 15 minutes, or was used already. Nothing has happened; please log in again."),
            reason: None,
            choices: again("/"),
        }
        .answer(StatusCode::BAD_REQUEST);
    };
    let jar = jar.add(Attempt::removal(state));
    let response = match (&query.error, query.code) {
        (Some(error), _) => provider_said_no(error, query.error_description.as_deref(), &attempt.next, &shell),
        (None, Some(code)) => finish(&context, &provider, code, &attempt, &headers, &shell).await,
        (None, None) => Err(Error::internal("neither code nor error")),
    };
    response.map(|response| (jar, response).into_response())
}

async fn finish(
    context: &LoginContext,
    provider: &Provider,
    code: String,
    attempt: &Attempt,
    headers: &HeaderMap,
    shell: &Shell,
) -> Result<Response, Error> {
    let login = match provider.finish(code, attempt.verifier.clone(), &attempt.nonce).await {
        Ok(login) => login,
        Err(error) => return provider_failed(&error, &attempt.next, shell),
    };
    match context.sessions.start(provider.id(), login).await {
        Ok((cookie, caller)) => {
            if let Some(user) = caller.user() {
                remember(context, provider.id(), user).await;
            }
            // An earlier session of this browser ends here.
            context.sessions.end(headers).await?;
            Ok((CookieJar::new().add(cookie), see_other(&attempt.next)).into_response())
        }
        Err(SignInError::Database(error)) => Err(error.into()),
        Err(error @ SignInError::Nameless(_)) => Message {
            shell,
            title: text!("The portal cannot tell who you are"),
            text: text!("The identity provider logged you in and left out a name that the portal needs. Tell the people who run it."),
            reason: Some(&error.to_string()),
            choices: again(&attempt.next),
        }
        .answer(StatusCode::FORBIDDEN),
    }
}

/// `POST /logout`: ends the session here, then at the provider.
pub(super) async fn log_out(State(context): State<LoginContext>, headers: HeaderMap) -> Result<Response, Error> {
    let ended = context.sessions.end(&headers).await?;
    let target = match ended {
        Some((provider, id_token)) => provider.end_session_url(&id_token).await.map(String::from),
        None => None,
    };
    let jar = CookieJar::new().add(context.sessions.removal());
    Ok((jar, see_other(target.as_deref().unwrap_or("/signed-out"))).into_response())
}

/// `GET /signed-out`.
pub(super) async fn signed_out(shell: Shell) -> Result<Response, Error> {
    Message {
        shell: &shell,
        title: text!("You are logged out"),
        text: text!("Your session has ended. Log in again to go on."),
        reason: None,
        choices: vec![Choice {
            href: web::login_url("/"),
            label: text!("Log in"),
        }],
    }
    .answer(StatusCode::OK)
}

/// Puts the person and the groups into the catalog. Who logs in need not wait for it to work.
async fn remember(context: &LoginContext, provider: &str, user: &User) {
    let person = Person {
        provider: provider.to_owned(),
        entity_ref: user.entity_ref.clone(),
        display_name: user.display_name.clone(),
        email: user.email.clone(),
        groups: user.groups.clone(),
    };
    if let Err(error) = context.catalog.remember_person(&person).await {
        tracing::warn!(%error, user = user.entity_ref, "somebody who logged in could not be put into the catalog");
    }
}

fn find(context: &LoginContext, id: &str) -> Result<Provider, Error> {
    let provider = context.sessions.provider(id).cloned();
    provider.ok_or_else(|| Error::NotFound(text!("There is no identity provider {id}.", id = id)))
}

fn provider_failed(error: &IdentityError, next: &str, shell: &Shell) -> Result<Response, Error> {
    tracing::warn!(%error, "login failed");
    let (title, text, status) = match error {
        IdentityError::Unavailable { .. } => (
            text!("The identity provider is away"),
            text!("Nobody can log in until it answers again. The portal itself is running; try again in a moment."),
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        IdentityError::Refused { .. } => (
            text!("The identity provider refused the login"),
            text!("It may have taken too long or been used twice. Please log in again."),
            StatusCode::FORBIDDEN,
        ),
        IdentityError::Unexpected { .. } => (
            text!("The login failed"),
            text!(
                "The identity provider and the portal do not agree. Tell the people who run the portal what stands below."
            ),
            StatusCode::BAD_GATEWAY,
        ),
    };
    Message {
        shell,
        title,
        text,
        reason: Some(&error.to_string()),
        choices: again(next),
    }
    .answer(status)
}

fn provider_said_no(error: &str, description: Option<&str>, next: &str, shell: &Shell) -> Result<Response, Error> {
    let (title, text) = match error {
        "access_denied" => (
            text!("You were not let in"),
            text!("You cancelled the login, or the identity provider does not let you use this portal."),
        ),
        "temporarily_unavailable" | "server_error" => (
            text!("The identity provider is failing"),
            text!("It could not log you in just now. Try again in a moment."),
        ),
        _ => (
            text!("The login failed"),
            text!("The identity provider did not log you in."),
        ),
    };
    // Both come from the address and are shown as text only; long ones are no help.
    let reason: String = [error, description.unwrap_or_default()]
        .join(" ")
        .trim()
        .chars()
        .take(300)
        .collect();
    Message {
        shell,
        title,
        text,
        reason: Some(&reason),
        choices: again(next),
    }
    .answer(StatusCode::FORBIDDEN)
}

fn again(next: &str) -> Vec<Choice> {
    vec![Choice {
        href: web::login_url(next),
        label: text!("Try again"),
    }]
}

fn start_url(provider: &str, next: &str) -> String {
    web::login_url(next).replacen("/login", &format!("/api/auth/{provider}/start"), 1)
}

fn see_other(target: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response()
}

impl Message<'_> {
    fn answer(&self, status: StatusCode) -> Result<Response, Error> {
        Ok((status, web::page(self.shell.locale, self)?).into_response())
    }
}
