//! Which locations led to an entity.

use std::collections::{HashSet, VecDeque};

use super::read::{Previous, Reading, Snapshots, location_ref};
use super::{Catalog, CatalogError, Entity, EntityRef, LocationState, queries};
use crate::auth::Caller;
use crate::language::text;

impl Catalog {
    /// The entity and all Location entities above it, each with the refs of its parents; empty where there
    /// is no such entity.
    pub async fn ancestry(&self, root: &EntityRef) -> Result<Vec<(Entity, Vec<String>)>, CatalogError> {
        let Some(origin) = queries::entities::find_origin(self.reads().readers(), &root.to_string()).await? else {
            return Ok(Vec::new());
        };
        let state = self.location(origin.location_id).await?;
        let siblings = queries::entities::list_previous(self.db(), origin.location_id).await?;
        let locations: Vec<&Previous> = siblings
            .iter()
            .filter(|one| one.entity_ref.kind == "location")
            .collect();
        let top = location_ref(&state.kind, &state.target);
        let snapshots = Snapshots::default();
        let reading = Reading::new(self.sources(), &snapshots, None);
        let parents = |entity: &EntityRef, source: &str| -> Vec<String> {
            if *entity == top {
                return Vec::new();
            }
            let named_by = |location: &&&Previous| match location.entity_ref == top {
                true => location.source == source,
                false => named_by(&reading, location).iter().any(|named| named == source),
            };
            locations
                .iter()
                .filter(named_by)
                .map(|location| location.entity_ref.to_string())
                .collect()
        };
        let mut chain = Vec::new();
        let mut seen = HashSet::new();
        let mut queue = VecDeque::from([(root.clone(), origin.source)]);
        while let Some((entity_ref, source)) = queue.pop_front() {
            if !seen.insert(entity_ref.clone()) {
                continue;
            }
            let parents = parents(&entity_ref, &source);
            for location in &locations {
                if parents.contains(&location.entity_ref.to_string()) {
                    queue.push_back((location.entity_ref.clone(), location.source.clone()));
                }
            }
            if let Some(entity) = self.find(&entity_ref).await? {
                chain.push((entity, parents));
            }
        }
        Ok(chain)
    }

    /// May the caller remove entities of this location?
    pub fn may_delete_entity(&self, caller: &Caller, location: &LocationState) -> bool {
        let registered = |actor: &String| caller.may_act_for(actor);
        caller.is_admin() || location.registered_by.as_ref().is_some_and(registered)
    }

    /// Removes an entity until its location is read the next time, which is at once: what its file still
    /// describes comes back. Only who may delete the location may do it.
    pub async fn delete_entity(&self, caller: &Caller, entity_ref: &EntityRef) -> Result<(), CatalogError> {
        let reference = entity_ref.to_string();
        let origin = queries::entities::find_origin(self.reads().readers(), &reference)
            .await?
            .ok_or_else(|| CatalogError::NotFound(format!("There is no entity {reference}.").into()))?;
        let location = self.location(origin.location_id).await?;
        if !self.may_delete_entity(caller, &location) {
            return Err(CatalogError::Forbidden(text!(
                "Only who registered its location, or an administrator, may remove an entity."
            )));
        }
        let mut write = self.begin_write().await?;
        write.asked_by(&caller.actor());
        write.remove(location.id, Some(&[reference])).await?;
        write.commit().await?;
        queries::locations::set_due(self.db(), location.id, self.clock().now()).await?;
        self.wake().await
    }
}

/// `<type>:<target>` of the files that a Location entity names.
fn named_by(reading: &Reading<'_>, location: &Previous) -> Vec<String> {
    let (kind, file) = location.source.split_once(':').unwrap_or(("url", &location.source));
    let spec = &location.body["spec"];
    let wanted = spec["type"].as_str().unwrap_or(kind);
    let listed = spec["targets"].as_array().into_iter().flatten();
    spec["target"]
        .as_str()
        .into_iter()
        .chain(listed.filter_map(serde_json::Value::as_str))
        .filter_map(|target| reading.resolve(kind, file, wanted, target).ok())
        .map(|target| format!("{wanted}:{target}"))
        .collect()
}
