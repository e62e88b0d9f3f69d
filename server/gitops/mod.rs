//! Port to Argo CD: Applications are listed and watched into a store and never asked for per page;
//! they are created through the Kubernetes API, or through Argo CD's own where an account for it is configured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use url::Url;

use crate::clock::Clock;
use crate::kubernetes::Cluster;
use crate::telemetry;

mod create;
mod error;
mod examine;
mod model;
mod project;
mod remove;
mod rest;
mod store;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use create::{Created, NewApplication, name_problem};
pub use error::GitOpsError;
pub use examine::Examined;
pub use model::{Application, Asked, Condition, HealthStatus, HistoryEntry, Operation, Resource, SyncStatus};
pub use project::NewProject;
pub use remove::{Maker, Removal};
pub use store::{Change, Connection};

use rest::{Account, ArgoApi};
use store::Store;

/// Who wrote a field, for Kubernetes.
const FIELD_MANAGER: &str = "portico";
/// Asks Argo CD's controller to compare now; it removes the annotation when it has.
const REFRESH: &str = "argocd.argoproj.io/refresh";
/// One request to the Kubernetes API.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Where Applications live and who creates them.
#[derive(Debug, Clone)]
pub struct GitOpsSettings {
    /// Namespace of the Applications; `argocd` unless configured otherwise.
    pub namespace: String,
    /// `argocd.appLocatorMethods[].instances`, in order.
    pub instances: Vec<InstanceSettings>,
    /// `argocd.projectSettings`: what a new project's specification says besides.
    pub project_settings: serde_json::Map<String, Value>,
}

impl Default for GitOpsSettings {
    fn default() -> Self {
        Self {
            namespace: "argocd".to_owned(),
            instances: Vec::new(),
            project_settings: serde_json::Map::new(),
        }
    }
}

/// One Argo CD.
#[derive(Clone, Default)]
pub struct InstanceSettings {
    pub name: String,
    /// Its address, for its API and for links; a path such as `/argocd` is part of it.
    pub url: Option<String>,
    /// The instance's own, else `argocd.username`.
    pub username: Option<String>,
    pub password: Option<String>,
    /// Wins over user name and password.
    pub token: Option<String>,
}

impl fmt::Debug for InstanceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceSettings")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The settings of an instance cannot work; the text names the instance and the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("argocd instance {instance}: {reason}")]
pub struct GitOpsSettingsError {
    pub instance: String,
    pub reason: String,
}

/// The port. Cheap to clone; all clones share one store.
#[derive(Clone)]
pub struct GitOps {
    inner: Arc<Inner>,
}

struct Inner {
    settings: GitOpsSettings,
    instances: Vec<Instance>,
    cluster: Option<Cluster>,
    store: Store,
    clock: Clock,
}

struct Instance {
    name: String,
    url: Option<Url>,
    /// Where an account is configured.
    api: Option<ArgoApi>,
}

impl GitOps {
    /// `cluster` is where the Applications are watched; without it Argo CD's own API is asked every few seconds.
    /// Nothing is sent before [`GitOps::run`] or a request.
    pub fn new(
        settings: GitOpsSettings,
        cluster: Option<Cluster>,
        http: reqwest::Client,
        clock: Clock,
    ) -> Result<Self, GitOpsSettingsError> {
        let instances = settings
            .instances
            .iter()
            .map(|instance| Instance::new(instance, &http))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            inner: Arc::new(Inner {
                store: Store::new(clock.now(), "nothing has been read yet"),
                settings,
                instances,
                cluster,
                clock,
            }),
        })
    }

    /// The Application as last seen.
    pub fn get(&self, name: &str) -> Option<Arc<Application>> {
        self.inner.store.get(name)
    }

    /// All Applications as last seen, by name.
    pub fn list(&self) -> Vec<Arc<Application>> {
        self.inner.store.list()
    }

    /// Those with a source whose `repoURL` the predicate accepts.
    pub fn for_repository(&self, is_it: impl Fn(&str) -> bool) -> Vec<Arc<Application>> {
        let mut list = self.list();
        list.retain(|application| application.repo_urls.iter().any(|url| is_it(url)));
        list
    }

    /// Told of every change from now on. After `Lagged` everything may have changed.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.inner.store.subscribe()
    }

    /// Whether what is stored is the state of now.
    pub fn connection(&self) -> Connection {
        self.inner.store.connection()
    }

    /// Creates the Application, through Argo CD's own API where the instance has an account, else through the
    /// Kubernetes API. A repeated call of the same task and step finds its own; any other of the name is a `Conflict`.
    pub async fn create(&self, new: &NewApplication) -> Result<Created, GitOpsError> {
        let instance = self.instance(&new.instance)?;
        match &instance.api {
            Some(api) => api.create(new).await,
            None => self.create_in_cluster(instance, new).await,
        }
    }

    /// There is an Application of this name now, whoever made it. For checks before anything is created.
    pub async fn exists(&self, instance: &str, name: &str) -> Result<bool, GitOpsError> {
        let instance = self.instance(instance)?;
        if self.get(name).is_some() {
            return Ok(true);
        }
        match &instance.api {
            Some(api) => Ok(api.find(name, None).await?.is_some()),
            None => Ok(self.find_in_cluster(instance, name).await?.is_some()),
        }
    }

    /// Has every Application with a source that the predicate accepts compared with its repository now, because it
    /// was pushed to. Answers how many were asked; the first failure is reported after all were tried.
    pub async fn refresh_repository(&self, is_it: impl Fn(&str) -> bool) -> Result<usize, GitOpsError> {
        let mut refreshed = 0;
        let mut failure = None;
        for application in self.for_repository(is_it) {
            match self.refresh(&application.name).await {
                Ok(()) => refreshed += 1,
                // It was deleted meanwhile.
                Err(GitOpsError::NotFound { .. }) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(refreshed), Err)
    }

    /// Has one Application compared with its repository now.
    pub async fn refresh(&self, name: &str) -> Result<(), GitOpsError> {
        let answer = self.ask_to_compare(name).await;
        let taken = matches!(answer, Ok(()) | Err(GitOpsError::NotFound { .. }));
        self.inner.store.asked(name, taken, self.inner.clock.now());
        answer
    }

    /// Whether Argo CD was asked to compare it and has not: its controller has not answered, or nobody took the request.
    pub fn asked(&self, application: &Application) -> Option<Asked> {
        let unanswered = || {
            let since = self.inner.store.unanswered(&application.name)?;
            let compared = application.reconciled_at.is_some_and(|at| at >= since);
            (!compared).then_some(Asked { since: Some(since) })
        };
        application.asked.or_else(unanswered)
    }

    async fn ask_to_compare(&self, name: &str) -> Result<(), GitOpsError> {
        let what = format!("Application {name}");
        let refused = match (self.applications_api(), &self.inner.cluster) {
            (Some(api), Some(cluster)) => {
                let patch = Patch::Merge(json!({"metadata": {"annotations": {REFRESH: "normal"}}}));
                let parameters = PatchParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                match in_time(&cluster.name, &what, api.patch(name, &parameters, &patch)).await {
                    Ok(_) => return Ok(()),
                    Err(error @ GitOpsError::Denied { .. }) => error,
                    Err(error) => return Err(error),
                }
            }
            _ => GitOpsError::Denied {
                instance: "Argo CD".to_owned(),
                reason: "neither a cluster nor an Argo CD account is configured".to_owned(),
            },
        };
        match self.apis().next() {
            Some(api) => api.refresh(name).await,
            None => Err(refused),
        }
    }

    /// Name of the instance that is used where nothing names one.
    pub fn default_instance(&self) -> Option<&str> {
        self.inner.instances.first().map(|instance| instance.name.as_str())
    }

    async fn create_in_cluster(&self, instance: &Instance, new: &NewApplication) -> Result<Created, GitOpsError> {
        let api = self.needed_api(instance)?;
        let object: DynamicObject = serde_json::from_value(new.body()).map_err(|error| GitOpsError::Unexpected {
            instance: instance.name.clone(),
            reason: error.to_string(),
        })?;
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        // Not an apply: that would take over an Application of the same name that somebody else made.
        match in_time(&instance.name, &new.what(), api.create(&parameters, &object)).await {
            Ok(_) => Ok(Created { already: false }),
            Err(conflict @ GitOpsError::Conflict { .. }) => {
                match self.find_in_cluster(instance, &new.app_name).await? {
                    Some(existing) if new.made(&existing) => Ok(Created { already: true }),
                    _ => Err(conflict),
                }
            }
            Err(GitOpsError::NotFound { instance, .. }) => Err(GitOpsError::NotFound {
                instance,
                what: format!("Argo CD or its namespace {}", self.inner.settings.namespace),
            }),
            Err(error) => Err(error),
        }
    }

    async fn find_in_cluster(&self, instance: &Instance, name: &str) -> Result<Option<Value>, GitOpsError> {
        let api = self.needed_api(instance)?;
        let what = format!("Application {name}");
        let found = in_time(&instance.name, &what, api.get_opt(name)).await?;
        Ok(found.and_then(|object| serde_json::to_value(object).ok()))
    }

    fn instance(&self, name: &str) -> Result<&Instance, GitOpsError> {
        let known = &self.inner.instances;
        known.iter().find(|instance| instance.name == name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|instance| instance.name.as_str()).collect();
            GitOpsError::NotFound {
                instance: "argocd.appLocatorMethods".to_owned(),
                what: match names.as_slice() {
                    [] => format!("the Argo CD instance {name} (none is configured)"),
                    names => format!("the Argo CD instance {name} (there are: {})", names.join(", ")),
                },
            }
        })
    }

    fn needed_api(&self, instance: &Instance) -> Result<Api<DynamicObject>, GitOpsError> {
        self.applications_api().ok_or_else(|| Self::without_account(instance))
    }

    fn without_account(instance: &Instance) -> GitOpsError {
        GitOpsError::Denied {
            instance: instance.name.clone(),
            reason:
                "it has no account (username and password, or token), and no cluster is configured under kubernetes"
                    .to_owned(),
        }
    }

    fn applications_api(&self) -> Option<Api<DynamicObject>> {
        let cluster = self.inner.cluster.as_ref()?;
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
        let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
        Some(Api::namespaced_with(
            cluster.client.clone(),
            &self.inner.settings.namespace,
            &resource,
        ))
    }

    fn apis(&self) -> impl Iterator<Item = &ArgoApi> {
        self.inner.instances.iter().filter_map(|instance| instance.api.as_ref())
    }

    fn parse(&self, object: &Value) -> Option<Application> {
        let base = self.inner.instances.iter().find_map(|instance| instance.url.as_ref());
        Application::from_json(object, |namespace, name| {
            let mut url = base?.clone();
            url.path_segments_mut()
                .ok()?
                .pop_if_empty()
                .extend(["applications", namespace, name]);
            Some(url.into())
        })
    }
}

impl Instance {
    fn new(settings: &InstanceSettings, http: &reqwest::Client) -> Result<Self, GitOpsSettingsError> {
        let fail = |reason: String| GitOpsSettingsError {
            instance: settings.name.clone(),
            reason,
        };
        let url = match &settings.url {
            None => None,
            Some(text) => {
                // Both forms are found in the wild: with and without the path of the API.
                let text = text.trim_end_matches('/').trim_end_matches("/api/v1");
                let url = Url::parse(text).map_err(|error| fail(format!("url {text:?} is not a URL: {error}")))?;
                if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
                    return Err(fail(
                        "url must start with http:// or https:// and must not contain credentials".to_owned(),
                    ));
                }
                Some(url)
            }
        };
        let account = match (&settings.token, &settings.username, &settings.password) {
            (Some(token), ..) => Some(Account::Token(token.clone())),
            (None, Some(username), Some(password)) => Some(Account::Password {
                username: username.clone(),
                password: password.clone(),
            }),
            _ => None,
        };
        let api = match (&url, account) {
            (Some(url), Some(account)) => Some(ArgoApi::new(settings.name.clone(), url.clone(), account, http.clone())),
            _ => None,
        };
        Ok(Self {
            name: settings.name.clone(),
            url,
            api,
        })
    }
}

/// One request to the Kubernetes API, bounded in time.
async fn in_time<T>(
    instance: &str,
    what: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, GitOpsError> {
    match telemetry::outside(tokio::time::timeout(ANSWER_TIME, request)).await {
        Ok(answer) => answer.map_err(|error| GitOpsError::from_kube(instance, what, &error)),
        Err(_) => Err(GitOpsError::Unavailable {
            instance: instance.to_owned(),
            reason: format!("no answer about {what} within {} s", ANSWER_TIME.as_secs()),
        }),
    }
}
