//! The one sanitiser that all HTML of documentation goes through.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::markdown::Addresses;

/// The one sanitiser: elements of text, pictures and tables, with addresses and the classes that are ours.
pub fn clean(html: &str, ids: HashSet<String>, addresses: Arc<dyn Addresses>) -> String {
    let tags = HashSet::from([
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "center",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "picture",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "source",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
    ]);
    let attributes = HashMap::from([
        ("a", HashSet::from(["href", "title"])),
        ("details", HashSet::from(["open"])),
        ("img", HashSet::from(["src", "alt", "title", "width", "height"])),
        ("source", HashSet::from(["srcset", "media"])),
        ("ol", HashSet::from(["start"])),
        ("td", HashSet::from(["colspan", "rowspan"])),
        ("th", HashSet::from(["colspan", "rowspan", "scope"])),
    ]);
    let classes = HashMap::from([
        ("div", HashSet::from(["adm", "warn", "bad", "ok", "fn"])),
        ("p", HashSet::from(["what"])),
        ("span", HashSet::from(["box", "c", "s", "n", "k", "t", "i", "d"])),
    ]);
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(tags)
        .clean_content_tags(HashSet::from([
            "script", "style", "iframe", "object", "embed", "template", "noscript",
        ]))
        .tag_attributes(attributes)
        .generic_attributes(HashSet::from(["id"]))
        .allowed_classes(classes)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::PassThrough)
        // What may be wider than the page is scrolled with keys, too.
        .set_tag_attribute_value("pre", "tabindex", "0")
        .set_tag_attribute_value("table", "tabindex", "0")
        .link_rel(Some("noopener noreferrer"))
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("a", "href") => addresses.link(value).map(Cow::from),
            ("img", "src") | ("source", "srcset") => addresses.picture(value).map(Cow::from),
            ("img", "width" | "height") | ("ol", "start") | (_, "colspan" | "rowspan") => {
                (value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit())).then_some(value.into())
            }
            (_, "id") => ids.contains(value).then_some(value.into()),
            _ => Some(value.into()),
        });
    cleaner.clean(html).to_string()
}
