//! All SQL of the scaffolder. `tasks` starts, reads and ends tasks, `list` lists them; `lease` decides who runs one;
//! `write` is what a worker stores, fenced by its lease; `events` is the log; `pauses` is what nobody runs for now.

mod events;
mod lease;
mod list;
mod pauses;
mod tasks;
mod write;

pub use events::{find_completion, find_intent, list_effects, list_events};
pub use lease::{CHANNEL, Claimed, beat, claim, holds, release};
pub use list::{Order, TaskFilter, count_running, list_choices, list_tasks, search_tasks};
pub use pauses::{
    Approval, ApprovalFilter, Decision, NewApproval, decide, find_approval, find_decision, list_approvals,
    wake_for_push, wake_waiting,
};
pub use tasks::{
    NewTask, cancel, find_maker, find_task, find_undoing, find_workspace, has_workspace, insert_task, list_steps,
    purge_workspaces, retry,
};
pub use write::{End, NewEffect, NewEvent, NewIntent, Pause, RemovedEffect, StepWrite, Write, WriteError, apply};

/// The stored value has no counterpart in code: somebody changed the row by hand, or an older portal reads it.
fn foreign<T>(value: Option<T>, what: &str, word: &str) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::Decode(format!("{what} \"{word}\" is unknown").into()))
}

fn decode<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, sqlx::Error> {
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// JSON as text, for columns that keep the order of keys: bound as a value it would go through jsonb.
fn text(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
