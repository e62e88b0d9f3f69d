//! Web addresses of repositories, files and folders, taken apart without trusting them: catalogs and
//! templates are full of them, and some were typed by people who wish us ill.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str};
use url::Url;

use super::ScmError;

/// An `http` or `https` address that was checked: no user information, no way out of its own path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Host with its port, the port left out where it is the scheme's own: what an integration's `host` is compared with.
    pub host: String,
    /// Decoded path segments, none of them empty.
    pub segments: Vec<String>,
    /// Decoded query pairs, in order.
    pub query: Vec<(String, String)>,
}

impl Address {
    /// Reads an address. Refused are other schemes, user information, `..`, encoded slashes and control characters.
    pub fn parse(text: &str) -> Result<Self, ScmError> {
        let fail = |reason: &str| invalid(text, reason);
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(fail("it contains a space, a backslash or a control character"));
        }
        // The parser of the URL standard resolves `..` silently, so the text itself is looked at.
        let path = text.split(['?', '#']).next().unwrap_or_default();
        if path
            .split('/')
            .any(|segment| matches!(decoded(segment).as_deref(), Some("." | "..")))
        {
            return Err(fail("it contains a . or .. segment"));
        }
        let url = Url::parse(text).map_err(|error| invalid(text, &error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail("only http and https are read"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fail("it contains a user name or password"));
        }
        let host = host_of(&url).ok_or_else(|| fail("it names no host"))?;
        let mut segments = Vec::new();
        for segment in url.path().split('/').filter(|segment| !segment.is_empty()) {
            let segment = decoded(segment).ok_or_else(|| fail("a segment is not UTF-8"))?;
            if segment.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
                return Err(fail("a segment contains an encoded slash or control character"));
            }
            segments.push(segment);
        }
        let query = url
            .query_pairs()
            .map(|(k, v)| (k.into_owned(), v.into_owned()))
            .collect();
        Ok(Self { host, segments, query })
    }

    /// The value of a query key, if it is there and not empty.
    pub fn query_value(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, value)| name == key && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// What a segment of a web address keeps as it is.
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a path names on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub owner: String,
    pub name: String,
    pub reference: Option<String>,
    pub path: String,
}

impl Place {
    /// Reads the segments behind the forge's own path prefix: `<owner>/<name>[.git]`, or
    /// `<owner>/<name>/(src|raw)/(branch|tag|commit)/<reference>/<path>`.
    pub fn strict(segments: &[String]) -> Option<Self> {
        match segments {
            [owner, name] => Self::repository(owner, name),
            [_, _, rest @ ..] if marker(rest) => Self::file(segments),
            _ => None,
        }
    }

    /// The same for an alias host, whose path prefix is not known: whatever stands before
    /// `<owner>/<name>/(src|raw)/…` is dropped; of a plain repository address the last two segments count.
    pub fn anywhere(segments: &[String]) -> Option<Self> {
        if let Some(at) = (2..segments.len()).find(|&at| marker(&segments[at..])) {
            return Self::file(&segments[at - 2..]);
        }
        match segments {
            [.., owner, name] => Self::repository(owner, name),
            _ => None,
        }
    }

    /// The same on a GitHub: `<owner>/<name>[.git]`, or `<owner>/<name>/(blob|tree|raw|edit)/<reference>/<path>`.
    pub fn github(segments: &[String]) -> Option<Self> {
        match segments {
            [owner, name] => Self::repository(owner, name),
            [owner, name, view, reference, path @ ..] if matches!(view.as_str(), "blob" | "tree" | "raw" | "edit") => {
                Self::new(owner, name, Some(reference.clone()), path.join("/"))
            }
            _ => None,
        }
    }

    fn repository(owner: &str, name: &str) -> Option<Self> {
        Self::new(owner, name, None, String::new())
    }

    fn file(segments: &[String]) -> Option<Self> {
        match segments {
            [owner, name, _, _, reference, path @ ..] => {
                Self::new(owner, name, Some(reference.clone()), path.join("/"))
            }
            _ => None,
        }
    }

    fn new(owner: &str, name: &str, reference: Option<String>, path: String) -> Option<Self> {
        let name = name.strip_suffix(".git").unwrap_or(name);
        (is_name(owner) && is_name(name)).then(|| Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            reference,
            path,
        })
    }
}

/// A whole SHA-1 commit id.
pub(super) fn is_commit_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What Forgejo and Gitea accept as the name of a user, organisation or repository, roughly: letters, digits, `-_.`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && !matches!(text, "." | "..")
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Host and port as an integration writes them, in lower case, without the scheme's own port.
pub(super) fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

pub(super) fn invalid(url: &str, reason: &str) -> ScmError {
    // Credentials that somebody typed into an address must not reach a log or page through the error.
    let url = match (url.find("://"), url.find('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…@{}", &url[..scheme], &url[at + 1..]),
        _ => url.to_owned(),
    };
    ScmError::InvalidUrl {
        url: url.escape_debug().to_string(),
        reason: reason.to_owned(),
    }
}

fn marker(segments: &[String]) -> bool {
    matches!(
        segments,
        [view, kind, reference, ..]
            if matches!(view.as_str(), "src" | "raw") && matches!(kind.as_str(), "branch" | "tag" | "commit") && !reference.is_empty()
    )
}

fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_addresses_are_refused() {
        let table = [
            "ftp://forge.example/a/b",
            "file:///etc/passwd",
            "https://user:secret@forge.example/a/b",
            "https://user@forge.example/a/b",
            "https://forge.example/a/../b/c",
            "https://forge.example/a/%2e%2e/b/c",
            "https://forge.example/a/.%2E/b/c",
            "https://forge.example/a/b/src/branch/main/..",
            "https://forge.example/a/b%2Fc",
            "https://forge.example/a/b%5cc",
            "https://forge.example/a/b%00",
            "https://forge.example/a/b\nc",
            "https://forge.example\\a\\b",
            "https://forge.example/a/%ff",
            "https:///",
            "not an address",
            "",
        ];
        for text in table {
            let read = Address::parse(text);
            assert!(matches!(read, Err(ScmError::InvalidUrl { .. })), "{text}: {read:?}");
        }
    }

    #[test]
    fn errors_do_not_repeat_credentials() {
        let error = Address::parse("https://user:hunter2@forge.example/a/b")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn hosts_keep_their_port_unless_it_is_the_schemes_own() {
        for (text, host) in [
            ("https://Forge.example:8443/a", "forge.example:8443"),
            ("https://forge.example:443/a", "forge.example"),
            ("http://forge.example:443/a", "forge.example:443"),
            ("http://[::1]:3000/a", "[::1]:3000"),
        ] {
            assert_eq!(
                Address::parse(text).map(|a| a.host).ok().as_deref(),
                Some(host),
                "{text}"
            );
        }
    }

    #[test]
    fn paths_are_taken_apart() {
        let strict = |path: &str| Place::strict(&segments(path)).map(show);
        let anywhere = |path: &str| Place::anywhere(&segments(path)).map(show);
        let github = |path: &str| Place::github(&segments(path)).map(show);
        for (path, expected) in [
            ("o/n", Some("o n - ")),
            ("o/n.git", Some("o n - ")),
            ("o/n/blob/main/a/b.yaml", Some("o n main a/b.yaml")),
            ("o/n/tree/v1", Some("o n v1 ")),
            ("o/n/src/branch/main", None),
            ("o/n/issues/1", None),
        ] {
            assert_eq!(github(path).as_deref(), expected, "github {path}");
        }
        let table = [
            ("o/n", Some("o n - "), Some("o n - ")),
            ("o/n.git", Some("o n - "), Some("o n - ")),
            ("o/n/src/branch/main", Some("o n main "), Some("o n main ")),
            (
                "o/n/raw/tag/v1/a/b.yaml",
                Some("o n v1 a/b.yaml"),
                Some("o n v1 a/b.yaml"),
            ),
            ("gitea/o/n", None, Some("o n - ")),
            ("gitea/o/n/src/branch/main/x", None, Some("o n main x")),
            (
                "o/n/src/branch/m/src/branch/x",
                Some("o n m src/branch/x"),
                Some("o n m src/branch/x"),
            ),
            (
                "src/branch/src/branch/main/x",
                Some("src branch main x"),
                Some("src branch main x"),
            ),
            ("o/n/wiki", None, Some("n wiki - ")),
            ("o", None, None),
            ("", None, None),
            ("o/n m", None, None),
        ];
        for (path, expected_strict, expected_anywhere) in table {
            assert_eq!(strict(path).as_deref(), expected_strict, "strict {path}");
            assert_eq!(anywhere(path).as_deref(), expected_anywhere, "anywhere {path}");
        }
    }

    fn segments(path: &str) -> Vec<String> {
        path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect()
    }

    fn show(place: Place) -> String {
        let reference = place.reference.as_deref().unwrap_or("-");
        format!("{} {} {reference} {}", place.owner, place.name, place.path)
    }
}
