//! What brings objects to life, as the controller manager, a scheduler and nodes would: deployments get pods, owners
//! take their dependents with them, namespaces empty themselves.

mod deployments;
mod garbage;
mod others;
mod pods;
mod replica_sets;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;

/// How quickly workloads come up.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two steps of a rollout.
    pub step: Duration,
    /// When a rollout without progress counts as failed, whatever longer time it allows itself.
    pub deadline: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            step: Duration::from_millis(400),
            deadline: Duration::from_secs(12),
        }
    }
}

/// Starts the controllers; they run until `end` is cancelled.
pub fn start(cluster: &Cluster, pace: Pace, end: &CancellationToken) -> Vec<JoinHandle<()>> {
    let garbage = {
        let (cluster, end) = (cluster.clone(), end.clone());
        tokio::spawn(async move {
            let mut changes = cluster.changes();
            loop {
                changes.mark_unchanged();
                garbage::collect(&cluster);
                others::settle(&cluster);
                tokio::select! {
                    _ = changes.changed() => {}
                    () = end.cancelled() => return,
                }
                // Changes come in bursts; one look for all of them is enough.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let deployments = {
        let (cluster, end) = (cluster.clone(), end.clone());
        tokio::spawn(async move {
            let mut rollouts = deployments::Rollouts::new(pace);
            let mut changes = cluster.changes();
            loop {
                changes.mark_unchanged();
                let settled = rollouts.step(&cluster);
                tokio::select! {
                    _ = changes.changed(), if settled => {}
                    () = tokio::time::sleep(pace.step), if !settled => {}
                    () = end.cancelled() => return,
                }
            }
        })
    };
    vec![garbage, deployments]
}
