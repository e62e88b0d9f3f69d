use serde_json::{Map, Value};

use super::{StartError, check};
use crate::auth::Caller;
use crate::catalog::Entity;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::actions::Surroundings;
use crate::scaffolder::engine::{Rehearsal, RehearsalError, Rehearsed, rehearse};
use crate::scaffolder::model::Step;
use crate::scaffolder::template::Template;
use crate::scm::TreeFile;

/// What steps see as the template's ref: it need not be in the catalog.
const TEMPLATE_REF: &str = "template:default/dry-run";

/// Why there was no dry run.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Rehearsal(#[from] RehearsalError),
}

impl Scaffolder {
    /// Runs a template without changing anything but a workspace that is thrown away; `files` are those beside
    /// it, `values` and `secrets` are objects. Gives the steps with their defaults, and what became of them.
    pub async fn dry_run(
        &self,
        caller: &Caller,
        template: &Entity,
        values: Value,
        secrets: Map<String, Value>,
        files: Vec<TreeFile>,
    ) -> Result<(Vec<Step>, Rehearsed), DryRunError> {
        let mut template = Template::read(template).map_err(StartError::BrokenTemplate)?;
        template.info.entity_ref = TEMPLATE_REF.to_owned();
        let problems = check::answers(&template, &values, &secrets);
        if !problems.is_empty() {
            return Err(StartError::Invalid(problems).into());
        }
        let steps = template.steps.clone();
        let rehearsal = Rehearsal {
            spec: self.spec(caller, template, values).await,
            secrets: Value::Object(secrets),
            beside: Surroundings {
                folder: String::new(),
                files,
            },
            actor: caller.actor(),
            alone: false,
        };
        Ok((steps, rehearse(self, rehearsal).await?))
    }
}
