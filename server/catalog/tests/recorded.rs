//! Every request that the published client sends, as it was recorded, and the form of each answer as the OpenAPI
//! document of the field has it. Recording and document lie beside the repository; without them this says that it is
//! left out.

use std::path::Path;

use serde_json::Value;

use super::described::Described;
use super::http::Client;
use super::*;
use crate::web::testing;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contract");

/// Status of those that do not answer 200: the recording was made of a stub that knew nothing.
const OTHERS: &[(&str, u16)] = &[
    ("queryEntities(opaque cursor)", 400),
    ("queryEntities(base64-JSON cursor holding query)", 400),
    ("addLocation(dryRun)", 201),
    ("addLocation(onConflict)", 201),
    // The recording asks about something that is no entity.
    ("validateEntity", 400),
    ("removeLocationById", 204),
    ("removeEntityByUid", 204),
];

#[sqlx::test]
async fn recorded_requests_get_answers_of_the_described_form(db: PgPool) {
    let Ok(recording) = std::fs::read_to_string(Path::new(FOLDER).join("wire-recording.txt")) else {
        eprintln!("left out: {FOLDER} is not there");
        return;
    };
    let document = std::fs::read_to_string(Path::new(FOLDER).join("catalog-openapi.json")).unwrap();
    let theirs = Described::new(serde_json::from_str(&document).unwrap());
    let ours = Described::new(crate::catalog::api::document());

    let forge = MemoryForge::default();
    forge.write("t/r", "a.yaml", &component("a", "  annotations: {a.b/c: x}\n"));
    forge.write("t/r", "x.yaml", &component("x", ""));
    forge.write("t/r", "y.yaml", &component("y", ""));
    let catalog = catalog(&db, &forge);
    let made = catalog.register("a", &url("t/r", "a.yaml")).await.unwrap();
    let id = made.location.id.to_string();
    let client = Client {
        catalog: catalog.clone(),
        caller: Some(testing::user("boss", &["admin"])),
    };
    let mut replayed = 0;
    // What removes comes last: the others need what is removed.
    let lines = recording.lines().filter(|line| !line.starts_with("S."));
    let (removing, reading): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains("| DELETE |"));
    for line in reading.into_iter().chain(removing) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let &[name, method, path, body, ..] = parts.as_slice() else {
            panic!("{line}");
        };
        let uid = match catalog
            .find(&EntityRef::new("component", "default", "a"))
            .await
            .unwrap()
        {
            Some(entity) => entity.body["metadata"]["uid"].as_str().unwrap().to_owned(),
            None => "00000000-0000-0000-0000-000000000000".to_owned(),
        };
        let path = path
            .replace("/id1", &format!("/{id}"))
            .replace("/u1", &format!("/{uid}"));
        let body = body
            .replace("https://h/x.yaml", &url("t/r", "x.yaml"))
            .replace("https://h/y.yaml", &url("t/r", "y.yaml"))
            .replace(
                "\"target\":\"https://h\"",
                &format!("\"target\":\"{}\"", url("t/r", "a.yaml")),
            );
        let answer = client
            .send(method, &path, "application/json", body.trim().to_owned())
            .await;
        let others = OTHERS.iter().find(|(other, _)| *other == name);
        let expected = others.map_or(200, |(_, status)| *status);
        assert_eq!(answer.status.as_u16(), expected, "{line}: {}", answer.text);
        // Of the parts of a body that a request asks for, the check knows by the address.
        let asked = match body.contains("\"fields\"") {
            true => format!("{path}?fields="),
            false => path.clone(),
        };
        for (whose, described) in [("Backstage's", &theirs), ("our", &ours)] {
            // Backstage's document allows no metadata in a proposal, which it makes itself.
            if name == "analyzeLocation" && whose == "Backstage's" {
                continue;
            }
            if let Err(error) = described.check(method, &asked, &answer) {
                panic!("{line}: not as {whose} document says: {error}\n{}", answer.text);
            }
        }
        replayed += 1;
    }
    assert!(replayed >= 27, "{replayed} requests");
}

#[test]
fn every_operation_of_the_field_is_described_by_ours() {
    let Ok(document) = std::fs::read_to_string(Path::new(FOLDER).join("catalog-openapi.json")) else {
        eprintln!("left out: {FOLDER} is not there");
        return;
    };
    let theirs: Value = serde_json::from_str(&document).unwrap();
    let ours = crate::catalog::api::document();
    for (path, methods) in theirs["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete"] {
            let Some(operation) = methods.get(method) else { continue };
            let own = &ours["paths"][format!("/api/catalog{path}")][method];
            assert!(own.is_object(), "{method} {path} is missing");
            let names = |operation: &Value| -> Vec<String> {
                let all = operation["parameters"].as_array().into_iter().flatten();
                let resolved = all.map(|one| match one["$ref"].as_str() {
                    Some(pointer) => theirs.pointer(pointer.trim_start_matches('#')).unwrap().clone(),
                    None => one.clone(),
                });
                let named = resolved.filter(|one| one["in"] == "query");
                named.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
            };
            let known = names(own);
            for name in names(operation) {
                assert!(known.contains(&name), "{method} {path}: parameter {name} is missing");
            }
        }
    }
}
