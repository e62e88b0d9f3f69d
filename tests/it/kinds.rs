//! Kinds that the configuration declares, in the whole portal and on the command line.

use std::path::Path;
use std::process::{Command, Output};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Options, Platform};

const DATABASE: &str = "apiVersion: example.com/v1\nkind: Database\nmetadata:\n  name: orders\nspec:\n  engine: postgres\n  \
                        owner: guests\n  runsOn: component:default/host\n";

fn declared() -> Value {
    json!({
        "name": "Database",
        "apiVersions": ["example.com/v1"],
        "title": {"en": "Database", "de": "Datenbank"},
        "plural": {"en": "Databases", "de": "Datenbanken"},
        "icon": "database",
        "schema": {
            "required": ["engine"],
            "properties": {"engine": {"$ref": "#/$defs/engine"}},
            "$defs": {"engine": {"enum": ["postgres", "mysql"]}},
        },
        "relations": [
            {"field": "owner", "forward": "ownedBy", "inverse": "ownerOf", "defaultKind": "Group"},
            {"field": "runsOn", "forward": "runsOn", "inverse": "runs",
                "label": {"en": "Runs on", "de": "Läuft auf"}, "inverseLabel": "Runs"},
        ],
        "columns": [{"title": "Engine", "field": "spec.engine"}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_kind_is_one_like_the_others() {
    let platform = Platform::start_with(Options {
        config: json!({
            "catalog": {"rules": [{"allow": ["Component", "Location", "Database"]}]},
            "portico": {"catalog": {"kinds": [declared()]}},
        }),
        ..Options::default()
    })
    .await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), DATABASE).expect("a file");
    let forge = &platform.sandbox.forge;
    let put = forge.put_tree("giteaAdmin", "orders", "main", folder.path(), "Described");
    put.await.expect("the forge takes it");
    let target = format!(
        "{}/giteaAdmin/orders/raw/branch/main/catalog-info.yaml",
        platform.sandbox.urls.forge
    );
    let location = json!({"type": "url", "target": target});
    let (status, answer) = platform.api().post("/catalog/locations", &location).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");

    let (_, entity) = platform
        .api()
        .get("/catalog/entities/by-name/database/default/orders")
        .await;
    assert_eq!(
        entity["relations"],
        json!([
            {"type": "ownedBy", "targetRef": "group:default/guests"},
            {"type": "runsOn", "targetRef": "component:default/host"},
        ]),
        "{entity}"
    );
    let mut wrong = entity.clone();
    for key in ["relations", "status"] {
        wrong.as_object_mut().expect("a mapping").remove(key);
    }
    wrong["spec"]["engine"] = json!("oracle");
    let body = json!({"entity": wrong, "location": format!("url:{target}")});
    let (status, answer) = platform.api().post("/catalog/validate-entity", &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        answer
            .to_string()
            .contains("spec.engine must be one of postgres, mysql"),
        "{answer}"
    );

    let browser = platform.user("user1").await;
    let list = browser.open("/catalog?kind=database").await;
    assert!(list.text().contains("1 Database"), "{}", list.html);
    assert!(list.html.contains("data-l=\"Engine\">postgres<"), "{}", list.html);
    let page = browser.open("/catalog/default/database/orders").await;
    assert!(page.html.contains("<dt>Engine</dt><dd>postgres</dd>"), "{}", page.html);
    assert!(page.text().contains("Runs on"), "{}", page.html);
    let graph = browser.open("/catalog/default/database/orders/relations").await;
    assert!(
        graph.html.contains("#database") && graph.html.contains("value=\"runsOn\""),
        "{}",
        graph.html
    );
    assert!(graph.text().contains("Runs on"), "{}", graph.html);
}

fn portico(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_portico"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("portico runs");
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_command_line_checks_declarations_and_what_is_declared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let run = |arguments: &[&str]| portico(folder.path(), arguments);
    write("catalog-info.yaml", &DATABASE.replace("postgres", "oracle"));
    let (right, said) = run(&["catalog", "validate", "catalog-info.yaml"]);
    assert!(!right && said.contains("known kinds are Component,"), "{said}");

    // It need not say anything but kinds; the schema stands in a file of its own.
    let mut kind = declared();
    write("database.schema.json", &kind["schema"].to_string());
    kind["schema"] = json!({"$file": "database.schema.json"});
    let config = |kind: &Value| format!("portico:\n  catalog:\n    kinds:\n      - {kind}\n");
    write("kinds.yaml", &config(&kind));
    let validate = ["catalog", "validate", "--config", "kinds.yaml", "catalog-info.yaml"];
    let (right, said) = run(&validate);
    assert!(!right, "{said}");
    assert!(
        said.contains("error: spec.engine must be one of postgres, mysql, not \"oracle\""),
        "{said}"
    );
    assert!(said.contains("catalog-info.yaml:6:"), "{said}");
    write("catalog-info.yaml", DATABASE);
    let (right, said) = run(&validate);
    assert!(
        right && said.contains("1 entity that is right: nothing is wrong"),
        "{said}"
    );

    // What cannot be used is told with file, line and key, by all commands.
    let whole = "app: {baseUrl: http://localhost}\nbackend: {database: {connection: {host: nowhere.invalid}}}\n";
    let check = ["config", "check", "--config", "app.yaml", "--config", "kinds.yaml"];
    write("app.yaml", whole);
    let (right, said) = run(&check);
    assert!(right && !said.contains("warning"), "{said}");
    for (schema, expected) in [
        ("{\"$ref\": \"#\"}", "leads back to itself"),
        ("{\"$ref\": \"https://example.com/x.json\"}", "nothing is fetched"),
        (
            "{\"properties\": {\"a\": {\"pattern\": \"(?=a)(a+)+$\"}}}",
            "no look-around",
        ),
    ] {
        write("database.schema.json", schema);
        for arguments in [&validate[..], &check[..]] {
            let (right, said) = run(arguments);
            assert!(!right, "{said}");
            let place = "kinds.yaml:4: portico.catalog.kinds[0].schema: ";
            assert!(said.contains(place) && said.contains(expected), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    kind["relations"][1]
        .as_object_mut()
        .expect("a mapping")
        .remove("inverse");
    write("kinds.yaml", &config(&kind));
    let (right, said) = run(&check);
    assert!(
        !right && said.contains("portico.catalog.kinds[0].relations[1].inverse: is missing"),
        "{said}"
    );
}
