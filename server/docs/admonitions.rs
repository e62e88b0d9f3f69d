//! MkDocs' admonitions (`!!! note "Title"` with an indented block, `???` for those that unfold) as quotes that begin with
//! a mark, so that one pass over the Markdown renders them with all that is in them.

/// Begins the first line of an admonition.
pub const MARK: char = '\u{f8f0}';
/// Stands between its kind and its title.
pub const NEXT: char = '\u{f8f1}';

/// Nested deeper they stay as they are written.
const DEEPEST: usize = 6;

/// The Markdown with its admonitions as marked quotes.
pub fn mark(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.contains("!!! ") && !text.contains("???") {
        return text.to_owned();
    }
    let mut written = String::with_capacity(text.len() + 256);
    let lines: Vec<&str> = text.lines().collect();
    blocks(&lines, "", 0, &mut written);
    written
}

fn blocks(lines: &[&str], prefix: &str, depth: usize, written: &mut String) {
    let mut fence: Option<(char, usize)> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        fence = after(fence, line);
        let opening = match fence {
            None if depth < DEEPEST => opening(line),
            _ => None,
        };
        let Some((kind, title)) = opening else {
            push(written, prefix, line);
            continue;
        };
        // What is indented, and blank lines in between.
        let mut end = at;
        for (index, line) in lines.iter().enumerate().skip(at) {
            match inner(line) {
                Some(_) => end = index + 1,
                None if line.trim().is_empty() => {}
                None => break,
            }
        }
        let inside: Vec<&str> = lines[at..end].iter().map(|line| inner(line).unwrap_or("")).collect();
        at = end;
        let deeper = format!("{prefix}> ");
        push(written, prefix, "");
        push(written, &deeper, &format!("{MARK}{kind}{NEXT}{title}"));
        push(written, &deeper, "");
        blocks(&inside, &deeper, depth + 1, written);
        push(written, prefix, "");
    }
}

fn push(written: &mut String, prefix: &str, line: &str) {
    written.push_str(prefix);
    written.push_str(line);
    written.push('\n');
}

/// The line without the indentation of what is inside.
fn inner(line: &str) -> Option<&str> {
    line.strip_prefix("    ").or_else(|| line.strip_prefix('\t'))
}

/// The fence that is open after a line.
fn after(open: Option<(char, usize)>, line: &str) -> Option<(char, usize)> {
    let start = line.trim_start();
    let mark = start.chars().next().filter(|c| ['`', '~'].contains(c));
    let count = mark.map_or(0, |mark| start.chars().take_while(|c| *c == mark).count());
    match (open, mark) {
        (None, Some(mark)) if count >= 3 => Some((mark, count)),
        (Some((opened, length)), Some(mark)) if mark == opened && count >= length => None,
        (open, _) => open,
    }
}

/// Kind and title of the admonition that a line opens.
fn opening(line: &str) -> Option<(String, String)> {
    let rest = ["!!!", "???+", "???"].iter().find_map(|mark| line.strip_prefix(mark))?;
    let rest = rest.strip_prefix(' ')?.trim();
    let (kind, title) = match rest.split_once('"') {
        Some((kind, title)) => (kind, title.trim_end().trim_end_matches('"')),
        None => (rest, ""),
    };
    let kind = kind.split_whitespace().next().unwrap_or("note").to_lowercase();
    kind.chars()
        .all(|c| c.is_alphanumeric() || c == '-')
        .then(|| (kind, title.replace([MARK, NEXT], "")))
}

/// The class of a kind; an empty one for those that only inform.
pub fn class(kind: &str) -> &'static str {
    match kind {
        "warning" | "attention" | "important" => "warn",
        "caution" | "danger" | "error" | "failure" | "fail" | "bug" | "missing" => "bad",
        "tip" | "hint" | "success" | "check" | "done" => "ok",
        _ => "",
    }
}

/// The words for a kind without a title: the kind itself.
pub fn title(kind: &str) -> String {
    let mut letters = kind.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
