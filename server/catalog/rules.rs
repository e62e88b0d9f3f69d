//! What the configuration says of the catalog: locations, and which kinds a location may define.

use std::time::Duration;

use chrono::TimeDelta;
use globset::Glob;
use serde_json::Value;

use super::Discovery;
use super::kinds::Kinds;

/// `catalog:` of the configuration.
#[derive(Debug, Clone)]
pub struct CatalogConfig {
    /// `catalog.locations`.
    pub locations: Vec<ConfiguredLocation>,
    /// `catalog.providers.gitea`.
    pub discoveries: Vec<Discovery>,
    /// `catalog.rules`; `None` allows Component, API and Location.
    pub rules: Option<Vec<Rule>>,
    /// `catalog.processingInterval`: each location is read again after one to one and a half of it;
    /// `None` (`false` in the configuration) stops polling.
    pub interval: Option<Duration>,
    /// `catalog.readonly`: nothing is registered or deleted from within the portal.
    pub readonly: bool,
    /// `catalog.import.entityFilename`: name of description files.
    pub entity_filename: String,
    /// `catalog.import.pullRequestBranchName`: branch of pull requests that propose one.
    pub proposal_branch: String,
    /// How long an entity stays whose source has disappeared; centuries for ever.
    pub orphan_grace: TimeDelta,
    /// Those of Backstage, and `portico.catalog.kinds`.
    pub kinds: Kinds,
    /// `app.baseUrl`, for links from elsewhere; without a slash at the end.
    pub base_url: String,
}

impl Default for CatalogConfig {
    fn default() -> Self {
        Self {
            locations: Vec::new(),
            discoveries: Vec::new(),
            rules: None,
            interval: Some(Duration::from_secs(100)),
            readonly: false,
            entity_filename: "catalog-info.yaml".to_owned(),
            proposal_branch: "portico-integration".to_owned(),
            orphan_grace: TimeDelta::days(1),
            kinds: Kinds::default(),
            base_url: String::new(),
        }
    }
}

/// One of `catalog.locations`.
#[derive(Debug, Clone)]
pub struct ConfiguredLocation {
    /// `url` or `file`.
    pub kind: String,
    /// URL, or absolute path (globs allowed) of a file on the server.
    pub target: String,
    /// `rules` of the location: allowed for it in addition to the general ones.
    pub rules: Vec<Rule>,
}

/// `{allow: […], locations?: […]}`.
#[derive(Debug, Clone)]
pub struct Rule {
    pub allow: Vec<Allow>,
    /// `None`: any location.
    pub locations: Option<Vec<LocationMatch>>,
}

/// `Component`, or `{kind: Component, spec.type: website}`; compared ignoring case.
#[derive(Debug, Clone)]
pub struct Allow {
    pub kind: String,
    pub spec_type: Option<String>,
}

impl Allow {
    pub fn kind(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            spec_type: None,
        }
    }
}

/// `{type, exact}` or `{type, pattern}`.
#[derive(Debug, Clone)]
pub struct LocationMatch {
    pub kind: Option<String>,
    pub exact: Option<String>,
    /// Glob over the target.
    pub pattern: Option<String>,
}

/// Decides which entities the files below a location may hold
/// (`DefaultCatalogRulesEnforcer` of `@backstage/plugin-catalog-backend` 4.0.0).
#[derive(Debug, Clone)]
pub struct Rules(Vec<Rule>);

impl Rules {
    pub fn new(config: &CatalogConfig) -> Self {
        let mut rules = config.rules.clone().unwrap_or_else(|| {
            vec![Rule {
                allow: ["Component", "API", "Location"].map(Allow::kind).to_vec(),
                locations: None,
            }]
        });
        for location in &config.locations {
            for rule in &location.rules {
                rules.push(Rule {
                    allow: rule.allow.clone(),
                    locations: Some(vec![LocationMatch {
                        kind: Some(location.kind.clone()),
                        exact: Some(location.target.clone()),
                        pattern: None,
                    }]),
                });
            }
        }
        Self(rules)
    }

    /// Allows each of these kinds everywhere.
    pub fn allowing<'a>(kinds: impl IntoIterator<Item = &'a str>) -> Self {
        Self(vec![Rule {
            allow: kinds.into_iter().map(Allow::kind).collect(),
            locations: None,
        }])
    }

    /// May files below the registered location `kind:target` define this entity?
    pub fn allows(&self, entity: &Value, kind: &str, target: &str) -> bool {
        self.0.iter().any(|rule| {
            rule.locations
                .as_ref()
                .is_none_or(|list| list.iter().any(|location| location.matches(kind, target)))
                && rule.allow.iter().any(|allow| allow.matches(entity))
        })
    }
}

impl LocationMatch {
    fn matches(&self, kind: &str, target: &str) -> bool {
        self.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && self.exact.as_ref().is_none_or(|exact| exact == target)
            && self
                .pattern
                .as_ref()
                // A pattern that is not one matches nothing: it allows less, never more.
                .is_none_or(|pattern| Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(target)))
    }
}

impl Allow {
    fn matches(&self, entity: &Value) -> bool {
        let same = |pointer: &str, wanted: &str| {
            entity
                .pointer(pointer)
                .and_then(Value::as_str)
                .is_some_and(|text| text.eq_ignore_ascii_case(wanted))
        };
        same("/kind", &self.kind) && self.spec_type.as_ref().is_none_or(|wanted| same("/spec/type", wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn locations_extend_what_all_may_define() {
        let config = CatalogConfig {
            locations: vec![ConfiguredLocation {
                kind: "url".to_owned(),
                target: "https://a/x.yaml".to_owned(),
                rules: vec![Rule {
                    allow: vec![
                        Allow::kind("User"),
                        Allow {
                            kind: "template".to_owned(),
                            spec_type: Some("service".to_owned()),
                        },
                    ],
                    locations: None,
                }],
            }],
            ..CatalogConfig::default()
        };
        let rules = Rules::new(&config);
        let table = [
            (json!({"kind": "Component"}), "https://b", true),
            (json!({"kind": "User"}), "https://b", false),
            (json!({"kind": "User"}), "https://a/x.yaml", true),
            (
                json!({"kind": "Template", "spec": {"type": "service"}}),
                "https://a/x.yaml",
                true,
            ),
            (
                json!({"kind": "Template", "spec": {"type": "other"}}),
                "https://a/x.yaml",
                false,
            ),
        ];
        for (entity, target, allowed) in table {
            assert_eq!(rules.allows(&entity, "url", target), allowed, "{entity} {target}");
        }
        let pattern = LocationMatch {
            kind: None,
            exact: None,
            pattern: Some("https://a/**".to_owned()),
        };
        assert!(pattern.matches("url", "https://a/b/c") && !pattern.matches("url", "https://b/c"));
    }
}
