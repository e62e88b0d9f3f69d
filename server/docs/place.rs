//! Where the documentation of an entity lies: `backstage.io/techdocs-ref`, or without one what stands beside its
//! description.

use std::path::PathBuf;

use super::book::{join, normal};
use crate::catalog::{Entity, EntityRef, Origin, Sources};
use crate::language::{Text, text};
use crate::scm::{Located, ScmError};

pub const REF: &str = "backstage.io/techdocs-ref";
pub const ENTITY: &str = "backstage.io/techdocs-entity";
pub const ENTITY_PATH: &str = "backstage.io/techdocs-entity-path";
const SOURCE: &str = "backstage.io/source-location";

/// Where to read.
#[derive(Clone)]
pub enum Place {
    /// A folder of a repository.
    Forge(Located),
    /// A folder of the server's disk, and the one in it that the pages are below.
    Disk { root: PathBuf, base: String },
}

/// Why there is none.
#[derive(Debug, Clone)]
pub enum NoPlace {
    /// The entity names nothing that could be read.
    Nothing,
    /// What it names is wrong.
    Wrong(Text),
}

/// Another entity whose documentation is meant: its address.
pub fn elsewhere(entity: &Entity) -> Option<String> {
    let other = EntityRef::parse(entity.annotation(ENTITY)?, None, None).ok()?;
    (other != entity.entity_ref()).then(|| {
        let path = entity.annotation(ENTITY_PATH).unwrap_or_default();
        let path = normal("", path).unwrap_or_default();
        format!("{}/{}", super::book_path(&other), super::encoded(&path))
            .trim_end_matches('/')
            .to_owned()
    })
}

/// Does the entity say that there is documentation? `None` where only looking tells.
pub fn is_told(entity: &Entity) -> Option<bool> {
    if entity.annotation(REF).is_some() || entity.annotation(ENTITY).is_some() {
        return Some(true);
    }
    let kind = entity.kind().to_lowercase();
    let has_source = entity
        .annotation(SOURCE)
        .is_some_and(|source| source.starts_with("url:"));
    match has_source && ["component", "system", "domain", "api", "resource"].contains(&kind.as_str()) {
        true => None,
        false => Some(false),
    }
}

/// The place of an entity that was read from `origin`.
pub fn of(entity: &Entity, origin: &Origin, sources: &dyn Sources) -> Result<Place, NoPlace> {
    let reference = entity.annotation(REF);
    let (kind, target) = match reference {
        None if is_told(entity) == Some(false) => return Err(NoPlace::Nothing),
        None => ("dir", "."),
        Some(reference) => reference.split_once(':').ok_or_else(|| wrong(reference))?,
    };
    let (kind, target) = (kind.trim(), target.trim());
    match kind {
        "url" => forge(sources, target),
        "dir" => {
            // What a file of the server says of itself is not believed, only where it was read from.
            if let Some(file) = origin.source.strip_prefix("file:") {
                return disk(file, origin, target);
            }
            let source = entity.annotation(SOURCE).and_then(|source| source.strip_prefix("url:"));
            let located = match source {
                Some(folder) => forge(sources, folder)?,
                None => return Err(NoPlace::Nothing),
            };
            let Place::Forge(mut located) = located else {
                return Err(NoPlace::Nothing);
            };
            located.source.path = normal(&located.source.path, target).ok_or_else(|| wrong(target))?;
            Ok(Place::Forge(located))
        }
        _ => Err(wrong(reference.unwrap_or_default())),
    }
}

fn wrong(reference: &str) -> NoPlace {
    NoPlace::Wrong(text!(
        "The annotation backstage.io/techdocs-ref says “{reference}”. It must be dir:., dir:./folder or url: with the address of a folder.",
        reference = reference
    ))
}

fn forge(sources: &dyn Sources, url: &str) -> Result<Place, NoPlace> {
    match sources.locate(url) {
        Ok(located) => Ok(Place::Forge(located)),
        Err(error @ (ScmError::UnknownHost { .. } | ScmError::InvalidUrl { .. })) => {
            Err(NoPlace::Wrong(error.to_string().into()))
        }
        Err(_) => Err(NoPlace::Nothing),
    }
}

/// Below the folder of the configured location only.
fn disk(file: &str, origin: &Origin, target: &str) -> Result<Place, NoPlace> {
    let root = origin.location.target.as_str();
    let root = match root.split_once('*') {
        Some((before, _)) => before.rsplit_once('/').map_or("", |(folder, _)| folder),
        None => root.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside = folder.strip_prefix(root).ok_or(NoPlace::Nothing)?;
    if origin.location.kind != "file" || root.is_empty() {
        return Err(NoPlace::Nothing);
    }
    let base = normal(inside.trim_matches('/'), target).ok_or_else(|| wrong(target))?;
    // The pages of one entity are looked for in its own folder, not in all that the location holds.
    Ok(Place::Disk {
        root: PathBuf::from(root).join(join("", &base)),
        base: String::new(),
    })
}
