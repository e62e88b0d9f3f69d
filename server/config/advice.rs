//! What becomes of each key that Backstage knows: obeyed, obeyed in another way, or not, and what takes its place.

use std::fmt;

/// What the portal does with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As Backstage does, or as our own documentation says.
    Obeyed,
    /// Obeyed, but not quite as Backstage does: how.
    Differs(String),
    /// Accepted and not used: what to use.
    Ignored(String),
    /// Nothing knows it; the nearest key that something knows.
    Unknown(Option<String>),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obeyed => f.write_str("obeyed"),
            Self::Differs(how) => write!(f, "obeyed, differently: {how}"),
            Self::Ignored(instead) => write!(f, "ignored: {instead}"),
            Self::Unknown(Some(nearest)) => write!(f, "unknown: nothing uses it; is {nearest} meant?"),
            Self::Unknown(None) => f.write_str("unknown: nothing uses it"),
        }
    }
}

/// What to say about a key, and all below it.
#[derive(Debug, Clone, Copy)]
pub struct Advice {
    /// Dotted; `*` is any name, `[]` any place in a list.
    pub key: &'static str,
    pub verdict: Verdict,
    pub says: &'static str,
}

/// Whether a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Differs,
    Ignored,
}

const fn differs(key: &'static str, says: &'static str) -> Advice {
    Advice {
        key,
        verdict: Verdict::Differs,
        says,
    }
}

const fn ignored(key: &'static str, says: &'static str) -> Advice {
    Advice {
        key,
        verdict: Verdict::Ignored,
        says,
    }
}

const FRONTEND: &str = "the pages are part of the program and take no plugins; leave it out";
const CATALOG_INSIDE: &str = "the catalog has one way to do this; leave it out";
const RECOVERY: &str = "tasks always go on after a restart; leave it out";
const OTHER_FORGE: &str =
    "only Forgejo, Gitea and GitHub are spoken to; to read public files name the host in backend.reading.allow";
const STATIC_ONLY: &str = "only tokens of type static are served: give options.token and options.subject";
const TASK_LINKS: &str = "links of its own are not made; put links into metadata.links of entities";

/// The first that fits counts.
#[rustfmt::skip]
pub(super) const ADVICE: &[Advice] = &[
    ignored("app.support", "put links to your support into metadata.links of entities"),
    ignored("app.analytics", "nothing is sent to anybody; read the access log instead"),
    ignored("app.extensions", FRONTEND),
    ignored("app.packages", FRONTEND),
    ignored("app.routes", FRONTEND),
    ignored("backend.csp", "the portal sends a strict policy of its own; leave it out"),
    ignored("backend.cors", "pages and API have one origin; leave it out"),
    ignored("backend.cache", "PostgreSQL keeps what must be shared; leave it out"),
    ignored("backend.https", "the portal speaks plain http; let an ingress or a proxy end TLS in front of it"),
    ignored("backend.lifecycle", "requests have ten seconds to finish when the portal stops"),
    ignored("backend.packages", FRONTEND),
    ignored("backend.actions", "the actions of templates are those on the page /create/actions"),
    ignored("backend.health", "use /.backstage/health/v1/liveness and /.backstage/health/v1/readiness as they are"),
    ignored("backend.rateLimit", "limit requests in the ingress or proxy in front of the portal"),
    ignored("backend.trustProxy", "app.baseUrl says how browsers reach the portal, whatever a proxy adds"),
    ignored("backend.database.knexConfig", "put what the connection needs into backend.database.connection"),
    ignored("backend.database.plugin", "there is one database for all features: backend.database.connection"),
    ignored("backend.database.pluginDivisionMode", "there is one database with one schema for all features"),
    ignored("backend.database.prefix", "name the one database in backend.database.connection.database"),
    ignored("backend.database.ensureSchemaExists", "the portal uses the schema public of a database of its own"),
    ignored("backend.database.connection.ssl.rejectUnauthorized", "certificates are always checked: give the certificate authority in backend.database.connection.ssl.ca"),
    ignored("backend.auth.dangerouslyDisableDefaultAuthPolicy", "callers of the API always need a token: give programs one in backend.auth.externalAccess"),
    ignored("backend.auth.pluginKeyStore", "keys are kept in the database, sealed with backend.auth.keys"),
    ignored("backend.auth.externalAccess[].accessRestrictions", "a static token may call the whole API as its subject: give each program a token of its own"),
    ignored("backend.auth.externalAccess[].options.secret", STATIC_ONLY),
    ignored("backend.auth.externalAccess[].options.url", STATIC_ONLY),
    ignored("backend.auth.externalAccess[].options.issuer", STATIC_ONLY),
    ignored("backend.auth.externalAccess[].options.audience", STATIC_ONLY),
    ignored("backend.auth.externalAccess[].options.algorithm", STATIC_ONLY),
    ignored("backend.auth.externalAccess[].options.subjectPrefix", STATIC_ONLY),
    differs("backend.auth.keys", "they seal what is kept in the database; Backstage signs tokens between plugins with them"),
    ignored("auth.session.secret", "sessions have random keys in the database; leave it out"),
    ignored("auth.autologout", "sessions end after twelve hours without use, and after seven days; leave it out"),
    ignored("auth.experimentalExtraAllowedOrigins", "logins return to app.baseUrl and backend.baseUrl only"),
    ignored("auth.providers.*.*.callbackUrl", "the address is always backend.baseUrl with /api/auth/<provider>/handler/frame; register that with the identity provider"),
    ignored("auth.providers.*.*.tokenEndpointAuthMethod", "the client secret is sent in the Authorization header (client_secret_basic)"),
    ignored("auth.providers.*.*.tokenSignedResponseAlg", "signatures are checked with the keys and algorithms that the identity provider publishes"),
    ignored("auth.providers.*.*.sessionDuration", "sessions end after twelve hours without use, and after seven days; leave it out"),
    ignored("auth.providers.*.*.startUrlSearchParams", "use prompt and additionalScopes"),
    ignored("auth.providers.*.*.timeout", "requests have a fixed time limit; leave it out"),
    differs("auth.providers.*.*.signIn.resolvers[].resolver", "the first one is used: preferredUsernameMatchingUserEntityName or displayName; any other counts as the former"),
    ignored("auth.providers.*.*.signIn.resolvers[].allowedDomains", "say in the identity provider who may log in"),
    ignored("auth.providers.*.*.signIn.resolvers[].dangerouslyAllowSignInWithoutUserInCatalog", "a user without an entity may log in anyway"),
    ignored("catalog.processors", CATALOG_INSIDE),
    ignored("catalog.processorOptions", CATALOG_INSIDE),
    ignored("catalog.orphanProviderStrategy", "use catalog.orphanStrategy and portico.orphanGracePeriod"),
    ignored("catalog.stitchingStrategy", CATALOG_INSIDE),
    ignored("catalog.useUrlReadersSearch", CATALOG_INSIDE),
    ignored("catalog.disableRelationsCompatibility", CATALOG_INSIDE),
    ignored("catalog.enableRelationsCompatibility", CATALOG_INSIDE),
    differs("catalog.orphanStrategy", "delete removes an entity after portico.orphanGracePeriod, not at once"),
    differs("catalog.processingInterval", "webhooks report changes at once; this is how often sources are read when nothing reports one"),
    ignored("catalog.providers.gitea.*.schedule.timeout", "requests have a fixed time limit; leave it out"),
    ignored("catalog.providers.gitea.*.schedule.initialDelay", "the first scan is at the start; leave it out"),
    ignored("catalog.providers.gitea.*.schedule.scope", "a scan is always for all processes; leave it out"),
    ignored("catalog.providers.github", "repositories of GitHub are not found by themselves: name them in catalog.locations"),
    ignored("catalog.providers.githubOrg", "describe users and groups in a file of catalog.locations"),
    ignored("catalog.providers.keycloakOrg", "describe users and groups in a file of catalog.locations"),
    ignored("catalog.providers.ldapOrg", "describe users and groups in a file of catalog.locations"),
    ignored("catalog.providers.microsoftGraphOrg", "describe users and groups in a file of catalog.locations"),
    ignored("scaffolder.taskTimeoutJanitorFrequency", "a step that runs longer than scaffolder.taskTimeout has failed; no cleaning is needed"),
    ignored("scaffolder.auditor", "who ran which template stands on the page of each task; leave it out"),
    ignored("scaffolder.taskRecovery", RECOVERY),
    ignored("scaffolder.EXPERIMENTAL_recoverTasks", RECOVERY),
    ignored("scaffolder.EXPERIMENTAL_recoverTasksTimeout", RECOVERY),
    differs("scaffolder.taskTimeout", "it is the limit of each step, not of the whole task"),
    ignored("integrations.gitlab", OTHER_FORGE),
    ignored("integrations.bitbucketCloud", OTHER_FORGE),
    ignored("integrations.bitbucketServer", OTHER_FORGE),
    ignored("integrations.azure", OTHER_FORGE),
    ignored("integrations.gerrit", OTHER_FORGE),
    ignored("integrations.awsS3", OTHER_FORGE),
    ignored("integrations.github[].apps", "give a personal access token in integrations.github[].token"),
    ignored("integrations.github[].rawBaseUrl", "files are read through the API; leave it out"),
    ignored("integrations.github[].commitSigning", "commits are not signed"),
    ignored("kubernetes.serviceLocatorMethod", "Applications are watched in the first cluster; templates name the cluster they mean"),
    ignored("kubernetes.frontend", FRONTEND),
    ignored("kubernetes.customResources", "what Argo CD tells of an Application is shown; leave it out"),
    ignored("kubernetes.objectTypes", "what Argo CD tells of an Application is shown; leave it out"),
    ignored("kubernetes.apiVersionOverrides", "what Argo CD tells of an Application is shown; leave it out"),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].skipTLSVerify", "certificates are always checked: give the cluster's certificate authority in caData or caFile"),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].skipMetricsLookup", "metrics are never asked for; leave it out"),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].title", "the cluster's name is shown"),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].dashboardUrl", TASK_LINKS),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].dashboardApp", TASK_LINKS),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].dashboardParameters", TASK_LINKS),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].customResources", "what Argo CD tells of an Application is shown; leave it out"),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].authMetadata", "use serviceAccountToken"),
    ignored("kubernetes.clusterLocatorMethods[].clusters[].oidcTokenProvider", "use serviceAccountToken"),
    ignored("argocd.baseUrl", "links lead to argocd.appLocatorMethods[].instances[].url"),
    ignored("argocd.revisionsToLoad", "the revisions that Argo CD keeps are shown"),
    ignored("argocd.waitCycles", "Applications are watched, not asked again and again; leave it out"),
    ignored("argocd.waitInterval", "Applications are watched, not asked again and again; leave it out"),
    ignored("argocd.namespacedApps", "Applications of one namespace are watched: portico.argocd.namespace"),
    ignored("argoWorkflows", "the portal has no pages for workflows; link to them in metadata.links of entities"),
    differs("proxy", "only templates may call it (http:backstage:request), not browsers"),
    differs("techdocs", "documentation is read from the repository and rendered by the portal itself; builder, generator and publisher are not needed"),
    ignored("homepage", "put links into metadata.links of entities; the first page is made of what the user owns"),
    ignored("permission", "everybody who logs in may read; owners and portico.adminGroups may change"),
    ignored("search", "the catalog, documentation and tasks are always searched, in PostgreSQL"),
    ignored("events", "webhooks are received and registered without configuration; where forges reach the portal is portico.webhookBaseUrl"),
    ignored("enabled", "a feature is used when its systems are configured"),
];

/// What is said about a key, given by its parts (`a`, `[]`, `b`), or about what it stands in.
pub(super) fn advice(parts: &[String]) -> Option<&'static Advice> {
    ADVICE.iter().find(|advice| fits(advice.key, parts))
}

fn fits(pattern: &str, parts: &[String]) -> bool {
    let pattern = pattern.replace("[]", ".[]");
    let mut parts = parts.iter();
    pattern
        .split('.')
        .all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}
