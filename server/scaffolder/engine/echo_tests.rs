//! An action that echoes a secret in every way that it can think of: nothing of it is stored or told.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;

use super::tests::{World, bench_at};
use crate::clock::Clock;
use crate::scaffolder::Settings;
use crate::scaffolder::actions::{Action, ActionError, Context};
use crate::scaffolder::model::{EffectKind, TaskStatus, Waiting};

const SECRET: &str = "hu5h/Hu5h+\"qu1et\"&Still=42";

struct Echo;

#[derive(Deserialize, JsonSchema)]
struct EchoInput {
    token: String,
    /// The ways to end: well, with an error, waiting.
    end: String,
}

#[derive(Serialize, JsonSchema)]
struct EchoOutput {
    said: Vec<String>,
}

fn echoes(token: &str) -> Vec<String> {
    let (first, second) = token.split_at(token.len() / 2);
    let (third, rest) = token.split_at(token.len() / 3 + 1);
    vec![
        token.to_owned(),
        format!("{first} … {second}"),
        format!("{third}\n{rest}"),
        STANDARD.encode(token),
        STANDARD.encode(format!("user:{token}@host")),
        format!("Authorization: Basic {}", STANDARD.encode(format!("me:{token}"))),
        url::form_urlencoded::byte_serialize(token.as_bytes()).collect(),
        hex::encode(token),
        json!({"token": token}).to_string(),
        json!({"nested": json!({"token": token}).to_string()}).to_string(),
        token.replace('&', "&amp;").replace('"', "&quot;"),
    ]
}

#[async_trait::async_trait]
impl Action for Echo {
    const ID: &'static str = "test:echo";
    const DESCRIPTION: &'static str = "Echoes.";
    type Input = EchoInput;
    type Output = EchoOutput;

    async fn run(&self, cx: &Context, input: EchoInput) -> Result<EchoOutput, ActionError> {
        assert_eq!(input.token, SECRET, "actions get the secret itself");
        let said = echoes(&input.token);
        said.iter().for_each(|text| cx.log(text));
        cx.effect(
            EffectKind::Repository,
            &said.join(","),
            Some(format!("https://h/{}", said[6])),
        )
        .await?;
        match input.end.as_str() {
            "error" => Err(ActionError::Failed(said.join("\n"))),
            "wait" if cx.decision().await?.is_none() => {
                let waiting = Waiting::Approval {
                    by: vec!["group:default/any".to_owned()],
                    own: true,
                    message: said.join("\n"),
                };
                let hour = std::time::Duration::from_secs(3600);
                Err(cx.pause(waiting, hour, hour))
            }
            _ => Ok(EchoOutput { said }),
        }
    }
}

#[sqlx::test]
async fn an_echoed_secret_is_stored_nowhere(db: PgPool) {
    for (end, status) in [
        ("well", TaskStatus::Completed),
        ("error", TaskStatus::Failed),
        ("wait", TaskStatus::Processing),
    ] {
        let actions = vec![Arc::new(Echo) as _];
        let bench = bench_at(&db, Settings::default(), World::default(), Clock::system(), actions);
        let step = json!({"id": "echo", "name": "echo", "action": "test:echo",
                          "input": {"token": "${{ secrets.token }}", "end": end}});
        let output = json!({"text": [{"title": "said", "content": "${{ steps.echo.output.said | dump }}"}]});
        let id = bench.start(json!([step]), output, json!({"token": SECRET})).await;
        bench.work().await;
        assert_eq!(bench.task(id).await.status, status, "{:?}", bench.task(id).await.error);
    }
    let mut stored = Vec::new();
    for table in
        ["task", "task_step", "task_event", "task_effect", "task_intent"].map(|name| format!("scaffolder_{name}"))
    {
        let rows = format!("select row_to_json(t)::text from {table} t");
        stored.extend(
            sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(rows))
                .fetch_all(&db)
                .await
                .unwrap(),
        );
    }
    stored.extend(
        sqlx::query_scalar::<_, String>("select row_to_json(t)::text from scaffolder_approval t")
            .fetch_all(&db)
            .await
            .unwrap(),
    );
    let stored = stored.join("\n");
    assert!(stored.contains("***"));
    for echo in echoes(SECRET) {
        for piece in echo.split(['\n', ' ']).filter(|piece| piece.len() >= 8) {
            // As JSON writes it into the rows.
            let written = json!(piece).to_string();
            let written = &written[1..written.len() - 1];
            let harmless = ["Authorization:", "{\"token\":", "\"nested\""];
            if !harmless.contains(&piece) {
                assert!(!stored.contains(written), "{piece}");
            }
        }
    }
    for part in ["hu5h/Hu5", "qu1et", "Still=42"] {
        assert!(!stored.contains(part), "{part}: {stored}");
    }
}
