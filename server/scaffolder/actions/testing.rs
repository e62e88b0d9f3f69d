//! For tests: an action's surroundings without a task, a database or anything outside.

use std::sync::Arc;

use serde_json::Value;

use super::{Action, ActionError, AnyAction, Context, Surroundings};
use crate::clock::Clock;
use crate::scaffolder::engine::{Journal, Redactor, Workspace, write_file};
use crate::scaffolder::{Outside, Settings, testing};
use crate::scm::TreeFile;

/// A workspace with these files, and nothing outside.
pub fn bench(files: &[(&str, &str)]) -> Context {
    bench_with(files, testing::nothing_outside())
}

/// As [`bench`], with something outside.
pub fn bench_with(files: &[(&str, &str)], outside: Outside) -> Context {
    let settings = Settings::default();
    let workspace = Workspace::open(&std::env::temp_dir(), 1024 * 1024, None).unwrap();
    for (path, content) in files {
        write_file(&workspace.path().join(path), content.as_bytes(), false).unwrap();
    }
    let clock = Clock::system();
    Context {
        task_id: uuid::Uuid::nil(),
        step_id: "step".to_owned(),
        iteration: None,
        actor: "user:default/user1".to_owned(),
        task_created_at: clock.now(),
        now: clock.now(),
        base_url: None,
        template_ref: "template:default/test".to_owned(),
        dry_run: false,
        alone: false,
        strict: false,
        beside: None,
        workspace: Arc::new(workspace),
        outside,
        settings: Arc::new(settings),
        journal: Arc::new(Journal::rehearsal(clock, Redactor::default())),
    }
}

/// The same with files beside the template, as a dry run has them.
pub fn beside(cx: Context, files: &[(&str, &str)]) -> Context {
    let files = files.iter().map(|(path, content)| TreeFile {
        path: (*path).to_owned(),
        executable: false,
        link: None,
        content: content.as_bytes().to_vec().into(),
    });
    Context {
        beside: Some(Arc::new(Surroundings {
            folder: String::new(),
            files: files.collect(),
        })),
        ..cx
    }
}

/// Runs the action as the engine does.
pub async fn run(action: &impl Action, cx: &Context, input: Value) -> Result<Value, ActionError> {
    AnyAction::run(action, cx, input).await
}
