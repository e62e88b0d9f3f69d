//! `portico doctor`: every outside system is tried, and what is wrong with it is told with what to do.

mod database;
mod deliveries;
mod forges;
mod identity;
mod look;
mod report;

use std::time::Duration;

use futures::future::{BoxFuture, join_all};

use crate::clock::Clock;
use crate::config::Config;
use crate::outbound::Outbound;

pub use report::{Finding, Outcome, Report};

use super::{extra_certificates, settings};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where authorities are named, for all but the database and clusters.
const AUTHORITIES: &str = "the environment variable NODE_EXTRA_CA_CERTS (a PEM file)";
/// Where those of a cluster are.
const CLUSTER_AUTHORITIES: &str = "caData or caFile of the cluster";

/// One question to one system.
struct Probe<'a> {
    system: String,
    tried: &'static str,
    work: BoxFuture<'a, Vec<Finding>>,
}

impl<'a> Probe<'a> {
    fn new(
        system: impl Into<String>,
        tried: &'static str,
        work: impl Future<Output = Vec<Finding>> + Send + 'a,
    ) -> Self {
        Self {
            system: system.into(),
            tried,
            work: Box::pin(work),
        }
    }

    async fn run(self) -> Vec<Finding> {
        match tokio::time::timeout(PATIENCE, self.work).await {
            Ok(findings) => findings,
            Err(_) => vec![Finding::broken(
                &self.system,
                self.tried,
                format!("no answer within {} seconds", PATIENCE.as_secs()),
                "check the address, and that nothing between here and there (firewall, proxy, DNS) swallows requests",
            )],
        }
    }
}

/// Tries every system that the configuration names, all at once. Changes nothing anywhere. What is told holds no secrets,
/// and is in the order of the configuration.
pub async fn doctor(config: &Config, clock: &Clock) -> Report {
    let outbound = match Outbound::new(settings::allowed(config), &extra_certificates()) {
        Ok(outbound) => outbound,
        Err(error) => {
            let todo = "correct the file that NODE_EXTRA_CA_CERTS names";
            return Report::of(vec![Finding::broken(
                "certificates",
                "read authorities",
                error.to_string(),
                todo,
            )]);
        }
    };
    let mut probes = database::probes(config);
    probes.extend(identity::probes(config, &outbound, clock));
    probes.extend(forges::probes(config, &outbound));
    probes.extend(deliveries::probes(config, &outbound, clock));
    probes.extend(look::probes(config, &outbound, clock));
    let findings = join_all(probes.into_iter().map(Probe::run)).await;
    Report::of(findings.into_iter().flatten().collect())
}

/// What to do about a system that did not answer, by why.
fn todo(reason: &str, authorities: &str, otherwise: &str) -> String {
    let says = |part: &str| reason.contains(part);
    if says("UnknownIssuer") || says("self-signed") || says("unable to get local issuer") {
        format!(
            "its certificate is signed by an authority that is not known here: name that authority in {authorities}"
        )
    } else if says("Expired") || says("expired") {
        "its certificate has expired: renew it".to_owned()
    } else if says("NotValidForName") || says("not valid for name") {
        "its certificate is for another name: use the name that the certificate has, or renew it for this one"
            .to_owned()
    } else if says("dns error") || says("failed to lookup") {
        "its name is not known here: check the address and DNS".to_owned()
    } else if says("refused") {
        format!("nothing listens there: start it, or check the address; {otherwise}")
    } else {
        otherwise.to_owned()
    }
}

#[cfg(test)]
mod tests;
