//! Where the links and pictures of a page lead: to other pages of the book, to the forge at the commit, to web addresses.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::book::{Book, join, normal, parent};
use super::files::Files;
use super::library::Opened;
use super::markdown::Addresses;
use super::{FILES, encoded, is_picture_name};
use crate::web::local_path;

pub struct Links {
    opened: Opened,
    /// Folder of the page.
    folder: String,
}

impl Links {
    pub fn new(opened: &Opened, file: &str) -> Self {
        Self {
            opened: opened.clone(),
            folder: parent(file).to_owned(),
        }
    }

    fn book(&self) -> &Book {
        &self.opened.book
    }

    fn files(&self) -> &Arc<Files> {
        &self.opened.files
    }

    /// The path in the repository that a target names.
    fn path(&self, target: &str) -> Option<String> {
        let decoded = percent_decode_str(target).decode_utf8().ok()?;
        match decoded.strip_prefix('/') {
            Some(path) => normal("", path),
            None => normal(&self.folder, &decoded),
        }
    }

    /// The page of the portal for a path of the repository.
    fn page(&self, path: &str) -> Option<String> {
        let book = self.book();
        let found = book.page_of(path).or_else(|| book.index_of(path)).or_else(|| {
            // As MkDocs writes addresses: without the file's end.
            let plain = path.strip_suffix(".html").unwrap_or(path);
            book.page_of(&format!("{plain}.md"))
        })?;
        Some(super::page_path(&self.opened.base, &found.path))
    }
}

impl Addresses for Links {
    fn link(&self, target: &str) -> Option<String> {
        let target = target.trim();
        if target.is_empty()
            || target.chars().any(char::is_control)
            || target.contains('\\')
            || target.starts_with("//")
        {
            return None;
        }
        if target.starts_with('#') {
            return Some(target.to_owned());
        }
        if let Some(scheme) = scheme(target) {
            let allowed = ["http", "https", "mailto"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known));
            return allowed.then(|| target.to_owned());
        }
        let end = target.find(['?', '#']).unwrap_or(target.len());
        let (path, behind) = target.split_at(end);
        let fragment = behind.find('#').map_or("", |at| &behind[at..]);
        let found = self.path(path)?;
        if let Some(page) = self.page(&found) {
            return Some(page + fragment);
        }
        let folder = self.files().has_folder(&found) || found.is_empty();
        if path.starts_with('/') && !self.files().has(&found) && !folder {
            // A page of the portal itself, or a page of the book as MkDocs counts from its root.
            let own = join(&self.book().folder, &found);
            let page = self.page(&own).map(|page| page + fragment);
            return page.or_else(|| (local_path(target) == target).then(|| target.to_owned()));
        }
        self.opened.forge_page(&found, folder).map(|page| page + fragment)
    }

    fn picture(&self, target: &str) -> Option<String> {
        let target = target.trim();
        if scheme(target).is_some() || target.starts_with("//") || target.contains('\\') {
            return None;
        }
        let end = target.find(['?', '#']).unwrap_or(target.len());
        let path = self.path(&target[..end])?;
        let there = is_picture_name(&path) && (self.files().has(&path) || self.files().partial);
        let version = self.files().version.get(..12).unwrap_or_default();
        there.then(|| format!("{}/{FILES}/{}?v={version}", self.opened.base, encoded(&path)))
    }
}

/// What stands before the first colon, where that is before the path.
fn scheme(target: &str) -> Option<&str> {
    let (scheme, _) = target.split_once(':')?;
    (!scheme.contains(['/', '?', '#'])).then_some(scheme)
}
