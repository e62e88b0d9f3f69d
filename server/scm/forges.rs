//! The configured forges, picked by host.

use std::sync::Arc;

use url::Url;

use super::address::{self, Address, Place};
use super::{Forgejo, ForgejoConfig, Github, GithubConfig, Located, Repository, Scm, ScmError, Source};

/// All configured forges. Cheap to clone.
#[derive(Clone)]
pub struct Forges {
    entries: Arc<Vec<Entry>>,
}

/// One integration.
#[derive(Clone)]
struct Entry {
    /// Host as configured, with its port.
    host: String,
    /// Host of the `baseUrl`.
    base_host: String,
    /// Path segments of the `baseUrl`.
    prefix: Vec<String>,
    /// Identity of the forge: the `baseUrl` without a trailing slash.
    forge: String,
    scm: Arc<dyn Scm>,
    /// How addresses of files look there.
    grammar: Grammar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    Forgejo,
    Github,
}

/// What a template's `repoUrl` names: the forge, the owner where there is one, the name.
pub type RepoUrl = (Arc<dyn Scm>, Option<String>, String);

/// The settings of an integration are wrong; the text names the entry and the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("integrations.{kind}, host {host}: {reason}")]
pub struct ForgeSettingsError {
    /// `gitea` or `github`.
    pub kind: &'static str,
    pub host: String,
    pub reason: String,
}

impl Forges {
    /// One forge for each distinct `baseUrl`; entries that share a `baseUrl` are hosts of one forge.
    /// Where they differ in account, the first one counts. `http` is used for all requests.
    pub fn new(settings: Vec<ForgejoConfig>, http: reqwest::Client) -> Result<Self, ForgeSettingsError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(settings.len());
        for config in settings {
            let fail = |reason: String| ForgeSettingsError {
                kind: "gitea",
                host: config.host.clone(),
                reason,
            };
            let base = checked_base(&config.base_url).map_err(fail)?;
            let forge = base.as_str().trim_end_matches('/').to_owned();
            let base_host = address::host_of(&base).unwrap_or_default();
            let prefix = base
                .path()
                .split('/')
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect();
            let own_port = if base.scheme() == "https" { ":443" } else { ":80" };
            let host = config.host.to_lowercase();
            let host = host.strip_suffix(own_port).unwrap_or(&host).to_owned();
            let scm = match entries.iter().find(|entry| entry.forge == forge) {
                Some(entry) => entry.scm.clone(),
                None => Arc::new(Forgejo::new(forge.clone(), base_host.clone(), config, http.clone())) as Arc<dyn Scm>,
            };
            entries.push(Entry {
                host,
                base_host,
                prefix,
                forge,
                scm,
                grammar: Grammar::Forgejo,
            });
        }
        Ok(Self {
            entries: Arc::new(entries),
        })
    }

    /// With GitHubs besides. To be called where tokio runs: a GitHub's client has a task of its own.
    pub fn and_github(self, settings: Vec<GithubConfig>, http: &reqwest::Client) -> Result<Self, ForgeSettingsError> {
        let mut entries = Vec::with_capacity(settings.len());
        for config in settings {
            let fail = |reason: String| ForgeSettingsError {
                kind: "github",
                host: config.host.clone(),
                reason,
            };
            let api = Url::parse(&config.api_base_url)
                .map_err(|error| fail(format!("apiBaseUrl {:?} is not a URL: {error}", config.api_base_url)))?;
            // Whoever has an API without TLS, in a laboratory, has the pages and repositories so.
            let base = checked_base(&format!("{}://{}", api.scheme(), config.host)).map_err(fail)?;
            let forge = base.as_str().trim_end_matches('/').to_owned();
            let host = address::host_of(&base).unwrap_or_default();
            let scm = Github::new(forge.clone(), config.clone(), http.clone()).map_err(fail)?;
            entries.push(Entry {
                host: host.clone(),
                base_host: host,
                prefix: Vec::new(),
                forge,
                scm: Arc::new(scm),
                grammar: Grammar::Github,
            });
        }
        let mut all = Arc::try_unwrap(self.entries).unwrap_or_else(|shared| shared.to_vec());
        all.extend(entries);
        Ok(Self { entries: Arc::new(all) })
    }

    /// What a web URL names: `…/<owner>/<name>/(src|raw)/(branch|tag|commit)/<ref>/<path>`, or a repository
    /// with or without `.git`. Hosts are compared port included. Behind the host of a `baseUrl` its path is
    /// required; behind an alias (an integration whose host differs from its `baseUrl`) any prefix is dropped.
    ///
    /// The reference is taken to be one segment; for branch names with slashes see [`Forges::resolve_reference`].
    pub fn locate(&self, url: &str) -> Result<Located, ScmError> {
        let address = Address::parse(url)?;
        let mut known = false;
        for entry in self.matching(&address.host) {
            known = true;
            let place = if entry.grammar == Grammar::Github {
                Place::github(&address.segments)
            } else if address.host == entry.base_host {
                address
                    .segments
                    .strip_prefix(entry.prefix.as_slice())
                    .and_then(Place::strict)
            } else {
                Place::anywhere(&address.segments)
            };
            if let Some(place) = place {
                return Ok(entry.located(place));
            }
        }
        if known {
            let expected = "expected <owner>/<name>, or <owner>/<name>/src/branch/<branch>/<path> behind the forge's own path (on GitHub \
                            <owner>/<name>/blob/<branch>/<path>)";
            return Err(address::invalid(url, expected));
        }
        Err(ScmError::UnknownHost { host: address.host })
    }

    /// The same place with a reference that exists: where the forge knows no branch, tag or commit of the
    /// first segment's name, the segments after it are tried as parts of the name (`feature/login`).
    /// Unchanged where nothing fits. Costs a request or more; meant for when reading answered `NotFound`.
    pub async fn resolve_reference(&self, located: &Located) -> Result<Located, ScmError> {
        // As many segments as branch names have in practice.
        const LONGEST: usize = 5;
        let Some(first) = located.source.reference.clone() else {
            return Ok(located.clone());
        };
        let segments: Vec<&str> = located.source.path.split('/').filter(|s| !s.is_empty()).collect();
        for taken in 0..=segments.len().min(LONGEST) {
            let mut reference = first.clone();
            for segment in &segments[..taken] {
                reference.push('/');
                reference.push_str(segment);
            }
            match located.forge.commit(&located.source.repository, &reference).await {
                Ok(_) => {
                    let mut found = located.clone();
                    found.source.reference = Some(reference);
                    found.source.path = segments[taken..].join("/");
                    return Ok(found);
                }
                Err(ScmError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(located.clone())
    }

    /// The repository that a URL names or lies in, by whichever of the forge's hosts; `None` for anything else.
    /// Two URLs of one repository give equal values, so an Application's `repoURL` is compared through this.
    pub fn repository_of(&self, url: &str) -> Option<Repository> {
        self.locate(url).ok().map(|located| located.source.repository)
    }

    /// Address for `git clone` of the repository that a URL names, on the forge's `baseUrl`: what a URL on an
    /// alias host stands for.
    pub fn clone_url_of(&self, url: &str) -> Result<String, ScmError> {
        let located = self.locate(url)?;
        Ok(located.forge.clone_url(&located.source.repository))
    }

    /// The forge of an integration, by its host with the port.
    pub fn forge_by_host(&self, host: &str) -> Result<Arc<dyn Scm>, ScmError> {
        let found = self.matching(host).next().map(|entry| entry.scm.clone());
        found.ok_or_else(|| ScmError::UnknownHost { host: host.to_owned() })
    }

    /// The forge of a repository.
    pub fn forge_of(&self, repository: &Repository) -> Result<Arc<dyn Scm>, ScmError> {
        self.forge_at(&repository.forge)
    }

    /// The forge that repositories name so.
    pub fn forge_at(&self, base: &str) -> Result<Arc<dyn Scm>, ScmError> {
        let found = self.entries.iter().find(|entry| entry.forge == base);
        found
            .map(|entry| entry.scm.clone())
            .ok_or_else(|| ScmError::UnknownHost { host: base.to_owned() })
    }

    /// Reads a template's `repoUrl`, `<host>[/path]?repo=<name>[&owner=<owner>]` (as
    /// `@backstage/plugin-scaffolder-node` parses it; a path such as `/gitea` is ignored, as CNOE's action does):
    /// the forge, the owner where one is named, and the name.
    pub fn parse_repo_url(&self, repo_url: &str) -> Result<RepoUrl, ScmError> {
        let fail = |reason: &str| address::invalid(repo_url, reason);
        if repo_url.contains("://") {
            return Err(fail("a repoUrl starts with the host, without a scheme"));
        }
        let address = Address::parse(&format!("https://{repo_url}"))?;
        let name = address
            .query_value("repo")
            .ok_or_else(|| fail("the query names no repo: <host>?repo=<name>"))?;
        let owner = address.query_value("owner");
        for (what, text) in [("repo", Some(name)), ("owner", owner)] {
            if text.is_some_and(|text| !address::is_name(text)) {
                return Err(fail(&format!(
                    "the {what} may have letters, digits, - _ and . only, 100 at most"
                )));
            }
        }
        let name = name.to_owned();
        let owner = owner.map(str::to_owned);
        let entry = self
            .matching(&address.host)
            .next()
            .ok_or_else(|| ScmError::UnknownHost {
                host: address.host.clone(),
            })?;
        Ok((entry.scm.clone(), owner, name))
    }

    /// Entries that a host belongs to: those that name it, then those whose `baseUrl` is there, so that the
    /// addresses that we make ourselves are understood too.
    fn matching<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Entry> {
        let named = self.entries.iter().filter(move |entry| entry.host == host);
        let based = self
            .entries
            .iter()
            .filter(move |entry| entry.base_host == host && entry.host != host);
        named.chain(based)
    }
}

impl Entry {
    fn located(&self, place: Place) -> Located {
        Located {
            forge: self.scm.clone(),
            source: Source {
                repository: Repository {
                    forge: self.forge.clone(),
                    owner: place.owner,
                    name: place.name,
                },
                reference: place.reference,
                path: place.path,
            },
        }
    }
}

fn checked_base(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("baseUrl {text:?} is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("baseUrl must start with http:// or https:// and name a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("baseUrl must not contain credentials; use username and password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("baseUrl must not have a query or fragment".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base_url: &str, host: &str) -> ForgejoConfig {
        ForgejoConfig {
            base_url: base_url.to_owned(),
            host: host.to_owned(),
            username: Some("giteaAdmin".to_owned()),
            password: Some("secret".to_owned()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "nothing is sent")]
    fn forges(entries: &[(&str, &str)]) -> Forges {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = entries.iter().map(|(base, host)| config(base, host)).collect();
        Forges::new(settings, reqwest::Client::new()).unwrap()
    }

    #[test]
    fn urls_are_located_by_host_and_prefix() {
        let forges = forges(&[
            ("http://127.0.0.1:7008/", "127.0.0.1:7008"),
            ("http://127.0.0.1:7008", "cnoe.localtest.me:8443"),
            ("https://forge.example/gitea", "forge.example"),
        ]);
        let table = [
            ("http://127.0.0.1:7008/o/n", Some("http://127.0.0.1:7008 o n - ")),
            ("http://127.0.0.1:7008/x/o/n", None),
            (
                "https://cnoe.localtest.me:8443/gitea/o/n",
                Some("http://127.0.0.1:7008 o n - "),
            ),
            (
                "https://cnoe.localtest.me:8443/o/n.git",
                Some("http://127.0.0.1:7008 o n - "),
            ),
            (
                "https://cnoe.localtest.me:8443/gitea/o/n/raw/branch/main/a/b.yaml",
                Some("http://127.0.0.1:7008 o n main a/b.yaml"),
            ),
            ("https://cnoe.localtest.me/gitea/o/n", None),
            (
                "https://forge.example/gitea/o/n/src/tag/v1/",
                Some("https://forge.example/gitea o n v1 "),
            ),
            (
                "https://FORGE.example:443/gitea/o/n",
                Some("https://forge.example/gitea o n - "),
            ),
            ("https://forge.example/o/n", None),
            ("https://forge.example/giteax/o/n", None),
            ("https://forge.example.evil.test/gitea/o/n", None),
        ];
        for (url, expected) in table {
            let found = forges.locate(url).ok().map(|located| {
                let source = located.source;
                let reference = source.reference.as_deref().unwrap_or("-");
                let repository = source.repository;
                format!(
                    "{} {} {} {reference} {}",
                    repository.forge, repository.owner, repository.name, source.path
                )
            });
            assert_eq!(found.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn two_hosts_of_a_forge_name_one_repository() {
        let forges = forges(&[
            ("http://127.0.0.1:7008", "127.0.0.1:7008"),
            ("http://127.0.0.1:7008/", "cnoe.localtest.me:8443"),
        ]);
        let one = forges.repository_of("https://cnoe.localtest.me:8443/gitea/o/n");
        assert!(one.is_some());
        assert_eq!(one, forges.repository_of("http://127.0.0.1:7008/o/n.git"));
        assert_eq!(
            forges.clone_url_of("https://cnoe.localtest.me:8443/gitea/o/n").unwrap(),
            "http://127.0.0.1:7008/o/n.git"
        );
        assert!(forges.forge_of(&one.unwrap()).is_ok());
    }

    #[test]
    fn repo_urls_are_read() {
        let forges = forges(&[("http://127.0.0.1:7008", "cnoe.localtest.me:8443")]);
        let table = [
            ("cnoe.localtest.me:8443/gitea?repo=demo", Ok((None, "demo"))),
            (
                "cnoe.localtest.me:8443?owner=team&repo=demo",
                Ok((Some("team"), "demo")),
            ),
            ("cnoe.localtest.me:8443?owner=&repo=demo", Ok((None, "demo"))),
            ("cnoe.localtest.me?repo=demo", Err("no integration")),
            ("cnoe.localtest.me:8443/gitea", Err("no repo")),
            ("cnoe.localtest.me:8443?repo=", Err("no repo")),
            ("cnoe.localtest.me:8443?repo=a%2Fb", Err("letters")),
            ("cnoe.localtest.me:8443?repo=..", Err("letters")),
            ("cnoe.localtest.me:8443?repo=a&owner=../x", Err("letters")),
            ("user:pw@cnoe.localtest.me:8443?repo=a", Err("user name")),
            ("https://cnoe.localtest.me:8443?repo=a", Err("without a scheme")),
        ];
        for (text, expected) in table {
            match (forges.parse_repo_url(text), expected) {
                (Ok((_, owner, name)), Ok(expected)) => {
                    assert_eq!((owner.as_deref(), name.as_str()), expected, "{text}")
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
                (found, _) => panic!("{text}: {:?}", found.map(|(_, owner, name)| (owner, name))),
            }
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for base in [
            "forge.example",
            "ftp://forge.example",
            "https://u:p@forge.example",
            "https://forge.example?x=1",
        ] {
            #[expect(clippy::disallowed_methods, reason = "nothing is sent")]
            let made = Forges::new(vec![config(base, "forge.example")], reqwest::Client::new());
            let error = made.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                error.contains("baseUrl") && error.contains("forge.example") && !error.contains("u:p"),
                "{error}"
            );
        }
    }
}
