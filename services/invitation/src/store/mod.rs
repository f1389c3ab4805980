//! The tables of this service: entities, and the queries as free functions. A function that writes takes the open
//! transaction; none of them commits.

pub mod clients;
pub mod clouds;
pub mod invitations;
pub mod quota;
pub mod suppressions;

use std::fmt::Display;

use sea_orm::DbErr;
use vouch_storage::StorageError;

/// The most rows that one statement names, well below what either engine takes as parameters.
const ROWS: usize = 1_000;

/// A stored value that this program cannot read: it was written by a newer one, or by hand.
fn unreadable(column: &str, why: impl Display) -> StorageError {
    StorageError::Database(DbErr::Type(format!("{column} cannot be read: {why}")))
}
