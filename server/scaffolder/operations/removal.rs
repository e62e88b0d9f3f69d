//! "Remove what this created": the plan, and the task that carries it out.

use serde_json::{Value, json};
use uuid::Uuid;

use super::TaskError;
use crate::auth::Caller;
use crate::gitops::Connection;
use crate::ids::new_id;
use crate::language::{Text, counted, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::actions::Item;
use crate::scaffolder::model::{Effect, EffectKind, Fate, Removed, Step, Task, TaskSpec};
use crate::scaffolder::queries::{self, NewTask};
use crate::scm::ScmError;

/// What would be removed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub task: Task,
    pub items: Vec<Planned>,
    /// The task that is removing it just now.
    pub running: Option<Uuid>,
}

/// One thing that the task has made.
#[derive(Debug, Clone)]
pub struct Planned {
    pub effect: Effect,
    /// How it is now, and what there is to know before one decides.
    pub state: Vec<Text>,
    /// What can become of it, the proposed one first; empty where nothing can be done here.
    pub fates: &'static [Fate],
}

impl Planned {
    /// What a choice about it is named by.
    pub fn key(&self) -> String {
        format!("{}:{}", self.effect.kind, self.effect.reference)
    }
}

const APPLICATION: &[Fate] = &[Fate::WithResources, Fate::WithoutResources, Fate::Keep];
const REPOSITORY: &[Fate] = &[Fate::Archive, Fate::Delete, Fate::Keep];
const ARCHIVED: &[Fate] = &[Fate::Keep, Fate::Delete];
const LOCATION: &[Fate] = &[Fate::Delete, Fate::Keep];

impl Scaffolder {
    /// What could be removed of what a task has made, and how it is now.
    pub async fn removal_plan(&self, caller: &Caller, id: Uuid) -> Result<Plan, TaskError> {
        let task = self.get_task(caller, id).await?;
        if !task.status.is_final() {
            return Err(TaskError::Conflict(
                task.status.as_str(),
                "what it creates can be removed when it has ended; cancel it first",
            ));
        }
        let effects = queries::list_effects(self.db(), id).await?;
        let mut items = Vec::with_capacity(effects.len());
        for effect in effects {
            let (state, fates) = match effect.kind {
                _ if effect.removed == Some(Removed::Deleted) => (vec![text!("It was removed.")], [].as_slice()),
                EffectKind::Repository => self.repository_now(&effect).await,
                EffectKind::Application => self.application_now(&effect),
                EffectKind::Location => self.location_now(caller, &effect).await,
                _ => (
                    vec![text!("It stays. Remove it by hand where that is wanted.")],
                    [].as_slice(),
                ),
            };
            items.push(Planned { effect, state, fates });
        }
        items.sort_by_key(|item| order(item.effect.kind));
        let running = queries::find_undoing(self.db(), id).await?;
        Ok(Plan { task, items, running })
    }

    async fn repository_now(&self, effect: &Effect) -> (Vec<Text>, &'static [Fate]) {
        let located = effect.url.as_deref().map(|url| self.outside().forges.locate(url));
        let Some(Ok(located)) = located else {
            return (
                vec![text!("No forge is configured for it any more. Remove it there.")],
                &[],
            );
        };
        if located.forge.collaboration().is_none() {
            return (
                vec![text!(
                    "The portal cannot remove repositories of this forge. Remove it there."
                )],
                &[],
            );
        }
        let fates = match effect.removed {
            Some(Removed::Archived) => ARCHIVED,
            _ => REPOSITORY,
        };
        let state = match located.forge.repository(&located.source.repository).await {
            Ok(_) if effect.removed.is_some() => text!("It is archived."),
            Ok(info) if info.empty => text!("It is empty."),
            Ok(_) => {
                text!("Deleted, it is gone with all that was pushed to it; archived, it can be read and brought back.")
            }
            Err(ScmError::NotFound { .. }) => return (vec![text!("It is gone already.")], &[]),
            Err(error) => text!("Nobody knows how it is: {reason}", reason = error.to_string()),
        };
        (vec![state], fates)
    }

    fn application_now(&self, effect: &Effect) -> (Vec<Text>, &'static [Fate]) {
        let gitops = &self.outside().gitops;
        let Some(application) = gitops.get(&effect.reference) else {
            return match gitops.connection() {
                Connection::Connected => (vec![text!("It is gone already.")], &[]),
                Connection::Disconnected { reason, .. } => (
                    vec![text!("Nobody knows how it is: {reason}", reason = reason)],
                    APPLICATION,
                ),
            };
        };
        let mut state = vec![Text::list(vec![
            application.sync.word().into(),
            application.health.word().into(),
            counted!(application.resources.len(), "{count} resource", "{count} resources"),
        ])];
        let syncs = application
            .operation
            .as_ref()
            .is_some_and(|operation| operation.phase == "Running");
        if syncs {
            state.push(text!("A sync is running. It is ended first."));
        }
        (state, APPLICATION)
    }

    async fn location_now(&self, caller: &Caller, effect: &Effect) -> (Vec<Text>, &'static [Fate]) {
        let catalog = &self.outside().catalog;
        match catalog.location_at(&effect.reference).await {
            Ok(None) => (vec![text!("It is gone already.")], &[]),
            Ok(Some(location)) => match catalog.may_delete(caller, &location) {
                Ok(()) => (
                    vec![counted!(
                        location.entities,
                        "The catalog forgets {count} entity.",
                        "The catalog forgets {count} entities."
                    )],
                    LOCATION,
                ),
                Err(error) => (vec![error.text()], &[]),
            },
            Err(error) => (
                vec![text!("Nobody knows how it is: {reason}", reason = error.to_string())],
                LOCATION,
            ),
        }
    }

    /// Starts the task that removes what was chosen; gives its id. While one runs, that one.
    pub async fn remove_made(
        &self,
        caller: &Caller,
        id: Uuid,
        choose: impl Fn(&Planned) -> Option<Fate>,
    ) -> Result<Uuid, TaskError> {
        let plan = self.removal_plan(caller, id).await?;
        if let Some(running) = plan.running {
            return Ok(running);
        }
        let chosen: Vec<(EffectKind, Item)> = plan
            .items
            .iter()
            .filter_map(|planned| {
                let fate = choose(planned).filter(|fate| *fate != Fate::Keep && planned.fates.contains(fate))?;
                let effect = &planned.effect;
                let item = Item {
                    task: id,
                    reference: effect.reference.clone(),
                    url: effect.url.clone(),
                    made_at: effect.created_at,
                    fate,
                };
                Some((effect.kind, item))
            })
            .collect();
        if chosen.is_empty() {
            return Err(TaskError::NothingToRemove);
        }
        let steps = (0..)
            .zip(&chosen)
            .map(|(at, (kind, item))| step(at, *kind, item))
            .collect();
        let items: Vec<&Item> = chosen.iter().map(|(_, item)| item).collect();
        let mut info = plan.task.spec.template_info.clone();
        info.entity =
            json!({"metadata": {"name": "removal", "title": format!("Removal of what {} has made", plan.task.title)}});
        let spec = TaskSpec {
            api_version: plan.task.spec.api_version.clone(),
            steps,
            parameters: json!({"items": items}),
            output: json!({}),
            user: self.spec_user(caller).await,
            template_info: info,
            recovery: None,
        };
        let removal = new_id(self.clock());
        let new = NewTask {
            id: removal,
            title: &format!("Remove {}", plan.task.title)
                .chars()
                .take(200)
                .collect::<String>(),
            spec: &spec,
            created_by: &caller.actor(),
            created_at: self.clock().now(),
            undoes: Some(id),
            has_secrets: false,
            secrets: None,
        };
        if let Err(error) = queries::insert_task(self.db(), &new).await {
            // Pressed twice at once: one of them is first.
            return match queries::find_undoing(self.db(), id).await? {
                Some(running) => Ok(running),
                None => Err(error.into()),
            };
        }
        tracing::info!(task = %removal, removes = %id, actor = %caller.actor(), "removal started");
        Ok(removal)
    }
}

/// What runs goes before what it is made from, and the catalog is told before its source goes.
fn order(kind: EffectKind) -> u8 {
    match kind {
        EffectKind::Application => 0,
        EffectKind::Location => 1,
        EffectKind::Repository => 2,
        EffectKind::Project | EffectKind::Object | EffectKind::PullRequest | EffectKind::Issue => 3,
    }
}

/// The item itself comes in as an answer: names in it are never taken for expressions.
fn step(at: usize, kind: EffectKind, item: &Item) -> Step {
    let (action, name) = match kind {
        EffectKind::Application => ("portico:remove:application", "Removing the Application"),
        EffectKind::Location => ("portico:remove:location", "Taking it out of the catalog"),
        _ if item.fate == Fate::Archive => ("portico:remove:repository", "Archiving the repository"),
        _ => ("portico:remove:repository", "Deleting the repository"),
    };
    Step {
        id: format!("remove-{}", at + 1),
        name: name.to_owned(),
        action: action.to_owned(),
        input: Some(Value::String(format!("${{{{ parameters.items[{at}] }}}}"))),
        condition: None,
        each: None,
        other: serde_json::Map::new(),
    }
}
