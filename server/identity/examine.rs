//! Whether logging in can work, found out without a person.

use url::Url;

use super::{IdentityError, Provider};

/// As much of a page as is told.
const TOLD: usize = 200;

/// What the discovery document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    pub issuer: String,
    /// Keys that it signs with.
    pub keys: usize,
}

/// What became of a login that was begun as a browser would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// The provider asks who it is: client and redirect address are registered.
    Asks,
    /// The redirect address is not registered.
    RedirectRefused { redirect: Url, said: String },
    /// Something else is not accepted, such as the client.
    Refused { said: String },
}

impl Provider {
    /// Reads the discovery document and the keys anew.
    ///
    /// # Errors
    /// Where there is none, where it names another issuer than `metadataUrl`, or where the keys cannot be read.
    pub async fn examine(&self) -> Result<Examined, IdentityError> {
        let discovered = self.discover().await?;
        Ok(Examined {
            issuer: discovered.metadata.issuer().to_string(),
            keys: discovered.metadata.jwks().keys().len(),
        })
    }

    /// Begins a login and looks at the provider's first answer; follows no redirects.
    ///
    /// # Errors
    /// Where the provider does not answer.
    pub async fn try_authorization(&self) -> Result<Authorization, IdentityError> {
        let beginning = self.begin("en").await?;
        let answer = self.get(&beginning.url, "text/html").await?;
        let redirect = &self.0.settings.redirect_url;
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
        let said = match location {
            Some(to) => said_by_redirect(to),
            None if answer.status().is_success() => None,
            None => Some(format!(
                "{} ({})",
                said_by_page(&String::from_utf8_lossy(answer.body())),
                answer.status().as_u16()
            )),
        };
        Ok(match said {
            None => Authorization::Asks,
            Some(said) if said.to_lowercase().replace([' ', '-'], "_").contains("redirect_ur") => {
                Authorization::RedirectRefused {
                    redirect: redirect.clone(),
                    said,
                }
            }
            Some(said) => Authorization::Refused { said },
        })
    }
}

/// The error that an answer leads to, if it leads to one; that nobody is logged in is none.
fn said_by_redirect(location: &str) -> Option<String> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| {
        pairs
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value.as_str()))
    };
    let error = value("error")?;
    if matches!(error, "login_required" | "interaction_required" | "consent_required") {
        return None;
    }
    Some(match value("error_description") {
        Some(description) => cut(&format!("{error}: {description}")),
        None => cut(error),
    })
}

/// The sentence of a page that says what is wrong, or its beginning; without markup, scripts and styles.
fn said_by_page(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push('\n');
        let end = ["script", "style", "title"]
            .into_iter()
            .find(|name| {
                tag.get(..name.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(name))
            })
            .and_then(|name| Some(tag.find(&format!("</{name}"))? + 1));
        rest = &tag[end.unwrap_or(0)..];
        rest = rest.split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = |line: &&str| {
        let line = line.to_lowercase();
        ["redirect", "invalid", "client", "scope"]
            .iter()
            .any(|word| line.contains(word))
    };
    let found = lines.clone().find(told).map(str::to_owned);
    cut(&found.unwrap_or_else(|| lines.collect::<Vec<_>>().join(" ")))
}

fn cut(text: &str) -> String {
    text.chars().take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_found() {
        let keycloak = "<html><head><title>Sign in</title><style>a{}</style></head><body><h1>We are sorry...</h1>\
                        <p class=\"x\">Invalid parameter: redirect_uri</p></body></html>";
        assert_eq!(said_by_page(keycloak), "Invalid parameter: redirect_uri");
        assert_eq!(said_by_page("Bad <b>day"), "Bad day");
        for (location, expected) in [
            ("/login?state=1", None),
            ("https://p.test/cb?error=login_required&state=1", None),
            (
                "https://p.test/cb?error=invalid_scope&error_description=no+groups",
                Some("invalid_scope: no groups"),
            ),
            ("/error?error=redirect_uri_mismatch", Some("redirect_uri_mismatch")),
        ] {
            assert_eq!(said_by_redirect(location).as_deref(), expected, "{location}");
        }
    }
}
