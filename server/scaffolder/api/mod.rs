//! `/api/scaffolder`, as `@backstage/plugin-scaffolder-backend` 4.2.0 answers it.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

mod approvals;
mod dry_run;
mod extensions;
mod removal;

use crate::language::text;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::{Event, Task, TaskStatus};
use crate::scaffolder::operations::{StartError, TaskError};
use crate::scaffolder::precheck::Problem;
use crate::scaffolder::queries::{self, Order, TaskFilter};
use crate::web::{Error, Json, SignedIn};

/// `GET …/events` waits this long for something to happen.
const LONG_POLL: Duration = Duration::from_secs(30);
const DEFAULT_PAGE_TITLE: &str = "Please enter the following information";

pub fn routes() -> Router<Scaffolder> {
    Router::new()
        .route(
            "/api/scaffolder/v2/templates/{namespace}/{kind}/{name}/parameter-schema",
            get(parameter_schema),
        )
        .route("/api/scaffolder/v2/actions", get(list_actions))
        .route("/api/scaffolder/v2/tasks", get(list).post(start))
        .route("/api/scaffolder/v2/tasks/{id}", get(show))
        .route("/api/scaffolder/v2/tasks/{id}/cancel", post(cancel))
        .route("/api/scaffolder/v2/tasks/{id}/retry", post(retry))
        .route("/api/scaffolder/v2/tasks/{id}/eventstream", get(event_stream))
        .route("/api/scaffolder/v2/tasks/{id}/events", get(events))
        .route(
            "/api/scaffolder/v2/tasks/{id}/removal",
            get(removal::plan).post(removal::start),
        )
        .route("/api/scaffolder/v2/approvals", get(approvals::list))
        .route("/api/scaffolder/v2/approvals/{id}", post(approvals::decide))
        .route("/api/scaffolder/v2/dry-run", post(dry_run::dry_run))
        .route(
            "/api/scaffolder/v2/templating-extensions",
            get(extensions::list_templating_extensions),
        )
        .route(
            "/api/scaffolder/v2/autocomplete/{provider}/{resource}",
            post(extensions::autocomplete),
        )
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::NotFound(id) => Self::NotFound(text!("Task with id '{id}' does not exist", id = id.to_string())),
            TaskError::Forbidden => Self::Forbidden(text!("This task belongs to somebody else.")),
            TaskError::NoApproval(id) => Self::NotFound(text!(
                "There is no approval {id}. Its task may have been removed.",
                id = id.to_string()
            )),
            TaskError::NotAsked => Self::Forbidden(text!("Others are asked to decide this.")),
            TaskError::OwnTask => Self::Forbidden(text!("The task is your own: somebody else has to decide.")),
            TaskError::Decided => Self::Conflict(text!("It is decided already, or nobody waits for it any more.")),
            TaskError::NothingToRemove => {
                Self::invalid("fates", text!("Everything would be kept. Choose what to remove."))
            }
            TaskError::Conflict(..) => Self::Conflict(error.to_string().into()),
            TaskError::Database(error) => error.into(),
        }
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NoTemplate(template) => Self::NotFound(text!(
                "There is no template {template}; it may have been removed from the catalog.",
                template = template
            )),
            StartError::BrokenTemplate(text) => Self::invalid("", text),
            StartError::Invalid(problems) => Self::Invalid(
                problems
                    .into_iter()
                    .map(|problem| crate::web::FieldError {
                        field: problem.field.unwrap_or_default(),
                        message: problem.message,
                    })
                    .collect(),
            ),
            StartError::Database(error) => error.into(),
            StartError::Catalog(error) => Self::Internal(Box::new(error)),
        }
    }
}

async fn parameter_schema(
    State(scaffolder): State<Scaffolder>,
    SignedIn(_): SignedIn,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    let (entity, template) = scaffolder.template(&format!("{kind}:{namespace}/{name}")).await?;
    let steps: Vec<Value> = template
        .parameters
        .iter()
        .map(|page| {
            let mut step = json!({"title": page["title"].as_str().unwrap_or(DEFAULT_PAGE_TITLE), "schema": page});
            if let Some(description) = page.get("description") {
                step["description"] = description.clone();
            }
            step
        })
        .collect();
    let mut answer = json!({"title": entity.title(), "steps": steps});
    let spec = &entity.body["spec"];
    let more = [
        ("description", entity.body.pointer("/metadata/description")),
        ("ui:options", entity.body.pointer("/metadata/ui:options")),
        ("presentation", spec.get("presentation")),
        (
            "formDecorators",
            spec.get("formDecorators")
                .or_else(|| spec.get("EXPERIMENTAL_formDecorators")),
        ),
    ];
    for (key, value) in more {
        if let Some(value) = value {
            answer[key] = value.clone();
        }
    }
    Ok(Json(answer).into_response())
}

async fn list_actions(State(scaffolder): State<Scaffolder>, SignedIn(_): SignedIn) -> Json<Value> {
    Json(scaffolder.actions().to_wire())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartBody {
    template_ref: String,
    #[serde(default)]
    values: Map<String, Value>,
    #[serde(default)]
    secrets: Map<String, Value>,
}

async fn start(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Json(body): Json<StartBody>,
) -> Result<Response, Error> {
    match scaffolder
        .start_task(&caller, &body.template_ref, Value::Object(body.values), body.secrets)
        .await
    {
        Ok(id) => Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response()),
        Err(StartError::Invalid(problems)) => Ok(validation_errors(&problems)),
        Err(error) => Err(error.into()),
    }
}

/// 400 with `{errors}`: the values are not what the template asks for.
fn validation_errors(problems: &[Problem]) -> Response {
    let errors: Vec<Value> = problems.iter().map(to_validation_error).collect();
    (StatusCode::BAD_REQUEST, Json(json!({"errors": errors}))).into_response()
}

/// The fields that the npm package `jsonschema` gives, as far as clients show them.
fn to_validation_error(problem: &Problem) -> Value {
    let path: Vec<&str> = problem
        .field
        .as_deref()
        .map(|field| field.split('.').collect())
        .unwrap_or_default();
    let property = path
        .iter()
        .fold("instance".to_owned(), |property, part| format!("{property}.{part}"));
    json!({
        "path": path,
        "property": property,
        "message": problem.message.to_string(),
        "stack": format!("{property} {}", problem.message),
    })
}

/// Values of a repeated parameter, as `key=` or `key[]=`.
fn values(query: Option<&str>, key: &str) -> Vec<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| name.strip_suffix("[]").unwrap_or(name) == key)
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn number(query: Option<&str>, key: &str) -> Result<Option<i64>, Error> {
    match values(query, key).first() {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(number) if number >= 0 => Ok(Some(number)),
            _ => Err(Error::invalid(
                key,
                format!("{key} must be a whole number, 0 or more; it is \"{text}\""),
            )),
        },
    }
}

async fn list(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Error> {
    let query = query.as_deref();
    let status = values(query, "status")
        .iter()
        .map(|word| {
            TaskStatus::from_word(word)
                .ok_or_else(|| Error::invalid("status", format!("\"{word}\" is no status of a task")))
        })
        .collect::<Result<_, _>>()?;
    let mut created_by = values(query, "createdBy");
    if !caller.is_admin() {
        let own = caller.actor();
        if created_by.iter().any(|other| *other != own) {
            return Err(Error::Forbidden("Only administrators see the tasks of others.".into()));
        }
        created_by = vec![own];
    }
    let filter = TaskFilter {
        waiting: None,
        created_by,
        status,
        order: order(&values(query, "order"))?,
        template: None,
        text: None,
        limit: number(query, "limit")?.unwrap_or(i64::MAX),
        offset: number(query, "offset")?.unwrap_or(0),
    };
    let (tasks, total) = queries::list_tasks(scaffolder.db(), &filter).await?;
    let tasks: Vec<Value> = tasks.iter().map(Task::to_wire).collect();
    Ok(Json(json!({"tasks": tasks, "totalTasks": total})))
}

/// The first of several orders counts.
fn order(orders: &[String]) -> Result<Order, Error> {
    let Some(text) = orders.first() else {
        return Ok(Order::NewestFirst);
    };
    Ok(match text.as_str() {
        "desc:created_at" => Order::NewestFirst,
        "asc:created_at" => Order::OldestFirst,
        "asc:status" => Order::Status { descending: false },
        "desc:status" => Order::Status { descending: true },
        "asc:created_by" => Order::CreatedBy { descending: false },
        "desc:created_by" => Order::CreatedBy { descending: true },
        _ => {
            let text = format!("\"{text}\" is no order; it is asc: or desc: and one of created_at, status, created_by");
            return Err(Error::invalid("order", text));
        }
    })
}

/// Task ids are uuids; anything else names no task.
fn task_id(text: &str) -> Result<Uuid, Error> {
    text.parse()
        .map_err(|_| Error::NotFound(format!("Task with id '{text}' does not exist").into()))
}

async fn show(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(scaffolder.get_task(&caller, task_id(&id)?).await?.to_wire()))
}

async fn cancel(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    scaffolder.cancel_task(&caller, task_id(&id)?).await?;
    Ok(Json(json!({"status": "cancelled"})))
}

#[derive(Default, Deserialize)]
struct RetryBody {
    #[serde(default)]
    secrets: Map<String, Value>,
}

async fn retry(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Response, Error> {
    let id = task_id(&id)?;
    let body: RetryBody = match body.is_empty() {
        true => RetryBody::default(),
        false => serde_json::from_slice(&body)
            .map_err(|error| Error::invalid("", format!("the body is not as expected: {error}")))?,
    };
    scaffolder.retry_task(&caller, id, body.secrets).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

async fn events(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Error> {
    let id = task_id(&id)?;
    scaffolder.get_task(&caller, id).await?;
    let after = number(query.as_deref(), "after")?.unwrap_or(0);
    let events = scaffolder.events_after(id, after, LONG_POLL).await?;
    Ok(Json(events.iter().map(Event::to_wire).collect()))
}

/// The number of the last event that a client has: its `Last-Event-ID` when it comes back, else `after`.
pub(in crate::scaffolder) fn last_seen(headers: &HeaderMap, query: Option<&str>) -> Result<(i64, bool), Error> {
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.parse::<i64>().ok());
    match resumed {
        Some(id) => Ok((id.max(0), true)),
        None => Ok((number(query, "after")?.unwrap_or(0), false)),
    }
}

async fn event_stream(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let id = task_id(&id)?;
    scaffolder.get_task(&caller, id).await?;
    let (after, _) = last_seen(&headers, query.as_deref())?;
    let frames = scaffolder.follow(id, after).map(|event| {
        Ok::<_, Infallible>(match event {
            Ok(event) => Frame::default()
                .event(event.kind.as_str())
                .data(event.to_wire().to_string())
                .id(event.id.to_string()),
            Err(error) => {
                tracing::warn!(%error, "an event stream broke off");
                Frame::default().comment("the database is away; connect again")
            }
        })
    });
    Ok(Sse::new(frames).keep_alive(KeepAlive::default()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_and_without_brackets() {
        let query = Some("createdBy=user%3Adefault%2Fa&createdBy[]=b&createdBy%5B%5D=c&other=d");
        assert_eq!(values(query, "createdBy"), ["user:default/a", "b", "c"]);
        assert!(number(Some("limit=-1"), "limit").is_err());
        assert!(order(&["desc:name".to_owned()]).is_err());
    }
}
