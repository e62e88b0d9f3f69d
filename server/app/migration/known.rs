//! What is known of actions and annotations of Backstage that are not, or not quite, the portal's.

use super::Verdict;

/// A name, or the beginning of names where it ends with `*`.
pub(super) type Known = (&'static str, Verdict, &'static str);

use Verdict::{Differs, Missing, Works};

/// Actions that the portal has and that do not do quite the same, and those that it does not have.
#[rustfmt::skip]
pub(super) const ACTIONS: &[Known] = &[
    ("cnoe:kubernetes:apply", Differs, "certificates are always checked, and no token is written to the log; name a cluster of kubernetes.clusterLocatorMethods"),
    ("kube:apply", Differs, "it is cnoe:kubernetes:apply: name a cluster of kubernetes.clusterLocatorMethods"),
    ("cnoe:create-argocd-app", Differs, "a second run finds its own Application; one of the same name that somebody else made fails the step"),
    ("publish:gitea", Differs, "a second run finds its own repository; one of the same name that somebody else made fails the step"),
    ("http:backstage:request", Differs, "paths below /api/proxy/ go to proxy.endpoints; whole addresses only to scaffolder.http.allowedHosts"),
    ("catalog:write", Works, ""),
    ("publish:gitlab*", Missing, "GitLab is not spoken to: use publish:gitea or publish:github"),
    ("gitlab:*", Missing, "GitLab is not spoken to: use publish:gitea or publish:github"),
    ("publish:bitbucket*", Missing, "Bitbucket is not spoken to: use publish:gitea or publish:github"),
    ("publish:azure*", Missing, "Azure DevOps is not spoken to: use publish:gitea or publish:github"),
    ("publish:gerrit*", Missing, "Gerrit is not spoken to: use publish:gitea or publish:github"),
    ("github:webhook", Missing, "the portal asks for the webhooks that it needs itself; others by http:backstage:request"),
    ("github:*", Missing, "use http:backstage:request with GitHub's API in proxy.endpoints"),
    ("publish:*", Missing, "use publish:gitea or publish:github"),
    ("fetch:cookiecutter", Missing, "use fetch:template with cookiecutterCompat: true"),
    ("fetch:rails", Missing, "use fetch:template with files of your own"),
    ("confluence:*", Missing, "use http:backstage:request with Confluence's API in proxy.endpoints"),
    ("sentry:*", Missing, "use http:backstage:request with Sentry's API in proxy.endpoints"),
    ("notification:send", Missing, "use http:backstage:request with your chat's API in proxy.endpoints"),
    ("roadiehq:*", Missing, "the actions of roadiehq:utils that the page /create/actions lists are there"),
    ("*", Missing, "use one of the actions on the page /create/actions, or http:backstage:request"),
];

const OTHER_SYSTEM: &str = "the portal has no card for that system: put an address into metadata.links";

/// Annotations that are known; the first that fits counts.
#[rustfmt::skip]
pub(super) const ANNOTATIONS: &[Known] = &[
    ("backstage.io/techdocs-ref", Differs, "the portal renders the Markdown of the repository itself; plugins of MkDocs are not run"),
    ("backstage.io/techdocs-entity", Works, ""),
    ("backstage.io/techdocs-entity-path", Works, ""),
    ("backstage.io/source-location", Works, ""),
    ("backstage.io/view-url", Works, ""),
    ("backstage.io/edit-url", Works, ""),
    ("backstage.io/source-template", Works, ""),
    ("backstage.io/managed-by-*", Differs, "the portal sets it itself when it reads the file: leave it out"),
    ("backstage.io/orphan", Differs, "the portal sets it itself: leave it out"),
    ("backstage.io/kubernetes-*", Missing, "workloads are not searched by labels: what the Application of argocd/app-name rolls out is shown"),
    ("backstage.io/ldap-*", Missing, "users are not read from LDAP: describe them in a file"),
    ("backstage.io/code-coverage", Missing, OTHER_SYSTEM),
    ("argocd/app-name", Works, ""),
    ("argocd/app-selector", Works, ""),
    ("argocd/*", Missing, "Applications of portico.argocd.namespace are found by argocd/app-name or argocd/app-selector"),
    ("github.com/user-login", Works, ""),
    ("github.com/*", Missing, "commits and pull requests are found by backstage.io/source-location; workflows are not shown"),
    ("gitlab.com/*", Missing, "GitLab is not spoken to; put its address into metadata.links"),
    ("jenkins.io/*", Missing, OTHER_SYSTEM),
    ("sonarqube.org/*", Missing, OTHER_SYSTEM),
    ("pagerduty.com/*", Missing, OTHER_SYSTEM),
    ("sentry.io/*", Missing, OTHER_SYSTEM),
    ("grafana/*", Missing, OTHER_SYSTEM),
    ("snyk.io/*", Missing, OTHER_SYSTEM),
    ("jira/*", Missing, OTHER_SYSTEM),
    ("apache.org/*", Missing, "there are no pages for Spark: put an address into metadata.links"),
    ("terraform/*", Missing, "there are no pages for Terraform: put an address into metadata.links"),
];

/// The first entry that fits.
pub(super) fn find(known: &'static [Known], name: &str) -> Option<&'static Known> {
    known.iter().find(|(pattern, ..)| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}
