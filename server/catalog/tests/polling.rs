//! How gently sources are looked at again.

use std::sync::atomic::Ordering;

use super::lifecycle::find;
use super::*;

/// Five locations in one repository, one in another.
async fn registered(catalog: &Catalog, forge: &MemoryForge) -> Vec<uuid::Uuid> {
    let mut ids = Vec::new();
    for n in 0..5 {
        forge.write("a/many", &format!("{n}.yaml"), &component(&format!("c{n}"), ""));
    }
    forge.write("b/other", "c.yaml", &component("other", ""));
    for n in 0..5 {
        let target = url("a/many", &format!("{n}.yaml"));
        ids.push(catalog.register("a", &target).await.unwrap().location.id);
    }
    ids.push(register(catalog, &url("b/other", "c.yaml")).await);
    ids
}

async fn next_of(catalog: &Catalog, id: uuid::Uuid) -> DateTime<Utc> {
    catalog.location(id).await.unwrap().next_read_at
}

#[sqlx::test]
async fn an_unchanged_repository_costs_one_question_for_all_its_locations(db: PgPool) {
    let forge = MemoryForge::default();
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    let ids = registered(&catalog, &forge).await;
    hand.pass(TimeDelta::minutes(5));
    forge.questions();
    let report = catalog.poll(ids[0]).await.unwrap();
    assert!(report.unchanged);
    assert_eq!(forge.questions(), 1);
    let now = hand.clock().now();
    for id in &ids[..5] {
        let location = catalog.location(*id).await.unwrap();
        assert_eq!(location.checked_at.map(|at| at.timestamp()), Some(now.timestamp()));
        assert!(location.next_read_at > now);
    }
    assert!(
        next_of(&catalog, ids[5]).await < now,
        "of the other repository nothing is known"
    );
}

#[sqlx::test]
async fn a_changed_repository_is_read_once_for_all_its_locations(db: PgPool) {
    let forge = MemoryForge::default();
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    let ids = registered(&catalog, &forge).await;
    let changed = |text: &str| {
        for n in 0..5 {
            let more = format!("  description: {text}\n");
            forge.write("a/many", &format!("{n}.yaml"), &component(&format!("c{n}"), &more));
        }
        forge.questions();
        forge.trees_read.store(0, Ordering::SeqCst);
    };
    let told = async || {
        let mut told = Vec::new();
        for n in 0..5 {
            let entity = find(&catalog, &format!("component:default/c{n}")).await.unwrap();
            told.push(entity.description().unwrap_or_default().to_owned());
        }
        told
    };
    changed("polled");
    catalog.poll(ids[2]).await.unwrap();
    assert_eq!(told().await, ["polled"; 5]);
    assert_eq!((forge.questions(), forge.trees_read.load(Ordering::SeqCst)), (2, 1));

    changed("pushed");
    catalog
        .refresh_repository(&MemoryForge::repository("a/many"))
        .await
        .unwrap();
    assert_eq!(told().await, ["pushed"; 5]);
    assert_eq!((forge.questions(), forge.trees_read.load(Ordering::SeqCst)), (2, 1));
}

#[sqlx::test]
async fn a_forge_that_asks_to_slow_down_is_left_alone(db: PgPool) {
    let forge = MemoryForge::default();
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    let ids = registered(&catalog, &forge).await;
    forge.set_slow(Some(300));
    forge.questions();
    let report = catalog.poll(ids[0]).await.unwrap();
    assert!(report.problems[0].temporary, "{:?}", report.problems);
    assert_eq!(forge.questions(), 1);
    let until = hand.clock().now() + TimeDelta::seconds(300);
    assert!(next_of(&catalog, ids[0]).await >= until);
    // The others wait, too, without asking.
    for id in &ids[1..] {
        assert!(catalog.poll(*id).await.unwrap().problems.is_empty());
        assert!(next_of(&catalog, *id).await >= until);
    }
    assert_eq!(forge.questions(), 0);
    assert_eq!(refs(&catalog).await.len(), 6, "nothing is lost meanwhile");

    forge.set_slow(None);
    hand.pass(TimeDelta::seconds(301));
    assert!(catalog.poll(ids[0]).await.unwrap().problems.is_empty());
    assert!(catalog.poll(ids[5]).await.unwrap().unchanged);
    assert!(problems(&catalog).await.is_empty());
}

#[sqlx::test]
async fn a_forge_that_is_away_is_asked_ever_more_rarely(db: PgPool) {
    let forge = MemoryForge::default();
    let hand = Hand::at_the_present();
    let catalog = catalog_with(&db, &forge, hand.clock(), config());
    let ids = registered(&catalog, &forge).await;
    forge.set_down(true);
    forge.questions();
    let mut waits = Vec::new();
    for _ in 0..4 {
        catalog.poll(ids[0]).await.unwrap();
        let wait = next_of(&catalog, ids[0]).await - hand.clock().now();
        waits.push(wait);
        hand.pass(wait + TimeDelta::seconds(1));
        assert_eq!(forge.questions(), 1);
    }
    assert!(waits[3] > waits[0] * 3, "{waits:?}");
    forge.set_down(false);
    catalog.poll(ids[0]).await.unwrap();
    // Whatever failed before, the next is polled as ever.
    assert!(catalog.poll(ids[5]).await.unwrap().unchanged);
}
