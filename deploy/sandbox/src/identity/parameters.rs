//! Parameters of OAuth requests, from a query or a form.

use std::collections::BTreeMap;

/// Name and value; a name that comes twice is an error, as RFC 6749 3.1 wants.
#[derive(Debug, Default, Clone)]
pub struct Parameters {
    values: BTreeMap<String, String>,
    duplicate: bool,
}

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` bytes.
    pub fn read(bytes: &[u8]) -> Self {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            read.duplicate |= read.values.insert(name.into_owned(), value.into_owned()).is_some();
        }
        read
    }

    /// A value that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a name came twice.
    pub fn has_duplicate(&self) -> bool {
        self.duplicate
    }

    /// All of them as a query again.
    pub fn to_query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.values)
            .finish()
    }
}
