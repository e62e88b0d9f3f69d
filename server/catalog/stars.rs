//! What people have starred, to find it again. A star belongs to one person and to a ref: it is kept while the entity is
//! away, and shown again when it is back.

use super::{Catalog, CatalogError, EntityRef, queries};
use crate::language::text;

/// Stars of one person; who needs more needs a filter.
const LIMIT: i64 = 500;

impl Catalog {
    /// Refs that the user has starred, the latest first; also those whose entities are away.
    pub async fn starred(&self, user_ref: &str) -> Result<Vec<String>, CatalogError> {
        Ok(queries::stars::list(self.reads().readers(), user_ref).await?)
    }

    /// Stars an entity, or takes the star back. Again, it changes nothing.
    ///
    /// # Errors
    /// `NotFound` where there is no such entity to star, `Conflict` where the user has too many stars.
    pub async fn set_star(&self, user_ref: &str, entity_ref: &EntityRef, on: bool) -> Result<(), CatalogError> {
        let reference = entity_ref.to_string();
        if !on {
            return Ok(queries::stars::delete(self.db(), user_ref, &reference).await?);
        }
        if self.find(entity_ref).await?.is_none() {
            return Err(CatalogError::NotFound(text!(
                "There is no entity {entity}.",
                entity = reference
            )));
        }
        match queries::stars::insert(self.db(), user_ref, &reference, self.clock().now(), LIMIT).await? {
            true => Ok(()),
            false => Err(CatalogError::Conflict(text!(
                "Only {limit} things can be starred. Take a star back first.",
                limit = LIMIT
            ))),
        }
    }
}
