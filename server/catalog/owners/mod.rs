//! Owners that entities name and the catalog does not have, and who could be meant.

mod codeowners;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::filter::Filter;
use super::history::ReadAt;
use super::queries::owners::Missing;
use super::remembered::Remembered;
use super::{Catalog, CatalogError, Entity, EntityRef, Matching, queries};
use crate::clock::Clock;
use crate::language::{Text, text};
use crate::scm::{Commit, MOST_COMMITS, Repository, Scm, ScmError, Source};
use codeowners::{Grammar, Named, owners_of};

/// The page of an entity does not wait longer for a forge.
const PATIENCE: Duration = Duration::from_millis(300);
/// A longer file is not looked through.
const LARGEST_FILE: u64 = 256 * 1024;
/// Suggestions for one entity.
const MOST: usize = 6;
/// Names that are nearly the missing one.
const MOST_NAMES: usize = 3;
/// Names are similar from here on (Jaro-Winkler): one mistake in five letters, or a word more.
const SIMILAR: f64 = 0.88;

/// An owner that entities name and the catalog does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingOwner {
    pub owner: EntityRef,
    /// How many entities name it.
    pub entities: i64,
    /// Groups and people whose names are nearly the same, the nearest first.
    pub similar: Vec<EntityRef>,
}

/// Somebody who could be meant, and what speaks for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub who: Who,
    pub reasons: Vec<Text>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Known(EntityRef),
    /// As the forge names them; the catalog does not know who that is.
    Unknown(String),
}

/// Who could own an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions {
    /// The likeliest first.
    pub found: Vec<Suggestion>,
    /// The forge has told what it knows of the entity's file, or there is none to ask.
    pub complete: bool,
}

/// What forges said of files, by repository, path and commit. Cheap to clone.
#[derive(Clone)]
pub struct Work {
    named: Remembered<(Repository, String, String), Vec<Named>>,
    commits: Remembered<(Repository, String, String), Vec<Commit>>,
}

impl Work {
    pub fn new(clock: &Clock) -> Self {
        Self {
            named: Remembered::new(clock.clone()),
            commits: Remembered::new(clock.clone()),
        }
    }
}

impl Catalog {
    /// Owners that are named and not there, those of most entities first, up to `limit`, and how many there are.
    pub async fn missing_owners(&self, limit: i64) -> Result<Arc<(Vec<MissingOwner>, i64)>, CatalogError> {
        let question = format!("owners {limit}");
        let bytes = |(missing, _): &(Vec<MissingOwner>, i64)| missing.len() * 500;
        self.reads().known(&question, bytes, self.look_for_owners(limit)).await
    }

    async fn look_for_owners(&self, limit: i64) -> Result<(Vec<MissingOwner>, i64), CatalogError> {
        let (missing, total) = queries::owners::list_missing(self.db(), limit).await?;
        if missing.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let there = self.possible_owners().await?;
        let compared = tokio::task::spawn_blocking(move || {
            let of = |missing: Missing| {
                let owner = EntityRef::parse(&missing.owner, None, None).ok()?;
                Some(MissingOwner {
                    similar: similar(&owner, &there),
                    entities: missing.entities,
                    owner,
                })
            };
            missing.into_iter().filter_map(of).collect()
        });
        let compared = compared.await.map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok((compared, total))
    }

    /// Who could be meant by an owner of the entity that is not there.
    pub async fn suggest_owners(&self, entity: &Entity, owner: &EntityRef) -> Result<Suggestions, CatalogError> {
        let there = self.possible_owners().await?;
        let names = similar(owner, &there);
        let read = self.read_at(&entity.entity_ref()).await?;
        let (named, commits) = match &read {
            Some(read) => tokio::join!(self.named_for(read), self.commits_of(read)),
            None => (Some(Arc::default()), Some(Arc::default())),
        };
        let complete = named.is_some() && commits.is_some();
        let (named, commits) = (named.unwrap_or_default(), commits.unwrap_or_default());
        let people = People::find(self, &named, &commits).await?;
        let mut likely = Likely::default();
        for named in named.iter() {
            likely.add(
                people.named(&named.name, &there),
                text!("CODEOWNERS names it for this file, line {line}", line = named.line),
            );
        }
        for name in names {
            likely.add(Who::Known(name), text!("The name is nearly the same"));
        }
        likely.add_commits(&people, &commits);
        likely.0.truncate(MOST);
        Ok(Suggestions {
            found: likely.0,
            complete,
        })
    }

    /// All groups and people.
    async fn possible_owners(&self) -> Result<Arc<Vec<EntityRef>>, CatalogError> {
        let work = async { Ok::<_, CatalogError>(queries::owners::list_possible(self.db()).await?) };
        let bytes = |there: &Vec<EntityRef>| there.len() * 150;
        self.reads().known("possible owners", bytes, work).await
    }

    /// The entity's file at the commit at which it was read; `None` for what lies in no repository.
    async fn read_at(&self, entity_ref: &EntityRef) -> Result<Option<ReadAt>, CatalogError> {
        let Some(origin) = queries::entities::find_origin(self.reads().readers(), &entity_ref.to_string()).await?
        else {
            return Ok(None);
        };
        let repositories = queries::locations::list_repositories(self.db(), origin.location_id).await?;
        Ok(self.provenance(repositories, Vec::new()).of(&origin.source))
    }

    /// Whom CODEOWNERS of the repository names for the file. `None`: the forge does not tell now.
    async fn named_for(&self, read: &ReadAt) -> Option<Arc<Vec<Named>>> {
        let forge = self.sources().forge_of(&read.repository).ok()?;
        let key = (read.repository.clone(), read.path.clone(), read.commit.clone());
        let asking = ask_owners(forge, read.clone());
        self.0.work.named.get(key, PATIENCE, asking).await
    }

    /// The last commits to the folder of the file. `None`: the forge does not tell now.
    async fn commits_of(&self, read: &ReadAt) -> Option<Arc<Vec<Commit>>> {
        let forge = self.sources().forge_of(&read.repository).ok()?;
        let folder = read.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let key = (read.repository.clone(), folder.to_owned(), read.commit.clone());
        let source = Source {
            repository: read.repository.clone(),
            reference: Some(read.commit.clone()),
            path: folder.to_owned(),
        };
        let asking = async move { forge.list_commits(&source, MOST_COMMITS).await };
        self.0.work.commits.get(key, PATIENCE, asking).await
    }
}

async fn ask_owners(forge: Arc<dyn Scm>, read: ReadAt) -> Result<Vec<Named>, ScmError> {
    let grammar = match forge.github() {
        Some(_) => Grammar::Patterns,
        None => Grammar::Expressions,
    };
    for path in grammar.paths() {
        let source = Source {
            repository: read.repository.clone(),
            reference: Some(read.commit.clone()),
            path: (*path).to_owned(),
        };
        match forge.read_file(&source, LARGEST_FILE).await {
            Ok(file) => return Ok(owners_of(&String::from_utf8_lossy(&file), grammar, &read.path)),
            Err(ScmError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Vec::new())
}

/// Groups and people with nearly the name of a missing owner, the nearest first.
fn similar(owner: &EntityRef, there: &[EntityRef]) -> Vec<EntityRef> {
    let mut near: Vec<(f64, &EntityRef)> = there
        .iter()
        .filter_map(|other| {
            // People are not meant by a group's name, unless they have just that.
            let near = match other.name == owner.name {
                true => 1.0,
                false if other.kind == owner.kind => strsim::jaro_winkler(&other.name, &owner.name),
                false => 0.0,
            };
            (near >= SIMILAR).then_some((near, other))
        })
        .collect();
    near.sort_by(|(a, first), (b, second)| b.total_cmp(a).then_with(|| first.cmp(second)));
    near.into_iter()
        .take(MOST_NAMES)
        .map(|(_, other)| other.clone())
        .collect()
}

/// People of the catalog by what forges call them.
struct People(Option<Arc<Matching>>);

impl People {
    async fn find(catalog: &Catalog, named: &[Named], commits: &[Commit]) -> Result<Self, CatalogError> {
        let mut mails: Vec<String> = commits.iter().map(|commit| commit.email.to_lowercase()).collect();
        let mut accounts: Vec<String> = commits
            .iter()
            .filter_map(|commit| commit.account.as_ref())
            .map(|account| account.to_lowercase())
            .collect();
        for named in named {
            match named.name.strip_prefix('@') {
                Some(account) if !account.contains('/') => accounts.push(account.to_lowercase()),
                Some(_) => {}
                None => mails.push(named.name.to_lowercase()),
            }
        }
        for list in [&mut mails, &mut accounts] {
            list.retain(|name| !name.is_empty());
            list.sort();
            list.dedup();
        }
        if mails.is_empty() && accounts.is_empty() {
            return Ok(Self(None));
        }
        let limit = i64::try_from(mails.len() + 2 * accounts.len()).unwrap_or(i64::MAX);
        let filter = Filter::All(vec![
            Filter::key_value("kind", "user"),
            Filter::Any(vec![
                Filter::In("spec.profile.email".to_owned(), mails),
                Filter::In("metadata.name".to_owned(), accounts.clone()),
                Filter::In("metadata.annotations.github.com/user-login".to_owned(), accounts),
            ]),
        ]);
        Ok(Self(Some(catalog.list_matching(filter, limit).await?)))
    }

    fn all(&self) -> impl Iterator<Item = &Entity> {
        self.0.iter().flat_map(|found| &found.entities)
    }

    fn by_account(&self, account: &str) -> Option<&Entity> {
        let is = |name: Option<&str>| name.is_some_and(|name| name.eq_ignore_ascii_case(account));
        self.all()
            .find(|person| is(person.annotation("github.com/user-login")))
            .or_else(|| self.all().find(|person| is(Some(person.name()))))
    }

    fn by_mail(&self, mail: &str) -> Option<&Entity> {
        let mail_of = |person: &Entity| {
            let mail = person.body.pointer("/spec/profile/email")?.as_str()?;
            Some(mail.to_lowercase())
        };
        let mail = mail.to_lowercase();
        self.all()
            .find(|person| mail_of(person).as_deref() == Some(mail.as_str()))
    }

    fn author(&self, commit: &Commit) -> Option<&Entity> {
        let account = commit.account.as_deref();
        account
            .and_then(|account| self.by_account(account))
            .or_else(|| self.by_mail(&commit.email))
    }

    /// Who is meant by `@account`, `@organisation/team` or an address.
    fn named(&self, name: &str, there: &[EntityRef]) -> Who {
        let known = match name.strip_prefix('@') {
            Some(account) => match account.rsplit_once('/') {
                Some((_, team)) => there
                    .iter()
                    .find(|other| other.kind == "group" && other.name.eq_ignore_ascii_case(team))
                    .cloned(),
                None => self.by_account(account).map(Entity::entity_ref),
            },
            None => self.by_mail(name).map(Entity::entity_ref),
        };
        known.map_or_else(|| Who::Unknown(name.to_owned()), Who::Known)
    }
}

/// Who could be meant, each once.
#[derive(Default)]
struct Likely(Vec<Suggestion>);

impl Likely {
    fn add(&mut self, who: Who, reason: Text) {
        match self.0.iter_mut().find(|known| known.who == who) {
            Some(known) if known.reasons.contains(&reason) => {}
            Some(known) => known.reasons.push(reason),
            None => self.0.push(Suggestion {
                who,
                reasons: vec![reason],
            }),
        }
    }

    /// The group that most of the last commits come from, then their authors.
    fn add_commits(&mut self, people: &People, commits: &[Commit]) {
        let (mut groups, mut authors) = (BTreeMap::new(), BTreeMap::new());
        for commit in commits {
            match people.author(commit) {
                Some(person) => {
                    *authors.entry(AuthorKey::Known(person.entity_ref())).or_insert(0) += 1;
                    for group in person.relations("memberOf") {
                        if let Ok(group) = EntityRef::parse(group, Some("group"), None) {
                            *groups.entry(group).or_insert(0_usize) += 1;
                        }
                    }
                }
                None => {
                    *authors
                        .entry(AuthorKey::Unknown(commit.author.clone()))
                        .or_insert(0_usize) += 1;
                }
            }
        }
        for (group, count) in most(groups) {
            let reason = text!(
                "Recent commits by its members: {count} of {all}",
                count = count,
                all = commits.len()
            );
            self.add(Who::Known(group), reason);
        }
        for (author, count) in most(authors) {
            let who = match author {
                AuthorKey::Known(person) => Who::Known(person),
                AuthorKey::Unknown(name) => Who::Unknown(name),
            };
            let reason = text!("Recent commits: {count} of {all}", count = count, all = commits.len());
            self.add(who, reason);
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum AuthorKey {
    Known(EntityRef),
    Unknown(String),
}

/// The three with the highest counts.
fn most<K: Ord>(counts: BTreeMap<K, usize>) -> impl Iterator<Item = (K, usize)> {
    let mut counts: Vec<(K, usize)> = counts.into_iter().collect();
    // Stable: equal ones stay in their own order.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().take(3)
}
