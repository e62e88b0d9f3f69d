//! Actions: what a step can do. An action is one file here and one line in [`shipped`].
//!
//! **Actions are idempotent**: a step that was running when its worker died is run again, and has to find
//! its own result. [`Context::intend`] records what it is about to do; [`Context::effect`] what it did.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

mod alias;
mod catalog_fetch;
mod catalog_register;
mod catalog_write;
mod cnoe;
mod context;
mod create_argocd_app;
mod debug_log;
mod debug_wait;
mod error;
mod fetch_plain;
mod fetch_plain_file;
mod fetch_template;
mod fetch_template_file;
mod files;
mod fs_delete;
mod fs_readdir;
mod fs_rename;
mod git;
mod gitea;
mod github;
#[cfg(test)]
mod hostile;
mod proposing;
mod publishing;
mod remove;
mod roadie;
mod skeleton;
mod target;
#[cfg(test)]
mod testing;
mod tree;
mod wait;
mod workspace_template;
mod workspace_template_file;

use alias::Alias;
pub use context::{Context, Intent, Surroundings, join};
pub use error::{ActionError, Pause};
pub use remove::{Item, removing};
pub use skeleton::{Plan as SkeletonPlan, Rendering as SkeletonRendering};

use crate::language::Text;
use crate::scaffolder::Outside;

/// An example of an action's use, shown on the actions page.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Example {
    pub description: &'static str,
    /// Steps as YAML.
    pub example: &'static str,
}

/// The output of actions that have none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NoOutput {}

/// Something that would fail, known before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// Key of the action's input that it is about.
    pub key: &'static str,
    pub message: Text,
}

/// A system that would know whether something fails could not be asked: what is open, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked(pub Text);

/// What a step can do.
#[async_trait::async_trait]
pub trait Action: Send + Sync + 'static {
    /// As templates name it.
    const ID: &'static str;
    const DESCRIPTION: &'static str;
    const EXAMPLES: &'static [Example] = &[];
    /// A dry run runs it, too: it changes nothing but the workspace, or obeys [`Context::dry_run`].
    const DRY_RUN: bool = false;
    type Input: DeserializeOwned + JsonSchema + Send;
    type Output: Serialize + JsonSchema;

    /// Does it, or finds that it is done. May be dropped at any await when the task is cancelled.
    async fn run(&self, cx: &Context, input: Self::Input) -> Result<Self::Output, ActionError>;

    /// What would fail, told from the part of the input that is known (an object; keys that depend on other
    /// steps are missing). Changes nothing; a system that cannot be asked stands in nobody's way.
    async fn precheck(&self, _outside: &Outside, _input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        Ok(Vec::new())
    }
}

/// An action behind a pointer: input and output as JSON.
#[async_trait::async_trait]
pub trait AnyAction: Send + Sync {
    fn id(&self) -> &'static str;
    fn description(&self) -> &'static str;
    fn examples(&self) -> &'static [Example];
    /// See [`Action::DRY_RUN`].
    fn supports_dry_run(&self) -> bool;
    /// JSON Schemas of input and output.
    fn schemas(&self) -> (Value, Value);
    async fn run(&self, cx: &Context, input: Value) -> Result<Value, ActionError>;
    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked>;
}

#[async_trait::async_trait]
impl<A: Action> AnyAction for A {
    fn id(&self) -> &'static str {
        A::ID
    }

    fn description(&self) -> &'static str {
        A::DESCRIPTION
    }

    fn examples(&self) -> &'static [Example] {
        A::EXAMPLES
    }

    fn supports_dry_run(&self) -> bool {
        A::DRY_RUN
    }

    fn schemas(&self) -> (Value, Value) {
        (schema::<A::Input>(), schema::<A::Output>())
    }

    async fn run(&self, cx: &Context, input: Value) -> Result<Value, ActionError> {
        let input = serde_json::from_value(input)
            .map_err(|error| ActionError::Input(format!("Invalid input passed to action {}: {error}", A::ID)))?;
        let output = Action::run(self, cx, input).await?;
        serde_json::to_value(output).map_err(|error| ActionError::Failed(format!("its output cannot be kept: {error}")))
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        Action::precheck(self, outside, input).await
    }
}

/// Draft 7, which the field's forms and tools understand.
fn schema<T: JsonSchema>() -> Value {
    schemars::generate::SchemaSettings::draft07()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The actions that a template may use, by id.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn AnyAction>>);

impl Registry {
    pub fn new(actions: impl IntoIterator<Item = Arc<dyn AnyAction>>) -> Self {
        Self(actions.into_iter().map(|action| (action.id(), action)).collect())
    }

    pub fn find(&self, id: &str) -> Option<&Arc<dyn AnyAction>> {
        self.0.get(id)
    }

    /// In the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn AnyAction>> {
        self.0.values()
    }

    /// The actions as `GET /v2/actions` answers them.
    pub fn to_wire(&self) -> Value {
        self.iter()
            .map(|action| {
                let (input, output) = action.schemas();
                let mut wire = json!({
                    "id": action.id(),
                    "description": action.description(),
                    "schema": {"input": input, "output": output},
                });
                if !action.examples().is_empty() {
                    wire["examples"] = json!(action.examples());
                }
                wire
            })
            .collect()
    }
}

/// What is wrong with the JSONata expression of an action's input; `None` for actions that take none.
pub fn jsonata_problem(action: &str, input: &Value) -> Option<String> {
    action
        .starts_with("roadiehq:utils:jsonata")
        .then(|| roadie::jsonata_problem(input))?
}

/// Every action that Portico ships.
pub fn shipped() -> Registry {
    let apply: Arc<dyn AnyAction> = Arc::new(cnoe::KubernetesApply);
    let actions: Vec<Arc<dyn AnyAction>> = vec![
        Arc::new(catalog_fetch::CatalogFetch),
        Arc::new(catalog_register::CatalogRegister),
        Arc::new(catalog_write::CatalogWrite),
        Arc::new(cnoe::Sanitize),
        Arc::new(cnoe::VerifyDependency),
        Arc::new(Alias("kube:apply", apply.clone())),
        apply,
        Arc::new(create_argocd_app::CreateArgocdApp),
        Arc::new(debug_log::DebugLog),
        Arc::new(debug_wait::DebugWait),
        Arc::new(fetch_plain::FetchPlain),
        Arc::new(fetch_plain_file::FetchPlainFile),
        Arc::new(fetch_template::FetchTemplate),
        Arc::new(fetch_template_file::FetchTemplateFile),
        Arc::new(fs_delete::FsDelete),
        Arc::new(fs_readdir::FsReaddir),
        Arc::new(fs_rename::FsRename),
        Arc::new(gitea::CreateIssue),
        Arc::new(gitea::EnsureWebhook),
        Arc::new(gitea::PublishGitea),
        Arc::new(gitea::PublishPullRequest),
        Arc::new(gitea::SetSecret),
        Arc::new(gitea::SetVariable),
        Arc::new(gitea::UpdateRepository),
        Arc::new(github::CreateRepository),
        Arc::new(github::PublishGithub),
        Arc::new(github::PublishPullRequest),
        Arc::new(github::PushRepository),
        Arc::new(roadie::AppendFile),
        Arc::new(roadie::CreateResources),
        Arc::new(roadie::HttpRequest),
        Arc::new(roadie::Jsonata),
        Arc::new(roadie::JsonataJson),
        Arc::new(roadie::JsonataYaml),
        Arc::new(roadie::Merge),
        Arc::new(roadie::MergeJson),
        Arc::new(roadie::ParseFile),
        Arc::new(roadie::ReplaceInFiles),
        Arc::new(roadie::SerializeJson),
        Arc::new(roadie::SerializeYaml),
        Arc::new(roadie::Sleep),
        Arc::new(roadie::WriteFile),
        Arc::new(roadie::Zip),
        Arc::new(wait::WaitForApplication),
        Arc::new(wait::WaitForApproval),
        Arc::new(wait::WaitForPullRequest),
        Arc::new(workspace_template::WorkspaceTemplate),
        Arc::new(workspace_template_file::WorkspaceTemplateFile),
    ];
    Registry::new(actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_tells_its_input_and_output() {
        for action in shipped().to_wire().as_array().unwrap() {
            assert_eq!(action["schema"]["input"]["type"], "object", "{}", action["id"]);
            assert!(action["schema"]["output"].is_object(), "{}", action["id"]);
        }
    }

    #[test]
    fn examples_are_steps_that_the_action_takes() {
        let actions = shipped();
        for action in actions.iter() {
            let (schema, _) = action.schemas();
            for example in action.examples() {
                let steps = crate::scaffolder::yaml::read(example.example).unwrap();
                let steps = steps["steps"].as_array().unwrap();
                assert!(
                    steps.iter().any(|step| step["action"] == action.id()),
                    "{}",
                    action.id()
                );
                for step in steps.iter().filter(|step| step["action"] == action.id()) {
                    let input = step["input"].as_object().unwrap();
                    let missing = schema["required"].as_array().into_iter().flatten();
                    let missing: Vec<_> = missing
                        .filter(|key| !input.contains_key(key.as_str().unwrap()))
                        .collect();
                    assert!(missing.is_empty(), "{}: {missing:?}", action.id());
                }
                assert!(
                    steps
                        .iter()
                        .all(|step| actions.find(step["action"].as_str().unwrap()).is_some())
                );
            }
        }
    }
}
