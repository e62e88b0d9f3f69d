//! Runs tasks. A worker claims a task, restores its workspace, goes through the steps that are not finished,
//! and stores a checkpoint after each: whoever claims the task after a crash goes on from there.

mod control;
mod journal;
mod perform;
mod redaction;
mod rehearsal;
pub mod rendering;
mod run;
mod step;
mod worker;
mod workspace;

pub use control::Control;
pub use journal::{Journal, is_temporary};
pub use redaction::Redactor;
pub use rehearsal::{REHEARSALS_AT_ONCE, Rehearsal, RehearsalError, Rehearsed, RehearsedFile, rehearse};
#[cfg(test)]
pub use run::run_task as run_claimed;
pub use worker::run_worker;
pub use workspace::{Entry, Workspace, WorkspaceError, write_file};

#[cfg(test)]
mod approval_tests;
#[cfg(test)]
mod echo_tests;
#[cfg(test)]
mod pause_tests;
#[cfg(test)]
mod tests;
