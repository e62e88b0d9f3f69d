//! What is kept while entities are written (documents, counts) is what can be worked out of them.

use serde_json::Value;

use super::*;

/// Counts, relations and etags that are stored but not those of the entities, or the other way round.
async fn differences(db: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        r#"with worked_out as (
            select filter, element, sum(n)::bigint as count from (
                select '' as filter, '' as element, 1 as n from catalog_entity
                union all select '', c, 1 from catalog_entity, unnest(counted) c
                union all select f, '', 1 from catalog_entity, unnest(counted_lower) f
                union all select f, '*', 1 from catalog_entity, unnest(counted_lower) f where cardinality(counted) > 32
                union all select f, c, 1 from catalog_entity, unnest(counted_lower) f, unnest(counted) c
                    where cardinality(counted) <= 32) rows
            group by filter, element),
        relations as (
            select e.entity_ref, e.relations::jsonb as stored, coalesce((
                select jsonb_agg(jsonb_build_object('type', type, 'targetRef', target_ref)
                    order by type collate "C", target_ref collate "C")
                from (select distinct type, target_ref from catalog_relation r where r.source_ref = e.entity_ref) own
            ), '[]') as worked_out
            from catalog_entity e)
        select 'kept ' || k::text from (select filter, element, count from catalog_count except table worked_out) k
        union all
        select 'worked out ' || w::text from (table worked_out except select filter, element, count from catalog_count) w
        union all
        select entity_ref || stored || worked_out from relations where stored <> worked_out"#,
    )
    .fetch_all(db)
    .await
    .unwrap()
}

fn tagged(name: &str, tags: &str, owner: &str) -> String {
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n  tags: [{tags}]\nspec:\n  \
         type: Service\n  lifecycle: production\n  owner: {owner}\n  dependsOn: [component:other]\n---\n"
    )
}

#[sqlx::test]
async fn counts_and_relations_follow_every_change(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write(
        "a/demo",
        "c.yaml",
        &(tagged("one", "java, rust", "Team") + &tagged("two", "java", "team")),
    );
    forge.write("b/demo", "c.yaml", &(tagged("other", "go", "team") + GROUP));
    let catalog = catalog(&db, &forge);
    let none: [String; 0] = [];
    let first = register(&catalog, &url("a/demo", "c.yaml")).await;
    assert_eq!(differences(&db).await, none);
    let second = register(&catalog, &url("b/demo", "c.yaml")).await;
    assert_eq!(differences(&db).await, none);
    let group = EntityRef::new("group", "default", "team");
    let group_of = async |catalog: &Catalog| catalog.find(&group).await.unwrap().unwrap();
    let before = group_of(&catalog).await;
    assert_eq!(before.relations("ownerOf").count(), 3);

    // Another owner, another tag, and one that is gone.
    forge.write("a/demo", "c.yaml", &tagged("one", "rust, k8s", "user:somebody"));
    catalog.read_location(first, true).await.unwrap();
    assert_eq!(differences(&db).await, none);
    let after = group_of(&catalog).await;
    assert_eq!(
        after.relations("ownerOf").collect::<Vec<_>>(),
        ["component:default/other"]
    );
    assert_ne!(after.body["metadata"]["etag"], before.body["metadata"]["etag"]);

    // An error mark, the same again, a source that is not there, and all of it removed.
    forge.write(
        "a/demo",
        "c.yaml",
        &(tagged("one", "rust, k8s", "user:somebody") + "kind: {"),
    );
    catalog.read_location(first, true).await.unwrap();
    assert_eq!(differences(&db).await, none);
    catalog.read_location(first, true).await.unwrap();
    assert_eq!(differences(&db).await, none);
    forge.remove("a/demo", "c.yaml");
    catalog.read_location(first, true).await.unwrap();
    assert_eq!(differences(&db).await, none);
    catalog.forget(first, None).await.unwrap();
    assert_eq!(differences(&db).await, none);
    catalog.forget(second, None).await.unwrap();
    assert_eq!(differences(&db).await, none);
    let rows: i64 = sqlx::query_scalar("select count(*) from catalog_count")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(rows, 0, "what counts nothing is gone");
}

const GROUP: &str =
    "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: team}\nspec: {type: team, children: []}\n";

async fn counts(catalog: &Catalog, filter: &Filter, key: &str) -> Vec<(String, i64)> {
    let mut reader = catalog.reads().reader().await.unwrap();
    let counts = queries::facets::facet(&mut reader, filter, key).await.unwrap();
    reader.keep();
    counts
}

#[sqlx::test]
async fn an_entity_with_very_many_tags_is_counted_like_any_other(db: PgPool) {
    let forge = MemoryForge::default();
    let many: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
    forge.write(
        "a/demo",
        "c.yaml",
        &(tagged("many", &many.join(", "), "team") + &tagged("few", "t1", "team")),
    );
    let catalog = catalog(&db, &forge);
    catalog.register("a", &url("a/demo", "c.yaml")).await.unwrap();
    assert_eq!(differences(&db).await, Vec::<String>::new());
    for filter in [Filter::everything(), Filter::key_value("kind", "component")] {
        let tags = counts(&catalog, &filter, "metadata.tags").await;
        assert_eq!((tags.len(), tags[0].1, tags[1].1), (40, 1, 2), "{filter:?}");
        let types = counts(&catalog, &filter, "spec.type").await;
        assert!(types.contains(&("Service".to_owned(), 2)), "{filter:?} {types:?}");
    }
    let rare = counts(&catalog, &Filter::key_value("metadata.tags", "t39"), "metadata.tags").await;
    assert_eq!(rare.len(), 40);
}

#[sqlx::test]
async fn what_was_worked_out_is_never_older_than_the_catalog(db: PgPool) {
    let forge = MemoryForge::default();
    forge.write("a/demo", "c.yaml", &tagged("alpha", "java", "team"));
    let (one, other) = (catalog(&db, &forge), catalog(&db, &forge));
    let id = one.register("a", &url("a/demo", "c.yaml")).await.unwrap().location.id;
    let filter = Filter::All(vec![
        Filter::key_value("kind", "component"),
        Filter::key_value("metadata.tags", "java"),
    ]);
    let asked = async || {
        let mut reader = one.reads().reader().await.unwrap();
        let query = queries::search::Query::of(filter.clone());
        let total = queries::search::total(one.reads(), &mut reader, &query).await.unwrap();
        reader.keep();
        let owners = async {
            let owners = counts(&one, &filter, "spec.owner").await;
            Ok::<_, std::sync::Arc<sqlx::Error>>(format!("{owners:?}").into())
        };
        let owners = one.reads().answer("owners".to_owned(), owners).await.unwrap();
        (total, String::from_utf8(owners.to_vec()).unwrap())
    };
    for _ in 0..2 {
        assert_eq!(asked().await, (1, r#"[("team", 1)]"#.to_owned()));
    }
    // Another replica writes.
    forge.write(
        "a/demo",
        "c.yaml",
        &(tagged("alpha", "java", "Team") + &tagged("beta", "java", "team")),
    );
    other.read_location(id, true).await.unwrap();
    assert_eq!(asked().await, (2, r#"[("Team", 1), ("team", 1)]"#.to_owned()));
}

#[sqlx::test]
async fn text_is_found_by_index_and_without(db: PgPool) {
    let forge = MemoryForge::default();
    let mut file = String::new();
    for (name, title, description) in [
        ("Ledger-api", "", "keeps books"),
        ("basket", "The Ledger", "100% of a_b"),
        ("checkout", "", "asks the ledger\\nand more"),
        ("payout", "x\\\\y", ""),
    ] {
        file.push_str(&component(
            name,
            &format!("  title: \"{title}\"\n  description: \"{description}\"\n"),
        ));
        file.push_str("---\n");
    }
    forge.write(
        "a/demo",
        "c.yaml",
        &file.replace("  title: \"\"\n", "").replace("  description: \"\"\n", ""),
    );
    let catalog = catalog(&db, &forge);
    catalog.register("a", &url("a/demo", "c.yaml")).await.unwrap();
    let found = async |term: &str, fields: &[&str]| {
        let mut query = queries::search::Query::of(Filter::key_value("kind", "component"));
        query.full_text = Some(queries::search::FullText {
            term: term.to_owned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        });
        query.limit = Some(10);
        let mut reader = catalog.reads().reader().await.unwrap();
        let total = queries::search::total(catalog.reads(), &mut reader, &query)
            .await
            .unwrap();
        let mut names = Vec::new();
        // Few matches are sorted, many are met in order: the same ones.
        for known in [None, Some(1_000_000), Some(1)] {
            let page = queries::search::page(&mut reader, &query, known).await.unwrap();
            assert_eq!(i64::try_from(page.len()).unwrap(), total, "{term}");
            names.push(
                page.iter()
                    .map(|found| found.row.entity_ref.clone())
                    .collect::<Vec<_>>(),
            );
        }
        reader.keep();
        assert!(names.iter().all(|other| *other == names[0]), "{term}: {names:?}");
        names[0]
            .iter()
            .map(|reference| reference.replace("component:default/", ""))
            .collect::<Vec<_>>()
    };
    let all = ["metadata.name", "metadata.title", "metadata.description"];
    assert_eq!(found("LEDGER", &all).await, ["basket", "checkout", "ledger-api"]);
    assert_eq!(found("ledger", &all[..1]).await, ["ledger-api"]);
    assert_eq!(found("ledger", &all[1..2]).await, ["basket"]);
    assert_eq!(found("led%api", &all).await, ["ledger-api"]);
    assert_eq!(found("a_b", &all).await, ["basket"]);
    assert_eq!(found("x\\y", &all).await, ["payout"]);
    assert_eq!(found("ou", &all).await, ["checkout", "payout"]);
    assert_eq!(found("ger", &["metadata.name", "spec.owner"]).await, ["ledger-api"]);
    assert_eq!(found("guest", &["spec.owner"]).await.len(), 4);
    assert_eq!(found("zzz", &all).await, Vec::<String>::new());
}

#[sqlx::test]
async fn documents_are_answered_as_they_were_described(db: PgPool) {
    let forge = MemoryForge::default();
    let file = component("demo", "  annotations: {z: \"1\", a: \"\\\"\\u0001ü\"}\n")
        .replace("spec:\n", "spec:\n  zulu: {b: 1, a: [1.5, null]}\n");
    forge.write("a/demo", "c.yaml", &file);
    let catalog = catalog(&db, &forge);
    catalog.register("a", &url("a/demo", "c.yaml")).await.unwrap();
    let text = catalog
        .reads()
        .document("component:default/demo".to_owned())
        .await
        .unwrap();
    let document: Value = serde_json::from_slice(&text.unwrap()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["apiVersion", "kind", "metadata", "spec", "relations"]);
    assert_eq!(keys(&document["spec"])[..2], ["zulu", "type"]);
    assert_eq!(document["metadata"]["annotations"]["a"], "\"\u{1}ü");
    assert_eq!(document["spec"]["zulu"], serde_json::json!({"b": 1, "a": [1.5, null]}));
    assert_eq!(
        Some(Entity { body: document }),
        catalog
            .find(&EntityRef::new("component", "default", "demo"))
            .await
            .unwrap()
    );
}
