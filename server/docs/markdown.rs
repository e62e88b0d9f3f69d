//! A page of documentation from its Markdown: CommonMark with tables, task lists, footnotes, alerts and MkDocs'
//! admonitions, code in colours, headings that can be linked. What leaves here went through one sanitiser, whose list of
//! elements and attributes is short; all addresses are decided by [`Addresses`].

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use pulldown_cmark::{
    BlockQuoteKind, CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html,
};
use regex::Regex;

use super::admonitions::{self, MARK, NEXT};
use super::clean::clean;
use crate::web::code;

/// Bytes of Markdown that are rendered; the rest is left out, which the page tells.
pub const LONGEST: usize = 1024 * 1024;
/// Headings in the table of contents.
const MOST_HEADINGS: usize = 300;
/// Ids that the frame of every page has.
const TAKEN: [&str; 8] = ["main", "toasts", "keys", "keys-h", "q", "pages", "contents", "doc"];

/// What is Markdown here, beyond CommonMark.
pub const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_GFM)
    .union(Options::ENABLE_YAML_STYLE_METADATA_BLOCKS)
    .union(Options::ENABLE_HEADING_ATTRIBUTES)
    .union(Options::ENABLE_DEFINITION_LIST);

/// Where links and pictures of a page lead.
pub trait Addresses: Send + Sync {
    /// The address that a link leads to, or `None` where it may lead nowhere.
    fn link(&self, target: &str) -> Option<String>;
    /// The address of a picture that the portal serves, or `None` for one of others.
    fn picture(&self, target: &str) -> Option<String>;
}

/// A heading of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    pub id: String,
    pub text: String,
}

/// A rendered page.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// Harmless HTML.
    pub html: String,
    /// Its first heading of the first level; then the HTML begins with it.
    pub title: Option<String>,
    /// Headings of the second and third level.
    pub contents: Vec<Heading>,
    /// The text was longer than what is shown of it.
    pub cut: bool,
}

static PICTURE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?is)<img\b[^>]*>"));
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| expression(r#"(?is)\b(src|alt)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))"#));

#[expect(clippy::expect_used, reason = "a constant, and a test uses it")]
fn expression(text: &str) -> Regex {
    Regex::new(text).expect("the expression is one")
}

/// Renders a page.
pub fn render(text: &str, addresses: Arc<dyn Addresses>) -> Rendered {
    let (text, cut) = shortened(text, LONGEST);
    let marked = admonitions::mark(text);
    let mut page = Page::new(&*addresses);
    for event in Parser::new_ext(&marked, OPTIONS) {
        page.take(event);
    }
    let mut written = String::with_capacity(text.len() * 2);
    html::push_html(&mut written, page.kept.into_iter());
    Rendered {
        html: clean(&written, page.ids, addresses.clone()),
        title: page.title,
        contents: page.contents,
        cut,
    }
}

/// The lines of a text that fit into so many bytes, and whether there are more.
pub fn shortened(text: &str, longest: usize) -> (&str, bool) {
    if text.len() <= longest {
        return (text, false);
    }
    let end = (0..=longest).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let end = text[..end].rfind('\n').unwrap_or(end);
    (&text[..end], true)
}

/// What becomes of a picture.
#[derive(Clone, Copy)]
enum Shown {
    Picture,
    Link,
    Words,
}

struct Page<'a, 't> {
    addresses: &'a dyn Addresses,
    kept: Vec<Event<'t>>,
    title: Option<String>,
    contents: Vec<Heading>,
    ids: HashSet<String>,
    notes: HashMap<String, usize>,
    /// A heading that is open: where it began in `kept`, and its words.
    heading: Option<(usize, String)>,
    /// A block of code that is open: its language and text.
    block: Option<(String, String)>,
    /// Front matter is open.
    hidden: bool,
    /// Pictures that are open.
    pictures: Vec<Shown>,
    links: usize,
    /// Blockquotes that are open: true for those that became notes.
    quotes: Vec<bool>,
    /// A quote has just begun.
    fresh: bool,
}

impl<'a, 't> Page<'a, 't> {
    fn new(addresses: &'a dyn Addresses) -> Self {
        Self {
            addresses,
            kept: Vec::new(),
            title: None,
            contents: Vec::new(),
            ids: HashSet::new(),
            notes: HashMap::new(),
            heading: None,
            block: None,
            hidden: false,
            pictures: Vec::new(),
            links: 0,
            quotes: Vec::new(),
            fresh: false,
        }
    }

    fn raw(&mut self, html: String) {
        self.kept.push(Event::InlineHtml(html.into()));
    }

    fn take(&mut self, event: Event<'t>) {
        if self.hidden {
            self.hidden = !matches!(event, Event::End(TagEnd::MetadataBlock(_)));
            return;
        }
        match event {
            Event::Start(Tag::MetadataBlock(_)) => self.hidden = true,
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => language(&info),
                    CodeBlockKind::Indented => String::new(),
                };
                self.block = Some((language, String::new()));
            }
            Event::Text(text) if self.block.is_some() => {
                if let Some((_, code)) = &mut self.block {
                    code.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => self.end_block(),
            Event::Start(Tag::Heading { .. }) => self.heading = Some((self.kept.len(), String::new())),
            Event::End(TagEnd::Heading(level)) => self.end_heading(level),
            Event::Html(text) | Event::InlineHtml(text) => {
                let text = self.without_foreign_pictures(&text);
                self.raw(text);
            }
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(Tag::BlockQuote(kind)) => self.start_quote(kind),
            Event::End(TagEnd::BlockQuote(_)) => match self.quotes.pop() {
                Some(true) => self.raw("</div>\n".to_owned()),
                _ => self.kept.push(Event::End(TagEnd::BlockQuote(None))),
            },
            Event::Start(Tag::Image { dest_url, .. }) => self.start_picture(dest_url),
            Event::End(TagEnd::Image) => self.end_picture(),
            Event::Start(Tag::Link { .. }) => {
                self.links += 1;
                self.kept.push(event);
            }
            Event::End(TagEnd::Link) => {
                self.links = self.links.saturating_sub(1);
                self.kept.push(event);
            }
            Event::TaskListMarker(done) => {
                self.raw(
                    if done {
                        "<span class=\"box\">☑</span> "
                    } else {
                        "<span class=\"box\">☐</span> "
                    }
                    .to_owned(),
                );
            }
            Event::FootnoteReference(label) => {
                let number = self.note(&label);
                self.ids.insert(format!("fnref-{number}"));
                self.raw(format!(
                    "<sup id=\"fnref-{number}\"><a href=\"#fn-{number}\">{number}</a></sup>"
                ));
            }
            Event::Start(Tag::FootnoteDefinition(label)) => {
                let number = self.note(&label);
                self.ids.insert(format!("fn-{number}"));
                self.raw(format!(
                    "<div class=\"fn\" id=\"fn-{number}\"><sup><a href=\"#fnref-{number}\">{number}</a></sup>"
                ));
            }
            Event::End(TagEnd::FootnoteDefinition) => self.raw("</div>\n".to_owned()),
            Event::Text(text) => self.text(text),
            Event::Code(text) => {
                self.word(&text);
                self.kept.push(Event::Code(text));
            }
            Event::SoftBreak | Event::HardBreak => {
                self.word(" ");
                self.kept.push(event);
            }
            other => self.kept.push(other),
        }
    }

    fn note(&mut self, label: &str) -> usize {
        let next = self.notes.len() + 1;
        *self.notes.entry(label.to_owned()).or_insert(next)
    }

    fn word(&mut self, text: &str) {
        if let Some((_, heading)) = &mut self.heading {
            heading.push_str(text);
        }
    }

    fn text(&mut self, text: CowStr<'t>) {
        // The first line of an admonition, as it was marked.
        if std::mem::take(&mut self.fresh)
            && let Some(marked) = text.strip_prefix(MARK)
            && let Some((kind, title)) = marked.split_once(NEXT)
        {
            // The quote and its first paragraph have begun; they become a note with a title.
            self.kept.pop();
            self.kept.pop();
            if let Some(note) = self.quotes.last_mut() {
                *note = true;
            }
            let class = admonitions::class(kind);
            self.kept.push(Event::InlineHtml(
                format!("<div class=\"adm {class}\"><p class=\"what\">").into(),
            ));
            let title = match title.is_empty() {
                true => admonitions::title(kind),
                false => title.to_owned(),
            };
            self.kept.push(Event::Text(title.into()));
            return;
        }
        let text: CowStr<'t> = match text.contains([MARK, NEXT]) {
            true => text.replace([MARK, NEXT], "").into(),
            false => text,
        };
        self.word(&text);
        self.kept.push(Event::Text(text));
    }

    fn start_quote(&mut self, kind: Option<BlockQuoteKind>) {
        let kind = kind.map(|kind| match kind {
            BlockQuoteKind::Note => "note",
            BlockQuoteKind::Tip => "tip",
            BlockQuoteKind::Important => "important",
            BlockQuoteKind::Warning => "warning",
            BlockQuoteKind::Caution => "caution",
        });
        self.quotes.push(kind.is_some());
        match kind {
            Some(kind) => {
                let (class, title) = (admonitions::class(kind), admonitions::title(kind));
                self.raw(format!("<div class=\"adm {class}\"><p class=\"what\">{title}</p>\n"));
            }
            None => {
                self.fresh = true;
                self.kept.push(Event::Start(Tag::BlockQuote(None)));
            }
        }
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let Some((start, words)) = self.heading.take() else {
            return;
        };
        let mut number = level as u8;
        let first = self.title.is_none() && number == 1;
        if number == 1 && !first {
            number = 2;
        }
        let id = self.free_id(&words);
        self.kept
            .insert(start, Event::InlineHtml(format!("<h{number} id=\"{id}\">").into()));
        self.raw(format!("</h{number}>\n"));
        if first {
            self.title = Some(words.trim().to_owned());
        } else if (2..=3).contains(&number) && self.contents.len() < MOST_HEADINGS {
            self.contents.push(Heading {
                level: number,
                id,
                text: words.trim().to_owned(),
            });
        }
    }

    /// As MkDocs and forges make them of the words; a number behind where there is one already.
    fn free_id(&mut self, words: &str) -> String {
        let mut slug = String::new();
        for letter in words.trim().to_lowercase().chars() {
            match letter {
                ' ' | '-' if !slug.ends_with('-') => slug.push('-'),
                '_' => slug.push(letter),
                other if other.is_alphanumeric() => slug.push(other),
                _ => {}
            }
            if slug.len() > 100 {
                break;
            }
        }
        if slug.is_empty() {
            slug.push_str("section");
        }
        let mut id = slug.clone();
        let mut number = 0;
        while TAKEN.contains(&id.as_str()) || self.ids.contains(&id) {
            number += 1;
            id = format!("{slug}-{number}");
        }
        self.ids.insert(id.clone());
        id
    }

    fn end_block(&mut self) {
        let Some((language, text)) = self.block.take() else {
            return;
        };
        let html = code(&language, &text);
        let mut block = String::with_capacity(html.len() + 64);
        if language == "mermaid" {
            block.push_str("<p class=\"what\">Mermaid</p>");
        }
        let _ = write!(block, "<pre><code>{html}</code></pre>");
        self.kept.push(Event::Html(block.into()));
    }

    fn start_picture(&mut self, target: CowStr<'t>) {
        let (own, inside) = (self.addresses.picture(&target).is_some(), self.links > 0);
        let shown = match own {
            true => Shown::Picture,
            // A link in a link is none.
            false if inside => Shown::Words,
            false => Shown::Link,
        };
        self.pictures.push(shown);
        match shown {
            Shown::Picture => self.kept.push(Event::Start(Tag::Image {
                link_type: LinkType::Inline,
                dest_url: target,
                title: "".into(),
                id: "".into(),
            })),
            Shown::Link => self.kept.push(Event::Start(link(target))),
            Shown::Words => {}
        }
    }

    fn end_picture(&mut self) {
        match self.pictures.pop() {
            Some(Shown::Link) => {
                // Nothing would be there to follow it by.
                if let Some(Event::Start(Tag::Link { dest_url, .. })) = self.kept.last() {
                    let shown = dest_url.clone();
                    self.kept.push(Event::Text(shown));
                }
                self.kept.push(Event::End(TagEnd::Link));
            }
            Some(Shown::Picture) => self.kept.push(Event::End(TagEnd::Image)),
            Some(Shown::Words) | None => {}
        }
    }

    /// HTML of the author in which pictures that the portal does not serve are links.
    fn without_foreign_pictures(&self, html: &str) -> String {
        let replaced = PICTURE.replace_all(html, |found: &regex::Captures<'_>| {
            let (mut source, mut words) = (String::new(), String::new());
            for attribute in ATTRIBUTE.captures_iter(&found[0]) {
                let value = (2..=4)
                    .find_map(|group| attribute.get(group))
                    .map_or("", |value| value.as_str());
                match attribute[1].eq_ignore_ascii_case("src") {
                    true => value.clone_into(&mut source),
                    false => value.clone_into(&mut words),
                }
            }
            match self.addresses.picture(&source) {
                Some(_) => found[0].to_owned(),
                None => {
                    let shown = if words.trim().is_empty() { &source } else { &words };
                    format!("<a href=\"{}\">{}</a>", escaped(&source), escaped(shown))
                }
            }
        });
        replaced.into_owned()
    }
}

fn link(address: CowStr<'_>) -> Tag<'_> {
    Tag::Link {
        link_type: LinkType::Inline,
        dest_url: address,
        title: "".into(),
        id: "".into(),
    }
}

/// The text as HTML, quotes included; what is a reference already stays one.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The language that the first word of a fence names.
fn language(info: &str) -> String {
    let word = info
        .split(|c: char| c.is_whitespace() || ",{}".contains(c))
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    word.trim_start_matches('.').to_lowercase()
}
