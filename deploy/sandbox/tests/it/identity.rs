//! Logging in as a browser and a portal do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;

use crate::support::{Bench, CALLBACK, answer};

/// Verifier and challenge of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn query(more: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("client_id", "backstage"),
        ("response_type", "code"),
        ("scope", "openid profile email groups"),
        ("redirect_uri", CALLBACK),
        ("state", "some state"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in more {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn parameter(location: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(location).ok()?;
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn claims(token: &Value) -> Value {
    let part = token
        .as_str()
        .and_then(|token| token.split('.').nth(1))
        .expect("a token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

/// Code and cookie of a login by form.
async fn log_in(bench: &Bench, user: &str) -> (String, String) {
    let issuer = &bench.sandbox.urls.issuer;
    let page = bench
        .client
        .get(format!("{issuer}/protocol/openid-connect/auth?{}", query(&[])))
        .send()
        .await
        .expect("page");
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.expect("text");
    let action = page
        .split("action=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a form");
    let form = [("username", user), ("password", "opensesame")];
    let answer = bench
        .client
        .post(action.replace("&amp;", "&"))
        .form(&form)
        .send()
        .await
        .expect("answer");
    assert_eq!(answer.status(), StatusCode::FOUND);
    let location = answer.headers()[LOCATION].to_str().expect("text").to_owned();
    assert!(location.starts_with(CALLBACK), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("some state"));
    assert_eq!(parameter(&location, "iss").as_ref(), Some(issuer));
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    (parameter(&location, "code").expect("a code"), cookie)
}

async fn token(bench: &Bench, more: &[(&str, &str)]) -> (StatusCode, Value) {
    let issuer = &bench.sandbox.urls.issuer;
    let mut form = vec![
        ("client_id", "backstage"),
        ("client_secret", bench.sandbox.credentials.client_secret.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in more {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    answer(
        bench
            .client
            .post(format!("{issuer}/protocol/openid-connect/token"))
            .form(&form),
    )
    .await
}

#[tokio::test]
async fn a_login_gives_tokens_with_the_claims_of_the_user() {
    let bench = Bench::start().await;
    let issuer = bench.sandbox.urls.issuer.clone();
    for (user, name, group) in [
        ("user1", "user one", "admin"),
        ("user2", "user two", "base-user"),
        ("ipcei", "ipcei user", "base-user"),
    ] {
        let (code, _) = log_in(&bench, user).await;
        let (status, body) = token(&bench, &[("grant_type", "authorization_code"), ("code", &code)]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let id = claims(&body["id_token"]);
        assert_eq!(id["iss"], issuer.as_str());
        assert_eq!(id["aud"], "backstage");
        assert_eq!(id["nonce"], "n-1");
        assert_eq!(id["name"], name);
        assert_eq!(id["preferred_username"], user);
        assert_eq!(id["groups"], serde_json::json!([group]));
        assert_eq!(id["email_verified"], false);
        assert_eq!(id.get("email"), None);
        assert_eq!(id["sid"], body["session_state"]);

        let info = bench.client.get(format!("{issuer}/protocol/openid-connect/userinfo"));
        let (status, info) = answer(info.bearer_auth(body["access_token"].as_str().expect("text"))).await;
        assert_eq!((status, &info["sub"]), (StatusCode::OK, &id["sub"]));
        assert_eq!(info["groups"], serde_json::json!([group]));
    }
}

#[tokio::test]
async fn refusals_are_those_of_keycloak() {
    let bench = Bench::start().await;
    let code = [("grant_type", "authorization_code")];
    for (more, status, error) in [
        (
            vec![("client_secret", "wrong")],
            StatusCode::UNAUTHORIZED,
            "unauthorized_client",
        ),
        (vec![("client_id", "other")], StatusCode::UNAUTHORIZED, "invalid_client"),
        (vec![("code_verifier", "y")], StatusCode::BAD_REQUEST, "invalid_grant"),
        (vec![("code_verifier", "")], StatusCode::BAD_REQUEST, "invalid_grant"),
        (
            vec![("redirect_uri", "http://localhost:17007/")],
            StatusCode::BAD_REQUEST,
            "invalid_grant",
        ),
        (
            vec![("grant_type", "client_credentials")],
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
        ),
        (vec![("grant_type", "")], StatusCode::BAD_REQUEST, "invalid_request"),
    ] {
        let (given, _) = log_in(&bench, "user1").await;
        let mut form = code.to_vec();
        form.push(("code", given.as_str()));
        form.extend(more.iter());
        let (got, body) = token(&bench, &form).await;
        assert_eq!((got, &body["error"]), (status, &Value::from(error)), "{more:?}: {body}");
    }

    let (given, _) = log_in(&bench, "user1").await;
    let form = [("grant_type", "authorization_code"), ("code", given.as_str())];
    let (_, first) = token(&bench, &form).await;
    assert_eq!(
        token(&bench, &form).await.1["error"],
        "invalid_grant",
        "a code is good once"
    );
    let refresh = first["refresh_token"].as_str().expect("a refresh token");
    let (status, body) = token(&bench, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert_eq!(
        (status, &body["error"]),
        (StatusCode::BAD_REQUEST, &Value::from("invalid_grant")),
        "a replay ends it all"
    );
}

#[tokio::test]
async fn addresses_are_exact_and_never_redirected_to_otherwise() {
    let bench = Bench::start().await;
    let auth = format!("{}/protocol/openid-connect/auth", bench.sandbox.urls.issuer);
    for address in [
        "",
        "http://localhost:17007/",
        "http://evil.example/",
        &format!("{CALLBACK}/x"),
        &format!("{CALLBACK}?a=b"),
    ] {
        let answer = bench
            .client
            .get(format!("{auth}?{}", query(&[("redirect_uri", address)])))
            .send()
            .await
            .expect("page");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{address}");
        assert!(answer.headers().get(LOCATION).is_none());
    }
    for (more, error) in [
        (("prompt", "none"), "login_required"),
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "openid everything"), "invalid_scope"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "MD5"), "invalid_request"),
    ] {
        let answer = bench
            .client
            .get(format!("{auth}?{}", query(&[more])))
            .send()
            .await
            .expect("answer");
        let location = answer.headers()[LOCATION].to_str().expect("text");
        assert_eq!(parameter(location, "error").as_deref(), Some(error), "{more:?}");
    }
    let form = [("username", "user1"), ("password", "wrong\"><script>")];
    let action = format!(
        "{}/login-actions/authenticate?{}",
        bench.sandbox.urls.issuer,
        query(&[])
    );
    let wrong = bench.client.post(action).form(&form).send().await.expect("page");
    assert!(wrong.headers().get(SET_COOKIE).is_none());
    let text = wrong.text().await.expect("text");
    assert!(text.contains("Invalid username or password."));
    assert!(!text.contains("<script"));
}

#[tokio::test]
async fn sessions_survive_a_restart_and_end_at_log_out() {
    let bench = Bench::start().await;
    let (code, cookie) = log_in(&bench, "user2").await;
    let (_, tokens) = token(&bench, &[("grant_type", "authorization_code"), ("code", &code)]).await;
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();

    let bench = bench.restart().await;
    let issuer = bench.sandbox.urls.issuer.clone();
    let silent = || {
        let url = format!("{issuer}/protocol/openid-connect/auth?{}", query(&[("prompt", "none")]));
        bench.client.get(url).header(COOKIE, &cookie).send()
    };
    let again = silent().await.expect("answer");
    assert!(parameter(again.headers()[LOCATION].to_str().expect("text"), "code").is_some());
    let (status, next) = token(&bench, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    assert_eq!(status, StatusCode::OK);

    let leave = |query: String| {
        let url = format!("{issuer}/protocol/openid-connect/logout?{query}");
        bench.client.get(url).header(COOKIE, &cookie).send()
    };
    let asked = leave(String::new()).await.expect("page");
    assert!(asked.text().await.expect("text").contains("Do you want to log out?"));
    let hint = next["id_token"].as_str().expect("an id token");
    let elsewhere = leave(format!(
        "id_token_hint={hint}&post_logout_redirect_uri=http%3A%2F%2Fevil.example%2F"
    ))
    .await;
    assert_eq!(elsewhere.expect("page").status(), StatusCode::BAD_REQUEST);
    let left = leave(format!(
        "id_token_hint={hint}&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A17007%2F&state=x"
    ));
    let left = left.await.expect("answer");
    assert_eq!(left.headers()[LOCATION], "http://localhost:17007/?state=x");
    let gone = silent().await.expect("answer");
    assert_eq!(
        parameter(gone.headers()[LOCATION].to_str().expect("text"), "error").as_deref(),
        Some("login_required")
    );
    let (status, _) = token(&bench, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
