//! What is read of a file, and what is said of one that is none.

use super::*;

const SCHEMA: &str = r#"
# A comment
schema @link(url: "https://x") { query: Root }
"""
  What can be asked.
More.
"""
type Root implements Node & Other @key(fields: "id") {
  "One pet"
  pet(id: ID!, "How many" first: Int = 10, where: Where = {name: "a", tags: [1, -2]}): [Pet!]!
  old: String @deprecated(reason: "Use \"new\"")
}
extend type Root { more: Missing }
union Any = | Pet | Root
enum Kind { CAT @deprecated DOG }
input Where { name: String = "x" }
interface Node { id: ID! }
scalar Date @specifiedBy(url: "https://y")
directive @auth(role: String!) repeatable on FIELD_DEFINITION | OBJECT
type Pet { kind: Kind!, born: Date }
"#;

#[test]
fn schemas_are_read() {
    let outline = read(SCHEMA).unwrap().finished();
    let titles: Vec<(String, Vec<&str>)> = outline
        .sections
        .iter()
        .map(|section| {
            (
                section.title.to_string(),
                section.items.iter().map(|item| item.name.as_str()).collect(),
            )
        })
        .collect();
    assert_eq!(
        titles,
        [
            ("Queries".to_owned(), vec!["pet", "old", "more"]),
            ("Types".to_owned(), vec!["Pet"]),
            ("Interfaces".to_owned(), vec!["Node"]),
            ("Unions".to_owned(), vec!["Any"]),
            ("Inputs".to_owned(), vec!["Where"]),
            ("Enums".to_owned(), vec!["Kind"]),
            ("Scalars".to_owned(), vec!["Date"]),
            ("Directives".to_owned(), vec!["@auth"]),
        ]
    );
    let pet = &outline.sections[0].items[0];
    assert_eq!(pet.parts[0], Part::Text("One pet".to_owned()));
    let Part::Fields { fields, .. } = &pet.parts[1] else {
        panic!("{pet:?}")
    };
    let told: Vec<String> = fields
        .iter()
        .map(|field| format!("{}: {} {:?}", field.name, field.kind, field.facts))
        .collect();
    assert_eq!(
        told,
        [
            "id: ID! []",
            "first: Int [\"default: 10\"]",
            "where: Where [\"default: {name: \\\"a\\\" tags: [1 -2]}\"]",
            "→: [Pet!]! []",
        ]
    );
    assert_eq!(fields[3].target.as_deref(), Some("d-Pet"));
    assert_eq!(fields[0].target, None);
    assert!(outline.sections[0].items[1].deprecated);
}

#[test]
fn what_is_none_says_where() {
    for (text, expected) in [
        ("type A {\n  b String\n}", "line 2, column 5: expected :, found String"),
        (
            "type A { b: ",
            "line 1, column 11: expected a name, but the file ends here",
        ),
        (
            "type A { \"open\n }",
            "line 1, column 10: the text does not end on its line",
        ),
        ("\"\"\"never", "line 1, column 1: the description does not end"),
        ("query { a }", "line 1, column 7: query is no definition of a schema"),
        (&format!("type A {{ b: {} }}", "[".repeat(50)), "the type is too deep"),
    ] {
        let fault = read(text).unwrap_err().to_string();
        assert!(fault.contains(expected), "{text}: {fault}");
    }
    // Nothing of this is slow or fatal.
    for part in ["\"\"\"", "{", "type A{a:", "@a(", "[", "é", "\\", "extend "] {
        let _ = read(&part.repeat(100_000));
    }
}
