use std::path::PathBuf;

use super::super::advice::ADVICE;
use super::*;

const BASE: &str = "\
app:
  title: ${TITLE}
  support: {url: 'https://help.test'}
backend:
  database:
    connection:
      host: ${DB_HOST:-localhost}
      password: {$env: DB_PASSWORD}
      ssl: {ca: {$file: ca.pem}}
  databse: 1
integrations:
  gitea:
    - host: forge.test
      pasword: hunter2
      password: '${NOBODY}hunter2'
auth:
  session: {secret: hunter2}
  providers:
    sso:
      production: {clientId: other}
proxy:
  endpoints:
    /ci: {target: 'https://me:hunter2@ci.test/', headers: {X-Auth: 'Bearer ${CI}'}}
kubernetes:
  clusterLocatorMethods:
    - $include: k8s.yaml#below
";

struct Case {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.yaml", BASE);
        write(
            "b.yaml",
            "app: {title: Second}\nportico:\n  adminGroups: [ops, '${NOBODY}']\n",
        );
        write("ca.pem", "public\n");
        write(
            "k8s.yaml",
            "below:\n  clusters:\n    - {name: local, skipTLSVerify: true, serviceAccountToken: hunter2}\n",
        );
        let files = ["a.yaml", "b.yaml"].map(|name| folder.path().join(name)).to_vec();
        Self { folder, files }
    }

    fn explain(&self, key: Option<&str>) -> Result<String, String> {
        let variables = [
            ("TITLE", "First"),
            ("DB_PASSWORD", "hunter2"),
            ("CI", "hunter2"),
            ("APP_CONFIG_backend_listen_port", "8000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = explain_with(&self.files, &variables, key).map_err(|error| error.to_string())?;
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        let folder = format!("{}/", self.folder.path().display());
        Ok(text.concat().replace(&folder, ""))
    }
}

#[test]
fn each_value_says_where_it_comes_from() {
    let case = Case::new();
    for (key, expected) in [
        (
            "app.title",
            "app.title = \"Second\"\n  from b.yaml:1:14\n  over a.yaml:2:10, by ${TITLE} = \"First\"\n  \
             over built-in defaults:5:10 = \"Portico\"\n  obeyed\n",
        ),
        (
            "backend.listen",
            "backend.listen.port = 8000\n  from environment variable APP_CONFIG_backend_listen_port\n  \
             over built-in defaults:12:11 = 7007\n  obeyed\n",
        ),
        (
            "backend.database.connection.password",
            "backend.database.connection.password = (hidden)\n  from a.yaml:8:17, by $env DB_PASSWORD\n  obeyed\n",
        ),
        (
            "backend.database.connection.host",
            "backend.database.connection.host = \"localhost\"\n  from a.yaml:7:13, by ${DB_HOST}\n  obeyed\n",
        ),
        (
            "backend.database.connection.ssl",
            "backend.database.connection.ssl.ca = \"public\"\n  from a.yaml:9:17, by $file ca.pem\n  obeyed\n",
        ),
        (
            "backend.databse",
            "backend.databse = 1\n  from a.yaml:10:12\n  unknown: nothing uses it; is database meant?\n",
        ),
        (
            "portico.adminGroups[1]",
            "portico.adminGroups[1] = not set: ${NOBODY} names an environment variable that is not set\n  \
             from b.yaml:3:22, by ${NOBODY}\n  obeyed\n",
        ),
        (
            "kubernetes.clusterLocatorMethods[0].clusters[0].name",
            "kubernetes.clusterLocatorMethods[0].clusters[0].name = \"local\"\n  from k8s.yaml:3:14, by $include \
             k8s.yaml#below at a.yaml:26:7\n  obeyed\n",
        ),
        (
            "auth.providers",
            "auth.providers.sso.production.clientId = \"other\"\n  from a.yaml:20:30\n  ignored: auth.environment is \
             development; say it there, or set auth.environment to production\n",
        ),
        (
            "app.analytics",
            "app.analytics = not set\n  from nowhere: neither the files, nor the environment, nor the built-in \
             defaults say it\n  ignored: nothing is sent to anybody; read the access log instead\n",
        ),
    ] {
        assert_eq!(case.explain(Some(key)).as_deref(), Ok(expected), "{key}");
    }
    assert_eq!(
        case.explain(Some("backend.databas")),
        Err("there is no key backend.databas; is backend.database meant?".to_owned())
    );
}

#[test]
fn secrets_are_not_shown() {
    let all = Case::new().explain(None).unwrap();
    assert!(!all.contains("hunter2"), "{all}");
    for expected in [
        "integrations.gitea[0].pasword = (hidden)",
        "integrations.gitea[0].password = not set: an environment variable that it names is not set",
        "auth.session.secret = (hidden)",
        "proxy.endpoints./ci.target = \"https://me:hidden@ci.test/\"",
        "proxy.endpoints./ci.headers.X-Auth = (hidden)",
        "serviceAccountToken = (hidden)",
        "app.support.url = \"https://help.test\"",
        "scaffolder.defaultAuthor.name = \"Scaffolder\"",
    ] {
        assert!(all.contains(expected), "{expected} in {all}");
    }
}

/// Every key that is accepted and not used has a word on what to use.
#[test]
fn ignored_keys_have_advice() {
    fn walk(schema: &Value, path: &mut Vec<String>, found: &mut Vec<String>) {
        let alternatives = unknown::alternatives(schema);
        if alternatives.iter().any(|one| one.get(unknown::IGNORED).is_some()) {
            if !advice(path).is_some_and(|advice| advice.verdict == Verdict::Ignored) {
                found.push(path.join("."));
            }
            return;
        }
        for (keyword, part) in [("items", "[]"), ("additionalProperties", "any")] {
            for schema in alternatives.iter().filter_map(|schema| schema.get(keyword)) {
                path.push(part.to_owned());
                walk(schema, path, found);
                path.pop();
            }
        }
        for name in unknown::names(&alternatives) {
            path.push(name.to_owned());
            if let Some(schema) = unknown::property(&alternatives, name) {
                walk(schema, path, found);
            }
            path.pop();
        }
    }
    let mut found = Vec::new();
    walk(&unknown::schema(), &mut Vec::new(), &mut found);
    // Whole features, of which something is said though nothing of them is read.
    found.retain(|key| key != "techdocs");
    assert_eq!(found, Vec::<String>::new());
    assert!(ADVICE.iter().all(|advice| !advice.says.is_empty()));
}
