//! Templates and files that mean harm, or are broken: the step fails and names the limit, the rest goes on.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Options, Platform, eventually};

/// A folder of templates, each with one step `render` that renders its skeleton.
struct Templates(TempDir);

impl Templates {
    fn new(names: &[&str]) -> Self {
        let templates = Self(tempfile::tempdir().expect("a temporary folder"));
        let targets: String = names
            .iter()
            .map(|name| format!("    - ./{name}/template.yaml\n"))
            .collect();
        templates.write(
            "catalog-info.yaml",
            format!("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: hostile\nspec:\n  targets:\n{targets}"),
        );
        for name in names {
            templates.write(
                &format!("{name}/template.yaml"),
                template(
                    name,
                    "      input:\n        url: ./skeleton\n        values: ${{ parameters }}\n",
                ),
            );
        }
        templates
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, content).expect("a file");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn template(name: &str, input: &str) -> String {
    format!(
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata:\n  name: {name}\n  title: Title of {name}\nspec:\n  type: service\n  parameters:\n    - properties:\n        path:\n          type: string\n  steps:\n    - id: render\n      action: fetch:template\n{input}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_does_harm_fails_and_says_why() {
    let templates = Templates::new(&[
        "plain",
        "outside",
        "absolute",
        "large",
        "heavy",
        "endless",
        "explosive",
        "linked",
    ]);
    templates.write("plain/skeleton/${{ values.path }}", "text");
    templates.write(
        "outside/template.yaml",
        template(
            "outside",
            "      input:\n        url: ./skeleton\n        targetPath: ../../outside\n",
        ),
    );
    templates.write("outside/skeleton/file", "text");
    templates.write(
        "absolute/template.yaml",
        template("absolute", "      input:\n        url: ../../../etc/\n"),
    );
    templates.write("large/skeleton/file.txt", vec![b'a'; 11 * 1024 * 1024]);
    for index in 0..8 {
        templates.write(&format!("heavy/skeleton/{index}.txt"), vec![b'a'; 9 * 1024 * 1024]);
    }
    templates.write(
        "endless/skeleton/file",
        "{% for a in range(100000) %}{% for b in range(100000) %}${{ b }}{% endfor %}{% endfor %}",
    );
    templates.write(
        "explosive/skeleton/file",
        "{% set x = 'aaaaaaaaaaaaaaaa' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}${{ x }}",
    );
    templates.write("linked/skeleton/file", "text");

    let options = Options {
        golden_paths: vec![templates.path().to_owned()],
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let checkout = platform.checkout("golden-paths");
    std::os::unix::fs::symlink("/etc/passwd", checkout.path().join("linked/skeleton/link")).expect("a link");
    checkout.push("A link that leads out");
    let table = [
        ("plain", "../evil", "workspace"),
        ("plain", "a/../../evil", "workspace"),
        ("plain", "/etc/evil", ""),
        ("plain", ".git/hooks/post-commit", ".git"),
        ("plain", "a/.GIT/config", ".git"),
        ("outside", "", "workspace"),
        ("absolute", "", ""),
        ("large", "", "10 MiB"),
        ("heavy", "", "64 MiB"),
        ("endless", "", "limit"),
        ("explosive", "", "limit"),
        ("linked", "", "link"),
    ];
    for (name, path, expected) in table {
        let body = json!({"templateRef": format!("template:default/{name}"), "values": {"path": path}});
        let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{name} {path}: {answer}");
        let task = answer["id"].as_str().expect("an id").to_owned();
        let ended = platform.ended(&task).await;
        let events = platform.events(&task).await;
        if path == "/etc/evil" {
            // An entry whose path is absolute is left out: the way to make files conditional.
            assert_eq!(ended["status"], "completed", "{events:#?}");
            continue;
        }
        assert_eq!(ended["status"], "failed", "{name} {path}: {events:#?}");
        let failed = events
            .iter()
            .find(|event| event["body"]["status"] == "failed" && event["body"]["stepId"] == "render");
        let reason = failed.expect("the step says that it failed")["body"]["message"]
            .as_str()
            .expect("a text");
        assert!(reason.contains(expected), "{name} {path}: {reason}");
    }
    assert!(!Path::new("/etc/evil").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_yaml_is_shown_with_its_place_and_the_last_good_version_stays() {
    let templates = Templates::new(&["first", "second"]);
    templates.write("first/skeleton/file", "text");
    templates.write("second/skeleton/file", "text");
    let options = Options {
        golden_paths: vec![templates.path().to_owned()],
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let browser = platform.user("user1").await;
    let gallery = browser.open("/create").await.text();
    assert!(
        gallery.contains("Title of first") && gallery.contains("Title of second"),
        "{gallery}"
    );

    let checkout = platform.checkout("golden-paths");
    checkout.edit(
        "first/template.yaml",
        "  title: Title of first\n",
        "  title: Title of first\n  tags: [unclosed\n",
    );
    checkout.edit("second/template.yaml", "Title of second", "A better title");
    checkout.push("Break one, mend the other");

    eventually("the good change is read", || async {
        browser
            .open("/create")
            .await
            .text()
            .contains("A better title")
            .then_some(())
    })
    .await;
    let gallery = browser.open("/create").await.text();
    assert!(
        gallery.contains("Title of first"),
        "the last good version stays: {gallery}"
    );
    let locations = browser.open("/catalog/locations").await;
    assert!(locations.text().contains("1 problem"), "{}", locations.text());
    let text = browser
        .open(&locations.link("golden-paths/raw/branch/main/catalog-info.yaml"))
        .await
        .text();
    for expected in ["first/template.yaml", "line", "column"] {
        assert!(text.contains(expected), "{expected} is missing: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_webhook_is_refused() {
    let platform = Platform::start().await;
    let db = platform.database.pool().await;
    let hook = eventually("the golden paths have a webhook", || async {
        let id: Option<uuid::Uuid> = sqlx::query_scalar("select id from webhook where state = 'registered' limit 1")
            .fetch_optional(&db)
            .await
            .expect("an answer");
        id
    })
    .await;
    let client = crate::support::http().build().expect("a client");
    let body = json!({"repository": {"full_name": "giteaAdmin/golden-paths"}}).to_string();
    for hook in [
        hook.to_string(),
        uuid::Uuid::nil().to_string(),
        "..%2f..".to_owned(),
        "x".repeat(2000),
    ] {
        for signature in [
            None,
            Some(""),
            Some("00"),
            Some(&*"0".repeat(64)),
            Some("not hexadecimal"),
        ] {
            let url = format!("{}/api/events/http/gitea/{hook}", platform.portal.url);
            let mut request = client.post(url).header("x-gitea-event", "push").body(body.clone());
            if let Some(signature) = signature {
                request = request.header("x-gitea-signature", signature);
            }
            let status = request.send().await.expect("an answer").status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{hook} {signature:?}");
        }
    }
}
