//! The words of a page's Markdown, without its marks: what is searched.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::admonitions::{self, MARK, NEXT};
use super::markdown::{OPTIONS, shortened};

/// The words of the first `longest` bytes of a page, blocks on lines of their own. No NUL, which no database takes.
pub fn text(markdown: &str, longest: usize) -> String {
    let (markdown, _) = shortened(markdown, longest);
    let marked = admonitions::mark(markdown);
    let mut plain = String::with_capacity(markdown.len());
    let mut hidden = false;
    for event in Parser::new_ext(&marked, OPTIONS) {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => hidden = true,
            Event::End(TagEnd::MetadataBlock(_)) => hidden = false,
            _ if hidden => {}
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                plain.extend(text.chars().map(|letter| match letter {
                    MARK | NEXT | '\0' => ' ',
                    letter => letter,
                }));
            }
            Event::SoftBreak | Event::HardBreak => plain.push(' '),
            Event::End(TagEnd::TableCell) => plain.push(' '),
            Event::End(
                TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::Item
                | TagEnd::CodeBlock
                | TagEnd::TableRow
                | TagEnd::TableHead
                | TagEnd::FootnoteDefinition
                | TagEnd::DefinitionListTitle
                | TagEnd::DefinitionListDefinition,
            ) => plain.push('\n'),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_words_are_left() {
        let markdown = "---\nsecret: 1\n---\n# A *title*\n\nSome [link](https://x.test) and `code`\nnext\0.\n\n<b onclick=x>raw</b>\n\n\
                        | a | b |\n|---|---|\n| c | d |\n\n```sh\nls -l\n```\n\n!!! note \"Mind\"\n    this\n";
        let text = super::text(markdown, 10_000);
        let words: Vec<&str> = text.split_whitespace().collect();
        let expected = "A title Some link and code next . raw a b c d ls -l";
        assert!(words.join(" ").starts_with(expected), "{text:?}");
        assert!(text.contains("Mind") && text.contains("this"), "{text:?}");
        assert!(
            !text.contains("secret") && !text.contains("x.test") && !text.contains("onclick"),
            "{text:?}"
        );
        assert_eq!(super::text("one\ntwo\nthree", 9), "one two\n");
    }
}
