//! The end of an Application that takes its resources with it.

use std::time::Duration;

use serde_json::Value;

use super::{
    Again, Level, Reconciler,
    application::{Application, modify},
    comparison::{has_resource_option, live_resources},
};
use crate::kubernetes::{
    deletion::{DeleteOptions, Propagation},
    status::Status,
};

impl Reconciler {
    /// Deletes what belongs to a dying Application, then lets the Application itself go.
    pub(super) fn finalize(&self, application: &Application) -> Result<Again, Status> {
        let Some(finalizer) = application.cascade() else {
            return Ok(None);
        };
        let propagation = if finalizer.ends_with("/background") {
            Propagation::Background
        } else {
            Propagation::Foreground
        };
        let mut left = 0;
        for resource in live_resources(&self.cluster, application.name()) {
            let Some(live) = &resource.live else { continue };
            if has_resource_option(live, "Delete=false") {
                continue;
            }
            left += 1;
            if live["metadata"]["deletionTimestamp"].is_null() {
                let options = DeleteOptions {
                    propagation,
                    ..DeleteOptions::default()
                };
                match self
                    .cluster
                    .delete(&resource.kind, &resource.namespace, &resource.name, &options)
                {
                    Err(status) if status.code != 404 => return Err(status),
                    _ => {}
                }
            }
        }
        if left > 0 {
            return Ok(Some((Duration::from_millis(300), Level::Live)));
        }
        modify(&self.cluster, application.name(), |object| {
            if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
                finalizers.retain(|one: &Value| {
                    !one.as_str()
                        .is_some_and(|one| one.starts_with("resources-finalizer.argocd.argoproj.io"))
                });
            }
        })?;
        Ok(None)
    }
}
