//! A window as a person uses it: open, look, click, type. Everything waits until what it needs is there.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use url::Url;

use super::chromium::Wire;
use super::complaints::{self, Complaints};

/// How long a person waits for something to appear. A bound for what hangs, not a measurement.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(20);

/// A page of this age is taken for painted, in case that Chromium does not tell.
const UNPAINTED_MS: u32 = 2_000;

/// Size and colours of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub name: &'static str,
    width: u32,
    height: u32,
    dark: bool,
    phone: bool,
}

impl Look {
    pub const DESK: Self = Self::new("1440-light", 1440, 900);
    pub const DARK: Self = Self {
        dark: true,
        ..Self::new("1440-dark", 1440, 900)
    };
    pub const PHONE: Self = Self {
        phone: true,
        ..Self::new("375-light", 375, 812)
    };

    const fn new(name: &'static str, width: u32, height: u32) -> Self {
        Self {
            name,
            width,
            height,
            dark: false,
            phone: false,
        }
    }
}

/// A window, or tab, of a browser.
pub struct Window {
    wire: Arc<Wire>,
    session: String,
    /// A site beside those of localhost that pages may ask.
    site: Option<Url>,
    person: String,
    look: Look,
    complaints: Arc<Mutex<Complaints>>,
}

impl Window {
    pub(super) async fn open(wire: Arc<Wire>, site: Option<Url>, person: String, look: Look) -> Self {
        let events = wire.events();
        let target = json!({"url": "about:blank", "browserContextId": person, "newWindow": true});
        let target = wire.call(None, "Target.createTarget", target).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = wire.call(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().expect("an id").to_owned();
        let complaints = Arc::new(Mutex::new(Complaints::beyond(site.as_ref())));
        tokio::spawn(complaints::listen(events, session.clone(), complaints.clone()));
        let mut window = Self {
            wire,
            session,
            site,
            person,
            look,
            complaints,
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            window.command(&format!("{domain}.enable"), json!({})).await;
        }
        window.wear(look).await;
        window
    }

    /// Another window of the same person.
    pub async fn another(&self) -> Self {
        Self::open(self.wire.clone(), self.site.clone(), self.person.clone(), self.look).await
    }

    /// In the page's own pixels.
    pub fn width(&self) -> u32 {
        self.look.width
    }

    pub async fn command(&self, method: &str, parameters: Value) -> Value {
        self.wire.call(Some(&self.session), method, parameters).await
    }

    /// Changes size and colours in place.
    pub async fn wear(&mut self, look: Look) {
        self.look = look;
        self.size(look, look.height).await;
        self.wear_media().await;
        self.command("Emulation.setTouchEmulationEnabled", json!({"enabled": look.phone}))
            .await;
    }

    async fn wear_media(&self) {
        let scheme = if self.look.dark { "dark" } else { "light" };
        let media = json!({"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", media).await;
    }

    async fn size(&self, look: Look, height: u32) {
        let size = json!({"width": look.width, "height": height, "deviceScaleFactor": 1, "mobile": look.phone});
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub async fn switch_javascript_off(&self) {
        self.command("Emulation.setScriptExecutionDisabled", json!({"value": true}))
            .await;
    }

    /// Opens an address and waits until the page is complete.
    pub async fn open_page(&self, url: &str) {
        let answer = self.command("Page.navigate", json!({"url": url})).await;
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        self.complete().await;
    }

    /// The button "back" of the browser.
    pub async fn back(&self) {
        let history = self.command("Page.getNavigationHistory", json!({})).await;
        let before = usize::try_from(history["currentIndex"].as_u64().expect("a number") - 1).expect("a page before");
        let entry = json!({"entryId": history["entries"][before]["id"]});
        self.command("Page.navigateToHistoryEntry", entry).await;
        let url = history["entries"][before]["url"]
            .as_str()
            .expect("an address")
            .to_owned();
        self.until(&format!("back on {url}"), || async {
            (self.url().await == url).then_some(())
        })
        .await;
        self.complete().await;
    }

    async fn complete(&self) {
        self.is("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
    }

    /// The value of an expression; `Null` while a page is being replaced.
    pub async fn value(&self, expression: &str) -> Value {
        let evaluate = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self
            .wire
            .try_call(Some(&self.session), "Runtime.evaluate", evaluate)
            .await;
        let mut answer = answer.unwrap_or_default();
        if let Some(exception) = answer.get("exceptionDetails") {
            panic!("{expression}\n{exception:#}");
        }
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub async fn is(&self, expression: &str) {
        self.until(expression, || async {
            (self.value(expression).await == json!(true)).then_some(())
        })
        .await;
    }

    /// Waits until the page's main part says so.
    pub async fn reads(&self, text: &str) {
        self.is(&format!(
            "document.querySelector('main')?.innerText.includes({}) ?? false",
            json!(text)
        ))
        .await;
    }

    pub async fn url(&self) -> String {
        self.value("location.href")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// What a person reads in the first element that the selector finds, white space folded.
    pub async fn text(&self, selector: &str) -> String {
        let expression = format!("document.querySelector({})?.innerText ?? ''", json!(selector));
        let text = self.value(&expression).await;
        text.as_str()
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Clicks the middle of the first visible element of that kind with that text, which nothing may cover. Nobody clicks
    /// what is not painted yet, as on a page that has just loaded itself anew: Chromium drops such a click.
    pub async fn click(&self, selector: &str, text: &str) {
        let found = format!(
            "(() => {{
              if (!performance.getEntriesByType('paint').length && performance.now() < {UNPAINTED_MS}) return null;
              const shown = (e) => e.checkVisibility() && e.innerText.includes({text});
              const found = [...document.querySelectorAll({selector})].find(shown);
              if (!found) return null;
              found.scrollIntoView({{block: 'center', behavior: 'instant'}});
              const box = found.getClientRects()[0];
              const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
              const hit = document.elementFromPoint(x, y);
              return found === hit || found.contains(hit) || hit?.control === found ? {{x, y}} : null;
            }})()",
            text = json!(text),
            selector = json!(selector)
        );
        let at = self
            .until(&format!("{selector} with {text:?} can be clicked"), || async {
                Some(self.value(&found).await).filter(|at| !at.is_null())
            })
            .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": at["x"], "y": at["y"], "button": "left", "clickCount": 1});
            self.command("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Clicks and waits for the next page.
    pub async fn follow(&self, selector: &str, text: &str) {
        let before = self.value("performance.timeOrigin").await;
        self.click(selector, text).await;
        let next = format!("performance.timeOrigin !== {before} && document.readyState === 'complete'");
        self.is(&next).await;
    }

    /// Replaces what stands in a field by typing.
    pub async fn fill(&self, selector: &str, text: &str) {
        let focus = format!(
            "(() => {{ const field = document.querySelector({}); field?.focus(); field?.select(); return !!field }})()",
            json!(selector)
        );
        self.is(&focus).await;
        self.command("Input.insertText", json!({"text": text})).await;
    }

    /// Presses a key: one character, or a name (`Escape`, `Tab`).
    pub async fn press(&self, key: &str) {
        let (text, code) = match key {
            "Escape" => (None, 27),
            "Tab" => (None, 9),
            character => (Some(character), 0),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if let Some(text) = text.filter(|_| kind == "keyDown") {
                event["text"] = text.into();
            }
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// How the page looks on paper, as a picture; nothing on it may be cut off, and nothing can be pressed there.
    pub async fn print(&self, name: &str) {
        self.command("Emulation.setEmulatedMedia", json!({"media": "print"}))
            .await;
        let seen = self
            .value(
                "[...document.querySelectorAll('.nav, .bar, .btn, button, input, .tabs')]
                   .filter((e) => e.checkVisibility()).map((e) => e.outerHTML.slice(0, 120))
                 .concat([...document.querySelectorAll('main *')]
                   .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 &&
                           getComputedStyle(e).overflowX !== 'visible' && !e.closest('.sr'))
                   .map((e) => 'cut: ' + e.outerHTML.slice(0, 120)))",
            )
            .await;
        self.picture(&format!("print-{name}")).await;
        self.wear_media().await;
        assert_eq!(seen, json!([]), "on paper, {name}");
    }

    /// The whole page as a picture in `target/pictures`.
    pub async fn picture(&self, name: &str) {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        // As high as the page, so that what is fixed to an edge covers nothing.
        let height = self.value("document.documentElement.scrollHeight").await;
        let height = u32::try_from(height.as_u64().expect("a height")).expect("a height");
        self.size(self.look, height.clamp(self.look.height, 8000)).await;
        let picture = self.screenshot(json!({"format": "png"})).await;
        self.size(self.look, self.look.height).await;
        std::fs::write(folder.join(format!("{name}-{}.png", self.look.name)), picture).expect("a file");
    }

    /// What the window shows of the page, as WebP.
    pub async fn view(&self) -> Vec<u8> {
        self.screenshot(json!({"format": "webp", "quality": 85})).await
    }

    async fn screenshot(&self, form: Value) -> Vec<u8> {
        let picture = self.command("Page.captureScreenshot", form).await;
        base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().expect("a picture"))
            .expect("base64")
    }

    /// Fails if the page asked another host, wrote an error, or broke the policy since the window was opened.
    pub fn assert_clean(&self) {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.assert_none();
    }

    /// Messages that the test provokes itself.
    pub fn expect_complaints(&self, containing: &'static str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.expect(containing);
    }

    /// Requests and bytes over the wire since the last call, streams that have not ended left out.
    pub fn traffic(&self) -> (usize, u64) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.take_traffic()
    }

    /// Looks until there is something; panics with what the page shows otherwise.
    pub async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if began.elapsed() > PATIENCE {
                self.picture("failed").await;
                panic!(
                    "waited in vain: {what}\n{}\n{}",
                    self.url().await,
                    self.text("body").await
                );
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}
