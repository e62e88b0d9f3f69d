//! What a reader has chosen: language, dates, theme, keys. Kept in a cookie, so that it holds before the login, on the
//! first byte of a page, and while the database is away.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use url::form_urlencoded;

use crate::language::{Dates, Language, Locale};

const COOKIE: &str = "portico-preferences";
/// Browsers keep no cookie longer than 400 days.
const KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Choices; `None` leaves it to the browser or the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    pub language: Option<Language>,
    pub dates: Option<Dates>,
    pub theme: Option<Theme>,
    /// Single keys do nothing (WCAG 2.2, 2.1.4).
    pub no_keys: bool,
}

/// Colours that somebody chose over the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// For the attribute `data-theme`, cookies and forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Preferences {
    /// From names and values, of the cookie or of the form. What is unknown is no choice.
    pub fn read<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Self {
        let mut chosen = Self::default();
        for (name, value) in pairs {
            match name {
                "language" => chosen.language = Language::ALL.into_iter().find(|language| language.tag() == value),
                "dates" => chosen.dates = Dates::of_word(value),
                "theme" => chosen.theme = Theme::ALL.into_iter().find(|theme| theme.word() == value),
                "keys" => chosen.no_keys = value == "off",
                _ => {}
            }
        }
        chosen
    }

    /// Those of the browser that sent these headers.
    pub fn of_browser(headers: &HeaderMap) -> Self {
        let jar = CookieJar::from_headers(headers);
        let value = jar.get(COOKIE).map(Cookie::value).unwrap_or_default();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(value.as_bytes()).into_owned().collect();
        Self::read(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// As pairs of a query, as [`Self::read`] takes them.
    pub fn pairs(&self) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        if let Some(language) = self.language {
            pairs.append_pair("language", language.tag());
        }
        if let Some(dates) = self.dates {
            pairs.append_pair("dates", dates.word());
        }
        if let Some(theme) = self.theme {
            pairs.append_pair("theme", theme.word());
        }
        if self.no_keys {
            pairs.append_pair("keys", "off");
        }
        pairs.finish()
    }

    /// The cookie that keeps them; `secure`: for https only.
    pub fn cookie(&self, secure: bool) -> Cookie<'static> {
        Cookie::build((COOKIE, self.pairs()))
            .path("/")
            .http_only(true)
            .secure(secure)
            .same_site(SameSite::Lax)
            .max_age(KEPT_FOR.try_into().unwrap_or_default())
            .build()
    }

    /// How the reader is spoken to: as chosen, else as their browser asks for.
    pub fn locale(&self, headers: &HeaderMap) -> Locale {
        let wishes = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|header| header.to_str().ok())
            .unwrap_or_default();
        let language = self.language.unwrap_or_else(|| Language::liked(wishes));
        Locale {
            language,
            dates: self.dates.unwrap_or_else(|| language.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(cookie: &str, wishes: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).expect("a header"));
        headers.insert(
            header::ACCEPT_LANGUAGE,
            HeaderValue::from_str(wishes).expect("a header"),
        );
        headers
    }

    #[test]
    fn what_was_chosen_comes_back_from_the_cookie() {
        let chosen = Preferences {
            language: Some(Language::German),
            dates: Some(Dates::Iso),
            theme: Some(Theme::Dark),
            no_keys: true,
        };
        let cookie = chosen.cookie(true);
        assert!(cookie.secure() == Some(true) && cookie.http_only() == Some(true));
        let sent = format!("a=b; {}={}", cookie.name(), cookie.value());
        assert_eq!(Preferences::of_browser(&headers(&sent, "en")), chosen);
        assert_eq!(Preferences::default().cookie(false).value(), "");
    }

    #[test]
    fn a_choice_goes_before_the_browser_and_nonsense_is_none() {
        for (cookie, wishes, language, dates) in [
            ("", "de", Language::German, Dates::German),
            (
                "portico-preferences=language=en",
                "de",
                Language::English,
                Dates::English,
            ),
            ("portico-preferences=dates=iso", "de", Language::German, Dates::Iso),
            (
                "portico-preferences=language=%22%3E%3Cscript%3E",
                "fr",
                Language::English,
                Dates::English,
            ),
        ] {
            let headers = headers(cookie, wishes);
            let locale = Preferences::of_browser(&headers).locale(&headers);
            assert_eq!((locale.language, locale.dates), (language, dates), "{cookie} {wishes}");
        }
    }
}
