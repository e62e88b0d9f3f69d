//! What the pages weigh and how long they take, on the program that `PORTICO_PROGRAM` names: `tests/bench/pages`.
//!
//! Everything is measured from outside: bytes, requests and paints by Chromium, the start by asking for readiness, memory
//! by the kernel, tasks by the portal's own log. Figures are medians. Nothing is asserted but that what is measured
//! happens: how long something takes is the machine's affair, and the table says it beside its limit.

mod live;
mod pages;
mod scaffolder;
mod table;
mod tasks;

use std::path::Path;
use std::time::Duration;

use portico_bench_catalog::files;
use serde_json::json;

use crate::browser::Chromium;
use crate::support::{Options, Platform, eventually};
use table::Table;

/// So many the incumbent's figures were taken with.
const ENTITIES: usize = 10_000;
/// After this time without requests the portal is idle.
const REST: Duration = Duration::from_secs(10);
const STARTS: usize = 7;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures for minutes: tests/bench/pages"]
async fn of_the_pages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let company = files::make(ENTITIES, folder.path(), None).expect("the files");
    name_files(folder.path());
    let mut options = Options::default();
    options.golden_paths.push(folder.path().to_owned());
    let mut platform = Platform::start_with(options).await;
    let api = platform.api();
    eventually("all entities are there", || async {
        let (_, found) = api.try_get("/catalog/entities/by-query?limit=1").await?;
        (found["totalItems"].as_u64()? >= ENTITIES as u64).then_some(())
    })
    .await;

    let mut table = Table::default();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        platform.restart_portal().await;
        starts.push(platform.portal.ready_after.as_secs_f64() * 1e3);
    }
    let chromium = Chromium::start();
    let component = company.samples.component.first().expect("a component");
    pages::measure(&platform, &chromium, component, &mut table).await;
    table.time("Ready after the start, on an existing database", "", &starts, 300.0);
    tokio::time::sleep(REST).await;
    table.memory("Memory when idle (PSS)", platform.portal.pss(), 60.0);
    tasks::measure(&platform, &mut table).await;
    live::measure(&platform, &chromium, &mut table).await;
    println!("\n{table}");
}

/// Adds the Location that names all files of the folder.
fn name_files(folder: &Path) {
    let mut targets: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|file| format!("./{}", file.expect("a file").file_name().display()))
        .collect();
    targets.sort_unstable();
    let location = json!({
        "apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": "company"},
        "spec": {"targets": targets},
    });
    // JSON is YAML.
    std::fs::write(folder.join("catalog-info.yaml"), location.to_string()).expect("a file");
}

/// The middle one; of none, zero.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
