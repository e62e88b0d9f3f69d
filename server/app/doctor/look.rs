//! Certificates and clocks of all systems that speak HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{AUTHORITIES, CLUSTER_AUTHORITIES, Finding, Probe, settings, todo};
use crate::clock::Clock;
use crate::config::Config;
use crate::kubernetes;
use crate::outbound::{Look, Outbound};

const CERTIFICATE: &str = "certificate";
const CLOCK: &str = "clock";
/// A certificate that ends sooner should be renewed.
const SOON: TimeDelta = TimeDelta::days(14);
/// Clocks that differ more break logins.
const APART: TimeDelta = TimeDelta::seconds(30);

/// A place to look at: what to call it, where it is, and which authorities count there.
struct Site {
    url: Url,
    authorities: Vec<Vec<u8>>,
    named_in: &'static str,
}

/// One look at each origin.
pub(super) fn probes<'a>(config: &'a Config, outbound: &Outbound, clock: &Clock) -> Vec<Probe<'a>> {
    sites(config, outbound, clock)
        .into_iter()
        .map(|site| {
            let system = site.url.origin().ascii_serialization();
            let (outbound, clock) = (outbound.clone(), clock.clone());
            Probe::new(system.clone(), CERTIFICATE, async move {
                match outbound.look(&site.url, &site.authorities).await {
                    Ok(look) => findings(&system, &look, clock.now()),
                    Err(reason) => {
                        let todo = todo(&reason, site.named_in, "check the address, and that it runs");
                        vec![Finding::broken(&system, CERTIFICATE, reason, todo)]
                    }
                }
            })
        })
        .collect()
}

fn sites(config: &Config, outbound: &Outbound, clock: &Clock) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    let plain = |url: Url| Site {
        url,
        authorities: Vec::new(),
        named_in: AUTHORITIES,
    };
    let providers = settings::identity_providers(config, outbound, clock);
    sites.extend(
        providers
            .into_iter()
            .filter_map(|(_, provider)| Some(plain(provider?.0))),
    );
    sites.extend(
        config
            .integrations
            .gitea
            .iter()
            .filter_map(|gitea| gitea.address().ok().map(plain)),
    );
    sites.extend(
        config
            .integrations
            .github
            .iter()
            .filter_map(|github| github.api().ok().map(plain)),
    );
    for cluster in settings::clusters(config) {
        if let Ok(url) = Url::parse(&cluster.url) {
            sites.push(Site {
                url,
                authorities: kubernetes::authorities(&cluster),
                named_in: CLUSTER_AUTHORITIES,
            });
        }
    }
    let instances = settings::gitops(config).instances.into_iter();
    sites.extend(instances.filter_map(|instance| Url::parse(&instance.url?).ok().map(plain)));
    let mut seen = Vec::new();
    sites.retain(|site| {
        let origin = site.url.origin();
        let new = !seen.contains(&origin);
        seen.push(origin);
        new
    });
    sites
}

fn findings(system: &str, look: &Look, now: DateTime<Utc>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(ends) = look.certificate_ends {
        let day = ends.format("%Y-%m-%d");
        found.push(if ends < now {
            Finding::broken(system, CERTIFICATE, format!("it ended on {day}"), "renew it")
        } else if ends - now < SOON {
            Finding::note(
                system,
                CERTIFICATE,
                format!("it ends on {day}, in {} days", (ends - now).num_days()),
                "renew it",
            )
        } else {
            Finding::ok(system, CERTIFICATE, format!("trusted, until {day}"))
        });
    }
    if let Some(date) = look.date {
        let apart = (date - now).abs();
        found.push(if apart > APART {
            Finding::broken(
                system,
                CLOCK,
                format!("it differs from this machine's by {} seconds", apart.num_seconds()),
                "set both clocks by NTP: logins and signatures depend on the time",
            )
        } else {
            Finding::ok(system, CLOCK, format!("differs by {} s", apart.num_seconds()))
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn certificates_and_clocks_are_judged() {
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
        for (ends, date, expected) in [
            (Some(100), Some(5), vec![Outcome::Ok, Outcome::Ok]),
            (Some(13), None, vec![Outcome::Note]),
            (Some(-1), None, vec![Outcome::Broken]),
            (None, Some(-31), vec![Outcome::Broken]),
            (None, Some(30), vec![Outcome::Ok]),
            (None, None, vec![]),
        ] {
            let look = Look {
                date: date.map(|seconds| now + TimeDelta::seconds(seconds)),
                certificate_ends: ends.map(|days| now + TimeDelta::days(days)),
            };
            let found: Vec<Outcome> = findings("x", &look, now)
                .iter()
                .map(|finding| finding.outcome)
                .collect();
            assert_eq!(found, expected, "{look:?}");
        }
    }
}
