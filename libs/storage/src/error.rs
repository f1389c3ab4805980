//! What can go wrong, and whether trying again can help.

use std::{any::Any, borrow::Cow, error::Error, fmt::Write};

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
    /// No connection could be opened.
    #[error("cannot open the database {at}")]
    Unreachable {
        /// Where it should be, without its password.
        at: String,
        /// What stands in the way.
        source: DbErr,
    },
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

/// Whether the chain of `error` ends in a state of the database that passes: a lost race, a full pool or disk, a
/// database that is down or read-only. What is left fails again however often it is tried: the statement, or the data,
/// is at fault.
#[must_use]
pub fn is_transient(error: &(dyn Error + 'static)) -> bool {
    failures(error).any(|failure| !is_at_fault(failure)) || chain(error).any(|link| link.is::<ConnAcquireErr>())
}

/// Whether the chain of `error` ends in rows that somebody else has or in a statement that took too long: what has to
/// do with these rows has to wait, other work need not.
#[must_use]
pub fn is_contended(error: &(dyn Error + 'static)) -> bool {
    failures(error).any(|failure| lost_race(failure) || code_of(failure).as_deref() == Some("57014"))
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

/// What a panic said, for a log or a column.
#[must_use]
pub fn describe_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
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

/// What the driver says, wherever in the chain it says so.
fn failures<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a SqlxError> {
    chain(error).filter_map(|link| match link.downcast_ref::<RuntimeErr>() {
        Some(RuntimeErr::SqlxError(failure)) => Some(&**failure),
        _ => None,
    })
}

fn code_of(error: &SqlxError) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(|error| error.code())
}

fn lost_race(error: &SqlxError) -> bool {
    let Some(code) = code_of(error) else {
        return false;
    };
    match &*code {
        // PostgreSQL: serialization failure, deadlock, lock not available within lock_timeout.
        "40001" | "40P01" | "55P03" => true,
        // SQLITE_BUSY and SQLITE_LOCKED.
        code => matches!(sqlite_code(code), Some(5 | 6)),
    }
}

/// Whether the statement or its data is at fault, and not the state that the database is in.
fn is_at_fault(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(_) => code_of(error).is_some_and(|code| match sqlite_code(&code) {
            // SQLITE_ERROR, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, RANGE.
            Some(primary) => matches!(primary, 1 | 18..=21 | 25),
            // PostgreSQL: class 22 is the data, 23 a constraint, 42 the statement, 0A what the server cannot do.
            None => ["22", "23", "42", "0A"].iter().any(|class| code.starts_with(class)),
        }),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => false,
        _ => true,
    }
}

/// The primary result code, which the extended codes keep in their low byte. PostgreSQL's have five characters.
fn sqlite_code(code: &str) -> Option<u32> {
    let code = code.parse::<u32>().ok().filter(|_| code.len() < 5)?;
    Some(code & 0xff)
}
