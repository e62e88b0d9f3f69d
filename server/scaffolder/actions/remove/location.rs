use super::Item;
use crate::scaffolder::actions::{Action, ActionError, Context, NoOutput};
use crate::scaffolder::model::{EffectKind, Removed};

/// Takes a location and its entities out of the catalog.
pub struct RemoveLocation;

#[async_trait::async_trait]
impl Action for RemoveLocation {
    const ID: &'static str = "portico:remove:location";
    const DESCRIPTION: &'static str =
        "Takes a location that a task has registered out of the catalog, with its entities.";
    type Input = Item;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, item: Item) -> Result<NoOutput, ActionError> {
        let catalog = &cx.outside.catalog;
        let target = &item.reference;
        match catalog.location_at(target).await? {
            Some(location) if !item.may_be_from(location.created_at) => {
                return Err(ActionError::Settled(format!(
                    "{target} was registered anew since the task did; remove it at /catalog/locations/{}",
                    location.id
                )));
            }
            Some(location) => {
                catalog.unregister(target).await?;
                cx.log(format!(
                    "{target} is out of the catalog, with {} entities",
                    location.entities
                ));
            }
            None => cx.log(format!("{target} is not in the catalog any more")),
        }
        cx.removed(item.task, EffectKind::Location, target, Removed::Deleted)
            .await?;
        Ok(NoOutput {})
    }
}
