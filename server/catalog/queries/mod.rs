//! All SQL of the catalog: `entities`, `locations`, and `search`, the one place where SQL is put together.

pub mod entities;
pub mod locations;
pub mod polling;
pub mod search;
