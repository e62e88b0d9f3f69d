//! How long tasks take, on the program that `PORTICO_PROGRAM` names: `tests/bench/scaffolder`.
//!
//! The template is the one that the incumbent was measured with, `../shared/bench/bench-template`. A task begins when it is
//! asked for and ends when its stream of events says so, both as a client of the API sees it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use portico::clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::table::Table;
use crate::support::{Api, Options, Platform};

/// Runs one after the other.
const RUNS: usize = 40;
/// Clients at once, and what they run together.
const CLIENTS: usize = 16;
const RUNS_AT_ONCE: usize = 320;
const FILES: usize = 5_000;
const LINES: usize = 40;
/// The portal is killed so often, after this time each.
const DEATHS: usize = 5;
const LIFE: Duration = Duration::from_secs(10);

/// The incumbent's template.
fn template() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut places = ["..", "../.."]
        .iter()
        .map(|up| root.join(up).join("shared/bench/bench-template"));
    places.find(|place| place.exists())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures for minutes: tests/bench/scaffolder"]
async fn of_the_scaffolder() {
    let Some(template) = template() else {
        println!("left out: ../shared/bench/bench-template is not here");
        return;
    };
    // A repository each: a skeleton is read with the repository that it lies in.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [bench, large, lines] = ["bench", "large", "lines"].map(|name| folder.path().join(name));
    copy(&template, &bench);
    make_large(&large);
    std::fs::create_dir(&lines).expect("a folder");
    std::fs::write(lines.join("template.yaml"), make_lines().to_string()).expect("a file");
    for place in [&bench, &large, &lines] {
        let location = json!({
            "apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": place.file_name().and_then(|name| name.to_str())},
            "spec": {"targets": ["./template.yaml"]},
        });
        // JSON is YAML.
        std::fs::write(place.join("catalog-info.yaml"), location.to_string()).expect("a file");
    }
    let mut platform = Platform::start_with(Options {
        golden_paths: vec![bench, large, lines],
        ..Options::default()
    })
    .await;

    let mut table = Table::default();
    let api = Arc::new(platform.api());
    // What is compiled, connected and cached once is done.
    for _ in 0..3 {
        run(&api, "bench-template").await;
    }
    let mut took = Vec::new();
    for _ in 0..RUNS {
        took.push(run(&api, "bench-template").await.as_secs_f64() * 1e3);
    }
    table.time("The benchmark's template, one run", "300 ms", &took, 30.0);
    table.rate("The same, 16 clients at once", "3 /s", at_once(&api).await, 50.0);
    let mut took = Vec::new();
    for _ in 0..3 {
        took.push(run(&api, "large").await.as_secs_f64() * 1e3);
    }
    table.time(&format!("A skeleton of {FILES} files"), "", &took, 2_000.0);
    table.time(
        "A line of the log, until the client has it",
        "",
        &delays(&api).await,
        100.0,
    );
    let (asked, lost) = lost(&mut platform).await;
    table.count(
        &format!("Lost of {asked} tasks, the portal killed every {} s", LIFE.as_secs()),
        lost,
        0,
    );
    println!("\n{table}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the folder") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).expect("a file");
        }
    }
}

fn step(id: &str, action: &str, input: Value) -> Value {
    json!({"id": id, "action": action, "input": input})
}

fn entity(name: &str, steps: &[Value]) -> Value {
    json!({
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template", "metadata": {"name": name},
        "spec": {"type": "service", "owner": "guests", "steps": steps},
    })
}

/// A template whose skeleton has many files, each with expressions.
fn make_large(folder: &Path) {
    for number in 0..FILES {
        let place = folder.join(format!("skeleton/part-{}", number / 100));
        std::fs::create_dir_all(&place).expect("a folder");
        let text = format!(
            "# ${{{{ values.name }}}} {number}\n\nOf ${{{{ values.owner | upper }}}}.\n{{% if values.port > 1 %}}port: ${{{{ values.port }}}}\n{{% endif %}}{}\n",
            "A line as skeletons have them.\n".repeat(20)
        );
        std::fs::write(place.join(format!("${{{{ values.name }}}}-{number}.md")), text).expect("a file");
    }
    let values =
        json!({"name": "${{ parameters.name }}", "owner": "${{ parameters.owner }}", "port": "${{ parameters.port }}"});
    let fetch = step(
        "fetch",
        "fetch:template",
        json!({"url": "./skeleton", "values": values}),
    );
    std::fs::write(folder.join("template.yaml"), entity("large", &[fetch]).to_string()).expect("a file");
}

/// A template that writes a line now and then.
fn make_lines() -> Value {
    let steps = (0..LINES).flat_map(|number| {
        [
            step(
                &format!("wait-{number}"),
                "debug:wait",
                json!({"milliseconds": 30 + number * 7 % 90}),
            ),
            step(
                &format!("line-{number}"),
                "debug:log",
                json!({"message": format!("line {number}")}),
            ),
        ]
    });
    entity("lines", &steps.collect::<Vec<_>>())
}

/// Asks for a task; `None` where nobody answers.
async fn asked(api: &Api, template: &str) -> Option<String> {
    let values = json!({
        "name": "bench", "description": "To be measured", "owner": "group:default/guests", "language": "rust", "port": 8080,
    });
    let body = json!({"templateRef": format!("template:default/{template}"), "values": values});
    let (status, answer) = api
        .send(reqwest::Method::POST, "/scaffolder/v2/tasks", Some(&body))
        .await?;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().map(str::to_owned)
}

/// Reads the events of a task until it has ended; each is handed out as it comes. Answers how it ended.
async fn followed(api: &Api, task: &str, mut seen: impl FnMut(&Value)) -> String {
    let stream = api.stream(&format!("/scaffolder/v2/tasks/{task}/eventstream")).await;
    let mut stream = stream.bytes_stream();
    let mut buffer = Vec::new();
    while let Some(chunk) = stream.next().await {
        buffer.extend_from_slice(&chunk.expect("the stream goes on"));
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let frame: Vec<u8> = buffer.drain(..end + 2).collect();
            let frame = String::from_utf8_lossy(&frame);
            let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data: ")) else {
                continue;
            };
            let event: Value = serde_json::from_str(data).expect("JSON");
            seen(&event);
            if event["type"] == "completion" {
                return event["body"]["message"].as_str().unwrap_or_default().to_owned();
            }
        }
    }
    panic!("the stream of task {task} ended before the task");
}

async fn run(api: &Api, template: &str) -> Duration {
    let began = Instant::now();
    let task = asked(api, template).await.expect("an answer");
    let ended = followed(api, &task, |_| {}).await;
    assert!(ended.ends_with("completed"), "{template}: {ended}");
    began.elapsed()
}

/// Tasks a second.
async fn at_once(api: &Arc<Api>) -> f64 {
    let left = Arc::new(AtomicUsize::new(RUNS_AT_ONCE));
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|_| {
        let (api, left) = (api.clone(), left.clone());
        tokio::spawn(async move {
            let mine = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            while mine().is_ok() {
                run(&api, "bench-template").await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("the client ends");
    }
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let runs = RUNS_AT_ONCE as f64;
    runs / began.elapsed().as_secs_f64()
}

/// From when the portal wrote a line of the log until the client had it, in milliseconds.
async fn delays(api: &Api) -> Vec<f64> {
    let task = asked(api, "lines").await.expect("an answer");
    let mut delays = Vec::new();
    followed(api, &task, |event| {
        let Some(line) = event["body"]["message"]
            .as_str()
            .filter(|line| line.starts_with("line "))
        else {
            return;
        };
        let written = event["createdAt"].as_str().expect("a time");
        let written: chrono::DateTime<chrono::Utc> = written.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        let delay = Clock::system().now() - written;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        delays.push(delay.num_microseconds().unwrap_or_default() as f64 / 1e3);
    })
    .await;
    assert_eq!(delays.len(), LINES);
    delays
}

/// Tasks that were accepted while the portal died again and again, and how many of them did not end well.
async fn lost(platform: &mut Platform) -> (usize, usize) {
    let api = Arc::new(platform.api());
    let done = tokio_util::sync::CancellationToken::new();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (api, done) = (api.clone(), done.clone());
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                while !done.is_cancelled() {
                    match asked(&api, "bench-template").await {
                        Some(task) => accepted.push(task),
                        // It is dead just now.
                        None => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                accepted
            })
        })
        .collect();
    for _ in 0..DEATHS {
        tokio::time::sleep(LIFE).await;
        platform.restart_portal().await;
    }
    done.cancel();
    let mut tasks = Vec::new();
    for client in clients {
        tasks.extend(client.await.expect("the client ends"));
    }
    let mut lost = 0;
    for task in &tasks {
        let ended = platform.ended(task).await;
        if ended["status"] != "completed" {
            println!("{task}: {}", ended["status"]);
            lost += 1;
        }
    }
    (tasks.len(), lost)
}
