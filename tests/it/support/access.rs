//! How people and scripts reach a platform: addresses, accounts, and what they do there.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Browser, Checkout, Systems, eventually};

/// A portal and the systems around it, seen from outside.
#[derive(Clone)]
pub struct Access {
    pub url: String,
    pub systems: Systems,
    token: String,
}

impl Access {
    /// `token` is a static one of the portal's API.
    pub fn new(url: &str, systems: Systems, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            systems,
            token: token.to_owned(),
        }
    }

    /// A browser without JavaScript, logged in.
    pub async fn user(&self, username: &str) -> Browser {
        let browser = self.stranger();
        let page = browser.log_in(username, &self.systems.identity.user_password).await;
        assert_eq!(page.status, StatusCode::OK, "{username} cannot log in: {}", page.html);
        let callback = &self.systems.identity.callback;
        assert!(
            page.url.as_str().starts_with(&self.url) && !page.url.as_str().starts_with(callback),
            "{username} ended on {}",
            page.url
        );
        browser
    }

    /// A browser that nobody has logged in with.
    pub fn stranger(&self) -> Browser {
        Browser::new(self.systems.http(), &self.url)
    }

    /// The portal's API, with the static token.
    pub fn api(&self) -> Api {
        Api::new(
            self.systems.http(),
            format!("{}/api", self.url),
            format!("Bearer {}", self.token),
        )
    }

    /// The forge's API, as its administrator.
    pub fn forge(&self) -> Api {
        self.systems.forge_api()
    }

    /// A clone of one of the administrator's repositories.
    pub fn checkout(&self, name: &str) -> Checkout {
        let forge = &self.systems.forge;
        let url = format!("{}/{}/{name}.git", forge.url, forge.username);
        Checkout::clone(
            &url,
            &forge.username,
            &forge.password,
            self.systems.authority.as_deref(),
        )
    }

    /// Starts the golden path "Basic Deployment" and answers the id of the task.
    pub async fn create(&self, name: &str) -> String {
        let values = json!({"name": name, "owner": "admin", "description": "Says hello", "replicas": 2});
        self.take("basic-deployment", &values).await
    }

    /// Starts a golden path and answers the id of the task.
    pub async fn take(&self, template: &str, values: &Value) -> String {
        let template = format!("template:default/{template}");
        let body = json!({"templateRef": template, "values": values});
        let (status, answer) = self.api().post("/scaffolder/v2/tasks", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Waits for the end of a task, whatever it is, and answers the task.
    pub async fn ended(&self, task: &str) -> Value {
        let api = self.api();
        eventually(&format!("task {task} ends"), || async {
            let (_, answer) = api.try_get(&format!("/scaffolder/v2/tasks/{task}")).await?;
            matches!(answer["status"].as_str(), Some("completed" | "failed" | "cancelled")).then_some(answer)
        })
        .await
    }

    /// All events of a task, in order.
    pub async fn events(&self, task: &str) -> Vec<Value> {
        let (status, events) = self.api().get(&format!("/scaffolder/v2/tasks/{task}/events")).await;
        assert_eq!(status, StatusCode::OK, "{events}");
        events.as_array().expect("a list").clone()
    }

    /// The entity of kind Component, from the API.
    pub async fn entity(&self, name: &str) -> Value {
        let path = format!("/catalog/entities/by-name/component/default/{name}");
        let (status, entity) = self.api().get(&path).await;
        assert_eq!(status, StatusCode::OK, "{entity}");
        entity
    }

    /// The Application as Argo CD's own API answers it.
    pub async fn application(&self, name: &str) -> Option<Value> {
        self.application_of("default", name).await
    }

    /// The same in a project of its own.
    pub async fn application_of(&self, project: &str, name: &str) -> Option<Value> {
        let argocd = self.systems.argocd_api().await;
        // Without its project Argo CD tells nobody whether it is there.
        let (status, application) = argocd
            .try_get(&format!("/applications/{name}?project={project}"))
            .await?;
        (status == StatusCode::OK).then_some(application)
    }

    /// Waits until the Application is Synced and Healthy, at this commit if one is given; answers it.
    pub async fn in_order(&self, name: &str, commit: Option<&str>) -> Value {
        eventually(&format!("Application {name} is Synced and Healthy"), || async {
            let application = self.application(name).await?;
            let status = &application["status"];
            let at = commit.is_none_or(|commit| status["sync"]["revision"] == commit);
            let well = status["sync"]["status"] == "Synced" && status["health"]["status"] == "Healthy";
            (at && well).then_some(application)
        })
        .await
    }
}

/// A JSON API with its credentials.
pub struct Api {
    client: reqwest::Client,
    base: String,
    authorization: String,
}

impl Api {
    pub fn new(client: reqwest::ClientBuilder, base: String, authorization: String) -> Self {
        let client = client.timeout(Duration::from_secs(30)).build().expect("a client");
        Self {
            client,
            base,
            authorization,
        }
    }

    /// Status and body; `Null` for a body that is not JSON. `None` where nobody answers.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    /// An answer that goes on: its body is not read.
    pub async fn stream(&self, path: &str) -> reqwest::Response {
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request.header("authorization", &self.authorization).send().await;
        answer.and_then(reqwest::Response::error_for_status).expect("a stream")
    }

    pub async fn try_get(&self, path: &str) -> Option<(StatusCode, Value)> {
        self.send(Method::GET, path, None).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.try_get(path).await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(body)).await.expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::DELETE, path, None).await.expect("an answer")
    }
}
