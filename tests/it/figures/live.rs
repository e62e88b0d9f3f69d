//! From a change of an Application in the cluster to the change on an open page.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use portico::clock::Clock;
use serde_json::json;

use super::table::Table;
use crate::browser::{Chromium, Look, log_in, record, recorded};
use crate::support::Platform;

const CHANGES: usize = 25;
const NAME: &str = "measured-0";

pub async fn measure(platform: &Platform, chromium: &Chromium, table: &mut Table) {
    platform.in_order(NAME, None).await;
    let window = chromium.person(Look::DESK).await;
    log_in(
        platform,
        &window,
        "user1",
        &format!("/catalog/default/component/{NAME}"),
    )
    .await;
    window
        .is("/Synced.*Healthy/s.test(document.querySelector('.stats').innerText)")
        .await;
    record(&window, "application", "[sse-swap=application]").await;
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let applications: Api<DynamicObject> =
        Api::namespaced_with(platform.systems.kubernetes(), "argocd", &ApiResource::from_gvk(&kind));
    let mut took = Vec::new();
    for number in 0..CHANGES {
        let health = if number % 2 == 0 { "Degraded" } else { "Progressing" };
        let status = json!({"status": {"health": {"status": health, "message": format!("measured {number}.")}}});
        let sent = Clock::system().now().timestamp_millis();
        applications
            .patch(NAME, &PatchParams::default(), &Patch::Merge(&status))
            .await
            .expect("the cluster takes it");
        let shown = recorded(&window, "application", &format!("{health}.*measured {number}\\.")).await;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        took.push((shown - sent) as f64);
    }
    table.time(
        "Application changed in the cluster, until the open page shows it",
        "",
        &took,
        100.0,
    );
    window.assert_clean();
}
