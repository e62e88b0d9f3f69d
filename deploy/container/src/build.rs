//! Puts the image together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use chrono::DateTime;

use crate::descriptor::{self, Config, Descriptor, Index, Made, Manifest, Platform, Root, Run};
use crate::files::{Entry, Files};
use crate::layer::{self, Layer};
use crate::layout::Layout;
use crate::system::{self, USER};
use crate::{bill, cargo};

/// Where the program is in the image.
pub const PROGRAM: &str = "/usr/local/bin/portico";
/// Name of the list of what is in the image, in the output.
pub const BILL: &str = "portico.cdx.json";

/// What is asked for.
pub struct Wanted<'a> {
    pub out: &'a Path,
    pub binary: &'a Path,
    pub manifest: &'a Path,
    pub name: &'a str,
    pub tag: &'a str,
}

/// Writes the image and the list of what is in it into `wanted.out`.
///
/// # Errors
/// Where the program is missing or cannot run on this machine, or a package of Debian is missing.
pub fn build(wanted: &Wanted<'_>) -> Result<()> {
    let program = fs::read(wanted.binary).with_context(|| {
        format!(
            "cannot read {}; cargo build --release --locked --bin portico makes it",
            wanted.binary.display()
        )
    })?;
    if !program.starts_with(b"\x7fELF") {
        bail!("{} is no program for Linux", wanted.binary.display());
    }
    fs::create_dir_all(wanted.out).with_context(|| format!("cannot make {}", wanted.out.display()))?;
    let source = Source::of(wanted.manifest)?;

    let system = system::collect(wanted.binary)?;
    let crates = cargo::linked(wanted.manifest, "portico")?;
    let bill = bill::of(&crates, &system.packages, &release()?, wanted.tag, &source.time());
    let bill = serde_json::to_vec_pretty(&bill)?;
    let file = wanted.out.join(BILL);
    fs::write(&file, &bill).with_context(|| format!("cannot write {}", file.display()))?;

    let mut own = Files::default();
    own.put(PROGRAM, Entry::File(0o755, program))?;
    own.text(&format!("/usr/share/portico/{BILL}"), bill)?;

    // Two layers: a new version of the program leaves the system's, which is then fetched by nobody again.
    let layers = [
        (
            layer::pack(&system.files, source.seconds)?,
            "files of Debian's packages",
        ),
        (layer::pack(&own, source.seconds)?, "portico"),
    ];
    write(wanted, &source, layers)
}

fn write(wanted: &Wanted<'_>, source: &Source, layers: [(Layer, &str); 2]) -> Result<()> {
    let platform = Platform {
        architecture: architecture()?.to_owned(),
        os: "linux".to_owned(),
    };
    let labels = source.labels(wanted.tag);
    let config = Config {
        created: source.time(),
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        config: Run {
            user: format!("{USER}:{USER}"),
            exposed_ports: BTreeMap::from([("7007/tcp".to_owned(), serde_json::Map::new())]),
            env: vec![
                "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt".to_owned(),
            ],
            entrypoint: vec![PROGRAM.to_owned()],
            cmd: ["serve", "--config", "/app/config/app-config.yaml"]
                .map(str::to_owned)
                .to_vec(),
            working_dir: "/app".to_owned(),
            labels: labels.clone(),
        },
        rootfs: Root {
            kind: "layers".to_owned(),
            diff_ids: layers.iter().map(|(layer, _)| layer.unpacked_digest.clone()).collect(),
        },
        history: layers
            .iter()
            .map(|(_, what)| Made {
                created: source.time(),
                created_by: (*what).to_owned(),
            })
            .collect(),
    };
    let mut layout = Layout::new()?;
    let layers: Vec<Descriptor> = layers
        .into_iter()
        .map(|(layer, _)| layout.blob(descriptor::LAYER, layer.packed))
        .collect::<Result<_>>()?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: descriptor::MANIFEST.to_owned(),
        config: layout.document(descriptor::CONFIG, &config)?,
        layers,
        annotations: labels,
    };
    let mut image = layout.document(descriptor::MANIFEST, &manifest)?;
    let name = format!("{}:{}", wanted.name, wanted.tag);
    // The specification's name, and the one that containerd looks for first.
    for key in ["org.opencontainers.image.ref.name", "io.containerd.image.name"] {
        image.annotations.insert(key.to_owned(), name.clone());
    }
    image.platform = Some(platform);
    let index = Index {
        schema_version: 2,
        media_type: descriptor::INDEX.to_owned(),
        manifests: vec![image],
    };
    layout.write(wanted.out, &index, source.seconds)
}

/// What the program was built from, and when that was.
struct Source {
    /// Seconds since 1970.
    seconds: u64,
    commit: Option<String>,
}

impl Source {
    /// The time is `SOURCE_DATE_EPOCH` where that is set, else that of the commit, else 1970.
    fn of(manifest: &Path) -> Result<Self> {
        let folder = manifest.parent().filter(|folder| !folder.as_os_str().is_empty());
        let output = Command::new("git")
            .args(["log", "-1", "--format=%ct %H"])
            .current_dir(folder.unwrap_or(Path::new(".")))
            .output()
            .context("cannot run git")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let commit = text.trim().split_once(' ');
        let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => text
                .parse()
                .with_context(|| format!("SOURCE_DATE_EPOCH is no number of seconds: {text:?}"))?,
            Err(_) => commit.and_then(|(seconds, _)| seconds.parse().ok()).unwrap_or(0),
        };
        Ok(Self {
            seconds,
            commit: commit.map(|(_, commit)| commit.to_owned()),
        })
    }

    fn time(&self) -> String {
        let seconds = i64::try_from(self.seconds).unwrap_or_default();
        DateTime::from_timestamp(seconds, 0)
            .unwrap_or_default()
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    fn labels(&self, version: &str) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut label =
            |key: &str, value: &str| labels.insert(format!("org.opencontainers.image.{key}"), value.to_owned());
        label("title", "Portico");
        label(
            "description",
            "A self-hosted developer portal that reads the files and speaks the APIs of Backstage",
        );
        label("licenses", "Apache-2.0");
        label("version", version);
        label("created", &self.time());
        if let Some(commit) = &self.commit {
            label("revision", commit);
        }
        labels
    }
}

/// The number of this machine's Debian.
fn release() -> Result<String> {
    let file = "/etc/os-release";
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    match (field("ID").as_deref(), field("VERSION_ID")) {
        (Some("debian"), Some(version)) => Ok(version),
        (name, _) => bail!(
            "this machine has {}; the image is made of packages of Debian, on a machine with Debian",
            name.unwrap_or("no name of its system in /etc/os-release")
        ),
    }
}

/// This machine's, as images call it.
fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("images for {other} are not made; x86_64 and aarch64 are"),
    }
}
