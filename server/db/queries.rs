//! SQL about the database itself.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

/// True where the server has a database of this name.
pub(super) async fn exists(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from pg_database where datname = $1) as "found!""#,
        name
    )
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// Makes a database. Dynamic: names cannot be parameters.
pub(super) async fn create(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let statement = format!("create database \"{}\"", name.replace('"', "\"\""));
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Asks for the least there is.
pub(super) async fn ping(db: &sqlx::PgPool) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(db).await?;
    Ok(())
}

/// Whether the user may make tables, and the tables that the user may not read and write.
pub(super) async fn rights(connection: &mut PgConnection) -> Result<(bool, Vec<String>), sqlx::Error> {
    let may_create = sqlx::query_scalar!(r#"select has_schema_privilege(current_schema(), 'create') as "may!""#)
        .fetch_one(&mut *connection)
        .await?;
    let closed = sqlx::query_scalar!(
        r#"select relname::text as "name!" from pg_class
           where relnamespace = current_schema()::regnamespace and relkind = 'r'
             and not (has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
                      and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
           order by relname"#
    )
    .fetch_all(connection)
    .await?;
    Ok((may_create, closed))
}

/// Ends the transaction that the connection may be in.
pub(super) async fn leave_transaction(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("rollback").await?;
    Ok(())
}
