//! Where the database is, and how each engine is opened.

use std::{fmt, path::Path, str::FromStr, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement,
    sqlx::{
        Connection, PgConnection,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    StorageError,
    error::is_lost_race,
    retry::{RETRIES, pause},
};

/// Where the database is and how many connections may be open.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:<path of the file>` or `postgres://user:password@host:port/database`. The SQLite file and its
    /// directories are made when they are missing.
    pub url: String,
    /// The most connections at a time. On SQLite these are for reading, at least 2; there is always one for writing. On
    /// PostgreSQL at least 5: the relay, the mail sender and whoever gives orders to the payment provider each keep one while
    /// they wait for another server.
    pub max_connections: u32,
}

impl DatabaseConfig {
    /// The URL without its password and parameters, for logs.
    #[must_use]
    pub fn redacted_url(&self) -> String {
        let url = self.url.split('?').next().unwrap_or_default();
        match (url.split_once("://"), url.rfind('@')) {
            (Some((scheme, rest)), Some(at)) => {
                let user = rest.split([':', '@']).next().unwrap_or_default();
                format!("{scheme}://{user}@{}", &url[at + 1..])
            }
            _ => url.to_owned(),
        }
    }

    /// With how many connections the engine can work.
    ///
    /// # Errors
    /// [`StorageError::Configuration`] when the URL names no engine.
    pub fn least_connections(&self) -> Result<u32, StorageError> {
        Ok(if self.backend()? == DbBackend::Sqlite { 2 } else { 5 })
    }

    /// Which engine the URL names.
    ///
    /// # Errors
    /// [`StorageError::Configuration`] when it names neither.
    pub fn backend(&self) -> Result<DbBackend, StorageError> {
        if self.url.starts_with("sqlite:") {
            Ok(DbBackend::Sqlite)
        } else if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            Ok(DbBackend::Postgres)
        } else {
            Err(StorageError::Configuration(
                "the url must start with sqlite: or postgres://".to_owned(),
            ))
        }
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("url", &self.redacted_url())
            .field("max_connections", &self.max_connections)
            .finish()
    }
}

/// What a pool of PostgreSQL connections is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Serving: every statement has a time limit.
    Serving,
    /// Changing tables: one connection holds the lock, one works as long as it takes.
    Migrating,
}

/// Opens the file for one writer and several readers, and returns them in this order.
pub(crate) async fn open_sqlite(
    config: &DatabaseConfig,
) -> Result<(DatabaseConnection, DatabaseConnection), StorageError> {
    if config.url.contains(":memory:") || config.url.contains("mode=memory") {
        return Err(StorageError::Configuration(
            "a database in memory cannot be shared, name a file".to_owned(),
        ));
    }
    let file = SqliteConnectOptions::from_str(&config.url)
        .map_err(|e| StorageError::Configuration(e.to_string()))?
        .get_filename()
        .to_owned();
    if let Some(directory) = file.parent().filter(|d| !d.as_os_str().is_empty()) {
        create_directory(directory)?;
    }
    // The writer comes first: it makes the file and turns the write-ahead log on.
    let writer = connect(sqlite_options(config, 1, false)).await?;
    refuse_old_sqlite(&writer).await?;
    let reader = connect(sqlite_options(config, config.max_connections, true)).await?;
    Ok((writer, reader))
}

/// Opens a pool of PostgreSQL connections.
pub(crate) async fn open_postgres(
    config: &DatabaseConfig,
    purpose: Purpose,
) -> Result<DatabaseConnection, StorageError> {
    let mut options = ConnectOptions::new(&config.url);
    options
        .max_connections(if purpose == Purpose::Migrating { 2 } else { config.max_connections })
        .acquire_timeout(Duration::from_secs(3))
        // A connection in use is not tested; one that has idled may have been cut meanwhile.
        .test_before_acquire_if_idle_for(Duration::from_secs(5))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |options| {
            let (statement, idle) = match purpose {
                Purpose::Serving => ("10s", "15s"),
                Purpose::Migrating => ("0", "0"),
            };
            options.options([
                ("lock_timeout", "2s"),
                ("statement_timeout", statement),
                ("idle_in_transaction_session_timeout", idle),
                ("default_transaction_isolation", "read committed"),
            ])
        });
    match connect(options).await {
        Err(StorageError::Database(error)) => Err(StorageError::Unreachable {
            at: config.redacted_url(),
            source: refusal(&config.url).await.unwrap_or(error),
        }),
        outcome => outcome,
    }
}

/// Why a connection cannot be opened: the pool tries until its time is up and tells no more than that.
async fn refusal(url: &str) -> Option<DbErr> {
    let once = PgConnection::connect(url);
    let error = tokio::time::timeout(Duration::from_secs(2), once).await.ok()?.err()?;
    Some(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
}

#[expect(clippy::disallowed_methods, reason = "this is the door behind Db::connect")]
async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, StorageError> {
    let mut attempt = 0;
    loop {
        match Database::connect(options.clone()).await {
            // Several openers of a new SQLite file meet when they turn its write-ahead log on, where SQLite does not
            // honour the busy time-out.
            Err(error) if attempt < RETRIES && is_lost_race(&error) => {
                attempt += 1;
                pause(attempt).await;
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn sqlite_options(config: &DatabaseConfig, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(&config.url);
    options
        .max_connections(connections)
        // Writers stand in line for the one connection, so that this is how long the line may be.
        .acquire_timeout(Duration::from_secs(10))
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false)
        // After a COMMIT that fails on the disk SQLite has rolled back by itself, and the driver still counts a
        // transaction: all later ones would be savepoints of one that never ends. Such a connection is replaced.
        .map_sqlx_sqlite_before_acquire(|connection, _| {
            let sound = !connection.is_in_transaction();
            Box::pin(async move { Ok(sound) })
        })
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(5));
            if read_only {
                options.pragma("query_only", "on")
            } else {
                // The pages that a large batch touches stay in memory, and are copied from the log into the file much less
                // often than they change: the log grows to 125 MiB for that.
                options
                    .pragma("cache_size", "-65536")
                    .pragma("wal_autocheckpoint", "32000")
            }
        });
    options
}

fn create_directory(directory: &Path) -> Result<(), StorageError> {
    std::fs::create_dir_all(directory).map_err(StorageError::Directory)
}

async fn refuse_old_sqlite(conn: &DatabaseConnection) -> Result<(), StorageError> {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version()");
    let found: String = match conn.query_one_raw(statement).await? {
        Some(row) => row.try_get_by_index(0)?,
        None => String::new(),
    };
    if is_supported_sqlite(&found) {
        Ok(())
    } else {
        Err(StorageError::SqliteTooOld { found })
    }
}

fn is_supported_sqlite(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= (3, 51, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_shows() {
        for (url, shown) in [
            (
                "postgres://vouch:s3cr%40t@db:5432/payments",
                "postgres://vouch@db:5432/payments",
            ),
            (
                "postgres://vouch:p@ss@db/payments?sslmode=require&password=x",
                "postgres://vouch@db/payments",
            ),
            ("postgres://vouch@db/payments", "postgres://vouch@db/payments"),
            ("postgres://db/payments", "postgres://db/payments"),
            ("sqlite:data/payments.db", "sqlite:data/payments.db"),
        ] {
            let config = DatabaseConfig {
                url: url.to_owned(),
                max_connections: 8,
            };
            assert_eq!(config.redacted_url(), shown);
            assert!(format!("{config:?}").contains(shown));
        }
    }

    #[test]
    fn sqlite_below_3_51_3_is_refused() {
        for (version, good) in [
            ("3.51.2", false),
            ("3.50.4", false),
            ("", false),
            ("3.51.3", true),
            ("3.52.0", true),
            ("4.0", true),
        ] {
            assert_eq!(is_supported_sqlite(version), good, "{version}");
        }
    }
}
