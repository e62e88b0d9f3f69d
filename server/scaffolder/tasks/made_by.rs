//! Which task has made an entity, for the entity's page.

use askama::Template;

use crate::catalog::{EntityCard, Shown};
use crate::language::filters;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::Task;
use crate::scaffolder::queries;
use crate::web::Shell;

/// The panel "Created here", for those who may see the task.
pub struct MadeByCard(Scaffolder);

impl MadeByCard {
    pub fn new(scaffolder: Scaffolder) -> Self {
        Self(scaffolder)
    }
}

#[derive(Template)]
#[template(path = "scaffolder/made_by.html")]
struct MadeBy<'a> {
    task: &'a Task,
    shell: &'a Shell,
}

#[async_trait::async_trait]
impl EntityCard for MadeByCard {
    async fn render(&self, shown: Shown<'_>) -> Option<String> {
        let user = shown.shell.user.as_ref()?;
        let location = shown.entity.annotation("backstage.io/managed-by-location")?;
        let target = location.strip_prefix("url:")?;
        let found = async {
            match queries::find_maker(self.0.db(), target).await? {
                Some(id) => queries::find_task(self.0.db(), id).await,
                None => Ok(None),
            }
        };
        let task = found
            .await
            .inspect_err(|error| tracing::warn!(%error, "who made the entity cannot be told"))
            .ok()??;
        if !user.admin && user.entity_ref != task.created_by {
            return None;
        }
        let panel = MadeBy {
            task: &task,
            shell: shown.shell,
        };
        shown
            .shell
            .locale
            .render(&panel)
            .inspect_err(|error| tracing::error!(%error, "the panel of who made it cannot be rendered"))
            .ok()
    }

    fn aside(&self) -> bool {
        true
    }
}
