//! Identity providers: discovery, keys, and whether the redirect address is registered.

use super::{AUTHORITIES, Finding, Probe, settings, todo};
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{Authorization, IdentityError, Provider};
use crate::outbound::Outbound;

const DISCOVERY: &str = "discovery document and keys";
const LOGIN: &str = "begin a login";

pub(super) fn probes<'a>(config: &'a Config, outbound: &Outbound, clock: &Clock) -> Vec<Probe<'a>> {
    let mut probes = Vec::new();
    for (id, provider) in settings::identity_providers(config, outbound, clock) {
        let Some((_, provider)) = provider else {
            let system = format!("identity provider {id}");
            let work = async move {
                vec![Finding::note(
                    &format!("identity provider {id}"),
                    DISCOVERY,
                    "not used: it has no metadataUrl or no clientId",
                    format!("give both below auth.providers.{id}, or leave it out"),
                )]
            };
            probes.push(Probe::new(system, DISCOVERY, work));
            continue;
        };
        let system = format!("identity provider {id} ({})", provider.host());
        let (of_discovery, of_login) = (system.clone(), system.clone());
        let other = provider.clone();
        probes.push(Probe::new(system.clone(), DISCOVERY, async move {
            vec![discovery(&of_discovery, &provider).await]
        }));
        probes.push(Probe::new(system, LOGIN, async move { login(&of_login, &other).await }));
    }
    probes
}

async fn discovery(system: &str, provider: &Provider) -> Finding {
    match provider.examine().await {
        Ok(examined) if examined.keys == 0 => Finding::broken(
            system,
            DISCOVERY,
            format!("the issuer {} publishes no keys", examined.issuer),
            "give the issuer a key to sign with",
        ),
        Ok(examined) => Finding::ok(
            system,
            DISCOVERY,
            format!("the issuer is {}, with {} keys", examined.issuer, examined.keys),
        ),
        Err(error) => Finding::broken(system, DISCOVERY, error.to_string(), discovery_todo(provider, &error)),
    }
}

fn discovery_todo(provider: &Provider, error: &IdentityError) -> String {
    let key = format!("metadataUrl below auth.providers.{}", provider.id());
    let otherwise = match error {
        IdentityError::Unexpected { reason, .. } if reason.contains("it calls itself") => {
            format!("make {key} the address of that issuer with /.well-known/openid-configuration behind it")
        }
        IdentityError::Unexpected { .. } => format!("check that {key} is the address of a discovery document"),
        _ => format!("check {key}, and that the identity provider runs"),
    };
    todo(&error.to_string(), AUTHORITIES, &otherwise)
}

/// Nothing where the identity provider does not answer: that is told already.
async fn login(system: &str, provider: &Provider) -> Vec<Finding> {
    let finding = match provider.try_authorization().await {
        Err(_) => return Vec::new(),
        Ok(Authorization::Asks) => Finding::ok(system, LOGIN, "client and redirect address are registered"),
        Ok(Authorization::RedirectRefused { redirect, said }) => Finding::broken(
            system,
            LOGIN,
            format!("redirect_uri {redirect} is refused: {said}"),
            format!(
                "register exactly {redirect} as redirect address of the client, or correct backend.baseUrl (or \
                 app.baseUrl), which it is made of"
            ),
        ),
        Ok(Authorization::Refused { said }) => Finding::broken(
            system,
            LOGIN,
            format!("refused: {said}"),
            format!(
                "check clientId and additionalScopes below auth.providers.{}, and the client at the identity provider",
                provider.id()
            ),
        ),
    };
    vec![finding]
}
