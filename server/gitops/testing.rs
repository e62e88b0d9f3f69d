//! For unit tests of what shows Applications: a store that is filled by hand.

use serde_json::Value;

use super::{GitOps, GitOpsSettings, InstanceSettings};
use crate::clock::Clock;

/// Watches nothing; its Argo CD is at `https://argo.example`.
pub fn gitops(clock: Clock) -> GitOps {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = GitOpsSettings {
        instances: vec![InstanceSettings {
            name: "in-cluster".to_owned(),
            url: Some("https://argo.example".to_owned()),
            ..InstanceSettings::default()
        }],
        ..GitOpsSettings::default()
    };
    #[expect(clippy::disallowed_methods, reason = "nothing is sent")]
    let http = reqwest::Client::new();
    GitOps::new(settings, None, http, clock).unwrap()
}

/// As if a list had just been read.
pub fn listed(gitops: &GitOps, applications: &[Value]) {
    gitops
        .inner
        .store
        .replace(applications.iter().filter_map(|object| gitops.parse(object)).collect());
}

/// As if the watch had told of it.
pub fn changed(gitops: &GitOps, application: &Value) {
    gitops.inner.store.put(gitops.parse(application).unwrap());
}

/// As if the connection had been lost.
pub fn lost(gitops: &GitOps, reason: &str) {
    gitops.inner.store.disconnected(gitops.inner.clock.now(), reason);
}
