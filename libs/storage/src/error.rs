//! What can go wrong, and whether trying again can help.

use std::{error::Error, fmt::Write};

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};
use vouch_primitives::RequestId;

/// Any error, as handlers of timers return it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A failure of the database or of one of the things kept in it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database refused a statement, or could not be reached.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// The configuration cannot work.
    #[error("bad database configuration: {0}")]
    Configuration(String),
    /// The directory of the SQLite file could not be made.
    #[error("cannot create the directory of the database file")]
    Directory(#[source] std::io::Error),
    /// SQLite below 3.51.3 can corrupt a WAL file that two connections write and checkpoint.
    #[error("sqlite {found} is too old, 3.51.3 or newer is needed")]
    SqliteTooOld {
        /// The version that is linked.
        found: String,
    },
    /// The same request id came with another request.
    #[error("request id {id} was already used for another request")]
    RequestIdReused {
        /// The id that came twice.
        id: RequestId,
    },
    /// A request was committed without its answer: a mistake in the program.
    #[error("request {id} was committed without an answer")]
    RequestUnanswered {
        /// The id of the request.
        id: RequestId,
    },
    /// The work kept its handle to the transaction, which therefore could not be committed: a mistake in the program.
    #[error("the transaction is still in use after its work has ended")]
    TransactionKept,
}

impl StorageError {
    /// Whether the same work may succeed when it is done again later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        is_transient(self)
    }
}

/// Whether the chain of `error` ends in a state of the database that passes: a lost race, a full pool, a database
/// that is down. Everything else fails again however often it is tried.
#[must_use]
pub fn is_transient(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|link| {
        if let Some(acquire) = link.downcast_ref::<ConnAcquireErr>() {
            return *acquire == ConnAcquireErr::Timeout;
        }
        match link.downcast_ref::<RuntimeErr>() {
            Some(RuntimeErr::SqlxError(cause)) => lost_race(cause) || unreachable(cause),
            _ => false,
        }
    })
}

/// The whole chain in one line, for a log or a column; a cause that its parent already spells out is left out.
#[must_use]
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for link in chain(error) {
        let part = link.to_string();
        if text.is_empty() {
            text = part;
        } else if !text.contains(&part) {
            let _ = write!(text, ": {part}");
        }
    }
    text
}

/// Whether the transaction only lost against another one, so that it should be done again at once.
pub(crate) fn is_lost_race(error: &DbErr) -> bool {
    cause(error).is_some_and(lost_race)
}

/// Whether the connection was found dead, or the server was just stopping.
pub(crate) fn is_broken_connection(error: &DbErr) -> bool {
    match cause(error) {
        Some(SqlxError::Io(_)) => true,
        Some(SqlxError::Database(e)) => e.code().is_some_and(|code| code.starts_with("57P0")),
        _ => false,
    }
}

fn cause(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => Some(e),
        _ => None,
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link| (*link).source())
}

fn lost_race(error: &SqlxError) -> bool {
    let Some(code) = error.as_database_error().and_then(|e| e.code()) else {
        return false;
    };
    match &*code {
        // PostgreSQL: serialization failure, deadlock, lock not available within lock_timeout.
        "40001" | "40P01" | "55P03" => true,
        // SQLite: SQLITE_BUSY (5) and SQLITE_LOCKED (6); the extended codes keep these in their low byte.
        _ => code
            .parse::<u32>()
            .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6)),
    }
}

fn unreachable(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::WorkerCrashed => true,
        // PostgreSQL: class 08 is the connection, 53 the resources, 57P0x a server that stops or starts, 57014 a
        // statement that ran into its time limit, 25P03 a transaction that idled too long.
        SqlxError::Database(e) => e.code().is_some_and(|code| {
            code.len() == 5
                && (code.starts_with("08")
                    || code.starts_with("53")
                    || code.starts_with("57P0")
                    || matches!(&*code, "57014" | "25P03"))
        }),
        _ => false,
    }
}
