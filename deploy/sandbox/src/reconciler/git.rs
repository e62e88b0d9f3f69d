//! Reading repositories with the `git` program: which commit a revision is, and the files of that commit.
//!
//! Git gets an environment of its own: no configuration of the user or the machine, no prompts, no other protocols.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, process::Command, sync::Mutex};
use url::Url;

/// How long one call of git may take.
const PATIENCE: Duration = Duration::from_secs(45);
/// All manifests of an Application together.
const SIZE_LIMIT: u64 = 10 * 1024 * 1024;

/// User name and password of a repository.
#[derive(Clone)]
pub struct Login {
    /// Name of the account; any text where the password is a token.
    pub username: String,
    /// Password or token.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Login(hidden)")
    }
}

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path in the repository.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Where repositories are read from.
#[derive(Debug, Clone)]
pub struct Repositories {
    /// Folder for what was fetched.
    pub cache: PathBuf,
    /// Base URL of the forge, without a slash at the end.
    pub forge_url: String,
    /// `host` or `host:port` names under which the forge is known elsewhere.
    pub aliases: Vec<String>,
    /// One fetch at a time: git locks its folders.
    pub fetching: Arc<Mutex<()>>,
}

/// What went wrong, worded as Argo CD's repo-server does.
pub type Failure = String;

impl Repositories {
    /// The URL that is really read: names of the forge are replaced, a path prefix before owner and name is dropped.
    pub fn local_url(&self, repository: &str) -> Result<String, Failure> {
        let refused = || format!("repository URL {repository:?} is not a URL of http or https");
        let url = Url::parse(repository).map_err(|_| refused())?;
        let forge = Url::parse(&self.forge_url).map_err(|_| refused())?;
        let host = url.host_str().unwrap_or_default();
        let address = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let at_forge =
            matches!(host, "localhost" | "127.0.0.1") && url.port_or_known_default() == forge.port_or_known_default();
        let known = self.aliases.iter().any(|alias| *alias == host || *alias == address);
        if at_forge || known {
            let segments = url
                .path_segments()
                .map(|parts| parts.filter(|part| !part.is_empty()).collect::<Vec<_>>());
            return match segments.as_deref() {
                Some([.., owner, name]) => Ok(format!("{}/{owner}/{name}", self.forge_url.trim_end_matches('/'))),
                _ => Err(format!("repository URL {repository:?} has no owner and name")),
            };
        }
        if matches!(url.scheme(), "http" | "https") {
            Ok(url.to_string())
        } else {
            Err(refused())
        }
    }

    /// The commit that a revision (branch, tag, commit, or empty for the default branch) is now.
    pub async fn resolve(&self, repository: &str, revision: &str, login: Option<&Login>) -> Result<String, Failure> {
        if is_commit(revision) {
            return Ok(revision.to_owned());
        }
        let url = self.local_url(repository)?;
        let output = self
            .git(&["ls-remote", "--", &url], None, login)
            .await
            .map_err(|error| format!("failed to list refs: {error}"))?;
        let text = String::from_utf8_lossy(&output);
        let refs = text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect::<Vec<_>>();
        let revision = if revision.is_empty() { "HEAD" } else { revision };
        // The commit behind an annotated tag comes before the tag itself.
        let names = [
            revision.to_owned(),
            format!("refs/heads/{revision}"),
            format!("refs/tags/{revision}^{{}}"),
            format!("refs/tags/{revision}"),
        ];
        let found = names
            .iter()
            .find_map(|name| refs.iter().find(|(_, known)| known == name));
        let found = found.ok_or_else(|| format!("unable to resolve '{revision}' to a commit SHA"))?;
        Ok(found.0.to_owned())
    }

    /// The files of a folder (`.` for all) of a commit; with `recurse` those of its subfolders too.
    pub async fn files(
        &self,
        repository: &str,
        commit: &str,
        folder: &str,
        recurse: bool,
        login: Option<&Login>,
    ) -> Result<Vec<SourceFile>, Failure> {
        let url = self.local_url(repository)?;
        let folder = checked_folder(folder)?;
        let _one_at_a_time = self.fetching.lock().await;
        let store = self
            .cache
            .join(format!("{}.git", hex::encode(&Sha256::digest(&url)[..12])));
        if !store.join("HEAD").exists() {
            let text = store.to_string_lossy().into_owned();
            self.git(&["init", "--quiet", "--bare", &text], None, None).await?;
        }
        let known = self
            .git(&["cat-file", "-e", &format!("{commit}^{{commit}}")], Some(&store), None)
            .await
            .is_ok();
        if !known {
            let fetch = ["fetch", "--quiet", "--no-tags", "--depth", "1", "--", &url, commit];
            let fetched = self.git(&fetch, Some(&store), login).await;
            if fetched.is_err() {
                // Servers that do not give out commits by name give out all branches and tags.
                let all = [
                    "fetch",
                    "--quiet",
                    "--",
                    &url,
                    "+refs/heads/*:refs/remotes/o/*",
                    "+refs/tags/*:refs/tags/*",
                ];
                self.git(&all, Some(&store), login)
                    .await
                    .map_err(|error| format!("failed to fetch {commit}: {error}"))?;
            }
        }
        let tree = if folder.is_empty() {
            commit.to_owned()
        } else {
            format!("{commit}:{folder}")
        };
        let mut list = vec!["ls-tree", "-z", "-l"];
        if recurse {
            list.push("-r");
        }
        list.push(&tree);
        let listing = self.git(&list, Some(&store), None).await;
        let listing = listing.map_err(|_| {
            format!(
                "{}: app path does not exist",
                if folder.is_empty() { "." } else { &folder }
            )
        })?;
        self.read_blobs(&store, &folder, &String::from_utf8_lossy(&listing))
            .await
    }

    async fn read_blobs(&self, store: &Path, folder: &str, listing: &str) -> Result<Vec<SourceFile>, Failure> {
        let mut wanted = Vec::new();
        let mut size = 0;
        for line in listing.split('\0').filter(|line| !line.is_empty()) {
            let Some((head, name)) = line.split_once('\t') else {
                continue;
            };
            let head = head.split_whitespace().collect::<Vec<_>>();
            // Symbolic links and submodules are not followed.
            let [mode, "blob", id, bytes] = head.as_slice() else {
                continue;
            };
            if !mode.starts_with("100") || !is_manifest(name) {
                continue;
            }
            size += bytes.parse::<u64>().unwrap_or(SIZE_LIMIT);
            if size > SIZE_LIMIT {
                return Err(format!(
                    "the manifests are larger than {} MiB together",
                    SIZE_LIMIT / 1024 / 1024
                ));
            }
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            wanted.push(((*id).to_owned(), path));
        }
        let mut files = Vec::new();
        for (id, path) in wanted {
            let content = self.git(&["cat-file", "blob", &id], Some(store), None).await?;
            files.push(SourceFile { path, content });
        }
        Ok(files)
    }

    async fn git(&self, arguments: &[&str], folder: Option<&Path>, login: Option<&Login>) -> Result<Vec<u8>, Failure> {
        let mut command = Command::new("git");
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "http:https")
            .env("HOME", "/nonexistent")
            .env("LC_ALL", "C");
        if let Some(login) = login {
            let basic = STANDARD.encode(format!("{}:{}", login.username, login.password));
            command
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", "http.extraHeader")
                .env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {basic}"));
        }
        if let Some(folder) = folder {
            command.arg("--git-dir").arg(folder);
        }
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| format!("the program git cannot be started: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.shutdown().await;
        }
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .map_err(|_| format!("git {} took longer than {} s", arguments[0], PATIENCE.as_secs()))?
            .map_err(|error| format!("git {} failed: {error}", arguments[0]))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(understood(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// Git's words, in Argo CD's where it has some of its own.
fn understood(stderr: &str) -> Failure {
    if stderr.contains("could not read Username") || stderr.contains("Authentication failed") {
        return "authentication required: Repository not found.".into();
    }
    if stderr.contains("not found") || stderr.contains("does not appear to be a git repository") {
        return "repository not found: Repository not found.".into();
    }
    let line = stderr
        .lines()
        .find(|line| line.starts_with("fatal:"))
        .or_else(|| stderr.lines().next());
    line.unwrap_or("git failed without a message")
        .trim_start_matches("fatal: ")
        .to_owned()
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_manifest(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    [".yaml", ".yml", ".json"].iter().any(|ending| file.ends_with(ending)) || matches!(file, "Kustomization")
}

/// The folder as git names it in a tree; a path that leaves the repository is refused.
fn checked_folder(folder: &str) -> Result<String, Failure> {
    if folder.starts_with('/') {
        return Err(format!("{folder}: app path is absolute"));
    }
    let parts = folder
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect::<Vec<_>>();
    if parts.iter().any(|part| *part == ".." || part.contains(':')) {
        return Err(format!("{folder}: app path outside root"));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_forge_are_replaced() {
        let repositories = Repositories {
            cache: PathBuf::new(),
            forge_url: "http://localhost:7008".into(),
            aliases: vec!["cnoe.localtest.me:8443".into(), "gitea.example".into()],
            fetching: Arc::default(),
        };
        for (given, expected) in [
            (
                "https://cnoe.localtest.me:8443/gitea/giteaAdmin/demo",
                Some("http://localhost:7008/giteaAdmin/demo"),
            ),
            ("https://gitea.example/a/b.git", Some("http://localhost:7008/a/b.git")),
            ("http://127.0.0.1:7008/a/b", Some("http://localhost:7008/a/b")),
            ("https://cnoe.localtest.me/a/b", Some("https://cnoe.localtest.me/a/b")),
            ("https://gitea.example/b", None),
            ("ssh://git@gitea.other/a/b", None),
            ("--upload-pack=touch x", None),
            ("file:///etc", None),
        ] {
            assert_eq!(repositories.local_url(given).ok().as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn folders_stay_inside() {
        for (folder, expected) in [
            ("manifests", Some("manifests")),
            ("./a//b/", Some("a/b")),
            (".", Some("")),
            ("../x", None),
            ("a/../../x", None),
            ("/etc", None),
            ("a:b", None),
        ] {
            assert_eq!(checked_folder(folder).ok().as_deref(), expected, "{folder}");
        }
    }
}
