//! The authorization endpoint and the login page (OpenID Connect Core 3.1.2).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::parameters::Parameters;
use super::sessions::{Code, Login, now};
use super::{REALM, Realm, Shared, User, broken_store, login_page};
use crate::Credentials;

/// Scopes that a client may ask for; `groups` and those of Keycloak.
pub const SCOPES: [&str; 11] = [
    "openid",
    "profile",
    "email",
    "groups",
    "roles",
    "basic",
    "acr",
    "web-origins",
    "address",
    "phone",
    "microprofile-jwt",
];

/// Name of the cookie that holds a browser's login, as Keycloak names it.
pub const COOKIE: &str = "KEYCLOAK_IDENTITY";

/// `GET …/auth`.
pub async fn by_query(State(realm): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    answer(
        &realm,
        &Parameters::read(query.unwrap_or_default().as_bytes()),
        &headers,
    )
}

/// `POST …/auth`, the same with a form.
pub async fn by_form(State(realm): Shared, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    answer(&realm, &Parameters::read(&body), &headers)
}

/// `POST …/login-actions/authenticate?<the authorization request>` with `username` and `password`.
pub async fn log_in(
    State(realm): Shared,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    // Nobody shall be logged in as somebody else by a form on another site.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return realm.error_page("The login form was sent from another site.");
    }
    let parameters = Parameters::read(query.unwrap_or_default().as_bytes());
    let wanted = match Wanted::read(&realm, &parameters) {
        Ok(wanted) => wanted,
        Err(response) => return *response,
    };
    let form = Parameters::read(&body);
    let name = form.get("username").unwrap_or_default();
    let user = User::find(name).filter(|_| form.get("password") == Some(&realm.settings.credentials.user_password));
    let Some(user) = user else {
        // 200, as Keycloak answers.
        return login_page::show(&realm, &parameters, &headers, name, true);
    };
    let login = match realm.sessions.update(|sessions| sessions.begin(user, true, now())) {
        Ok(login) => login,
        Err(error) => return broken_store(&error),
    };
    let mut response = give_code(&realm, &wanted, &login);
    let cookie = format!(
        "{COOKIE}={}; Path=/realms/{REALM}/; HttpOnly; SameSite=Lax",
        login.cookie.as_deref().unwrap_or_default()
    );
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The login that the browser's cookie stands for.
pub fn current_login(realm: &Realm, headers: &HeaderMap) -> Option<Login> {
    let cookies = axum_extra::extract::CookieJar::from_headers(headers);
    realm
        .sessions
        .read(|sessions| sessions.by_cookie(cookies.get(COOKIE)?.value(), now()))
}

fn answer(realm: &Realm, parameters: &Parameters, headers: &HeaderMap) -> Response {
    let wanted = match Wanted::read(realm, parameters) {
        Ok(wanted) => wanted,
        Err(response) => return *response,
    };
    let prompt = parameters.get("prompt").unwrap_or_default();
    let too_old = |login: &Login| {
        parameters
            .get("max_age")
            .and_then(|age| age.parse().ok())
            .is_some_and(|age: i64| now() - login.started > age)
    };
    let login = current_login(realm, headers).filter(|login| !too_old(login));
    match login {
        Some(login) if !prompt.split(' ').any(|word| word == "login") => give_code(realm, &wanted, &login),
        _ if prompt == "none" => wanted.refuse(realm, "login_required", None),
        _ => {
            let name = parameters.get("login_hint").unwrap_or_default();
            login_page::show(realm, parameters, headers, name, false)
        }
    }
}

/// An authorization request that was checked.
struct Wanted {
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    scope: String,
    challenge: Option<(String, bool)>,
}

impl Wanted {
    /// What cannot be told to the client (since it may be another's address) is a page; the rest is a redirect.
    fn read(realm: &Realm, parameters: &Parameters) -> Result<Self, Box<Response>> {
        let page = |message: &str| Box::new(realm.error_page(message));
        match parameters.get("client_id") {
            None => return Err(page("Missing parameters: client_id")),
            Some(Credentials::CLIENT_ID) => {}
            Some(_) => return Err(page("Client not found.")),
        }
        if parameters.get("redirect_uri") != Some(&realm.redirect_uri) {
            tracing::warn!(
                wanted = parameters.get("redirect_uri"),
                allowed = realm.redirect_uri,
                "a login wants to return to an address that is not allowed"
            );
            return Err(page("Invalid parameter: redirect_uri"));
        }
        let own = |name: &str| parameters.get(name).map(str::to_owned);
        let mut wanted = Self {
            redirect_uri: realm.redirect_uri.clone(),
            state: own("state"),
            nonce: own("nonce"),
            scope: own("scope").unwrap_or_default(),
            challenge: None,
        };
        let refuse = |error: &str, why: &str| Box::new(wanted.refuse(realm, error, Some(why)));
        if parameters.has_duplicate() {
            return Err(refuse("invalid_request", "duplicated parameter"));
        }
        match parameters.get("response_type") {
            Some("code") => {}
            None => return Err(refuse("invalid_request", "Missing parameter: response_type")),
            Some(_) => {
                return Err(refuse(
                    "unsupported_response_type",
                    "Client is not allowed to initiate browser login with given response_type.",
                ));
            }
        }
        if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(refuse("invalid_request", "Invalid parameter: response_mode"));
        }
        if wanted.scope.split_whitespace().any(|scope| !SCOPES.contains(&scope)) {
            return Err(refuse("invalid_scope", &format!("Invalid scopes: {}", wanted.scope)));
        }
        let hashed = match parameters.get("code_challenge_method") {
            None | Some("plain") => false,
            Some("S256") => true,
            Some(_) => return Err(refuse("invalid_request", "Invalid parameter: code_challenge_method")),
        };
        match parameters.get("code_challenge") {
            Some(challenge) if (43..=128).contains(&challenge.len()) && challenge.bytes().all(is_unreserved) => {
                wanted.challenge = Some((challenge.to_owned(), hashed));
            }
            Some(_) => return Err(refuse("invalid_request", "Invalid parameter: code_challenge")),
            None if parameters.get("code_challenge_method").is_some() => {
                return Err(refuse("invalid_request", "Missing parameter: code_challenge"));
            }
            None => {}
        }
        Ok(wanted)
    }

    fn refuse(&self, realm: &Realm, error: &str, description: Option<&str>) -> Response {
        let mut pairs = vec![("error", error)];
        pairs.extend(description.map(|text| ("error_description", text)));
        pairs.extend(self.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", &realm.settings.issuer));
        redirect(&self.redirect_uri, &pairs)
    }
}

// RFC 7636 4.1
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn give_code(realm: &Realm, wanted: &Wanted, login: &Login) -> Response {
    let code = Code {
        login: login.id.clone(),
        redirect_uri: wanted.redirect_uri.clone(),
        scope: wanted.scope.clone(),
        nonce: wanted.nonce.clone(),
        challenge: wanted.challenge.clone(),
        made: now(),
        spent: false,
    };
    let code = match realm.sessions.update(|sessions| sessions.give_code(code)) {
        Ok(code) => code,
        Err(error) => return broken_store(&error),
    };
    let mut pairs = Vec::new();
    pairs.extend(wanted.state.as_deref().map(|state| ("state", state)));
    pairs.extend([
        ("session_state", login.id.as_str()),
        ("iss", realm.settings.issuer.as_str()),
        ("code", &code),
    ]);
    redirect(&wanted.redirect_uri, &pairs)
}

/// 302 to an address of the client's with more parameters.
pub fn redirect(address: &str, pairs: &[(&str, &str)]) -> Response {
    let target = if pairs.is_empty() {
        address.to_owned()
    } else {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let separator = if address.contains('?') { '&' } else { '?' };
        format!("{address}{separator}{query}")
    };
    let headers = [
        (header::LOCATION, target),
        (header::CACHE_CONTROL, "no-store, must-revalidate, max-age=0".to_owned()),
    ];
    (StatusCode::FOUND, headers).into_response()
}
