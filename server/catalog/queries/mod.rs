//! All SQL of the catalog: `entities`, `locations`, `stars`, and `search`, the one place where SQL is put together.

pub mod entities;
pub mod locations;
pub mod search;
pub mod stars;
