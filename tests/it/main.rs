//! The one integration test binary; it mirrors `server/`.

mod dependencies;
mod golden_paths;
mod layers;
