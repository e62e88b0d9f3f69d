//! Pages and API through the router.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::auth::Caller;
use crate::language::{Locale, Text};
use crate::web::testing;

pub struct Client {
    pub catalog: Catalog,
    pub caller: Option<Caller>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    fn names(&self) -> Vec<String> {
        let body = self.json();
        let items = body.as_array().or_else(|| body["items"].as_array()).unwrap();
        items
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap_or("null").to_owned())
            .collect()
    }
}

impl Client {
    pub async fn send(&self, method: &str, path: &str, kind: &str, body: String) -> Answer {
        let entities = EntityPages::new(self.catalog.clone(), vec![Arc::new(Tab)]);
        let additions = Additions {
            cards: vec![Arc::new(Card)],
            columns: vec![Arc::new(NameLength)],
            sections: vec![Arc::new(Notes)],
        };
        let router = router(entities, additions);
        let router = testing::frame(self.caller.clone()).around(axum::Router::new(), router);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", String::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string()).await
    }

    pub(super) async fn form(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, "application/x-www-form-urlencoded", body.to_owned())
            .await
    }
}

struct Card;

#[async_trait::async_trait]
impl EntityCard for Card {
    async fn render(&self, shown: Shown<'_>) -> Option<String> {
        let owner = shown.owner.map_or("nobody", |owner| &owner.label);
        (shown.entity.name() == "alpha").then(|| format!("<section>A card of {owner}</section>"))
    }
}

struct Tab;

#[async_trait::async_trait]
impl EntityTab for Tab {
    fn id(&self) -> &'static str {
        "length"
    }

    fn label(&self) -> Text {
        "A & B".into()
    }

    fn href(&self, entity_ref: &EntityRef) -> String {
        format!("{}/length", entity_ref.path())
    }

    async fn applies(&self, entity: &Entity) -> bool {
        entity.name() == "alpha"
    }
}

struct NameLength;

impl ListColumn for NameLength {
    fn title(&self) -> Text {
        "Length".into()
    }

    fn cell(&self, entity: &Entity, _: Locale) -> Option<String> {
        Some(format!("<b>{}</b>", entity.name().len()))
    }

    fn word(&self, entity: &Entity) -> Option<String> {
        Some(entity.name().len().to_string())
    }

    fn in_graph(&self) -> bool {
        true
    }

    fn live_url(&self) -> Option<&'static str> {
        None
    }
}

/// Finds two notes of whoever asks for one.
struct Notes;

#[async_trait::async_trait]
impl SearchSection for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn title(&self) -> Text {
        "Notes".into()
    }

    fn icon(&self) -> &'static str {
        "info"
    }

    async fn find(&self, caller: &Caller, text: &str, limit: usize) -> SearchFound {
        if !text.contains("note") {
            return SearchFound::default();
        }
        let hit = |number: usize| SearchHit {
            title: format!("Note <{number}> of {}", caller.actor()),
            path: format!("/notes/{number}"),
            note: "Said & done".into(),
        };
        SearchFound {
            hits: (1..=2).map(hit).take(limit).collect(),
            total: 7,
            more: Some("/notes".to_owned()),
        }
    }
}

const FILE: &str = r#"apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: alpha
  title: Zulu
  description: <script>alert(1)</script>
  tags: [java, rust]
  annotations: {example.com/a.b: Value}
  links:
    - {url: "javascript:alert(1)", title: bad}
    - {url: "https://docs.test/", title: Handbook}
spec: {type: service, lifecycle: production, owner: guests, system: shop, dependsOn: ["resource:db"]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: Beta}
spec: {type: website, lifecycle: experimental, owner: user:guest}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: gamma}
spec: {type: service, lifecycle: experimental, owner: guests}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: guests}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: db, namespace: data}
spec: {type: database, owner: guests}
"#;

pub(super) async fn filled(db: &PgPool) -> (Client, MemoryForge) {
    let forge = MemoryForge::default();
    forge.write(
        "team/all",
        "catalog-info.yaml",
        &location("all", &["./entities.yaml", "./gone.yaml"]),
    );
    forge.write("team/all", "entities.yaml", FILE);
    let catalog = catalog(db, &forge);
    catalog
        .register("user:default/user1", &url("team/all", "catalog-info.yaml"))
        .await
        .unwrap();
    let caller = Some(testing::user("user1", &["guests"]));
    (Client { catalog, caller }, forge)
}

#[sqlx::test]
async fn entities_are_filtered_sorted_and_cut(db: PgPool) {
    let (client, _) = filled(&db).await;
    let table: Vec<(&str, &[&str])> = vec![
        ("filter=kind%3DComponent", &["Beta", "alpha", "gamma"]),
        ("filter=kind=component,spec.type=service", &["alpha", "gamma"]),
        (
            "filter=kind=component,kind=group",
            &["Beta", "alpha", "gamma", "guests"],
        ),
        (
            "filter=metadata.name=ALPHA&filter=metadata.name=beta",
            &["Beta", "alpha"],
        ),
        ("filter=metadata.tags=rust", &["alpha"]),
        ("filter=metadata.tags.java=true", &["alpha"]),
        ("filter=metadata.annotations.example.com/a.b=value", &["alpha"]),
        ("filter=spec.system", &["alpha"]),
        (
            "filter=relations.ownedBy=group:default/guests,kind=component",
            &["alpha", "gamma"],
        ),
        ("filter=relations.ownerOf", &["guests"]),
        (
            "filter=kind=component&order=desc:metadata.name",
            &["gamma", "Beta", "alpha"],
        ),
        ("filter=kind=component&order=asc:metadata.title", &["alpha"]),
        (
            "filter=kind=component&order=asc:metadata.title&limit=10",
            &["alpha", "Beta", "gamma"],
        ),
        (
            "filter=kind=component&order=desc:metadata.title&limit=10",
            &["alpha", "Beta", "gamma"],
        ),
        (
            "filter=kind=component&order=asc:metadata.name&limit=1&offset=1",
            &["Beta"],
        ),
        ("filter=kind=nothing", &[]),
    ];
    for (query, expected) in table {
        let answer = client.get(&format!("/api/catalog/entities?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let mut names = answer.names();
        let mut expected = expected.to_vec();
        if !query.contains("order=") {
            names.sort();
            expected.sort();
        }
        assert_eq!(names, expected, "{query}");
    }
    let fields = client
        .get("/api/catalog/entities?filter=metadata.name=alpha&fields=kind,metadata.annotations.example.com/a.b")
        .await;
    assert_eq!(
        fields.json(),
        json!([{"kind": "Component", "metadata": {"annotations": {"example.com/a.b": "Value"}}}])
    );

    let mut seen = Vec::new();
    let mut path = "/entities?filter=kind%3Dcomponent&order=asc%3Ametadata.name&limit=2".to_owned();
    loop {
        let answer = client.get(&format!("/api/catalog{path}")).await;
        seen.extend(answer.names());
        let Some(link) = answer.headers.get("link") else { break };
        path = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    }
    assert_eq!(seen, ["alpha", "Beta", "gamma"]);

    for bad in [
        "filter=",
        "limit=-1",
        "limit=x",
        "offset=1.5",
        "after=x",
        "order=up:kind",
        "fields=a[0]",
        "filter=%3Da",
    ] {
        let answer = client.get(&format!("/api/catalog/entities?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
        assert_eq!(answer.json()["error"]["name"], "InputError", "{bad}");
    }
}

#[sqlx::test]
async fn queries_go_forth_and_back(db: PgPool) {
    let (client, _) = filled(&db).await;
    let first = client
        .get("/api/catalog/entities/by-query?filter=kind=component&orderField=metadata.name,desc&limit=1")
        .await;
    assert_eq!(first.names(), ["gamma"]);
    assert_eq!(first.json()["totalItems"], 3);
    assert!(first.json()["pageInfo"]["prevCursor"].is_null());
    let follow = async |answer: &Answer, key: &str| {
        let cursor = answer.json()["pageInfo"][key]
            .as_str()
            .expect("a cursor")
            .replace('+', "%2B")
            .replace('=', "%3D");
        client
            .get(&format!("/api/catalog/entities/by-query?limit=1&cursor={cursor}"))
            .await
    };
    let second = follow(&first, "nextCursor").await;
    assert_eq!(
        (second.names(), &second.json()["totalItems"]),
        (vec!["Beta".to_owned()], &json!(3))
    );
    let third = follow(&second, "nextCursor").await;
    assert_eq!(third.names(), ["alpha"]);
    assert!(third.json()["pageInfo"]["nextCursor"].is_null());
    let back = follow(&third, "prevCursor").await;
    assert_eq!(back.names(), ["Beta"]);
    let start = follow(&back, "prevCursor").await;
    assert_eq!(start.names(), ["gamma"]);
    assert!(start.json()["pageInfo"]["prevCursor"].is_null());

    // Entities that lack the sort field are left out, of the count too.
    let titled = client
        .get("/api/catalog/entities/by-query?orderField=metadata.title,asc")
        .await;
    assert_eq!(
        (titled.names(), &titled.json()["totalItems"]),
        (vec!["alpha".to_owned()], &json!(1))
    );

    let table = [
        ("fullTextFilterTerm=et&fullTextFilterFields=metadata.name", vec!["Beta"]),
        (
            "fullTextFilterTerm=%20b_t%20&fullTextFilterFields=metadata.name,metadata.title",
            vec!["Beta"],
        ),
        (
            "fullTextFilterTerm=zul&fullTextFilterFields=metadata.name,metadata.title",
            vec!["alpha"],
        ),
        ("orderField=metadata.name&fullTextFilterTerm=gam", vec!["gamma"]),
        ("filter=kind=group&totalItems=exclude", vec!["guests"]),
    ];
    for (query, expected) in table {
        let answer = client.get(&format!("/api/catalog/entities/by-query?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        assert_eq!(answer.names(), expected, "{query}");
    }
    let body = json!({"query": {"$all": [{"kind": "component"}, {"$not": {"metadata.name": {"$hasPrefix": "a"}}}]},
        "orderBy": [{"field": "metadata.name", "order": "desc"}], "limit": 1});
    let answer = client.post("/api/catalog/entities/by-query", body).await;
    assert_eq!(
        (answer.names(), &answer.json()["totalItems"]),
        (vec!["gamma".to_owned()], &json!(2))
    );
    let cursor = answer.json()["pageInfo"]["nextCursor"].clone();
    let answer = client
        .post("/api/catalog/entities/by-query", json!({"cursor": cursor, "limit": 5}))
        .await;
    assert_eq!(answer.names(), ["Beta"]);

    // What an attacker makes up is refused, whatever it holds.
    use base64::Engine;
    let forged = |value: &Value| {
        base64::engine::general_purpose::URL_SAFE
            .encode(value.to_string())
            .replace('=', "%3D")
    };
    let own: Value = serde_json::from_slice(
        &base64::engine::general_purpose::STANDARD
            .decode(first.json()["pageInfo"]["nextCursor"].as_str().unwrap())
            .unwrap(),
    )
    .unwrap();
    let with = |key: &str, value: Value| {
        let mut cursor = own.clone();
        cursor[key] = value;
        forged(&cursor)
    };
    let deep = (0..100).fold(json!({"kind": "a"}), |inner, _| json!({ "$not": inner }));
    for cursor in [
        with("query", deep),
        with("query", json!({"$nope": 1})),
        with("orderField", json!("'; drop table catalog_entity; --")),
        with("from", json!(["x"])),
        with("totalItems", json!("many")),
        forged(&json!([])),
        "AAAA".to_owned(),
    ] {
        let answer = client
            .get(&format!("/api/catalog/entities/by-query?cursor={cursor}"))
            .await;
        assert_eq!(answer.status, 400, "{cursor}: {}", answer.text);
    }
    for harmless in [
        format!(
            "cursor={}",
            with("orderField", json!(["'; drop table catalog_entity; --", false]))
        ),
        "filter=kind=%00".to_owned(),
        "filter=%27%3B--=a".to_owned(),
        "orderField=%27)--".to_owned(),
        "fullTextFilterTerm=%5C%27&fullTextFilterFields=%27)--".to_owned(),
    ] {
        let answer = client.get(&format!("/api/catalog/entities/by-query?{harmless}")).await;
        assert_eq!(answer.status, 200, "{harmless}: {}", answer.text);
        assert!(answer.names().is_empty(), "{harmless}");
    }
    for bad in [
        "unknown=1",
        "limit=-1",
        "limit=",
        "cursor=x",
        "orderField=a,up",
        "totalItems=some",
    ] {
        let answer = client.get(&format!("/api/catalog/entities/by-query?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
}

#[sqlx::test]
async fn single_entities_refs_and_facets(db: PgPool) {
    let (client, _) = filled(&db).await;
    let entity = client
        .get("/api/catalog/entities/by-name/Component/default/ALPHA")
        .await
        .json();
    let relations = json!([
        {"type": "dependsOn", "targetRef": "resource:default/db"},
        {"type": "ownedBy", "targetRef": "group:default/guests"},
        {"type": "partOf", "targetRef": "system:default/shop"},
    ]);
    assert_eq!(entity["relations"], relations);
    let uid = entity["metadata"]["uid"].as_str().unwrap();
    assert_eq!(
        client.get(&format!("/api/catalog/entities/by-uid/{uid}")).await.json(),
        entity
    );
    assert_eq!(client.get("/api/catalog/entities/by-uid/nope").await.status, 404);
    let missing = client.get("/api/catalog/entities/by-name/component/default/nope").await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["error"]["name"]),
        (404, &json!("NotFoundError"))
    );

    let refs = json!({"entityRefs": ["component:default/gamma", "Component:default/alpha", "x:y/z", "component:default/alpha",
        "component:default/alpha"], "fields": ["kind", "metadata.name"]});
    assert_eq!(
        client.post("/api/catalog/entities/by-refs", refs.clone()).await.json(),
        json!({"items": [{"kind": "Component", "metadata": {"name": "gamma"}}, null, null,
            {"kind": "Component", "metadata": {"name": "alpha"}}, {"kind": "Component", "metadata": {"name": "alpha"}}]})
    );
    let filtered = client
        .post("/api/catalog/entities/by-refs?filter=metadata.name=gamma", refs)
        .await;
    assert_eq!(filtered.names(), ["gamma", "null", "null", "null", "null"]);

    let facets = client
        .get("/api/catalog/entity-facets?facet=kind&facet=spec.type&facet=metadata.tags&filter=kind=component")
        .await;
    assert_eq!(
        facets.json(),
        json!({"facets": {
            "kind": [{"value": "Component", "count": 3}],
            "spec.type": [{"value": "service", "count": 2}, {"value": "website", "count": 1}],
            "metadata.tags": [{"value": "java", "count": 1}, {"value": "rust", "count": 1}],
        }})
    );
    assert_eq!(client.get("/api/catalog/entity-facets").await.status, 400);
    assert_eq!(client.get("/api/catalog/entity-facets?facet=").await.status, 400);

    let ancestry = client
        .get("/api/catalog/entities/by-name/component/default/alpha/ancestry")
        .await
        .json();
    assert_eq!(ancestry["rootEntityRef"], "component:default/alpha");
    let kinds: Vec<&Value> = ancestry["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["entity"]["kind"])
        .collect();
    assert_eq!(kinds, ["Component", "Location", "Location"]);
    assert_eq!(
        ancestry["items"][0]["parentEntityRefs"],
        json!(["location:default/all"])
    );
    assert_eq!(ancestry["items"][2]["parentEntityRefs"], json!([]));
}

#[sqlx::test]
async fn locations_by_the_api(db: PgPool) {
    let (client, forge) = filled(&db).await;
    forge.write("team/new", "c.yaml", &component("new", ""));
    let body = json!({"type": "url", "target": url("team/new", "c.yaml")});
    let dry = client.post("/api/catalog/locations?dryRun=true", body.clone()).await;
    assert_eq!((dry.status.as_u16(), &dry.json()["exists"]), (201, &json!(false)));
    assert_eq!(dry.json()["entities"].as_array().unwrap().len(), 2);
    assert_eq!(
        client
            .get("/api/catalog/entities/by-name/component/default/new")
            .await
            .status,
        404
    );

    let made = client.post("/api/catalog/locations", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let location = made.json()["location"].clone();
    assert!(
        location["entityRef"]
            .as_str()
            .unwrap()
            .starts_with("location:default/generated-")
    );
    assert_eq!(
        client
            .get("/api/catalog/entities/by-name/component/default/new")
            .await
            .status,
        200
    );
    let again = client.post("/api/catalog/locations", body.clone()).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["error"]["name"]),
        (409, &json!("ConflictError"))
    );
    assert_eq!(
        client
            .post("/api/catalog/locations?onConflict=refresh", body)
            .await
            .status,
        201
    );
    let listed = client.get("/api/catalog/locations").await.json();
    assert!(listed.as_array().unwrap().contains(&json!({ "data": location })));
    let path = format!("/api/catalog/locations/{}", location["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.json(), location);
    assert_eq!(
        client
            .get("/api/catalog/locations/by-entity/component/default/new")
            .await
            .json(),
        location
    );
    let queried = client
        .post(
            "/api/catalog/locations/by-query",
            json!({"limit": 1, "query": {"type": "url"}}),
        )
        .await
        .json();
    assert_eq!(
        (&queried["totalItems"], queried["items"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    let next = json!({"cursor": queried["pageInfo"]["nextCursor"]});
    assert_eq!(
        client.post("/api/catalog/locations/by-query", next).await.json()["items"],
        json!([location])
    );

    let refreshed = client
        .post("/api/catalog/refresh", json!({"entityRef": "component:default/new"}))
        .await;
    assert_eq!((refreshed.status.as_u16(), refreshed.text.as_str()), (200, ""));
    forge.write("team/new", "d.yaml", &component("moved", ""));
    let moved = json!({"type": "url", "target": url("team/new", "d.yaml")});
    let put = client.send("PUT", &path, "application/json", moved.to_string()).await;
    assert_eq!(put.json()["target"], url("team/new", "d.yaml"), "{}", put.text);
    assert_eq!(
        client
            .get("/api/catalog/entities/by-name/component/default/new")
            .await
            .status,
        404
    );
    assert_eq!(
        client
            .get("/api/catalog/entities/by-name/component/default/moved")
            .await
            .status,
        200
    );

    let stranger = Client {
        catalog: client.catalog.clone(),
        caller: Some(testing::user("user2", &[])),
    };
    assert_eq!(
        stranger
            .send("DELETE", &path, "application/json", String::new())
            .await
            .status,
        403
    );
    assert_eq!(
        client
            .send("DELETE", &path, "application/json", String::new())
            .await
            .status,
        204
    );
    assert_eq!(client.get(&path).await.status, 404);
    assert_eq!(
        client
            .get("/api/catalog/entities/by-name/component/default/moved")
            .await
            .status,
        404
    );

    for (body, status) in [
        (json!({"type": "file", "target": "/etc/passwd"}), 400),
        (json!({"type": "url", "target": "javascript:alert(1)"}), 400),
        (json!({"type": "url", "target": url("team/none", "c.yaml")}), 400),
        (json!({"type": "url"}), 400),
    ] {
        let answer = client.post("/api/catalog/locations", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    let analyzed = |name: &str| {
        let location =
            json!({"type": "url", "target": "https://forge.test/team/all/src/branch/main/catalog-info.yaml"});
        json!({"location": location, "catalogFilename": name})
    };
    let found = client
        .post("/api/catalog/analyze-location", analyzed("entities.yaml"))
        .await
        .json();
    assert_eq!(found["existingEntityFiles"].as_array().unwrap().len(), 5, "{found}");
    assert_eq!(found["existingEntityFiles"][0]["isRegistered"], false);
    assert_eq!(found["generateEntities"], json!([]));
    let none = client
        .post("/api/catalog/analyze-location", analyzed("none.yaml"))
        .await
        .json();
    assert_eq!(
        none["generateEntities"][0]["entity"]["metadata"]["name"], "all",
        "{none}"
    );

    let valid = json!({"entity": {"apiVersion": "backstage.io/v1alpha1", "kind": "User", "metadata": {"name": "a"},
        "spec": {"memberOf": []}}, "location": "url:https://forge.test/x"});
    let answer = client.post("/api/catalog/validate-entity", valid.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    let mut invalid = valid;
    invalid["metadata"] = json!({});
    invalid["entity"]["spec"] = json!({});
    let answer = client.post("/api/catalog/validate-entity", invalid).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.json()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("memberOf"),
        "{}",
        answer.text
    );
}

#[sqlx::test]
async fn the_list_shows_filters_and_sorts(db: PgPool) {
    let (client, _) = filled(&db).await;
    let page = client.get("/catalog").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in [
        "3 components",
        ">Zulu</a>",
        ">Beta</a>",
        ">gamma</a>",
        "data-l=\"Length\"><b>5</b>",
        "&#60;script&#62;",
    ] {
        assert!(page.text.contains(expected), "{expected}: {}", page.text);
    }
    assert!(!page.text.contains("<script>alert"));
    let table: Vec<(&str, &[&str], &[&str])> = vec![
        ("type=website", &["Beta"], &["Zulu", "gamma"]),
        ("lifecycle=experimental", &["Beta", "gamma"], &["Zulu"]),
        ("owner=me", &["Zulu", "gamma"], &["Beta"]),
        ("owner=user:default/guest", &["Beta"], &["Zulu"]),
        ("tag=java", &["Zulu"], &["Beta"]),
        ("text=ZULU+alp", &["Zulu"], &["Beta"]),
        ("text=%25", &["Nothing matches"], &["Beta"]),
        ("kind=Resource", &[">db</a>"], &["Beta"]),
        ("filters[kind]=group", &[">guests</a>"], &["Beta"]),
        ("kind=all", &[">db</a>", "Beta"], &[]),
        ("page=9", &[], &[">Beta</a>"]),
    ];
    for (query, there, absent) in table {
        let page = client.get(&format!("/catalog?{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        let main = page.text.split("id=\"list\"").nth(1).unwrap();
        for text in there {
            assert!(main.contains(text), "{query} lacks {text}: {main}");
        }
        for text in absent {
            assert!(!main.contains(text), "{query} has {text}");
        }
    }
    let sorted = client.get("/catalog?sort=-name").await.text;
    let place = |text: &str| sorted.find(text).unwrap();
    assert!(place(">Zulu</a>") < place(">gamma</a>") && place(">gamma</a>") < place(">Beta</a>"));
}

#[sqlx::test]
async fn the_entity_page_tells_all_and_runs_nothing(db: PgPool) {
    let (client, forge) = filled(&db).await;
    let page = client.get("/catalog/default/Component/Alpha").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in [
        "<h1>Zulu</h1>",
        "<section>A card of guests</section>",
        "href=\"https://forge.test/team/all/src/branch/main/entities.yaml\"",
        "/_edit/main/entities.yaml",
        "Handbook",
        "tag=java",
        "href=\"/catalog/default/group/guests\"",
        "not in the catalog",
        "&#60;script&#62;",
    ] {
        assert!(page.text.contains(expected), "{expected}: {}", page.text);
    }
    assert!(!page.text.contains("javascript:") && !page.text.contains("<script>alert"));
    let about = client.get("/catalog/default/component/alpha/about").await;
    assert!(about.text.contains("hx-swap-oob=\"true\"") && !about.text.contains("<html"));
    let missing = client.get("/catalog/default/component/none").await;
    assert_eq!(missing.status, 404);

    forge.write(
        "team/all",
        "entities.yaml",
        &FILE.replace("lifecycle: production, ", ""),
    );
    client
        .catalog
        .refresh_repository(&MemoryForge::repository("team/all"))
        .await
        .unwrap();
    let page = client.get("/catalog/default/component/alpha").await.text;
    assert!(
        page.contains("shown is the last good version") && page.contains("spec.lifecycle is missing"),
        "{page}"
    );
    let nobody = Client {
        catalog: client.catalog.clone(),
        caller: None,
    };
    assert_eq!(nobody.get("/catalog").await.status, 303);
    assert_eq!(nobody.get("/api/catalog/entities").await.status, 401);
}

#[sqlx::test]
async fn locations_are_managed_on_pages(db: PgPool) {
    let (client, forge) = filled(&db).await;
    let list = client.get("/catalog/locations").await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert!(
        list.text.contains("1 problem<") && list.text.contains("Registered by user:default/user1"),
        "{}",
        list.text
    );
    let id = client.catalog.locations().await.unwrap()[0].id;
    let shown = client.get(&format!("/catalog/locations/{id}")).await.text;
    for expected in [
        "gone.yaml does not exist",
        "line 8",
        "column 7",
        "./gone.yaml",
        "component:default/alpha",
        "Remove",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    forge.write("team/all", "gone.yaml", &component("back", ""));
    let refreshed = client.form(&format!("/catalog/locations/{id}/refresh"), "").await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    assert!(
        refreshed.text.contains("component:default/back is new"),
        "{}",
        refreshed.text
    );
    assert!(
        client
            .get(&format!("/catalog/locations/{id}"))
            .await
            .text
            .contains("None: every file was read")
    );

    forge.write("team/bad", "c.yaml", "a: [");
    let refused = client
        .form("/catalog/register", &format!("target={}", url("team/bad", "c.yaml")))
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("c.yaml, line ") && refused.text.contains("aria-invalid"),
        "{}",
        refused.text
    );
    forge.write("team/bad", "c.yaml", &component("good", ""));
    let made = client
        .form("/catalog/register", &format!("target={}", url("team/bad", "c.yaml")))
        .await;
    assert_eq!(made.status, 303);
    let place = made.headers["location"].to_str().unwrap().to_owned();
    assert!(
        client
            .get(&format!("{place}/delete"))
            .await
            .text
            .contains("component:default/good")
    );
    assert_eq!(client.form(&format!("{place}/delete"), "").await.status, 303);
    assert_eq!(client.get(&place).await.status, 404);
    assert_eq!(client.get("/catalog/locations/nope").await.status, 404);
}
