//! The real git program against the forge, and folders that are put into it.

use std::fs;

use portico_sandbox::forge::Put;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Bench, git, git_ok};

#[tokio::test]
async fn cloning_and_pushing_work_with_every_protocol() {
    let bench = Bench::start().await;
    let here = bench.folder.path();
    bench.send(Method::POST, "/user/repos", json!({ "name": "demo" })).await;
    fs::create_dir(here.join("work")).expect("folder");
    let work = here.join("work");
    git_ok(&work, &["init", "-q", "-b", "main"]).await;
    for number in 0..30 {
        fs::write(work.join("file"), format!("{number}\n")).expect("file");
        git_ok(&work, &["add", "file"]).await;
        git_ok(&work, &["commit", "-q", "-m", &format!("commit {number}")]).await;
    }
    let anonymous = format!("{}/giteaAdmin/demo", bench.sandbox.urls.forge);
    let refused = git(&work, &["push", "-q", &anonymous, "main"]).await;
    assert!(!refused.status.success(), "nobody pushes without a name");
    git_ok(&work, &["push", "-q", &bench.clone_url("giteaAdmin/demo"), "main"]).await;
    let head = git_ok(&work, &["rev-parse", "HEAD"]).await;
    assert_eq!(
        bench.get("/repos/giteaAdmin/demo/branches/main").await.1["commit"]["id"],
        head.as_str()
    );

    for (version, path) in [
        ("0", "giteaAdmin/demo.git"),
        ("2", "giteaAdmin/demo"),
        ("2", "gitea/giteaadmin/Demo"),
    ] {
        let target = format!("clone-{version}-{}", path.len());
        let protocol = format!("protocol.version={version}");
        let url = format!("{}/{path}", bench.sandbox.urls.forge);
        git_ok(here, &["-c", &protocol, "clone", "-q", &url, &target]).await;
        assert_eq!(git_ok(&here.join(&target), &["rev-parse", "HEAD"]).await, head);
    }
    git_ok(here, &["clone", "-q", "--depth", "1", &anonymous, "shallow"]).await;
    assert_eq!(
        git_ok(&here.join("shallow"), &["rev-list", "--count", "HEAD"]).await,
        "1"
    );

    // Many `have` lines: git compresses such a request.
    git_ok(&work, &["checkout", "-q", "--orphan", "other"]).await;
    for number in 0..80 {
        git_ok(
            &work,
            &["commit", "-q", "--allow-empty", "-m", &format!("other {number}")],
        )
        .await;
    }
    git_ok(&work, &["fetch", "-q", &anonymous, "main"]).await;
    assert_eq!(git_ok(&work, &["rev-parse", "FETCH_HEAD"]).await, head);

    let bench = bench.restart().await;
    assert_eq!(
        bench.get("/repos/giteaAdmin/demo/branches/main").await.1["commit"]["id"],
        head.as_str()
    );
    let folder = bench
        .sandbox
        .forge
        .repository_folder("https://cnoe.localtest.me:8443/gitea/giteaAdmin/demo");
    assert!(folder.is_some_and(|folder| folder.join("HEAD").exists()));
    for other in [
        "https://cnoe.localtest.me/gitea/giteaAdmin/demo",
        "https://evil.example/giteaAdmin/demo",
        "x",
    ] {
        assert_eq!(bench.sandbox.forge.repository_folder(other), None, "{other}");
    }
}

#[tokio::test]
async fn a_folder_is_put_there_without_undoing_what_people_did() {
    let bench = Bench::start().await;
    let forge = &bench.sandbox.forge;
    let folder = bench.folder.path().join("golden");
    fs::create_dir_all(folder.join("basic")).expect("folder");
    fs::write(folder.join("catalog-info.yaml"), "one\n").expect("file");
    fs::write(folder.join("basic/template.yaml"), "one\n").expect("file");
    let put = || forge.put_tree("giteaAdmin", "golden-paths", "main", &folder, "Bring the golden paths");
    assert!(matches!(put().await.expect("first"), Put::Committed(_)));
    assert_eq!(put().await.expect("second"), Put::Unchanged);

    let raw = |path: &str| {
        let path = format!("/repos/giteaAdmin/golden-paths/raw/{path}");
        let bench = &bench;
        async move { bench.get(&path).await.1 }
    };
    let (_, file) = bench
        .get("/repos/giteaAdmin/golden-paths/contents/basic/template.yaml")
        .await;
    let edit = json!({ "content": "cGVvcGxlCg==", "sha": file["sha"] });
    let path = "/repos/giteaAdmin/golden-paths/contents/basic/template.yaml";
    assert_eq!(bench.send(Method::PUT, path, edit).await.0, StatusCode::OK);
    assert_eq!(put().await.expect("third"), Put::Unchanged);
    assert_eq!(raw("basic/template.yaml").await, "people\n");

    fs::write(folder.join("catalog-info.yaml"), "two\n").expect("file");
    assert!(matches!(put().await.expect("fourth"), Put::Committed(_)));
    assert_eq!(raw("catalog-info.yaml").await, "two\n");
    assert_eq!(raw("basic/template.yaml").await, "people\n");
    let (_, commits) = bench.get("/repos/giteaAdmin/golden-paths/commits").await;
    assert_eq!(commits.as_array().map(Vec::len), Some(3));
}
