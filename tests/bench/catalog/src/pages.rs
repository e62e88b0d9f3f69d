//! The pages that people open: what the catalog's files hold, and for what these lack a picture of many entities and a
//! book.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use portico_bench_catalog::files::Manifest;

use crate::requests::Kind;

/// Systems of the domain whose relations fill a picture, and components of each: more than a picture has room for.
const SYSTEMS: usize = 40;
const COMPONENTS: usize = 8;
/// Pages of the book.
const BOOK: usize = 30;

/// Where the further files are, in the folder of the others.
pub const FOLDER: &str = "pages";

/// Writes the further files into a folder; answers how many entities they describe.
pub fn make(folder: &Path) -> Result<usize> {
    let folder = folder.join(FOLDER);
    std::fs::create_dir_all(folder.join("docs")).context("no folder for the pages")?;
    let mut text = String::new();
    let mut entities = 0;
    let mut entity = |kind: &str, name: &str, more: &str, spec: &str| {
        entities += 1;
        let _ = write!(
            text,
            "---\napiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n{more}spec: {spec}\n"
        );
    };
    entity("Domain", "picture", "", "{owner: guests}");
    for system in 0..SYSTEMS {
        let name = format!("picture-{system}");
        entity("System", &name, "", "{owner: guests, domain: picture}");
        for part in 0..COMPONENTS {
            let spec = format!("{{type: service, lifecycle: production, owner: guests, system: {name}}}");
            entity("Component", &format!("{name}-{part}"), "", &spec);
        }
    }
    let book = "  annotations: {backstage.io/techdocs-ref: \"dir:.\"}\n";
    entity(
        "Component",
        "book",
        book,
        "{type: library, lifecycle: production, owner: guests}",
    );
    std::fs::write(folder.join("catalog-info.yaml"), text).context("cannot write the description")?;
    for page in 0..BOOK {
        let mut text = format!("# Page {page}\n\n");
        for part in 0..20 {
            let _ = write!(
                text,
                "## Part {part}\n\nA paragraph with *marks*, `code` and a [link](page-{}.md).\n\n```rust\nfn main() {{\n    \
                 println!(\"{{}}\", {part}); // prints it\n}}\n```\n\n| a | b |\n|---|---|\n| {page} | {part} |\n\n",
                (page + 1) % BOOK
            );
        }
        let name = if page == 0 {
            "index.md".to_owned()
        } else {
            format!("page-{page}.md")
        };
        std::fs::write(folder.join("docs").join(name), text).context("cannot write a page")?;
    }
    Ok(entities)
}

/// Every kind of page.
pub fn all(manifest: &Manifest) -> Vec<Kind> {
    let kind = |name, paths: Vec<String>| Kind {
        name,
        backstage: None,
        paths,
    };
    let one = |name, path: &str| kind(name, vec![path.to_owned()]);
    let of = |names: &[String], path: &dyn Fn(&str) -> String| -> Vec<String> {
        names.iter().map(|name| path(name)).collect()
    };
    let (components, groups, words) = (
        &manifest.samples.component,
        &manifest.samples.group,
        &manifest.samples.fulltext,
    );
    let component = |tab: &str| of(components, &|name| format!("/catalog/default/component/{name}{tab}"));
    vec![
        one("home", "/home"),
        one("list of components", "/catalog?kind=component"),
        one("list of everything", "/catalog?kind=all"),
        kind(
            "list with a word",
            of(words, &|word| format!("/catalog?kind=all&text={word}")),
        ),
        kind(
            "list with a word misspelled",
            of(words, &|word| {
                format!("/catalog?kind=all&text=x{}", word.get(1..).unwrap_or(word))
            }),
        ),
        kind(
            "list of an owner's",
            of(groups, &|group| {
                format!("/catalog?kind=all&owner=group%3Adefault%2F{group}")
            }),
        ),
        kind(
            "list, pages deep in",
            (0..40)
                .map(|page| format!("/catalog?kind=component&page={}", page * 5 + 1))
                .collect(),
        ),
        kind("component", component("")),
        kind("group", of(groups, &|group| format!("/catalog/default/group/{group}"))),
        one("domain with 40 systems", "/catalog/default/domain/picture"),
        kind("relations", component("/relations")),
        one(
            "relations, 300 entities",
            "/catalog/default/domain/picture/relations?depth=2",
        ),
        kind("source", component("/source")),
        kind("history", component("/history")),
        kind("search", of(words, &|word| format!("/search?q={word}"))),
        kind("palette", of(words, &|word| format!("/search/palette?q={word}"))),
        one("errors", "/catalog/errors?of=all"),
        one("locations", "/catalog/locations"),
        one("list of documentation", "/docs"),
        kind(
            "page of documentation",
            (1..BOOK)
                .map(|page| format!("/docs/default/component/book/page-{page}"))
                .collect(),
        ),
        one("create", "/create"),
        one("tasks", "/create/tasks"),
    ]
}
