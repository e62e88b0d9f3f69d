//! `argocd:create-resources` of `@roadiehq/scaffolder-backend-argocd` 1.8.1.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::gitops::{NewApplication, NewProject};
use crate::scaffolder::Outside;
use crate::scaffolder::actions::create_argocd_app::{application_problems, create};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, NoOutput, Unchecked};

/// `argocd:create-resources`: an Argo CD project for one repository and namespace, and an Application in it.
pub struct CreateResources;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Name of the Application.
    app_name: String,
    /// Name of the Argo CD instance, as configured.
    argo_instance: String,
    /// Namespace that the manifests are put into; it is not created.
    namespace: String,
    /// Repository that Argo CD reads.
    repo_url: String,
    /// Folder with the manifests.
    path: String,
    /// Value of the label `backstage-name`; the Application's name by default.
    label_value: Option<String>,
    /// Name of the Argo CD project; the Application's by default.
    project_name: Option<String>,
}

#[async_trait::async_trait]
impl Action for CreateResources {
    const ID: &'static str = "argocd:create-resources";
    const DESCRIPTION: &'static str = "Creates an Argo CD project for one repository and namespace, and an Application in it. A project of \
                                       the name that says the same is used; one that says something else is not changed.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Deploy the folder manifests, in a project of its own",
        example: "\
steps:
  - id: deploy
    action: argocd:create-resources
    input:
      appName: ${{ parameters.name }}
      argoInstance: in-cluster
      namespace: ${{ parameters.name }}
      repoUrl: ${{ steps.publish.output.remoteUrl }}
      path: manifests
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let new = NewApplication {
            project: given(input.project_name).unwrap_or_else(|| input.app_name.clone()),
            label_value: given(input.label_value),
            instance: input.argo_instance,
            app_name: input.app_name,
            app_namespace: input.namespace,
            repo_url: input.repo_url,
            path: input.path,
            server_side_apply: true,
            task: cx.task_id.to_string(),
            step: cx.step_key(),
        };
        let project = NewProject {
            instance: new.instance.clone(),
            name: new.project.clone(),
            namespace: new.app_namespace.clone(),
            repo_url: new.repo_url.clone(),
        };
        create(cx, &new, Some(&project)).await?;
        Ok(NoOutput {})
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        application_problems(outside, input).await
    }
}
