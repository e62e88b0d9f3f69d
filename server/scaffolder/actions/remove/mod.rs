//! What a task made is removed again. Templates cannot name these actions: only tasks that [`crate::scaffolder`] itself
//! starts on behalf of whoever may have it removed. Each finds out first that the thing is still the one that was made.

mod application;
mod location;
mod repository;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use application::RemoveApplication;
pub use location::RemoveLocation;
pub use repository::RemoveRepository;

use super::{AnyAction, Registry};
use crate::scaffolder::model::Fate;

/// Of the clocks of this portal and of other systems.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(5);

/// What is to be removed, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The task that has made it.
    #[schemars(with = "String")]
    pub task: Uuid,
    /// As the task has recorded it.
    pub reference: String,
    pub url: Option<String>,
    /// When the task had made it.
    #[schemars(with = "String")]
    pub made_at: DateTime<Utc>,
    #[schemars(with = "String")]
    pub fate: Fate,
}

impl Item {
    /// Something that came to be at a time may be what the task has made: later things of the same name are not.
    fn may_be_from(&self, at: DateTime<Utc>) -> bool {
        at <= self.made_at + CLOCK_SKEW
    }
}

/// The actions of tasks that remove.
pub fn removing() -> Registry {
    let actions: [Arc<dyn AnyAction>; 3] = [
        Arc::new(RemoveApplication),
        Arc::new(RemoveLocation),
        Arc::new(RemoveRepository),
    ];
    Registry::new(actions)
}
