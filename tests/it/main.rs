//! The one integration test binary; it mirrors `server/`.

mod browser;
mod catalog;
mod cnoe;
mod conformance;
mod contract;
mod crash;
mod dependencies;
mod failures;
mod faults;
mod figures;
mod forge_actions;
mod github_actions;
mod golden_paths;
mod hostile;
mod kinds;
mod layers;
mod packages;
mod pictures;
mod removal;
mod roadie_actions;
mod story;
mod support;
mod templates;
mod waiting;
