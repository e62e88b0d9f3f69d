//! What lies beside entities: documentation, definitions, relations, sources, histories, and the search over all of it, in
//! every look.

use std::path::Path;

use super::states::{look_at, visit};
use super::{Chromium, Look, log_in};
use crate::support::{Options, Platform};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn documents_and_definitions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let platform = Platform::start_with(Options {
        golden_paths: vec![root.join("golden-paths"), root.join("tests/it/browser/shop")],
        ..Options::default()
    })
    .await;
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    log_in(&platform, window, "user1", "/docs").await;
    window.reads("Storefront").await;
    look_at(window, "docs").await;
    window.follow("main a", "Storefront").await;
    look_at(window, "docs-page").await;
    window.follow("#doc a", "how to roll back").await;
    window.reads("zebra").await;
    window.follow("[rel=prev]", "Start").await;

    for (name, path, text) in [
        ("definition-openapi", "orders", "Orders of a customer"),
        ("definition-asyncapi", "events", "orders."),
        ("definition-graphql", "pets", "adopt"),
        ("definition-grpc", "stock", "Watch"),
        ("definition-broken", "broken", "cannot be read"),
    ] {
        let path = format!("/catalog/default/api/{path}/definition");
        visit(&platform, window, name, &path).await;
        window.reads(text).await;
    }
    let orders = format!("{}/catalog/default/api/orders/definition", platform.portal.url);
    window.open_page(&orders).await;
    window.click("summary", "Orders of a customer").await;
    window.reads("Whose orders").await;
    look_at(window, "definition-operation").await;
    // A type is found by its link, and unfolds.
    window.click("summary", "Places an order").await;
    window.click("#d-createOrder a", "State").await;
    window.reads("How far it has come").await;
    window.open_page(&format!("{orders}?q=cancel")).await;
    window.reads("Cancels it").await;

    for (name, path) in [
        ("api", "/catalog/default/api/orders"),
        ("system", "/catalog/default/system/shop"),
        ("relations", "/catalog/default/system/shop/relations?depth=2"),
        ("source", "/catalog/default/api/orders/source"),
        ("search", "/search?q=zebra"),
        ("search-similar", "/search?q=storefrnot"),
        ("errors-owners", "/catalog/errors?of=all"),
    ] {
        visit(&platform, window, name, path).await;
    }
    window
        .open_page(&format!("{}/search?q=zebra", platform.portal.url))
        .await;
    window.reads("Find the zebra release").await;
    window.assert_clean();
}
