//! Keycloak: the realm of CNOE's reference stack.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::process::Command;

use super::Setting;
use crate::addresses::{IDENTITY, platform_url};
use crate::kept::{Kept, subfolder};
use crate::program::{Program, answers};

const REALM: &str = include_str!("../../realm.json");
const REALM_NAME: &str = "cnoe";
const CLIENT: &str = "backstage";
const SCOPE: &str = "groups";
const ADMIN: &str = "cnoe-admin";

/// The issuer as the portal and people know it.
pub fn issuer() -> String {
    format!("{}/keycloak/realms/{REALM_NAME}", platform_url())
}

/// Starts it and waits until the realm is as it should be.
pub async fn start(setting: &Setting, kept: &Kept) -> Result<Vec<Program>> {
    let home = home(setting)?;
    let mut command = Command::new("java");
    command
        .current_dir(&home)
        // Compiling less takes half of the time of a start away, and the realm is small.
        .args(["-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx512m", "-XX:MaxMetaspaceSize=256m"])
        .args([
            "--add-opens=java.base/java.util=ALL-UNNAMED",
            "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
            "--add-opens=java.base/java.security=ALL-UNNAMED",
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
            "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
            "-Dfile.encoding=UTF-8",
        ])
        .arg(format!("-Dkc.home.dir={}", home.display()))
        .arg(format!("-Djboss.server.config.dir={}", home.join("conf").display()))
        .args(["-cp", "lib/quarkus-run.jar", "io.quarkus.bootstrap.runner.QuarkusEntryPoint"])
        .args(["start", "--optimized", "--import-realm", "--cache=local", "--proxy-headers=xforwarded"])
        .args(["--http-enabled=true", "--http-host=127.0.0.1"])
        .arg(format!("--http-port={IDENTITY}"))
        .arg(format!("--hostname={}/keycloak", platform_url()))
        .env("KC_BOOTSTRAP_ADMIN_USERNAME", ADMIN)
        .env("KC_BOOTSTRAP_ADMIN_PASSWORD", &kept.identity_password)
        // The realm's file names these.
        .env("PLATFORM_USER_PASSWORD", &kept.user_password)
        .env("PLATFORM_CLIENT_SECRET", &kept.client_secret);
    let mut program = Program::start("keycloak", command, &setting.folder.logs()?, &setting.nursery).await?;
    let discovery = format!("{}/realms/{REALM_NAME}/.well-known/openid-configuration", local());
    program
        .ready(async || answers(&setting.client, &discovery).await)
        .await?;
    arrange(&setting.client, kept)
        .await
        .context("Keycloak's realm cannot be arranged")?;
    Ok(vec![program])
}

/// A home with data of its own; programs and libraries stay in the cache.
fn home(setting: &Setting) -> Result<PathBuf> {
    let home = subfolder(setting.folder.path(), "keycloak")?;
    let import = subfolder(&home, "data/import")?.join("realm.json");
    std::fs::write(&import, REALM).with_context(|| format!("cannot write {}", import.display()))?;
    for part in ["lib", "conf", "providers", "themes"] {
        link(&setting.built.keycloak.join(part), &home.join(part))?;
    }
    Ok(home)
}

/// Makes or turns a link: a newer version lies elsewhere in the cache.
pub fn link(to: &Path, from: &Path) -> Result<()> {
    let link = || {
        match std::fs::remove_file(from) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(to, from)
    };
    link().with_context(|| format!("cannot link {}", from.display()))
}

fn local() -> String {
    format!("http://127.0.0.1:{IDENTITY}/keycloak")
}

/// What the reference stack sets up by the administration's API too, and an import cannot: a scope beside the ones that
/// every realm has. And users without an e-mail address may log in, which newer versions of Keycloak forbid by default.
async fn arrange(client: &reqwest::Client, kept: &Kept) -> Result<()> {
    let admin = Administration {
        client,
        token: administration_token(client, kept).await?,
    };
    let mut profile = admin.get("users/profile").await?;
    for attribute in profile["attributes"].as_array_mut().into_iter().flatten() {
        if attribute["name"] == "email"
            && let Some(attribute) = attribute.as_object_mut()
        {
            attribute.remove("required");
        }
    }
    admin.send(Method::PUT, "users/profile", &profile).await?;

    if id_of(&admin.get("client-scopes").await?, "name", SCOPE).is_err() {
        admin.send(Method::POST, "client-scopes", &scope()).await?;
    }
    let scope = id_of(&admin.get("client-scopes").await?, "name", SCOPE)?;
    let backstage = id_of(&admin.get("clients").await?, "clientId", CLIENT)?;
    let path = format!("clients/{backstage}/default-client-scopes/{scope}");
    admin.send(Method::PUT, &path, &json!({})).await
}

fn scope() -> Value {
    json!({
        "name": SCOPE,
        "protocol": "openid-connect",
        "attributes": { "include.in.token.scope": "true", "display.on.consent.screen": "false" },
        "protocolMappers": [{
            "name": SCOPE,
            "protocol": "openid-connect",
            "protocolMapper": "oidc-group-membership-mapper",
            "config": {
                "claim.name": "groups",
                "full.path": "false",
                "id.token.claim": "true",
                "access.token.claim": "true",
                "userinfo.token.claim": "true",
            },
        }],
    })
}

fn id_of(list: &Value, key: &str, value: &str) -> Result<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry[key] == value)
        .and_then(|entry| entry["id"].as_str())
        .map(str::to_owned)
        .with_context(|| format!("the realm has no {value}"))
}

struct Administration<'a> {
    client: &'a reqwest::Client,
    token: String,
}

impl Administration<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}/admin/realms/{REALM_NAME}/{path}", local()))
            .header("X-Forwarded-Proto", "https")
            .bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.request(Method::GET, path).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        self.request(method, path).json(body).send().await?.error_for_status()?;
        Ok(())
    }
}

async fn administration_token(client: &reqwest::Client, kept: &Kept) -> Result<String> {
    let answer: Value = client
        .post(format!("{}/realms/master/protocol/openid-connect/token", local()))
        .header("X-Forwarded-Proto", "https")
        .form(&[
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", ADMIN),
            ("password", &kept.identity_password),
        ])
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let token = answer["access_token"]
        .as_str()
        .context("Keycloak gives its administrator no token")?;
    Ok(token.to_owned())
}
