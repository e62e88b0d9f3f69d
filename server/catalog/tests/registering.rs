//! From an address to entities: previews, proposals, and how things go again.

use super::http::Client;
use super::*;
use crate::scm::PullRequestState;
use crate::web::testing;

fn client(db: &PgPool, forge: &MemoryForge) -> Client {
    Client {
        catalog: catalog(db, forge),
        caller: Some(testing::user("ada", &["guests"])),
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn look(client: &Client, target: &str) -> super::http::Answer {
    client
        .get(&format!("/catalog/register?target={}", encoded(target)))
        .await
}

#[sqlx::test]
async fn what_is_at_an_address_is_shown_before_it_is_registered(db: PgPool) {
    let forge = MemoryForge::default();
    let client = client(&db, &forge);
    assert!(client.get("/catalog/register").await.text.contains("Paste the address"));
    let moved = client.get("/catalog-import").await;
    assert_eq!(moved.headers["location"], "/catalog/register");

    // A file with an entity that is right, one that is not, and one whose name is taken.
    forge.write("a/taken", "c.yaml", &component("taken", ""));
    register(&client.catalog, &url("a/taken", "c.yaml")).await;
    let file = [
        component("good", "  description: <b>bold\n"),
        component("taken", ""),
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: bad}\nspec: {type: a, owner: b}\n"
            .to_owned(),
    ]
    .join("---\n");
    forge.write("a/demo", "catalog-info.yaml", &file);
    forge.write("a/demo", "deep/er/catalog-info.yaml", &component("deep", ""));
    for target in [
        url("a/demo", "catalog-info.yaml"),
        "https://forge.test/a/demo".to_owned(),
    ] {
        let page = look(&client, &target).await;
        assert_eq!(page.status, 200, "{}", page.text);
        for expected in [
            "component:default/good",
            "&#60;b&#62;bold",
            "https://forge.test/a/taken/src/branch/main/c.yaml",
            "spec.lifecycle is missing",
            "line 23",
            "checked",
        ] {
            assert!(page.text.contains(expected), "{expected}: {}", page.text);
        }
    }
    let whole = look(&client, "https://forge.test/a/demo").await.text;
    assert!(whole.contains("deep/er/catalog-info.yaml"), "{whole}");
    let folder = look(&client, "https://forge.test/a/demo/src/branch/main/deep")
        .await
        .text;
    assert!(
        folder.contains("component:default/deep") && !folder.contains("component:default/good"),
        "{folder}"
    );
    assert_eq!(client.catalog.locations().await.unwrap().len(), 1, "nothing was stored");

    let both = format!(
        "target={}&target={}",
        encoded(&url("a/demo", "catalog-info.yaml")),
        encoded(&url("a/demo", "deep/er/catalog-info.yaml"))
    );
    let made = client.form("/catalog/register", &both).await;
    assert_eq!(
        (made.status.as_u16(), made.headers["location"].to_str().unwrap()),
        (303, "/catalog/locations")
    );
    assert_eq!(client.catalog.locations().await.unwrap().len(), 3);
    let again = look(&client, "https://forge.test/a/demo").await.text;
    assert!(
        again.contains("Registered already") && !again.contains("type=\"checkbox\""),
        "{again}"
    );

    for (target, said) in [
        ("nonsense", "is not a complete address"),
        ("javascript:alert(1)", "is not an http or https address"),
        ("https://elsewhere.test/a/b", "no integration"),
        ("https://forge.test/no/such", "was not found"),
    ] {
        let page = look(&client, target).await;
        assert!(
            page.status == 422 && page.text.contains(said),
            "{target}: {} {}",
            page.status,
            page.text
        );
    }
    assert_eq!(client.form("/catalog/register", "").await.status, 422);
    let nobody = Client {
        catalog: client.catalog.clone(),
        caller: None,
    };
    for path in [
        "/catalog/register",
        "/catalog/errors",
        "/search/palette",
        "/catalog/default/component/good/unregister",
    ] {
        assert_eq!(nobody.get(path).await.status, 303, "{path}");
    }
}

#[sqlx::test]
async fn a_description_is_proposed_and_registered_once_it_is_merged(db: PgPool) {
    let forge = MemoryForge::default();
    let client = client(&db, &forge);
    forge.write("a/shop", "README.md", "# Shop\n\nSells things.\n");
    forge.write("a/shop", "Cargo.toml", "[package]");
    forge.write("a/shop", "src/main.rs", "fn main() {}");
    forge.write("a/shop", "api/openapi.yaml", "openapi: 3.0.0\n");
    let page = look(&client, "https://forge.test/a/shop").await.text;
    for expected in [
        "name: shop",
        "description: Sells things.",
        "type: service",
        "owner: guests",
        "backstage.io/techdocs-ref: dir:.",
        "providesApis:",
        "$text: ./api/openapi.yaml",
        "api:default/shop-api",
        "Every entity is right",
        "Open a pull request",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let answer = client
        .post(
            "/api/catalog/analyze-location",
            serde_json::json!({"location": {"type": "url", "target": "https://forge.test/a/shop"}}),
        )
        .await
        .json();
    let generated = answer["generateEntities"].as_array().unwrap();
    assert_eq!(generated.len(), 2, "{answer}");
    assert_eq!(generated[0]["entity"]["spec"]["type"], "service");
    assert_eq!(generated[0]["fields"][0]["state"], "analysisSuggestedValue");

    let target = url("a/shop", "catalog-info.yaml");
    let typed = |text: &str| format!("target={}&text={}", encoded(&target), encoded(text));
    let checked = client.form("/catalog/register/check", &typed("kind: [")).await;
    assert!(
        checked.status == 200 && checked.text.contains("line 1"),
        "{}",
        checked.text
    );
    let checked = client
        .form("/catalog/register/check", &typed(&component("<shop>", "")))
        .await
        .text;
    assert!(
        checked.contains("is not a name") && !checked.contains("<shop>"),
        "{checked}"
    );
    let twice = [component("x", ""), component("x", "")].join("---\n");
    assert!(
        client
            .form("/catalog/register/check", &typed(&twice))
            .await
            .text
            .contains("a second time")
    );

    let wrong = client
        .form("/catalog/register/propose", &typed("kind: Component\n"))
        .await;
    assert!(
        wrong.status == 422 && wrong.text.contains("kind: Component"),
        "{}",
        wrong.text
    );
    assert_eq!(forge.proposed().len(), 0);
    for text in [component("shop", ""), component("shop", "  title: Shop\n")] {
        let made = client
            .form("/catalog/register/propose", &typed(&text.replace('\n', "\r\n")))
            .await;
        assert!(
            made.status == 200 && made.text.contains("https://forge.test/a/shop/pulls/1"),
            "{}",
            made.text
        );
        let expected = ["a/shop", "portico-integration", "catalog-info.yaml", &text].map(str::to_owned);
        assert_eq!(forge.proposed(), [expected], "one file, as it was typed last");
    }
    assert!(client.get("/catalog/register").await.text.contains("a/shop #1"));

    // Open: nothing happens. Merged: it is registered, by a push or by itself.
    let repository = MemoryForge::repository("a/shop");
    client.catalog.refresh_repository(&repository).await.unwrap();
    assert_eq!(client.catalog.proposals().await.unwrap().len(), 1);
    assert_eq!(forge.end_pulls(PullRequestState::Merged), 1);
    forge.write("a/shop", "catalog-info.yaml", &component("shop", "  title: Shop\n"));
    client.catalog.refresh_repository(&repository).await.unwrap();
    assert_eq!(refs(&client.catalog).await, ["component:default/shop"]);
    assert_eq!(client.catalog.proposals().await.unwrap(), []);
    let location = client.catalog.locations().await.unwrap().remove(0);
    assert_eq!(location.registered_by.as_deref(), Some("user:default/ada"));
}

#[sqlx::test]
async fn proposals_are_looked_at_without_a_push_and_given_up(db: PgPool) {
    let forge = MemoryForge::default();
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    forge.write("a/shop", "x", "");
    let target = url("a/shop", "catalog-info.yaml");
    catalog
        .propose("user:default/ada", &target, &component("shop", ""))
        .await
        .unwrap();
    assert!(!catalog.look_at_due_proposals().await.unwrap(), "not yet");
    hand.pass(TimeDelta::minutes(3));
    assert!(catalog.look_at_due_proposals().await.unwrap());
    assert_eq!(catalog.proposals().await.unwrap().len(), 1, "it is open");
    forge.set_down(true);
    hand.pass(TimeDelta::minutes(3));
    assert!(catalog.look_at_due_proposals().await.unwrap());
    forge.set_down(false);
    assert_eq!(catalog.proposals().await.unwrap().len(), 1, "nobody knows");
    forge.end_pulls(PullRequestState::Closed);
    hand.pass(TimeDelta::minutes(3));
    assert!(catalog.look_at_due_proposals().await.unwrap());
    assert_eq!(catalog.proposals().await.unwrap(), []);
    assert_eq!(refs(&catalog).await, Vec::<String>::new());
}

#[sqlx::test]
async fn what_goes_with_a_location_is_said_first(db: PgPool) {
    let forge = MemoryForge::default();
    let mut client = client(&db, &forge);
    let uses = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: other}\nspec: {type: service, lifecycle: \
                production, owner: guests, dependsOn: [component:demo]}\n";
    forge.write(
        "a/demo",
        "c.yaml",
        &[component("demo", ""), component("second", "")].join("---\n"),
    );
    forge.write(
        "b/demo",
        "c.yaml",
        &[uses.to_owned(), component("second", "")].join("---\n"),
    );
    let id = client
        .catalog
        .register("user:default/ada", &url("a/demo", "c.yaml"))
        .await
        .unwrap()
        .location
        .id;
    client
        .catalog
        .register("user:default/eve", &url("b/demo", "c.yaml"))
        .await
        .unwrap();
    let page = client.get(&format!("/catalog/locations/{id}/delete")).await.text;
    for expected in [
        "component:default/demo",
        "Depends on component:demo",
        "What comes back",
        "component:default/second",
        &url("b/demo", "c.yaml"),
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let page = client.get("/catalog/default/component/demo/unregister").await.text;
    assert!(
        page.contains("1 other entity") && page.contains(&format!("/catalog/locations/{id}/delete")),
        "{page}"
    );
    let page = client.get("/catalog/default/component/other/unregister").await.text;
    assert!(
        page.contains("cannot be removed by you") && !page.contains("See what would go"),
        "{page}"
    );
    assert_eq!(
        client.get("/catalog/default/component/none/unregister").await.status,
        404
    );

    // An orphan can be deleted by itself, by who may.
    forge.remove("a/demo", "c.yaml");
    client.catalog.read_location(id, true).await.unwrap();
    let path = "/catalog/default/component/demo/unregister";
    assert!(client.get(path).await.text.contains("Its file has disappeared"));
    client.caller = Some(testing::user("eve", &[]));
    assert_eq!(client.form(path, "").await.status, 403);
    client.caller = Some(testing::user("ada", &[]));
    assert_eq!(client.form(path, "").await.status, 303);
    client.catalog.read_location(id, true).await.unwrap();
    assert_eq!(client.get("/catalog/default/component/demo").await.status, 404);
}
