//! The page where people log in, in English or German.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::parameters::Parameters;
use super::{Realm, USERS};
use crate::html::escape;

/// What the page says.
struct Words {
    language: &'static str,
    title: &'static str,
    about: &'static str,
    refused: &'static str,
    user: &'static str,
    password: &'static str,
    log_in: &'static str,
    accounts: &'static str,
    groups: &'static str,
    /// Before and behind the portal's address.
    afterwards: [&'static str; 2],
}

const ENGLISH: Words = Words {
    language: "en",
    title: "Log in to Portico",
    about: "Identity provider of the local sandbox. It stands in for Keycloak and is for this machine only.",
    refused: "Invalid username or password.",
    user: "User name",
    password: "Password",
    log_in: "Log in",
    accounts: "Sandbox accounts",
    groups: "Groups",
    afterwards: [
        "The password was printed when the sandbox started. After logging in you return to ",
        ".",
    ],
};

const GERMAN: Words = Words {
    language: "de",
    title: "Bei Portico anmelden",
    about: "Anmeldedienst der lokalen Sandbox. Er steht für Keycloak und gilt nur auf diesem Rechner.",
    refused: "Name oder Passwort ist falsch.",
    user: "Name",
    password: "Passwort",
    log_in: "Anmelden",
    accounts: "Konten der Sandbox",
    groups: "Gruppen",
    afterwards: [
        "Das Passwort stand auf dem Terminal, als die Sandbox gestartet wurde. Nach dem Anmelden geht es zurück zu ",
        ".",
    ],
};

/// The form; `refused` after a wrong password. The client's `ui_locales` decide the language, else the browser does.
pub fn show(realm: &Realm, parameters: &Parameters, headers: &HeaderMap, name: &str, refused: bool) -> Response {
    let browser = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let words = words(parameters.get("ui_locales"), browser);
    let action = format!(
        "{}/login-actions/authenticate?{}",
        realm.settings.issuer,
        parameters.to_query()
    );
    let (note, invalid) = match refused {
        true => (
            format!(
                "<p class=\"note\" id=\"input-error\" role=\"alert\">{}</p>\n",
                words.refused
            ),
            " aria-invalid=\"true\" aria-describedby=\"input-error\"",
        ),
        false => (String::new(), ""),
    };
    let accounts: String = USERS
        .iter()
        .map(|user| {
            let (name, groups) = (escape(user.name), escape(&user.groups.join(", ")));
            format!("<tr><td>{name}</td><td>{groups}</td></tr>")
        })
        .collect();
    let [before, behind] = words.afterwards;
    let main = format!(
        "<p class=\"mute\">{about}</p>\n{note}\
         <form id=\"kc-form-login\" method=\"post\" action=\"{action}\">\n\
         <div class=\"field\"><label for=\"username\">{user}</label><input id=\"username\" name=\"username\" \
         value=\"{name}\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required{invalid}></div>\n\
         <div class=\"field\"><label for=\"password\">{password}</label><input id=\"password\" name=\"password\" \
         type=\"password\" autocomplete=\"current-password\" required{invalid}></div>\n\
         <button id=\"kc-login\" name=\"login\">{log_in}</button>\n</form>\n\
         <section aria-labelledby=\"accounts\"><h2 id=\"accounts\">{title}</h2>\n\
         <table><thead><tr><th scope=\"col\">{user}</th><th scope=\"col\">{groups}</th></tr></thead>\
         <tbody>{accounts}</tbody></table></section>\n\
         <p class=\"mute\">{before}<span class=\"mono\">{portal}</span>{behind}</p>",
        about = words.about,
        action = escape(&action),
        user = words.user,
        name = escape(name),
        password = words.password,
        log_in = words.log_in,
        title = words.accounts,
        groups = words.groups,
        portal = escape(&realm.settings.portal_url),
    );
    realm.page_in(words.language, StatusCode::OK, words.title, &main)
}

/// The first language of a list that the page has: `ui_locales` (OpenID Connect Core 3.1.2.1), in order of preference, then
/// the browser's, which writes the best first.
fn words(wanted: Option<&str>, browser: Option<&str>) -> &'static Words {
    let wanted = wanted.unwrap_or_default().split(' ');
    let browser = browser.unwrap_or_default().split(',');
    let languages = wanted
        .chain(browser)
        .map(|tag| tag.trim().split(['-', ';']).next().unwrap_or_default());
    languages
        .filter_map(|language| {
            [&ENGLISH, &GERMAN]
                .into_iter()
                .find(|words| words.language.eq_ignore_ascii_case(language))
        })
        .next()
        .unwrap_or(&ENGLISH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_language_before_the_browser() {
        for (wanted, browser, expected) in [
            (None, None, "en"),
            (None, Some("de-AT,de;q=0.9,en;q=0.5"), "de"),
            (None, Some("fr, en;q=0.8, de;q=0.5"), "en"),
            (Some("de"), Some("en"), "de"),
            (Some("fr de-CH"), Some("en"), "de"),
            (Some("xx"), Some("de"), "de"),
        ] {
            assert_eq!(words(wanted, browser).language, expected, "{wanted:?} {browser:?}");
        }
    }
}
