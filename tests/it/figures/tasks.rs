//! The portal's own part of a Basic Deployment: its log says of each step how long it took, and how much of that was not
//! spent waiting for other systems.

use std::collections::HashMap;

use serde_json::Value;

use super::table::Table;
use crate::support::Platform;

const TASKS: usize = 10;

pub async fn measure(platform: &Platform, table: &mut Table) {
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        let task = platform.create(&format!("measured-{number}")).await;
        let ended = platform.ended(&task).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        tasks.push(task);
    }
    let (mut steps, mut whole) = (HashMap::<String, f64>::new(), HashMap::new());
    for line in platform.portal.log().lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let (Some(task), Some(own)) = (line["task"].as_str(), line["own"].as_f64()) else {
            continue;
        };
        match line["message"].as_str() {
            Some("step ended") => *steps.entry(task.to_owned()).or_default() += own,
            Some("task ended") => drop(whole.insert(task.to_owned(), own)),
            _ => {}
        }
    }
    let of = |sums: &HashMap<String, f64>| -> Vec<f64> {
        tasks
            .iter()
            .map(|task| *sums.get(task).unwrap_or_else(|| panic!("the log tells of task {task}")))
            .collect()
    };
    table.time("Basic Deployment, own part of its steps", "", &of(&steps), 100.0);
    table.time("Basic Deployment, own part from claim to end", "", &of(&whole), 100.0);
}
