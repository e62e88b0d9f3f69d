//! Markdown of authors as HTML that can do nothing: their own HTML stays text, links lead to web addresses or pages of
//! this portal, and pictures, which would ask other hosts, are links to them.

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use super::local_path;

/// Longer texts are shown as they are written.
const LONGEST: usize = 64 * 1024;

/// Renders Markdown (CommonMark, with tables and strikethrough) into escaped HTML. Headings begin at the third level: the
/// page and its sections have the first two.
pub fn markdown(text: &str) -> String {
    let mut written = String::new();
    if text.len() > LONGEST {
        html::push_html(&mut written, [Event::Text(text.into())].into_iter());
        return written;
    }
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    html::push_html(&mut written, harmless(parser).into_iter());
    written
}

/// The same text without what an author could do harm with.
fn harmless<'t>(events: impl Iterator<Item = Event<'t>>) -> Vec<Event<'t>> {
    let mut kept: Vec<Event<'t>> = Vec::new();
    // Of each link and picture that is open: its address where it is kept as a link.
    let mut open: Vec<Option<CowStr<'t>>> = Vec::new();
    for event in events {
        match event {
            Event::Html(text) | Event::InlineHtml(text) => kept.push(Event::Text(text)),
            Event::Start(Tag::HtmlBlock) => kept.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => kept.push(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Heading { level, .. }) => kept.push(Event::Start(heading(level))),
            Event::End(TagEnd::Heading(level)) => kept.push(Event::End(heading(level).to_end())),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                // A link in a link is none.
                let inside = open.iter().any(Option::is_some);
                let address = (!inside && is_harmless(&dest_url)).then_some(dest_url);
                kept.extend(address.clone().map(|address| Event::Start(link(address))));
                open.push(address);
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some(address) = open.pop().flatten() {
                    // Nothing would be there to follow it by.
                    if matches!(kept.last(), Some(Event::Start(Tag::Link { .. }))) {
                        kept.push(Event::Text(address));
                    }
                    kept.push(Event::End(TagEnd::Link));
                }
            }
            other => kept.push(other),
        }
    }
    kept
}

fn link(address: CowStr<'_>) -> Tag<'_> {
    Tag::Link {
        link_type: LinkType::Inline,
        dest_url: address,
        title: "".into(),
        id: "".into(),
    }
}

fn heading(level: HeadingLevel) -> Tag<'static> {
    Tag::Heading {
        level: match level {
            HeadingLevel::H1 => HeadingLevel::H3,
            HeadingLevel::H2 => HeadingLevel::H4,
            HeadingLevel::H3 => HeadingLevel::H5,
            _ => HeadingLevel::H6,
        },
        id: None,
        classes: Vec::new(),
        attrs: Vec::new(),
    }
}

fn is_harmless(address: &str) -> bool {
    let scheme = |scheme: &str| {
        let start = address.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    scheme("https://")
        || scheme("http://")
        || scheme("mailto:")
        || (address.len() > 1 && local_path(address) == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_authors_write_is_shown() {
        for (text, html) in [
            (
                "**bold** and `code`",
                "<p><strong>bold</strong> and <code>code</code></p>\n",
            ),
            ("# Title\n\n## Next", "<h3>Title</h3>\n<h4>Next</h4>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            (
                "[docs](https://docs.test/a?b&c)",
                "<p><a href=\"https://docs.test/a?b&amp;c\">docs</a></p>\n",
            ),
            ("[here](/catalog)", "<p><a href=\"/catalog\">here</a></p>\n"),
            (
                "![chart](https://a.test/c.png)",
                "<p><a href=\"https://a.test/c.png\">chart</a></p>\n",
            ),
            (
                "![](https://a.test/c.png)",
                "<p><a href=\"https://a.test/c.png\">https://a.test/c.png</a></p>\n",
            ),
            (
                "[![b](https://a.test/b.png)](https://a.test)",
                "<p><a href=\"https://a.test\">b</a></p>\n",
            ),
        ] {
            assert_eq!(markdown(text), html, "{text}");
        }
        assert!(markdown("|a|b|\n|-|-|\n|1|2|").contains("<td>1</td>"));
    }

    #[test]
    fn what_authors_may_not_is_text() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div onclick=\"alert(1)\">\n\n**x**\n\n</div>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java&#10;script:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](vbscript:x)",
            "[x](//evil.test)",
            "[x](/\\evil.test)",
            "[x](\\\\evil.test)",
            "![x](javascript:alert(1))",
            "<javascript:alert(1)>",
            "[x](https://a.test/\"onmouseover=alert(1))",
            "[x](https://a.test \"t\\\" onclick=alert(1)\")",
            "[a]: javascript:alert(1)\n\n[a]",
            "```html\"><script>alert(1)</script>\nx\n```",
            "| <script> |\n|-|\n| <iframe src=//evil.test> |",
            "<!-- --><style>*{display:none}</style>",
        ] {
            let html = markdown(text);
            let document = scraper::Html::parse_fragment(&html);
            for element in document.root_element().descendent_elements() {
                let name = element.value().name();
                let harmless = [
                    "html", "p", "a", "strong", "em", "code", "pre", "table", "thead", "tbody", "tr", "th", "td",
                ];
                assert!(harmless.contains(&name), "{text}: {name} in {html}");
                for (attribute, value) in element.value().attrs() {
                    let expected = match attribute {
                        "href" => value.starts_with("https://a.test"),
                        "class" => name == "code",
                        _ => false,
                    };
                    assert!(expected, "{text}: {attribute} in {html}");
                }
            }
        }
    }

    #[test]
    fn much_at_once_is_neither_slow_nor_lost() {
        for part in ["[", "![", "> ", "**a", "<a ", "- ", "`", "[a](", "|"] {
            let text = part.repeat(LONGEST / part.len());
            assert!(!markdown(&text).is_empty(), "{part}");
        }
        let long = "<b>".repeat(LONGEST);
        assert_eq!(markdown(&long), "&lt;b&gt;".repeat(LONGEST));
    }
}
