//! A system dies in the middle of the story and comes back: the portal says what is missing, loses nothing, and goes on
//! without a restart. On a real platform the systems are killed; the stand-ins reset all connections.
//!
//! One at a time: a running platform has one of each.

use reqwest::StatusCode;
use serde_json::json;

use crate::story::assert_created_once;
use crate::support::{Access, AnyPlatform, Browser, Options, Part, eventually, fresh};

/// A service that is there, one that is being created, and somebody who looks.
struct Scene {
    platform: AnyPlatform,
    browser: Browser,
    /// The page of the service that is there.
    page: String,
    /// The task that creates the other one.
    task: String,
    created: String,
}

impl Scene {
    async fn set() -> Self {
        let platform = AnyPlatform::start_with(Options {
            cable: true,
            ..Options::default()
        })
        .await;
        platform.revive_all().await;
        let name = fresh("there");
        let task = platform.create(&name).await;
        completed(&platform, &task).await;
        platform.in_order(&name, None).await;
        let browser = platform.user("user1").await;
        let page = format!("/catalog/default/component/{name}");
        eventually("the page shows it in order", || async {
            let text = browser.open(&page).await.text();
            (text.contains("Live:") && text.contains("Healthy")).then_some(())
        })
        .await;
        let created = fresh("created");
        let task = platform.create(&created).await;
        Self {
            platform,
            browser,
            page,
            task,
            created,
        }
    }

    /// Waits until a page says all of this; answers its text.
    async fn says(&self, path: &str, words: &[&str]) -> String {
        eventually(&format!("{path} says {words:?}"), || async {
            let text = self.browser.open(path).await.text();
            words.iter().all(|word| text.contains(word)).then_some(text)
        })
        .await
    }

    /// With everything back the task ends well, once, and a push arrives, without a restart of the portal.
    async fn goes_on(&self) {
        completed(&self.platform, &self.task).await;
        assert_created_once(&self.platform, &self.created).await;
        self.says(&self.page, &["Live:", "Synced", "Healthy"]).await;
        let checkout = self.platform.checkout(&self.created);
        checkout.edit("manifests/deployment.yaml", "replicas: 2", "replicas: 1");
        let commit = checkout.push("One replica");
        self.platform.in_order(&self.created, Some(&commit)).await;
        let page = format!("/catalog/default/component/{}", self.created);
        self.says(&page, &["Live:", "Synced", &commit[..7]]).await;
    }
}

/// Waits for the end of a task. One that failed because something was away is tried again, as its page offers.
async fn completed(platform: &Access, task: &str) {
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        if platform.ended(task).await["status"] == "completed" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let (status, answer) = platform
            .api()
            .post(&format!("/scaffolder/v2/tasks/{task}/retry"), &json!({}))
            .await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
    panic!("{task} fails again and again: {:#?}", platform.events(task).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forge() {
    let scene = Scene::set().await;
    scene.platform.kill(Part::Forge).await;
    // What is known stays.
    let text = scene.says(&scene.page, &["Synced", "Healthy"]).await;
    assert!(text.contains("Says hello"), "{text}");
    let ended = scene.platform.ended(&scene.task).await;
    if ended["status"] == "failed" {
        // The step says which system it misses.
        let host = scene
            .platform
            .systems
            .forge
            .url
            .split('/')
            .nth(2)
            .unwrap_or_default()
            .to_owned();
        scene.says(&format!("/create/tasks/{}", scene.task), &[&host]).await;
    }
    scene.platform.revive(Part::Forge).await;
    scene.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kubernetes_api() {
    let scene = Scene::set().await;
    scene.platform.kill(Part::Kubernetes).await;
    // The last state stays, with since when nothing is heard.
    scene
        .says(&scene.page, &["Not live since", "may be old", "Synced", "Healthy"])
        .await;
    scene.says("/deployments", &["Not live since", "may be old"]).await;
    let ready = scene.browser.open("/.backstage/health/v1/readiness").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.html);
    scene.platform.revive(Part::Kubernetes).await;
    scene.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd() {
    let scene = Scene::set().await;
    scene.platform.kill(Part::Argocd).await;
    scene.says(&scene.page, &["Synced", "Healthy"]).await;
    if scene.platform.is_real() {
        // The stand-in's controller is no program of its own; only its API dies.
        let there = scene.page.rsplit('/').next().unwrap_or_default();
        let checkout = scene.platform.checkout(there);
        checkout.edit("manifests/deployment.yaml", "replicas: 2", "replicas: 3");
        checkout.push("Three replicas");
        scene
            .says(&scene.page, &["was asked to compare it", "has not answered yet"])
            .await;
    }
    scene.platform.revive(Part::Argocd).await;
    scene.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_provider() {
    let scene = Scene::set().await;
    scene.platform.kill(Part::Identity).await;
    // Who is logged in goes on; who is not is told why.
    scene.says(&scene.page, &["Synced", "Healthy"]).await;
    let refused = scene.platform.stranger().open("/").await;
    assert_eq!(
        refused.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}: {}",
        refused.url,
        refused.html
    );
    assert!(refused.html.contains("identity provider is away"), "{}", refused.html);
    scene.platform.revive(Part::Identity).await;
    scene.goes_on().await;
    scene.platform.user("user2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let scene = Scene::set().await;
    scene.platform.kill(Part::Postgres).await;
    let page = scene.browser.open(&scene.page).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.html);
    assert!(page.text().contains("database"), "the page says so: {}", page.text());
    let ready = scene.browser.open("/.backstage/health/v1/readiness").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.html.contains("database"), "{}", ready.html);
    scene.platform.revive(Part::Postgres).await;
    // Still logged in.
    scene.says(&scene.page, &["Synced", "Healthy"]).await;
    scene.goes_on().await;
}
