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

/// Ends the transaction that the connection may be in.
pub(super) async fn leave_transaction(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("rollback").await?;
    Ok(())
}
