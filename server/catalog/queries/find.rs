//! What the search knows of entities, and what it shows of those that it finds.

use futures::TryStreamExt;
use sqlx::{PgConnection, PgExecutor};

/// What is searched in.
pub struct Searched {
    pub entity_ref: String,
    /// Lower case.
    pub kind: String,
    /// Lower case, as are the others.
    pub name: String,
    pub title: String,
    /// Name, title, description, owner and tags.
    pub search: String,
}

/// Gives every entity to `each`, by title.
pub async fn for_each_searched(db: &mut PgConnection, mut each: impl FnMut(Searched)) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query_as!(
        Searched,
        r#"select entity_ref, kind, name, title, search from catalog_entity order by title collate "C", entity_ref"#
    )
    .fetch(db);
    while let Some(row) = rows.try_next().await? {
        each(row);
    }
    Ok(())
}

/// Documents up to their etag (see `document`), by ref.
pub async fn list_heads(db: impl PgExecutor<'_>, refs: &[String]) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select entity_ref, head from catalog_entity where entity_ref = any($1)",
        refs
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.entity_ref, row.head)).collect())
}
