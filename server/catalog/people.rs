//! People and groups that an identity provider tells of when somebody logs in. Files win: what they describe is
//! never overwritten, and takes the place of what was only told.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::kinds::Kinds;
use super::queries::entities::Known;
use super::read::{Body, End};
use super::write::Draft;
use super::{Catalog, CatalogError, EntityRef, envelope, queries};
use crate::ids::new_id;

/// Kind of the locations that people come from; they are not read.
pub(super) const IDENTITY: &str = "identity";

/// Somebody who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Id of the identity provider.
    pub provider: String,
    pub entity_ref: String,
    pub display_name: String,
    pub email: Option<String>,
    /// As the provider names them.
    pub groups: Vec<String>,
}

impl Catalog {
    /// Makes sure that the person and the groups are in the catalog. Names that no entity can have are left out.
    pub async fn remember_person(&self, person: &Person) -> Result<(), CatalogError> {
        let Ok(reference) = EntityRef::parse(&person.entity_ref, Some("user"), None) else {
            return Ok(());
        };
        let mut groups: Vec<String> = person.groups.iter().map(|group| group.to_lowercase()).collect();
        let kinds = self.kinds();
        groups.retain(|group| group_entity(kinds, group).is_some());
        groups.sort();
        groups.dedup();
        let mut profile = json!({"displayName": person.display_name});
        if let Some(email) = &person.email {
            profile["email"] = json!(email);
        }
        let user = entity(
            kinds,
            "User",
            &reference.name,
            json!({"profile": profile, "memberOf": groups}),
        );
        let entities = user
            .into_iter()
            .chain(groups.iter().filter_map(|group| group_entity(kinds, group)));
        self.write_told(&person.provider, entities.collect()).await
    }

    async fn write_told(&self, provider: &str, entities: Vec<Value>) -> Result<(), CatalogError> {
        let now = self.clock().now();
        let new = (new_id(self.clock()), IDENTITY, provider);
        queries::locations::ensure(self.db(), new, true, None, now).await?;
        let location = queries::locations::find_by_target(self.db(), IDENTITY, provider).await?;
        let location =
            location.ok_or_else(|| CatalogError::NotFound(format!("{provider} was removed just now.").into()))?;
        let told: Vec<Told> = entities
            .into_iter()
            .map(|body| Told::of(self.kinds(), body, provider))
            .collect();
        let refs: Vec<String> = told.iter().map(|told| told.entity_ref.to_string()).collect();
        let news = |known: &HashMap<String, Known>, told: &Told| match known.get(&told.entity_ref.to_string()) {
            Some(other) => other.location_id == location.id && other.digest != told.digest,
            None => true,
        };
        // Nearly every login tells what is known: it need not wait for others who write.
        let mut connection = self.db().acquire().await?;
        let known = queries::entities::list_known(&mut connection, location.id, &refs).await?;
        if !told.iter().any(|told| news(&known, told)) {
            queries::locations::store_told(&mut connection, location.id, now).await?;
            return Ok(());
        }
        drop(connection);
        let mut write = self.begin_write().await?;
        let known = queries::entities::list_known(write.db(), location.id, &refs).await?;
        let drafts = told.into_iter().filter(|told| news(&known, told)).map(|told| {
            let stored = known.get(&told.entity_ref.to_string());
            Draft {
                id: stored.map_or_else(|| new_id(self.clock()), |stored| stored.id),
                is_new: stored.is_none(),
                entity_ref: told.entity_ref,
                body: told.body,
                digest: told.digest,
                source: format!("{IDENTITY}:{provider}"),
                relations: told.relations,
            }
        });
        write.put(location.id, drafts.collect(), now).await?;
        queries::locations::store_told(write.db(), location.id, now).await?;
        write.commit().await?;
        Ok(())
    }
}

/// An entity that a provider tells of.
struct Told {
    entity_ref: EntityRef,
    body: Body,
    digest: String,
    relations: Vec<End>,
}

impl Told {
    fn of(kinds: &Kinds, mut body: Value, provider: &str) -> Self {
        for key in ["managed-by-location", "managed-by-origin-location"] {
            body["metadata"]["annotations"][format!("backstage.io/{key}")] = json!(format!("{IDENTITY}:{provider}"));
        }
        let entity_ref = own_ref(&body);
        let relations = kinds.check(&mut body).unwrap_or_default();
        let body = Body::of(&body);
        Self {
            digest: hex::encode(Sha1::digest(body.text())),
            relations: End::all(&entity_ref, &relations),
            entity_ref,
            body,
        }
    }
}

fn group_entity(kinds: &Kinds, name: &str) -> Option<Value> {
    entity(kinds, "Group", name, json!({"type": "team", "children": []}))
}

/// The entity, where the name is one that entities may have.
fn entity(kinds: &Kinds, kind: &str, name: &str, spec: Value) -> Option<Value> {
    let mut body = json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "annotations": {}},
        "spec": spec,
    });
    (envelope::check(&mut body).is_empty() && kinds.check(&mut body).is_ok()).then_some(body)
}

fn own_ref(body: &Value) -> EntityRef {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    EntityRef::new(text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}
