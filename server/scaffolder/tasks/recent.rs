//! The reader's latest tasks, for the home page.

use askama::Template;

use crate::auth::Caller;
use crate::language::filters;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::Task;
use crate::scaffolder::queries::{self, Order, TaskFilter};
use crate::web::{Section, Shell};

const SHOWN: i64 = 5;

/// The section "Recent tasks".
pub struct RecentTasks(Scaffolder);

impl RecentTasks {
    pub fn new(scaffolder: Scaffolder) -> Self {
        Self(scaffolder)
    }
}

#[derive(Template)]
#[template(path = "scaffolder/recent.html")]
struct Recent<'a> {
    tasks: &'a [Task],
    shell: &'a Shell,
}

#[async_trait::async_trait]
impl Section for RecentTasks {
    async fn render(&self, caller: &Caller, shell: &Shell) -> Option<String> {
        let filter = TaskFilter {
            created_by: vec![caller.actor()],
            status: Vec::new(),
            waiting: None,
            template: None,
            text: None,
            order: Order::NewestFirst,
            limit: SHOWN,
            offset: 0,
        };
        let (tasks, _) = queries::list_tasks(self.0.db(), &filter)
            .await
            .inspect_err(|error| tracing::warn!(%error, "recent tasks cannot be shown"))
            .ok()?;
        let recent = Recent { tasks: &tasks, shell };
        shell
            .locale
            .render(&recent)
            .inspect_err(|error| tracing::error!(%error, "recent tasks cannot be rendered"))
            .ok()
    }

    fn aside(&self) -> bool {
        true
    }
}
