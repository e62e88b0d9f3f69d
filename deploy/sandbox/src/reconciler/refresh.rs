//! Bringing the status of an Application up to date, and starting an automated sync where one is due.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Again, Level, Reconciler,
    application::{Application, IN_CLUSTER, NAMESPACE, REFRESH, modify, set_conditions, time},
    comparison::{self, Resource, Target},
    git::Login,
    health::Health,
    manifests,
};
use crate::kubernetes::{selectors::Selector, status::Status, writes::now};

/// How soon after a sync a drift is healed, first time and at most.
const HEAL_AFTER: Duration = Duration::from_secs(1);
const HEAL_AFTER_AT_MOST: Duration = Duration::from_secs(300);

/// What an Application wants, as far as it could be found out.
pub(super) struct Wanted {
    pub(super) revision: String,
    pub(super) targets: Vec<Target>,
    pub(super) images: Vec<String>,
}

/// What a look at an Application found.
struct Found {
    sync: &'static str,
    health: Health,
    revision: String,
    resources: Vec<Resource>,
    images: Vec<String>,
    conditions: Vec<(&'static str, String)>,
}

impl Reconciler {
    /// Compares and writes the status; removes the refresh annotation with the same write.
    pub(super) async fn refresh(&self, application: &Application, level: Level) -> Result<Again, Status> {
        let asked = application.refresh();
        let source_changed = application.0["status"]["sync"]["comparedTo"]["source"] != *application.source();
        let level = if asked.is_some() || source_changed {
            Level::Latest
        } else {
            level
        };
        if asked == Some("hard") {
            self.remember(application.name(), |memory| memory.manifests = None);
        }
        let found = match check_spec(self, application) {
            Err(message) => Found {
                sync: "Unknown",
                health: Health::Unknown,
                revision: String::new(),
                resources: comparison::live_resources(&self.cluster, application.name()),
                images: Vec::new(),
                conditions: vec![("InvalidSpecError", message)],
            },
            Ok(()) => match self.wanted(application, "", level).await {
                Ok(wanted) => self.compared(application, wanted),
                Err(failure) => {
                    let resources = comparison::live_resources(&self.cluster, application.name());
                    let message = format!(
                        "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = \
                         Unknown desc = {failure}"
                    );
                    Found {
                        sync: "Unknown",
                        health: comparison::worst_health(&resources),
                        revision: String::new(),
                        resources,
                        images: Vec::new(),
                        conditions: vec![("ComparisonError", message)],
                    }
                }
            },
        };
        let plan = self.plan_sync(application, &found);
        let Some(written) = self.write(application, &found, &plan, level)? else {
            return Ok(None);
        };
        if written.is_deleting() {
            return Ok(Some((Duration::ZERO, Level::Live)));
        }
        // A look at live objects must not put off the next look at the repository.
        let resync = time(&written.0["status"]["reconciledAt"]).and_then(|at| (Utc::now() - at).to_std().ok());
        let resync = self.settings.resync.saturating_sub(resync.unwrap_or_default());
        match plan {
            Plan::Start(operation) => {
                modify(&self.cluster, application.name(), |object| {
                    if object["operation"].is_null() {
                        object["operation"] = operation.clone();
                    }
                })?;
                Ok(Some((resync, Level::Latest)))
            }
            Plan::Later(pause) if pause < resync => Ok(Some((pause, Level::Live))),
            Plan::Later(_) | Plan::Nothing(_) => Ok(Some((resync, Level::Latest))),
        }
    }

    /// What the repository says at a revision (empty: the Application's own).
    pub(super) async fn wanted(
        &self,
        application: &Application,
        revision: &str,
        level: Level,
    ) -> Result<Wanted, String> {
        let source = application.source();
        let text = |field: &str| source[field].as_str().unwrap_or_default();
        let repository = text("repoURL");
        let login = self.login(repository);
        let memory = self.recall(application.name()).manifests;
        let known = memory.filter(|(of, commit, _)| of == source && (revision.is_empty() || revision == commit));
        let (commit, read) = match known {
            Some((_, commit, read)) if level == Level::Live => (commit, read),
            known => {
                let wanted = if revision.is_empty() {
                    text("targetRevision")
                } else {
                    revision
                };
                let commit = self.repositories.resolve(repository, wanted, login.as_ref()).await?;
                match known.filter(|(_, known, _)| *known == commit) {
                    Some((_, _, read)) => (commit, read),
                    None => {
                        if !source["helm"].is_null() || !source["kustomize"].is_null() || !source["chart"].is_null() {
                            return Err("only plain manifests are supported by this sandbox".into());
                        }
                        let recurse = source["directory"]["recurse"] == true;
                        let files = self
                            .repositories
                            .files(repository, &commit, text("path"), recurse, login.as_ref())
                            .await?;
                        let read = Arc::new(manifests::parse(&files)?);
                        let entry = (source.clone(), commit.clone(), read.clone());
                        self.remember(application.name(), |memory| memory.manifests = Some(entry));
                        (commit, read)
                    }
                }
            }
        };
        let targets = comparison::targets(&self.cluster, application, &read)?;
        Ok(Wanted {
            revision: commit,
            targets,
            images: manifests::images(&read),
        })
    }

    fn compared(&self, application: &Application, wanted: Wanted) -> Found {
        let resources = comparison::compare(&self.cluster, application, &wanted.targets);
        let synced = resources.iter().all(|one| one.synced == Some(true));
        let mut conditions = Vec::new();
        for resource in &resources {
            let owner = resource.live.as_ref().and_then(|live| {
                let key = crate::kubernetes::cluster::key(&resource.kind, &resource.namespace, &resource.name);
                comparison::owner_of(&key, live).map(String::from)
            });
            if let Some(other) = owner.filter(|owner| owner != application.name()) {
                let message = format!(
                    "{}/{} is part of applications {NAMESPACE}/{} and {other}",
                    resource.kind.kind,
                    resource.name,
                    application.name()
                );
                conditions.push(("SharedResourceWarning", message));
            }
        }
        Found {
            sync: if synced { "Synced" } else { "OutOfSync" },
            health: comparison::worst_health(&resources),
            revision: wanted.revision,
            resources,
            images: wanted.images,
            conditions,
        }
    }

    fn write(
        &self,
        application: &Application,
        found: &Found,
        plan: &Plan,
        level: Level,
    ) -> Result<Option<Application>, Status> {
        let asked = application.refresh().map(String::from);
        modify(&self.cluster, application.name(), |object| {
            let before = object["status"].clone();
            let mut sync = json!({ "status": found.sync, "comparedTo": application.compared_to() });
            if !found.revision.is_empty() {
                sync["revision"] = json!(found.revision);
            }
            let mut health = json!({ "status": found.health.name(), "lastTransitionTime": now() });
            if before["health"]["status"] == health["status"] && !before["health"]["lastTransitionTime"].is_null() {
                health["lastTransitionTime"] = before["health"]["lastTransitionTime"].clone();
            }
            let status = &mut object["status"];
            status["sync"] = sync;
            status["health"] = health;
            status["resources"] = Value::Array(found.resources.iter().map(Resource::entry).collect());
            status["summary"] = if found.images.is_empty() {
                json!({})
            } else {
                json!({ "images": found.images })
            };
            status["sourceType"] = json!("Directory");
            status["controllerNamespace"] = json!(NAMESPACE);
            status["resourceHealthSource"] = json!("appTree");
            let mut conditions = found.conditions.clone();
            if let Plan::Nothing(Some(message)) = plan {
                conditions.push(("SyncError", message.clone()));
            }
            let evaluated = [
                "ComparisonError",
                "InvalidSpecError",
                "SyncError",
                "SharedResourceWarning",
            ];
            set_conditions(object, &evaluated, &conditions);
            // Only a look at the repository counts as reconciled.
            if level == Level::Latest || before["reconciledAt"].is_null() {
                object["status"]["reconciledAt"] = json!(now());
                if object["status"]["sync"]["status"] != before["sync"]["status"] || before["observedAt"].is_null() {
                    object["status"]["observedAt"] = json!(now());
                }
            }
            // Somebody may have asked again, in other words, while this was going on.
            if asked.is_some()
                && object["metadata"]["annotations"][REFRESH].as_str() == asked.as_deref()
                && let Some(metadata) = object["metadata"].as_object_mut()
                && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
            {
                annotations.shift_remove(REFRESH);
                if annotations.is_empty() {
                    metadata.shift_remove("annotations");
                }
            }
        })
    }

    fn plan_sync(&self, application: &Application, found: &Found) -> Plan {
        let Some(automated) = application.automated() else {
            return Plan::Nothing(None);
        };
        if found.sync == "Synced" {
            self.remember(application.name(), |memory| memory.healed = 0);
        }
        if found.sync != "OutOfSync" || application.is_deleting() || application.operation().is_some() {
            return Plan::Nothing(None);
        }
        let prune = automated["prune"] == true;
        let revision = &found.revision;
        if !prune && found.resources.iter().all(|one| one.prune || one.synced == Some(true)) {
            return Plan::Nothing(None);
        }
        if prune && automated["allowEmpty"] != true && found.resources.iter().all(|one| one.prune) {
            let message = format!("Skipping sync attempt to {revision}: auto-sync will wipe out all resources");
            return Plan::Nothing(Some(message));
        }
        let last = application.operation_state();
        let attempted = last["syncResult"]["revision"] == revision.as_str()
            && last["syncResult"]["source"] == *application.source();
        let mut operation = json!({
            "initiatedBy": { "automated": true },
            "retry": application.0["spec"]["syncPolicy"]["retry"],
            "sync": { "revision": revision, "syncOptions": application.0["spec"]["syncPolicy"]["syncOptions"] },
        });
        if operation["retry"].is_null() {
            // Argo CD tries automated syncs five times.
            operation["retry"] = json!({ "limit": 5 });
        }
        if operation["sync"]["syncOptions"].is_null()
            && let Some(sync) = operation["sync"].as_object_mut()
        {
            sync.shift_remove("syncOptions");
        }
        if prune {
            operation["sync"]["prune"] = json!(true);
        }
        if !attempted {
            return Plan::Start(operation);
        }
        if last["phase"] != "Succeeded" {
            let message = format!(
                "Failed last sync attempt to [{revision}]: {}",
                last["message"].as_str().unwrap_or_default()
            );
            return Plan::Nothing(Some(message));
        }
        if automated["selfHeal"] != true {
            return Plan::Nothing(None);
        }
        let healed = self.recall(application.name()).healed;
        let pause = HEAL_AFTER
            .saturating_mul(3_u32.saturating_pow(healed))
            .min(HEAL_AFTER_AT_MOST);
        let since = time(&last["finishedAt"])
            .and_then(|at| (Utc::now() - at).to_std().ok())
            .unwrap_or_default();
        if since < pause {
            return Plan::Later(pause - since);
        }
        self.remember(application.name(), |memory| memory.healed += 1);
        operation["sync"]["autoHealAttemptsCount"] = json!(healed + 1);
        Plan::Start(operation)
    }

    /// Repositories' logins are Secrets beside the Applications, for one URL or for all below a prefix.
    pub(super) fn login(&self, repository: &str) -> Option<Login> {
        let secrets = self.cluster.kind("", "Secret").ok()?;
        let wanted = "argocd.argoproj.io/secret-type in (repository, repo-creds)";
        let selector = Selector::parse(wanted, "").ok()?;
        let plain = |url: &str| url.trim_end_matches('/').trim_end_matches(".git").to_lowercase();
        let mut best: Option<(usize, Login)> = None;
        for secret in self.cluster.list(&secrets, NAMESPACE, &selector).items {
            let field = |name: &str| {
                let bytes = STANDARD
                    .decode(secret["data"][name].as_str().unwrap_or_default())
                    .unwrap_or_default();
                String::from_utf8(bytes).unwrap_or_default()
            };
            let url = field("url");
            let exact = secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repository";
            let fits = if exact {
                plain(&url) == plain(repository)
            } else {
                plain(repository).starts_with(&plain(&url))
            };
            let weight = if exact { usize::MAX } else { url.len() };
            if fits && !url.is_empty() && best.as_ref().is_none_or(|(found, _)| *found < weight) {
                best = Some((
                    weight,
                    Login {
                        username: field("username"),
                        password: field("password"),
                    },
                ));
            }
        }
        best.map(|(_, login)| login).filter(|login| !login.password.is_empty())
    }
}

/// What follows from a comparison.
enum Plan {
    /// Nothing; with the reason, where it is an error.
    Nothing(Option<String>),
    /// This operation.
    Start(Value),
    /// The same question again, later.
    Later(Duration),
}

/// What Argo CD checks before it looks at the repository.
pub(super) fn check_spec(reconciler: &Reconciler, application: &Application) -> Result<(), String> {
    let spec = &application.0["spec"];
    if spec["sources"].is_array() && !spec["source"].is_object() {
        return Err("Applications with several sources are not supported by this sandbox".into());
    }
    if application.source()["repoURL"].as_str().unwrap_or_default().is_empty() {
        return Err("spec.source.repoURL is required".into());
    }
    if application.source()["path"].as_str().unwrap_or_default().is_empty() {
        return Err("spec.source.path or spec.source.chart is required".into());
    }
    let destination = &spec["destination"];
    match (destination["server"].as_str(), destination["name"].as_str()) {
        (Some(IN_CLUSTER), None | Some("")) | (None | Some(""), Some("in-cluster")) => {}
        (Some(server), None | Some("")) => {
            return Err(format!(
                "application destination server {server:?} is not a cluster that Argo CD knows"
            ));
        }
        (None | Some(""), Some(name)) if !name.is_empty() => {
            return Err(format!("there are no clusters with this name: {name}"));
        }
        (Some(_), Some(_)) => return Err("application destination can't have both name and server defined".into()),
        _ => return Err("Destination server missing from app spec".into()),
    }
    let project = spec["project"].as_str().unwrap_or("default");
    let project = if project.is_empty() { "default" } else { project };
    let known = reconciler
        .cluster
        .kind("argoproj.io", "AppProject")
        .map(|kind| reconciler.cluster.get(&kind, NAMESPACE, project));
    match known {
        Ok(Ok(_)) => Ok(()),
        _ => Err(format!(
            "Application referencing project {project} which does not exist"
        )),
    }
}
