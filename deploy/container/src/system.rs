//! What the program needs around it: git for publishing, authorities to trust, libraries, and the little that names an account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::debian::{self, Package};
use crate::files::{Entry, Files};
use crate::libraries;

/// User and group that the program runs as: the number that images without root have agreed on.
pub const USER: u32 = 65532;
const GIT: &str = "/usr/bin/git";
const AUTHORITIES: &str = "/usr/share/ca-certificates";
/// Names of hosts come from a file first (Kubernetes writes one), then from the name server.
const NAMES: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// The tree of the system's layer, and the packages that its files are from.
pub struct System {
    pub files: Files,
    pub packages: BTreeMap<String, Package>,
}

/// Takes from this machine what `program` and git need.
///
/// # Errors
/// Where git or the authorities are not installed as packages of Debian, or the program needs a library that is missing.
pub fn collect(program: &Path) -> Result<System> {
    let mut files = Files::default();
    for (name, target) in [
        ("/bin", "usr/bin"),
        ("/lib", "usr/lib"),
        ("/lib64", "usr/lib64"),
        ("/sbin", "usr/sbin"),
    ] {
        let there = Path::new("/usr").join(&name[1..]);
        ensure!(
            there.is_dir() || name == "/lib64",
            "{} is missing: this is no Debian that the image can be made of; take Debian 12 or newer",
            there.display()
        );
        files.put(name, Entry::Link(target.to_owned()))?;
        files.folder(&format!("/{target}"))?;
    }
    let taken = programs(program)?;
    for file in &taken {
        files.copy(file)?;
    }
    let mut origins = taken;
    origins.extend(authorities(&mut files)?);
    let mut packages = debian::owners(&origins)?;
    let base = debian::package("base-files")?;
    packages.insert(base.name.clone(), base);

    account(&mut files)?;
    distribution(&mut files)?;
    for package in packages.values() {
        describe(&mut files, package)?;
    }
    Ok(System { files, packages })
}

/// git, the part of it that speaks https, and the libraries of both and of the program.
fn programs(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new(GIT)
        .arg("--exec-path")
        .env_remove("GIT_EXEC_PATH")
        .output()
        .with_context(|| format!("cannot run {GIT} (Debian: apt install git)"))?;
    let parts = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let remote = parts.join("git-remote-https");
    ensure!(
        remote.is_file(),
        "{} is missing: git has no https here; install Debian's package git",
        remote.display()
    );
    let mut files: BTreeSet<PathBuf> =
        BTreeSet::from([PathBuf::from(GIT), remote.clone(), parts.join("git-remote-http")]);
    for one in [Path::new(GIT), &remote] {
        files.extend(libraries::of(one)?);
    }
    for library in libraries::of(program)? {
        if !library.is_file() {
            bail!("{} is missing", library.display());
        }
        files.insert(library);
    }
    Ok(files)
}

/// One file of all authorities that Debian ships. Not the machine's own file: that also holds those of the machine's owner.
fn authorities(files: &mut Files) -> Result<BTreeSet<PathBuf>> {
    let certificates = debian::files_of("ca-certificates", Path::new(AUTHORITIES))?;
    ensure!(
        !certificates.is_empty(),
        "there is no certificate in {AUTHORITIES}; apt install --reinstall ca-certificates"
    );
    let mut bundle = Vec::new();
    for file in &certificates {
        let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        bundle.extend_from_slice(pem.trim_ascii());
        bundle.push(b'\n');
    }
    files.text("/etc/ssl/certs/ca-certificates.crt", bundle)?;
    // One file tells the package.
    Ok(certificates.into_iter().take(1).collect())
}

fn account(files: &mut Files) -> Result<()> {
    let nobody = "/nonexistent:/usr/sbin/nologin";
    files.text(
        "/etc/passwd",
        format!("root:x:0:0:root:{nobody}\nportico:x:{USER}:{USER}:Portico:{nobody}\n"),
    )?;
    files.text("/etc/group", format!("root:x:0:\nportico:x:{USER}:\n"))?;
    files.text("/etc/nsswitch.conf", NAMES)?;
    files.put("/tmp", Entry::Folder(0o1777))?;
    files.folder("/app/config")
}

/// What Debian this is: those who look for known weaknesses ask for it.
fn distribution(files: &mut Files) -> Result<()> {
    for path in ["/usr/lib/os-release", "/etc/debian_version"] {
        files.copy(Path::new(path))?;
    }
    files.put("/etc/os-release", Entry::Link("../usr/lib/os-release".to_owned()))
}

/// The package's licence, and what the package manager knows of it, where images without that program have it.
fn describe(files: &mut Files, package: &Package) -> Result<()> {
    files.text(
        &format!("/var/lib/dpkg/status.d/{}", package.name),
        package.status.clone(),
    )?;
    let licence = PathBuf::from(format!("/usr/share/doc/{}/copyright", package.name));
    if licence.is_file() {
        // Some are links to that of another package.
        let text = std::fs::read(&licence).with_context(|| format!("cannot read {}", licence.display()))?;
        files.text(&licence.display().to_string(), text)?;
    }
    Ok(())
}
