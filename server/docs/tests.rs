//! Documentation through the router, over a forge in memory.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use scraper::{Html, Selector};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::catalog::SearchSection;
use crate::catalog::tests::catalog;
use crate::catalog::tests::forge::MemoryForge;
use crate::web::testing;

struct Reader {
    router: Router,
    docs: Docs,
    forge: MemoryForge,
    catalog: Catalog,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

const DESCRIPTION: &str = "apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: shop
  title: The Shop
  annotations: {backstage.io/techdocs-ref: \"dir:.\"}
spec: {type: service, lifecycle: production, owner: guests}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: cart
  annotations: {backstage.io/techdocs-entity: component:default/shop, backstage.io/techdocs-entity-path: /guides/cart}
spec: {type: service, lifecycle: production, owner: guests}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: wrong
  annotations: {backstage.io/techdocs-ref: \"dir:../..\"}
spec: {type: service, lifecycle: production, owner: guests}
";

impl Reader {
    async fn new(db: &PgPool, files: &[(&str, &str)]) -> Self {
        let forge = MemoryForge::default();
        forge.write("team/shop", "catalog-info.yaml", DESCRIPTION);
        for (path, text) in files {
            forge.write("team/shop", path, text);
        }
        let catalog = catalog(db, &forge);
        let url = "https://forge.test/team/shop/src/branch/main/catalog-info.yaml";
        catalog.register("a", url).await.unwrap();
        let docs = Docs::new(db.clone(), Clock::system(), catalog.clone(), Arc::new(forge.clone()));
        let entities = EntityPages::new(catalog.clone(), vec![Arc::new(DocsTab(docs.clone()))]);
        let caller = testing::user("user1", &["guests"]);
        let router = testing::frame(Some(caller)).around(Router::new(), router(docs.clone(), entities));
        Self {
            router,
            docs,
            forge,
            catalog,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

const SHOP: &str = "/docs/default/component/shop";

/// Texts of what a selector finds.
fn texts(page: &str, selector: &str) -> Vec<String> {
    let document = Html::parse_document(page);
    let selector = Selector::parse(selector).unwrap();
    let found = document.select(&selector);
    found
        .map(|element| element.text().collect::<String>().trim().to_owned())
        .collect()
}

fn links(page: &str, selector: &str) -> Vec<String> {
    let document = Html::parse_document(page);
    let selector = Selector::parse(selector).unwrap();
    let found = document.select(&selector);
    found
        .filter_map(|element| element.attr("href").or(element.attr("src")).map(str::to_owned))
        .collect()
}

#[sqlx::test]
async fn a_book_is_read_in_the_order_of_mkdocs(db: PgPool) {
    let mkdocs = "site_name: Shop & Co
theme: {language: de}
markdown_extensions:
  - pymdownx.emoji:
      emoji_index: !!python/name:material.extensions.emoji.twemoji
extra: !ENV [HOME, x]
nav:
  - Welcome: index.md
  - Guides:
      - guides/cart.md
      - Deep:
          - Far: guides/far.md
  - Outside: https://example.org/
  - evil: javascript:alert(1)
  - out: ../../secret.md
  - gone.md
";
    let index = "# Welcome\n\nTo [the cart](guides/cart.md#prices), [code](../src/main.rs), [a folder](../src), \
                 [absolute](/src/main.rs), [away](https://a.test/?b&c), [out](../../x.md), [bad](javascript:alert(1)), [other](//evil.test), \
                 ![logo](img/logo.svg), ![foreign](https://a.test/b.png)\n\n## Next steps\n\nMore.\n";
    let reader = Reader::new(
        &db,
        &[
            ("mkdocs.yml", mkdocs),
            ("docs/index.md", index),
            (
                "docs/guides/cart.md",
                "---\ntitle: The cart\n---\n# Cart\n\n## Prices\n\n```rust\nlet a = 1;\n```\n",
            ),
            (
                "docs/guides/far.md",
                "Text <script>alert(1)</script> <b onclick=x>bold</b>",
            ),
            ("docs/left-out.md", "# Left out"),
            ("docs/img/logo.svg", "<svg xmlns='x'><script>alert(1)</script></svg>"),
            ("docs/img/none.png", "<html>"),
            ("docs/img/link.png", "-> ../../catalog-info.yaml"),
            ("src/main.rs", "fn main() {}"),
        ],
    )
    .await;
    let page = reader.get(SHOP).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(
        texts(&page.text, "#pages li"),
        ["Welcome", "Guides", "The cart", "Deep", "Far", "Outside"]
    );
    assert_eq!(texts(&page.text, "#pages h3"), ["Shop & Co"]);
    assert_eq!(texts(&page.text, "#doc h1"), ["Welcome"]);
    assert_eq!(texts(&page.text, "#contents a"), ["Next steps"]);
    assert_eq!(texts(&page.text, "[rel=next]"), ["NextThe cart"]);
    assert!(page.text.contains("lang=\"de\"") && page.text.contains("aria-current=\"page\">Docs</a>"));
    let outside = "https://forge.test/team/shop/src/branch/main/src/main.rs";
    assert_eq!(
        links(&page.text, "#doc a"),
        [
            "/docs/default/component/shop/guides/cart#prices",
            outside,
            "https://forge.test/team/shop/src/branch/main/src",
            outside,
            "https://a.test/?b&c",
            "https://a.test/b.png",
        ]
    );
    let pictures = links(&page.text, "#doc img");
    assert!(
        pictures[0].starts_with("/docs/default/component/shop/-/docs/img/logo.svg?v="),
        "{pictures:?}"
    );
    assert!(
        page.text
            .contains("https://forge.test/team/shop/_edit/main/docs/index.md"),
        "{}",
        page.text
    );

    let picture = reader.get(&pictures[0]).await;
    assert_eq!(picture.status, 200);
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    assert!(
        picture.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .ends_with("sandbox")
    );
    assert_eq!(picture.headers["x-content-type-options"], "nosniff");
    for none in [
        "-/docs/img/none.png",
        "img/none.png",
        "img/link.png",
        "-/../../x.png",
        "img/missing.png",
        "nothing",
        "-/catalog-info.yaml",
    ] {
        assert_eq!(reader.get(&format!("{SHOP}/{none}")).await.status, 404, "{none}");
    }
    for (address, heading) in [
        ("guides/cart", "Cart"),
        ("guides/cart/", "Cart"),
        ("guides/cart/index.html", "Cart"),
        ("guides/cart.md", "Cart"),
        ("left-out", "Left out"),
        ("guides/far", "Far"),
    ] {
        let page = reader.get(&format!("{SHOP}/{address}")).await;
        assert_eq!(page.status, 200, "{address}: {}", page.text);
        assert_eq!(texts(&page.text, "#doc h1"), [heading], "{address}");
        assert!(
            !page.text.contains("alert(1)") && !page.text.contains("onclick"),
            "{}",
            page.text
        );
    }
    let cart = reader.get(&format!("{SHOP}/guides/cart")).await.text;
    assert!(
        cart.contains("<span class=\"k\">let</span>") && !cart.contains("title: The"),
        "{cart}"
    );
}

#[sqlx::test]
async fn pages_are_there_without_settings_and_follow_pushes(db: PgPool) {
    let reader = Reader::new(
        &db,
        &[("README.md", "# Shop\n\n![a](assets/a.png)"), ("assets/a.png", "\u{0}")],
    )
    .await;
    let page = reader.get(SHOP).await;
    assert_eq!(texts(&page.text, "#doc h1"), ["Shop"]);
    let stop = CancellationToken::new();
    let running = tokio::spawn(reader.docs.clone().run(stop.clone()));
    tokio::task::yield_now().await;
    let questions = reader.forge.questions();
    assert!(questions > 0);
    for _ in 0..5 {
        reader.get(SHOP).await;
    }
    assert_eq!(reader.forge.questions(), 0, "what was read is not asked for again");

    for (path, text) in [
        ("docs/b.md", "# Bee"),
        ("docs/a-page.md", "no heading"),
        ("docs/sub/index.md", "# Sub"),
        ("docs/sub/x.md", "# Ex"),
        ("docs/index.md", "# Home"),
    ] {
        reader.forge.write("team/shop", path, text);
    }
    assert_eq!(
        texts(&reader.get(SHOP).await.text, "#doc h1"),
        ["Shop"],
        "nobody told of it"
    );
    reader
        .catalog
        .refresh_repository(&MemoryForge::repository("team/shop"))
        .await
        .unwrap();
    let page = reader.get(SHOP).await.text;
    assert_eq!(texts(&page, "#pages li"), ["Home", "A page", "Bee", "Sub", "Sub", "Ex"]);
    assert_eq!(links(&page, "#pages a")[3], format!("{SHOP}/sub"));
    stop.cancel();
    running.await.unwrap();

    // An entity may have another's, and what leads out of the repository is none.
    let cart = reader.get("/docs/default/component/cart").await;
    assert_eq!(
        (cart.status, cart.headers["location"].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/docs/default/component/shop/guides/cart")
    );
    let wrong = reader.get("/docs/default/component/wrong").await;
    assert!(
        wrong.text.contains("The documentation cannot be read"),
        "{}",
        wrong.text
    );
    assert_eq!(reader.get("/docs/default/component/none").await.status, 404);

    let list = reader.get("/docs").await.text;
    assert_eq!(texts(&list, "tbody a.cut"), ["cart", "The Shop", "wrong"]);
    assert_eq!(
        texts(&reader.get("/docs?q=SHOP").await.text, "tbody a.cut"),
        ["The Shop"]
    );
    let hostile = reader.get("/docs?q=%22%3E%3Cscript%3E").await.text;
    assert!(!hostile.contains("\"><script>"), "{hostile}");

    let metadata = reader
        .get("/api/techdocs/metadata/techdocs/default/component/shop")
        .await;
    let metadata: serde_json::Value = serde_json::from_str(&metadata.text).unwrap();
    assert_eq!(metadata["site_name"], "The Shop");
    assert_eq!(metadata["files"][0], "index.html");
    let file = reader
        .get("/api/techdocs/static/docs/default/component/shop/sub/x/index.html")
        .await;
    assert!(file.text.contains("<h1 id=\"ex\">Ex</h1>"), "{}", file.text);
    let entity = reader
        .get("/api/techdocs/metadata/entity/default/component/shop")
        .await
        .text;
    assert!(entity.contains("\"locationMetadata\":{\"type\":\"url\""), "{entity}");
}

#[sqlx::test]
async fn much_of_it_is_bounded_and_told(db: PgPool) {
    let long = format!("# Long\n\n{}", "word *and* [x](y.md)\n\n".repeat(500_000));
    let nav = format!("nav: [{}]\n", "[".repeat(500));
    let reader = Reader::new(&db, &[("docs/index.md", &long), ("mkdocs.yml", &nav)]).await;
    let page = reader.get(SHOP).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("The page is long") && page.text.len() < 20 * 1024 * 1024);
    assert!(page.text.contains("mkdocs.yml has an error"));
}

/// Title, address and words of what the search finds.
async fn sought(reader: &Reader, text: &str) -> Vec<(String, String, String)> {
    while reader.docs.look_at_due().await.unwrap() {}
    let caller = testing::user("user1", &["guests"]);
    let found = FoundPages(reader.docs.clone()).find(&caller, text, 10).await;
    assert_eq!(found.total, found.hits.len());
    let hits = found.hits.into_iter();
    hits.map(|hit| (hit.title, hit.path, hit.note.to_string())).collect()
}

async fn told(reader: &Reader, name: &str) {
    let refs = [format!("component:default/{name}")];
    reader.docs.changed(&refs).await.unwrap();
}

#[sqlx::test]
async fn pages_are_found_by_their_words(db: PgPool) {
    let files = [
        ("README.md", "# Shop\n\nSells *things*.\n"),
        (
            "docs/guides/cart.md",
            "# The Cart\n\nHow to roll back a <script>payment</script> when Größe is wrong.\n",
        ),
        (
            "docs/index.md",
            "---\ntitle: Start\nhidden: zebra\n---\n# Begin\n\nThe cart is explained elsewhere.\n",
        ),
    ];
    let reader = Reader::new(&db, &files).await;
    assert_eq!(sought(&reader, "cart").await, []);
    told(&reader, "shop").await;
    // What is called so comes first.
    let found = sought(&reader, "CART").await;
    let titles: Vec<&str> = found.iter().map(|(title, ..)| title.as_str()).collect();
    assert_eq!(titles, ["The Cart", "Start"]);
    assert_eq!(found[0].1, format!("{SHOP}/guides/cart"));
    assert!(found[0].2.contains("roll back"), "{found:?}");
    assert_eq!(sought(&reader, "größ wrong").await.len(), 1);
    for nothing in ["zebra", "cart zebra", "&|!", ":*", "<script>", "ca\u{0}rtoon"] {
        let found = sought(&reader, nothing).await;
        assert!(found.is_empty(), "{nothing}: {found:?}");
    }

    // A push is followed, also one that only another replica has heard of.
    reader
        .forge
        .write("team/shop", "docs/guides/cart.md", "# Basket\n\nzebra\n");
    reader.forge.remove("team/shop", "docs/index.md");
    let pushed = MemoryForge::repository("team/shop");
    reader.docs.pushed(Some(&pushed)).await.unwrap();
    let found = sought(&reader, "zebra").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(sought(&reader, "cart").await.len(), 0);

    // A forge that is away takes nothing from the search; an entity that goes takes its pages along.
    reader.forge.set_down(true);
    reader.docs.pushed(Some(&pushed)).await.unwrap();
    assert_eq!(sought(&reader, "zebra").await.len(), 1);
    reader.forge.set_down(false);
    sqlx::query("delete from catalog_entity where name = 'shop'")
        .execute(&db)
        .await
        .unwrap();
    told(&reader, "shop").await;
    assert_eq!(sought(&reader, "zebra").await, []);
}

#[sqlx::test]
async fn a_book_that_nobody_told_of_is_found_once_it_was_opened(db: PgPool) {
    let reader = Reader::new(&db, &[("README.md", "# Shop\n\nAardvark.\n")]).await;
    let plain = DESCRIPTION.replace("{backstage.io/techdocs-ref: \"dir:.\"}", "{}");
    reader.forge.write("team/shop", "catalog-info.yaml", &plain);
    let pushed = MemoryForge::repository("team/shop");
    reader.catalog.refresh_repository(&pushed).await.unwrap();
    told(&reader, "shop").await;
    assert_eq!(sought(&reader, "aardvark").await, []);
    assert_eq!(reader.get(SHOP).await.status, StatusCode::OK);
    for _ in 0..100 {
        if !sought(&reader, "aardvark").await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the book is not found");
}
