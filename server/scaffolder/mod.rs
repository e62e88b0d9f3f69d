//! To be filled.

pub mod expressions;
