//! What is wrong with files of the catalog, by those who own what the files describe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::read::Problem;
use super::{Catalog, CatalogError, EntityRef, queries};

/// What the number beside "Catalog" is worked out of may be so old.
const FRESH_FOR: TimeDelta = TimeDelta::seconds(3);

/// A problem, where it belongs, and what is known of it.
#[derive(Debug, Clone)]
pub struct Fault {
    pub problem: Problem,
    /// Owner of the entity, else of most of what the location describes; nobody for `None`.
    pub owner: Option<String>,
    pub location: Uuid,
    /// The location has problems since.
    pub since: Option<DateTime<Utc>>,
    /// The entity that keeps its last good version, and when that was read.
    pub kept: Option<(EntityRef, DateTime<Utc>)>,
}

impl Fault {
    /// Is one of these refs the owner?
    pub fn belongs_to(&self, owners: &[String]) -> bool {
        self.owner.as_ref().is_some_and(|owner| owners.contains(owner))
    }
}

/// All faults, as they were a moment ago.
#[derive(Default)]
pub struct Recent(Mutex<Known>);

/// When they were looked for, and what was found.
type Known = Option<(DateTime<Utc>, Arc<[Fault]>)>;

impl Catalog {
    /// Everything that is wrong now, by owner, nobody's last.
    pub async fn faults(&self) -> Result<Arc<[Fault]>, CatalogError> {
        let now = self.clock().now();
        let locations = queries::faults::list_failing(self.reads().readers()).await?;
        let ids: Vec<Uuid> = locations.iter().map(|location| location.id).collect();
        let owners = self.owners_of_locations(ids).await?;
        let problems = || locations.iter().flat_map(|location| &location.problems);
        let refs: Vec<String> = problems().filter_map(|problem| problem.entity.clone()).collect();
        let entities = match refs.is_empty() {
            true => Vec::new(),
            false => queries::faults::list_entities(self.reads().readers(), &refs).await?,
        };
        let entities: HashMap<&str, &queries::faults::Described> = entities
            .iter()
            .map(|entity| (entity.entity_ref.as_str(), entity))
            .collect();
        let mut faults = Vec::new();
        for location in &locations {
            for problem in &location.problems {
                let entity = problem
                    .entity
                    .as_ref()
                    .and_then(|reference| entities.get(reference.as_str()));
                // A name that another location keeps is not this one's entity.
                let own = entity.filter(|entity| entity.location_id == location.id);
                let owner = own.and_then(|entity| entity.owner.clone());
                faults.push(Fault {
                    problem: problem.clone(),
                    owner: owner.or_else(|| owners.get(&location.id).cloned()),
                    location: location.id,
                    since: location.failing_since,
                    kept: own.and_then(|entity| {
                        let reference = EntityRef::parse(&entity.entity_ref, None, None).ok()?;
                        Some((reference, entity.changed_at))
                    }),
                });
            }
        }
        faults.sort_by(|a, b| {
            let key = |fault: &Fault| {
                (
                    fault.owner.is_none(),
                    fault.owner.clone(),
                    fault.problem.source.clone(),
                    fault.problem.line,
                )
            };
            key(a).cmp(&key(b))
        });
        let faults: Arc<[Fault]> = faults.into();
        *self.recent_faults() = Some((now, faults.clone()));
        Ok(faults)
    }

    /// Who owns most of what each location describes, of those that have problems.
    async fn owners_of_locations(&self, failing: Vec<Uuid>) -> Result<Arc<HashMap<Uuid, String>>, CatalogError> {
        let question = format!("owners of {failing:?}");
        let work = async {
            let owners = queries::faults::list_owners(self.db(), &failing).await?;
            Ok(owners.into_iter().collect())
        };
        let bytes = |owners: &HashMap<Uuid, String>| owners.len() * 150;
        self.reads().known(&question, bytes, work).await
    }

    /// How many of them belong to one of these owners; may be a moment old. `None` while the database is away.
    pub async fn count_faults(&self, owners: &[String]) -> Option<u64> {
        let now = self.clock().now();
        let recent = self
            .recent_faults()
            .as_ref()
            .filter(|(at, _)| now - *at < FRESH_FOR)
            .map(|(_, faults)| faults.clone());
        let faults = match recent {
            Some(faults) => faults,
            None => self.faults().await.ok()?,
        };
        u64::try_from(faults.iter().filter(|fault| fault.belongs_to(owners)).count()).ok()
    }

    fn recent_faults(&self) -> MutexGuard<'_, Known> {
        self.0.faults.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
