//! What Debian's package manager knows of the files of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// The source package that it is built from.
    pub source: String,
    /// What the package manager has written down of it.
    pub status: String,
}

/// The packages that these files belong to, by name.
///
/// # Errors
/// Where a file belongs to none: then it was not installed by the package manager, and nobody tells its version.
pub fn owners(files: &BTreeSet<PathBuf>) -> Result<BTreeMap<String, Package>> {
    let names: BTreeSet<String> = files.iter().map(|file| owner(file)).collect::<Result<_>>()?;
    names
        .into_iter()
        .map(|name| Ok((name.clone(), package(&name)?)))
        .collect()
}

/// The files that a package has installed below a folder, sorted.
///
/// # Errors
/// Where the package is not installed.
pub fn files_of(package: &str, below: &Path) -> Result<BTreeSet<PathBuf>> {
    let list = query(&["--listfiles", package])
        .with_context(|| format!("the package {package} is not installed; apt install {package}"))?;
    Ok(list
        .lines()
        .map(PathBuf::from)
        .filter(|path| path.starts_with(below) && path.is_file())
        .collect())
}

/// One installed package.
///
/// # Errors
/// Where it is not installed.
pub fn package(name: &str) -> Result<Package> {
    const FIELDS: &str = "${Package}\t${Version}\t${Architecture}\t${source:Package}\n";
    let text = query(&["--show", &format!("--showformat={FIELDS}"), name])?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<&str> = line.split('\t').collect();
    let [package, version, architecture, source] = fields.as_slice() else {
        bail!("dpkg-query tells nothing of the package {name}");
    };
    Ok(Package {
        name: (*package).to_owned(),
        version: (*version).to_owned(),
        architecture: (*architecture).to_owned(),
        source: (*source).to_owned(),
        status: query(&["--status", name])?,
    })
}

fn owner(file: &Path) -> Result<String> {
    for candidate in names(file) {
        if let Ok(text) = query(&["--search", &candidate])
            && let Some((name, _)) = text.lines().next().and_then(|line| line.split_once(": "))
        {
            return Ok(name.to_owned());
        }
    }
    bail!(
        "{} belongs to no package of Debian, so nobody can tell what it is; install the package instead of what is there",
        file.display()
    )
}

/// The file as packages may name it: /lib became a link to /usr/lib, and packages did not follow at once.
fn names(file: &Path) -> Vec<String> {
    let text = file.display().to_string();
    let other = match text.strip_prefix("/usr/") {
        Some(rest) => format!("/{rest}"),
        None => format!("/usr{text}"),
    };
    vec![text, other]
}

fn query(arguments: &[&str]) -> Result<String> {
    let output = Command::new("dpkg-query")
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .context("cannot run dpkg-query: the image is made of packages of Debian, on a machine with Debian")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_on_both_sides_of_the_link() {
        for (file, other) in [
            ("/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("/usr/lib/x86_64-linux-gnu/libz.so.1", "/lib/x86_64-linux-gnu/libz.so.1"),
        ] {
            assert_eq!(names(Path::new(file)), [file, other]);
        }
    }
}
