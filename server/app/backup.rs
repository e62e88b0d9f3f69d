//! `portico backup` and `portico restore`.

use std::path::Path;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::{self, BackupError, Rows};

/// Writes all rows of the configured database to a file.
///
/// # Errors
/// As those of [`db::backup`].
pub async fn backup(config: &Config, path: &Path, clock: &Clock) -> Result<Rows, BackupError> {
    let options = db::options(&config.backend.database.connection)?;
    db::backup(&options, path, clock).await
}

/// Restores a file into the configured database; `replace` says that rows that are there may go.
///
/// # Errors
/// As those of [`db::restore`].
pub async fn restore(config: &Config, path: &Path, replace: bool) -> Result<Rows, BackupError> {
    let settings = &config.backend.database;
    let options = db::options(&settings.connection)?;
    db::restore(&options, settings.ensure_exists, path, replace).await
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;
    use sqlx::{AssertSqlSafe, Executor, PgPool, Row};

    use super::*;
    use crate::catalog::EntityRef;
    use crate::catalog::tests::catalog;
    use crate::catalog::tests::forge::MemoryForge;

    const LOCATION: &str = "https://forge.test/a/b/src/branch/main/catalog-info.yaml";

    /// Every row of every table, as text.
    async fn contents(pool: &PgPool) -> Vec<String> {
        let mut all = Vec::new();
        let tables = "select tablename::text from pg_tables where schemaname = current_schema() order by 1";
        for table in pool.fetch_all(tables).await.unwrap() {
            let table: String = table.get(0);
            // When a migration ran is not the same.
            let columns = if table == "_sqlx_migrations" {
                "version"
            } else {
                "t::text"
            };
            let rows = format!("select ({columns})::text from \"{table}\" t order by 1");
            let rows = pool.fetch_all(AssertSqlSafe(rows)).await.unwrap();
            all.extend(rows.iter().map(|row| format!("{table}: {}", row.get::<String, _>(0))));
        }
        let sequences =
            "select sequencename || ' ' || last_value from pg_sequences where last_value is not null order by 1";
        let sequences = pool.fetch_all(sequences).await.unwrap();
        all.extend(sequences.iter().map(|row| row.get::<String, _>(0)));
        all
    }

    #[sqlx::test]
    async fn what_is_backed_up_is_restored(pool: PgPool) {
        let forge = MemoryForge::default();
        // What needs care on the way: line breaks, tabs, backslashes, letters of others.
        let text = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: demo\n  description: \"a\\tb \\\\N \
                    \\u00fc\\nc\"\nspec: {type: service, lifecycle: production, owner: guests, dependsOn: ['component:other']}\n";
        forge.write("a/b", "catalog-info.yaml", text);
        let here = catalog(&pool, &forge);
        here.register("a", LOCATION).await.unwrap();
        // Its history has rows that are counted.
        here.unregister(LOCATION).await.unwrap();
        here.register("a", LOCATION).await.unwrap();
        crate::keys::Keys::load(&pool, &Clock::system(), &[]).await.unwrap();

        let options = (*pool.connect_options()).clone();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portal.backup");
        let written = db::backup(&options, &path, &Clock::system()).await.unwrap();
        assert!(written.values().filter(|count| **count > 0).count() > 4, "{written:?}");
        let before = contents(&pool).await;
        assert!(
            before.iter().any(|line| line.starts_with("catalog_history_id_seq ")),
            "{before:?}"
        );

        let error = db::restore(&options, false, &path, false).await.unwrap_err();
        assert!(matches!(error, BackupError::NotEmpty { .. }), "{error}");
        assert_eq!(contents(&pool).await, before);

        // Into a database that is not there yet.
        let name = format!("portico_restored_{}", uuid::Uuid::new_v4().simple());
        let other = options.clone().database(&name);
        let restored = db::restore(&other, true, &path, false).await.unwrap();
        assert_eq!(restored, written);
        let target = PgPoolOptions::new().connect_with(other.clone()).await.unwrap();
        assert_eq!(contents(&target).await, before);
        db::migrate(&target).await.unwrap();
        // Reading answers the same, and writing goes on.
        let there = catalog(&target, &forge);
        let demo = EntityRef::new("component", "default", "demo");
        let found = there.find(&demo).await.unwrap().unwrap();
        assert_eq!(found, here.find(&demo).await.unwrap().unwrap());
        assert_eq!(found.description(), Some("a\tb \\N ü\nc"));
        there.unregister(LOCATION).await.unwrap();
        there.register("a", LOCATION).await.unwrap();

        // Over what is there only when asked, and a file that is cut changes nothing.
        db::restore(&other, false, &path, true).await.unwrap();
        assert_eq!(contents(&target).await, before);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
        let error = db::restore(&other, false, &path, true).await.unwrap_err();
        assert!(matches!(error, BackupError::Broken { .. }), "{error}");
        assert_eq!(contents(&target).await, before);
        target.close().await;
        let drop = format!("drop database {name} with (force)");
        pool.execute(AssertSqlSafe(drop)).await.unwrap();
    }
}
