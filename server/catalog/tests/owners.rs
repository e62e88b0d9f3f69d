//! What is said of owners that do not exist.

use super::http::Client;
use super::*;
use crate::web::testing;

const PEOPLE: &str = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: platform-team}\nspec: {type: team, children: []}\n---\n\
    apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: web}\nspec: {type: team, children: []}\n---\n\
    apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: lovelace}\nspec: {profile: {email: ADA@example.org}, memberOf: [web]}\n";

fn owned_by(name: &str, owner: &str) -> String {
    component(name, "").replace("owner: guests", &format!("owner: {owner}"))
}

async fn filled(db: &PgPool, forge: &MemoryForge) -> Client {
    forge.write("a/people", "c.yaml", PEOPLE);
    let catalog = catalog(db, forge);
    register(&catalog, &url("a/people", "c.yaml")).await;
    Client {
        catalog,
        caller: Some(testing::user("ada", &[])),
    }
}

#[sqlx::test]
async fn a_missing_owner_is_named_with_who_could_be_meant(db: PgPool) {
    let forge = MemoryForge::default();
    let client = filled(&db, &forge).await;
    forge.write("a/demo", "s/c.yaml", &owned_by("demo", "platfrom-team"));
    forge.write(
        "a/demo",
        "CODEOWNERS",
        "# Everybody\ns/.*\\\\.yaml @acme/web @ghost<b>\nt/.* @acme/nobody\n",
    );
    register(&client.catalog, &url("a/demo", "s/c.yaml")).await;
    let page = client.get("/catalog/default/component/demo").await.text;
    for expected in [
        "Its owner does not exist",
        "group:default/platfrom-team",
        "<a href=\"/catalog/default/group/platform-team\">group:default/platform-team</a>",
        "CODEOWNERS names it for this file, line 2 · Recent commits by its members: 1 of 1",
        "@ghost&#60;b&#62;</span>",
        "<a href=\"/catalog/default/user/lovelace\">user:default/lovelace</a>",
        "https://forge.test/a/demo/_edit/main/s/c.yaml",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("@acme/nobody") && !page.contains("ghost<b>"), "{page}");

    // An owner that is there is nothing to talk about.
    forge.write("a/demo", "s/c.yaml", &owned_by("demo", "platform-team"));
    let repository = MemoryForge::repository("a/demo");
    client.catalog.refresh_repository(&repository).await.unwrap();
    let page = client.get("/catalog/default/component/demo").await.text;
    assert!(!page.contains("Its owner does not exist"), "{page}");
}

#[sqlx::test]
async fn a_forge_that_is_away_keeps_no_page_from_being_shown(db: PgPool) {
    let forge = MemoryForge::default();
    let client = filled(&db, &forge).await;
    forge.write("a/demo", "c.yaml", &owned_by("demo", "nobody-knows"));
    register(&client.catalog, &url("a/demo", "c.yaml")).await;
    forge.set_down(true);
    let page = client.get("/catalog/default/component/demo").await;
    assert!(
        page.status == 200 && page.text.contains("The forge has not said yet"),
        "{}",
        page.text
    );
}

#[sqlx::test]
async fn the_inbox_names_all_missing_owners(db: PgPool) {
    let forge = MemoryForge::default();
    let client = filled(&db, &forge).await;
    let file = [
        owned_by("one", "platfrom-team"),
        owned_by("two", "platfrom-team"),
        owned_by("three", "web"),
        owned_by("four", "user:lovelace"),
        owned_by("five", "lovelace"),
        owned_by("six", "quite-different"),
    ]
    .join("---\n");
    forge.write("a/demo", "c.yaml", &file);
    register(&client.catalog, &url("a/demo", "c.yaml")).await;
    let (missing, total) = &*client.catalog.missing_owners(2).await.unwrap();
    assert_eq!(*total, 3);
    let told: Vec<(String, i64, Vec<String>)> = missing
        .iter()
        .map(|missing| {
            let similar = missing.similar.iter().map(ToString::to_string).collect();
            (missing.owner.to_string(), missing.entities, similar)
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "group:default/platfrom-team".to_owned(),
                2,
                vec!["group:default/platform-team".to_owned()]
            ),
            (
                "group:default/lovelace".to_owned(),
                1,
                vec!["user:default/lovelace".to_owned()]
            ),
        ]
    );
    let page = client.get("/catalog/errors?of=all").await.text;
    for expected in [
        "Owners that do not exist",
        "href=\"/catalog?kind=all&#38;owner=group%3Adefault%2Fplatfrom-team\">2 entities name it</a>",
        "<a href=\"/catalog/default/user/lovelace\">user:default/lovelace</a>",
        "No group and nobody has nearly this name.",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let mine = client.get("/catalog/errors").await.text;
    assert!(!mine.contains("Owners that do not exist"), "{mine}");
}
