//! Folders of golden paths become repositories of the forge, so that authors change them by a push.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::folder::GoldenPathsRepository;
use crate::progress::{Step, warn};

/// The file of such a folder that the catalog reads first.
const ENTRY: &str = "catalog-info.yaml";
/// The branch that templates are read from.
pub const BRANCH: &str = "main";

/// A forge, seen as its administrator, whose repositories golden paths become.
pub trait Destination {
    /// The address of a repository of the administrator's: `https://forge/owner/name`.
    fn url(&self, name: &str) -> String;
    /// The commit that [`BRANCH`] is at, `None` where there is no repository or no branch yet.
    fn head(&self, name: &str) -> impl Future<Output = Result<Option<String>>> + Send;
    /// Makes [`BRANCH`] of a repository, which is made if need be, hold exactly the files of a folder, in one commit.
    fn put(&self, name: &str, folder: &Path) -> impl Future<Output = Result<()>> + Send;
}

/// Resolves the folders and makes sure that the catalog can read something in each.
pub fn resolve(given: &[PathBuf], source: Option<&Path>) -> Result<Vec<PathBuf>> {
    let folders = match (given, source) {
        ([], Some(source)) => vec![source.join("golden-paths")],
        ([], None) => bail!("say with --golden-paths DIR where the golden paths are"),
        (given, _) => given.to_vec(),
    };
    let mut resolved = Vec::new();
    for folder in folders {
        let path = folder
            .canonicalize()
            .with_context(|| format!("there is no folder of golden paths {}", folder.display()))?;
        if path.to_str().is_none() {
            bail!(
                "the name of {} is not UTF-8, but it must be remembered as text",
                path.display()
            );
        }
        if !path.join(ENTRY).is_file() {
            bail!("{} has no {ENTRY}; the catalog begins to read there", path.display());
        }
        if !resolved.contains(&path) {
            resolved.push(path);
        }
    }
    Ok(resolved)
}

/// Puts each folder into the forge and returns the addresses to register. A repository that somebody has pushed to
/// is left alone; one that is still as we made it follows its folder. `remember` is told after each one.
pub async fn publish(
    folders: &[PathBuf],
    destination: &(impl Destination + Sync),
    mut published: BTreeMap<PathBuf, GoldenPathsRepository>,
    mut remember: impl FnMut(&BTreeMap<PathBuf, GoldenPathsRepository>) -> Result<()>,
) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for path in folders {
        let entry = published.get(path).cloned().unwrap_or_else(|| GoldenPathsRepository {
            name: free_name(path, &published),
            ..GoldenPathsRepository::default()
        });
        let entry = publish_one(path, entry, destination).await?;
        targets.push(format!("{}/raw/branch/{BRANCH}/{ENTRY}", destination.url(&entry.name)));
        published.insert(path.clone(), entry);
        remember(&published)?;
    }
    Ok(targets)
}

async fn publish_one(
    path: &Path,
    mut entry: GoldenPathsRepository,
    destination: &(impl Destination + Sync),
) -> Result<GoldenPathsRepository> {
    let digest = digest(path)?;
    let head = destination.head(&entry.name).await?;
    if head.is_some() && entry.digest == digest {
        return Ok(entry);
    }
    if head.is_some() && head.as_deref() != Some(&entry.commit) {
        warn(&format!(
            "{} differs from the repository {}, which has commits of its own: it stays as it is (push to it, or start anew)",
            path.display(),
            entry.name
        ));
        return Ok(entry);
    }
    let step = Step::begin("Publishing", &format!("{} to the forge", path.display()));
    destination
        .put(&entry.name, path)
        .await
        .with_context(|| format!("cannot put {} into the forge", path.display()))?;
    entry.commit = destination.head(&entry.name).await?.unwrap_or_default();
    entry.digest = digest;
    step.done(
        "Published",
        &format!("{} as {}", path.display(), destination.url(&entry.name)),
    );
    Ok(entry)
}

/// A digest of names and contents of all files; what git would not take (`.git`) is left out.
fn digest(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(folder, &mut files).with_context(|| format!("cannot read {}", folder.display()))?;
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let content = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file
            .strip_prefix(folder)
            .unwrap_or(&file)
            .as_os_str()
            .as_encoded_bytes();
        for part in [name, &content] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    Ok(hex::encode(digest.finalize()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != ".git" {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// A repository name from the folder's: `golden-paths`, and where that is taken `parent-golden-paths`, then numbers.
fn free_name(path: &Path, taken: &BTreeMap<PathBuf, GoldenPathsRepository>) -> String {
    let part = |path: Option<&Path>| path.and_then(Path::file_name).map(|name| slug(&name.to_string_lossy()));
    let own = part(Some(path))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "golden-paths".into());
    let longer = part(path.parent())
        .filter(|name| !name.is_empty())
        .map(|parent| format!("{parent}-{own}"));
    let numbered = (2..).map(|number| format!("{own}-{number}"));
    std::iter::once(own.clone())
        .chain(longer)
        .chain(numbered)
        .find(|name| taken.values().all(|repository| repository.name != *name))
        .unwrap_or(own)
}

fn slug(name: &str) -> String {
    let text: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .collect();
    text.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_path_and_differ() {
        let mut taken = BTreeMap::new();
        for (path, name) in [
            ("/a/golden-paths", "golden-paths"),
            ("/b/golden-paths", "b-golden-paths"),
            ("/c/b/golden-paths", "golden-paths-2"),
            ("/x/My templates!", "My-templates"),
        ] {
            let path = PathBuf::from(path);
            // The second `b` is not free any more, so a number decides.
            let found = free_name(&path, &taken);
            assert_eq!(found, name);
            taken.insert(
                path,
                GoldenPathsRepository {
                    name: found,
                    ..GoldenPathsRepository::default()
                },
            );
        }
    }

    #[test]
    fn digests_see_names_and_contents_but_not_git() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("a"), "bc").expect("written");
        let first = digest(folder.path()).expect("read");
        std::fs::create_dir(folder.path().join(".git")).expect("made");
        std::fs::write(folder.path().join(".git/HEAD"), "x").expect("written");
        assert_eq!(digest(folder.path()).expect("read"), first);
        std::fs::rename(folder.path().join("a"), folder.path().join("ab")).expect("moved");
        std::fs::write(folder.path().join("ab"), "c").expect("written");
        assert_ne!(digest(folder.path()).expect("read"), first);
    }

    #[test]
    fn a_folder_without_an_entry_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = resolve(&[folder.path().to_owned()], None)
            .expect_err("refused")
            .to_string();
        assert!(error.contains("has no catalog-info.yaml"), "{error}");
        std::fs::write(folder.path().join(ENTRY), "").expect("written");
        let twice = [folder.path().to_owned(), folder.path().join(".")];
        assert_eq!(resolve(&twice, None).expect("resolved").len(), 1);
    }
}
