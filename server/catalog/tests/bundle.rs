//! API definitions that refer to other files. What comes of those that are right is compared with the package of the
//! field in `answers`.

use super::*;

fn api(target: &str) -> String {
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: api\nspec:\n  type: openapi\n  lifecycle: x\n  \
         owner: g\n  definition:\n    $openapi: {target}\n"
    )
}

/// The definition, or why there is none.
async fn bundled(db: &PgPool, files: &[(&str, &str)]) -> Result<String, String> {
    let forge = MemoryForge::default();
    forge.write("b/secret", "x.yaml", "a: 1\n");
    forge.write("a/demo", "c.yaml", &api("./api.yaml"));
    for (path, text) in files {
        forge.write("a/demo", path, text);
    }
    let registered = catalog(db, &forge).register("a", &url("a/demo", "c.yaml")).await;
    match registered {
        Ok(registered) => Ok(registered.entities[0].spec("definition").unwrap().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[sqlx::test]
async fn each_value_is_put_in_once_and_rings_end(db: PgPool) {
    let definition = bundled(
        &db,
        &[
            (
                "api.yaml",
                "a: {$ref: b.yaml}\nlonger: {$ref: 'b.yaml#/c'}\nown: {$ref: '#/a'}\nanchor: {$ref: '#x'}\n",
            ),
            (
                "b.yaml",
                "c: {d: 1}\nback: {$ref: 'api.yaml#/own'}\nself: {$ref: '#/self'}\nring: {$ref: './b.yaml'}\n",
            ),
        ],
    )
    .await
    .unwrap();
    let value: serde_json::Value = yaml_text::read(&definition).unwrap();
    assert_eq!(value["a"]["c"], serde_json::json!({"d": 1}), "{definition}");
    assert_eq!(value["longer"], serde_json::json!({"$ref": "#/a/c"}), "{definition}");
    assert_eq!(value["anchor"], serde_json::json!({"$ref": "#x"}), "{definition}");
    assert_eq!(value["a"]["ring"], serde_json::json!({"$ref": "#/a"}), "{definition}");
}

#[sqlx::test]
async fn what_cannot_be_put_together_is_told_with_its_place(db: PgPool) {
    let many: String = (0..300).map(|n| format!("k{n}: {{$ref: f{n}.yaml}}\n")).collect();
    let ring = "a: {$ref: 'b.yaml#/x'}\n";
    let table: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![], "api.yaml does not exist"),
        (vec![("api.yaml", "a: {$ref: gone.yaml}\n")], "gone.yaml does not exist"),
        (
            vec![("api.yaml", "a: {$ref: '#/nowhere'}\n")],
            "#/nowhere leads nowhere",
        ),
        (
            vec![("api.yaml", "a: {$ref: 'b.yaml#/nowhere'}\n"), ("b.yaml", "x: 1\n")],
            "b.yaml#/nowhere leads nowhere",
        ),
        (
            vec![(
                "api.yaml",
                "a: {$ref: '../../../../../b/secret/src/branch/main/x.yaml'}\n",
            )],
            "another repository",
        ),
        (
            vec![("api.yaml", "a: {$ref: 'https://elsewhere.test/x.yaml'}\n")],
            "elsewhere.test",
        ),
        (vec![("api.yaml", "a: {$ref: 'javascript:alert(1)'}\n")], "javascript:"),
        (vec![("api.yaml", "a: {$ref: 'file:///etc/passwd'}\n")], "file:"),
        (vec![("api.yaml", "a: [\n")], "api.yaml"),
        (vec![("api.yaml", "a: 1\n---\nb: 1\n")], "documents"),
        (
            vec![("api.yaml", "a: {$ref: b.json}\n"), ("b.json", "<html>")],
            "is not JSON",
        ),
        (
            vec![("api.yaml", ring), ("b.yaml", "x: {$ref: '#/y'}\ny: {$ref: '#/x'}\n")],
            "circle",
        ),
        (vec![("api.yaml", &many)], "f"),
    ];
    for (files, expected) in table {
        let error = bundled(&db, &files).await.unwrap_err();
        assert!(
            error.contains(expected) && error.contains("line 9"),
            "{expected}: {error}"
        );
    }
}

#[sqlx::test]
async fn a_definition_that_grows_is_stopped(db: PgPool) {
    // Each level refers twice to the next, from values of their own, so that nothing may be shared.
    let mut files = vec![(
        "api.yaml".to_owned(),
        "a: {$ref: 'f0.yaml', x: 1}\nb: {$ref: 'f0.yaml', x: 2}\n".to_owned(),
    )];
    for n in 0..40 {
        let next = n + 1;
        let text = format!("a: {{$ref: 'f{next}.yaml', x: 1}}\nb: {{$ref: 'f{next}.yaml', x: 2}}\n");
        files.push((format!("f{n}.yaml"), text));
    }
    files.push(("f40.yaml".to_owned(), "end: 1\n".to_owned()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    // Shared after all, or refused: what counts is that it ends, and that it is small.
    if let Ok(definition) = bundled(&db, &files).await {
        assert!(definition.len() < 100_000, "{} bytes", definition.len());
    }
}
