//! What is wrong, by who owns it.

use super::http::Client;
use super::*;
use crate::web::testing;

#[sqlx::test]
async fn errors_stand_with_their_owners(db: PgPool) {
    let forge = MemoryForge::default();
    let catalog = catalog(&db, &forge);
    let client = Client {
        catalog,
        caller: Some(testing::user("ada", &["guests"])),
    };
    let page = client.get("/catalog/errors").await.text;
    assert!(page.contains("Nothing of yours"), "{page}");
    assert!(
        client
            .get("/catalog/errors?of=all")
            .await
            .text
            .contains("Nothing is wrong")
    );

    // Of an entity that it knows, of one that it does not, and of a location that describes nothing.
    let broken = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: NAME}\nspec: {type: '<i>', owner: guests}\n";
    forge.write(
        "a/demo",
        "c.yaml",
        &[component("demo", ""), component("other", "")].join("---\n"),
    );
    forge.write("b/demo", "c.yaml", &component("theirs", "").replace("guests", "team-b"));
    register(&client.catalog, &url("a/demo", "c.yaml")).await;
    register(&client.catalog, &url("b/demo", "c.yaml")).await;
    let broken_demo = [
        broken.replace("NAME", "demo"),
        component("other", ""),
        broken.replace("NAME", "<b>"),
    ]
    .join("---\n");
    forge.write("a/demo", "c.yaml", &broken_demo);
    forge.write("b/demo", "c.yaml", "kind: [");
    for name in ["a/demo", "b/demo"] {
        client
            .catalog
            .refresh_repository(&MemoryForge::repository(name))
            .await
            .unwrap();
    }
    let own = client.catalog.faults().await.unwrap();
    let owners: Vec<_> = own
        .iter()
        .map(|fault| fault.owner.as_deref().unwrap_or("nobody"))
        .collect();
    assert_eq!(
        owners,
        ["group:default/guests", "group:default/guests", "group:default/team-b"]
    );
    let mine = client.get("/catalog/errors").await.text;
    for expected in [
        ">guests</a>",
        "2 problems",
        "spec.lifecycle is missing",
        "line 4",
        "last good version",
        "Refresh now",
        "href=\"https://forge.test/a/demo/src/branch/main/c.yaml\"",
        "since",
    ] {
        assert!(mine.contains(expected), "{expected}: {mine}");
    }
    assert!(!mine.contains("team-b") && !mine.contains("<b>,"), "{mine}");
    assert!(client.get("/catalog/errors?of=all").await.text.contains(">team-b</a>"));
    let guests = ["group:default/guests".to_owned()];
    assert_eq!(client.catalog.count_faults(&guests).await, Some(2));
    let section = crate::catalog::CatalogErrors::new(client.catalog.clone());
    let caller = client.caller.clone().unwrap();
    let html = crate::web::Section::render(&section, &caller, &testing::shell(&caller, "/home"))
        .await
        .unwrap();
    assert!(
        html.contains("href=\"/catalog/errors\"") && html.contains("spec.lifecycle is missing"),
        "{html}"
    );
}
