use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

fn told(schema: Value, spec: Value) -> Vec<(String, String)> {
    let schema = Schema::new(&schema).unwrap();
    let faults = schema.faults(&spec).into_iter();
    faults.map(|fault| (fault.path.join("/"), fault.message)).collect()
}

#[test]
fn faults_name_their_field() {
    let schema = json!({
        "type": "object",
        "required": ["engine", "size"],
        "additionalProperties": false,
        "properties": {
            "engine": {"enum": ["postgres", "mysql"]},
            "size": {"type": "integer", "minimum": 1},
            "host": {"type": "string", "pattern": "^[a-z.]+$"},
            "page": {"type": "string", "format": "uri"},
            "disks": {"type": "array", "items": {"type": "object", "required": ["a/b"]}},
            "login": {"oneOf": [
                {"type": "object", "required": ["user"], "properties": {"user": {"type": "string"}}},
                {"type": "object", "required": ["key", "id"]},
            ]},
        },
    });
    for (spec, path, message) in [
        (json!({"size": 1}), "spec/engine", "spec.engine is missing"),
        (
            json!({"engine": "oracle", "size": 1}),
            "spec/engine",
            "spec.engine must be one of postgres, mysql, not \"oracle\"",
        ),
        (
            json!({"engine": "mysql", "size": "big"}),
            "spec/size",
            "spec.size must be a whole number, not \"big\"",
        ),
        (
            json!({"engine": "mysql", "size": 0}),
            "spec/size",
            "spec.size must be 1 or more, not 0",
        ),
        (
            json!({"engine": "mysql", "size": 1, "host": "A"}),
            "spec/host",
            "spec.host must match ^[a-z.]+$, unlike \"A\"",
        ),
        (
            json!({"engine": "mysql", "size": 1, "page": "no page"}),
            "spec/page",
            "spec.page must have the format uri, unlike \"no page\"",
        ),
        (
            json!({"engine": "mysql", "size": 1, "disks": [{"a/b": 1}, {}]}),
            "spec/disks/1/a/b",
            "spec.disks.1.a/b is missing",
        ),
        (
            json!({"engine": "mysql", "size": 1, "extra": 1}),
            "spec/extra",
            "spec has no field extra",
        ),
        (
            json!({"engine": "mysql", "size": 1, "login": {"user": 1}}),
            "spec/login/user",
            "spec.login.user must be text, not 1",
        ),
        (
            json!({"engine": "mysql", "size": 1, "login": 7}),
            "spec/login",
            "spec.login fits none of the forms that are allowed: 7",
        ),
    ] {
        let expected = vec![(path.to_owned(), message.to_owned())];
        assert_eq!(told(schema.clone(), spec.clone()), expected, "{spec}");
    }
    assert_eq!(told(schema, json!({"engine": "mysql", "size": 3})), []);
}

#[test]
fn schemas_that_cannot_be_used_are_refused_with_the_reason() {
    let deep = (0..200).fold(json!({}), |inner, _| json!({"not": inner}));
    for (schema, expected) in [
        (json!("text"), "must be a JSON Schema"),
        (json!({"type": "strng"}), "(at /type)"),
        (json!({"required": "engine"}), "(at /required)"),
        (json!({"$ref": "https://example.com/a.json"}), "nothing is fetched"),
        (
            json!({"properties": {"a": {"$ref": "other.json#/x"}}}),
            "nothing is fetched",
        ),
        (json!({"$schema": "https://example.com/meta"}), "is no JSON Schema"),
        (json!({"$ref": "#/$defs/gone"}), "which it does not have"),
        (json!({"$ref": "#"}), "leads back to itself"),
        (
            json!({"anyOf": [{"type": "string"}, {"$ref": "#"}]}),
            "leads back to itself",
        ),
        (
            json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
            "leads back to itself",
        ),
        (json!({"properties": {"a": {"$dynamicRef": "#a"}}}), "$dynamicRef"),
        (json!({"properties": {"a": {"pattern": "("}}}), "pattern"),
        (
            json!({"properties": {"a": {"pattern": "((a{1000}){1000}){1000}"}}}),
            "pattern",
        ),
        (json!({"properties": {"a": {"pattern": "(?=a)b"}}}), "pattern"),
        (deep, "nested more than 100 deep"),
    ] {
        let reason = Schema::new(&schema).err().unwrap_or_else(|| panic!("{schema}"));
        assert!(reason.contains(expected), "{schema}: {reason}");
    }
}

#[test]
fn schemas_may_refer_to_themselves_below() {
    let tree = json!({"properties": {"name": {"type": "string"}, "parts": {"items": {"$ref": "#"}}}});
    assert_eq!(
        told(tree, json!({"parts": [{"parts": [{"name": 1}]}]})),
        [(
            "spec/parts/0/parts/0/name".to_owned(),
            "spec.parts.0.parts.0.name must be text, not 1".to_owned()
        )]
    );
}

#[test]
fn large_and_hostile_values_are_checked_quickly_and_told_shortly() {
    let schema = json!({"properties": {
        "bomb": {"type": "string", "pattern": "^(a+)+$"},
        "word": {"enum": ["x"]},
        "list": {"type": "array", "items": {"type": "string"}},
    }});
    let started = Instant::now();
    let spec = json!({
        "bomb": format!("{}!", "a".repeat(1 << 20)),
        "word": "w".repeat(1 << 20),
        "list": vec![1; 200_000],
    });
    let faults = told(schema, spec);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(faults.len() <= MOST_FAULTS, "{}", faults.len());
    assert!(faults.iter().any(|(path, _)| path == "spec/bomb"), "{faults:?}");
    assert!(faults.iter().all(|(_, message)| message.len() < 600), "{faults:?}");
}
