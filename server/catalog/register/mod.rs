//! From an address that somebody pastes to entities of the catalog: what is there, what is wrong with it, and where there is
//! no description file, one to start from.

mod files;
mod pending;
mod proposal;

use std::sync::Arc;

use uuid::Uuid;

use super::read::{self, MAX_TREE_BYTES, Problem, Snapshots};
use super::{Catalog, CatalogError, Entity, EntityRef, queries};
use crate::language::text;
use crate::scm::{Located, Repository, Scm, ScmError, Source, TreeFile};

pub use pending::{Proposed, Refused};
pub use proposal::{Guess, Proposal};

/// Description files of one repository that are looked into, at most.
const MAX_FILES: usize = 100;
/// Of how many of them the entities are shown before they are registered.
pub const MAX_PREVIEWS: usize = 20;

/// What somebody has pasted.
pub enum Examined {
    /// Description files, those after the first [`MAX_PREVIEWS`] by their address only.
    Files {
        previews: Vec<Preview>,
        others: Vec<String>,
    },
    /// A repository, or a folder of one, without any.
    Nothing(Box<Proposal>),
}

/// What registering an address would bring.
#[derive(Debug)]
pub struct Preview {
    pub target: String,
    pub entities: Vec<Found>,
    pub problems: Vec<Problem>,
    /// It is a location already.
    pub registered: Option<Uuid>,
}

impl Preview {
    /// Registering it brings something.
    pub fn is_usable(&self) -> bool {
        self.entities.iter().any(|found| found.holder.is_none())
    }
}

/// An entity of a preview.
#[derive(Debug)]
pub struct Found {
    pub entity: Entity,
    /// The file that has its name already, which keeps it.
    pub holder: Option<String>,
}

/// A repository as it was looked into.
pub struct LookedInto {
    pub forge: Arc<dyn Scm>,
    pub repository: Repository,
    pub reference: String,
    /// The folder that was asked for; empty for the root.
    pub folder: String,
    pub files: Arc<[TreeFile]>,
    /// Nothing has been pushed yet.
    pub empty: bool,
}

impl LookedInto {
    /// Address of a file.
    pub fn address(&self, path: &str) -> String {
        let source = Source {
            repository: self.repository.clone(),
            reference: Some(self.reference.clone()),
            path: path.to_owned(),
        };
        self.forge.web_url(&source, false)
    }

    /// Paths of files called `name`, in any folder, sorted.
    pub fn paths_called(&self, name: &str) -> Vec<String> {
        let below = |path: &str| {
            self.folder.is_empty()
                || path
                    .strip_prefix(&self.folder)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let files = self.files.iter().filter(|file| file.link.is_none());
        let mut paths: Vec<String> = files
            .filter(|file| file.path.rsplit('/').next() == Some(name) && below(&file.path))
            .map(|file| file.path.clone())
            .collect();
        paths.sort();
        paths
    }
}

impl Catalog {
    /// Reads the repository that an address names or lies in.
    pub async fn look_into(&self, target: &str) -> Result<LookedInto, CatalogError> {
        let Located { forge, source } = self.sources().locate(&read::web_target(target)?)?;
        let repository = source.repository;
        let reference = match source.reference {
            Some(reference) => reference,
            None => forge.repository(&repository).await?.default_branch,
        };
        let (files, empty) = match forge.read_tree(&repository, &reference, MAX_TREE_BYTES).await {
            Ok(tree) => (tree.files, false),
            Err(ScmError::NotFound { .. }) if forge.repository(&repository).await?.empty => (Arc::default(), true),
            Err(error) => return Err(error.into()),
        };
        Ok(LookedInto {
            forge,
            repository,
            reference,
            folder: source.path,
            files,
            empty,
        })
    }

    /// Addresses of the files called `name`, in any folder of the repository that `target` names or lies in; with the
    /// repository.
    pub async fn description_files(&self, target: &str, name: &str) -> Result<(LookedInto, Vec<String>), CatalogError> {
        let mut found = self.look_into(target).await?;
        // Backstage's API looks through the whole repository.
        found.folder.clear();
        let paths = found.paths_called(name);
        few_enough(paths.len(), name)?;
        let addresses = paths.iter().map(|path| found.address(path)).collect();
        Ok((found, addresses))
    }

    /// What is at an address: a file, a pattern, or a folder or repository with description files or without.
    /// `owner`: who would own what has none yet.
    pub async fn examine(&self, target: &str, owner: &str) -> Result<Examined, CatalogError> {
        let target = read::web_target(target)?;
        let one = async |target: &str| {
            let previews = vec![self.preview(target).await?];
            Ok(Examined::Files {
                previews,
                others: Vec::new(),
            })
        };
        match self.sources().locate(&target) {
            Ok(located) if names_files(&located.source.path) => return one(&target).await,
            Ok(_) => {}
            Err(ScmError::UnknownHost { .. }) if self.sources().permits(&target) => return one(&target).await,
            Err(error) => return Err(error.into()),
        }
        let found = self.look_into(&target).await?;
        if found.files.iter().any(|file| file.path == found.folder) {
            return one(&target).await;
        }
        let name = &self.config().entity_filename;
        let paths = found.paths_called(name);
        few_enough(paths.len(), name)?;
        if paths.is_empty() {
            let taken = async |reference: &EntityRef| Ok::<_, CatalogError>(self.find(reference).await?.is_some());
            let mut proposal = Proposal::of(&found, name, owner);
            // Another repository of the same name may have it.
            if let Some(own) = proposal.entity_refs().first()
                && taken(own).await?
            {
                proposal.prefix(&found.repository.owner);
            }
            return Ok(Examined::Nothing(Box::new(proposal)));
        }
        let mut previews = Vec::new();
        for path in paths.iter().take(MAX_PREVIEWS) {
            previews.push(self.preview(&found.address(path)).await?);
        }
        let others = paths
            .iter()
            .skip(MAX_PREVIEWS)
            .map(|path| found.address(path))
            .collect();
        Ok(Examined::Files { previews, others })
    }

    /// What registering an address would bring, with what is wrong. Nothing is stored.
    pub async fn preview(&self, target: &str) -> Result<Preview, CatalogError> {
        let target = read::web_target(target)?;
        let snapshots = Snapshots::default();
        self.head_of(&target, &snapshots).await?;
        let existing = self.location_at(&target).await?;
        let outcome = read::read(self.sources(), &snapshots, self.policy(), ("url", &target), &[]).await;
        let own = read::location_ref("url", &target);
        let refs: Vec<String> = outcome
            .entities
            .iter()
            .map(|entity| entity.entity_ref.to_string())
            .collect();
        let registered = existing.map(|location| location.id);
        let mut connection = self.db().acquire().await?;
        let known = queries::entities::list_known(&mut connection, registered.unwrap_or_default(), &refs).await?;
        let mut entities = Vec::new();
        for entity in outcome.entities.iter().filter(|entity| entity.entity_ref != own) {
            let held = known.get(&entity.entity_ref.to_string());
            let held = held.filter(|held| !held.told && Some(held.location_id) != registered);
            entities.push(Found {
                entity: Entity {
                    body: entity.body.value()?,
                },
                holder: held.map(|held| {
                    held.source
                        .split_once(':')
                        .map_or(&*held.source, |(_, target)| target)
                        .to_owned()
                }),
            });
        }
        Ok(Preview {
            target,
            entities,
            problems: outcome.problems,
            registered,
        })
    }

    /// Checks a description file that is not there yet, as if it stood at `target`; files that it brings in are taken for
    /// given. Answers the refs of its entities with the file that has the name already, and what is wrong.
    pub async fn check_text(
        &self,
        target: &str,
        text: &str,
    ) -> Result<(Vec<(String, Option<String>)>, Vec<Problem>), CatalogError> {
        let (refs, mut problems) = read::check_text(self.policy(), target, text);
        if refs.is_empty() && problems.is_empty() {
            problems.push(Problem::of_source(target, "no entity is described".to_owned()));
        }
        let registered = self.location_at(target).await?.map(|location| location.id);
        let mut connection = self.db().acquire().await?;
        let known = queries::entities::list_known(&mut connection, registered.unwrap_or_default(), &refs).await?;
        let holder = |reference: &String| {
            let held = known
                .get(reference)
                .filter(|held| !held.told && Some(held.location_id) != registered)?;
            Some(
                held.source
                    .split_once(':')
                    .map_or(&*held.source, |(_, target)| target)
                    .to_owned(),
            )
        };
        Ok((
            refs.iter()
                .map(|reference| (reference.clone(), holder(reference)))
                .collect(),
            problems,
        ))
    }
}

/// Does a path name a file, or several by a pattern, rather than a folder?
fn names_files(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
    path.contains('*') || [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
}

fn few_enough(files: usize, name: &str) -> Result<(), CatalogError> {
    match files <= MAX_FILES {
        true => Ok(()),
        false => Err(CatalogError::Invalid(text!(
            "The repository has {count} files called {name}; more than {limit} are not looked into. Register them one by one or by a pattern, such as …/**/{name}.",
            count = files,
            name = name,
            limit = MAX_FILES
        ))),
    }
}
