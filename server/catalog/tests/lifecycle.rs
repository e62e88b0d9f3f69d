//! What becomes of entities: sources that disappear and come back, names that two want, what is told.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;

pub async fn find(catalog: &Catalog, reference: &str) -> Option<Entity> {
    let reference = EntityRef::parse(reference, None, None).unwrap();
    catalog.find(&reference).await.unwrap()
}

async fn matching(catalog: &Catalog, key: &str, value: &str) -> Vec<String> {
    let query = queries::search::Query::of(Filter::key_value(key, value));
    let mut reader = catalog.reads().reader().await.unwrap();
    let found = queries::search::page(&mut reader, &query, None).await.unwrap();
    reader.keep();
    found.into_iter().map(|found| found.row.entity_ref).collect()
}

#[sqlx::test]
async fn an_entity_whose_file_disappears_stays_marked_then_goes_and_keeps_its_uid_when_it_is_back(db: PgPool) {
    let forge = MemoryForge::default();
    let files = || {
        forge.write("a/demo", "c.yaml", &location("all", &["./one.yaml", "./two.yaml"]));
        forge.write("a/demo", "one.yaml", &component("one", ""));
        forge.write("a/demo", "two.yaml", &component("two", ""));
    };
    files();
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    let id = register(&catalog, &url("a/demo", "c.yaml")).await;
    let before = find(&catalog, "component:default/two").await.unwrap();

    forge.remove("a/demo", "two.yaml");
    let report = catalog.read_location(id, false).await.unwrap();
    assert_eq!(
        (report.orphaned.as_slice(), report.removed.len()),
        (["component:default/two".to_owned()].as_slice(), 0)
    );
    let orphan = find(&catalog, "component:default/two").await.unwrap();
    assert_eq!(orphan.annotation(ORPHAN), Some("true"));
    assert_eq!(orphan.body["relations"], before.body["relations"]);
    let key = "metadata.annotations.backstage.io/orphan";
    assert_eq!(matching(&catalog, key, "true").await, ["component:default/two"]);
    // The location says so, as the field does.
    let all = find(&catalog, "location:default/all").await.unwrap();
    let message = all.body["status"]["items"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("InputError: ") && message.contains("two.yaml does not exist"),
        "{message}"
    );

    files();
    let report = catalog.read_location(id, false).await.unwrap();
    assert_eq!(report.changed, ["component:default/two", "location:default/all"]);
    let back = find(&catalog, "component:default/two").await.unwrap();
    assert_eq!(back.body, before.body, "the same uid, no mark");
    assert!(find(&catalog, "location:default/all").await.unwrap().body["status"].is_null());

    // The whole repository disappears.
    forge.remove_repository("a/demo");
    catalog.read_location(id, false).await.unwrap();
    hand.pass(TimeDelta::hours(23));
    catalog.read_location(id, false).await.unwrap();
    let there = refs(&catalog).await;
    assert_eq!(
        there,
        ["component:default/one", "component:default/two", "location:default/all"]
    );
    let due = catalog.location(id).await.unwrap().next_read_at;
    assert!(
        due <= hand.clock().now() + TimeDelta::hours(1),
        "it is read when the grace period ends"
    );
    hand.pass(TimeDelta::hours(2));
    catalog.read_location(id, false).await.unwrap();
    assert!(find(&catalog, "location:default/all").await.is_none());
}

#[sqlx::test]
async fn an_unchanged_repository_loses_its_orphans_when_the_grace_period_ends(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("a/demo", "c.yaml", &location("all", &["./one.yaml"]));
    forge.write("a/demo", "one.yaml", &component("one", ""));
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    let id = register(&catalog, &url("a/demo", "c.yaml")).await;
    forge.remove("a/demo", "one.yaml");
    catalog.read_location(id, false).await.unwrap();
    assert!(catalog.read_location(id, false).await.unwrap().unchanged);
    hand.pass(TimeDelta::hours(25));
    let report = catalog.read_location(id, false).await.unwrap();
    assert_eq!(report.removed, ["component:default/one"]);
    assert!(catalog.read_location(id, false).await.unwrap().unchanged);
}

#[sqlx::test]
async fn a_broken_entity_has_a_status_until_it_is_mended(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("a/demo", "c.yaml", &component("one", ""));
    let catalog = catalog(&db, &forge);
    let id = register(&catalog, &url("a/demo", "c.yaml")).await;
    forge.write(
        "a/demo",
        "c.yaml",
        &component("one", "").replace("  lifecycle: experimental\n", ""),
    );
    catalog.read_location(id, false).await.unwrap();
    let one = find(&catalog, "component:default/one").await.unwrap();
    assert_eq!(one.spec("lifecycle"), Some("experimental"), "the last good version");
    let status = &one.body["status"]["items"][0];
    assert_eq!(
        (&status["type"], &status["level"]),
        (&json!("backstage.io/catalog-processing"), &json!("error"))
    );
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("spec.lifecycle is missing"),
        "{status}"
    );
    // Pushes see it at their commit; nothing waits for that.
    let told = async |count: usize| {
        for _ in 0..100 {
            if forge.statuses().len() == count {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        forge.statuses()
    };
    let statuses = told(1).await;
    assert!(
        statuses[0].1 && statuses[0].2.contains("spec.lifecycle is missing"),
        "{statuses:?}"
    );
    forge.write("a/demo", "c.yaml", &component("one", ""));
    catalog.read_location(id, false).await.unwrap();
    let statuses = told(2).await;
    assert!(!statuses[1].1, "{statuses:?}");
    assert!(find(&catalog, "component:default/one").await.unwrap().body["status"].is_null());
    catalog.read_location(id, true).await.unwrap();
    assert_eq!(forge.statuses().len(), 2, "what is right and was right is not reported");
}

#[sqlx::test]
async fn both_locations_tell_of_a_name_that_they_share(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("a/demo", "c.yaml", &component("demo", ""));
    forge.write(
        "b/demo",
        "c.yaml",
        &format!("{}---\n{}", component("demo", ""), component("other", "")),
    );
    let catalog = catalog(&db, &forge);
    let first = register(&catalog, &url("a/demo", "c.yaml")).await;
    let second = catalog
        .register("b", &url("b/demo", "c.yaml"))
        .await
        .unwrap()
        .location
        .id;
    let rivals = catalog.rivals(first).await.unwrap();
    assert_eq!(rivals.len(), 1);
    assert_eq!(
        (rivals[0].entity_ref.as_str(), rivals[0].location),
        ("component:default/demo", second)
    );
    assert!(catalog.rivals(second).await.unwrap().is_empty());
    assert_eq!(catalog.location(second).await.unwrap().problems.len(), 1);
}

fn person(name: &str, groups: &[&str]) -> Person {
    Person {
        provider: "sso".to_owned(),
        entity_ref: format!("user:default/{name}"),
        display_name: "User One".to_owned(),
        email: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

#[sqlx::test]
async fn people_who_log_in_are_in_the_catalog_and_files_win(db: PgPool) {
    let forge = MemoryForge::default();
    let catalog = catalog(&db, &forge);
    catalog
        .remember_person(&person("user1", &["Admin", "base-user", "/a group"]))
        .await
        .unwrap();
    assert_eq!(
        refs(&catalog).await,
        ["group:default/admin", "group:default/base-user", "user:default/user1"]
    );
    let user = find(&catalog, "user:default/user1").await.unwrap();
    assert_eq!(
        user.relations("memberOf").collect::<Vec<_>>(),
        ["group:default/admin", "group:default/base-user"]
    );
    assert_eq!(
        user.annotation("backstage.io/managed-by-location"),
        Some("identity:sso")
    );
    assert_eq!(user.body["spec"]["profile"], json!({"displayName": "User One"}));
    let uid = user.body["metadata"]["uid"].clone();

    // Another login changes it; a name that no entity can have is left out.
    catalog.remember_person(&person("user1", &["base-user"])).await.unwrap();
    let user = find(&catalog, "user:default/user1").await.unwrap();
    assert_eq!(
        (user.relations("memberOf").count(), &user.body["metadata"]["uid"]),
        (1, &uid)
    );
    catalog.remember_person(&person("user one", &[])).await.unwrap();
    assert_eq!(refs(&catalog).await.len(), 3);

    // A file takes the name and keeps it.
    let file = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata:\n  name: user1\n  title: From a file\nspec:\n  memberOf: [guests]\n";
    forge.write("a/people", "c.yaml", file);
    let registered = catalog.register("a", &url("a/people", "c.yaml")).await.unwrap();
    assert!(registered.problems.is_empty(), "{:?}", registered.problems);
    catalog.remember_person(&person("user1", &["admin"])).await.unwrap();
    let user = find(&catalog, "user:default/user1").await.unwrap();
    assert_eq!((user.title(), &user.body["metadata"]["uid"]), ("From a file", &uid));
    assert_eq!(user.relations("memberOf").collect::<Vec<_>>(), ["group:default/guests"]);
    let states: Vec<Value> = catalog
        .locations()
        .await
        .unwrap()
        .iter()
        .map(|one| json!([one.kind, one.entities]))
        .collect();
    assert!(states.contains(&json!(["identity", 2])), "{states:?}");
    // The worker does not read it, and the start does not forget it.
    catalog.sync_configured().await.unwrap();
    assert_eq!(refs(&catalog).await.len(), 3);
}
