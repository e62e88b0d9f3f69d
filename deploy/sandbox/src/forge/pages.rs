//! Plain pages for people: repositories, folders, files, commits, and a form that changes a file.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Forge;
use super::access::{Caller, Refusal, Seen, ask_for_password};
use super::api::raw_file;
use super::git::GitError;
use super::model::{Account, Permission};
use super::names::is_file_path;
use crate::html::{self, escape};

/// Pages of the forge.
pub fn routes() -> Router<Forge> {
    Router::new()
        .route("/", get(home))
        .route("/style.css", get(html::style))
        .route("/user/login", get(log_in))
        .route("/{owner}", get(of_owner))
        .route("/{owner}/{repository}", get(repository))
        .route("/{owner}/{repository}/src", get(repository))
        .route("/{owner}/{repository}/src/{kind}/{*rest}", get(source))
        .route("/{owner}/{repository}/raw/{kind}/{*rest}", get(raw))
        .route("/{owner}/{repository}/media/{kind}/{*rest}", get(raw))
        .route("/{owner}/{repository}/archive/{*name}", get(super::api::archive))
        .route("/{owner}/{repository}/_edit/{*rest}", get(edit).post(save))
        .route("/{owner}/{repository}/commit/{id}", get(commit))
        .route("/{owner}/{repository}/commits/branch/{*branch}", get(commits))
        .route("/{owner}/{repository}/pulls/{number}", get(pull))
}

/// 404 for everything else.
pub async fn nothing_here() -> Response {
    Problem(Refusal::not_found()).into_response()
}

type Shown = Result<Response, Problem>;

/// A refusal as a page.
#[derive(Debug)]
struct Problem(Refusal);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<GitError> for Problem {
    fn from(error: GitError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        let main = format!(
            "<h1>{}</h1>\n<p class=\"note\">{}</p>",
            refusal.status(),
            escape(refusal.message())
        );
        let title = "Not possible · Sandbox forge";
        let shown = html::page(refusal.status(), "en", title, "/style.css", false, "", &main);
        match refusal.status() {
            StatusCode::UNAUTHORIZED => ask_for_password(shown),
            _ => shown,
        }
    }
}

fn page(title: &str, main: &str) -> Response {
    html::page(
        StatusCode::OK,
        "en",
        &format!("{title} · Sandbox forge"),
        "/style.css",
        false,
        "",
        main,
    )
}

fn seen(forge: &Forge, headers: &HeaderMap, owner: &str, name: &str) -> Result<Seen, Problem> {
    let caller = Caller::of(forge, headers)?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    Ok(forge.see(&caller, owner, name, Permission::Read)?)
}

async fn home(State(forge): State<Forge>, headers: HeaderMap) -> Shown {
    listed(&forge, &headers, None)
}

async fn of_owner(State(forge): State<Forge>, Path(owner): Path<String>, headers: HeaderMap) -> Shown {
    if forge.inner.contents.read(|contents| contents.account(&owner).is_none()) {
        return Err(Refusal::not_found().into());
    }
    listed(&forge, &headers, Some(&owner))
}

fn listed(forge: &Forge, headers: &HeaderMap, owner: Option<&str>) -> Shown {
    let caller = Caller::of(forge, headers)?;
    let visible: Vec<_> = forge.inner.contents.read(|contents| {
        let all = contents.repositories.values();
        let of_owner = all.filter(|found| owner.is_none_or(|owner| found.owner.eq_ignore_ascii_case(owner)));
        of_owner
            .filter(|found| contents.permission(caller.0.as_ref(), found).is_some())
            .cloned()
            .collect()
    });
    let rows: String = visible
        .iter()
        .map(|found| {
            let name = escape(&forge.full_name(found));
            format!(
                "<tr><th scope=\"row\"><a href=\"/{name}\">{name}</a></th><td>{}</td></tr>\n",
                escape(&found.description)
            )
        })
        .collect();
    let title = owner.unwrap_or("Repositories");
    let rest = if rows.is_empty() {
        "<p class=\"mute\">No repositories that you may see.</p>"
    } else {
        ""
    };
    let main = format!(
        "<header><span class=\"brand\">Sandbox forge</span><a href=\"/user/login\">Log in</a></header>\n<h1>{}</h1>\n\
         <p class=\"mute\">It stands in for Forgejo and is for this machine only.</p>\n\
         <table><thead><tr><th scope=\"col\">Repository</th><th scope=\"col\">Description</th></tr></thead>\n\
         <tbody>{rows}</tbody></table>{rest}",
        escape(title)
    );
    Ok(page(title, &main))
}

async fn log_in(State(forge): State<Forge>, headers: HeaderMap) -> Response {
    match Caller::of(&forge, &headers).and_then(Caller::required) {
        Ok(_) => Redirect::to("/").into_response(),
        Err(refusal) => Problem(refusal).into_response(),
    }
}

async fn repository(
    State(forge): State<Forge>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Shown {
    let seen = seen(&forge, &headers, &owner, &name)?;
    let branch = seen.repository.default_branch.clone();
    match seen.git.resolve(&format!("refs/heads/{branch}")).await {
        Ok(Some(_)) => folder_or_file(&forge, &seen, "branch", &branch, "").await,
        _ => {
            let clone = format!("{}/{}.git", forge.root(), forge.full_name(&seen.repository));
            let main = format!(
                "{}<p>This repository is empty.</p><pre>git clone {}</pre>",
                head(&forge, &seen),
                escape(&clone)
            );
            Ok(page(&seen.repository.name, &main))
        }
    }
}

async fn source(
    State(forge): State<Forge>,
    Path((owner, name, kind, rest)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Shown {
    let seen = seen(&forge, &headers, &owner, &name)?;
    let (reference, path) = split(&seen, &rest).await?;
    folder_or_file(&forge, &seen, &kind, &reference, &path).await
}

async fn raw(
    State(forge): State<Forge>,
    Path((owner, name, _kind, rest)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Shown {
    let seen = seen(&forge, &headers, &owner, &name)?;
    let (reference, path) = split(&seen, &rest).await?;
    Ok(raw_file(&seen, &reference, &path, &headers).await?)
}

/// `<reference>/<path>`, where the reference may have slashes: the shortest one that exists.
async fn split(seen: &Seen, rest: &str) -> Result<(String, String), Problem> {
    let rest = rest.trim_matches('/');
    let ends = rest.match_indices('/').map(|(at, _)| at).chain([rest.len()]).take(8);
    for end in ends {
        let reference = &rest[..end];
        let found = seen.git.resolve(reference).await?;
        if found.is_some() {
            return Ok((reference.to_owned(), rest[end..].trim_start_matches('/').to_owned()));
        }
    }
    Err(Refusal::not_found().into())
}

fn head(forge: &Forge, seen: &Seen) -> String {
    let name = escape(&forge.full_name(&seen.repository));
    let (owner, _) = name.split_once('/').unwrap_or((&name, ""));
    format!(
        "<header><span class=\"brand\"><a href=\"/\">Sandbox forge</a> / <a href=\"/{owner}\">{owner}</a></span>\
         <span class=\"tag\">{}</span></header>\n<h1><a href=\"/{name}\">{name}</a></h1>\n<p class=\"mute\">{}</p>\n",
        if seen.repository.private { "private" } else { "public" },
        escape(&seen.repository.description)
    )
}

async fn folder_or_file(forge: &Forge, seen: &Seen, kind: &str, reference: &str, path: &str) -> Shown {
    let commit = seen.commit(reference).await?;
    let found = if path.is_empty() || is_file_path(path) {
        seen.git.entry(&commit, path).await
    } else {
        Ok(None)
    };
    let entry = found?.ok_or_else(Refusal::not_found)?;
    let full_name = escape(&forge.full_name(&seen.repository));
    let (safe_kind, safe_reference) = (escape(kind), escape(reference));
    let last = seen.git.log(&[&commit], path, 0, 1).await?;
    let last = last.first().map_or(String::new(), |commit| {
        let first_line = commit.message.lines().next().unwrap_or_default();
        format!(
            "<p class=\"mute\"><a class=\"mono\" href=\"/{full_name}/commit/{}\">{}</a> {} · {} · <time>{}</time> · \
             <a href=\"/{full_name}/commits/branch/{safe_reference}\">history</a></p>",
            commit.id,
            &commit.id[..10],
            escape(first_line),
            escape(&commit.author.name),
            escape(&commit.committer.date)
        )
    });
    let mut main = format!(
        "{}<h2>{safe_reference}: /{}</h2>\n{last}\n",
        head(forge, seen),
        escape(path)
    );
    if entry.kind == "tree" {
        let children = seen.git.tree(&entry.id, false).await?;
        main.push_str("<table><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Size</th></tr></thead><tbody>\n");
        let (folders, files): (Vec<_>, Vec<_>) = children.into_iter().partition(|child| child.kind == "tree");
        for child in folders.iter().chain(&files) {
            let place = if path.is_empty() {
                child.path.clone()
            } else {
                format!("{path}/{}", child.path)
            };
            let slash = if child.kind == "tree" { "/" } else { "" };
            main.push_str(&format!(
                "<tr><th scope=\"row\"><a href=\"/{full_name}/src/{safe_kind}/{safe_reference}/{}\">{}{slash}</a></th><td>{}</td></tr>\n",
                escape(&place),
                escape(&child.path),
                child.size.map_or(String::new(), |size| format!("{size} bytes"))
            ));
        }
        let clone = format!("{}/{full_name}.git", forge.root());
        main.push_str(&format!("</tbody></table>\n<pre>git clone {clone}</pre>"));
    } else {
        let bytes = seen.git.blob(&entry.id).await?;
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => format!("<pre>{}</pre>", escape(text)),
            _ => format!("<p>{} bytes that are not text.</p>", bytes.len()),
        };
        main.push_str(&format!(
            "<p><a href=\"/{full_name}/raw/{safe_kind}/{safe_reference}/{0}\">Raw</a> · \
             <a href=\"/{full_name}/_edit/{safe_reference}/{0}\">Edit</a></p>\n{text}",
            escape(path)
        ));
    }
    Ok(page(&forge.full_name(&seen.repository), &main))
}

fn editor(forge: &Forge, headers: &HeaderMap, owner: &str, name: &str) -> Result<(Seen, Account), Problem> {
    let caller = Caller::of(forge, headers)?;
    let seen = forge.see(&caller, owner, name, Permission::Write)?;
    let account = caller.required()?;
    Ok((seen, account))
}

async fn edit(
    State(forge): State<Forge>,
    Path((owner, name, rest)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Shown {
    let (seen, _) = editor(&forge, &headers, &owner, &name)?;
    let (branch, path) = split(&seen, &rest).await?;
    let commit = seen.commit(&branch).await?;
    let found = if is_file_path(&path) {
        seen.git.entry(&commit, &path).await
    } else {
        Ok(None)
    };
    let text = match found? {
        Some(entry) if entry.kind == "blob" => {
            let bytes = seen.git.blob(&entry.id).await?;
            String::from_utf8(bytes).map_err(|_| Refusal::invalid(format!("{path} is not text")))?
        }
        _ => return Err(Refusal::not_found().into()),
    };
    // A browser drops one line break after <textarea>.
    let main = format!(
        "{}<form method=\"post\">\n<div class=\"field\"><label for=\"content\">{}</label>\
         <textarea id=\"content\" name=\"content\" spellcheck=\"false\">\n{}</textarea></div>\n\
         <div class=\"field\"><label for=\"message\">Commit message</label>\
         <input id=\"message\" name=\"message\" placeholder=\"Update {}\"></div>\n<button>Commit to {}</button>\n</form>",
        head(&forge, &seen),
        escape(&path),
        escape(&text),
        escape(&path),
        escape(&branch)
    );
    Ok(page(&format!("Edit {path}"), &main))
}

async fn save(
    State(forge): State<Forge>,
    Path((owner, name, rest)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    // Browsers send a known name and password with forms of other sites too.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "The form was sent from another site.").into());
    }
    let (seen, account) = editor(&forge, &headers, &owner, &name)?;
    let (branch, path) = split(&seen, &rest).await?;
    let (mut text, mut message) = (String::new(), String::new());
    for (key, value) in url::form_urlencoded::parse(&body) {
        match key.as_ref() {
            // Forms send line ends as CRLF.
            "content" => text = value.replace("\r\n", "\n"),
            "message" => message = value.into_owned(),
            _ => {}
        }
    }
    forge
        .save(&seen, &account, &branch, &path, &text, message.trim())
        .await?;
    let target = format!("/{}/src/branch/{branch}/{path}", forge.full_name(&seen.repository));
    Ok(Redirect::to(&target).into_response())
}

async fn commit(
    State(forge): State<Forge>,
    Path((owner, name, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Shown {
    let seen = seen(&forge, &headers, &owner, &name)?;
    let id = seen.commit(&id).await?;
    let shown = seen
        .git
        .run(["show", "--no-color", "--stat", "--patch", "--date=iso-strict", &id])
        .await;
    let text = shown?;
    let main = format!(
        "{}<h2>Commit</h2><pre>{}</pre>",
        head(&forge, &seen),
        escape(&String::from_utf8_lossy(&text))
    );
    Ok(page(&format!("Commit {}", &id[..10]), &main))
}

#[derive(Debug, Deserialize)]
struct Turned {
    page: Option<usize>,
}

async fn commits(
    State(forge): State<Forge>,
    Path((owner, name, branch)): Path<(String, String, String)>,
    Query(turned): Query<Turned>,
    headers: HeaderMap,
) -> Shown {
    let seen = seen(&forge, &headers, &owner, &name)?;
    let from = seen.commit(&branch).await?;
    let skip = turned.page.unwrap_or(1).max(1).saturating_sub(1).saturating_mul(50);
    let listed = seen.git.log(&[&from], "", skip, 50).await?;
    let full_name = escape(&forge.full_name(&seen.repository));
    let rows: String = listed
        .iter()
        .map(|commit| {
            format!(
                "<tr><th scope=\"row\"><a class=\"mono\" href=\"/{full_name}/commit/{}\">{}</a></th><td>{}</td><td>{}</td><td><time>{}</time></td></tr>\n",
                commit.id,
                &commit.id[..10],
                escape(commit.message.lines().next().unwrap_or_default()),
                escape(&commit.author.name),
                escape(&commit.committer.date)
            )
        })
        .collect();
    let main = format!(
        "{}<h2>Commits of {}</h2><table><tbody>{rows}</tbody></table>",
        head(&forge, &seen),
        escape(&branch)
    );
    Ok(page(&format!("Commits of {branch}"), &main))
}

async fn pull(
    State(forge): State<Forge>,
    Path((owner, name, number)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Shown {
    let seen = seen(&forge, &headers, &owner, &name)?;
    let found = seen.repository.pulls.iter().find(|pull| pull.number == number);
    let pull = found.ok_or_else(Refusal::not_found)?;
    let state = if pull.merged.is_some() { "merged" } else { &pull.state };
    let main = format!(
        "{}<h2>#{number} {}</h2><p><span class=\"tag\">{}</span> {} into {}</p><pre>{}</pre>",
        head(&forge, &seen),
        escape(&pull.title),
        escape(state),
        escape(&pull.head),
        escape(&pull.base),
        escape(&pull.body)
    );
    Ok(page(&format!("#{number} {}", pull.title), &main))
}
