use super::Item;
use crate::scaffolder::actions::{Action, ActionError, Context, NoOutput};
use crate::scaffolder::model::{EffectKind, Fate, Removed};
use crate::scm::{RepositorySettings, ScmError};

/// Archives or deletes a repository.
pub struct RemoveRepository;

#[async_trait::async_trait]
impl Action for RemoveRepository {
    const ID: &'static str = "portico:remove:repository";
    const DESCRIPTION: &'static str = "Archives or deletes a repository that a task has made.";
    type Input = Item;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, item: Item) -> Result<NoOutput, ActionError> {
        let url = item.url.as_deref().unwrap_or_default();
        let located = cx.outside.forges.locate(url)?;
        let repository = &located.source.repository;
        let collaboration = located.forge.collaboration().ok_or_else(|| {
            ActionError::Input(format!(
                "the portal cannot remove repositories of {}; do it there",
                repository.forge
            ))
        })?;
        let name = &item.reference;
        let gone = match located.forge.repository(repository).await {
            Ok(info) if !item.may_be_from(info.created_at) => {
                return Err(ActionError::Settled(format!(
                    "the repository {name} was made anew since the task did; remove it at {url} where that is wanted"
                )));
            }
            Ok(_) => false,
            Err(ScmError::NotFound { .. }) => true,
            Err(error) => return Err(error.into()),
        };
        let (removed, words) = match (gone, item.fate) {
            (true, _) => (Removed::Deleted, "is gone already"),
            (false, Fate::Archive) => {
                let archived = RepositorySettings {
                    archived: Some(true),
                    ..RepositorySettings::default()
                };
                collaboration.update_repository(repository, &archived).await?;
                (Removed::Archived, "is archived")
            }
            (false, _) => match collaboration.delete_repository(repository).await {
                // Deleted by an earlier run whose answer was lost.
                Ok(()) | Err(ScmError::NotFound { .. }) => (Removed::Deleted, "is deleted"),
                Err(error) => return Err(error.into()),
            },
        };
        cx.removed(item.task, EffectKind::Repository, name, removed).await?;
        cx.log(format!("The repository {name} {words}"));
        Ok(NoOutput {})
    }
}
