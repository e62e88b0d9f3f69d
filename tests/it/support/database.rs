//! A database of its own for each test, in the server that `DATABASE_URL` names.

use sqlx::{Connection, Executor, PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

/// Made empty; dropped at the end.
pub struct Database {
    server: Url,
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        let server =
            std::env::var("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL server; tests/run starts one");
        let server: Url = server.parse().expect("DATABASE_URL is a URL");
        let name = format!("portico_test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(server.as_str())
            .await
            .expect("PostgreSQL answers");
        connection
            .execute(sqlx::AssertSqlSafe(format!("create database {name}")))
            .await
            .expect("the account may create databases");
        Self { server, name }
    }

    /// Its name in the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.to_string()
    }

    /// A pool for looking into it beside the portal.
    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url()).await.expect("the test's database answers")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.to_string(), self.name.clone());
        // The test's runtime may be ending: a thread with its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await.ok()?;
                let statement = format!("drop database if exists {name} with (force)");
                connection.execute(sqlx::AssertSqlSafe(statement)).await.ok()
            })
        });
        let _ = dropped.join();
    }
}
