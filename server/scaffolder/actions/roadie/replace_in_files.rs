use fancy_regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::scaffolder::actions::files::{is_hidden, on_files, pattern, read_text, write};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};

/// `roadiehq:utils:fs:replace`: replaces text in files.
pub struct ReplaceInFiles;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// What to replace where, in this order.
    files: Vec<Replacement>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    /// Path or pattern of files of the workspace.
    file: String,
    /// Text to look for.
    find: String,
    /// `find` is a regular expression; `$1` in the replacement stands for its first group.
    #[serde(default)]
    match_regex: bool,
    /// What to put there.
    replace_with: String,
    /// A pattern matches hidden files, too.
    #[serde(default)]
    include_dot_files: bool,
}

#[async_trait::async_trait]
impl Action for ReplaceInFiles {
    const ID: &'static str = "roadiehq:utils:fs:replace";
    const DESCRIPTION: &'static str = "Replaces text in files of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Put a name into all files of a folder",
        example: "\
steps:
  - id: replace
    action: roadiehq:utils:fs:replace
    input:
      files:
        - file: src/**/*.txt
          find: PLACEHOLDER
          replaceWith: ${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        on_files(cx, move |cx| {
            for wanted in &input.files {
                let count = replace(cx, wanted)?;
                cx.log(format!(
                    "Replaced \"{}\" in {count} files of {}",
                    wanted.find, wanted.file
                ));
            }
            Ok(NoOutput {})
        })
        .await
    }
}

fn replace(cx: &Context, wanted: &Replacement) -> Result<usize, ActionError> {
    cx.workspace.resolve(&wanted.file)?;
    if wanted.find.is_empty() {
        return Err(ActionError::Input(
            "each of files needs a find that is not empty".to_owned(),
        ));
    }
    let expression =
        match wanted.match_regex {
            true => Some(Regex::new(&wanted.find).map_err(|error| {
                ActionError::Input(format!("\"{}\" is no regular expression: {error}", wanted.find))
            })?),
            false => None,
        };
    let pattern = pattern(&wanted.file)?;
    let hidden = wanted.include_dot_files || is_hidden(&wanted.file);
    let files = cx.workspace.files()?.into_iter();
    let mut count = 0;
    for path in files.filter(|path| pattern.is_match(path) && (hidden || !is_hidden(path))) {
        let text = read_text(cx, &path)?;
        let new = match &expression {
            None => text.replace(&wanted.find, &wanted.replace_with),
            // `$$` and `${name}` mean the same in JavaScript and here; `$1x` does not.
            Some(expression) => expression
                .try_replacen(&text, 0, delimited(&wanted.replace_with).as_str())
                .map_err(|error| ActionError::Input(format!("\"{}\" in {path}: {error}", wanted.find)))?
                .into_owned(),
        };
        if new != text {
            write(cx, &path, new.as_bytes())?;
            count += 1;
        }
    }
    Ok(count)
}

/// `$1x` of JavaScript, a group and a letter, as `${1}x`.
fn delimited(replacement: &str) -> String {
    let mut out = String::new();
    let mut rest = replacement.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        if c != '$' {
            continue;
        }
        match rest.peek().copied() {
            Some('$') => {
                rest.next();
                out.push('$');
            }
            Some('&') => {
                rest.next();
                out.push_str("{0}");
            }
            Some(digit) if digit.is_ascii_digit() => {
                let mut number = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                out.push_str(&format!("{{{number}}}"));
            }
            // Any other dollar sign is just one.
            _ => out.push('$'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn text_is_replaced_in_what_matches() {
        let cx = bench(&[
            ("a.txt", "x.y x.y"),
            ("d/b.txt", "x.y"),
            (".c.txt", "x.y"),
            ("d/e.md", "x.y"),
        ]);
        let files = json!([
            {"file": "**/*.txt", "find": "x.y", "replaceWith": "$1"},
            {"file": "d/e.md", "find": "(x)\\.", "matchRegex": true, "replaceWith": "$1$1a$"},
            {"file": ".c.txt", "find": "y", "replaceWith": "z", "includeDotFiles": true},
        ]);
        run(&ReplaceInFiles, &cx, json!({"files": files})).await.unwrap();
        for (path, content) in [
            ("a.txt", "$1 $1"),
            ("d/b.txt", "$1"),
            (".c.txt", "x.z"),
            ("d/e.md", "xxa$y"),
        ] {
            assert_eq!(
                std::fs::read_to_string(cx.workspace.path().join(path)).unwrap(),
                content,
                "{path}"
            );
        }
        for (find, regex) in [("", false), ("(", true)] {
            let files = json!([{"file": "*", "find": find, "replaceWith": "x", "matchRegex": regex}]);
            assert!(
                run(&ReplaceInFiles, &cx, json!({"files": files})).await.is_err(),
                "{find}"
            );
        }
    }
}
