//! What is never shown, whoever asks for an explanation.

use url::Url;

/// What is shown in place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Parts of names of keys and variables that hold secrets, in lower case without `-` and `_`.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "pasword",
    "passphrase",
    "secret",
    "token",
    "privatekey",
    "apikey",
    "accesskey",
    "credential",
    "authorization",
    "cookie",
    "headers",
    "connectionstring",
];

/// True where a key, header or variable of this name most likely holds a secret.
pub(super) fn looks_secret(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    WORDS.iter().any(|word| name.contains(word))
}

/// A text without what must not be seen in any text: passwords in addresses, private keys.
pub(super) fn cleaned(text: &str) -> String {
    if text.contains("PRIVATE KEY") {
        return HIDDEN.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return text.to_owned();
    };
    let secret_query = url.query_pairs().any(|(name, _)| looks_secret(&name));
    if url.username().is_empty() && url.password().is_none() && !secret_query {
        return text.to_owned();
    }
    // A user without a password may be a token.
    let hidden = match (url.username().is_empty(), url.password().is_some()) {
        (_, true) => url.set_password(Some("hidden")),
        (false, false) => url.set_username("hidden"),
        (true, false) => Ok(()),
    };
    if hidden.is_err() {
        return HIDDEN.to_owned();
    }
    if secret_query {
        url.set_query(Some("hidden"));
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_names() {
        for (name, secret) in [
            ("clientSecret", true),
            ("serviceAccountToken", true),
            ("private_key", true),
            ("X-Api-Key", true),
            ("GITHUB_TOKEN", true),
            ("password", true),
            ("key", false),
            ("host", false),
            ("processingInterval", false),
        ] {
            assert_eq!(looks_secret(name), secret, "{name}");
        }
    }

    #[test]
    fn addresses_lose_their_passwords() {
        for (text, expected) in [
            ("postgres://a:hunter2@db/x", "postgres://a:hidden@db/x"),
            ("https://hunter2@h/", "https://hidden@h/"),
            ("https://h/?access_token=hunter2", "https://h/?hidden"),
            ("https://h/?page=2", "https://h/?page=2"),
            ("-----BEGIN RSA PRIVATE KEY-----\nhunter2", HIDDEN),
            ("a: b", "a: b"),
        ] {
            assert_eq!(cleaned(text), expected);
        }
    }
}
