//! The one integration test binary; it mirrors `server/`.

mod contract;
mod dependencies;
mod golden_paths;
mod layers;
