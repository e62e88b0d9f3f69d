//! Which language a reader is spoken to in, and how numbers and dates are written there.

use std::any::Any;

use chrono::{DateTime, Utc};

use super::Text;

/// A language that the pages exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    German,
}

/// How exact dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dates {
    #[default]
    English,
    German,
    Iso,
}

/// How one reader is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Locale {
    pub language: Language,
    pub dates: Dates,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::German];
    /// So many entries of a browser's wishes are read; nobody has more.
    const WISHES: usize = 32;

    /// For `lang` and `Content-Language` (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Its name in itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// The language of a tag: `de`, `de-AT`, `EN-us`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// What a browser likes best of what there is, by its header `Accept-Language` (RFC 9110, 12.5.4): the highest
    /// weight, and the first of equals. English where it likes neither.
    pub fn liked(header: &str) -> Self {
        let mut best: Option<(Self, f32)> = None;
        for wish in header.split(',').take(Self::WISHES) {
            let (tag, parameters) = wish.split_once(';').unwrap_or((wish, ""));
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(weight) => weight.trim().parse().unwrap_or(0.0),
                None => 1.0_f32,
            };
            let language = match tag.trim() {
                "*" => Some(Self::default()),
                tag => Self::of_tag(tag),
            };
            if let Some(language) = language
                && weight > best.map_or(0.0, |(_, weight)| weight)
            {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language).unwrap_or_default()
    }
}

impl Dates {
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::Iso];

    /// For cookies and forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Iso => "iso",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dates| dates.word() == word)
    }

    /// A locale of browsers (BCP 47) that writes dates in this way; Swedish dates are ISO 8601's.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en-GB",
            Self::German => "de",
            Self::Iso => "sv",
        }
    }

    /// A day, written so.
    pub fn day(self, at: &DateTime<Utc>) -> String {
        let pattern = match self {
            Self::English => "%-d %b %Y",
            Self::German => "%d.%m.%Y",
            Self::Iso => "%Y-%m-%d",
        };
        at.format(pattern).to_string()
    }
}

impl From<Language> for Dates {
    fn from(language: Language) -> Self {
        match language {
            Language::English => Self::English,
            Language::German => Self::German,
        }
    }
}

impl Locale {
    /// Renders a page or a part of one in this language.
    pub fn render(self, template: &impl askama::Template) -> askama::Result<String> {
        template.render_with_values(&self)
    }

    /// A text in this language.
    pub fn say(self, text: &Text) -> String {
        text.said(self)
    }

    /// `1,234` or `1.234`.
    pub fn whole(self, number: i64) -> String {
        let separator = match self.language {
            Language::English => ',',
            Language::German => '.',
        };
        let digits = number.unsigned_abs().to_string();
        let mut said = String::from(if number < 0 { "-" } else { "" });
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                said.push(separator);
            }
            said.push(digit);
        }
        said
    }

    /// `1.4` or `1,4`.
    pub fn tenths(self, tenths: i64) -> String {
        let sign = match self.language {
            Language::English => '.',
            Language::German => ',',
        };
        format!("{}{sign}{}", self.whole(tenths / 10), (tenths % 10).abs())
    }

    /// To the second, with its zone: `22 Nov 2026, 09:58:46 UTC`.
    pub fn exact(self, at: &DateTime<Utc>) -> String {
        format!("{}, {} UTC", self.dates.day(at), at.format("%H:%M:%S"))
    }
}

/// The filters find the locale by this name.
pub(super) const NAME: &str = "locale";

impl askama::Values for Locale {
    fn get_value<'a>(&'a self, key: &str) -> Option<&'a dyn Any> {
        (key == NAME).then_some(self as &dyn Any)
    }
}
