//! The catalog with real neighbours: what is found on the forge, who logs in, and whose token opens the API.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Checkout, Options, Platform, eventually};

const COMPONENT: &str = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: found\nspec:\n  type: service\n  lifecycle: production\n  owner: guests\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_found_and_its_errors_stand_at_the_commit() {
    let provider = json!({"host": "cnoe.localtest.me:8443", "organization": "giteaAdmin", "schedule": {"frequency": {"seconds": 5}}});
    let options = Options {
        config: json!({"catalog": {"providers": {"gitea": {"all": provider}}}}),
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), COMPONENT).expect("a file");
    let put = platform
        .sandbox
        .forge
        .put_tree("giteaAdmin", "found", "main", folder.path(), "Described");
    put.await.expect("the forge takes it");
    let path = "/catalog/entities/by-name/component/default/found";
    eventually("the repository is found", || async {
        let (status, _) = platform.api().try_get(path).await?;
        (status == StatusCode::OK).then_some(())
    })
    .await;

    let password = &platform.sandbox.credentials.forge_password;
    let clone_url = format!("{}/giteaAdmin/found.git", platform.sandbox.urls.forge);
    let checkout = Checkout::clone(&clone_url, "giteaAdmin", password, None);
    let status_of = async |commit: String, expected: &str| {
        let path = format!("/repos/giteaAdmin/found/commits/{commit}/statuses");
        eventually(&format!("the commit's status is {expected}"), || async {
            let (_, statuses) = platform.forge().try_get(&path).await?;
            let ours = statuses
                .as_array()?
                .iter()
                .find(|status| status["context"] == "portico/catalog")?
                .clone();
            (ours["status"] == expected).then_some(ours)
        })
        .await
    };
    checkout.edit("catalog-info.yaml", "  lifecycle: production\n", "");
    let broken = checkout.push("Without lifecycle");
    let status = status_of(broken, "failure").await;
    assert!(
        status["description"]
            .as_str()
            .is_some_and(|text| text.contains("spec.lifecycle is missing")),
        "{status}"
    );
    let (_, entity) = platform.api().get(path).await;
    assert_eq!(
        entity["spec"]["lifecycle"], "production",
        "the last good version: {entity}"
    );
    assert_eq!(entity["status"]["items"][0]["level"], "error", "{entity}");
    checkout.edit(
        "catalog-info.yaml",
        "  type: service\n",
        "  type: service\n  lifecycle: deprecated\n",
    );
    status_of(checkout.push("With lifecycle"), "success").await;
}

/// No scan comes in an hour: what is seen was reported.
#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_seen_as_they_come_change_and_go() {
    let provider = json!({"host": "cnoe.localtest.me:8443", "organization": "giteaAdmin", "schedule": {"frequency": {"hours": 1}}});
    let platform = Platform::start_with(Options {
        config: json!({"catalog": {"providers": {"gitea": {"all": provider}}}}),
        ..Options::default()
    })
    .await;
    eventually("the owner's webhook stands", || async {
        let (_, hooks) = platform.forge().try_get("/user/hooks").await?;
        (!hooks.as_array()?.is_empty()).then_some(())
    })
    .await;
    let path = "/catalog/entities/by-name/component/default/found";
    let entity = async |what: &str, fits: fn(&Value) -> bool| {
        eventually(what, || async {
            let (status, entity) = platform.api().try_get(path).await?;
            (status == StatusCode::OK && fits(&entity)).then_some(())
        })
        .await;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put = async |text: &str| {
        std::fs::write(folder.path().join("catalog-info.yaml"), text).expect("a file");
        let forge = &platform.sandbox.forge;
        let put = forge.put_tree("giteaAdmin", "found", "main", folder.path(), "Described");
        put.await.expect("the forge takes it");
    };
    put(COMPONENT).await;
    entity("a new repository is seen", |_| true).await;
    put(&COMPONENT.replace("production", "deprecated")).await;
    entity("its change is seen", |entity| {
        entity["spec"]["lifecycle"] == "deprecated"
    })
    .await;
    let (status, _) = platform.forge().delete("/repos/giteaAdmin/found").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    entity("that it is gone is seen", |entity| {
        entity["metadata"]["annotations"]["backstage.io/orphan"] == "true"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_is_in_the_catalog_and_has_a_token_for_the_api() {
    let platform = Platform::start().await;
    let browser = platform.user("user1").await;
    let (_, user) = platform.api().get("/catalog/entities/by-name/user/default/user1").await;
    assert_eq!(
        user["relations"],
        json!([{"type": "memberOf", "targetRef": "group:default/admin"}]),
        "{user}"
    );

    let refresh = "/api/auth/keycloak-oidc/refresh";
    let (status, _) = browser.fetch(refresh, &[]).await;
    assert_eq!(
        status,
        StatusCode::UNAUTHORIZED,
        "without the header that other sites cannot send"
    );
    let by_script = [("x-requested-with", "XMLHttpRequest")];
    let (status, _) = platform.stranger().fetch(refresh, &by_script).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, answer) = browser.fetch(refresh, &by_script).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let identity = &answer["backstageIdentity"]["identity"];
    assert_eq!(
        identity["ownershipEntityRefs"],
        json!(["user:default/user1", "group:default/admin"]),
        "{answer}"
    );
    let token = answer["backstageIdentity"]["token"]
        .as_str()
        .expect("a token")
        .to_owned();

    let stranger = platform.stranger();
    let bearer = format!("Bearer {token}");
    let signed = [("authorization", bearer.as_str())];
    let (status, found) = stranger.fetch("/api/catalog/entities?filter=kind=user", &signed).await;
    assert_eq!(
        (status, &found[0]["metadata"]["name"]),
        (StatusCode::OK, &json!("user1")),
        "{found}"
    );
    let (_, info) = stranger.fetch("/api/auth/v1/userinfo", &signed).await;
    assert_eq!(info["claims"]["sub"], "user:default/user1", "{info}");
    let forged = format!("{bearer}x");
    let (status, error) = stranger
        .fetch("/api/catalog/entities", &[("authorization", &forged)])
        .await;
    assert_eq!(
        (status, &error["error"]["name"]),
        (StatusCode::UNAUTHORIZED, &json!("AuthenticationError"))
    );

    let (_, configuration) = stranger.fetch("/api/auth/.well-known/openid-configuration", &[]).await;
    assert_eq!(
        configuration["issuer"],
        format!("{}/api/auth", platform.portal.url),
        "{configuration}"
    );
    let jwks = configuration["jwks_uri"].as_str().expect("an address").to_owned();
    let (_, keys) = stranger.fetch(&jwks, &[]).await;
    let key: &Value = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&json!("EC"), &json!("ES256")), "{keys}");
    assert!(key["d"].is_null(), "the private half stays here");
}

/// From the address of a repository to its entity, its history, and out again; without a script.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_described_by_a_pull_request_and_remembered() {
    let platform = Platform::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("README.md"), "# Shop\n\nSells things.\n").expect("a file");
    let put = platform
        .sandbox
        .forge
        .put_tree("giteaAdmin", "shop", "main", folder.path(), "Begin");
    put.await.expect("the forge takes it");
    let browser = platform.user("user1").await;
    let repository = format!("{}/giteaAdmin/shop", platform.sandbox.urls.forge);
    let form = browser.open("/catalog-import").await;
    let page = browser.submit(&form, "main form", &[("target", &repository)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(page.text().contains("Every entity is right"), "{}", page.html);
    let page = browser
        .submit(&page, "form[action='/catalog/register/propose']", &[])
        .await;
    assert!(page.text().contains("The description is proposed"), "{}", page.html);

    let number = page
        .link("Pull request #")
        .rsplit('/')
        .next()
        .map(str::to_owned)
        .expect("a number");
    let (status, answer) = platform
        .forge()
        .post(
            &format!("/repos/giteaAdmin/shop/pulls/{number}/merge"),
            &json!({"Do": "merge"}),
        )
        .await;
    assert!(status.is_success(), "{answer}");
    let path = "/catalog/entities/by-name/component/default/shop";
    eventually("what was merged is in the catalog", || async {
        let (status, _) = platform.api().try_get(path).await?;
        (status == StatusCode::OK).then_some(())
    })
    .await;

    let checkout = platform.checkout("shop");
    checkout.edit("catalog-info.yaml", "Sells things.", "Sells pets.");
    checkout.push("Say what");
    let page = eventually("the change stands in the history, with its commit", || async {
        let page = browser.open("/catalog/default/component/shop/history").await;
        page.text().contains("Say what").then_some(page)
    })
    .await;
    for expected in ["Sells pets.", "Sells things.", "1 line added", "1 line removed"] {
        assert!(page.text().contains(expected), "{expected}: {}", page.html);
    }

    let page = browser.open("/catalog/default/component/shop/unregister").await;
    let page = browser.open(&page.link("See what would go")).await;
    browser.submit(&page, "form[action$='/delete']", &[]).await;
    let gone = browser.open("/catalog/default/component/shop/history").await;
    assert!(gone.text().contains("The catalog has it no more"), "{}", gone.html);
    assert!(gone.text().contains("By user:default/user1"), "{}", gone.html);
}
