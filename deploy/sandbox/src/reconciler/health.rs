//! The health of live objects, by the rules of `argoproj/gitops-engine`.

use serde_json::Value;

/// How an object is, best first: the worst of all is the Application's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It works.
    Healthy,
    /// It was told to wait.
    Suspended,
    /// It is on its way.
    Progressing,
    /// It is not there.
    Missing,
    /// It failed.
    Degraded,
    /// It cannot be told.
    Unknown,
}

impl Health {
    /// As a status shows it.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "Healthy",
            Health::Suspended => "Suspended",
            Health::Progressing => "Progressing",
            Health::Missing => "Missing",
            Health::Degraded => "Degraded",
            Health::Unknown => "Unknown",
        }
    }
}

/// The health of a live object; none for kinds that have no notion of it.
pub fn of(object: &Value) -> Option<Health> {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Some(Health::Progressing);
    }
    let group = object["apiVersion"]
        .as_str()
        .unwrap_or_default()
        .split_once('/')
        .map_or("", |(group, _)| group);
    let (spec, status) = (&object["spec"], &object["status"]);
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let observed = number(&status["observedGeneration"]) >= number(&object["metadata"]["generation"]);
    let settled = |holds: bool| if holds { Health::Healthy } else { Health::Progressing };
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let health = match (group, object["kind"].as_str().unwrap_or_default()) {
        ("apps", "Deployment") => {
            let updated = number(&status["updatedReplicas"]);
            if spec["paused"] == true {
                Health::Suspended
            } else if !observed {
                Health::Progressing
            } else if has_condition(status, "Progressing", |one| one["reason"] == "ProgressDeadlineExceeded") {
                Health::Degraded
            } else {
                let complete = updated >= wanted
                    && number(&status["replicas"]) <= updated
                    && number(&status["availableReplicas"]) >= updated;
                settled(complete)
            }
        }
        ("apps", "StatefulSet") => settled(
            observed && number(&status["readyReplicas"]) >= wanted && number(&status["updatedReplicas"]) >= wanted,
        ),
        ("apps", "ReplicaSet") => settled(observed && number(&status["availableReplicas"]) >= wanted),
        ("apps", "DaemonSet") => {
            let desired = number(&status["desiredNumberScheduled"]);
            settled(
                observed
                    && number(&status["updatedNumberScheduled"]) >= desired
                    && number(&status["numberAvailable"]) >= desired,
            )
        }
        ("batch", "Job") => {
            if has_condition(status, "Failed", |one| one["status"] == "True") {
                Health::Degraded
            } else if has_condition(status, "Suspended", |one| one["status"] == "True") {
                Health::Suspended
            } else {
                settled(has_condition(status, "Complete", |one| one["status"] == "True"))
            }
        }
        ("", "Pod") => match status["phase"].as_str() {
            Some("Running") => settled(has_condition(status, "Ready", |one| one["status"] == "True")),
            Some("Succeeded") => Health::Healthy,
            Some("Failed") => Health::Degraded,
            Some("Pending") => Health::Progressing,
            _ => Health::Unknown,
        },
        ("", "PersistentVolumeClaim") => match status["phase"].as_str() {
            Some("Bound") => Health::Healthy,
            Some("Lost") => Health::Degraded,
            _ => Health::Progressing,
        },
        ("", "Service") if spec["type"] == "LoadBalancer" => settled(
            status["loadBalancer"]["ingress"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
        ),
        ("", "Service") => Health::Healthy,
        ("networking.k8s.io", "Ingress") => settled(
            status["loadBalancer"]["ingress"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
        ),
        ("argoproj.io", "Application") => match status["health"]["status"].as_str() {
            Some("Healthy") => Health::Healthy,
            Some("Degraded") => Health::Degraded,
            Some("Suspended") => Health::Suspended,
            Some("Missing") => Health::Missing,
            _ => Health::Progressing,
        },
        _ => return None,
    };
    Some(health)
}

fn has_condition(status: &Value, name: &str, holds: impl Fn(&Value) -> bool) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == name && holds(condition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn deployments_are_judged_by_their_status() {
        let exceeded = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        for (status, expected) in [
            (json!({}), Health::Progressing),
            (
                json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
                Health::Healthy,
            ),
            (
                json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
                Health::Progressing,
            ),
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}),
                Health::Progressing,
            ),
            (
                json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}),
                Health::Progressing,
            ),
            (
                json!({"observedGeneration": 2, "conditions": exceeded}),
                Health::Degraded,
            ),
        ] {
            let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2},
                                "spec": {"replicas": 2}, "status": status});
            assert_eq!(of(&object), Some(expected), "{status}");
        }
        assert_eq!(of(&json!({"apiVersion": "v1", "kind": "ConfigMap"})), None);
        assert!(Health::Degraded > Health::Missing && Health::Missing > Health::Progressing);
    }
}
