//! The documentation of one folder at one commit: its pages in order, as `mkdocs.yml` or, without one, the files have it.

use std::collections::HashSet;

use serde_json::Value;

use super::files::Files;
use crate::catalog::yaml_documents;

/// Pages of a book.
const MOST_PAGES: usize = 5_000;
/// Sections in sections.
const DEEPEST: usize = 8;

/// A page of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageInfo {
    /// The file, from the repository's root.
    pub file: String,
    /// Its address behind that of the book: empty for the first page.
    pub path: String,
    pub title: String,
}

/// A line of the navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Index of the page.
    Page(usize),
    Link {
        title: String,
        address: String,
    },
    Section {
        title: String,
        entries: Vec<Entry>,
    },
}

#[derive(Debug, Clone, Default)]
pub struct Book {
    pub name: String,
    pub description: String,
    /// Of its texts, where it says so: `de`.
    pub language: Option<String>,
    /// Folder of the pages, from the repository's root.
    pub folder: String,
    /// In the order of reading.
    pub pages: Vec<PageInfo>,
    pub entries: Vec<Entry>,
    /// Why `mkdocs.yml` was left aside.
    pub problem: Option<String>,
}

/// What is read of `mkdocs.yml`.
#[derive(Default)]
struct Settings {
    name: Option<String>,
    description: Option<String>,
    folder: Option<String>,
    language: Option<String>,
    nav: Option<Value>,
}

impl Book {
    /// The book in a folder of a repository; without a page where there is none. `name` is that of the entity.
    pub fn of(files: &Files, base: &str, name: &str) -> Self {
        let mut problem = None;
        let found = ["mkdocs.yml", "mkdocs.yaml"]
            .iter()
            .find_map(|file| files.text(&join(base, file)));
        let settings = found.map_or_else(Settings::default, |text| {
            settings(&text.text).unwrap_or_else(|reason| {
                problem = Some(reason);
                Settings::default()
            })
        });
        let folder = settings.folder.as_deref().and_then(|folder| normal(base, folder));
        let folder = folder.unwrap_or_else(|| join(base, "docs"));
        let mut book = Self {
            name: settings.name.unwrap_or_else(|| name.to_owned()),
            description: settings.description.unwrap_or_default(),
            language: settings.language.filter(|language| is_language(language)),
            problem,
            ..Self::default()
        };
        let mut inside: Vec<&str> = files
            .markdown()
            .filter(|path| is_inside(path, &folder))
            .take(MOST_PAGES)
            .collect();
        book.folder = folder;
        if inside.is_empty() {
            // Nothing but the README of the folder itself.
            book.folder = base.to_owned();
            let readme = files.markdown().find(|path| parent(path) == base && is_index(path));
            inside.extend(readme);
        } else if !inside.iter().any(|path| parent(path) == book.folder && is_index(path)) {
            // As Backstage does, the README is the first page of a book that has none.
            inside.extend(files.markdown().find(|path| parent(path) == base && is_index(path)));
        }
        let order = sorted(inside, &book.folder);
        match settings.nav.as_ref().and_then(Value::as_array) {
            Some(nav) => {
                book.entries = book.listed(files, nav, 0);
                // What the navigation leaves out can be linked to all the same.
                let known: HashSet<String> = book.pages.iter().map(|page| page.file.clone()).collect();
                for path in order.into_iter().filter(|path| !known.contains(*path)) {
                    book.add(files, path, None);
                }
            }
            None => {
                for path in order {
                    book.add(files, path, None);
                }
                book.entries = book.nested();
            }
        }
        book
    }

    fn add(&mut self, files: &Files, file: &str, title: Option<String>) -> usize {
        if let Some(known) = self.pages.iter().position(|page| page.file == file) {
            return known;
        }
        self.pages.push(PageInfo {
            path: self.path_of(file),
            title: title.unwrap_or_else(|| title_of(files, file)),
            file: file.to_owned(),
        });
        self.pages.len() - 1
    }

    /// Address of a file's page behind that of the book.
    fn path_of(&self, file: &str) -> String {
        let Some(path) = inside(file, &self.folder) else {
            return String::new();
        };
        let plain = path.rsplit_once('.').map_or(path, |(plain, _)| plain);
        match is_index(file) {
            true => plain.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
            false => plain.to_owned(),
        }
    }

    fn listed(&mut self, files: &Files, nav: &[Value], depth: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        if depth >= DEEPEST {
            return entries;
        }
        for item in nav {
            if self.pages.len() >= MOST_PAGES {
                break;
            }
            match item {
                Value::String(path) => entries.extend(self.named(files, path, None)),
                Value::Object(map) => {
                    for (title, value) in map {
                        match value {
                            Value::String(path) => entries.extend(self.named(files, path, Some(title.clone()))),
                            Value::Array(nav) => entries.push(Entry::Section {
                                title: title.clone(),
                                entries: self.listed(files, nav, depth + 1),
                            }),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        entries
    }

    fn named(&mut self, files: &Files, path: &str, title: Option<String>) -> Option<Entry> {
        if ["https://", "http://", "mailto:"]
            .iter()
            .any(|scheme| path.starts_with(scheme))
        {
            let title = title.unwrap_or_else(|| path.to_owned());
            return Some(Entry::Link {
                title,
                address: path.to_owned(),
            });
        }
        let file = normal(&self.folder, path)?;
        let there = is_markdown(&file) && (files.has(&file) || files.partial);
        there.then(|| Entry::Page(self.add(files, &file, title)))
    }

    /// Pages in sections of their folders.
    fn nested(&self) -> Vec<Entry> {
        fn place<'e>(entries: &'e mut Vec<Entry>, folders: &[&str]) -> &'e mut Vec<Entry> {
            let Some((first, rest)) = folders.split_first() else {
                return entries;
            };
            let title = words_of(first);
            let last = matches!(entries.last(), Some(Entry::Section { title: known, .. }) if *known == title);
            if !last {
                entries.push(Entry::Section {
                    title,
                    entries: Vec::new(),
                });
            }
            match entries.last_mut() {
                Some(Entry::Section { entries, .. }) => place(entries, rest),
                _ => unreachable!("a section was put there"),
            }
        }
        let mut entries = Vec::new();
        for (index, page) in self.pages.iter().enumerate() {
            let path = inside(&page.file, &self.folder).unwrap_or_default();
            let folders: Vec<&str> = match path.rsplit_once('/') {
                Some((folders, _)) => folders.split('/').take(DEEPEST).collect(),
                None => Vec::new(),
            };
            place(&mut entries, &folders).push(Entry::Page(index));
        }
        entries
    }

    /// The page at an address behind that of the book.
    pub fn page_at(&self, path: &str) -> Option<usize> {
        let path = path.trim_matches('/');
        let path = path.strip_suffix("index.html").unwrap_or(path);
        let path = path.strip_suffix(".html").unwrap_or(path).trim_end_matches('/');
        let exact = self.pages.iter().position(|page| page.path == path);
        exact.or_else(|| {
            let file = join(&self.folder, path);
            self.pages.iter().position(|page| page.file == file)
        })
    }

    /// The page of a file.
    pub fn page_of(&self, file: &str) -> Option<&PageInfo> {
        self.pages.iter().find(|page| page.file == file)
    }

    /// The page that stands for a folder.
    pub fn index_of(&self, folder: &str) -> Option<&PageInfo> {
        self.pages
            .iter()
            .find(|page| is_index(&page.file) && parent(&page.file) == folder)
    }
}

fn settings(text: &str) -> Result<Settings, String> {
    let text = without_tags(text);
    let documents = yaml_documents(&text);
    let Some(first) = documents.first() else {
        return Ok(Settings::default());
    };
    let value = first.value.as_ref().map_err(|fault| match fault.line {
        Some(line) => format!("mkdocs.yml, line {line}: {}", fault.message),
        None => format!("mkdocs.yml: {}", fault.message),
    })?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Ok(Settings {
        name: text("/site_name"),
        description: text("/site_description"),
        folder: text("/docs_dir"),
        language: text("/theme/language"),
        nav: value.pointer("/nav").cloned(),
    })
}

/// MkDocs' files have tags of Python and of its extensions (`!!python/name:…`, `!ENV`), which mean nothing here.
fn without_tags(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let start = line.find('!').filter(|at| {
            let before = line[..*at].trim_end();
            before.ends_with(':') || before.ends_with('-') || before.ends_with('[') || before.ends_with(',')
        });
        match start {
            Some(at) => {
                let rest = &line[at..];
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                written.push_str(&line[..at]);
                written.push_str(&rest[end..]);
            }
            None => written.push_str(line),
        }
    }
    written
}

fn is_language(text: &str) -> bool {
    (2..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Pages of a folder before those of the folders in it, index first, else by name: as MkDocs walks through them.
fn sorted<'p>(mut paths: Vec<&'p str>, folder: &str) -> Vec<&'p str> {
    let key = |path: &str| {
        let path = inside(path, folder).unwrap_or_default().to_owned();
        let mut parts: Vec<(u8, String)> = path.split('/').map(|part| (2, part.to_owned())).collect();
        if let Some(last) = parts.last_mut() {
            last.0 = u8::from(!is_index(&path));
        }
        parts
    };
    paths.sort_by_cached_key(|path| key(path));
    paths
}

/// `metadata`'s title, the first heading, or the file's name in words.
fn title_of(files: &Files, file: &str) -> String {
    let found = files.text(file).and_then(|text| title_in(&text.text));
    found.unwrap_or_else(|| {
        let name = match is_index(file) {
            true => parent(file)
                .rsplit('/')
                .next()
                .filter(|name| !name.is_empty())
                .unwrap_or("Home"),
            false => file.rsplit('/').next().unwrap_or(file),
        };
        let name = if is_index(file) && name == "docs" { "Home" } else { name };
        words_of(name.rsplit_once('.').map_or(name, |(name, _)| name))
    })
}

fn title_in(text: &str) -> Option<String> {
    let mut lines = text.lines().take(200).peekable();
    if lines.peek().is_some_and(|line| line.trim_end() == "---") {
        lines.next();
        for line in lines
            .by_ref()
            .take_while(|line| !["---", "..."].contains(&line.trim_end()))
        {
            if let Some(title) = line.strip_prefix("title:") {
                return Some(title.trim().trim_matches(['"', '\'']).to_owned()).filter(|title| !title.is_empty());
            }
        }
    }
    let mut fenced = false;
    for line in lines {
        fenced ^= line.trim_start().starts_with("```");
        if let Some(title) = line.strip_prefix("# ").filter(|_| !fenced) {
            let title = title.split(" {#").next().unwrap_or(title).trim().trim_end_matches('#');
            let title = title.replace(['`', '*'], "");
            return Some(title.trim().to_owned()).filter(|title| !title.is_empty());
        }
    }
    None
}

/// A file's name as words: `getting-started` is "Getting started".
fn words_of(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    match words.chars().any(char::is_uppercase) {
        true => words,
        false => {
            let mut letters = words.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

pub fn is_markdown(path: &str) -> bool {
    let end = path.rsplit_once('.').map_or("", |(_, end)| end);
    ["md", "markdown", "mdown"]
        .iter()
        .any(|known| end.eq_ignore_ascii_case(known))
}

fn is_index(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    ["index.md", "readme.md", "index.markdown", "readme.markdown"].contains(&name.as_str())
}

pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

pub fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}

/// The path behind a folder.
pub fn inside<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    match folder.is_empty() {
        true => Some(path),
        false => path.strip_prefix(folder)?.strip_prefix('/'),
    }
}

fn is_inside(path: &str, folder: &str) -> bool {
    inside(path, folder).is_some()
}

/// What a relative path names from a folder, without `.` and `..`; `None` where it leads out of the repository.
pub fn normal(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if path.contains(['\\', '\0']) {
        return None;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
