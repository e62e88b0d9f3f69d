//! `/create`, `/api/scaffolder`: golden paths, filled in as forms and run as durable tasks.
//!
//! [`create`] shows the golden paths and their [`forms`]; [`expressions`] renders what templates say.
//! [`operations`] starts, cancels and retries; [`engine`] runs; [`actions`] is what steps can do.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::broadcast;
use uuid::Uuid;

pub mod actions;
mod alone;
mod api;
pub mod authoring;
pub mod create;
pub mod engine;
pub mod expressions;
mod follow;
pub mod forms;
pub mod lint;
mod local;
mod model;
pub mod operations;
mod precheck;
mod queries;
mod requests;
mod settings;
mod tasks;
mod template;
#[cfg(test)]
mod testing;
mod vault;

pub use engine::run_worker;
pub use operations::StartError;
pub use precheck::Problem;
pub use requests::{OwnApi, ProxyRoute, RequestSettings, Requests};
pub use settings::{Author, Git, Outside, SecretsKey, Settings};
pub use tasks::{FoundTasks, MadeByCard, RecentTasks};

use crate::catalog::yaml_text as yaml;
use crate::clock::Clock;
use vault::Vault;

/// The pages and the API. Callers have to be known; the frame sees to it.
pub fn router(scaffolder: Scaffolder) -> axum::Router {
    create::routes()
        .merge(tasks::routes())
        .merge(api::routes())
        .with_state(scaffolder)
}

/// The scaffolder. Cheap to clone.
#[derive(Clone)]
pub struct Scaffolder(Arc<Inner>);

struct Inner {
    db: PgPool,
    clock: Clock,
    outside: Outside,
    settings: Arc<Settings>,
    actions: actions::Registry,
    /// Of tasks that remove what others have made; no template can name them.
    removing: actions::Registry,
    vault: Vault,
    /// Dry runs run while their caller waits; more than these wait for one another.
    rehearsals: tokio::sync::Semaphore,
    /// Ids of tasks that changed, whoever changed them.
    changes: broadcast::Sender<Uuid>,
}

impl Scaffolder {
    /// A scaffolder with the actions of [`actions::shipped`], or others in tests.
    pub fn new(db: PgPool, clock: Clock, outside: Outside, settings: Settings, actions: actions::Registry) -> Self {
        let vault = Vault::new(settings.secrets_key.clone());
        Self(Arc::new(Inner {
            db,
            clock,
            outside,
            settings: Arc::new(settings),
            actions,
            removing: actions::removing(),
            vault,
            rehearsals: tokio::sync::Semaphore::new(engine::REHEARSALS_AT_ONCE),
            changes: broadcast::channel(256).0,
        }))
    }

    /// How many tasks of a person have not ended, for the number beside "Tasks"; `None` while the database is away.
    pub async fn count_running(&self, user: &crate::auth::User) -> Option<u64> {
        let count = queries::count_running(self.db(), &user.entity_ref).await.ok()?;
        u64::try_from(count).ok()
    }

    fn db(&self) -> &PgPool {
        &self.0.db
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn outside(&self) -> &Outside {
        &self.0.outside
    }

    fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// The installed actions.
    pub fn actions(&self) -> &actions::Registry {
        &self.0.actions
    }

    /// The action of a step: one that is installed, or in a task that removes, one of those that do.
    fn action(&self, id: &str, removes: bool) -> Option<&Arc<dyn actions::AnyAction>> {
        let own = removes.then(|| self.0.removing.find(id)).flatten();
        own.or_else(|| self.actions().find(id))
    }

    fn rehearsals(&self) -> &tokio::sync::Semaphore {
        &self.0.rehearsals
    }

    fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Tells the pages and runs of this process that a task changed.
    fn announce(&self, task_id: Uuid) {
        // Nobody listening is fine.
        let _ = self.0.changes.send(task_id);
    }

    fn changes(&self) -> broadcast::Receiver<Uuid> {
        self.0.changes.subscribe()
    }
}
