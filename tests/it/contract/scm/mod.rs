//! Forgejo and Gitea, as `portico::scm` relies on them.

mod beside;
mod collaboration;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use portico::scm::{ForgejoConfig, Forges, NewRepository, Repository, Scm, ScmError, Source, Watched};
use serde_json::json;

use crate::support::{Bench, eventually, fresh, git};

/// A forge and an account that may create repositories.
struct Target {
    systems: Bench,
    base_url: String,
    username: String,
}

impl Target {
    fn of(systems: Bench, base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            username: systems.forge.username.clone(),
            systems,
        }
    }

    fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        git(folder, arguments, self.systems.authority.as_deref())
    }

    fn forges(&self) -> Forges {
        self.forges_as(&self.systems.forge.password)
    }

    fn forges_as(&self, password: &str) -> Forges {
        let entry = |host: &str| ForgejoConfig {
            base_url: self.base_url.clone(),
            host: host.to_owned(),
            username: Some(self.username.clone()),
            password: Some(password.to_owned()),
        };
        let host = self.base_url.split('/').nth(2).unwrap_or_default();
        let settings = vec![entry(host), entry("alias.example:8443")];
        Forges::new(settings, self.systems.outbound(&self.base_url).client()).expect("settings that work")
    }

    fn forge(&self) -> Arc<dyn Scm> {
        let located = self.forges().locate(&format!("{}/o/n", self.base_url));
        located.expect("a URL of the forge").forge
    }

    async fn create(&self, prefix: &str) -> Repository {
        let forge = self.forge();
        forge
            .create_repository(&new(&fresh(prefix)))
            .await
            .expect("it can be created")
            .repository
    }

    /// Pushes what `fill` puts into a folder, as one commit on `branch`, and waits until the forge has taken
    /// it in: Gitea goes on calling a repository empty for a moment after its first push.
    async fn push(&self, repository: &Repository, branch: &str, fill: impl FnOnce(&Path)) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = folder.path();
        self.git(at, &["init", "--quiet"]);
        self.git(at, &["checkout", "--quiet", "-B", branch]);
        fill(at);
        self.git(at, &["add", "--all"]);
        self.git(at, &["commit", "--quiet", "--message", "First line\n\nMore."]);
        let target = self.forge().push_target(repository).expect("credentials");
        let mut url = target.url.clone();
        url.set_username(&target.username).expect("a name");
        url.set_password(Some(&target.password)).expect("a password");
        self.git(
            at,
            &["push", "--quiet", url.as_str(), &format!("HEAD:refs/heads/{branch}")],
        );
        let pushed = self.git(at, &["rev-parse", "HEAD"]);
        let forge = self.forge();
        eventually(&format!("the forge shows {branch}"), async || {
            let shown = forge.commit(repository, branch).await.ok()?;
            (shown.id == pushed).then_some(())
        })
        .await;
        pushed
    }
}

fn new(name: &str) -> NewRepository {
    NewRepository {
        owner: None,
        name: name.to_owned(),
        description: "Made by a test".to_owned(),
        private: false,
        default_branch: "main".to_owned(),
    }
}

fn write(folder: &Path, path: &str, content: &[u8]) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

fn source(repository: &Repository, reference: Option<&str>, path: &str) -> Source {
    Source {
        repository: repository.clone(),
        reference: reference.map(str::to_owned),
        path: path.to_owned(),
    }
}

async fn repositories_are_created_once_and_empty(target: &Target) {
    let forge = target.forge();
    let wanted = new(&fresh("once"));
    let made = forge.create_repository(&wanted).await.expect("it can be created");
    assert_eq!(
        (made.repository.owner.as_str(), made.repository.name.as_str()),
        (target.username.as_str(), wanted.name.as_str())
    );
    assert_eq!(made.repository.forge, target.base_url);
    assert!(made.empty && made.may_administer, "{made:?}");

    let found = forge.repository(&made.repository).await.expect("it is there");
    assert_eq!(found.repository, made.repository);
    assert_eq!(found.default_branch, "main");
    assert!(found.empty && found.may_administer);
    assert_eq!(found.created_at, made.created_at);

    let commit = forge.commit(&made.repository, "main").await;
    assert!(matches!(commit, Err(ScmError::NotFound { .. })), "{commit:?}");
    let file = forge.read_file(&source(&made.repository, None, "README.md"), 100).await;
    assert!(matches!(file, Err(ScmError::NotFound { .. })), "{file:?}");

    let again = forge.create_repository(&wanted).await;
    assert!(matches!(again, Err(ScmError::Conflict { .. })), "{again:?}");
    // The account named as owner is no organisation.
    let by_owner = NewRepository {
        owner: Some(target.username.clone()),
        ..wanted.clone()
    };
    let again = forge.create_repository(&by_owner).await;
    assert!(matches!(again, Err(ScmError::Conflict { .. })), "{again:?}");
    let nowhere = NewRepository {
        owner: Some(fresh("nobody")),
        ..wanted
    };
    let refused = forge.create_repository(&nowhere).await;
    assert!(matches!(refused, Err(ScmError::NotFound { .. })), "{refused:?}");
}

async fn files_and_trees_are_read(target: &Target) {
    let forge = target.forge();
    let repository = target.create("read").await;
    let binary: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let commit = target
        .push(&repository, "main", |folder| {
            write(folder, "catalog-info.yaml", b"kind: Component\n");
            write(folder, "docs/a b/\u{fc}#?%.md", b"# text\n");
            write(folder, "logo.png", &binary);
            write(folder, "empty", b"");
            write(folder, "bin/run", b"#!/bin/sh\n");
            let run = folder.join("bin/run");
            std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o755)).expect("permissions");
            symlink("../catalog-info.yaml", folder.join("docs/link")).expect("a link");
        })
        .await;

    // Gitea works a push off after it has answered.
    eventually("it is not empty any more", || async {
        let found = forge.repository(&repository).await.expect("it is there");
        (!found.empty).then_some(())
    })
    .await;
    for reference in ["main", commit.as_str()] {
        let read = forge.commit(&repository, reference).await.expect("it has a commit");
        assert_eq!((read.id.as_str(), read.author.as_str()), (commit.as_str(), "A Person"));
        assert!(read.message.starts_with("First line\n\nMore."), "{:?}", read.message);
    }
    for reference in [None, Some("main"), Some(commit.as_str())] {
        let file = forge
            .read_file(&source(&repository, reference, "catalog-info.yaml"), 100)
            .await;
        assert_eq!(file.expect("it can be read").as_ref(), b"kind: Component\n");
    }
    let odd = source(&repository, Some("main"), "docs/a b/\u{fc}#?%.md");
    assert_eq!(
        forge.read_file(&odd, 100).await.expect("it can be read").as_ref(),
        b"# text\n"
    );
    let image = source(&repository, Some("main"), "logo.png");
    assert_eq!(
        forge.read_file(&image, 70_000).await.expect("it can be read").as_ref(),
        binary
    );
    let large = forge.read_file(&image, 69_999).await;
    assert!(matches!(large, Err(ScmError::TooLarge { .. })), "{large:?}");
    for missing in [
        source(&repository, Some("main"), "none"),
        source(&repository, Some("none"), "logo.png"),
    ] {
        let read = forge.read_file(&missing, 100).await;
        assert!(matches!(read, Err(ScmError::NotFound { .. })), "{missing:?}: {read:?}");
    }

    let tree = forge
        .read_tree(&repository, "main", 1 << 20)
        .await
        .expect("it can be read");
    assert_eq!(tree.commit, commit);
    let mut files: Vec<_> = tree
        .files
        .iter()
        .map(|f| (f.path.as_str(), f.executable, f.link.as_deref(), f.content.len()))
        .collect();
    files.sort_unstable();
    let expected = [
        ("bin/run", true, None, 10),
        ("catalog-info.yaml", false, None, 16),
        ("docs/a b/\u{fc}#?%.md", false, None, 7),
        ("docs/link", false, Some("../catalog-info.yaml"), 0),
        ("empty", false, None, 0),
        ("logo.png", false, None, 70_000),
    ];
    assert_eq!(files, expected);
    let logo = tree
        .files
        .iter()
        .find(|file| file.path == "logo.png")
        .expect("the image");
    assert_eq!(logo.content.as_ref(), binary);
    let large = forge.read_tree(&repository, "main", 70_000).await;
    assert!(matches!(large, Err(ScmError::TooLarge { .. })), "{large:?}");
    let missing = forge.read_tree(&repository, "none", 1 << 20).await;
    assert!(matches!(missing, Err(ScmError::NotFound { .. })), "{missing:?}");
}

async fn commits_are_listed_by_file(target: &Target) {
    let forge = target.forge();
    let repository = target.create("history").await;
    let all = source(&repository, None, "");
    assert_eq!(forge.list_commits(&all, 10).await.expect("it is empty"), []);
    let first = target
        .push(&repository, "main", |folder| {
            write(folder, "a b/c.yaml", b"1");
            write(folder, "other", b"1");
        })
        .await;
    let api = target.systems.forge_api();
    let file = json!({"content": "eA==", "branch": "main", "message": "Add x\n\nWhy.",
        "author": {"name": "Ada Lovelace", "email": "ada@example.org"},
        "committer": {"name": "Ada Lovelace", "email": "ada@example.org"}});
    let (status, made) = api
        .post(&format!("{}/contents/a%20b/x", api_path(&repository)), &file)
        .await;
    assert_eq!(status.as_u16(), 201, "{made}");
    let second = made["commit"]["sha"].as_str().expect("an id").to_owned();
    let list = async |reference: Option<&str>, path: &str, limit: usize| -> Vec<String> {
        let listed = forge.list_commits(&source(&repository, reference, path), limit).await;
        listed
            .expect("the forge answers")
            .into_iter()
            .map(|commit| commit.id)
            .collect()
    };
    let newest_first = [second.clone(), first.clone()];
    assert_eq!(list(None, "", 10).await, newest_first);
    assert_eq!(list(Some("main"), "a b", 10).await, newest_first);
    assert_eq!(list(Some("main"), "", 1).await, newest_first[..1]);
    assert_eq!(list(Some("main"), "a b/c.yaml", 10).await, newest_first[1..]);
    assert_eq!(list(Some(&first), "", 10).await, newest_first[1..]);
    assert_eq!(list(Some("main"), "none", 10).await, Vec::<String>::new());
    let by_ada = &forge
        .list_commits(&source(&repository, Some(&second), "a b/x"), 1)
        .await
        .expect("it is there")[0];
    assert_eq!(
        (
            by_ada.subject(),
            by_ada.author.as_str(),
            by_ada.email.as_str(),
            by_ada.account.as_deref()
        ),
        ("Add x", "Ada Lovelace", "ada@example.org", None)
    );
    for missing in [
        source(&repository, Some("none"), ""),
        source(
            &Repository {
                name: "none-of-these".to_owned(),
                ..repository.clone()
            },
            None,
            "a",
        ),
    ] {
        let listed = forge.list_commits(&missing, 10).await;
        assert!(
            matches!(listed, Err(ScmError::NotFound { .. })),
            "{missing:?}: {listed:?}"
        );
    }
}

async fn branch_names_with_slashes_are_found(target: &Target) {
    let forges = target.forges();
    let repository = target.create("branch").await;
    target
        .push(&repository, "main", |folder| write(folder, "a", b"main"))
        .await;
    target
        .push(&repository, "feature/login", |folder| {
            write(folder, "docs/a", b"feature")
        })
        .await;
    let web = target
        .forge()
        .web_url(&source(&repository, Some("feature/login"), "docs/a"), false);
    let located = forges.locate(&web).expect("a URL of the forge");
    let resolved = forges.resolve_reference(&located).await.expect("the forge answers");
    assert_eq!(resolved.source, source(&repository, Some("feature/login"), "docs/a"));
    let file = resolved
        .forge
        .read_file(&resolved.source, 100)
        .await
        .expect("it can be read");
    assert_eq!(file.as_ref(), b"feature");
}

async fn an_alias_names_the_same_repository(target: &Target) {
    let forges = target.forges();
    let repository = target.create("alias").await;
    let url = format!(
        "https://alias.example:8443/gitea/{}/{}",
        repository.owner, repository.name
    );
    assert_eq!(forges.repository_of(&url), Some(repository.clone()));
    let clone = forges.clone_url_of(&url).expect("a URL of the forge");
    target.git(Path::new("/"), &["ls-remote", "--quiet", &clone]);
    let (forge, owner, name) = forges
        .parse_repo_url(&format!("alias.example:8443/gitea?repo={}", repository.name))
        .expect("a repoUrl");
    assert_eq!(
        (forge.account(), owner, name),
        (target.username.as_str(), None, repository.name.clone())
    );
}

async fn one_webhook_is_kept(target: &Target) {
    let forge = target.forge();
    let repository = target.create("hook").await;
    let url = "http://127.0.0.1:9/api/events/http/gitea/one";
    for secret in ["first", "second"] {
        forge
            .ensure_webhook(&Watched::Repository(repository.clone()), url, secret)
            .await
            .expect("the account may");
    }
    forge
        .ensure_webhook(
            &Watched::Repository(repository.clone()),
            &format!("{url}-more"),
            "third",
        )
        .await
        .expect("the account may");
    let (_, hooks) = target
        .systems
        .forge_api()
        .get(&format!("{}/hooks", api_path(&repository)))
        .await;
    let hooks = hooks.as_array().expect("a list");
    assert_eq!(hooks.len(), 2, "{hooks:?}");
    for hook in hooks {
        assert_eq!(hook["active"], true, "{hook}");
        assert_eq!(hook["type"], "gitea", "{hook}");
        let events = hook["events"].as_array().expect("a list of events");
        assert!(events.iter().any(|event| event == "push"), "{hook}");
    }
}

async fn a_wrong_password_is_denied(target: &Target) {
    let forges = target.forges_as("not-the-password");
    let forge = forges
        .locate(&format!("{}/o/n", target.base_url))
        .expect("a URL of the forge")
        .forge;
    let refused = forge.create_repository(&new(&fresh("denied"))).await;
    assert!(matches!(refused, Err(ScmError::Denied { .. })), "{refused:?}");
}

fn api_path(repository: &Repository) -> String {
    format!("/repos/{}/{}", repository.owner, repository.name)
}

/// All that goes through the port, by this address of the forge.
pub async fn what_the_port_can_do(systems: Bench, base_url: &str) {
    let target = Target::of(systems, base_url);
    repositories_are_created_once_and_empty(&target).await;
    files_and_trees_are_read(&target).await;
    commits_are_listed_by_file(&target).await;
    branch_names_with_slashes_are_found(&target).await;
    an_alias_names_the_same_repository(&target).await;
    one_webhook_is_kept(&target).await;
    a_wrong_password_is_denied(&target).await;
    collaboration::what_people_do_with_it(&target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forge_keeps_the_contract() {
    let systems = Bench::start().await;
    let url = systems.forge.url.clone();
    what_the_port_can_do(systems, &url).await;
}
