//! The same answers as a Backstage that was loaded with the same files: `tests/conformance/answers.mjs` asked one and
//! wrote down what it said.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::described::Described;
use super::http::{Answer, Client};
use super::*;
use crate::web::testing;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance");

/// Where ours differs on purpose: method and address, what Backstage answers, and why ours does not.
const ON_PURPOSE: &[(&str, &str)] = &[
    (
        "GET /entities?filter=kind=component&order=asc:metadata.tags",
        "an entity with several values is listed once, not once for each",
    ),
    (
        "GET /entities/by-query?limit=2&orderField=metadata.tags,asc",
        "an entity with several values is listed once, not once for each",
    ),
    (
        "GET /entities/by-query?fullTextFilterTerm=%5C&",
        "a backslash is found, not the sign that the database escapes with",
    ),
    (
        "POST /entities/by-query {\"fields\":[\"kind\",\"metadata.namespace\",\"metadata.name\"],\"limit\":-1}",
        "no 500",
    ),
    ("GET /locations/nope", "no 500"),
    ("POST /locations {\"type\":\"url\",\"target\":\"\"}", "no 500"),
    (
        "GET /entities/by-name/component/default/alpha/ancestry",
        "a location says what is wrong below it, also of entities that never were",
    ),
    (
        "GET /entities/by-name/template/default/basic/ancestry",
        "a location says what is wrong below it, also of entities that never were",
    ),
    (
        "GET /entities/by-name/api/ops/internal/ancestry",
        "a location says what is wrong below it, also of entities that never were",
    ),
    (
        "GET /entities/by-name/location/default/corpus/ancestry",
        "a location says what is wrong below it, also of entities that never were",
    ),
    (
        "GET /entities/by-query?orderField=,asc",
        "an order by nothing is a mistake",
    ),
    ("GET /nope", "every error has a body"),
    ("GET /entities/by-name/component/default null", "every error has a body"),
];

async fn loaded(db: &PgPool) -> Client {
    let forge = MemoryForge::default();
    let mut folders = vec![Path::new(FOLDER).join("corpus")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(Path::new(FOLDER).join("corpus")).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            forge.write("team/corpus", name.to_str().unwrap(), &text);
        }
    }
    let catalog = catalog(db, &forge);
    catalog
        .register("a", &url("team/corpus", "catalog-info.yaml"))
        .await
        .unwrap();
    Client {
        catalog,
        caller: Some(testing::user("user1", &["admin"])),
    }
}

/// Without what two programs cannot agree on, as the script leaves it out.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !["uid", "etag", "stack", "nextCursor", "prevCursor", "id"].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::String(text) => {
            let Some(at) = text.find("generated-") else {
                return value.clone();
            };
            let after = &text[at + "generated-".len()..];
            let digest = after.chars().take_while(char::is_ascii_hexdigit).count();
            Value::String(format!("{}generated{}", &text[..at], &after[digest..]))
        }
        // 1.0 and 1 are one number in JavaScript.
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => json!(float as i64),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

fn answer_of(answer: &Answer) -> Value {
    let body: Value = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    let status = answer.status.as_u16();
    if status < 400 {
        return json!({"status": status, "body": plain(&body)});
    }
    let name = match body["errors"].is_array() {
        true => json!("errors"),
        false => body["error"]["name"].clone(),
    };
    json!({"status": status, "error": name})
}

/// Follows cursors as the letters of `walk` say.
async fn walk(client: &Client, question: &Value) -> Value {
    let path = format!("/api/catalog{}", question["url"].as_str().unwrap());
    let body = &question["body"];
    let posted = question["method"] == "POST";
    let mut answer = match posted {
        true => client.post(&path, body.clone()).await,
        false => client.get(&path).await,
    };
    if !answer.status.is_success() {
        return json!([answer_of(&answer)]);
    }
    let page = |answer: &Answer| {
        let body = answer.json();
        let mut cursors: Vec<&String> = body["pageInfo"].as_object().unwrap().keys().collect();
        cursors.sort();
        json!({"items": plain(&body["items"]), "totalItems": body["totalItems"], "cursors": cursors})
    };
    let (address, query) = path.split_once('?').unwrap_or((&path, ""));
    let asked = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let value = pairs.find(|(key, _)| key == name);
        value.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let mut steps = Vec::new();
    for direction in question["walk"].as_str().unwrap().chars() {
        steps.push(page(&answer));
        let key = if direction == '>' { "nextCursor" } else { "prevCursor" };
        let found = answer.json();
        let Some(cursor) = found["pageInfo"][key].as_str() else {
            break;
        };
        answer = match posted {
            true => {
                let body = json!({"cursor": cursor, "limit": body["limit"], "fields": body["fields"]});
                client.post(&path, body).await
            }
            false => {
                let cursor = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect::<String>();
                let (limit, fields) = (asked("limit"), asked("fields"));
                client
                    .get(&format!("{address}?cursor={cursor}&limit={limit}&fields={fields}"))
                    .await
            }
        };
        assert_eq!(answer.status, 200, "{question}: {}", answer.text);
    }
    steps.push(page(&answer));
    steps.into()
}

async fn links(client: &Client, question: &Value) -> Value {
    let mut steps = Vec::new();
    let mut next = Some(question["url"].as_str().unwrap().to_owned());
    while let Some(url) = next {
        let answer = client.get(&format!("/api/catalog{url}")).await;
        steps.push(plain(&answer.json()));
        let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
    }
    steps.into()
}

/// The field that a question sorts by first.
fn order_of(question: &Value) -> Option<String> {
    if let Some(field) = question["body"]["orderBy"][0]["field"].as_str() {
        return Some(field.to_owned());
    }
    let (_, query) = question["url"].as_str()?.split_once('?')?;
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, value) = pairs
        .into_iter()
        .find(|(name, _)| name == "order" || name == "orderField")?;
    let field = value.split(',').next()?;
    let field = field
        .strip_prefix("asc:")
        .or(field.strip_prefix("desc:"))
        .unwrap_or(field);
    Some(field.to_owned())
}

/// What an answer tells of the order that was asked for. Backstage leaves entities of equal values, and all where no
/// order is asked for, in the order of its random ids: of those only the set counts, or the number where it is cut.
fn without_chance(question: &Value, answer: &Value) -> Value {
    let url = question["url"].as_str().unwrap();
    let path = url.split('?').next().unwrap();
    if !["/entities", "/entities/by-query"].contains(&path) {
        return answer.clone();
    }
    let order = order_of(question);
    // These have an order of their own where pages are asked for.
    let by_ref = path == "/entities" && url.contains("limit") && order.is_none();
    let is_cut = url.contains("limit") || url.contains("offset") || question["body"].get("limit").is_some();
    let told = |items: &Value| {
        let Some(list) = items.as_array().filter(|_| !by_ref) else {
            return items.clone();
        };
        let value = |item: &Value| {
            let parts = order.as_ref()?.split('.');
            let value = parts.fold(item, |value, key| &value[key]);
            let text = value.as_str().map(str::to_lowercase);
            text.or_else(|| value.is_number().then(|| value.to_string()))
        };
        let values: Vec<Option<String>> = list.iter().map(value).collect();
        let mut set: Vec<String> = list.iter().map(|item| sorted(item).to_string()).collect();
        set.sort();
        match is_cut {
            true => json!({"values": values}),
            false => json!({"values": values, "set": set}),
        }
    };
    let mut answer = answer.clone();
    if let Some(pages) = answer.get_mut("pages") {
        for page in pages.as_array_mut().unwrap() {
            match page.is_array() {
                true => *page = told(page),
                false => page["items"] = told(&page["items"]),
            }
        }
    } else if answer["body"].is_array() {
        answer["body"] = told(&answer["body"]);
    } else if answer["body"]["items"].is_array() {
        answer["body"]["items"] = told(&answer["body"]["items"]);
    }
    answer
}

/// Keys sorted, so that equal values are equal texts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs.into_iter().collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[sqlx::test]
async fn the_answers_are_those_of_a_backstage_with_the_same_files(db: PgPool) {
    let client = loaded(&db).await;
    let described = Described::new(crate::catalog::api::document());
    let file = std::fs::read_to_string(Path::new(FOLDER).join("answers.json")).unwrap();
    let questions: Vec<Value> = serde_json::from_str(&file).unwrap();
    assert!(questions.len() > 500, "{} questions", questions.len());
    let (mut wrong, mut on_purpose) = (Vec::new(), 0);
    for question in &questions {
        let theirs = &question["answer"];
        let (method, url) = (question["method"].as_str().unwrap_or("GET"), &question["url"]);
        let ours = if question["walk"].is_string() {
            json!({"pages": walk(&client, question).await})
        } else if question["links"] == true {
            json!({"pages": links(&client, question).await})
        } else {
            let path = format!("/api/catalog{}", url.as_str().unwrap());
            let body = question.get("body").map(Value::to_string).unwrap_or_default();
            let answer = client.send(method, &path, "application/json", body.clone()).await;
            // Of the parts that a body asks for, the check knows by the address.
            let asked = match body.contains("\"fields\"") {
                true => format!("{path}?fields="),
                false => path.clone(),
            };
            if let Err(error) = described.check(method, &asked, &answer) {
                wrong.push(format!("{method} {path}: not as our own document says: {error}"));
            }
            answer_of(&answer)
        };
        let (ours, theirs) = (
            without_chance(question, &ours),
            without_chance(question, &plain(theirs)),
        );
        if ours == theirs {
            continue;
        }
        let name = format!(
            "{method} {} {}",
            url.as_str().unwrap(),
            question.get("body").unwrap_or(&Value::Null)
        );
        match ON_PURPOSE.iter().any(|(prefix, _)| name.starts_with(prefix)) {
            true => on_purpose += 1,
            false => wrong.push(format!("{name}\n  theirs {theirs}\n  ours   {ours}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        questions.len(),
        wrong.join("\n")
    );
    assert_eq!(
        on_purpose,
        ON_PURPOSE.len(),
        "a difference on purpose is gone; remove it from the list"
    );
}
