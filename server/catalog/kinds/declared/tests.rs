use super::super::Kinds;
use super::*;
use crate::catalog::tests::{database, kinds};

fn entity(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "orders", "namespace": "shop"}, "spec": spec})
}

#[test]
fn declared_kinds_are_checked_and_make_their_relations_in_both_directions() {
    let kinds = kinds();
    let spec = json!({
        "engine": "postgres", "owner": "team-a", "runsOn": ["big", "component:other/x"],
        "replicas": [{"of": "users"}, {"of": "database:far/logs"}, "odd"],
    });
    let made = kinds.check(&mut entity(spec)).unwrap();
    let mut made: Vec<String> = made
        .iter()
        .map(|relation| format!("{} {} {}", relation.source, relation.kind, relation.target))
        .collect();
    made.sort();
    let own = "database:shop/orders";
    let mut expected = Vec::new();
    for (forward, inverse, target) in [
        ("ownedBy", "ownerOf", "group:shop/team-a"),
        ("runsOn", "runs", "resource:shop/big"),
        ("runsOn", "runs", "component:other/x"),
        ("replicates", "replicatedBy", "database:shop/users"),
        ("replicates", "replicatedBy", "database:far/logs"),
    ] {
        expected.push(format!("{own} {forward} {target}"));
        expected.push(format!("{target} {inverse} {own}"));
    }
    expected.sort();
    assert_eq!(made, expected);

    let table = [
        (json!({"owner": "a"}), "spec/engine", "spec.engine is missing"),
        (
            json!({"engine": "postgres", "owner": 7}),
            "spec/owner",
            "spec.owner must be text, not 7",
        ),
        (
            json!({"engine": "postgres", "owner": "a", "runsOn": ["x", "resource:"]}),
            "spec/runsOn",
            "spec.runsOn: \"resource:\" is not an entity ref: a part of it is empty",
        ),
        (
            json!({"engine": "postgres", "owner": "a", "replicas": [{"of": "x"}, {"of": 9}]}),
            "spec/replicas/1/of",
            "spec.replicas.1.of: 9 is not an entity ref such as component:default/name",
        ),
    ];
    for (spec, path, message) in table {
        let faults = kinds.check(&mut entity(spec.clone())).expect_err(&spec.to_string());
        let told: Vec<(String, &str)> = faults
            .iter()
            .map(|fault| (fault.path.join("/"), fault.message.as_str()))
            .collect();
        assert_eq!(told, [(path.to_owned(), message)], "{spec}");
    }
    let mut bare = entity(json!({}));
    bare.as_object_mut().unwrap().shift_remove("spec");
    assert_eq!(
        kinds.check(&mut bare).unwrap_err().len(),
        2,
        "what is required is missing"
    );
    let mut newer = entity(json!({"engine": "mysql", "owner": "a"}));
    newer["apiVersion"] = json!("example.com/v2");
    let fault = kinds.check(&mut newer).unwrap_err().remove(0);
    assert_eq!(fault.path, ["apiVersion"]);
    assert!(fault.message.ends_with("Template, Database"), "{}", fault.message);
}

#[test]
fn declarations_that_cannot_work_are_refused_with_their_key() {
    type Change = fn(&mut KindDeclaration);
    let table: [(Change, &str); 19] = [
        (
            |kind| kind.name = "Data base".into(),
            "[0].name: \"Data base\" is not a kind",
        ),
        (|kind| kind.name = "component".into(), "[0].name: component is built in"),
        (|kind| kind.name = "All".into(), "[0].name: All is built in"),
        (
            |kind| kind.api_versions.clear(),
            "[0].apiVersions: must name at least one",
        ),
        (
            |kind| kind.api_versions.push("a_b/v1".into()),
            "[0].apiVersions[1]: \"a_b/v1\" is not",
        ),
        (
            |kind| kind.icon = Some("rocket".into()),
            "[0].icon: there is no icon \"rocket\"; there are api, ",
        ),
        (
            |kind| kind.schema = Some(json!({"type": 1})),
            "[0].schema: is no JSON Schema",
        ),
        (
            |kind| kind.schema = Some(json!("{\"type\": \"strng\"}")),
            "[0].schema: is no JSON Schema",
        ),
        (
            |kind| kind.schema = Some(json!("{")),
            "[0].schema: is neither JSON nor YAML",
        ),
        (
            |kind| kind.schema = Some(json!({"$ref": "https://x.test/"})),
            "nothing is fetched",
        ),
        (
            |kind| kind.schema = Some(json!({"$ref": "#"})),
            "[0].schema: has a $ref that leads back to itself",
        ),
        (
            |kind| kind.relations[1].field = "a..b".into(),
            "[0].relations[1].field: \"a..b\" is not a path",
        ),
        (
            |kind| kind.relations[1].field = "spec.a".into(),
            "[0].relations[1].field: spec.a begins with spec",
        ),
        (
            |kind| kind.relations[1].inverse = String::new(),
            "[0].relations[1].inverse: \"\" is not the name",
        ),
        (
            |kind| kind.relations[1].inverse = "RunsOn".into(),
            "[0].relations[1].inverse: must differ",
        ),
        (
            |kind| kind.relations[0].inverse = "owns".into(),
            "[0].relations[0].inverse: ownedBy and ownerOf belong",
        ),
        (
            |kind| kind.columns[0].field = "engine".into(),
            "[0].columns[0].field: engine must begin with spec.",
        ),
        (
            |kind| kind.columns[1].field = "spec.Engine".into(),
            "[0].columns[1].field: another column",
        ),
        (
            |kind| kind.columns[0].title = Text::default(),
            "[0].columns[0].title: is empty",
        ),
    ];
    for (change, expected) in table {
        let mut kind = database();
        change(&mut kind);
        let error = Kinds::new(&[kind]).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let mut twice = database();
    twice.name = "DATABASE".to_owned();
    let error = Kinds::new(&[database(), twice]).unwrap_err();
    assert_eq!(error.to_string(), "[1].name: DATABASE is declared a second time");
    let many: Vec<KindDeclaration> = (0..60)
        .map(|n| KindDeclaration {
            name: format!("Kind{n}"),
            ..database()
        })
        .collect();
    assert!(Kinds::new(&many).is_err());
    assert!(
        Kinds::new(&many[..50]).is_ok(),
        "several kinds may have the same relation"
    );
}

#[test]
fn the_declarations_count_as_far_as_they_change_what_files_say() {
    let digest = |change: fn(&mut KindDeclaration)| {
        let mut kind = database();
        change(&mut kind);
        Kinds::new(&[kind]).unwrap().digest().map(str::to_owned)
    };
    let first = digest(|_| {});
    assert_eq!(Kinds::default().digest(), None);
    assert_eq!(first, digest(|kind| kind.icon = None));
    assert_ne!(first, digest(|kind| kind.schema = None));
    assert_ne!(first, digest(|kind| kind.relations[1].default_kind = None));
}

/// Every icon that can be chosen is one that pages have.
#[test]
fn every_icon_is_in_the_file() {
    let symbols = include_str!("../../../../static/icons.svg");
    for icon in ICONS {
        assert!(symbols.contains(&format!("<symbol id=\"{icon}\"")), "{icon}");
    }
}
