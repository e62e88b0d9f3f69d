//! Webhook deliveries: ordered in the state, made one after the other, tried once, as Gitea does.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::Utc;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::Forge;
use super::model::{Contents, Delivered, Delivery, Hook, Repository};
use super::payload::{self, Event};

/// So many past deliveries are kept for each hook.
const KEPT: usize = 20;

/// Puts deliveries of the events to all hooks that want them, the repository's and its owner's, at the end of the queue.
pub fn order(contents: &mut Contents, repository: &Repository, events: &[Event]) {
    let own = contents
        .repositories
        .get(&repository.id)
        .map(|found| found.hooks.clone());
    let of_owner = contents.account(&repository.owner).map(|owner| owner.hooks.clone());
    let hooks: Vec<Hook> = own.into_iter().chain(of_owner).flatten().collect();
    for event in events {
        for hook in hooks.iter().filter(|hook| wants(hook, event)) {
            contents.pending.push(delivery(repository.id, hook.id, event));
        }
    }
}

/// Puts one delivery for one hook at the end of the queue, whether it wants it or not.
pub fn order_one(contents: &mut Contents, repository: u64, hook: u64, event: &Event) {
    contents.pending.push(delivery(repository, hook, event));
}

fn delivery(repository: u64, hook: u64, event: &Event) -> Delivery {
    Delivery {
        uuid: uuid::Uuid::new_v4().to_string(),
        repository,
        hook,
        event: event.name.to_owned(),
        payload: serde_json::to_string_pretty(&event.payload).unwrap_or_default(),
    }
}

fn wants(hook: &Hook, event: &Event) -> bool {
    // Gitea's API takes "pull_request_only" and the like too; they mean parts of the event.
    let subscribed = hook.events.iter().any(|wanted| wanted == event.name || wanted == "*");
    let branch = event
        .branch
        .as_deref()
        .is_none_or(|branch| glob(&hook.branch_filter, branch));
    hook.active && subscribed && branch
}

/// `*` stands for any text without `/`, `**` for any text, `{a,b}` for either; an empty pattern is for all.
fn glob(pattern: &str, text: &str) -> bool {
    if pattern.is_empty() || pattern == "*" {
        return true;
    }
    if let Some((head, rest)) = pattern.split_once('{')
        && let Some((choices, tail)) = rest.split_once('}')
    {
        return choices
            .split(',')
            .any(|choice| glob(&format!("{head}{choice}{tail}"), text));
    }
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| matches(rest, &text[at..])),
            [b'*', rest @ ..] => {
                let end = text.iter().position(|&byte| byte == b'/').unwrap_or(text.len());
                (0..=end).any(|at| matches(rest, &text[at..]))
            }
            [first, rest @ ..] => text.first() == Some(first) && matches(rest, &text[1..]),
        }
    }
    matches(pattern.as_bytes(), text.as_bytes())
}

/// The hook of a delivery: the repository's, or one of an account.
fn hook_of<'a>(contents: &'a mut Contents, delivery: &Delivery) -> Option<&'a mut Hook> {
    let own = contents.repositories.get_mut(&delivery.repository);
    let own = own.map(|found| &mut found.hooks);
    let of_accounts = contents.accounts.values_mut().map(|account| &mut account.hooks);
    let mut all = own.into_iter().chain(of_accounts).flatten();
    all.find(|hook| hook.id == delivery.hook)
}

impl Forge {
    /// Orders deliveries of a repository that came.
    pub(super) async fn announce_repository(&self, id: u64) -> Result<()> {
        let found = self
            .inner
            .contents
            .read(|contents| contents.repositories.get(&id).cloned());
        let Some(repository) = found else { return Ok(()) };
        let event = payload::of_repository(self, &repository, "created").await;
        self.inner
            .contents
            .update(|contents| order(contents, &repository, &[event]))?;
        self.inner.deliveries.notify_one();
        Ok(())
    }
}

/// Starts the task that makes deliveries.
pub fn start(forge: Forge) -> Result<tokio::task::JoinHandle<()>> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("cannot make the HTTP client for webhooks")?;
    Ok(tokio::spawn(async move {
        loop {
            let next = forge.inner.contents.read(|contents| contents.pending.first().cloned());
            let Some(delivery) = next else {
                forge.inner.deliveries.notified().await;
                continue;
            };
            let delivered = make(&forge, &client, &delivery).await;
            let recorded = forge.inner.contents.update(|contents| {
                contents.pending.retain(|pending| pending.uuid != delivery.uuid);
                let hook = hook_of(contents, &delivery);
                if let (Some(hook), Some(delivered)) = (hook, delivered) {
                    hook.deliveries.insert(0, delivered);
                    hook.deliveries.truncate(KEPT);
                }
            });
            if let Err(error) = recorded {
                tracing::error!(error = format!("{error:#}"), "a webhook delivery cannot be recorded");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }))
}

/// `None` when the hook was deleted meanwhile.
async fn make(forge: &Forge, client: &reqwest::Client, delivery: &Delivery) -> Option<Delivered> {
    let hook = forge.inner.contents.read(|contents| {
        let own = contents
            .repositories
            .get(&delivery.repository)
            .map(|found| &found.hooks);
        let of_accounts = contents.accounts.values().map(|account| &account.hooks);
        let mut all = own.into_iter().chain(of_accounts).flatten();
        all.find(|hook| hook.id == delivery.hook).cloned()
    })?;
    let (status, error) = match send(client, &hook, delivery).await {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    match (&error, status) {
        (Some(error), _) => tracing::warn!(
            url = hook.url,
            event = delivery.event,
            error,
            "a webhook was not delivered"
        ),
        (None, status) => tracing::info!(
            url = hook.url,
            event = delivery.event,
            status,
            "a webhook was delivered"
        ),
    }
    Some(Delivered {
        uuid: delivery.uuid.clone(),
        event: delivery.event.clone(),
        at: Utc::now(),
        status,
        error,
    })
}

async fn send(client: &reqwest::Client, hook: &Hook, delivery: &Delivery) -> Result<u16> {
    let url = url::Url::parse(&hook.url).context("the hook's address is not a URL")?;
    only_this_machine(&url).await?;
    let (kind, body) = if hook.content_type == "form" {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &delivery.payload)
            .finish();
        ("application/x-www-form-urlencoded", body)
    } else {
        ("application/json", delivery.payload.clone())
    };
    // The signature is of the payload, also when it travels in a form.
    let (sha256, sha1) = signatures(&hook.secret, &delivery.payload)?;
    let mut request = client.post(url).header("Content-Type", kind);
    for brand in ["X-Forgejo", "X-Gitea", "X-Gogs"] {
        request = request
            .header(format!("{brand}-Delivery"), &delivery.uuid)
            .header(format!("{brand}-Event"), &delivery.event)
            .header(format!("{brand}-Event-Type"), &delivery.event)
            .header(format!("{brand}-Signature"), &sha256);
    }
    request = request
        .header("X-GitHub-Delivery", &delivery.uuid)
        .header("X-GitHub-Event", &delivery.event)
        .header("X-GitHub-Event-Type", &delivery.event)
        .header("X-Hub-Signature", format!("sha1={sha1}"))
        .header("X-Hub-Signature-256", format!("sha256={sha256}"));
    if !hook.authorization.is_empty() {
        request = request.header("Authorization", &hook.authorization);
    }
    Ok(request.body(body).send().await?.status().as_u16())
}

/// Hexadecimal HMACs with SHA-256 and SHA-1; both empty without a secret.
fn signatures(secret: &str, payload: &str) -> Result<(String, String)> {
    if secret.is_empty() {
        return Ok(Default::default());
    }
    let mut sha256 = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    sha256.update(payload.as_bytes());
    let mut sha1 = Hmac::<Sha1>::new_from_slice(secret.as_bytes())?;
    sha1.update(payload.as_bytes());
    Ok((
        hex::encode(sha256.finalize().into_bytes()),
        hex::encode(sha1.finalize().into_bytes()),
    ))
}

/// The sandbox talks to this machine only, as a Gitea with `ALLOWED_HOST_LIST = loopback`.
async fn only_this_machine(url: &url::Url) -> Result<()> {
    let host = url.host_str().context("the hook's address has no host")?;
    let port = url.port_or_known_default().context("the hook's address has no port")?;
    let mut addresses = tokio::net::lookup_host((host.trim_matches(['[', ']']), port))
        .await
        .with_context(|| format!("cannot resolve {host}"))?;
    if addresses.all(|address| address.ip().is_loopback()) {
        return Ok(());
    }
    anyhow::bail!("webhook can only call allowed HTTP servers (loopback), deny '{host}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_filters_read_as_globs() {
        for (pattern, branch, fits) in [
            ("", "main", true),
            ("*", "feature/x", true),
            ("main", "main", true),
            ("main", "mainly", false),
            ("feature/*", "feature/x", true),
            ("feature/*", "feature/x/y", false),
            ("feature/**", "feature/x/y", true),
            ("{main,release/*}", "release/1", true),
            ("{main,release/*}", "next", false),
        ] {
            assert_eq!(glob(pattern, branch), fits, "{pattern} {branch}");
        }
    }

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let (sha256, _) = signatures("Jefe", "what do ya want for nothing?").expect("any key fits");
        assert_eq!(
            sha256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
