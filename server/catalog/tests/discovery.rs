//! Repositories of an owner that have a description file.

use std::sync::atomic::Ordering;

use super::lifecycle::find;
use super::*;

fn discovery() -> Discovery {
    Discovery {
        id: "main".to_owned(),
        host: "forge.test".to_owned(),
        organization: "team".to_owned(),
        branch: None,
        catalog_path: "catalog-info.yaml".to_owned(),
        frequency: std::time::Duration::from_secs(60),
    }
}

#[sqlx::test]
async fn repositories_of_an_owner_are_found_by_scan_and_by_push(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("team/one", "catalog-info.yaml", &component("one", ""));
    forge.write("team/two", "README.md", "none yet");
    forge.write("other/three", "catalog-info.yaml", &component("three", ""));
    let discovery = discovery();
    let hand = Hand::at_the_present();
    let with = |discoveries| {
        let config = CatalogConfig {
            discoveries,
            ..config()
        };
        catalog_with(&db, &forge, hand.clock(), config)
    };
    let catalog = with(vec![discovery.clone()]);
    let scanned = catalog.discover(&discovery).await.unwrap();
    assert_eq!(
        scanned,
        Scanned {
            repositories: 2,
            locations: 1
        }
    );
    assert_eq!(refs(&catalog).await, ["component:default/one"]);
    let location = &catalog.locations().await.unwrap()[0];
    assert_eq!(location.discovered_by.as_deref(), Some("gitea:main"));
    let admin = crate::web::testing::user("boss", &["admin"]);
    assert!(catalog.may_delete(&admin, location).is_err(), "it would come back");

    forge.write("team/two", "catalog-info.yaml", &component("two", ""));
    catalog
        .refresh_repository(&MemoryForge::repository("team/two"))
        .await
        .unwrap();
    assert_eq!(refs(&catalog).await, ["component:default/one", "component:default/two"]);
    catalog
        .refresh_repository(&MemoryForge::repository("other/three"))
        .await
        .unwrap();
    assert_eq!(catalog.locations().await.unwrap().len(), 2);

    // A forge that is away takes nothing away.
    forge.set_down(true);
    assert!(catalog.discover(&discovery).await.is_err());
    forge.set_down(false);
    assert_eq!(refs(&catalog).await.len(), 2);
    // A repository that is gone: its entity stays for a while, then it and the location go.
    forge.remove_repository("team/one");
    catalog.discover(&discovery).await.unwrap();
    let one = catalog
        .locations()
        .await
        .unwrap()
        .iter()
        .find(|one| one.target.contains("/one/"))
        .unwrap()
        .id;
    catalog.read_location(one, false).await.unwrap();
    assert_eq!(
        find(&catalog, "component:default/one")
            .await
            .unwrap()
            .annotation(ORPHAN),
        Some("true")
    );
    hand.pass(TimeDelta::hours(25));
    catalog.read_location(one, false).await.unwrap();
    catalog.discover(&discovery).await.unwrap();
    assert_eq!(refs(&catalog).await, ["component:default/two"]);
    assert_eq!(catalog.locations().await.unwrap().len(), 1);

    // Without the provider its locations go too.
    with(Vec::new()).sync_configured().await.unwrap();
    assert!(refs(&catalog).await.is_empty());
}

#[sqlx::test]
async fn one_replica_scans_and_asks_no_more_than_it_must(db: PgPool) {
    let forge = MemoryForge::default();
    for n in 0..20 {
        forge.write(
            &format!("team/described{n}"),
            "catalog-info.yaml",
            &component(&format!("c{n}"), ""),
        );
        forge.write(&format!("team/bare{n}"), "README.md", "nothing to see");
    }
    let hand = Hand::at_the_present();
    let replica = || catalog_with(&db, &forge, hand.clock(), config());
    let (one, two) = (replica(), replica());
    let provider = discovery();
    let scans = [one.scan_due(&provider), two.scan_due(&provider)];
    for wait in futures::future::join_all(scans).await {
        assert!(
            wait.unwrap() > std::time::Duration::from_secs(50),
            "nobody scans again at once"
        );
    }
    assert_eq!(refs(&one).await.len(), 20);
    // The list, a look for the file in each, and three questions for each that is read.
    let asked = forge.questions();
    assert!(asked <= 1 + 40 + 3 * 20, "{asked} questions: two replicas scanned");

    // Nothing happened: the list tells so.
    hand.pass(TimeDelta::minutes(2));
    one.scan_due(&discovery()).await.unwrap();
    assert_eq!(forge.questions(), 1);
    assert_eq!(forge.trees_read.load(Ordering::SeqCst), 20);

    // Other settings are a reason to look at once, whatever the time.
    let other = Discovery {
        catalog_path: "README.md".to_owned(),
        ..discovery()
    };
    two.scan_due(&other).await.unwrap();
    assert!(forge.questions() > 1);

    // A forge that asks to slow down is not scanned.
    forge.set_slow(Some(300));
    hand.pass(TimeDelta::minutes(2));
    one.read_location(one.locations().await.unwrap()[0].id, true)
        .await
        .unwrap();
    forge.questions();
    let wait = one.scan_due(&discovery()).await.unwrap();
    assert!(wait >= std::time::Duration::from_secs(290), "{wait:?}");
    assert_eq!(forge.questions(), 0);
}

#[sqlx::test]
async fn a_repository_that_is_deleted_is_seen_when_it_is_reported(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("team/one", "catalog-info.yaml", &component("one", ""));
    let config = CatalogConfig {
        discoveries: vec![discovery()],
        ..config()
    };
    let catalog = catalog_with(&db, &forge, Clock::system(), config);
    let repository = MemoryForge::repository("team/one");
    catalog.refresh_repository(&repository).await.unwrap();
    assert_eq!(refs(&catalog).await, ["component:default/one"]);
    forge.remove_repository("team/one");
    catalog.refresh_repository(&repository).await.unwrap();
    let one = find(&catalog, "component:default/one").await.unwrap();
    assert_eq!(one.annotation(ORPHAN), Some("true"));
    // One that was never met is no error.
    catalog
        .refresh_repository(&MemoryForge::repository("team/gone"))
        .await
        .unwrap();
}

#[sqlx::test]
async fn a_push_to_one_of_a_thousand_repositories_looks_at_that_one(db: PgPool) {
    let forge = MemoryForge::default();
    for n in 0..1000 {
        forge.write(
            &format!("team/r{n}"),
            "catalog-info.yaml",
            &component(&format!("c{n}"), ""),
        );
    }
    let config = CatalogConfig {
        discoveries: vec![discovery()],
        ..config()
    };
    let catalog = catalog_with(&db, &forge, Clock::system(), config);
    catalog.discover(&discovery()).await.unwrap();
    forge.write(
        "team/r500",
        "catalog-info.yaml",
        &component("c500", "  description: new\n"),
    );
    forge.questions();
    let trees = forge.trees_read.load(Ordering::SeqCst);
    catalog
        .refresh_repository(&MemoryForge::repository("team/r500"))
        .await
        .unwrap();
    let asked = forge.questions();
    assert!(asked <= 2, "{asked} questions");
    assert_eq!(forge.trees_read.load(Ordering::SeqCst), trees + 1);
    let entity = find(&catalog, "component:default/c500").await.unwrap();
    assert_eq!(entity.description(), Some("new"));
}
