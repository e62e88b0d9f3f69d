//! The main job: from a click to a live sync status, by API and by plain HTTP forms.

use reqwest::StatusCode;

use crate::support::{Access, AnyPlatform, Stream, eventually, fresh};

/// What a finished creation must have left: one repository with one commit, one Application, one entity.
pub async fn assert_created_once(platform: &Access, name: &str) {
    let checkout = platform.checkout(name);
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

    let entity = platform.entity(name).await;
    assert_eq!(entity["spec"]["type"], "service", "{entity}");
    let (_, locations) = platform.api().get("/catalog/locations").await;
    let registered = locations.as_array().expect("a list").iter();
    let registered = registered
        .filter(|location| location.to_string().contains(&format!("/{name}/")))
        .count();
    assert_eq!(registered, 1, "one location: {locations}");

    let application = platform.in_order(name, None).await;
    assert_eq!(application["spec"]["source"]["path"], "manifests");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_api_from_creation_to_a_pushed_change() {
    let platform = AnyPlatform::start().await;
    let name = fresh("hello");
    let task = platform.create(&name).await;
    let ended = platform.ended(&task).await;
    assert_eq!(ended["status"], "completed", "{:#?}", platform.events(&task).await);
    assert_created_once(&platform, &name).await;

    // The page is open while somebody pushes.
    let browser = platform.user("user2").await;
    let path = format!("/catalog/default/component/{name}");
    let page = browser.open(&path).await;
    let live = page.attribute("#main section[sse-connect]", "sse-connect");
    let mut stream = browser.follow(&live).await;

    let checkout = platform.checkout(&name);
    checkout.edit("manifests/deployment.yaml", "replicas: 2", "replicas: 3");
    checkout.edit("catalog-info.yaml", "Says hello", "Says hello three times");
    let commit = checkout.push("Three replicas");

    eventually("the changed description is in the catalog", || async {
        let entity = platform.entity(&name).await;
        (entity["metadata"]["description"] == "Says hello three times").then_some(())
    })
    .await;
    let told = async |stream: &mut Stream, words: &[&str]| {
        let is = |data: &str| words.iter().all(|word| data.contains(word));
        stream.until(&format!("{words:?} on the open page"), is).await;
    };
    told(&mut stream, &["OutOfSync"]).await;
    told(&mut stream, &["Synced", "Healthy", &commit[..7]]).await;
    platform.in_order(&name, Some(&commit)).await;
    // A page that is opened now says so too.
    eventually("the entity page shows the pushed commit", || async {
        let page = browser.open(&path).await;
        let text = page.text();
        (text.contains(&commit[..7]) && text.contains("Healthy") && text.contains("Synced")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_plain_forms_without_javascript() {
    let platform = AnyPlatform::start().await;
    let name = fresh("hello");
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

    let review = browser.submit(&refused, "main form", &[("name", &name)]).await;
    assert_eq!(review.status, StatusCode::OK, "{}", review.text());
    assert!(review.text().contains(&name), "{}", review.text());
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
    for expected in [name.as_str(), "Says hello", "experimental", "git clone"] {
        assert!(
            entity.text().contains(expected),
            "{expected} is missing:\n{}",
            entity.text()
        );
    }
    assert_created_once(&platform, &name).await;

    // The same name again is told before anything is created.
    let form = browser.open(&gallery.link("Basic Deployment")).await;
    let answers = [
        ("name", name.as_str()),
        ("owner", "group:default/admin"),
        ("description", "Again"),
    ];
    let mut taken = browser.submit(&form, "main form", &answers).await;
    if taken.status == StatusCode::OK {
        taken = browser.submit(&taken, "main form", &[]).await;
    }
    assert!(taken.text().contains("taken"), "{}", taken.text());
    assert_created_once(&platform, &name).await;

    // user2 sees it; a stranger sees nothing.
    let catalog = platform
        .user("user2")
        .await
        .open(&format!("/catalog?text={name}"))
        .await;
    assert!(catalog.text().contains(&name), "{}", catalog.text());
    let stranger = platform.stranger();
    for path in [
        "/",
        "/catalog",
        &format!("/catalog/default/component/{name}"),
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
