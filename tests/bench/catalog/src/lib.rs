//! What measurements share: description files of a made-up company.

pub mod files;
