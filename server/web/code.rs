//! Code with its words marked by classes, so that a page colours it without a script. It knows what languages have in
//! common, comments, texts, numbers, words of the language, rather than their grammars: one pass, and nothing that an
//! author writes makes it slow.

use std::fmt::Write;

/// Longer code stays plain.
const LONGEST: usize = 256 * 1024;

/// What is special in a language.
struct Syntax {
    names: &'static str,
    /// What begins a comment to the end of the line.
    line: &'static [&'static str],
    block: Option<(&'static str, &'static str)>,
    /// What begins and ends a text; longer ones first.
    texts: &'static [&'static str],
    words: &'static str,
    /// What stands before `:` or `=` at the beginning of a line is a key.
    keys: bool,
    /// Words are compared without case.
    any_case: bool,
}

const C_LIKE: Syntax = Syntax {
    names: "",
    line: &["//"],
    block: Some(("/*", "*/")),
    texts: &["\"", "'"],
    words: "",
    keys: false,
    any_case: false,
};
const HASHED: Syntax = Syntax {
    line: &["#"],
    block: None,
    ..C_LIKE
};

static SYNTAXES: [Syntax; 24] = [
    Syntax {
        names: "rust rs",
        texts: &["\""],
        words: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
        ..C_LIKE
    },
    Syntax {
        names: "go golang",
        texts: &["\"", "`", "'"],
        words: "break case chan const continue default defer else fallthrough false for func go goto if import interface map nil package range return select struct switch true type var",
        ..C_LIKE
    },
    Syntax {
        names: "javascript js jsx mjs typescript ts tsx",
        texts: &["\"", "'", "`"],
        words: "abstract any as async await boolean break case catch class const continue declare default delete do else enum export extends false finally for from function get if implements import in instanceof interface let new null number of private protected public readonly return set static string super switch this throw true try type typeof undefined var void while yield",
        ..C_LIKE
    },
    Syntax {
        names: "java kotlin kt scala groovy",
        words: "abstract assert boolean break byte case catch char class const continue data def default do double else enum extends false final finally float for fun if implements import instanceof int interface internal is lateinit long match native new null object open override package private protected public return short static super suspend switch synchronized this throw throws trait true try val var void volatile when while",
        texts: &["\"\"\"", "\"", "'"],
        ..C_LIKE
    },
    Syntax {
        names: "c cpp c++ h hpp csharp cs c# swift dart objc",
        words: "#define #include #if #endif auto async await bool break case catch char class const continue default delete do double else enum explicit extern false final float for func guard if import in inline int interface internal is let long namespace new nil null nullptr operator override private protected public return short signed sizeof static string struct switch template this throw true try typedef typename union unsigned using var virtual void volatile where while",
        ..C_LIKE
    },
    Syntax {
        names: "php",
        line: &["//", "#"],
        words: "abstract array as break case catch class const continue default do echo else elseif extends false final fn for foreach function if implements interface match namespace new null private protected public return static switch throw trait true try use var while",
        ..C_LIKE
    },
    Syntax {
        names: "python py",
        texts: &["\"\"\"", "'''", "\"", "'"],
        words: "and as assert async await break class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return self True try while with yield",
        ..HASHED
    },
    Syntax {
        names: "ruby rb elixir ex",
        words: "alias and begin break case class def defmodule do else elsif end ensure false fn for if in module next nil not or raise redo rescue retry return self super then true undef unless until when while yield",
        ..HASHED
    },
    Syntax {
        names: "bash sh shell zsh console shell-session shellscript",
        words: "break case cd do done echo elif else esac exit export fi for function if in local return set shift source sudo then trap until while",
        ..HASHED
    },
    Syntax {
        names: "powershell ps1",
        block: Some(("<#", "#>")),
        words: "begin break catch continue do else elseif end exit finally for foreach function if in param process return switch throw try until while",
        any_case: true,
        ..HASHED
    },
    Syntax {
        names: "yaml yml",
        keys: true,
        words: "true false null yes no on off",
        ..HASHED
    },
    Syntax {
        names: "toml ini cfg conf properties env dotenv editorconfig",
        line: &["#", ";"],
        texts: &["\"\"\"", "'''", "\"", "'"],
        keys: true,
        words: "true false",
        ..HASHED
    },
    Syntax {
        names: "json json5 jsonc",
        texts: &["\""],
        keys: true,
        words: "true false null",
        ..C_LIKE
    },
    Syntax {
        names: "dockerfile docker containerfile",
        words: "ADD ARG AS CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR",
        ..HASHED
    },
    Syntax {
        names: "makefile make mk",
        keys: true,
        words: "define else endef endif ifdef ifeq ifndef ifneq include",
        ..HASHED
    },
    Syntax {
        names: "hcl terraform tf",
        line: &["#", "//"],
        words: "data dynamic false for_each for if in locals module null output provider resource terraform true variable",
        keys: true,
        ..C_LIKE
    },
    Syntax {
        names: "sql postgresql mysql plpgsql",
        line: &["--"],
        words: "add all alter and as asc begin between by case check column commit constraint create cross default delete desc distinct drop else end exists false foreign from full function group having if in index inner insert into is join key left like limit not null offset on or order outer primary references returning right rollback select set table then true union unique update using values view when where with",
        any_case: true,
        ..C_LIKE
    },
    Syntax {
        names: "css scss less",
        line: &[],
        words: "@media @import @supports @container @keyframes important",
        keys: true,
        ..C_LIKE
    },
    Syntax {
        names: "graphql gql",
        line: &["#"],
        block: None,
        texts: &["\"\"\"", "\""],
        words: "directive enum extend false fragment implements input interface mutation null on query repeatable scalar schema subscription true type union",
        ..C_LIKE
    },
    Syntax {
        names: "proto protobuf",
        words: "bool bytes double enum extend extensions false fixed32 fixed64 float import int32 int64 map message oneof option optional package public repeated required reserved returns rpc service sfixed32 sfixed64 sint32 sint64 stream string syntax to true uint32 uint64",
        ..C_LIKE
    },
    Syntax {
        names: "lua",
        line: &["--"],
        block: Some(("--[[", "]]")),
        words: "and break do else elseif end false for function goto if in local nil not or repeat return then true until while",
        ..C_LIKE
    },
    Syntax {
        names: "haskell hs",
        line: &["--"],
        block: Some(("{-", "-}")),
        texts: &["\""],
        words: "case class data deriving do else if import in infix instance let module newtype of then type where",
        ..C_LIKE
    },
    Syntax {
        names: "rego",
        texts: &["\"", "`"],
        words: "as contains default else every false if import in not null package some true with",
        ..HASHED
    },
    Syntax {
        names: "nginx caddyfile caddy",
        words: "server location listen root proxy_pass return if set upstream",
        ..HASHED
    },
];

/// Escaped HTML of the code; its parts are `span`s of the classes `c` (comment), `s` (text), `n` (number), `k` (word of the
/// language), `t` (key, tag), `i` and `d` (line that came, that went).
pub fn code(language: &str, text: &str) -> String {
    let language = language.trim().to_lowercase();
    let mut html = String::with_capacity(text.len() + text.len() / 4);
    match language.as_str() {
        _ if text.len() > LONGEST => escape(&mut html, text),
        "diff" | "patch" => diff(&mut html, text),
        "html" | "xml" | "svg" | "vue" | "xhtml" => markup(&mut html, text),
        _ => match SYNTAXES.iter().find(|syntax| has_word(syntax.names, &language)) {
            Some(syntax) => words(&mut html, text, syntax),
            None => escape(&mut html, text),
        },
    }
    html
}

fn has_word(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

fn escape(html: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

fn span(html: &mut String, class: &str, text: &str) {
    // Writing into a text cannot fail.
    let _ = write!(html, "<span class=\"{class}\">");
    escape(html, text);
    html.push_str("</span>");
}

fn diff(html: &mut String, text: &str) {
    for line in text.split_inclusive('\n') {
        match line.as_bytes().first() {
            Some(b'+') => span(html, "i", line),
            Some(b'-') => span(html, "d", line),
            Some(b'@') => span(html, "c", line),
            _ => escape(html, line),
        }
    }
}

fn markup(html: &mut String, text: &str) {
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        escape(html, &rest[..start]);
        rest = &rest[start..];
        let (class, end) = match rest.starts_with("<!--") {
            true => ("c", rest.find("-->").map(|at| at + 3)),
            false => ("t", rest.find('>').map(|at| at + 1)),
        };
        let end = end.unwrap_or(rest.len());
        span(html, class, &rest[..end]);
        rest = &rest[end..];
    }
    escape(html, rest);
}

fn words(html: &mut String, text: &str, syntax: &Syntax) {
    let mut rest = text;
    let mut line_start = true;
    while let Some(first) = rest.chars().next() {
        let (class, length) = part(rest, first, line_start, syntax);
        let (now, then) = rest.split_at(length);
        match class {
            Some(class) => span(html, class, now),
            None => escape(html, now),
        }
        line_start = match now.rfind('\n') {
            Some(at) => now[at + 1..].trim().is_empty(),
            // What may stand before a key.
            None => line_start && now.chars().all(|c| c.is_whitespace() || "-{[,".contains(c)),
        };
        rest = then;
    }
}

/// Class and length of what the text begins with.
fn part(rest: &str, first: char, line_start: bool, syntax: &Syntax) -> (Option<&'static str>, usize) {
    if let Some((open, close)) = syntax.block
        && rest.starts_with(open)
    {
        let end = rest[open.len()..].find(close).map(|at| open.len() + at + close.len());
        return (Some("c"), end.unwrap_or(rest.len()));
    }
    if syntax.line.iter().any(|mark| rest.starts_with(mark)) {
        return (Some("c"), rest.find('\n').unwrap_or(rest.len()));
    }
    if let Some(mark) = syntax.texts.iter().find(|mark| rest.starts_with(**mark)) {
        let length = text_length(rest, mark);
        let key = syntax.keys && line_start && is_key(&rest[length..]);
        return (Some(if key { "t" } else { "s" }), length);
    }
    if first.is_ascii_digit() {
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_')
            .unwrap_or(rest.len());
        return (Some("n"), length);
    }
    if first.is_alphabetic() || "_@$#".contains(first) {
        let inner = |c: char| c.is_alphanumeric() || c == '_' || (syntax.keys && "-./".contains(c));
        let length = rest[first.len_utf8()..]
            .find(|c| !inner(c))
            .map_or(rest.len(), |at| at + first.len_utf8());
        let word = &rest[..length];
        if syntax.keys && line_start && is_key(&rest[length..]) {
            return (Some("t"), length);
        }
        let known = match syntax.any_case {
            true => has_word(syntax.words, &word.to_lowercase()),
            false => has_word(syntax.words, word),
        };
        let class = match known {
            true => Some("k"),
            false if first == '$' || first == '@' => Some("t"),
            false => None,
        };
        return (class, length);
    }
    (None, first.len_utf8())
}

fn is_key(after: &str) -> bool {
    matches!(after.trim_start_matches([' ', '\t']).chars().next(), Some(':' | '='))
}

/// How long the text is that the rest begins with: to its end, or to that of the line.
fn text_length(rest: &str, mark: &str) -> usize {
    let many_lines = mark.len() == 3 || mark == "`";
    let mut at = mark.len();
    while let Some(letter) = rest[at..].chars().next() {
        if rest[at..].starts_with(mark) {
            return at + mark.len();
        }
        if letter == '\n' && !many_lines {
            return at;
        }
        at += letter.len_utf8();
        if letter == '\\' {
            at += rest[at..]
                .chars()
                .next()
                .filter(|c| *c != '\n')
                .map_or(0, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_languages_are_marked() {
        for (language, text, expected) in [
            (
                "rust",
                "let x = 1; // <b>",
                "<span class=\"k\">let</span> x = <span class=\"n\">1</span>; <span class=\"c\">// &lt;b&gt;</span>",
            ),
            (
                "yaml",
                "- name: a # b",
                "- <span class=\"t\">name</span>: a <span class=\"c\"># b</span>",
            ),
            (
                "json",
                "{\"a\": \"b\"}",
                "{<span class=\"t\">&quot;a&quot;</span>: <span class=\"s\">&quot;b&quot;</span>}",
            ),
            (
                "SQL",
                "Select 1",
                "<span class=\"k\">Select</span> <span class=\"n\">1</span>",
            ),
            (
                "diff",
                "+a\n-b",
                "<span class=\"i\">+a\n</span><span class=\"d\">-b</span>",
            ),
            ("html", "<a>x", "<span class=\"t\">&lt;a&gt;</span>x"),
            ("python", "'a\\'b' x", "<span class=\"s\">&#39;a\\&#39;b&#39;</span> x"),
            ("unheard-of", "<script>", "&lt;script&gt;"),
            ("", "a", "a"),
        ] {
            assert_eq!(code(language, text), expected, "{language}");
        }
    }

    #[test]
    fn nothing_is_lost_and_nothing_gets_out() {
        let open = [
            "\"",
            "'",
            "`",
            "/*",
            "<!--",
            "<",
            "#",
            "\\",
            "\u{e9}\"\u{1f600}",
            "a-",
            "\"\"\"",
            "{",
            "1.",
            "$",
        ];
        for syntax in &SYNTAXES {
            let language = syntax.names.split(' ').next().unwrap_or_default();
            for part in open {
                let text = format!("{}</pre><script>\n{part}", part.repeat(40));
                let html = code(language, &text);
                let document = scraper::Html::parse_fragment(&html);
                assert_eq!(document.root_element().text().collect::<String>(), text, "{language}");
                assert!(!html.contains("<script"), "{language}: {html}");
            }
        }
        let long = "\"".repeat(LONGEST + 1);
        assert!(!code("rust", &long).contains("<span"));
    }
}
