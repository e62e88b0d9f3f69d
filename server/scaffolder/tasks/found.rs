//! Tasks by what somebody types, for the search.

use crate::auth::Caller;
use crate::catalog::{EntityRef, SearchFound, SearchHit, SearchSection};
use crate::language::{Text, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::Task;
use crate::scaffolder::queries;
use crate::web::Badge;

/// Tasks that are looked at once the database has found them: of some, only what was typed as a password matches.
const CANDIDATES: i64 = 50;

/// The section "Tasks": the reader's own, or for administrators everybody's.
pub struct FoundTasks(Scaffolder);

impl FoundTasks {
    pub fn new(scaffolder: Scaffolder) -> Self {
        Self(scaffolder)
    }

    async fn list(&self, caller: &Caller, words: &[String]) -> Result<Vec<Task>, sqlx::Error> {
        let own = (!caller.is_admin()).then(|| caller.actor());
        let found = queries::search_tasks(self.0.db(), own.as_deref(), words, CANDIDATES).await?;
        let mut kept = Vec::with_capacity(found.len());
        for task in found {
            let said = said(&task, &task.spec.parameters);
            // What stands outside of the answers is no secret; most tasks end here.
            let outside = self::said(&task, &serde_json::Value::Null);
            let matches = |text: &str| words.iter().all(|word| text.contains(word.as_str()));
            if matches(&outside)
                || (matches(&said) && matches(&self::said(&task, &self.0.shown_answers(&task.spec).await.0)))
            {
                kept.push(task);
            }
        }
        Ok(kept)
    }
}

/// All that a task is found by, in lower case.
fn said(task: &Task, parameters: &serde_json::Value) -> String {
    let mut said = format!(
        "{} {} {} {}",
        task.title, task.spec.template_info.entity_ref, task.id, task.status
    );
    let values = parameters.as_object().into_iter().flatten();
    for (_, value) in values {
        said.push('\n');
        match value {
            serde_json::Value::String(text) => said.push_str(text),
            other => said.push_str(&other.to_string()),
        }
    }
    said.to_lowercase()
}

#[async_trait::async_trait]
impl SearchSection for FoundTasks {
    fn name(&self) -> &'static str {
        "tasks"
    }

    fn title(&self) -> Text {
        text!("Tasks")
    }

    fn icon(&self) -> &'static str {
        "tasks"
    }

    async fn find(&self, caller: &Caller, text: &str, limit: usize) -> SearchFound {
        let words: Vec<String> = text
            .to_lowercase()
            .split_whitespace()
            .take(10)
            .map(str::to_owned)
            .collect();
        let found = self.list(caller, &words).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "tasks cannot be searched");
            Vec::new()
        });
        SearchFound {
            total: found.len(),
            more: Some("/create/tasks".to_owned()),
            hits: found.iter().take(limit).map(hit).collect(),
        }
    }
}

fn hit(task: &Task) -> SearchHit {
    // What it was for: the answer that most templates ask for first.
    let name = task.spec.parameters.get("name").and_then(serde_json::Value::as_str);
    let template = EntityRef::parse(&task.spec.template_info.entity_ref, Some("template"), None)
        .map_or_else(|_| task.spec.template_info.entity_ref.clone(), |template| template.name);
    let state = Badge::task(task.status.as_str()).word;
    SearchHit {
        title: match name {
            Some(name) if !task.title.contains(name) => format!("{}: {name}", task.title),
            _ => task.title.clone(),
        },
        path: format!("/create/tasks/{}", task.id),
        note: Text::list(vec![state, template.into(), task.id.to_string().into()]),
    }
}
