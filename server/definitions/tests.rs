//! Definitions through the router.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use sqlx::PgPool;
use tower::ServiceExt;

use super::*;
use crate::catalog::tests::catalog;
use crate::catalog::tests::forge::MemoryForge;
use crate::web::testing;

const PATH: &str = "/catalog/default/api/shop/definition";

struct Reader {
    router: Router,
    forge: MemoryForge,
    catalog: Catalog,
}

impl Reader {
    async fn new(db: &PgPool, kind: &str, definition: &str) -> Self {
        let forge = MemoryForge::default();
        let catalog = catalog(db, &forge);
        let entities = EntityPages::new(catalog.clone(), vec![Arc::new(DefinitionTab)]);
        let caller = testing::user("user1", &["guests"]);
        let routes = router(Definitions::new(catalog.clone()), entities);
        let reader = Self {
            router: testing::frame(Some(caller)).around(Router::new(), routes),
            forge,
            catalog,
        };
        reader.write(kind, definition);
        let url = "https://forge.test/team/shop/src/branch/main/catalog-info.yaml";
        reader.catalog.register("a", url).await.unwrap();
        reader
    }

    fn write(&self, kind: &str, definition: &str) {
        let api = serde_json::json!({
            "apiVersion": "backstage.io/v1alpha1", "kind": "API", "metadata": {"name": "shop"},
            "spec": {"type": kind, "lifecycle": "production", "owner": "guests", "definition": definition},
        });
        self.forge.write("team/shop", "catalog-info.yaml", &api.to_string());
    }

    async fn change(&self, kind: &str, definition: &str) {
        self.write(kind, definition);
        let repository = MemoryForge::repository("team/shop");
        self.catalog.refresh_repository(&repository).await.unwrap();
    }

    async fn ask(&self, path: &str) -> (u16, HeaderMap, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (
            parts.status.as_u16(),
            parts.headers,
            String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    async fn page(&self, path: &str) -> String {
        let (status, _, text) = self.ask(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }
}

fn holds(page: &str, expected: &[&str]) {
    for expected in expected {
        assert!(page.contains(expected), "{expected}: {page}");
    }
}

const OPENAPI: &str = r##"
openapi: 3.0.3
info: {title: "Shop <b>", version: 1.2, description: "Sells *things* <script>alert(1)</script>"}
servers: [{url: "https://shop.test/v1", description: live}]
tags: [{name: orders, description: All about orders}]
paths:
  /orders/{id}:
    parameters: [{$ref: "#/components/parameters/Id"}]
    get:
      operationId: getOrder
      tags: [orders]
      summary: One order
      parameters: [{name: full, in: query, schema: {type: boolean, default: false}, description: "With <i>lines</i>"}]
      responses:
        "200":
          description: It
          content: {application/json: {schema: {$ref: "#/components/schemas/Order"}, example: {id: "<x>"}}}
        default: {description: Something else}
    delete: {deprecated: true, tags: [orders], responses: {}, security: [{oauth: [write]}, {}]}
  /orders:
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"201": {description: Made}}
components:
  parameters: {Id: {name: id, in: path, required: true, schema: {type: string, format: uuid}}}
  schemas:
    Order: {type: object, required: [id], properties: {id: {type: string}, parent: {$ref: "#/components/schemas/Order"}}}
"##;

#[sqlx::test]
async fn openapi_is_laid_out(db: PgPool) {
    let reader = Reader::new(&db, "openapi", OPENAPI).await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &[
            "aria-current=\"page\">Definition</a>",
            "OpenAPI 3.0.3",
            "Shop &#60;b&#62;",
            "<em>things</em>",
            "shop.test/<wbr>v1",
            "All about orders",
            "<span class=\"tag verb get\">GET</span>",
            "id=\"d-getOrder\"",
            "One order",
            "in: query",
            "default: false",
            "With &#60;i&#62;lines&#60;/i&#62;",
            "string (uuid)",
            "in: path",
            "Response 200",
            "It · application/json · Order",
            "Response default",
            "<a href=\"#d-schema-Order\">Order</a>",
            "oauth (write), or none",
            "application/json, required",
            ">deprecated</span>",
        ],
    );
    assert!(!page.contains("<script>alert") && !page.contains("<i>lines"), "{page}");
    // What is looked for, and what nothing says.
    let found = reader.page(&format!("{PATH}?q=delete+orders")).await;
    assert!(
        found.contains("verb delete") && !found.contains("verb get\""),
        "{found}"
    );
    assert!(
        reader
            .page(&format!("{PATH}?q=%3Cb%3E"))
            .await
            .contains("Nothing in the definition says so")
    );
    let (_, headers, text) = reader.ask(&format!("{PATH}/raw")).await;
    assert_eq!(text, OPENAPI);
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(headers["content-disposition"], "attachment; filename=\"shop.yaml\"");
    // As soon as it changes.
    reader
        .change("openapi", &OPENAPI.replace("One order", "Another summary"))
        .await;
    assert!(reader.page(PATH).await.contains("Another summary"));
}

#[sqlx::test]
async fn other_languages_are_laid_out(db: PgPool) {
    let reader = Reader::new(&db, "asyncapi", ASYNCAPI_2).await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &[
            "AsyncAPI 2.6.0",
            "verb publish",
            "user/<wbr>signedup",
            "application/json",
            "mail",
            "kafka.test",
        ],
    );
    reader.change("asyncapi", ASYNCAPI_3).await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &[
            "AsyncAPI 3.0.0",
            "verb send",
            "user.signedup",
            "id=\"d-message-SignedUp\"",
            "string (email)",
        ],
    );
    reader
        .change(
            "graphql",
            "type Query { pets(first: Int = 3): [Pet!] }\ntype Pet { name: String! }",
        )
        .await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &["GraphQL", "Queries", "default: 3", "<a href=\"#d-Pet\">[Pet!]</a>"],
    );
    reader
        .change(
            "grpc",
            "syntax = \"proto3\"; package p; service S { rpc Get(stream A) returns (A); } message A { int32 x = 1; }",
        )
        .await;
    let page = reader.page(PATH).await;
    holds(&page, &["gRPC, proto3", "stream", "<a href=\"#d-A\">A</a>", "int32"]);
    let swagger = r##"{"swagger": "2.0", "info": {}, "host": "h.test", "basePath": "/a", "consumes": ["application/json"], "paths": {"/p": {"post":
        {"parameters": [{"in": "body", "name": "b", "schema": {"$ref": "#/definitions/T"}}], "responses": {"200": {"description": "d", "schema":
        {"type": "array", "items": {"$ref": "#/definitions/T"}}}}}}}, "definitions": {"T": {"properties": {"t": {"type": "string"}}}}}"##;
    reader.change("openapi", swagger).await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &["Swagger 2.0", "h.test/<wbr>a", "application/json · T", "array of T"],
    );
}

const ASYNCAPI_2: &str = r##"
asyncapi: 2.6.0
info: {title: Users, version: 1.0.0}
servers: {live: {url: kafka.test, protocol: kafka}}
channels:
  user/signedup:
    publish:
      message: {oneOf: [{$ref: "#/components/messages/SignedUp"}]}
components:
  messages: {SignedUp: {contentType: application/json, payload: {properties: {mail: {type: string}}}}}
"##;
const ASYNCAPI_3: &str = r##"
asyncapi: 3.0.0
info: {title: Users, version: 1.0.0}
channels: {signedUp: {address: user.signedup, messages: {SignedUp: {$ref: "#/components/messages/SignedUp"}}}}
operations: {sendSignedUp: {action: send, channel: {$ref: "#/channels/signedUp"}}}
components:
  messages: {SignedUp: {payload: {schemaFormat: x, schema: {properties: {mail: {type: string, format: email}}}}}}
"##;

#[sqlx::test]
async fn what_cannot_be_read_is_shown_with_the_reason(db: PgPool) {
    let reader = Reader::new(&db, "openapi", "openapi: 3.0.0\npaths: [<b>").await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &[
            "Shown as it is written",
            "The definition cannot be read: line 2",
            "&lt;b&gt;",
        ],
    );
    for (kind, definition, expected) in [
        ("openapi", "{}", "it has neither openapi, swagger nor asyncapi"),
        ("openapi", "# nothing", "it is empty"),
        ("graphql", "type A {\n  a b\n}", "line 2, column 5: expected :, found b"),
        (
            "grpc",
            "service S {\n  rpc X\n}",
            "line 3, column 1: expected (, found }",
        ),
        (
            "openapi",
            &format!("openapi: 3.0.0\na: {}{}", "[".repeat(500), "]".repeat(500)),
            "line 2, column 259: recursion limit exceeded",
        ),
        (
            "openapi",
            "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
             d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n",
            "The definition cannot be read",
        ),
    ] {
        reader.change(kind, definition).await;
        let page = reader.page(PATH).await;
        assert!(page.contains(expected), "{definition}: {page}");
    }
    // Of a type that nobody knows, text is all that there is.
    reader.change("soap", "<definitions/>").await;
    let page = reader.page(PATH).await;
    assert!(
        page.contains("&lt;definitions/&gt;") && !page.contains("Shown as it is written"),
        "{page}"
    );
    assert_eq!(reader.ask("/catalog/default/component/none/definition").await.0, 404);
    assert_eq!(reader.ask("/catalog/default/group/guests/definition/raw").await.0, 404);
}

#[sqlx::test]
async fn much_of_it_comes_in_pages(db: PgPool) {
    let paths: serde_json::Map<String, serde_json::Value> = (0..4_000)
        .map(|number| {
            let operation =
                serde_json::json!({"operationId": format!("op{number}"), "summary": "x".repeat(200), "responses": {}});
            (format!("/p/{number}"), serde_json::json!({"get": operation}))
        })
        .collect();
    let definition = serde_json::json!({"openapi": "3.1.0", "info": {}, "paths": paths}).to_string();
    let reader = Reader::new(&db, "openapi", &definition).await;
    let page = reader.page(PATH).await;
    holds(
        &page,
        &["Page 1 of 50", "id=\"d-op59\"", "some of it is only in the download"],
    );
    assert!(
        !page.contains("id=\"d-op60\"") && page.len() < 200_000,
        "{}",
        page.len()
    );
    let third = reader.page(&format!("{PATH}?page=3")).await;
    holds(&third, &["id=\"d-op120\"", "goes on", "page=2", "page=4"]);
    let of_item = reader.page(&format!("{PATH}?item=d-op999")).await;
    holds(&of_item, &["id=\"d-op999\"", "<details class=\"def\" open>"]);
    holds(&reader.page(&format!("{PATH}?page=99999999")).await, &["Page 50 of 50"]);
    // Too long even for that: its beginning, and all of it to take away.
    let long = format!("openapi: 3.0.0\nx: {}", "long\n  ".repeat(1_000_000));
    reader.change("openapi", &long).await;
    let page = reader.page(PATH).await;
    holds(&page, &["too long to be laid out", "this is its beginning"]);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert_eq!(reader.ask(&format!("{PATH}/raw")).await.2.len(), long.len());
}
