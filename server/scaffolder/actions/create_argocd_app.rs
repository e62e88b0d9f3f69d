use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Action, ActionError, Context, Example, InputProblem, NoOutput, Unchecked};
use crate::gitops::{NewApplication, NewProject, name_problem};
use crate::language::text;
use crate::scaffolder::Outside;
use crate::scaffolder::model::EffectKind;

/// `cnoe:create-argocd-app`: an Argo CD Application that deploys a folder of a repository. Argo CD keeps the
/// task and step that made it, by which a second run finds its own.
pub struct CreateArgocdApp;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Repository that Argo CD reads.
    repo_url: String,
    /// Argo CD project.
    project_name: String,
    /// Name of the Application.
    app_name: String,
    /// Name of the Argo CD instance, as configured.
    argo_instance: String,
    /// Folder with the manifests.
    path: String,
    /// Value of the label `backstage-name`; the Application's name by default.
    label_value: Option<String>,
    /// Namespace that the manifests are put into; it is not created.
    app_namespace: String,
}

#[async_trait::async_trait]
impl Action for CreateArgocdApp {
    const ID: &'static str = "cnoe:create-argocd-app";
    const DESCRIPTION: &'static str = "Creates an Argo CD Application for a repository.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Deploy the folder manifests of a repository",
        example: "steps:\n  - id: create-argocd-app\n    action: cnoe:create-argocd-app\n    input:\n      appName: ${{ parameters.name }}\n      appNamespace: default\n      argoInstance: in-cluster\n      projectName: default\n      repoUrl: ${{ steps.publish.output.remoteUrl }}\n      path: manifests\n",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let new = NewApplication {
            instance: input.argo_instance,
            app_name: input.app_name,
            app_namespace: input.app_namespace,
            project: input.project_name,
            repo_url: input.repo_url,
            path: input.path,
            label_value: input.label_value,
            server_side_apply: false,
            task: cx.task_id.to_string(),
            step: cx.step_key(),
        };
        create(cx, &new, None).await?;
        Ok(NoOutput {})
    }

    async fn precheck(&self, outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        application_problems(outside, input).await
    }
}

/// Creates the Application, after its project where there is one to create.
pub(super) async fn create(
    cx: &Context,
    new: &NewApplication,
    project: Option<&NewProject>,
) -> Result<(), ActionError> {
    if let Some(problem) = name_problem(&new.app_name) {
        return Err(ActionError::Input(format!(
            "\"{}\" is no name for an Application. {problem}",
            new.app_name
        )));
    }
    if let Some(project) = project {
        let is_new = cx.outside.gitops.ensure_project(project).await?;
        let made = if is_new {
            cx.effect(EffectKind::Project, &project.name, None).await?;
            "Created the project"
        } else {
            "There is the project"
        };
        cx.log(format!("{made} {} on {}", project.name, project.instance));
    }
    cx.log(format!("Creating the Application {} on {}", new.app_name, new.instance));
    cx.log(format!("  project    {}", new.project));
    cx.log(format!("  source     {}", new.repo_url));
    cx.log(format!("  path       {}", new.path));
    cx.log(format!("  namespace  {}", new.app_namespace));
    let created = cx.outside.gitops.create(new).await?;
    cx.effect(EffectKind::Application, &new.app_name, None).await?;
    cx.log(if created.already {
        "It was created by an earlier run of this step"
    } else {
        "Created"
    });
    Ok(())
}

/// What would keep an Application of the input's `appName` from being created.
pub(super) async fn application_problems(outside: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
    let Some(name) = input["appName"].as_str().filter(|name| !name.is_empty()) else {
        return Ok(Vec::new());
    };
    let problem = |message| {
        Ok(vec![InputProblem {
            key: "appName",
            message,
        }])
    };
    if let Some(reason) = name_problem(name) {
        return problem(text!(
            "Kubernetes would refuse the name \"{name}\". {reason}",
            name = name,
            reason = reason
        ));
    }
    match outside
        .gitops
        .exists(input["argoInstance"].as_str().unwrap_or_default(), name)
        .await
    {
        Ok(true) => problem(text!(
            "The name is taken: there is an Application {name} in Argo CD already. Choose another.",
            name = name
        )),
        Ok(false) => Ok(Vec::new()),
        Err(error) => Err(Unchecked(text!(
            "Nobody knows yet whether the Application {name} can be created: {reason}",
            name = name,
            reason = error.to_string()
        ))),
    }
}
