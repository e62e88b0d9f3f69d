//! The whole of `portico-local` as somebody at a terminal and a script beside it see it: with the real portal, a
//! PostgreSQL of its own, and ends of every kind.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection, PgConnection};

/// A bound for what hangs, not a measurement.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_from_its_first_start_to_its_reset() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a temporary folder");
    // As root, Postgres runs as another account, which must be able to pass.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("changed");
    // A name that shells, URLs and configurations each read in their own way.
    let data = folder.path().join("my data ${HOME} + more");
    let port = free_ports();

    // The first start.
    let mut platform = Platform::start(&data, &["--port", &port.to_string()]);
    let first = platform.endpoints().await;
    assert_eq!(first["portal"], format!("http://localhost:{port}"));
    assert_eq!(first["argocdNamespace"], "argocd");
    assert_eq!(first["users"][0]["groups"][0], "admin");
    works(&first).await;
    assert_private(&data.join("endpoints.json"));
    assert_private(&data.join("app-config.local.yaml"));
    let psql = Command::new("psql")
        .arg(text(&first, "/database"))
        .args(["-c", "SELECT 1"])
        .output();
    if let Ok(psql) = psql {
        assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
    }

    // Who starts it twice, or wants other ports, is told.
    let (status, text) = Platform::start(&data, &[]).end().await;
    assert!(!status.success() && text.contains("already runs"), "{text}");
    let (status, text) = Platform::start(&folder.path().join("other"), &["--port", &port.to_string()])
        .end()
        .await;
    assert!(
        !status.success() && text.contains(&format!("{port} (portal)")),
        "{text}"
    );

    // A first start that was refused has not decided on ports.
    assert!(!folder.path().join("other/portico-local.json").exists());

    // The portal dies, and leaves files behind.
    let pid = first["portalPid"].as_u64().expect("a process");
    std::fs::write(data.join("scratch/left-behind"), "").expect("written");
    signal(pid, "KILL");
    let again = platform
        .endpoints_where(|endpoints| endpoints["portalPid"] != first["portalPid"])
        .await;
    works(&again).await;
    assert!(!data.join("scratch/left-behind").exists());

    // Ctrl-C, twice.
    platform.interrupt();
    platform.interrupt();
    let (status, text) = platform.end().await;
    assert!(status.success(), "{text}");
    assert!(!data.join("endpoints.json").exists());
    assert_nothing_runs(&data, port).await;

    // Wrong port, then a second start with the data of the first.
    let (status, text) = Platform::start(&data, &["--port", &(port + 5).to_string()]).end().await;
    assert!(
        !status.success() && text.contains(&format!("made for port {port}")),
        "{text}"
    );
    let mut platform = Platform::start(&data, &[]);
    let second = platform.endpoints().await;
    for key in ["portal", "apiToken", "issuer", "database", "forge", "users"] {
        assert_eq!(second[key], first[key], "{key} survives");
    }
    works(&second).await;

    // An end without warning takes everything along.
    platform.kill();
    assert_nothing_runs(&data, port).await;

    // Anew, after what the kill left behind.
    let mut platform = Platform::start(&data, &["--reset"]);
    let third = platform
        .endpoints_where(|endpoints| endpoints["apiToken"] != first["apiToken"])
        .await;
    assert_eq!(third["portal"], first["portal"]);
    works(&third).await;
    signal(u64::from(platform.process.id()), "TERM");
    let (status, text) = platform.end().await;
    assert!(status.success(), "{text}");
    assert_nothing_runs(&data, port).await;
}

/// A running `portico-local`.
struct Platform {
    process: Child,
    data: PathBuf,
    output: PathBuf,
}

impl Platform {
    fn start(data: &Path, arguments: &[&str]) -> Platform {
        let output = data.with_extension(format!("{}.txt", arguments.len()));
        let file = std::fs::File::create(&output).expect("writable");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_portico-local"));
        let mut command = Command::new(&program);
        command
            .arg("--data")
            .arg(data)
            .args(arguments)
            .env_remove("DATABASE_URL")
            // A proxy that is not there: nothing of a platform goes through it.
            .env("http_proxy", "http://127.0.0.1:9")
            .env("SQLX_OFFLINE", "true");
        // Tests of the whole workspace have built it. Otherwise portico-local does.
        let portal = program.with_file_name("portico");
        if portal.exists() {
            command.env("PORTICO_PROGRAM", portal);
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("portico-local starts");
        Platform {
            process,
            data: data.to_owned(),
            output,
        }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    async fn endpoints(&mut self) -> Value {
        self.endpoints_where(|_| true).await
    }

    async fn endpoints_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().expect("watched") {
                panic!("portico-local ended with {status}:\n{}", self.text());
            }
            // Written in one go: what is there is whole.
            if let Ok(text) = std::fs::read_to_string(self.data.join("endpoints.json")) {
                let endpoints: Value = serde_json::from_str(&text).expect("endpoints.json is JSON");
                if wanted(&endpoints) {
                    return endpoints;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not ready in time:\n{}", self.text());
    }

    fn interrupt(&self) {
        signal(u64::from(self.process.id()), "INT");
    }

    fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    async fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().expect("watched") {
                return (status, self.text());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not end:\n{}", self.text());
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // Children end with it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn text(endpoints: &Value, pointer: &str) -> String {
    endpoints
        .pointer(pointer)
        .and_then(Value::as_str)
        .expect(pointer)
        .to_owned()
}

/// Everything that `endpoints.json` names answers.
async fn works(endpoints: &Value) {
    let client = reqwest::Client::new();
    let text = |pointer: &str| text(endpoints, pointer);

    eventually("the portal is ready", || async {
        let answer = client
            .get(format!("{}/.backstage/health/v1/readiness", text("/portal")))
            .send()
            .await
            .ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let discovery = format!("{}/.well-known/openid-configuration", text("/issuer"));
    let discovery: Value = client
        .get(discovery)
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("JSON");
    assert_eq!(discovery["issuer"], endpoints["issuer"]);
    let account = client
        .get(format!("{}/api/v1/user", text("/forge/url")))
        .header("Authorization", format!("token {}", text("/forge/token")))
        .send()
        .await
        .expect("answers");
    let account: Value = account
        .error_for_status()
        .expect("the token is taken")
        .json()
        .await
        .expect("JSON");
    assert_eq!(account["login"], endpoints["forge"]["username"]);
    let golden_paths = format!(
        "{}/giteaAdmin/golden-paths/raw/branch/main/catalog-info.yaml",
        text("/forge/url")
    );
    assert!(
        client
            .get(golden_paths)
            .send()
            .await
            .expect("answers")
            .status()
            .is_success()
    );
    let mut connection = PgConnection::connect(&text("/database"))
        .await
        .expect("the database answers");
    let fsync: String = sqlx::query_scalar("SHOW fsync")
        .fetch_one(&mut connection)
        .await
        .expect("a setting");
    assert_eq!(fsync, "on");
    assert!(Path::new(&text("/kubeconfig")).is_file());
    let query = format!("{}/api/catalog/entities/by-query?limit=1", text("/portal"));
    let stranger = client.get(&query).send().await.expect("answers").status();
    assert_eq!(stranger.as_u16(), 401);
    let answer = client
        .get(&query)
        .bearer_auth(text("/apiToken"))
        .send()
        .await
        .expect("answers")
        .status();
    assert!(answer.is_success(), "{answer}");
}

async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut check: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// No process of the platform is left: neither by its folder nor by its ports.
async fn assert_nothing_runs(data: &Path, port: u16) {
    let needle = data.to_str().expect("text");
    eventually("nothing of the platform runs", || async {
        let running = std::fs::read_dir("/proc").expect("Linux").flatten().any(|process| {
            let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(needle)
        });
        (!running && ports_free(port)).then_some(())
    })
    .await;
}

fn assert_private(file: &Path) {
    let mode = std::fs::metadata(file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", file.display());
}

fn signal(pid: u64, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success());
}

/// The first of five ports that nobody uses now.
fn free_ports() -> u16 {
    let begin = 20_000 + u16::try_from(std::process::id() % 10_000).expect("small");
    (begin..32_000)
        .step_by(5)
        .find(|port| ports_free(*port))
        .expect("five free ports")
}

fn ports_free(first: u16) -> bool {
    (first..first + 5).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}
