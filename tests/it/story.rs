//! The main job: from a click to a live sync status, by API and by plain HTTP forms.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{Checkout, Platform, eventually};

/// What a finished creation must have left: one repository with one commit, one Application, one entity.
pub async fn assert_created_once(platform: &Platform, name: &str) {
    let password = &platform.sandbox.credentials.forge_password;
    let clone_url = format!("{}/giteaAdmin/{name}.git", platform.sandbox.urls.forge);
    let checkout = Checkout::clone(&clone_url, "giteaAdmin", password);
    assert_eq!(checkout.commits().len(), 1, "one commit");
    for expected in ["catalog-info.yaml", "docs/index.md", "manifests/deployment.yaml"] {
        assert!(
            checkout.files().iter().any(|file| file == expected),
            "{expected} of {:?}",
            checkout.files()
        );
    }
    let (_, repositories) = platform.forge().get(&format!("/repos/search?q={name}")).await;
    assert_eq!(
        repositories["data"].as_array().map(Vec::len),
        Some(1),
        "one repository: {repositories}"
    );

    let entity = entity(platform, name).await;
    assert_eq!(entity["spec"]["type"], "service", "{entity}");
    let (_, locations) = platform.api().get("/catalog/locations").await;
    let registered = locations.as_array().expect("a list").iter();
    let registered = registered
        .filter(|location| location.to_string().contains(&format!("/{name}/")))
        .count();
    assert_eq!(registered, 1, "one location: {locations}");

    let application = eventually("the Application is Synced and Healthy", || async {
        let application = application(platform, name).await?;
        let status = &application["status"];
        (status["sync"]["status"] == "Synced" && status["health"]["status"] == "Healthy").then_some(application)
    })
    .await;
    assert_eq!(application["spec"]["source"]["path"], "manifests");
}

/// The entity of kind Component, from the API.
pub async fn entity(platform: &Platform, name: &str) -> Value {
    let path = format!("/catalog/entities/by-name/component/default/{name}");
    let (status, entity) = platform.api().get(&path).await;
    assert_eq!(status, StatusCode::OK, "{entity}");
    entity
}

/// The Application as Argo CD's own API answers it.
pub async fn application(platform: &Platform, name: &str) -> Option<Value> {
    let argocd = platform.argocd().await;
    let (status, application) = argocd.try_get(&format!("/applications/{name}")).await?;
    (status == StatusCode::OK).then_some(application)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_api_from_creation_to_a_pushed_change() {
    let platform = Platform::start().await;
    let task = platform.create("hello").await;
    let ended = platform.ended(&task).await;
    assert_eq!(ended["status"], "completed", "{:#?}", platform.events(&task).await);
    assert_created_once(&platform, "hello").await;

    let password = &platform.sandbox.credentials.forge_password;
    let clone_url = format!("{}/giteaAdmin/hello.git", platform.sandbox.urls.forge);
    let checkout = Checkout::clone(&clone_url, "giteaAdmin", password);
    checkout.edit("manifests/deployment.yaml", "replicas: 2", "replicas: 3");
    checkout.edit("catalog-info.yaml", "Says hello", "Says hello three times");
    let commit = checkout.push("Three replicas");

    eventually("the changed description is in the catalog", || async {
        let entity = entity(&platform, "hello").await;
        (entity["metadata"]["description"] == "Says hello three times").then_some(())
    })
    .await;
    eventually("the pushed commit is Synced and Healthy", || async {
        let status = application(&platform, "hello").await?["status"].clone();
        let is = status["sync"]["revision"] == commit.as_str()
            && status["sync"]["status"] == "Synced"
            && status["health"]["status"] == "Healthy";
        is.then_some(())
    })
    .await;
    // The page says so too, from what the portal watches.
    let browser = platform.user("user2").await;
    eventually("the entity page shows the pushed commit", || async {
        let page = browser.open("/catalog/default/component/hello").await;
        let text = page.text();
        (text.contains(&commit[..7]) && text.contains("Healthy") && text.contains("Synced")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_plain_forms_without_javascript() {
    let platform = Platform::start().await;
    let browser = platform.user("user1").await;
    let home = browser.open("/").await;
    assert!(home.html.contains("user1"), "{}", home.html);

    let gallery = browser.open("/create").await;
    assert!(gallery.text().contains("Basic Deployment"), "{}", gallery.text());
    let form = browser.open(&gallery.link("Basic Deployment")).await;
    assert!(
        form.has("main form [name=name]") && form.has("main form [name=replicas]"),
        "{}",
        form.html
    );

    // A name that Kubernetes would refuse: the form comes back with the error at the field, nothing is lost.
    let answers = [
        ("name", "Not a Name"),
        ("owner", "group:default/admin"),
        ("description", "Says hello"),
    ];
    let refused = browser.submit(&form, "main form", &answers).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
    assert!(refused.has("[name=name][aria-invalid=true]"), "{}", refused.html);
    assert!(refused.html.contains("Says hello"), "answers are kept");

    let review = browser.submit(&refused, "main form", &[("name", "hello")]).await;
    assert_eq!(review.status, StatusCode::OK, "{}", review.text());
    assert!(review.text().contains("hello"), "{}", review.text());
    let task = browser.submit(&review, "main form", &[]).await;
    assert!(
        task.url.path().starts_with("/create/tasks/"),
        "{}: {}",
        task.url,
        task.text()
    );

    let id = task.url.path().trim_start_matches("/create/tasks/").to_owned();
    assert_eq!(
        platform.ended(&id).await["status"],
        "completed",
        "{:#?}",
        platform.events(&id).await
    );
    let task = browser.open(task.url.path()).await;
    let open = task.link("Open in catalog");
    let entity = browser.open(&open).await;
    assert_eq!(entity.status, StatusCode::OK, "the entity is there at once");
    eventually("the page shows the Application in order", || async {
        let text = browser.open(&open).await.text();
        (text.contains("Synced") && text.contains("Healthy")).then_some(())
    })
    .await;
    for expected in ["hello", "Says hello", "experimental", "git clone"] {
        assert!(
            entity.text().contains(expected),
            "{expected} is missing:\n{}",
            entity.text()
        );
    }
    assert_created_once(&platform, "hello").await;

    // The same name again is told before anything is created.
    let form = browser.open(&gallery.link("Basic Deployment")).await;
    let answers = [
        ("name", "hello"),
        ("owner", "group:default/admin"),
        ("description", "Again"),
    ];
    let mut taken = browser.submit(&form, "main form", &answers).await;
    if taken.status == StatusCode::OK {
        taken = browser.submit(&taken, "main form", &[]).await;
    }
    assert!(taken.text().contains("taken"), "{}", taken.text());
    assert_created_once(&platform, "hello").await;

    // user2 sees it; a stranger sees nothing.
    let catalog = platform.user("user2").await.open("/catalog").await;
    assert!(catalog.text().contains("hello"), "{}", catalog.text());
    let stranger = platform.stranger();
    for path in [
        "/",
        "/catalog",
        "/catalog/default/component/hello",
        "/create",
        task.url.path(),
    ] {
        let page = stranger.open(path).await;
        assert!(
            page.has("input[name=password]"),
            "{path} answers {} to a stranger",
            page.url
        );
        assert!(
            !page.html.contains("Says hello"),
            "{path} shows something to a stranger"
        );
    }

    // Logging out ends the session at the provider too: the next visit asks for the password again.
    let out = browser
        .submit(&browser.open("/").await, "form[action='/logout']", &[])
        .await;
    assert!(out.status.is_success(), "{}: {}", out.url, out.html);
    let again = browser.open("/catalog").await;
    assert!(again.has("input[name=password]"), "still logged in: {}", again.url);
}
