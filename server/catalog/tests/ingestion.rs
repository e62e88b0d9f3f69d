//! From files to entities.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;

#[sqlx::test]
async fn what_is_registered_is_readable_at_once(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write(
        "team/demo",
        "catalog-info.yaml",
        &component("Demo", "  description: first\n"),
    );
    let catalog = catalog(&db, &forge);
    let target = url("team/demo", "catalog-info.yaml");

    let registered = catalog.register("user:default/user1", &target).await.unwrap();
    assert!(!registered.existed && registered.problems.is_empty());
    assert_eq!(registered.entities.len(), 1);

    let reference = EntityRef::new("component", "default", "demo");
    let entity = catalog.find(&reference).await.unwrap().unwrap();
    assert_eq!(entity, registered.entities[0]);
    let origin = format!("url:{target}");
    assert_eq!(
        entity.annotation("backstage.io/managed-by-location"),
        Some(origin.as_str())
    );
    assert_eq!(
        entity.annotation("backstage.io/managed-by-origin-location"),
        Some(origin.as_str())
    );
    assert_eq!(
        entity.annotation("backstage.io/source-location"),
        Some("url:https://forge.test/team/demo/src/branch/main/")
    );
    assert_eq!(
        entity.annotation("backstage.io/edit-url"),
        Some("https://forge.test/team/demo/_edit/main/catalog-info.yaml")
    );
    assert_eq!(
        entity.relations("ownedBy").collect::<Vec<_>>(),
        ["group:default/guests"]
    );
    let uid = entity.body["metadata"]["uid"].clone();
    let etag = entity.body["metadata"]["etag"].clone();

    forge.write(
        "team/demo",
        "catalog-info.yaml",
        &component("Demo", "  description: second\n"),
    );
    catalog
        .refresh_repository(&MemoryForge::repository("team/demo"))
        .await
        .unwrap();
    let entity = catalog.find(&reference).await.unwrap().unwrap();
    assert_eq!(entity.description(), Some("second"));
    assert_eq!(entity.body["metadata"]["uid"], uid);
    assert_ne!(entity.body["metadata"]["etag"], etag);

    let again = catalog.register("user:default/user2", &target).await.unwrap();
    assert!(again.existed);
    assert_eq!(again.location, registered.location);
    assert_eq!(again.entities.len(), 1);
    assert!(matches!(
        catalog
            .add_location("user:default/user2", &target, OnConflict::Reject)
            .await,
        Err(CatalogError::Conflict(_))
    ));
}

#[sqlx::test]
async fn missing_targets_are_reported_while_the_others_load(db: PgPool) {
    let forge = MemoryForge::default();
    let targets = ["./a/one.yaml", "./gone.yaml", "./b/two.yaml", "./gone/too.yaml"];
    forge.write("team/paths", "catalog-info.yaml", &location("paths", &targets));
    forge.write("team/paths", "a/one.yaml", &component("one", ""));
    forge.write("team/paths", "b/two.yaml", &component("two", ""));
    let catalog = catalog(&db, &forge);
    let registered = catalog
        .register("a", &url("team/paths", "catalog-info.yaml"))
        .await
        .unwrap();
    assert_eq!(
        refs(&catalog).await,
        [
            "component:default/one",
            "component:default/two",
            "location:default/paths"
        ]
    );
    assert_eq!(
        forge.trees_read.load(Ordering::SeqCst),
        1,
        "one read of the tree for all files"
    );
    let problems = registered.problems;
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0].source, url("team/paths", "catalog-info.yaml"));
    assert_eq!(problems[0].line, Some(8));
    assert!(
        problems[0].message.contains("gone.yaml does not exist"),
        "{}",
        problems[0]
    );
    assert!(problems[0].excerpt.contains("./gone.yaml"));
    assert_eq!(catalog.locations().await.unwrap()[0].problems, problems);
}

#[sqlx::test]
async fn a_repository_that_is_not_sent_in_time_is_read_file_by_file(db: PgPool) {
    let forge = MemoryForge::default();
    forge.packs.store(true, Ordering::SeqCst);
    forge.write("team/giant", "catalog-info.yaml", &component("one", ""));
    let catalog = catalog(&db, &forge);
    let target = url("team/giant", "catalog-info.yaml");
    catalog.register("a", &target).await.unwrap();
    assert_eq!(refs(&catalog).await, ["component:default/one"]);
    let missing = catalog.register("a", &url("team/giant", "gone.yaml")).await;
    assert!(missing.unwrap_err().to_string().contains("gone.yaml"));
}

#[sqlx::test]
async fn a_broken_document_keeps_its_last_good_version(db: PgPool) {
    let forge = MemoryForge::default();
    let file = |second: &str| format!("{}---\n{second}---\n{}", component("one", ""), component("three", ""));
    let write = |second: &str| forge.write("team/demo", "catalog-info.yaml", &file(second));
    write(&component("two", "  description: good\n"));
    let catalog = catalog(&db, &forge);
    catalog
        .register("a", &url("team/demo", "catalog-info.yaml"))
        .await
        .unwrap();
    let all = [
        "component:default/one",
        "component:default/three",
        "component:default/two",
    ];
    assert_eq!(refs(&catalog).await, all);

    let repository = MemoryForge::repository("team/demo");
    let broken = [
        ("kind: [\n", None),
        (
            "kind: Component\nmetadata:\n  name: two\nspec: {}\n",
            Some("apiVersion is missing"),
        ),
        (
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: two\nspec:\n  type: x\n  owner: y\n",
            Some("spec.lifecycle is missing"),
        ),
    ];
    for (second, expected) in broken {
        write(second);
        catalog.refresh_repository(&repository).await.unwrap();
        assert_eq!(refs(&catalog).await, all, "{second}");
        let two = catalog
            .find(&EntityRef::new("component", "default", "two"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(two.description(), Some("good"));
        let problems = problems(&catalog).await;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("catalog-info.yaml, line "), "{}", problems[0]);
        assert!(problems[0].contains(expected.unwrap_or_default()), "{}", problems[0]);
    }

    // Mended without it: it is gone, and so is the problem.
    forge.write("team/demo", "catalog-info.yaml", &component("one", ""));
    catalog.refresh_repository(&repository).await.unwrap();
    assert_eq!(refs(&catalog).await, ["component:default/one"]);
    assert!(problems(&catalog).await.is_empty());
}

#[sqlx::test]
async fn a_broken_location_keeps_what_it_named(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("team/paths", "catalog-info.yaml", &location("paths", &["./one.yaml"]));
    forge.write("team/paths", "one.yaml", &component("one", ""));
    let catalog = catalog(&db, &forge);
    catalog
        .register("a", &url("team/paths", "catalog-info.yaml"))
        .await
        .unwrap();
    forge.write("team/paths", "catalog-info.yaml", "kind: [");
    forge.write("team/paths", "one.yaml", &component("one", "  description: newer\n"));
    catalog
        .refresh_repository(&MemoryForge::repository("team/paths"))
        .await
        .unwrap();
    assert_eq!(
        refs(&catalog).await,
        ["component:default/one", "location:default/paths"]
    );
    let one = catalog
        .find(&EntityRef::new("component", "default", "one"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(one.description(), Some("newer"));
}

#[sqlx::test]
async fn sources_out_of_reach_keep_their_entities(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write(
        "team/paths",
        "catalog-info.yaml",
        &location("paths", &["./one.yaml", "./two.yaml"]),
    );
    forge.write("team/paths", "one.yaml", &component("one", ""));
    forge.write("team/paths", "two.yaml", &component("two", ""));
    let catalog = catalog(&db, &forge);
    let registered = catalog
        .register("a", &url("team/paths", "catalog-info.yaml"))
        .await
        .unwrap();
    let id = registered.location.id;
    let all = refs(&catalog).await;
    assert_eq!(all.len(), 3);

    forge.set_down(true);
    let report = catalog.read_location(id, true).await.unwrap();
    assert!(report.problems.iter().all(|problem| problem.temporary) && !report.problems.is_empty());
    assert_eq!(refs(&catalog).await, all);
    assert!(matches!(
        catalog.register("a", &url("team/paths", "catalog-info.yaml")).await,
        Err(CatalogError::Scm(error)) if error.is_temporary()
    ));

    forge.set_down(false);
    assert!(
        !catalog.read_location(id, false).await.unwrap().unchanged,
        "a failure is read again"
    );
    assert!(catalog.read_location(id, false).await.unwrap().unchanged);
    assert!(problems(&catalog).await.is_empty());

    // No longer named: gone at once.
    forge.write("team/paths", "catalog-info.yaml", &location("paths", &["./one.yaml"]));
    let report = catalog.read_location(id, false).await.unwrap();
    assert_eq!(report.removed, ["component:default/two"]);
    assert_eq!(
        refs(&catalog).await,
        ["component:default/one", "location:default/paths"]
    );

    let stranger = crate::web::testing::user("other", &[]);
    assert!(matches!(
        catalog.delete_location(&stranger, id).await,
        Err(CatalogError::Forbidden(_))
    ));
    let admin = crate::web::testing::user("boss", &["admin"]);
    catalog.delete_location(&admin, id).await.unwrap();
    assert!(refs(&catalog).await.is_empty());
    assert!(catalog.locations().await.unwrap().is_empty());
}

#[sqlx::test]
async fn the_first_location_keeps_a_name_and_the_second_waits_for_it(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write(
        "a/demo",
        "catalog-info.yaml",
        &component("demo", "  description: of a\n"),
    );
    forge.write(
        "b/demo",
        "catalog-info.yaml",
        &format!(
            "{}---\n{}",
            component("demo", "  description: of b\n"),
            component("other", "")
        ),
    );
    let catalog = catalog(&db, &forge);
    let first = catalog
        .register("user:default/x", &url("a/demo", "catalog-info.yaml"))
        .await
        .unwrap();
    let second = catalog
        .register("user:default/x", &url("b/demo", "catalog-info.yaml"))
        .await
        .unwrap();
    assert_eq!(second.entities.len(), 1);
    assert_eq!(second.problems.len(), 1);
    assert!(second.problems[0].message.contains("a/demo"), "{}", second.problems[0]);
    let demo = EntityRef::new("component", "default", "demo");
    assert_eq!(catalog.find(&demo).await.unwrap().unwrap().description(), Some("of a"));

    let caller = crate::web::testing::user("x", &[]);
    catalog.delete_location(&caller, first.location.id).await.unwrap();
    assert!(catalog.find(&demo).await.unwrap().is_none());
    // What the worker does when it is woken.
    assert!(
        !catalog
            .read_location(second.location.id, false)
            .await
            .unwrap()
            .unchanged
    );
    assert_eq!(catalog.find(&demo).await.unwrap().unwrap().description(), Some("of b"));
    assert!(problems(&catalog).await.is_empty());
}

#[sqlx::test]
async fn the_same_file_by_two_ways_is_no_conflict(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("a/demo", "all.yaml", &location("all", &["./one.yaml"]));
    forge.write("a/demo", "one.yaml", &component("one", ""));
    let catalog = catalog(&db, &forge);
    catalog.register("a", &url("a/demo", "all.yaml")).await.unwrap();
    let second = catalog.register("a", &url("a/demo", "one.yaml")).await.unwrap();
    assert!(second.problems.is_empty());
}

#[sqlx::test]
async fn readers_at_the_same_time_do_not_disturb_each_other(db: PgPool) {
    let forge = MemoryForge::default();
    let many: Vec<String> = (0..40).map(|n| component(&format!("c{n}"), "")).collect();
    forge.write("a/demo", "one.yaml", &many.join("---\n"));
    forge.write(
        "a/demo",
        "two.yaml",
        &many.iter().rev().cloned().collect::<Vec<_>>().join("---\n"),
    );
    let catalog = catalog(&db, &forge);
    let (one, two) = (url("a/demo", "one.yaml"), url("a/demo", "two.yaml"));
    let reads = (0..8).map(|n| catalog.register("a", if n % 2 == 0 { &one } else { &two }));
    for read in futures::future::join_all(reads).await {
        read.unwrap();
    }
    assert_eq!(refs(&catalog).await.len(), 40);
    assert_eq!(catalog.locations().await.unwrap().len(), 2);
}

#[sqlx::test]
async fn substitutions_bring_in_files_beside(db: PgPool) {
    let forge = MemoryForge::default();
    let api = "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: api\nspec:\n  type: openapi\n  lifecycle: x\n  \
               owner: g\n  definition:\n    $text: ./openapi.yaml\n  extra:\n    $yaml: https://forge.test/a/demo/src/branch/main/x.yaml\n";
    forge.write("a/demo", "catalog-info.yaml", api);
    forge.write("a/demo", "openapi.yaml", "openapi: 3.1.0\n");
    forge.write("a/demo", "x.yaml", "a: 1\n");
    let catalog = catalog(&db, &forge);
    let registered = catalog
        .register("a", &url("a/demo", "catalog-info.yaml"))
        .await
        .unwrap();
    assert_eq!(
        registered.entities[0].body["spec"]["definition"],
        json!("openapi: 3.1.0\n")
    );
    assert_eq!(registered.entities[0].body["spec"]["extra"], json!({"a": 1}));

    forge.write("b/secret", "x.yaml", "a: 1\n");
    for target in [
        "https://forge.test/b/secret/src/branch/main/x.yaml",
        "../../../../../b/secret/src/branch/main/x.yaml",
        "./gone",
    ] {
        forge.write(
            "a/bad",
            "c.yaml",
            &api.replace("./openapi.yaml", target).replace("a/demo", "a/bad"),
        );
        let error = catalog.register("a", &url("a/bad", "c.yaml")).await.unwrap_err();
        assert!(
            matches!(&error, CatalogError::Invalid(text) if text.to_string().contains("line 9")),
            "{target}: {error}"
        );
    }
}

#[sqlx::test]
async fn hostile_files_are_refused_and_store_nothing(db: PgPool) {
    let forge = MemoryForge::default();
    let catalog = catalog(&db, &forge);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 10].join(", ")
        ));
    }
    let table = [
        (bomb, ""),
        ("---\n\u{1}\u{2}: [\n".repeat(10_000), "more problems are not listed"),
        (
            component("x", "  annotations:\n    backstage.io/view-url: javascript:alert(1)\n"),
            "view-url must be",
        ),
        (component("x", "  description: \"a\\0b\"\n"), "NUL"),
        ("-> /etc/passwd".to_owned(), "symbolic link"),
        ("just text".to_owned(), "expected a mapping"),
        ("kind: Component\n".repeat(3), "duplicate"),
        ("#".repeat(50 * 1024 * 1024), "more than the 10485760 that are read"),
        (
            component("x", "").replace("kind: Component", "kind: component"),
            "No processor recognized",
        ),
        (component("a b", ""), "is not a name"),
        (component("x", "  Name: y\n"), "differ only in case"),
        ("<html><body>Sign in</body></html>".to_owned(), "expected a mapping"),
    ];
    for (text, expected) in table {
        forge.write("a/bad", "c.yaml", &text);
        let error = catalog
            .register("a", &url("a/bad", "c.yaml"))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(expected),
            "{expected}: {}",
            &error[..error.len().min(500)]
        );
    }
    for target in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "no address",
        "https://elsewhere.test/a/b",
    ] {
        assert!(catalog.register("a", target).await.is_err(), "{target}");
    }
    assert!(catalog.locations().await.unwrap().is_empty());

    let targets = [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "../../../../../../../etc/passwd",
        "../%2e%2e/%2e%2e/x",
    ];
    forge.write("a/bad", "c.yaml", &location("l", &targets));
    let registered = catalog.register("a", &url("a/bad", "c.yaml")).await.unwrap();
    assert_eq!(registered.problems.len(), targets.len(), "{:?}", registered.problems);
    forge.write(
        "a/bad",
        "d.yaml",
        &location("f", &["/etc/passwd"]).replace("spec:\n", "spec:\n  type: file\n"),
    );
    let registered = catalog.register("a", &url("a/bad", "d.yaml")).await.unwrap();
    assert!(
        registered.problems[0]
            .message
            .contains("only the configuration may name")
    );
    // A ring of locations ends.
    forge.write("a/ring", "a.yaml", &location("ra", &["./b.yaml"]));
    forge.write("a/ring", "b.yaml", &location("rb", &["./a.yaml"]));
    assert_eq!(
        catalog
            .register("a", &url("a/ring", "a.yaml"))
            .await
            .unwrap()
            .entities
            .len(),
        2
    );
}

#[sqlx::test]
async fn names_and_kinds_that_differ_in_case_are_one_entity(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write(
        "a/demo",
        "c.yaml",
        &[component("Demo", ""), component("demo", ""), component("other", "")].join("---\n"),
    );
    forge.write("b/demo", "c.yaml", &component("DEMO", ""));
    let catalog = catalog(&db, &forge);
    let first = catalog.register("a", &url("a/demo", "c.yaml")).await.unwrap();
    assert_eq!(
        refs(&catalog).await,
        ["component:default/demo", "component:default/other"]
    );
    assert!(
        first.problems[0].message.contains("described a second time"),
        "{}",
        first.problems[0]
    );
    let second = catalog.register("b", &url("b/demo", "c.yaml")).await.unwrap();
    assert!(
        second.problems[0].message.contains("exists already"),
        "{}",
        second.problems[0]
    );
    assert_eq!(
        find_name(&catalog, "component:default/DEMO").await,
        "Demo",
        "the first keeps it, as it is written"
    );
}

async fn find_name(catalog: &Catalog, reference: &str) -> String {
    let reference = EntityRef::parse(reference, None, None).unwrap();
    catalog.find(&reference).await.unwrap().unwrap().name().to_owned()
}

#[sqlx::test]
async fn ten_thousand_documents_are_stored(db: PgPool) {
    let forge = MemoryForge::default();
    let many: Vec<String> = (0..10_000).map(|n| component(&format!("c{n}"), "")).collect();
    forge.write("a/many", "c.yaml", &many.join("---\n"));
    let catalog = catalog(&db, &forge);
    let registered = catalog.register("a", &url("a/many", "c.yaml")).await.unwrap();
    assert_eq!(registered.entities.len(), 10_000);
    assert_eq!(registered.entities[0].name(), "c0");
}

#[sqlx::test]
async fn configured_locations_follow_the_configuration(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("a/demo", "c.yaml", &component("demo", ""));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(
        file("in/users.yaml"),
        location("here", &["./guest.yaml", "../outside.yaml"]),
    )
    .unwrap();
    std::fs::write(file("outside.yaml"), component("outside", "")).unwrap();
    let user = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata:\n  name: guest\nspec:\n  memberOf: [guests]\n";
    std::fs::write(file("in/guest.yaml"), user).unwrap();
    let configured = |kind: &str, target: String| ConfiguredLocation {
        kind: kind.to_owned(),
        target,
        rules: vec![Rule {
            allow: vec![Allow::kind("User")],
            locations: None,
        }],
    };
    let with = |locations| {
        let config = CatalogConfig {
            locations,
            ..CatalogConfig::default()
        };
        Catalog::new(db.clone(), Clock::system(), Arc::new(forge.clone()), config, None)
    };
    let catalog = with(vec![
        configured("url", url("a/demo", "c.yaml")),
        configured("file", file("in/users.yaml")),
        configured("url", url("a/none", "c.yaml")),
    ]);
    let stop = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(run(catalog.clone(), stop.clone()));
    catalog.ready().await;
    assert_eq!(
        refs(&catalog).await,
        ["component:default/demo", "location:default/here", "user:default/guest"]
    );
    let problems = problems(&catalog).await;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems.iter().any(|problem| problem.contains("lies outside")),
        "{problems:?}"
    );

    // News of a push reach a subscriber through the database.
    let mut news = catalog.subscribe();
    forge.write("a/demo", "c.yaml", &component("demo", "  description: new\n"));
    catalog
        .refresh_repository(&MemoryForge::repository("a/demo"))
        .await
        .unwrap();
    while !news.recv().await.unwrap().concerns("component:default/demo") {}
    stop.cancel();
    worker.await.unwrap();

    let admin = crate::web::testing::user("boss", &["admin"]);
    let id = catalog.locations().await.unwrap()[0].id;
    assert!(matches!(
        catalog.delete_location(&admin, id).await,
        Err(CatalogError::Forbidden(_))
    ));
    let fewer = with(vec![configured("url", url("a/demo", "c.yaml"))]);
    let known = fewer.sync_configured().await.unwrap();
    assert!(
        known.len() == 1 && known[0].1,
        "a later start need not wait for what was read: {known:?}"
    );
    assert_eq!(refs(&fewer).await, ["component:default/demo"]);
}
