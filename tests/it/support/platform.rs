//! The portal with everything around it: the stand-ins, a database, golden paths in the forge.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use portico_sandbox::{Breakage, Credentials, Fault, Sandbox, System};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Access, Cable, Database, Portal, RunningPlatform, Systems, Trusted};

const ADMIN: &str = Credentials::FORGE_ADMIN;
/// The static token of programs.
pub const TOKEN: &str = "a-token-for-the-tests-of-this-folder";

/// How a platform is started.
pub struct Options {
    /// Folders that become repositories of the forge and locations of the catalog.
    pub golden_paths: Vec<PathBuf>,
    /// Merged over the configuration.
    pub config: Value,
    /// Lay a cable to the database that the test can pull.
    pub cable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            golden_paths: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("golden-paths")],
            config: json!({}),
            cable: false,
        }
    }
}

/// Everything that is running around the stand-ins. Dropping it ends it all.
pub struct Platform {
    access: Access,
    pub portal: Portal,
    pub sandbox: Sandbox,
    pub database: Database,
    pub cable: Option<Cable>,
    pub folder: TempDir,
}

impl Platform {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub async fn start_with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("http://localhost:{}", Portal::free_port());
        let mut sandbox_options = portico_sandbox::Options::new(folder.path().join("sandbox"), &url);
        sandbox_options.forge_aliases = vec!["cnoe.localtest.me:8443".into(), "cnoe.localtest.me".into()];
        let sandbox = Sandbox::start(sandbox_options).await.expect("the sandbox starts");
        let database = Database::create().await;
        let mut locations = Vec::new();
        for (index, golden_paths) in options.golden_paths.iter().enumerate() {
            let name = if index == 0 {
                "golden-paths".to_owned()
            } else {
                format!("golden-paths-{index}")
            };
            sandbox
                .forge
                .put_tree(ADMIN, &name, "main", golden_paths, "Golden paths")
                .await
                .expect("the forge takes it");
            locations.push(format!(
                "{}/{ADMIN}/{name}/raw/branch/main/catalog-info.yaml",
                sandbox.urls.forge
            ));
        }
        let cable = if options.cable {
            Some(Cable::to(&database.url()).await)
        } else {
            None
        };
        let connection = cable
            .as_ref()
            .map_or_else(|| database.url(), |cable| cable.url(database.name()));
        let mut config = config(&url, &sandbox, &connection, &locations);
        merge(&mut config, &options.config);
        let file = folder.path().join("app-config.yaml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string()).expect("the configuration can be written");
        let portal = Portal::start(&url, &file).await;
        Self {
            access: Access::new(&url, Systems::of(&sandbox, &url), TOKEN),
            portal,
            sandbox,
            database,
            cable,
            folder,
        }
    }

    /// SIGKILL to the portal.
    pub fn kill_portal(&mut self) {
        self.portal.kill();
    }

    /// Starts the portal again, on the same address.
    pub async fn restart_portal(&mut self) {
        self.portal.kill();
        let url = self.portal.url.clone();
        self.portal = Portal::start(&url, &self.folder.path().join("app-config.yaml")).await;
    }
}

impl Deref for Platform {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

/// A platform of the test's own around the stand-ins, or the running one that `PORTICO_PLATFORM` names.
pub enum AnyPlatform {
    Started(Box<Platform>),
    Running(Box<Access>, RunningPlatform),
}

/// What can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Forge,
    Kubernetes,
    /// Its controller and its API.
    Argocd,
    Identity,
    Postgres,
}

impl Part {
    fn stand_in(self) -> Option<System> {
        match self {
            Self::Forge => Some(System::Forge),
            Self::Kubernetes => Some(System::Kubernetes),
            Self::Argocd => Some(System::Argocd),
            Self::Identity => Some(System::Identity),
            Self::Postgres => None,
        }
    }
}

impl AnyPlatform {
    /// `options` are those of a platform that is started; a running one has golden paths already.
    pub async fn start_with(options: Options) -> Self {
        let Some(platform) = RunningPlatform::named() else {
            return Self::Started(Box::new(Platform::start_with(options).await));
        };
        let text = |key: &str| platform.endpoints[key].as_str().expect("an endpoint").to_owned();
        let systems = Systems::of_platform(&platform).await;
        let access = Access::new(&text("portal"), systems, &text("apiToken"));
        Self::Running(Box::new(access), platform)
    }

    /// The site that browsers have to be told to trust, if there is one.
    pub fn trusted(&self) -> Option<Trusted> {
        match self {
            Self::Started(_) => None,
            Self::Running(_, platform) => Some(platform.trusted()),
        }
    }

    /// Real systems, not stand-ins.
    pub fn is_real(&self) -> bool {
        matches!(self, Self::Running(..))
    }

    /// Ends a system as a crash would. A started platform needs a cable for its database.
    pub async fn kill(&self, part: Part) {
        match (self, part.stand_in()) {
            (Self::Running(_, platform), _) => platform.order("stop", part).await.expect("it runs"),
            // More connections than anybody tries to make.
            (Self::Started(platform), Some(system)) => platform
                .sandbox
                .faults
                .order(Fault::broken(system, Breakage::Refuse).times(u32::MAX)),
            (Self::Started(platform), None) => platform.cable.as_ref().expect("a cable").pull(),
        }
    }

    /// Brings back what a test that failed left dead on a running platform.
    pub async fn revive_all(&self) {
        let Self::Running(_, platform) = self else { return };
        for part in [
            Part::Postgres,
            Part::Kubernetes,
            Part::Argocd,
            Part::Forge,
            Part::Identity,
        ] {
            // One that runs is no system to start.
            let _ = platform.order("start", part).await;
        }
    }

    /// Brings a system back on its data.
    pub async fn revive(&self, part: Part) {
        match (self, part.stand_in()) {
            (Self::Running(_, platform), _) => platform.order("start", part).await.expect("it starts"),
            (Self::Started(platform), Some(system)) => platform.sandbox.faults.clear(Some(system)),
            (Self::Started(platform), None) => platform.cable.as_ref().expect("a cable").plug_in(),
        }
    }

    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }
}

impl Deref for AnyPlatform {
    type Target = Access;

    fn deref(&self) -> &Access {
        match self {
            Self::Started(platform) => platform,
            Self::Running(access, _) => access,
        }
    }
}

fn config(url: &str, sandbox: &Sandbox, connection: &str, locations: &[String]) -> Value {
    let credentials = &sandbox.credentials;
    let port = url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let integration = |host: &str| json!({"baseUrl": sandbox.urls.forge, "host": host, "username": ADMIN, "password": credentials.forge_password});
    let kubeconfig = std::fs::read_to_string(sandbox.kubeconfig()).expect("a kubeconfig");
    let kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).expect("YAML");
    let allow = [
        "Component",
        "System",
        "API",
        "Resource",
        "Location",
        "Template",
        "Domain",
        "User",
        "Group",
    ];
    let locations: Vec<_> = locations
        .iter()
        .map(|target| json!({"type": "url", "target": target, "rules": [{"allow": allow}]}))
        .collect();
    json!({
        "app": {"title": "Portico", "baseUrl": url},
        "backend": {
            "baseUrl": url,
            "listen": {"host": "127.0.0.1", "port": port},
            "database": {"client": "pg", "connection": connection},
            "auth": {
                "keys": [{"secret": "a key of the tests, as long as one should be"}],
                "externalAccess": [{"type": "static", "options": {"token": TOKEN, "subject": "tests"}}],
            },
        },
        "integrations": {"gitea": [
            integration(sandbox.urls.forge.trim_start_matches("http://")),
            integration("cnoe.localtest.me:8443"),
            integration("cnoe.localtest.me"),
        ]},
        "auth": {"environment": "development", "providers": {"keycloak-oidc": {"development": {
            "metadataUrl": format!("{}/.well-known/openid-configuration", sandbox.urls.issuer),
            "clientId": Credentials::CLIENT_ID,
            "clientSecret": credentials.client_secret,
        }}}},
        "scaffolder": {
            "defaultAuthor": {"name": "backstage-scaffolder", "email": "noreply"},
            "defaultCommitMessage": "backstage scaffolder",
        },
        "catalog": {"rules": [{"allow": &allow[..6]}], "locations": locations},
        "kubernetes": {"clusterLocatorMethods": [{"type": "config", "clusters": [{
            "name": "local",
            "url": sandbox.urls.kubernetes,
            "authProvider": "serviceAccount",
            "serviceAccountToken": kubeconfig["users"][0]["user"]["token"],
            "caFile": sandbox.ca_certificate(),
        }]}]},
        "argocd": {
            "username": Credentials::ARGOCD_ADMIN,
            "password": credentials.argocd_password,
            "appLocatorMethods": [{"type": "config", "instances": [{"name": "in-cluster", "url": sandbox.urls.argocd}]}],
        },
    })
}

/// Objects are merged, anything else is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
