//! A database of our own in the server that `DATABASE_URL` names.

use std::str::FromStr;

use anyhow::{Context, Result};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use url::Url;

use super::binaries::OLDEST;
use super::cluster::make_database;

/// Somebody's server; only the database that we name is touched in it.
pub struct Foreign {
    url: Url,
    name: String,
}

impl Foreign {
    /// `url` is the value of `DATABASE_URL`, `name` the database of the data folder.
    pub fn new(url: &str, name: &str) -> Result<Foreign> {
        let url =
            Url::parse(url).context("DATABASE_URL is not a URL such as postgres://user:password@host:5432/name")?;
        anyhow::ensure!(
            matches!(url.scheme(), "postgres" | "postgresql"),
            "DATABASE_URL begins with {}://, but only postgres:// is spoken",
            url.scheme()
        );
        Ok(Foreign {
            url,
            name: name.to_owned(),
        })
    }

    /// Makes the database unless it is there. Returns the server's version.
    pub async fn prepare(&self) -> Result<String> {
        let mut connection = self.connect().await?;
        let version: String = sqlx::query_scalar("SHOW server_version")
            .fetch_one(&mut connection)
            .await
            .context("the server of DATABASE_URL does not tell its version")?;
        let major: u32 = version
            .chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap_or(0);
        anyhow::ensure!(
            major >= OLDEST,
            "the server of DATABASE_URL is PostgreSQL {version}; {OLDEST} or newer is needed"
        );
        make_database(&mut connection, &self.name).await?;
        Ok(version)
    }

    /// Drops the database, and no other.
    pub async fn drop_database(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        // A name cannot be bound; ours is made of letters, digits and underscores.
        let drop = format!(
            "DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)",
            self.name.replace('"', "\"\"")
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
            .execute(&mut connection)
            .await
            .with_context(|| format!("cannot drop the database {}", self.name))?;
        Ok(())
    }

    /// The URL of our database.
    pub fn url(&self) -> String {
        let mut url = self.url.clone();
        url.set_path(&self.name);
        url.into()
    }

    async fn connect(&self) -> Result<PgConnection> {
        let options = PgConnectOptions::from_str(self.url.as_str()).context("DATABASE_URL is not understood")?;
        PgConnection::connect_with(&options)
            .await
            .context("cannot connect to the server of DATABASE_URL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_the_database_changes() {
        for (given, expected) in [
            (
                "postgres://a:b%40c@db.example:5433/mine?sslmode=require",
                "postgres://a:b%40c@db.example:5433/ours?sslmode=require",
            ),
            (
                "postgres:///mine?host=/run/postgresql&user=a",
                "postgres:///ours?host=/run/postgresql&user=a",
            ),
            ("postgresql://localhost", "postgresql://localhost/ours"),
        ] {
            assert_eq!(Foreign::new(given, "ours").expect("understood").url(), expected);
        }
        assert!(Foreign::new("mysql://localhost/mine", "ours").is_err());
        assert!(Foreign::new("mine", "ours").is_err());
    }
}
