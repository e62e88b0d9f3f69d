//! All SQL of the catalog.

mod conditions;
pub mod counts;
pub mod entities;
pub mod facets;
pub mod faults;
pub mod find;
pub mod graph;
pub mod history;
pub mod list;
pub mod locations;
pub mod owners;
pub mod polling;
pub mod proposals;
pub mod reads;
pub mod search;
pub mod seen;
pub mod stars;
pub mod writes;
