//! `/create/tasks`, `/api/scaffolder`.

mod model;
mod queries;
