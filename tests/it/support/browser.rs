//! A browser without JavaScript: cookies, links, forms.

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, StatusCode};
use scraper::{ElementRef, Html, Selector};
use url::Url;

/// Keeps cookies and follows redirects, as a person's browser does.
#[derive(Clone)]
pub struct Browser {
    client: Client,
    base: Url,
}

/// Server-sent events that are still coming.
pub struct Stream {
    answer: reqwest::Response,
    received: String,
}

impl Stream {
    /// Waits for an event whose data satisfies `check`, and answers the data; earlier ones are dropped.
    pub async fn until(&mut self, what: &str, check: impl Fn(&str) -> bool) -> String {
        let began = tokio::time::Instant::now();
        loop {
            while let Some((event, rest)) = self.received.split_once("\n\n") {
                let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
                let data: String = lines.map(|line| format!("{}\n", line.trim_start())).collect();
                self.received = rest.to_owned();
                if check(&data) {
                    return data;
                }
            }
            let chunk = tokio::time::timeout_at(began + super::PATIENCE, self.answer.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("waited in vain: {what}"));
            let chunk = chunk.expect("the stream goes on").expect("the stream goes on");
            self.received.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

/// A page that was answered.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub url: Url,
    /// Where a redirect that was not followed leads.
    pub sent_to: Option<Url>,
    pub html: String,
}

impl Browser {
    pub fn new(client: ClientBuilder, base: &str) -> Self {
        let client = client.cookie_store(true).build().expect("a client");
        Self {
            client,
            base: base.parse().expect("a URL"),
        }
    }

    /// One that follows redirects but to addresses that start with `end`: there it stops, and the page tells
    /// where it was sent.
    pub fn stopping_at(client: ClientBuilder, base: &str, end: &str) -> Self {
        let end = end.to_owned();
        let policy = Policy::custom(move |attempt| {
            if attempt.url().as_str().starts_with(&end) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        Self::new(client.redirect(policy), base)
    }

    /// Opens a stream of server-sent events.
    pub async fn follow(&self, target: &str) -> Stream {
        let url = self.base.join(target).expect("a URL");
        let request = self.client.get(url).header("accept", "text/event-stream");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.url());
        Stream {
            answer,
            received: String::new(),
        }
    }

    /// Opens a path of the portal, or any URL.
    pub async fn open(&self, target: &str) -> Page {
        let url = self.base.join(target).expect("a URL");
        let request = self.client.get(url).header("accept", "text/html");
        Page::read(request.send().await.expect("an answer")).await
    }

    /// What a script of a page fetches: status and JSON, `Null` for anything else.
    pub async fn fetch(&self, target: &str, headers: &[(&str, &str)]) -> (StatusCode, serde_json::Value) {
        let url = self.base.join(target).expect("a URL");
        let mut request = self.client.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// Logs in at the identity provider, wherever the portal sends to.
    pub async fn log_in(&self, username: &str, password: &str) -> Page {
        let page = self.open("/").await;
        assert!(
            page.has("input[name=password]"),
            "{} has no login form:\n{}",
            page.url,
            page.html
        );
        self.submit(&page, "form", &[("username", username), ("password", password)])
            .await
    }

    /// Sends the form that the selector finds, with its own values replaced or extended by `answers`.
    pub async fn submit(&self, page: &Page, form: &str, answers: &[(&str, &str)]) -> Page {
        let (method, action, fields) = page.form(form, answers);
        let request = match method {
            Method::GET => self.client.get(action).query(&fields),
            _ => self.client.post(action).form(&fields),
        };
        Page::read(request.header("accept", "text/html").send().await.expect("an answer")).await
    }
}

impl Page {
    async fn read(answer: reqwest::Response) -> Self {
        let (status, url) = (answer.status(), answer.url().clone());
        let sent_to = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        Self {
            status,
            sent_to: sent_to.and_then(|place| url.join(place).ok()),
            url,
            html: answer.text().await.expect("a body"),
        }
    }

    fn select<T>(&self, selector: &str, read: impl Fn(ElementRef<'_>) -> T) -> Vec<T> {
        let document = Html::parse_document(&self.html);
        let selector = Selector::parse(selector).expect("a selector");
        document.select(&selector).map(read).collect()
    }

    /// The attribute of the first element that the selector finds; the page must have it.
    pub fn attribute(&self, selector: &str, name: &str) -> String {
        let found = self.select(selector, |element| element.value().attr(name).map(str::to_owned));
        let found = found.into_iter().flatten().next();
        found.unwrap_or_else(|| panic!("{} has no {selector} with {name}:\n{}", self.url, self.html))
    }

    pub fn has(&self, selector: &str) -> bool {
        !self.select(selector, |_| ()).is_empty()
    }

    /// The texts of all that the selector finds, white space folded.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.select(selector, |element| fold(&element.text().collect::<String>()))
    }

    /// All that a person reads, white space folded.
    pub fn text(&self) -> String {
        self.texts("main").join(" ")
    }

    /// Where the link with this text leads; the page must have it.
    pub fn link(&self, text: &str) -> String {
        let links = self.select("a[href]", |a| {
            (
                fold(&a.text().collect::<String>()),
                a.value().attr("href").unwrap_or_default().to_owned(),
            )
        });
        let found = links.iter().find(|(words, _)| words.contains(text));
        let found = found.unwrap_or_else(|| panic!("{} has no link {text:?}:\n{}", self.url, self.text()));
        self.url.join(&found.1).expect("a link").to_string()
    }

    /// Method, address and fields of a form, as a browser would send it by its submit button.
    fn form(&self, form: &str, answers: &[(&str, &str)]) -> (Method, Url, Vec<(String, String)>) {
        let document = Html::parse_document(&self.html);
        let selector = Selector::parse(form).expect("a selector");
        let form = document
            .select(&selector)
            .next()
            .unwrap_or_else(|| panic!("{} has no form {form:?}:\n{}", self.url, self.html));
        let attribute = |element: ElementRef<'_>, name: &str| element.value().attr(name).map(ToOwned::to_owned);
        let mut fields: Vec<(String, String)> = Vec::new();
        let controls = Selector::parse("input, select, textarea").expect("a selector");
        let options = Selector::parse("option").expect("a selector");
        for control in form.select(&controls) {
            let Some(name) = attribute(control, "name") else {
                continue;
            };
            if control.value().attr("disabled").is_some() {
                continue;
            }
            let value = match control.value().name() {
                "textarea" => control.text().collect(),
                "select" => {
                    let chosen: Vec<_> = control.select(&options).collect();
                    let chosen = chosen
                        .iter()
                        .find(|o| o.value().attr("selected").is_some())
                        .or(chosen.first());
                    let Some(chosen) = chosen else { continue };
                    attribute(*chosen, "value").unwrap_or_else(|| chosen.text().collect())
                }
                _ => match control.value().attr("type") {
                    Some("checkbox" | "radio") if control.value().attr("checked").is_none() => continue,
                    Some("submit" | "button") => continue,
                    kind => attribute(control, "value").unwrap_or_else(|| {
                        if kind == Some("checkbox") {
                            "on".into()
                        } else {
                            String::new()
                        }
                    }),
                },
            };
            fields.push((name, value));
        }
        for (name, value) in answers {
            fields.retain(|(present, _)| present != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        let method = match form.value().attr("method").unwrap_or("get") {
            method if method.eq_ignore_ascii_case("post") => Method::POST,
            _ => Method::GET,
        };
        let action = self
            .url
            .join(form.value().attr("action").unwrap_or_default())
            .expect("an address");
        (method, action, fields)
    }
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
