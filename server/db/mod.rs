//! The connection pool and its migrations; connections and rounds for reading.

mod backup;
mod examine;
mod queries;
mod readers;
mod rounds;

pub use backup::{BackupError, Rows, backup, restore};
pub use examine::{Examined, examine};
pub use readers::{Reader, Readers};
pub use rounds::Rounds;

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgPool};

use crate::config;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections of one process. Streams hold none.
const CONNECTIONS: u32 = 20;
/// How long a request waits for a connection.
const ACQUIRE_TIME: Duration = Duration::from_secs(5);
/// A connection that was not used for longer is tested first: the server may have restarted.
const TRUSTED: Duration = Duration::from_secs(1);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("backend.database.connection is not usable: {0}")]
    Settings(#[source] sqlx::Error),
    #[error("{address} cannot be reached: {reason}")]
    Unreachable { address: String, reason: sqlx::Error },
    #[error(
        "there is no database {name} at {address}, and it cannot be made: {reason}; make it, or let the user make databases"
    )]
    Missing {
        name: String,
        address: String,
        reason: sqlx::Error,
    },
    #[error("the database was changed by another version of the portal: {0}")]
    Migration(#[from] MigrateError),
}

impl DbError {
    /// The same may work in a moment.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => is_away(reason),
            _ => false,
        }
    }
}

/// How to reach the database that the configuration names.
pub fn options(connection: &config::Connection) -> Result<PgConnectOptions, DbError> {
    let mut options = match &connection.url {
        Some(url) => PgConnectOptions::from_str(url.expose()).map_err(DbError::Settings)?,
        None => PgConnectOptions::new_without_pgpass(),
    };
    if let Some(host) = &connection.host {
        options = options.host(host);
    }
    if let Some(port) = connection.port {
        options = options.port(port);
    }
    if let Some(user) = &connection.user {
        options = options.username(user);
    }
    if let Some(password) = &connection.password {
        options = options.password(password.expose());
    }
    if let Some(name) = &connection.database {
        options = options.database(name);
    }
    if options.get_database().is_none() {
        let user = options.get_username().to_owned();
        options = options.database(&user);
    }
    if let Some(ssl) = &connection.ssl {
        options = options.ssl_mode(PgSslMode::VerifyFull);
        if let Some(ca) = &ssl.ca {
            options = options.ssl_root_cert_from_pem(ca.clone().into_bytes());
        }
        if let (Some(cert), Some(key)) = (&ssl.cert, &ssl.key) {
            options = options
                .ssl_client_cert_from_pem(cert)
                .ssl_client_key_from_pem(key.expose());
        }
    }
    Ok(options
        .application_name("portico")
        .options([
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "60s"),
            // Compiling a statement takes longer than any of ours runs.
            ("jit", "off"),
        ])
        .log_slow_statements(log_level(), Duration::from_secs(1)))
}

fn log_level() -> tracing::log::LevelFilter {
    tracing::log::LevelFilter::Warn
}

/// `host:port/database`, for messages.
pub fn address(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(folder) => format!("PostgreSQL in {}, database {name}", folder.display()),
        None => format!(
            "PostgreSQL at {}:{}, database {name}",
            options.get_host(),
            options.get_port()
        ),
    }
}

/// Opens the pool; makes the database where it does not exist and `ensure_exists` is set.
pub async fn connect(options: PgConnectOptions, ensure_exists: bool) -> Result<PgPool, DbError> {
    let unreachable = |reason| DbError::Unreachable {
        address: address(&options),
        reason,
    };
    match options.clone().connect().await {
        Ok(connection) => connection.close().await.map_err(unreachable)?,
        Err(error) if ensure_exists && code(&error).as_deref() == Some(NO_SUCH_DATABASE) => create(&options).await?,
        Err(error) => return Err(unreachable(error)),
    }
    Ok(pool(options))
}

/// SQLSTATE `invalid_catalog_name`.
const NO_SUCH_DATABASE: &str = "3D000";
/// SQLSTATE `duplicate_database`.
const DUPLICATE_DATABASE: &str = "42P04";

async fn create(options: &PgConnectOptions) -> Result<(), DbError> {
    let name = options.get_database().unwrap_or_default().to_owned();
    let made = async {
        let mut connection = options.clone().database("postgres").connect().await?;
        if !queries::exists(&mut connection, &name).await? {
            queries::create(&mut connection, &name).await?;
        }
        connection.close().await
    };
    match made.await {
        Ok(()) => Ok(()),
        // Another process was quicker.
        Err(error) if code(&error).as_deref() == Some(DUPLICATE_DATABASE) => Ok(()),
        Err(reason) => Err(DbError::Missing {
            name,
            address: address(options),
            reason,
        }),
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIME)
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(Duration::from_secs(1800))
        // One that was used a moment ago is there; testing it would double the cost of most requests.
        .test_before_acquire(false)
        .before_acquire(|connection, before| {
            Box::pin(async move { Ok(before.idle_for <= TRUSTED || connection.ping().await.is_ok()) })
        })
        // A future that is dropped while its BEGIN is under way (a browser that goes away is enough) leaves the
        // connection inside a transaction that sqlx 0.9 knows nothing of; whoever got it next would never commit.
        .after_release(|connection, _| {
            Box::pin(async move { queries::leave_transaction(connection).await.map(|()| true) })
        })
        // That there is no transaction to leave is the rule, and no warning.
        .connect_lazy_with(options.options([("client_min_messages", "error")]))
}

/// Brings the database to this version. Processes that start together wait for each other (advisory lock).
pub async fn migrate(db: &PgPool) -> Result<(), DbError> {
    Ok(MIGRATIONS.run(db).await?)
}

/// `Err` says why the database does not answer.
pub async fn check(db: &PgPool) -> Result<(), String> {
    queries::ping(db).await.map_err(|error| error.to_string())
}

/// True where the server's disk is full.
pub fn is_full(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("53100")
}

/// True where the database could not be reached, is stopping or starting, or lacks room: the same may work in a moment.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
        // A connection that is cut in the middle of a message.
        sqlx::Error::Protocol(_) => true,
        // Connection exceptions, insufficient resources (too many connections, a full disk), and a server that shuts
        // down or starts.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || code.starts_with("53") || matches!(code.as_ref(), "57P01" | "57P02" | "57P03")
        }),
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// The named constraint that a statement violated.
pub fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// Turns the violation of a named constraint into an error of the feature.
pub trait OnConstraint<T> {
    /// `answer` where the statement violated the constraint `name`; any other error as it is.
    fn on_constraint<E: From<sqlx::Error>>(self, name: &str, answer: impl FnOnce() -> E) -> Result<T, E>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint<E: From<sqlx::Error>>(self, name: &str, answer: impl FnOnce() -> E) -> Result<T, E> {
        self.map_err(|error| {
            if violated_constraint(&error) == Some(name) {
                answer()
            } else {
                error.into()
            }
        })
    }
}
