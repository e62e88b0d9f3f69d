//! `proxy`: systems that templates may send requests to by a name of the configuration.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use crate::config::values::Secret;

/// `proxy.endpoints`, or the older form with the endpoints below `proxy` itself.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    /// By path, with a slash in front and none at the end.
    pub endpoints: BTreeMap<String, ProxyEndpoint>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyEndpoint {
    /// Address that takes the place of the path.
    pub target: Url,
    /// Set on every request; credentials stand here.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<Secret>>,
    /// All methods where it is not given.
    pub allowed_methods: Option<Vec<String>>,
    /// Headers of the request that are passed on beside those that are harmless.
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    /// Regular expressions over `/api/proxy/<path>/…` and what takes the place of what they match.
    pub path_rewrite: Option<BTreeMap<String, String>>,
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut given = match Option::<serde_json::Map<String, Value>>::deserialize(deserializer)? {
            Some(given) => given,
            None => return Ok(Self::default()),
        };
        let mut entries: Vec<(String, Value)> = Vec::new();
        if let Some(endpoints) = given.shift_remove("endpoints") {
            match endpoints {
                Value::Object(endpoints) => entries.extend(endpoints),
                Value::Null => {}
                _ => return Err(D::Error::custom("endpoints must be an object with a path for each key")),
            }
        }
        entries.extend(given.into_iter().filter(|(key, _)| key.starts_with('/')));
        let mut endpoints = BTreeMap::new();
        for (path, value) in entries {
            let value = match value {
                Value::String(target) => serde_json::json!({ "target": target }),
                // Its variable is not set.
                Value::Null => continue,
                other => other,
            };
            let endpoint: ProxyEndpoint = serde_json::from_value(value)
                .map_err(|error| D::Error::custom(format!("the endpoint {path}: {error}")))?;
            if !matches!(endpoint.target.scheme(), "http" | "https") || endpoint.target.host_str().is_none() {
                return Err(D::Error::custom(format!(
                    "the endpoint {path}: target must start with http:// or https://"
                )));
            }
            endpoints.insert(format!("/{}", path.trim_matches('/')), endpoint);
        }
        Ok(Self { endpoints })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_are_read() {
        let read = |value: Value| serde_json::from_value::<Proxy>(value).map_err(|error| error.to_string());
        let proxy = read(json!({
            "endpoints": {"/a/": "https://a.test/api", "b": {"target": "https://b.test", "headers": {"x": "1", "y": null}}},
            "/c": {"target": "http://c.test", "allowedMethods": ["GET"]},
            "reviveConsumedRequestBodies": true,
        }))
        .unwrap();
        assert_eq!(proxy.endpoints.keys().collect::<Vec<_>>(), ["/a", "/b", "/c"]);
        assert_eq!(proxy.endpoints["/b"].headers.len(), 2);
        for (wrong, part) in [
            (json!({"/a": "ftp://a.test"}), "the endpoint /a: target"),
            (
                json!({"/a": {"headers": {}}}),
                "the endpoint /a: missing field `target`",
            ),
            (json!({"endpoints": []}), "endpoints must be an object"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(read(Value::Null).unwrap().endpoints.is_empty());
    }
}
