//! `portico template dry-run` and `portico template test`: templates of this machine, run without a portal.
//!
//! [`subject`] reads a template with the files beside it, [`values`] checks answers as the form does, [`run`] goes through
//! the steps; [`dry_run`] tells one run, [`suite`] many, by their
//! [`cases`], compared with their [`expectations`].

mod cases;
mod dry_run;
mod expectations;
mod run;
mod subject;
mod suite;
#[cfg(test)]
mod tests;
mod values;

pub use dry_run::{DryRun, dry_run};
pub use suite::{Suite, test};
