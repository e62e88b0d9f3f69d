//! What every page shares: shell, errors, extractors, forms, headers, static files.

mod error;
mod shell;

pub use error::{Error, FieldError};
pub use shell::{Shell, SignedIn, page};
