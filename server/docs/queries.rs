//! What the search knows of documentation.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// A page as it is searched.
pub struct Page {
    pub path: String,
    pub title: String,
    pub text: String,
}

/// A page that was found.
pub struct Found {
    pub entity_ref: String,
    pub path: String,
    pub title: String,
    /// The words around what was looked for.
    pub around: String,
    /// How many were found in all, up to [`MOST_FOUND`].
    pub total: i64,
}

/// Pages that are put in order; of more, some are left out.
pub const MOST_FOUND: i64 = 1_000;

/// These books are to be looked at at `at`, those that are not known yet and those that are.
pub async fn want(db: &PgPool, refs: &[String], at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into docs_book (entity_ref, repository, version, next_look_at)
        select entity_ref, '', '', $2 from unnest($1::text[]) as wanted (entity_ref)
        on conflict (entity_ref) do update set next_look_at = least(docs_book.next_look_at, excluded.next_look_at)",
        refs,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is known of these books is looked at anew at `at`.
pub async fn look_again(db: &PgPool, refs: &[String], at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update docs_book set next_look_at = $2 where entity_ref = any($1) and next_look_at > $2",
        refs,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All books (of a repository, `<forge>/<owner>/<name>`) are looked at anew at `at`.
pub async fn look_again_in(db: &PgPool, repository: Option<&str>, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update docs_book set next_look_at = $2 where repository = coalesce($1, repository) and next_look_at > $2",
        repository,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a book that is to be looked at, which nobody else takes until `again`: its entity and its version.
pub async fn take_due(
    db: &PgPool,
    now: DateTime<Utc>,
    again: DateTime<Utc>,
) -> Result<Option<(String, String)>, sqlx::Error> {
    let row = sqlx::query!(
        "update docs_book set next_look_at = $2 where entity_ref = (
            select entity_ref from docs_book where next_look_at <= $1 order by next_look_at limit 1 for update skip locked
        ) returning entity_ref, version",
        now,
        again,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (row.entity_ref, row.version)))
}

/// When the next book is to be looked at.
pub async fn next_due(db: &PgPool) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select min(next_look_at) from docs_book")
        .fetch_one(db)
        .await
}

/// Nothing is known of this book any more.
pub async fn forget(db: &PgPool, entity_ref: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from docs_book where entity_ref = $1", entity_ref)
        .execute(db)
        .await?;
    Ok(())
}

/// Puts these pages in place of those that were known. `words` are the words of title and text of each page, as
/// [`super::index::words`] splits them.
pub async fn store(
    db: &PgPool,
    entity_ref: &str,
    repository: &str,
    version: &str,
    pages: &[Page],
    words: &[(String, String)],
) -> Result<(), sqlx::Error> {
    let texts = |of: fn(&Page) -> &String| -> Vec<String> { pages.iter().map(|page| of(page).clone()).collect() };
    let (titles, bodies): (Vec<String>, Vec<String>) = words.iter().cloned().unzip();
    let mut transaction = db.begin().await?;
    let known = sqlx::query!(
        "update docs_book set repository = $2, version = $3 where entity_ref = $1",
        entity_ref,
        repository,
        version,
    )
    .execute(&mut *transaction)
    .await?;
    // The entity went meanwhile.
    if known.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!("delete from docs_page where entity_ref = $1", entity_ref)
        .execute(&mut *transaction)
        .await?;
    sqlx::query!(
        "insert into docs_page (entity_ref, path, title, text, words)
        select $1, path, title, text, setweight(to_tsvector('simple', title_words), 'A') || to_tsvector('simple', text_words)
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
            as page (path, title, text, title_words, text_words)
        on conflict (entity_ref, path) do nothing",
        entity_ref,
        &texts(|page| &page.path),
        &texts(|page| &page.title),
        &texts(|page| &page.text),
        &titles,
        &bodies,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Pages in which all words of a query of PostgreSQL's text search stand, the best first.
pub async fn find(db: &PgPool, query: &str, limit: i64) -> Result<Vec<Found>, sqlx::Error> {
    sqlx::query_as!(
        Found,
        r#"with found as materialized (
            select entity_ref, path, words from docs_page where words @@ to_tsquery('simple', $1) limit $3
        ), best as (
            select entity_ref, path, ts_rank(words, to_tsquery('simple', $1)) as rank, count(*) over () as total from found
            order by rank desc, entity_ref, path limit $2
        )
        select p.entity_ref, p.path, p.title, best.total as "total!",
            ts_headline('simple', p.text, to_tsquery('simple', $1),
                'StartSel="", StopSel="", MaxWords=20, MinWords=10, ShortWord=0') as "around!"
        from best join docs_page p using (entity_ref, path) order by rank desc, p.entity_ref, p.path"#,
        query,
        limit,
        MOST_FOUND,
    )
    .fetch_all(db)
    .await
}
