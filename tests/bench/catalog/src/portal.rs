//! The portal that is measured: as a platform team would start it, with files as its only source.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cost::{self, Memory};
use crate::files;
use crate::http::Connection;

/// Longer than any read may take.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Portal {
    process: Child,
    port: u16,
    token: String,
}

impl Portal {
    /// Starts the portal that was built beside this program, over a database of its own.
    pub fn start(folder: &Path, database: &str, entities: usize) -> Result<Self> {
        let mut database = url::Url::parse(database).context("DATABASE_URL is not an address")?;
        database.set_path(&format!("/bench_{entities}"));
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let token = format!("bench-{:032x}", rand::random::<u128>());
        let config = folder.join("app-config.yaml");
        let text = serde_saphyr::to_string(&configuration(folder, database.as_str(), port, &token))?;
        std::fs::write(&config, text).context("cannot write the configuration")?;
        let log = std::fs::File::create(folder.join("portal.log")).context("no log")?;
        let program = std::env::current_exe()?.with_file_name("portico");
        let process = Command::new(&program)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { process, port, token })
    }

    pub async fn connect(&self) -> Result<Connection> {
        Connection::open(self.port, &self.token).await
    }

    /// Waits until all entities of the files can be read.
    pub async fn wait_for(&self, entities: usize) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        let mut found = 0;
        while Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let Ok(mut connection) = self.connect().await else {
                continue;
            };
            // What stands for the configured locations is not of the files.
            let answer = connection.get("/api/catalog/entity-facets?facet=kind").await?;
            let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let kinds = answer["facets"]["kind"].as_array().into_iter().flatten();
            found = kinds
                .filter(|kind| kind["value"] != "Location")
                .filter_map(|kind| kind["count"].as_u64())
                .sum();
            if usize::try_from(found)? == entities {
                return Ok(());
            }
        }
        bail!("after {PATIENCE:?} there are {found} of {entities} entities")
    }

    /// Seconds of processor time so far.
    pub fn cpu(&self) -> Result<f64> {
        cost::of_process(self.process.id())
    }

    pub fn memory(&self) -> Result<Memory> {
        cost::memory(self.process.id())
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, database: &str, port: u16, token: &str) -> Value {
    let address = format!("http://localhost:{port}");
    let kinds: Vec<&str> = ["Location"].into_iter().chain(files::KINDS).collect();
    let targets = files::KINDS.map(|kind| folder.join(format!("{}-*.yaml", kind.to_lowercase())));
    let further = folder.join(crate::pages::FOLDER).join("catalog-info.yaml");
    let further = further.exists().then_some(further);
    let locations: Vec<Value> = targets
        .into_iter()
        .chain(further)
        .map(|target| json!({"type": "file", "target": target}))
        .collect();
    json!({
        "app": {"baseUrl": address},
        "backend": {
            "baseUrl": address,
            "listen": {"host": "127.0.0.1", "port": port},
            "database": {"client": "pg", "connection": database},
            "auth": {"externalAccess": [{"type": "static", "options": {"token": token, "subject": "bench"}}]},
        },
        "catalog": {
            "rules": [{"allow": kinds}],
            "locations": locations,
        },
    })
}
