//! Kinds that the configuration declares, on pages and in the API.

use serde_json::{Value, json};

use super::http::Client;
use super::*;
use crate::web::testing;

const DATABASE: &str = "apiVersion: example.com/v1\nkind: Database\nmetadata:\n  name: orders\nspec:\n  engine: postgres\n  \
                        size: 20\n  owner: guests\n  runsOn: [big, \"resource:far/away\"]\n  replicas:\n    - of: users\n";

fn config() -> CatalogConfig {
    let mut allowed = super::config();
    allowed.kinds = kinds();
    for rule in allowed.rules.iter_mut().flatten() {
        rule.allow.push(Allow::kind("database"));
    }
    allowed
}

/// A catalog with two databases and a group, and who looks at it.
async fn filled(db: &PgPool) -> (Client, MemoryForge, uuid::Uuid) {
    let forge = MemoryForge::default();
    let small = DATABASE
        .replace("orders", "users")
        .replace("postgres", "mysql")
        .replace("size: 20", "size: 5");
    let small = small.split("  runsOn").next().unwrap().to_owned();
    let group = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata:\n  name: guests\nspec:\n  type: team\n  children: []\n";
    let big = "apiVersion: backstage.io/v1alpha1\nkind: Resource\nmetadata:\n  name: big\nspec:\n  type: cluster\n  owner: guests\n";
    let text = [DATABASE, &small, group, big].join("---\n");
    forge.write("a/b", "catalog-info.yaml", &text);
    let catalog = catalog_with(db, &forge, Clock::system(), config());
    let id = register(&catalog, &url("a/b", "catalog-info.yaml")).await;
    let caller = Some(testing::user("user1", &["guests"]));
    (Client { catalog, caller }, forge, id)
}

#[sqlx::test]
async fn lists_have_the_kind_with_its_columns(db: PgPool) {
    let (client, ..) = filled(&db).await;
    let page = client.get("/catalog?kind=database").await.text;
    for expected in [
        "2 Databases",
        "#database",
        ">Engine</a>",
        "data-l=\"Engine\">postgres</td>",
        "data-l=\"Size\">20</td>",
        "data-l=\"Runs on\">big, resource:far/away</td>",
        "href=\"/catalog/default/group/guests\"",
        "name=\"columns\" value=\"database:engine\" checked",
        "name=\"columns\" value=\"database:\"",
        // Not worth a column of this kind, but to be had.
        "name=\"columns\" value=\"lifecycle\">",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let all = client.get("/catalog?kind=all").await.text;
    assert!(!all.contains("Engine"), "{all}");
    assert!(
        all.contains("title=\"Database\">Database</span><span class=\"count\">2</span>"),
        "{all}"
    );
    let order = async |sort: &str| {
        let page = client.get(&format!("/catalog?kind=database&sort={sort}")).await.text;
        let place = |name: &str| page.find(&format!("/catalog/default/database/{name}\"")).unwrap();
        place("orders") < place("users")
    };
    assert!(!order("database:engine").await && order("-database:engine").await);
    let chosen = "kind=database&columns=name&columns=database:&columns=database:size";
    let page = client.get(&format!("/catalog?{chosen}")).await.text;
    assert!(
        page.contains("data-l=\"Size\"") && !page.contains("data-l=\"Engine\""),
        "{page}"
    );
    let csv = client.get(&format!("/catalog/export.csv?{chosen}")).await.text;
    assert!(csv.starts_with("ref,name,title,description,database:size\r\n"), "{csv}");
    assert!(csv.contains("database:default/orders,orders,orders,,20\r\n"), "{csv}");
    let json = client.get("/catalog/export.json?kind=database").await.json();
    assert_eq!(json.as_array().map(Vec::len), Some(2));
}

#[sqlx::test]
async fn pages_of_entities_show_the_fields_and_the_relations(db: PgPool) {
    let (client, ..) = filled(&db).await;
    let page = client.get("/catalog/default/database/orders").await.text;
    for expected in [
        "<small class=\"mute\">Database",
        "<dt>Engine</dt><dd>postgres</dd>",
        "<dt>Size</dt><dd>20</dd>",
        "runsOn",
        "replicates",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    // Who is named is told, too: by the words of a pair that is new.
    let named = client.get("/catalog/default/resource/big").await.text;
    assert!(
        named.contains("id=\"part-runs\"") && named.contains("/catalog/default/database/orders"),
        "{named}"
    );
    let group = client.get("/catalog/default/group/guests").await.text;
    assert!(
        group.contains("/catalog/default/database/orders") && group.contains("2 Databases"),
        "{group}"
    );
    let graph = client
        .get("/catalog/default/database/orders/relations?depth=2&relation=runsOn&kind=resource")
        .await
        .text;
    for expected in [
        "value=\"runsOn\" checked",
        "value=\"database\"",
        "<a href=\"/catalog/default/resource/big\"><rect",
        "2 relations as a table",
    ] {
        assert!(graph.contains(expected), "{expected}: {graph}");
    }
    let related = client
        .get("/catalog?kind=all&related=runsOn:resource:default/big")
        .await
        .text;
    assert!(related.contains("/catalog/default/database/orders"), "{related}");
    let found = client.get("/search?q=orders").await.text;
    assert!(found.contains("1 Database") && found.contains("#database"), "{found}");
    let palette = client.get("/search/palette?q=orders").await.text;
    assert!(palette.contains("#database"), "{palette}");
}

#[sqlx::test]
async fn the_api_knows_declared_kinds(db: PgPool) {
    let (client, ..) = filled(&db).await;
    let entity = client
        .get("/api/catalog/entities/by-name/database/default/orders")
        .await
        .json();
    let runs_on = json!({"type": "runsOn", "targetRef": "resource:default/big"});
    assert!(entity["relations"].as_array().unwrap().contains(&runs_on), "{entity}");
    let refs = json!({"entityRefs": ["database:default/orders", "database:default/none"]});
    let found = client.post("/api/catalog/entities/by-refs", refs).await.json();
    assert_eq!(found["items"][0]["kind"], "Database");
    assert_eq!(found["items"][1], Value::Null);
    let by_relation = client
        .get("/api/catalog/entities?filter=relations.runsOn=resource:default/big")
        .await
        .json();
    assert_eq!(by_relation[0]["metadata"]["name"], "orders", "{by_relation}");
    let facets = client.get("/api/catalog/entity-facets?facet=kind").await.json();
    let kinds = facets["facets"]["kind"].to_string();
    assert!(kinds.contains("Database"), "{kinds}");
    let validate = async |spec: Value| {
        let mut entity = entity_without_namespace();
        entity["spec"] = spec;
        let body = json!({"location": "url:https://forge.test/x.yaml", "entity": entity});
        client.post("/api/catalog/validate-entity", body).await
    };
    assert_eq!(validate(json!({"engine": "mysql", "owner": "a"})).await.status, 200);
    let refused = validate(json!({"engine": "oracle", "owner": "a"})).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text.contains("spec.engine must be one of postgres, mysql"),
        "{}",
        refused.text
    );
}

fn entity_without_namespace() -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "x"}})
}

#[sqlx::test]
async fn faults_stand_at_file_and_line(db: PgPool) {
    let forge = MemoryForge::default();
    let huge = format!("{DATABASE}  note: {}\n", "x".repeat(1 << 20));
    forge.write("a/b", "x.yaml", &DATABASE.replace("size: 20", "size: big"));
    forge.write(
        "a/b",
        "huge.yaml",
        &huge.replace("orders", "huge").replace("postgres", &"y".repeat(1 << 20)),
    );
    let catalog = catalog_with(&db, &forge, Clock::system(), config());
    let text = DATABASE.replace("size: 20", "size: big");
    let (_, problems) = catalog.check_text(&url("a/b", "x.yaml"), &text).await.unwrap();
    let places: Vec<(Option<usize>, &str)> = problems
        .iter()
        .map(|problem| (problem.line, problem.message.as_str()))
        .collect();
    assert_eq!(places, [(Some(7), "spec.size must be a whole number, not \"big\"")]);
    let refused = catalog
        .register("a", &url("a/b", "huge.yaml"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("spec.engine must be one of postgres, mysql, not text"),
        "{refused}"
    );
    assert!(refused.len() < 2_000, "the value is not repeated: {}", refused.len());
}

async fn problems_of(catalog: &Catalog) -> Vec<String> {
    let locations = catalog.locations().await.unwrap().into_iter();
    locations
        .flat_map(|location| location.problems)
        .map(|problem| problem.message)
        .collect()
}

#[sqlx::test]
async fn other_declarations_read_unchanged_files_anew(db: PgPool) {
    let (client, forge, id) = filled(&db).await;
    assert!(client.catalog.read_location(id, false).await.unwrap().unchanged);
    // The same files, another configuration: a relation fewer, and a schema that one of them does not fit.
    let mut stricter = database();
    stricter.relations.remove(1);
    stricter.schema = Some(json!({"properties": {"engine": {"const": "postgres"}}}));
    let config_with = |kinds: Kinds| CatalogConfig { kinds, ..config() };
    let kinds = Kinds::new(&[stricter]).unwrap();
    let catalog = catalog_with(&db, &forge, Clock::system(), config_with(kinds));
    let report = catalog.read_location(id, false).await.unwrap();
    assert!(!report.unchanged);
    assert_eq!(
        problems_of(&catalog).await,
        ["spec.engine must be postgres, not \"mysql\""]
    );
    let orders = EntityRef::parse("database:default/orders", None, None).unwrap();
    let entity = catalog.get(&orders).await.unwrap();
    assert_eq!(entity.relations("runsOn").count(), 0);
    assert_eq!(entity.relations("replicates").count(), 1);
    assert!(catalog.read_location(id, false).await.unwrap().unchanged);

    // Nobody declares the kind any more: its entities are errors, and stay as they were.
    let none = catalog_with(&db, &forge, Clock::system(), config_with(Kinds::default()));
    assert!(!none.read_location(id, false).await.unwrap().unchanged);
    let told = problems_of(&none).await;
    assert!(
        told.iter().all(|told| told.contains("known kinds are Component,")) && told.len() == 2,
        "{told:?}"
    );
    let client = Client {
        catalog: none,
        caller: client.caller,
    };
    for path in [
        "/catalog?kind=database",
        "/catalog?kind=all",
        "/catalog/default/database/orders",
        "/catalog/default/database/orders/relations",
        "/catalog/default/group/guests",
    ] {
        let page = client.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.contains("/catalog/default/database/orders"), "{path}");
    }
}
