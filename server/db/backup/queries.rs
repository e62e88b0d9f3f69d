//! SQL of backups. Statements with names of tables are dynamic: names cannot be parameters.

use axum::body::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use sqlx::postgres::{PgConnection, PgCopyIn};
use sqlx::{AssertSqlSafe, Executor};

use super::Table;

/// The transaction sees one state of all tables, and changes none.
pub(super) async fn freeze(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection
        .execute("set transaction isolation level repeatable read, read only")
        .await?;
    Ok(())
}

/// Copying takes as long as it takes.
pub(super) async fn take_time(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection
        .execute("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0")
        .await?;
    Ok(())
}

/// The portal's tables with those columns that are stored, by name. Not the list of migrations.
pub(super) async fn tables(connection: &mut PgConnection) -> sqlx::Result<Vec<Table>> {
    let found = sqlx::query!(
        r#"select c.relname::text as "name!", array_agg(a.attname::text order by a.attnum) as "columns!"
           from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname <> '_sqlx_migrations'
             and a.attgenerated = ''
           group by c.relname order by c.relname"#
    )
    .fetch_all(connection)
    .await?;
    let found = found.into_iter();
    Ok(found
        .map(|row| Table {
            name: row.name,
            columns: row.columns,
        })
        .collect())
}

/// Which table refers to which other.
pub(super) async fn references(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let found = sqlx::query!(
        r#"select f.relname::text as "from!", t.relname::text as "to!"
           from pg_constraint c join pg_class f on f.oid = c.conrelid join pg_class t on t.oid = c.confrelid
           where c.contype = 'f' and f.relnamespace = current_schema()::regnamespace and f.oid <> t.oid"#
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|row| (row.from, row.to)).collect())
}

/// Last values of sequences that were used.
pub(super) async fn sequences(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, i64)>> {
    let found = sqlx::query!(
        r#"select sequencename::text as "name!", last_value as "last!" from pg_sequences
           where schemaname = current_schema() and last_value is not null order by sequencename"#
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|row| (row.name, row.last)).collect())
}

/// Sets a sequence's last value.
pub(super) async fn set_sequence(connection: &mut PgConnection, name: &str, last: i64) -> sqlx::Result<()> {
    sqlx::query_scalar!(
        r#"select setval(format('%I.%I', current_schema(), $1::text)::regclass, $2) as "last!""#,
        name,
        last
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// True where another connection of the portal is open.
pub(super) async fn in_use(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from pg_stat_activity
               where datname = current_database() and application_name = 'portico' and pid <> pg_backend_pid()
           ) as "found!""#
    )
    .fetch_one(connection)
    .await
}

/// True where a table has a row.
pub(super) async fn has_rows(connection: &mut PgConnection, table: &str) -> sqlx::Result<bool> {
    let statement = format!("select from {} limit 1", quoted(table));
    let found = connection.fetch_optional(AssertSqlSafe(statement)).await?;
    Ok(found.is_some())
}

/// Removes all rows of tables; what counts them begins anew.
pub(super) async fn empty(connection: &mut PgConnection, tables: &[Table]) -> sqlx::Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
    let statement = format!("truncate {} restart identity", names.join(", "));
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

/// All rows of a table.
pub(super) async fn copy_out<'c>(
    connection: &'c mut PgConnection,
    table: &Table,
) -> sqlx::Result<BoxStream<'c, sqlx::Result<Bytes>>> {
    let statement = format!("copy {} to stdout", with_columns(table));
    let rows = connection.copy_out_raw(&statement).await?;
    Ok(Box::pin(rows.map_ok(Bytes::from)))
}

/// Takes rows for a table.
pub(super) async fn copy_in<'c>(
    connection: &'c mut PgConnection,
    table: &Table,
) -> sqlx::Result<PgCopyIn<&'c mut PgConnection>> {
    let statement = format!("copy {} from stdin", with_columns(table));
    connection.copy_in_raw(&statement).await
}

fn with_columns(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(column)).collect();
    format!("{} ({})", quoted(&table.name), columns.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
