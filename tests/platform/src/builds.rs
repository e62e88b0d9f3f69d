//! How each program is built from packages of public registries, and what comes out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::cache::{Cache, Recipe};
use crate::commands::output;
use crate::tools::{self, C_COMPILER, GO, JAVA, MAVEN, UNZIP};
use crate::versions::Versions;

const MODULE: &str = include_str!("../modules/kubernetes-argocd/go.mod");
const MODULE_SUMS: &str = include_str!("../modules/kubernetes-argocd/go.sum");
const ARGOCD_PROGRAM: &str = include_str!("../modules/kubernetes-argocd/argocd/main.go");
const GITEA_TAGS: &str = "sqlite sqlite_unlock_notify";
/// Keycloak is built for these once; without, each start would do it.
const KEYCLOAK_OPTIONS: [&str; 2] = ["--db=dev-file", "--http-relative-path=/keycloak"];

/// The names that the one program of Argo CD's parts is called by.
pub const ARGOCD_PARTS: [&str; 4] = [
    "argocd-application-controller",
    "argocd-repo-server",
    "argocd-server",
    "argocd-git-ask-pass",
];

/// Folders of the cache with what was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// `kube-apiserver` and `kube-controller-manager`.
    pub kubernetes: PathBuf,
    /// `etcd`.
    pub etcd: PathBuf,
    /// [`ARGOCD_PARTS`], and `crds` with the definitions of its resources.
    pub argocd: PathBuf,
    /// `gitea`, and `static` with its templates and other files.
    pub gitea: PathBuf,
    /// The distribution, with `lib`, `conf` and so on.
    pub keycloak: PathBuf,
}

/// Builds what is missing in the cache.
///
/// # Errors
/// Names the system that cannot be built, with the end of what its build says.
pub async fn ready(versions: &Versions) -> Result<Built> {
    let cache = Cache::open()?;
    Ok(Built {
        keycloak: keycloak(&cache, versions).await?,
        kubernetes: kubernetes(&cache, versions).await?,
        etcd: etcd(&cache, versions).await?,
        argocd: argocd(&cache, versions).await?,
        gitea: gitea(&cache, versions).await?,
    })
}

async fn kubernetes(cache: &Cache, versions: &Versions) -> Result<PathBuf> {
    let version = &versions.kubernetes;
    let minor = version.split('.').nth(1).unwrap_or_default();
    let names = [
        format!("k8s.io/component-base/version.gitVersion=v{version}"),
        "k8s.io/component-base/version.gitMajor=1".to_owned(),
        format!("k8s.io/component-base/version.gitMinor={minor}"),
        format!("k8s.io/client-go/pkg/version.gitVersion=v{version}"),
    ];
    let names = names.map(|name| format!("-X {name}")).join(" ");
    let recipe = Recipe {
        system: "kubernetes",
        version,
        inputs: &[MODULE, MODULE_SUMS, &names],
    };
    cache
        .entry(&recipe, async |folder: &Path| {
            let go = Go::open(&[])?;
            for program in ["kube-apiserver", "kube-controller-manager"] {
                let package = format!("k8s.io/kubernetes/cmd/{program}");
                go.build(&folder.join(program), &package, &names).await?;
            }
            Ok(())
        })
        .await
}

async fn etcd(cache: &Cache, versions: &Versions) -> Result<PathBuf> {
    let recipe = Recipe {
        system: "etcd",
        version: &versions.etcd,
        inputs: &[MODULE, MODULE_SUMS],
    };
    cache
        .entry(&recipe, async |folder: &Path| {
            Go::open(&[])?
                .build(&folder.join("etcd"), "go.etcd.io/etcd/server/v3", "")
                .await
        })
        .await
}

async fn argocd(cache: &Cache, versions: &Versions) -> Result<PathBuf> {
    let version = &versions.argocd;
    let names = format!("-X github.com/argoproj/argo-cd/v3/common.version={version}");
    let recipe = Recipe {
        system: "argocd",
        version,
        inputs: &[MODULE, MODULE_SUMS, ARGOCD_PROGRAM, &names],
    };
    cache
        .entry(&recipe, async |folder: &Path| {
            let go = Go::open(&[("argocd/main.go", ARGOCD_PROGRAM)])?;
            go.build(&folder.join("argocd"), "./argocd", &names).await?;
            for part in ARGOCD_PARTS {
                std::os::unix::fs::symlink("argocd", folder.join(part))?;
            }
            let module = go
                .output(&["list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3"])
                .await?;
            copy(&Path::new(module.trim()).join("manifests/crds"), &folder.join("crds"))
        })
        .await
}

async fn gitea(cache: &Cache, versions: &Versions) -> Result<PathBuf> {
    let version = &versions.gitea.version;
    let recipe = Recipe {
        system: "gitea",
        version,
        inputs: &[&versions.gitea.sum, GITEA_TAGS],
    };
    cache
        .entry(&recipe, async |folder: &Path| {
            tools::need(&[GO, C_COMPILER]).await?;
            let mut go = Go::with_module("module portico/platform/gitea\n", "", &[])?;
            let module = format!("code.gitea.io/gitea@v{version}");
            let downloaded: Module = serde_json::from_str(&go.output(&["mod", "download", "-json", &module]).await?)
                .context("go does not say where the module is")?;
            ensure!(
                downloaded.sum == versions.gitea.sum,
                "the module {module} has the sum {}, not the pinned {}",
                downloaded.sum,
                versions.gitea.sum
            );
            let definition =
                std::fs::read_to_string(downloaded.dir.join("go.mod")).context("the module has no go.mod")?;
            go.write("go.mod", &main_module(&definition, version))?;
            go.write(
                "go.sum",
                &std::fs::read_to_string(downloaded.dir.join("go.sum")).context("the module has no go.sum")?,
            )?;
            go.whole = false;
            go.cgo = true;
            go.tags = GITEA_TAGS;
            let names = format!("-X main.Version={version}");
            go.build(&folder.join("gitea"), "code.gitea.io/gitea", &names).await?;
            for part in ["templates", "options", "public"] {
                copy(&downloaded.dir.join(part), &folder.join("static").join(part))?;
            }
            Ok(())
        })
        .await
}

/// The parts of `go mod download -json` that are used.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Module {
    dir: PathBuf,
    sum: String,
}

/// A module of ours that requires only Gitea. Replacements count in the main module alone, so they are taken over.
fn main_module(definition: &str, version: &str) -> String {
    let kept: Vec<&str> = definition
        .lines()
        .filter(|line| line.starts_with("go ") || line.starts_with("replace "))
        .collect();
    format!(
        "module portico/platform/gitea\n\nrequire code.gitea.io/gitea v{version}\n\n{}\n",
        kept.join("\n")
    )
}

async fn keycloak(cache: &Cache, versions: &Versions) -> Result<PathBuf> {
    let pinned = &versions.keycloak;
    let options = KEYCLOAK_OPTIONS.join(" ");
    let recipe = Recipe {
        system: "keycloak",
        version: &pinned.version,
        inputs: &[&pinned.sha256, &options],
    };
    cache
        .entry(&recipe, async |folder: &Path| {
            tools::need(&[JAVA, MAVEN, UNZIP]).await?;
            let work = tempfile::tempdir().context("no temporary folder")?;
            let mut fetch = Command::new("mvn");
            fetch
                .args(["--batch-mode", "--no-transfer-progress", "--quiet"])
                .arg(format!(
                    "org.apache.maven.plugins:maven-dependency-plugin:{}:copy",
                    pinned.dependency_plugin
                ))
                .arg(format!(
                    "-Dartifact=org.keycloak:keycloak-quarkus-dist:{}:zip",
                    pinned.version
                ))
                .arg(format!("-DoutputDirectory={}", work.path().display()));
            output(&mut fetch).await?;
            let archive = work
                .path()
                .join(format!("keycloak-quarkus-dist-{}.zip", pinned.version));
            let content = std::fs::read(&archive).with_context(|| format!("Maven made no {}", archive.display()))?;
            let found = hex::encode(Sha256::digest(&content));
            ensure!(
                found == pinned.sha256,
                "the archive has the digest {found}, not the pinned {}",
                pinned.sha256
            );
            output(Command::new("unzip").arg("-q").arg(&archive).arg("-d").arg(work.path())).await?;
            // The archive holds one folder; what is in it is the entry.
            let unpacked = work.path().join(format!("keycloak-{}", pinned.version));
            copy(&unpacked, folder)?;
            output(
                Command::new(folder.join("bin/kc.sh"))
                    .arg("build")
                    .args(KEYCLOAK_OPTIONS),
            )
            .await?;
            Ok(())
        })
        .await
}

/// A Go module in a temporary folder, in which programs are built.
struct Go {
    folder: tempfile::TempDir,
    /// Its go.mod names everything; otherwise Go completes it, within the sums that are there.
    whole: bool,
    cgo: bool,
    tags: &'static str,
}

impl Go {
    /// The module of Kubernetes, etcd and Argo CD, with files of ours in it.
    fn open(files: &[(&str, &str)]) -> Result<Go> {
        Go::with_module(MODULE, MODULE_SUMS, files)
    }

    fn with_module(definition: &str, sums: &str, files: &[(&str, &str)]) -> Result<Go> {
        let go = Go {
            folder: tempfile::tempdir().context("no temporary folder")?,
            whole: true,
            cgo: false,
            tags: "",
        };
        for (name, content) in [("go.mod", definition), ("go.sum", sums)].iter().chain(files) {
            go.write(name, content)?;
        }
        Ok(go)
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(self.folder.path()))?;
            std::fs::write(&path, content)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    async fn build(&self, program: &Path, package: &str, names: &str) -> Result<()> {
        let flags = format!("-s -w {names}");
        let arguments: [&OsStr; 8] = [
            "build".as_ref(),
            "-trimpath".as_ref(),
            "-tags".as_ref(),
            self.tags.as_ref(),
            "-ldflags".as_ref(),
            flags.as_ref(),
            "-o".as_ref(),
            program.as_ref(),
        ];
        let mut command = self.command().await?;
        output(command.args(arguments).arg(package)).await?;
        Ok(())
    }

    async fn output(&self, arguments: &[&str]) -> Result<String> {
        output(self.command().await?.args(arguments)).await
    }

    async fn command(&self) -> Result<Command> {
        tools::need(&[GO]).await?;
        let mut command = Command::new("go");
        command
            .current_dir(self.folder.path())
            .env(
                "GOPROXY",
                registries_only(&output(Command::new("go").args(["env", "GOPROXY"])).await?),
            )
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .env(
                "GOFLAGS",
                format!("-mod={} -buildvcs=false", if self.whole { "readonly" } else { "mod" }),
            )
            .env("CGO_ENABLED", if self.cgo { "1" } else { "0" });
        Ok(command)
    }
}

/// The user's registries without a fall-back to the modules' origins: what a registry refuses is not looked for
/// elsewhere.
fn registries_only(setting: &str) -> String {
    let kept: Vec<&str> = setting
        .trim()
        .split([',', '|'])
        .filter(|entry| *entry != "direct")
        .collect();
    if kept.is_empty() { "off".into() } else { kept.join(",") }
}

/// Copies a folder. Copies can be changed, which the files of Go's modules cannot.
fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let entries = std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in entries {
        let (entry, kind) = entry
            .and_then(|entry| entry.file_type().map(|kind| (entry, kind)))
            .with_context(|| format!("cannot read {}", from.display()))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            let copy = || -> std::io::Result<()> {
                std::fs::copy(entry.path(), &target)?;
                let mode = target.metadata()?.permissions().mode();
                std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode | 0o200))
            };
            copy().with_context(|| format!("cannot copy {} to {}", entry.path().display(), target.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_from_registries_alone() {
        for (setting, kept) in [
            ("https://proxy.example,direct\n", "https://proxy.example"),
            (
                "https://a.example|https://b.example",
                "https://a.example,https://b.example",
            ),
            ("direct", "off"),
        ] {
            assert_eq!(registries_only(setting), kept);
        }
    }

    #[test]
    fn replacements_are_taken_over() {
        let definition = "module x\n\ngo 1.25\n\nrequire (\n\ta v1\n)\n\nreplace b => c v2\n\nexclude d v3\n";
        assert_eq!(
            main_module(definition, "1.2.3"),
            "module portico/platform/gitea\n\nrequire code.gitea.io/gitea v1.2.3\n\ngo 1.25\nreplace b => c v2\n"
        );
    }
}
