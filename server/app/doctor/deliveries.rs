//! Clusters and Argo CD: versions, accounts, rights.

use futures::future::join_all;

use super::{AUTHORITIES, CLUSTER_AUTHORITIES, Finding, Probe, settings, todo};
use crate::clock::Clock;
use crate::config::Config;
use crate::gitops::{GitOps, GitOpsError, GitOpsSettings};
use crate::kubernetes::{Cluster, ClusterError, Right, RightsError};
use crate::outbound::Outbound;

const VERSION: &str = "version";
const RIGHTS: &str = "rights";
const ACCOUNT: &str = "account";

pub(super) fn probes<'a>(config: &'a Config, outbound: &Outbound, clock: &Clock) -> Vec<Probe<'a>> {
    let settings = settings::gitops(config);
    let mut probes = Vec::new();
    let clusters: Vec<(String, Result<Cluster, ClusterError>)> = match settings::clusters(config) {
        configured if configured.is_empty() => Cluster::in_cluster()
            .transpose()
            .map(|cluster| ("in-cluster".to_owned(), cluster))
            .into_iter()
            .collect(),
        configured => configured
            .iter()
            .map(|settings| (settings.name.clone(), Cluster::new(settings)))
            .collect(),
    };
    for (index, (name, cluster)) in clusters.into_iter().enumerate() {
        let (needed, replaceable) = match index {
            0 => rights(&settings),
            // Applications are watched in the first only.
            _ => (Vec::new(), Vec::new()),
        };
        let system = format!("cluster {name}");
        probes.push(Probe::new(system.clone(), VERSION, async move {
            match cluster {
                Ok(cluster) => examine_cluster(&system, &cluster, &needed, &replaceable).await,
                Err(error) => vec![Finding::broken(
                    &system,
                    VERSION,
                    error.to_string(),
                    "correct the entry below kubernetes.clusterLocatorMethods",
                )],
            }
        }));
    }
    for instance in &settings.instances {
        let name = instance.name.clone();
        let system = format!("Argo CD {name}");
        let alone = GitOpsSettings {
            instances: vec![instance.clone()],
            ..settings.clone()
        };
        let gitops = GitOps::new(alone, None, outbound.direct_client(), clock.clone());
        probes.push(Probe::new(system.clone(), VERSION, async move {
            match gitops {
                Ok(gitops) => examine_argocd(&system, &name, &gitops).await,
                Err(error) => vec![Finding::broken(
                    &system,
                    VERSION,
                    error.to_string(),
                    "correct the instance below argocd.appLocatorMethods",
                )],
            }
        }));
    }
    probes
}

/// What must be allowed where Applications are, and what Argo CD's own API can do as well.
fn rights(settings: &GitOpsSettings) -> (Vec<Right>, Vec<Right>) {
    let right = |verb: &'static str, resource: &'static str| Right {
        verb,
        group: "argoproj.io",
        resource,
        namespace: Some(settings.namespace.clone()),
    };
    let watched = ["get", "list", "watch"].map(|verb| right(verb, "applications"));
    let changed = [
        right("create", "applications"),
        right("patch", "applications"),
        right("delete", "applications"),
        right("get", "appprojects"),
        right("create", "appprojects"),
    ];
    let has_account = |instance: &crate::gitops::InstanceSettings| {
        instance.token.is_some() || (instance.username.is_some() && instance.password.is_some())
    };
    let (mut needed, mut replaceable) = (watched.to_vec(), Vec::new());
    match !settings.instances.is_empty() && settings.instances.iter().all(has_account) {
        true => replaceable.extend(changed),
        false => needed.extend(changed),
    }
    (needed, replaceable)
}

async fn examine_cluster(system: &str, cluster: &Cluster, needed: &[Right], replaceable: &[Right]) -> Vec<Finding> {
    let version = match cluster.version().await {
        Ok(version) => version,
        Err(error) => return vec![cluster_broken(system, VERSION, &error)],
    };
    let mut found = vec![Finding::ok(system, VERSION, version)];
    let anything = Right {
        verb: "patch",
        group: "*",
        resource: "*",
        namespace: None,
    };
    let asked: Vec<&Right> = needed.iter().chain(replaceable).chain([&anything]).collect();
    let answers = join_all(asked.iter().map(|right| cluster.may(right))).await;
    let mut missing = Vec::new();
    for (right, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(true) => {}
            Ok(false) => missing.push(right),
            Err(error) if error.untold => {
                found.push(Finding::note(
                    system,
                    RIGHTS,
                    "the cluster does not tell (no SelfSubjectAccessReview)",
                    "look at the roles of the account yourself",
                ));
                return found;
            }
            Err(error) => {
                found.push(cluster_broken(system, RIGHTS, &error));
                return found;
            }
        }
    }
    let list = |wanted: &[Right]| {
        let missing = missing.iter().filter(|right| wanted.contains(right));
        missing.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match list(needed) {
        missing if missing.is_empty() => found.push(Finding::ok(system, RIGHTS, "all that is needed is given")),
        missing => found.push(Finding::broken(
            system,
            RIGHTS,
            format!("missing: {missing}"),
            "give the account a Role or ClusterRole with these verbs and resources",
        )),
    }
    match list(replaceable) {
        missing if missing.is_empty() => {}
        missing => found.push(Finding::note(
            system,
            RIGHTS,
            format!("missing: {missing}"),
            "nothing: the account of Argo CD is used for these",
        )),
    }
    if missing.contains(&&anything) {
        found.push(Finding::note(
            system,
            RIGHTS,
            "the account may not patch everything",
            "nothing, or, for templates that apply manifests, give it the rights for what they apply",
        ));
    }
    found
}

fn cluster_broken(system: &str, tried: &str, error: &RightsError) -> Finding {
    let otherwise = match error.refused {
        true => "the token is not accepted: correct serviceAccountToken of the cluster",
        false => "check url and serviceAccountToken of the cluster, and that it runs",
    };
    let todo = todo(&error.reason, CLUSTER_AUTHORITIES, otherwise);
    Finding::broken(system, tried, error.reason.clone(), todo)
}

async fn examine_argocd(system: &str, name: &str, gitops: &GitOps) -> Vec<Finding> {
    let examined = match gitops.examine(name).await {
        Ok(Some(examined)) => examined,
        Ok(None) => {
            return vec![Finding::ok(
                system,
                ACCOUNT,
                "it has none: Applications are made through the cluster",
            )];
        }
        Err(error) => return vec![argocd_broken(system, VERSION, &error)],
    };
    let mut found = vec![Finding::ok(system, VERSION, examined.version)];
    match examined.account {
        Ok(account) => found.push(Finding::ok(system, ACCOUNT, format!("it is {account}"))),
        Err(error) => found.push(argocd_broken(system, ACCOUNT, &error)),
    }
    match examined.missing {
        Some(missing) if missing.is_empty() => {
            found.push(Finding::ok(system, RIGHTS, "all that is needed is given"));
        }
        Some(missing) => found.push(Finding::broken(
            system,
            RIGHTS,
            format!("missing: {}", missing.join(", ")),
            "give the account these rights in argocd-rbac-cm",
        )),
        None => {}
    }
    found
}

fn argocd_broken(system: &str, tried: &str, error: &GitOpsError) -> Finding {
    let answer = error.to_string();
    let todo = todo(&answer, AUTHORITIES, &error.hint().to_string());
    Finding::broken(system, tried, answer, todo)
}
