use std::path::PathBuf;

use super::*;

const MINIMAL: &str = "backend:\n  database:\n    connection: postgres://localhost/portico\n";

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a writable folder");
        }
        Self(folder)
    }

    fn load(&self, names: &[&str], variables: &[(&str, &str)]) -> Result<Loaded, String> {
        let files: Vec<PathBuf> = names.iter().map(|name| self.0.path().join(name)).collect();
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        load_with(&files, &variables).map_err(|error| {
            let folder = self.0.path().display().to_string();
            error.to_string().replace(&format!("{folder}/"), "")
        })
    }
}

#[test]
fn files_are_merged_and_arrays_replaced() {
    let files = Files::new(&[
        ("a.yaml", MINIMAL),
        (
            "b.yaml",
            "app: {title: Two}\nportico: {adminGroups: [ops]}\nbackend: {listen: ':8000'}\n",
        ),
    ]);
    let config = files
        .load(&["a.yaml", "b.yaml"], &[])
        .expect("a valid configuration")
        .config;
    assert_eq!(config.app.title, "Two");
    assert_eq!(config.app.base_url.as_str(), "http://localhost:7007/");
    assert_eq!(config.portico.admin_groups, ["ops"]);
    assert_eq!(config.backend.listen.address(), ("0.0.0.0".into(), 8000));
    assert_eq!(config.portico.workspace_limit.0, 64 << 20);
}

#[test]
fn variables_files_and_includes_are_followed() {
    let files = Files::new(&[
        (
            "a.yaml",
            "app: {title: '${TITLE:-Plain} $${TITLE}'}\norganization: {name: 'x ${NONE}'}\nbackend:\n  database:\n    \
             connection:\n      host: {$env: HOST}\n      port: ${PORT}\n      password: {$file: secret.txt}\n\
             kubernetes:\n  clusterLocatorMethods:\n    - $include: k8s.yaml#below\n",
        ),
        ("secret.txt", "hunter2\n\n"),
        (
            "k8s.yaml",
            "below:\n  type: config\n  clusters:\n    - {name: local, url: 'https://k8s', skipTLSVerify: true, \
             serviceAccountToken: {$file: secret.txt}}\n",
        ),
    ]);
    let variables = [
        ("TITLE", ""),
        ("HOST", "db"),
        ("PORT", "5433"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
        ("APP_CONFIG_portico_adminGroups", "[\"a\",\"b\"]"),
        ("APP_CONFIG_app_baseUrl", "https://portal.example"),
    ];
    let loaded = files.load(&["a.yaml"], &variables).expect("a valid configuration");
    let config = loaded.config;
    assert_eq!(config.app.title, "Plain ${TITLE}");
    assert_eq!(config.organization.name, None);
    assert_eq!(config.portico.admin_groups, ["a", "b"]);
    assert_eq!(config.base_url(), "https://portal.example");
    let connection = config.backend.database.connection;
    assert_eq!((connection.host.as_deref(), connection.port), (Some("db"), Some(5433)));
    assert_eq!(
        connection.password.map(|secret| secret.expose().to_owned()).as_deref(),
        Some("hunter2")
    );
    let cluster = &config.kubernetes.cluster_locator_methods[0].clusters[0];
    assert_eq!(
        cluster.service_account_token.as_ref().map(Secret::expose),
        Some("hunter2")
    );
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
}

#[test]
fn unknown_keys_are_named_with_the_nearest() {
    let files = Files::new(&[(
        "a.yaml",
        "backend:\n  database:\n    connection: postgres://localhost/portico\n  databse: 1\n\
         integrations:\n  gitea:\n    - host: h\n      pasword: x\n    - {host: g, baseUrl: 'http://g/git'}\n\
         techdocs: {anything: {goes: here}}\n",
    )]);
    let warnings = files.load(&["a.yaml"], &[]).expect("a valid configuration").warnings;
    let warnings: Vec<&str> = warnings.iter().filter_map(|text| text.rsplit('/').next()).collect();
    assert_eq!(
        warnings,
        [
            "a.yaml:4: nothing uses the key backend.databse; is database meant?",
            "a.yaml:8: nothing uses the key integrations.gitea[0].pasword; is password meant?",
        ]
    );
}

#[test]
fn wrong_values_name_file_line_and_key() {
    for (text, expected) in [
        (
            "backend:\n  listen: {port: many}\n  database: {connection: x}\n",
            "a.yaml:2: backend.listen: must be a port, 0 to 65535, not \"many\"",
        ),
        (
            "backend:\n  database:\n    client: better-sqlite3\n    connection: ':memory:'\n",
            "a.yaml:3: backend.database.client: must be pg: the portal needs PostgreSQL 15 or newer, not better-sqlite3",
        ),
        (
            "backend:\n  database:\n    connection:\n      host: ${POSTGRES_HOST}\n",
            "a.yaml:4: backend.database.connection.host: is missing, because ${POSTGRES_HOST} names an environment \
             variable that is not set",
        ),
        (
            "catalog:\n  locations:\n    - type: url\nbackend: {database: {connection: x}}\n",
            "a.yaml:3: catalog.locations[0].target: is missing",
        ),
        (
            "app:\n  baseUrl: ftp://x\nbackend: {database: {connection: x}}\n",
            "a.yaml:2: app.baseUrl: must start with http:// or https://, not ftp://x/",
        ),
        (
            "backend:\n  a: {$include: gone.yaml}\n",
            "a.yaml:2: backend.a: $include gone.yaml cannot be read",
        ),
        (
            "backend:\n  a: {$include: a.yaml}\n",
            "a.yaml:2: backend.a: $include a.yaml goes round in a circle",
        ),
        ("- a\n", "a.yaml:1: a configuration is a map of keys"),
    ] {
        let files = Files::new(&[("a.yaml", text)]);
        let error = files.load(&["a.yaml"], &[]).expect_err("a wrong configuration");
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    }
    let files = Files::new(&[("a.yaml", "a: [1\npassword: hunter2\n")]);
    let error = files.load(&["a.yaml"], &[]).expect_err("broken YAML");
    assert!(error.starts_with("a.yaml:") && !error.contains("hunter2"), "{error}");
}

#[test]
fn secrets_do_not_show() {
    let files = Files::new(&[(
        "a.yaml",
        "backend:\n  auth: {keys: [{secret: hunter2}]}\n  database:\n    connection: postgres://u:hunter2@h/d\n",
    )]);
    let loaded = files.load(&["a.yaml"], &[]).expect("a valid configuration");
    assert!(!format!("{loaded:?}").contains("hunter2"));
}
