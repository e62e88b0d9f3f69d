//! What the history of an entity says, and how much of it is kept.

use super::http::Client;
use super::*;
use crate::auth::Caller;
use crate::web::testing;

const DEMO: &str = "/catalog/default/component/demo/history";

fn person() -> Option<Caller> {
    Some(testing::user("ada", &[]))
}

async fn filled(db: &PgPool, forge: &MemoryForge) -> Client {
    forge.write("a/demo", "c.yaml", &component("demo", ""));
    let catalog = catalog(db, forge);
    register(&catalog, &url("a/demo", "c.yaml")).await;
    Client {
        catalog,
        caller: person(),
    }
}

async fn push(client: &Client, forge: &MemoryForge, file: &str) {
    forge.write("a/demo", "c.yaml", file);
    let repository = MemoryForge::repository("a/demo");
    client.catalog.refresh_repository(&repository).await.unwrap();
}

async fn rows(db: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("select entity_ref, change from catalog_history order by id")
        .fetch_all(db)
        .await
        .unwrap()
}

fn told(entity: &str, changes: &[&str]) -> Vec<(String, String)> {
    changes
        .iter()
        .map(|change| (entity.to_owned(), (*change).to_owned()))
        .collect()
}

#[sqlx::test]
async fn changes_stand_with_their_authors_and_differences(db: PgPool) {
    let forge = MemoryForge::default();
    let client = filled(&db, &forge).await;
    assert_eq!(rows(&db).await, []);
    let page = client.get(DEMO).await;
    assert!(
        page.status == 200 && page.text.contains("Nothing has changed"),
        "{}",
        page.text
    );

    push(
        &client,
        &forge,
        &component("demo", "  title: \"<i>New\"\n  description: one\n"),
    )
    .await;
    let page = client.get(DEMO).await.text;
    for expected in [
        "Ada &#60;b&#62;Lovelace",
        "(ada)",
        "Change c.yaml &#60;&#38;&#62;",
        "https://forge.test/a/demo/commit/0000000000000000000000000000000000000002",
        "2 lines added",
        "<code>  title: &#60;i&#62;New</code>",
        "unchanged lines",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(
        !page.contains("<i>New") && !page.contains("<b>Lovelace") && !page.contains("More."),
        "{page}"
    );

    // A file with an error keeps the entity, and what the catalog notes of that is no change of it.
    push(&client, &forge, "kind: [").await;
    push(
        &client,
        &forge,
        &component("demo", "  title: \"<i>New\"\n  description: one\n"),
    )
    .await;
    assert_eq!(rows(&db).await, told("component:default/demo", &["changed"]));
    push(&client, &forge, &component("demo", "  description: two\n")).await;
    let page = client.get(DEMO).await.text;
    assert!(
        page.contains("1 line added") && page.contains("2 lines removed"),
        "{page}"
    );
    // What the forge does not tell is said.
    forge.set_down(true);
    push(&client, &forge, "").await;
    forge.set_down(false);
    assert_eq!(client.get("/catalog/default/component/none/history").await.status, 404);
}

#[sqlx::test]
async fn what_goes_and_comes_back_keeps_its_history(db: PgPool) {
    let forge = MemoryForge::default();
    let client = filled(&db, &forge).await;
    push(&client, &forge, &component("demo", "  description: one\n")).await;
    push(&client, &forge, &component("other", "")).await;
    let page = client.get(DEMO).await;
    assert!(
        page.status == 200 && page.text.contains("The catalog has it no more"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("Gone from the catalog") && page.text.contains("removed"),
        "{}",
        page.text
    );
    push(&client, &forge, &component("demo", "  description: back\n")).await;
    let page = client.get(DEMO).await;
    assert!(
        page.text.contains("It is back") && !page.text.contains("no more"),
        "{}",
        page.text
    );
    let own: Vec<_> = rows(&db)
        .await
        .into_iter()
        .filter(|row| row.0.ends_with("/demo"))
        .collect();
    assert_eq!(own, told("component:default/demo", &["changed", "removed", "added"]));

    // Somebody who unregisters is named.
    let location = client.catalog.locations().await.unwrap().remove(0);
    let admin = testing::user("root", &["admin"]);
    client.catalog.delete_location(&admin, location.id).await.unwrap();
    let page = client.get(DEMO).await.text;
    assert!(page.contains(&admin.actor()), "{page}");
}

#[sqlx::test]
async fn no_more_is_kept_than_is_bounded(db: PgPool) {
    let forge = MemoryForge::default();
    let hand = Hand::at_the_present();
    forge.write("a/demo", "c.yaml", &component("demo", ""));
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    register(&catalog, &url("a/demo", "c.yaml")).await;
    let client = Client {
        catalog,
        caller: person(),
    };
    for number in 0..55 {
        push(
            &client,
            &forge,
            &component("demo", &format!("  description: number {number}\n")),
        )
        .await;
    }
    assert_eq!(rows(&db).await.len(), 50);
    let page = client.get(DEMO).await.text;
    assert!(
        page.contains("number 54") && page.contains("number 44") && !page.contains("number 43"),
        "{page}"
    );
    let older = page
        .split("?until=")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let page = client.get(&format!("{DEMO}?until={older}")).await.text;
    assert!(
        page.contains("number 44") && page.contains("number 34") && !page.contains("number 45"),
        "{page}"
    );

    // Long documents: fewer of them, the newest stays.
    for number in 0..4 {
        let long = format!("x{number}").repeat(1_000_000);
        push(&client, &forge, &component("demo", &format!("  description: {long}\n"))).await;
    }
    let kept = rows(&db).await.len();
    assert!((1..=3).contains(&kept), "{kept}");
    assert!(client.get(DEMO).await.text.contains("The change is long"));

    // What has gone is remembered for the time that it might come back in, and other changes for a year or so.
    push(&client, &forge, &component("other", "")).await;
    push(&client, &forge, &component("other", "  description: one\n")).await;
    hand.pass(TimeDelta::days(2));
    push(&client, &forge, &component("other", "  description: two\n")).await;
    assert_eq!(
        rows(&db).await,
        told("component:default/other", &["changed", "changed"])
    );
    hand.pass(TimeDelta::days(401));
    push(&client, &forge, &component("other", "  description: three\n")).await;
    assert_eq!(rows(&db).await, told("component:default/other", &["changed"]));
}
