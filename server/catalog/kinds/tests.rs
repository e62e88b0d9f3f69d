use super::*;
use serde_json::json;

fn entity(kind: &str, spec: Value) -> Value {
    let version = match kind {
        "Template" => "scaffolder.backstage.io/v1beta3",
        _ => "backstage.io/v1alpha1",
    };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": "Demo", "namespace": "default"}, "spec": spec})
}

fn relations(kind: &str, spec: Value) -> Vec<String> {
    let relations = Kinds::default()
        .check(&mut entity(kind, spec))
        .unwrap_or_else(|faults| panic!("{kind}: {faults:?}"));
    relations
        .into_iter()
        .map(|relation| format!("{} {} {}", relation.source, relation.kind, relation.target))
        .collect()
}

fn both(expected: &[(&str, &str, &str)]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (forward, inverse, target) in expected {
        all.push(format!("OWN {forward} {target}"));
        all.push(format!("{target} {inverse} OWN"));
    }
    all
}

#[test]
fn each_kind_makes_its_relations_in_both_directions() {
    type Case = (&'static str, Value, Vec<(&'static str, &'static str, &'static str)>);
    let table: Vec<Case> = vec![
        (
            "Component",
            json!({"type": "service", "lifecycle": "x", "owner": "Guests", "system": "s", "subcomponentOf": "c",
                "providesApis": ["a"], "consumesApis": ["ns/b"], "dependsOn": ["resource:r"], "dependencyOf": ["component:d"]}),
            vec![
                ("ownedBy", "ownerOf", "group:default/guests"),
                ("partOf", "hasPart", "system:default/s"),
                ("partOf", "hasPart", "component:default/c"),
                ("providesApi", "apiProvidedBy", "api:default/a"),
                ("consumesApi", "apiConsumedBy", "api:ns/b"),
                ("dependsOn", "dependencyOf", "resource:default/r"),
                ("dependencyOf", "dependsOn", "component:default/d"),
            ],
        ),
        (
            "API",
            json!({"type": "openapi", "lifecycle": "x", "owner": "user:jo", "definition": "d", "system": "s"}),
            vec![
                ("ownedBy", "ownerOf", "user:default/jo"),
                ("partOf", "hasPart", "system:default/s"),
            ],
        ),
        (
            "Resource",
            json!({"type": "db", "owner": "g", "dependsOn": ["component:x"]}),
            vec![
                ("ownedBy", "ownerOf", "group:default/g"),
                ("dependsOn", "dependencyOf", "component:default/x"),
            ],
        ),
        (
            "System",
            json!({"owner": "g", "domain": "d"}),
            vec![
                ("ownedBy", "ownerOf", "group:default/g"),
                ("partOf", "hasPart", "domain:default/d"),
            ],
        ),
        (
            "Domain",
            json!({"owner": "g", "subdomainOf": "d"}),
            vec![
                ("ownedBy", "ownerOf", "group:default/g"),
                ("partOf", "hasPart", "domain:default/d"),
            ],
        ),
        (
            "Group",
            json!({"type": "team", "children": ["c"], "parent": "p", "members": ["u"]}),
            vec![
                ("childOf", "parentOf", "group:default/p"),
                ("parentOf", "childOf", "group:default/c"),
                ("hasMember", "memberOf", "user:default/u"),
            ],
        ),
        (
            "User",
            json!({"memberOf": ["g"]}),
            vec![("memberOf", "hasMember", "group:default/g")],
        ),
        ("Location", json!({"targets": ["./b", "./a"]}), vec![]),
        (
            "Template",
            json!({"type": "service", "steps": [], "owner": "g"}),
            vec![("ownedBy", "ownerOf", "group:default/g")],
        ),
    ];
    for (kind, spec, expected) in table {
        let own = EntityRef::new(kind, "default", "demo").to_string();
        let mut expected: Vec<String> = both(&expected)
            .into_iter()
            .map(|line| line.replace("OWN", &own))
            .collect();
        let mut got = relations(kind, spec);
        expected.sort();
        got.sort();
        assert_eq!(got, expected, "{kind}");
    }
}

#[test]
fn wrong_specs_name_the_field() {
    let component = |change: Value| {
        let mut spec = json!({"type": "service", "lifecycle": "x", "owner": "g"});
        for (key, value) in change.as_object().unwrap() {
            match value {
                Value::String(text) if text == "GONE" => drop(spec.as_object_mut().unwrap().remove(key)),
                value => spec[key] = value.clone(),
            }
        }
        entity("Component", spec)
    };
    let table = [
        (component(json!({"owner": "GONE"})), "spec.owner"),
        (component(json!({"owner": null})), "spec.owner"),
        (component(json!({"type": ""})), "spec.type"),
        (component(json!({"system": null})), "spec.system"),
        (component(json!({"dependsOn": ["kindless"]})), "spec.dependsOn"),
        (component(json!({"dependsOn": "resource:r"})), "spec.dependsOn"),
        (component(json!({"dependencyOf": ["kindless"]})), "spec.dependencyOf"),
        (entity("User", json!({})), "spec.memberOf"),
        (entity("Group", json!({"type": "team"})), "spec.children"),
        (
            entity(
                "Group",
                json!({"type": "team", "children": [], "profile": {"email": ""}}),
            ),
            "spec.profile.email",
        ),
        (
            entity(
                "API",
                json!({"type": "mcp-server", "lifecycle": "x", "owner": "g", "remotes": []}),
            ),
            "spec.definition",
        ),
        (entity("Location", json!({"presence": "maybe"})), "spec.presence"),
        (entity("component", json!({})), "kind"),
        (entity("AiResource", json!({})), "kind"),
        (
            json!({"apiVersion": "v9", "kind": "User", "metadata": {"name": "a"}, "spec": {}}),
            "apiVersion",
        ),
    ];
    for (mut entity, field) in table {
        let shown = entity.to_string();
        let faults = Kinds::default().check(&mut entity).expect_err(&shown);
        assert_eq!(faults[0].path.join("."), field, "{shown}: {faults:?}");
    }
    assert!(
        Kinds::default()
            .check(&mut component(
                json!({"dependencyOf": null, "unknown": {"kept": 1}, "lifecycle": " "})
            ))
            .is_ok()
    );
}

#[test]
fn lists_of_refs_are_sorted_and_targets_are_not() {
    let mut user = entity("User", json!({"memberOf": ["b", "a"]}));
    Kinds::default().check(&mut user).unwrap();
    assert_eq!(user["spec"]["memberOf"], json!(["a", "b"]));
    let mut location = entity("Location", json!({"targets": ["b", "a"]}));
    Kinds::default().check(&mut location).unwrap();
    assert_eq!(location["spec"]["targets"], json!(["b", "a"]));
}
