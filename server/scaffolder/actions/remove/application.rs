use std::time::Duration;

use super::Item;
use crate::gitops::{Maker, Removal};
use crate::scaffolder::actions::{Action, ActionError, Context, NoOutput};
use crate::scaffolder::model::{EffectKind, Fate, Removed, Waiting};

/// Changes are told; this finds what was not.
const LOOK_AFTER: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Removes an Application, and waits until Argo CD has done so.
pub struct RemoveApplication;

#[async_trait::async_trait]
impl Action for RemoveApplication {
    const ID: &'static str = "portico:remove:application";
    const DESCRIPTION: &'static str = "Removes an Argo CD Application that a task has made.";
    type Input = Item;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, item: Item) -> Result<NoOutput, ActionError> {
        let task = item.task.to_string();
        let maker = Maker {
            task: &task,
            until: item.made_at,
        };
        let name = &item.reference;
        let with_resources = item.fate == Fate::WithResources;
        let state = match cx.outside.gitops.remove(name, &maker, with_resources).await? {
            Removal::Gone => {
                cx.removed(item.task, EffectKind::Application, name, Removed::Deleted)
                    .await?;
                cx.log(format!("The Application {name} is gone"));
                return Ok(NoOutput {});
            }
            Removal::EndingSync => "its running sync is being ended",
            Removal::Deleting if with_resources => "it is being deleted with its resources",
            Removal::Deleting => "it is being deleted; its resources stay",
        };
        let waiting = Waiting::Gone {
            name: name.clone(),
            state: state.to_owned(),
        };
        Err(cx.pause(waiting, LOOK_AFTER, TIMEOUT))
    }
}
