//! How a feature shows up on a page of another without either knowing the other: `app` hands over a list.

use super::Shell;
use crate::auth::Caller;

/// A section of somebody's page, for instance of the home page.
#[async_trait::async_trait]
pub trait Section: Send + Sync {
    /// The finished, escaped HTML of a whole `<section>`, or `None` where there is nothing to say.
    async fn render(&self, caller: &Caller, shell: &Shell) -> Option<String>;

    /// It is for the narrow column rather than the wide one.
    fn aside(&self) -> bool {
        false
    }
}
