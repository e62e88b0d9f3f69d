//! The file CODEOWNERS: who answers for which files of a repository.

use globset::GlobBuilder;
use regex::RegexBuilder;

/// Rules that are read; a file has no more.
const MOST_RULES: usize = 2_000;
/// Bytes that a rule's expression may take when it is ready to be used.
const LARGEST_EXPRESSION: usize = 64 * 1024;

/// How the rules of a forge say which files they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// Patterns as in `.gitignore`, without `!` and `[]`; the last rule that fits counts, alone. GitHub,
    /// `docs.github.com`, "About code owners".
    Patterns,
    /// Regular expressions for the whole path, `!` before one turns it round; all rules that fit count. Gitea and Forgejo,
    /// `docs.gitea.com`, "Code Owners".
    Expressions,
}

impl Grammar {
    /// Where the file may be; the first that is there counts.
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Patterns => &[".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
            Self::Expressions => &[
                "CODEOWNERS",
                "docs/CODEOWNERS",
                ".gitea/CODEOWNERS",
                ".forgejo/CODEOWNERS",
            ],
        }
    }
}

/// Somebody whom the file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `@account`, `@organisation/team` or an address, as it stands there.
    pub name: String,
    /// The rule's line, from 1.
    pub line: usize,
}

/// Whom a file names for a path of its repository. Rules that cannot be read are passed over, as forges do.
pub fn owners_of(text: &str, grammar: Grammar, path: &str) -> Vec<Named> {
    let mut named = Vec::new();
    for (index, line) in text.lines().enumerate().take(MOST_RULES) {
        let words = words(line, grammar);
        let Some((rule, owners)) = words.split_first() else {
            continue;
        };
        let fits = match grammar {
            Grammar::Patterns => fits_pattern(rule, path),
            Grammar::Expressions => fits_expression(rule, path),
        };
        if !fits {
            continue;
        }
        if grammar == Grammar::Patterns {
            named.clear();
        }
        named.extend(owners.iter().filter(|owner| owner.contains('@')).map(|owner| Named {
            name: owner.clone(),
            line: index + 1,
        }));
    }
    named
}

/// Words of a line up to its comment. A backslash takes the meaning of what follows; in expressions it may stand for
/// itself too.
fn words(line: &str, grammar: Grammar) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut letters = line.trim().chars();
    while let Some(letter) = letters.next() {
        let Some(word) = words.last_mut() else { break };
        match letter {
            '\\' => match letters.next() {
                Some(next @ ('#' | ' ')) => word.push(next),
                Some('\\') if grammar == Grammar::Expressions => word.push('\\'),
                Some(next) => word.extend(['\\', next]),
                None => word.push('\\'),
            },
            '#' => break,
            letter if letter.is_whitespace() => words.push(String::new()),
            letter => word.push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn fits_expression(rule: &str, path: &str) -> bool {
    let (expression, turned) = match rule.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (rule, false),
    };
    let whole = RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(LARGEST_EXPRESSION)
        .build();
    whole.is_ok_and(|whole| whole.is_match(path) != turned)
}

fn fits_pattern(rule: &str, path: &str) -> bool {
    let anchored = rule.trim_end_matches('/').contains('/');
    let rule = rule.strip_prefix('/').unwrap_or(rule);
    let start = if anchored { "" } else { "**/" };
    let literal = |text: &str| text.replace('[', "\\[").replace('{', "\\{").replace('}', "\\}");
    let fits = |pattern: String| {
        GlobBuilder::new(&pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .is_ok_and(|glob| glob.compile_matcher().is_match(path))
    };
    match rule.strip_suffix('/') {
        Some(folder) => fits(format!("{start}{}/**", literal(folder))),
        // What lies deeper is not meant.
        None if rule.ends_with("/*") => fits(format!("{start}{}", literal(rule))),
        None => fits(format!("{start}{}", literal(rule))) || fits(format!("{start}{}/**", literal(rule))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, grammar: Grammar, path: &str) -> Vec<(String, usize)> {
        let named = owners_of(text, grammar, path);
        named.into_iter().map(|named| (named.name, named.line)).collect()
    }

    #[test]
    fn the_last_pattern_that_fits_counts() {
        let text = "# Everything\n*  @acme/all # and a remark\n*.js @js ada@example.com\n/build/logs/ @logs\ndocs/* @docs\n\
                    apps/ @apps\n/scripts @scripts\n**/logs @deep\nnobody\nwith\\ space/ @space\n[ab].txt @literal\n";
        for (path, expected) in [
            ("README.md", vec![("@acme/all", 2)]),
            ("src/a/b.js", vec![("@js", 3), ("ada@example.com", 3)]),
            ("build/logs/a/b.txt", vec![("@deep", 8)]),
            ("docs/start.md", vec![("@docs", 5)]),
            ("docs/more/start.md", vec![("@acme/all", 2)]),
            ("x/apps/a/catalog-info.yaml", vec![("@apps", 6)]),
            ("scripts/a.sh", vec![("@scripts", 7)]),
            ("x/scripts/a.sh", vec![("@acme/all", 2)]),
            ("a/logs", vec![("@deep", 8)]),
            // A rule without owners: nobody's on purpose.
            ("nobody", vec![]),
            ("with space/a", vec![("@space", 10)]),
            ("a.txt", vec![("@acme/all", 2)]),
        ] {
            let expected: Vec<(String, usize)> = expected
                .iter()
                .map(|(name, line)| ((*name).to_owned(), *line))
                .collect();
            assert_eq!(names(text, Grammar::Patterns, path), expected, "{path}");
        }
    }

    #[test]
    fn all_expressions_that_fit_count() {
        let text = ".*\\\\.go @ada @bob # both\nfrontend/.* @acme/web\n!frontend/.* @acme/back\n(unclosed @nobody\n\
                    a\\ b/\\#c @space\n(a{1,1000}){1,1000} @large\n";
        for (path, expected) in [
            ("main.go", vec!["@ada", "@bob", "@acme/back"]),
            ("frontend/main.go", vec!["@ada", "@bob", "@acme/web"]),
            ("frontend/a.js", vec!["@acme/web"]),
            ("other/main.gox", vec!["@acme/back"]),
            ("a b/#c", vec!["@acme/back", "@space"]),
            ("aaaa", vec!["@acme/back"]),
        ] {
            let found: Vec<String> = names(text, Grammar::Expressions, path)
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}
