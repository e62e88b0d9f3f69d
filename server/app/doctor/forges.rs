//! Forges: version, account, whether it may create repositories.

use super::{AUTHORITIES, Finding, Probe, settings, todo};
use crate::config::Config;
use crate::outbound::Outbound;
use crate::scm::{ForgeSettingsError, Forges, Scm, ScmError};

const VERSION: &str = "version";
const ACCOUNT: &str = "account";
const CREATE: &str = "right to create repositories";

pub(super) fn probes<'a>(config: &'a Config, outbound: &Outbound) -> Vec<Probe<'a>> {
    let mut probes = Vec::new();
    for settings in settings::forges(config) {
        let host = settings.host.clone();
        let forges = Forges::new(vec![settings], outbound.client());
        probes.push(probe(host, "gitea", forges));
    }
    for settings in settings::github(config) {
        let host = settings.host.clone();
        let none = Forges::new(Vec::new(), outbound.client());
        let forges = none.and_then(|none| none.and_github(vec![settings], &outbound.client()));
        probes.push(probe(host, "github", forges));
    }
    probes
}

fn probe<'a>(host: String, kind: &'static str, forges: Result<Forges, ForgeSettingsError>) -> Probe<'a> {
    let system = format!("forge {host}");
    Probe::new(system.clone(), VERSION, async move {
        let forges = match forges {
            Ok(forges) => forges,
            Err(error) => {
                let todo = format!("correct the entry of {host} below integrations.{kind}");
                return vec![Finding::broken(&system, VERSION, error.to_string(), todo)];
            }
        };
        match forges.forge_by_host(&host) {
            Ok(forge) => examine(&system, &host, kind, forge.as_ref()).await,
            Err(error) => vec![broken(&system, VERSION, &error)],
        }
    })
}

async fn examine(system: &str, host: &str, kind: &str, forge: &dyn Scm) -> Vec<Finding> {
    let examined = match forge.examine().await {
        Ok(examined) => examined,
        Err(error) => return vec![broken(system, VERSION, &error)],
    };
    let mut found = vec![Finding::ok(system, VERSION, examined.version)];
    found.push(match examined.account {
        Some(Ok(account)) => Finding::ok(system, ACCOUNT, format!("it is {account}")),
        // Its name is not needed to act as it: the right decides.
        Some(Err(ScmError::Denied { reason, .. })) if matches!(examined.creates, Some(Ok(()))) => Finding::note(
            system,
            ACCOUNT,
            reason,
            "let the token read its own user (scope read:user)",
        ),
        Some(Err(error)) => broken(system, ACCOUNT, &error),
        None => Finding::note(
            system,
            ACCOUNT,
            "none is configured: only what is public can be read, and nothing can be created",
            format!("give the entry of {host} below integrations.{kind} a token or password"),
        ),
    });
    match examined.creates {
        Some(Ok(())) => found.push(Finding::ok(system, CREATE, "given")),
        Some(Err(error @ (ScmError::Denied { .. } | ScmError::NotFound { .. }))) => found.push(Finding::broken(
            system,
            CREATE,
            error.to_string(),
            match kind {
                "github" => {
                    "use a token with the scopes repo and admin:repo_hook (fine-grained: Administration, Contents \
                             and Webhooks, read and write)"
                }
                _ => "use a token with the scopes write:repository, write:organization and read:user",
            },
        )),
        Some(Err(error)) => found.push(broken(system, CREATE, &error)),
        None => {}
    }
    found
}

fn broken(system: &str, tried: &str, error: &ScmError) -> Finding {
    let answer = error.to_string();
    let todo = todo(&answer, AUTHORITIES, error.hint());
    Finding::broken(system, tried, answer, todo)
}
