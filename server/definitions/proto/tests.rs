//! What is read of a file, and what is said of one that is none.

use super::*;

const FILE: &str = r#"// Licence of all.

syntax = "proto3";
package shop.v1;
import "google/protobuf/empty.proto";
option go_package = "x";

/* Takes
 * orders. */
service Orders {
  option (x) = {a: 1};
  // Asks for one.
  rpc Get(GetRequest) returns (.shop.v1.Order);
  rpc Watch(stream GetRequest) returns (stream Order) {
option deprecated = true;
option (google.api.http) = { get: "/v1/{name}" additional_bindings { get: "/x" } };
  }
}
message GetRequest { string name = 1; } // Behind.
message Order {
  reserved 2, 15 to 20;
  // Whose.
  string owner = 1 [deprecated = true];
  repeated Line lines = 3;
  map<string, Line.Kind> kinds = 4;
  optional int32 message = 5;
  oneof paid { bool cash = 6; google.protobuf.Empty card = 7; }
  message Line { enum Kind { UNKNOWN = 0; OLD = -1 [deprecated = true]; } Kind kind = 1; }
}
"#;

fn told(item: &Item) -> Vec<String> {
    let fields = item.parts.iter().filter_map(|part| match part {
        Part::Fields { fields, .. } => Some(fields),
        _ => None,
    });
    fields
        .flatten()
        .map(|field| {
            format!(
                "{}: {} {} → {}",
                field.name,
                field.kind,
                field.facts.join(" "),
                field.target.as_deref().unwrap_or("-")
            )
        })
        .collect()
}

#[test]
fn files_are_read() {
    let outline = read(FILE).unwrap().finished();
    assert_eq!(
        (outline.title.as_str(), outline.language.as_str()),
        ("shop.v1", "gRPC, proto3")
    );
    let names: Vec<(String, Vec<&str>)> = outline
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
        names,
        [
            ("Orders".to_owned(), vec!["Get", "Watch"]),
            ("Messages".to_owned(), vec!["GetRequest", "Order", "Order.Line"]),
            ("Enums".to_owned(), vec!["Order.Line.Kind"]),
        ]
    );
    let orders = &outline.sections[0];
    assert_eq!(orders.description, "Takes\norders.");
    assert_eq!(orders.items[0].parts[0], Part::Text("Asks for one.".to_owned()));
    assert_eq!(
        told(&orders.items[1]),
        [
            "takes: GetRequest stream → d-GetRequest",
            "gives: Order stream → d-Order"
        ]
    );
    assert_eq!(told(&orders.items[0])[1], "gives: .shop.v1.Order  → d-Order");
    assert!(orders.items[1].deprecated && !orders.items[0].deprecated);
    let messages = &outline.sections[1];
    assert_eq!(
        told(&messages.items[1]),
        [
            "owner: string = 1 → -",
            "lines: repeated Line = 3 → d-Order.Line",
            "kinds: map<string, Line.Kind> = 4 → d-Order.Line.Kind",
            "message: int32 optional = 5 → -",
            "cash: bool = 6 oneof paid → -",
            "card: google.protobuf.Empty = 7 oneof paid → -",
        ]
    );
    assert_eq!(told(&outline.sections[2].items[0]), ["UNKNOWN: 0  → -", "OLD: -1  → -"]);
    // The licence is about nothing.
    assert!(!format!("{outline:?}").contains("Licence") && !format!("{outline:?}").contains("Behind"));
}

#[test]
fn what_is_none_says_where() {
    for (text, expected) in [
        ("message A {\n  string b;\n}", "line 2, column 11: expected =, found ;"),
        ("message A { string b = 1;", "expected }, but the file ends here"),
        (
            "hello",
            "line 1, column 1: expected a message, an enum or a service, found hello",
        ),
        ("/* never", "line 1, column 1: the comment does not end"),
        (
            &format!("{}{}", "message A {".repeat(100), "}".repeat(100)),
            "the message is too deep",
        ),
        (
            &format!("message A {{ {} {}", "oneof a {".repeat(100), "}".repeat(101)),
            "the message is too deep",
        ),
    ] {
        let fault = read(text).unwrap_err().to_string();
        assert!(fault.contains(expected), "{text}: {fault}");
    }
    for part in ["{", "message A{", "oneof a{", "(", "é", "//\n", "option a="] {
        let _ = read(&part.repeat(100_000));
    }
}
