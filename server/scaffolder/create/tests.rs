//! From the gallery to a task, as a browser without scripts goes.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use scraper::{Html, Selector};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::catalog::tests::{catalog, forge::MemoryForge};
use crate::clock::Clock;
use crate::scaffolder::testing::outside;
use crate::scaffolder::{Scaffolder, Settings, actions, engine, queries, router};
use crate::web::testing::{frame, user};

const TEMPLATE: &str = r#"
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata:
  name: service
  title: A Service
  description: Makes a <service>.
  tags: [rust]
spec:
  owner: guests
  type: service
  parameters:
    - title: Basics
      required: [name]
      properties:
        name: {title: Name, type: string, pattern: "^[a-z-]+$", "ui:autofocus": true}
        replicas: {type: integer, default: 2}
        token: {type: string, "ui:widget": password}
    - title: Where
      properties:
        public: {type: boolean}
        config: {type: object, properties: {region: {type: string, enum: [eu, us]}}}
  steps:
    - {id: log, name: Log, action: "debug:log", input: {message: "${{ parameters.name }}"}}
    - {id: app, name: App, action: "cnoe:create-argocd-app", if: false, input: {appName: "${{ parameters.name }}"}}
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: exposed, title: An Exposed Service}
spec:
  owner: guests
  type: website
  parameters:
    properties: {kind: {type: string, enum: [private, public]}}
    dependencies:
      kind:
        oneOf:
          - properties: {kind: {enum: [private]}}
          - properties: {kind: {enum: [public]}, host: {type: string}}
            required: [host]
  steps: [{action: "debug:log", input: {message: x}}]
"#;

struct Browser(Router);

/// A page: its status, where it leads, and its document.
struct Answer {
    status: StatusCode,
    location: String,
    text: String,
}

impl Browser {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let location = response
            .headers()
            .get(header::LOCATION)
            .map_or("", |location| location.to_str().unwrap())
            .to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer {
            status,
            location,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, pairs: &[(String, String)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }
}

impl Answer {
    /// What the page's POST form would send, with some answers given.
    fn form(&self, given: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
        let html = Html::parse_document(&self.text);
        let form = html.select(&selector("main form[method=post]")).next().expect("a form");
        let mut pairs: Vec<(String, String)> = form
            .select(&selector("input[name], textarea[name], select[name]"))
            .filter(|field| !matches!(field.value().attr("type"), Some("checkbox" | "radio")))
            .map(|field| {
                let value = field.value().attr("value").unwrap_or_default();
                (field.value().attr("name").unwrap().to_owned(), value.to_owned())
            })
            .collect();
        for (name, value) in given {
            pairs.retain(|(known, _)| known != name);
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
        (form.value().attr("action").unwrap().to_owned(), pairs)
    }

    fn texts(&self, css: &str) -> Vec<String> {
        Html::parse_document(&self.text)
            .select(&selector(css))
            .map(|found| found.text().collect::<String>().trim().to_owned())
            .collect()
    }
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap()
}

async fn browser(db: &PgPool) -> (Browser, Scaffolder) {
    browser_of(db, TEMPLATE).await
}

/// A browser on a portal with these templates.
async fn browser_of(db: &PgPool, templates: &str) -> (Browser, Scaffolder) {
    let clock = Clock::system();
    let forge = MemoryForge::default();
    forge.write("platform/paths", "template.yaml", templates);
    let catalog = catalog(db, &forge);
    catalog
        .register(
            "tester",
            "https://forge.test/platform/paths/src/branch/main/template.yaml",
        )
        .await
        .unwrap();
    let mut outside = outside(db, &clock);
    outside.catalog = catalog;
    let scaffolder = Scaffolder::new(db.clone(), clock, outside, Settings::default(), actions::shipped());
    let frame = frame(Some(user("user1", &[])));
    (
        Browser(frame.around(Router::new(), router(scaffolder.clone()))),
        scaffolder,
    )
}

async fn tasks(db: &PgPool) -> Vec<serde_json::Value> {
    sqlx::query_scalar("select spec from scaffolder_task")
        .fetch_all(db)
        .await
        .unwrap()
}

#[sqlx::test]
async fn the_gallery_finds_golden_paths(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let all = browser.get("/create").await;
    assert_eq!(all.texts(".card h3"), ["A Service", "An Exposed Service"]);
    assert!(all.text.contains("Makes a &lt;service&gt;.") || all.text.contains("Makes a &#60;service&#62;."));
    assert_eq!(
        browser.get("/create?q=SERVICE&tag=rust").await.texts(".card h3"),
        ["A Service"]
    );
    assert!(browser.get("/create?q=nothing").await.texts(".card h3").is_empty());
    assert!(browser.get("/create?type=library").await.texts(".card h3").is_empty());
}

#[sqlx::test]
async fn a_form_leads_to_one_task_however_often_it_is_sent(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let first = browser.get("/create/templates/default/service").await;
    assert_eq!(first.texts("h1"), ["A Service"]);

    let (action, pairs) = first.form(&[("name", "Not Good")]);
    let wrong = browser.post(&action, &pairs).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.texts("#f-name-e"), ["This does not match the pattern ^[a-z-]+$."]);
    assert!(wrong.text.contains("value=\"Not Good\""));

    let (action, pairs) = wrong.form(&[("name", "demo"), ("token", "hush")]);
    let second = browser.post(&action, &pairs).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.texts("form h2"), ["Where"]);

    let (action, pairs) = second.form(&[("public", "true"), ("config.region", "eu")]);
    let review = browser.post(&action, &pairs).await;
    assert_eq!(review.texts("form h2"), Vec::<String>::new());
    assert_eq!(review.texts("main dd"), ["demo", "2", "******", "Yes", "eu"]);
    assert!(tasks(&db).await.is_empty());

    let (action, pairs) = review.form(&[]);
    let (started, again) = tokio::join!(browser.post(&action, &pairs), browser.post(&action, &pairs));
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.text);
    assert!(started.location.starts_with("/create/tasks/"), "{}", started.location);
    assert_eq!(again.location, started.location);
    assert_eq!(browser.post(&action, &pairs).await.location, started.location);
    let tasks = tasks(&db).await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        tasks[0]["parameters"],
        serde_json::json!({"name": "demo", "replicas": 2, "token": "hush", "public": true, "config": {"region": "eu"}})
    );
}

#[sqlx::test]
async fn a_task_is_run_again_with_its_answers_and_its_secrets_are_asked_anew(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let answers: Vec<(String, String)> = [("name", "demo"), ("token", "hush"), ("config.region", "eu")]
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let started = browser.post("/create/templates/default/service/create", &answers).await;
    let id = started.location.trim_start_matches("/create/tasks/").to_owned();
    let form = format!("/create/templates/default/service?task={id}");
    let page = browser.get(&form).await;
    assert_eq!(
        page.texts("form h2"),
        ["Basics"],
        "the password is asked anew: {}",
        page.text
    );
    assert!(
        page.text.contains("value=\"demo\"") && !page.text.contains("hush"),
        "{}",
        page.text
    );
    sqlx::query("update scaffolder_task set spec = (spec::jsonb #- '{parameters,token}')::json")
        .execute(&db)
        .await
        .unwrap();
    let review = browser.get(&form).await;
    assert_eq!(review.texts("main dd")[..2], ["demo", "2"], "{}", review.text);
    // Somebody else's answers are not shown.
    sqlx::query("update scaffolder_task set created_by = 'user:default/other'")
        .execute(&db)
        .await
        .unwrap();
    assert_eq!(browser.get(&form).await.status, StatusCode::FORBIDDEN);
}

#[sqlx::test]
async fn a_retry_asks_for_the_secrets_anew(db: PgPool) {
    let template = r#"
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: secretive}
spec:
  owner: guests
  type: service
  parameters: {properties: {pass: {type: string, title: Pass word, "ui:field": Secret}}}
  steps:
    - {id: log, action: "debug:log", input: {message: "it is ${{ secrets.pass }}"}}
    - {id: fail, action: "fs:rename", input: {files: [{from: a, to: b}]}}
"#;
    let (browser, scaffolder) = browser_of(&db, template).await;
    let work = async || {
        let owner = crate::ids::new_id(scaffolder.clock());
        let claimed = queries::claim(&db, owner, 60.0, &[]).await.unwrap().expect("a task");
        engine::run_claimed(scaffolder.clone(), claimed, CancellationToken::new()).await;
    };
    let pass = [("pass".to_owned(), "hush-hush".to_owned())];
    let started = browser.post("/create/templates/default/secretive/create", &pass).await;
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.text);
    work().await;
    let retry = format!("{}/retry", started.location);
    let page = browser.get(&started.location).await;
    assert!(
        page.text.contains(&format!("href=\"{retry}\"")) && page.text.contains("it is ***"),
        "{}",
        page.text
    );
    let page = browser.get(&retry).await;
    assert_eq!(page.texts("main form label"), ["Pass word"]);
    let refused = browser.post(&retry, &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (action, pairs) = refused.form(&[("pass", "hush-again")]);
    assert_eq!(browser.post(&action, &pairs).await.location, started.location);
    work().await;
    let page = browser.get(&started.location).await;
    assert!(
        page.text.contains("it is ***") && !page.text.contains("hush"),
        "{}",
        page.text
    );
}

#[sqlx::test]
async fn the_id_of_another_users_task_starts_a_task_of_its_own(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let answers = [("name".to_owned(), "demo".to_owned())];
    let theirs = browser.post("/create/templates/default/service/create", &answers).await;
    let id = theirs.location.trim_start_matches("/create/tasks/").to_owned();
    sqlx::query("update scaffolder_task set created_by = 'user:default/other'")
        .execute(&db)
        .await
        .unwrap();
    let answers = [answers[0].clone(), ("_task".to_owned(), id)];
    let own = browser.post("/create/templates/default/service/create", &answers).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER, "{}", own.text);
    assert_ne!(own.location, theirs.location);
    assert_eq!(tasks(&db).await.len(), 2);
}

#[sqlx::test]
async fn a_plain_post_of_the_answers_starts_a_task(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let answers = [("name".to_owned(), "demo".to_owned())];
    let started = browser.post("/create/templates/default/service/create", &answers).await;
    assert_eq!(started.status, StatusCode::SEE_OTHER);
    assert_eq!(
        tasks(&db).await[0]["parameters"],
        serde_json::json!({"name": "demo", "replicas": 2})
    );
    let refused = browser.post("/create/templates/default/service/create", &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.texts("#f-name-e"), ["This needs an answer."]);
}

#[sqlx::test]
async fn forms_are_prefilled_and_checked_while_typing(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let filled = browser
        .get("/create/templates/default/service?formData=%7B%22name%22%3A%22given%22%2C%22config%22%3A%7B%22region%22%3A%22us%22%7D%7D")
        .await;
    let (action, pairs) = filled.form(&[]);
    assert!(pairs.contains(&("name".to_owned(), "given".to_owned())));
    assert!(pairs.contains(&("config.region".to_owned(), "us".to_owned())));
    assert_eq!(
        browser
            .get("/create/templates/default/service?formData=%7B")
            .await
            .status,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    let typed = |name: &str| {
        vec![
            ("name".to_owned(), name.to_owned()),
            ("_field".to_owned(), "name".to_owned()),
        ]
    };
    let wrong = browser.post(&format!("{action}/check"), &typed("A")).await;
    assert_eq!(wrong.status, StatusCode::OK);
    assert!(wrong.text.contains("does not match"), "{}", wrong.text);
    let fine = browser.post(&format!("{action}/check"), &typed("a")).await;
    assert!(!fine.text.contains("<span>"), "{}", fine.text);
    assert_eq!(
        browser.get("/create/templates/default/nosuch").await.status,
        StatusCode::NOT_FOUND
    );
}

#[sqlx::test]
async fn answers_bring_up_further_questions(db: PgPool) {
    let (browser, _) = browser(&db).await;
    let path = "/create/templates/default/exposed";
    let first = browser.get(path).await;
    assert_eq!(first.texts("main .field label"), ["kind optional"]);

    let (action, pairs) = first.form(&[("kind", "public")]);
    let more = browser.post(&action, &pairs).await;
    assert_eq!(more.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(more.texts("#f-host-e"), ["This needs an answer."]);

    let (action, mut pairs) = first.form(&[("kind", "public")]);
    pairs.push(("_refresh".to_owned(), "1".to_owned()));
    let refreshed = browser.post(&action, &pairs).await;
    assert_eq!(refreshed.status, StatusCode::OK);
    assert_eq!(refreshed.texts("#f-host-e"), [""]);

    let (action, pairs) = refreshed.form(&[("kind", "public"), ("host", "a.test")]);
    let review = browser.post(&action, &pairs).await;
    assert_eq!(review.texts("main dd"), ["public", "a.test"]);
}

#[sqlx::test]
async fn every_action_is_on_its_page(db: PgPool) {
    let (browser, scaffolder) = browser(&db).await;
    assert!(browser.get("/create").await.text.contains("href=\"/create/actions\""));
    let page = browser.get("/create/actions").await;
    let ids: Vec<String> = scaffolder
        .actions()
        .iter()
        .map(|action| action.id().to_owned())
        .collect();
    assert_eq!(page.texts("main section h2"), ids);
    let places: Vec<String> = page.texts("main nav[aria-label=Actions] a");
    assert_eq!(places, ids);
    assert!(page.text.contains("copyWithoutTemplating") && page.text.contains("action: fetch:template"));
    // Expressions of examples are shown as they are written.
    assert!(
        page.texts("main pre")
            .iter()
            .any(|example| example.contains("${{ parameters.name }}"))
    );
}
