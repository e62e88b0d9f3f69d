//! The filters that the scaffolder adds (`@backstage/plugin-scaffolder-backend` 4.2.0).

use super::super::error::Fault;
use super::super::methods;
use super::super::value::{Members, Value, string, units};
use super::{Given, Outcome};

/// `parseEntityRef`: kind, namespace and name of a ref, which may also be given as an object.
pub(super) fn parse_entity_ref(value: Value, given: &Given<'_>) -> Outcome {
    let fallback = |name: &str| match given.get(0) {
        Value::Object(members) => members
            .get(&*units(name))
            .and_then(Value::as_units)
            .map(|text| string(text)),
        _ => None,
    };
    let (kind, namespace, name) = match &value {
        Value::Object(members) => {
            let part = |name: &str| {
                members
                    .get(&*units(name))
                    .and_then(Value::as_units)
                    .map(|text| string(text))
            };
            (part("kind"), part("namespace"), part("name").unwrap_or_default())
        }
        _ => {
            let text = string(&given.units(&value)?);
            let (kind, rest) = match (text.find(':'), text.find('/')) {
                (Some(colon), slash) if slash.is_none_or(|slash| colon < slash) => {
                    (Some(text[..colon].to_owned()), &text[colon + 1..])
                }
                _ => (None, text.as_str()),
            };
            match rest.split_once('/') {
                Some((namespace, name)) => (kind, Some(namespace.to_owned()), name.to_owned()),
                None => (kind, None, rest.to_owned()),
            }
        }
    };
    let kind = kind.or_else(|| fallback("defaultKind")).unwrap_or_default();
    let namespace = namespace
        .or_else(|| fallback("defaultNamespace"))
        .unwrap_or_else(|| "default".to_owned());
    for (part, name) in [(&kind, "kind"), (&namespace, "namespace"), (&name, "name")] {
        if part.is_empty() {
            let shown = value
                .as_units()
                .map_or_else(String::new, |text| format!(" \"{}\"", string(text)));
            return Err(Fault::evaluation(format!("the entity ref{shown} has no {name}")));
        }
    }
    Ok(members([
        ("kind", Some(kind)),
        ("namespace", Some(namespace)),
        ("name", Some(name)),
    ]))
}

/// `parseRepoUrl`: the parts of `host?owner=…&repo=…`, those that the host's kind of forge needs checked.
pub(super) fn parse_repo_url(value: Value, given: &Given<'_>) -> Outcome {
    let parts = repo_url(&value, given)?;
    Ok(members([
        ("host", Some(parts.host)),
        ("owner", parts.owner),
        ("repo", parts.repo),
        ("organization", parts.organization),
        ("workspace", parts.workspace),
        ("project", parts.project),
    ]))
}

/// `projectSlug`: `owner/repo` of a repository URL.
pub(super) fn project_slug(value: Value, given: &Given<'_>) -> Outcome {
    let parts = repo_url(&value, given)?;
    let shown = |part: Option<String>| part.unwrap_or_else(|| "undefined".to_owned());
    Ok(Value::text(&format!("{}/{}", shown(parts.owner), shown(parts.repo))))
}

struct RepoUrl {
    host: String,
    owner: Option<String>,
    repo: Option<String>,
    organization: Option<String>,
    workspace: Option<String>,
    project: Option<String>,
}

fn repo_url(value: &Value, given: &Given<'_>) -> Result<RepoUrl, Fault> {
    let text = string(&given.units(value)?);
    let invalid = |reason: String| Fault::evaluation(format!("the repository URL \"{text}\" is not usable: {reason}"));
    let url = url::Url::parse(&format!("https://{text}"))
        .map_err(|error| invalid(format!("{error}; it is written host?owner=…&repo=…")))?;
    let query = |name: &str| {
        url.query_pairs()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(invalid("it has no host".to_owned())),
    };
    let integrations = &given.cx.options.integrations;
    let Some((_, kind)) = integrations.iter().find(|(known, _)| *known == host) else {
        return Err(invalid(format!("no integration is configured for the host {host}")));
    };
    let parts = RepoUrl {
        owner: query("owner"),
        repo: query("repo"),
        organization: query("organization"),
        workspace: query("workspace"),
        project: query("project"),
        host,
    };
    let needed: &[(&str, &Option<String>)] = match kind.as_str() {
        "azure" | "bitbucketServer" => &[("project", &parts.project), ("repo", &parts.repo)],
        "bitbucketCloud" => &[
            ("workspace", &parts.workspace),
            ("project", &parts.project),
            ("repo", &parts.repo),
        ],
        "bitbucket" if parts.host == "www.bitbucket.org" => &[
            ("workspace", &parts.workspace),
            ("project", &parts.project),
            ("repo", &parts.repo),
        ],
        "bitbucket" => &[("project", &parts.project), ("repo", &parts.repo)],
        "gitea" | "gerrit" => &[("repo", &parts.repo)],
        "gitlab" if parts.project.is_some() => &[],
        _ => &[("owner", &parts.owner), ("repo", &parts.repo)],
    };
    match needed.iter().find(|(_, part)| part.is_none()) {
        Some((name, _)) => Err(invalid(format!("\"{name}\" is missing in it"))),
        None => Ok(parts),
    }
}

fn members<const N: usize>(parts: [(&str, Option<String>); N]) -> Value {
    let members: Members = parts
        .into_iter()
        .filter_map(|(name, part)| Some((units(name), Value::text(&part?))))
        .collect();
    Value::object(members)
}

/// `pick`: a member by a path such as `a.b[0].c`.
pub(super) fn pick(value: Value, given: &Given<'_>) -> Outcome {
    let path = string(&given.text(0)?);
    if let Value::Object(members) = &value
        && let Some(found) = members.get(&*units(&path))
    {
        return Ok(found.clone());
    }
    let mut found = value;
    for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        given.budget().spend(1)?;
        let key = part.trim_matches(['"', '\'']);
        found = match methods::member(&found, &Value::text(key), false, given.budget())? {
            Value::Function(_) => Value::Undefined,
            member => member,
        };
    }
    Ok(found)
}
