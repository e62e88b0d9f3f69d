//! People and groups that an identity provider tells of when somebody logs in. Files win: what they describe is
//! never overwritten, and takes the place of what was only told.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::queries::entities::NewEntity;
use super::{Catalog, CatalogError, EntityRef, envelope, facets, kinds, live, queries};
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
        groups.retain(|group| group_entity(group).is_some());
        groups.sort();
        groups.dedup();
        let mut profile = json!({"displayName": person.display_name});
        if let Some(email) = &person.email {
            profile["email"] = json!(email);
        }
        let user = entity("User", &reference.name, json!({"profile": profile, "memberOf": groups}));
        let entities = user
            .into_iter()
            .chain(groups.iter().filter_map(|group| group_entity(group)));
        self.write_told(&person.provider, entities.collect()).await
    }

    async fn write_told(&self, provider: &str, entities: Vec<Value>) -> Result<(), CatalogError> {
        let now = self.clock().now();
        let new = (new_id(self.clock()), IDENTITY, provider);
        queries::locations::ensure(self.db(), new, true, None, now).await?;
        let location = queries::locations::find_by_target(self.db(), IDENTITY, provider).await?;
        let location =
            location.ok_or_else(|| CatalogError::NotFound(format!("{provider} was removed just now.").into()))?;
        let refs: Vec<String> = entities.iter().map(|body| own_ref(body).to_string()).collect();
        let mut transaction = self.db().begin().await?;
        let known = queries::entities::list_known(&mut transaction, location.id, &refs).await?;
        let (mut writes, mut rows) = (Vec::new(), Vec::new());
        for mut body in entities {
            let entity_ref = own_ref(&body);
            let source = format!("{IDENTITY}:{provider}");
            for key in ["managed-by-location", "managed-by-origin-location"] {
                body["metadata"]["annotations"][format!("backstage.io/{key}")] = json!(source);
            }
            let digest = hex::encode(Sha1::digest(body.to_string()));
            let id = match known.get(&entity_ref.to_string()) {
                Some(other) if other.location_id != location.id => continue,
                Some(same) if same.digest == digest => continue,
                Some(same) => same.id,
                None => new_id(self.clock()),
            };
            let relations = kinds::check(&mut body).unwrap_or_default();
            rows.extend(relations.into_iter().map(|relation| {
                (
                    id,
                    relation.source.to_string(),
                    relation.kind,
                    relation.target.to_string(),
                )
            }));
            writes.push(NewEntity {
                id,
                facets: facets::of(&body, &id.to_string()),
                entity_ref,
                body,
                digest,
                source,
            });
        }
        writes.sort_by(|a, b| a.entity_ref.cmp(&b.entity_ref));
        let mut changed = queries::entities::upsert(&mut transaction, location.id, &writes, now).await?;
        let origins: Vec<_> = writes
            .iter()
            .filter(|write| changed.contains(&write.entity_ref.to_string()))
            .map(|write| write.id)
            .collect();
        rows.retain(|row| origins.contains(&row.0));
        queries::entities::replace_relations(&mut transaction, &origins, &rows).await?;
        queries::locations::store_told(&mut transaction, location.id, now).await?;
        changed.extend(rows.into_iter().map(|row| row.1));
        live::announce(&mut transaction, changed).await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn group_entity(name: &str) -> Option<Value> {
    entity("Group", name, json!({"type": "team", "children": []}))
}

/// The entity, where the name is one that entities may have.
fn entity(kind: &str, name: &str, spec: Value) -> Option<Value> {
    let mut body = json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "annotations": {}},
        "spec": spec,
    });
    (envelope::check(&mut body).is_empty() && kinds::check(&mut body).is_ok()).then_some(body)
}

fn own_ref(body: &Value) -> EntityRef {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    EntityRef::new(text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}
