//! The tables, and the queries over them. Rows become values of the domain here and nowhere else.
//!
//! Locks are taken in this order, each kind in ascending id: people, months of earnings, referrers, funds,
//! programmes of clients, match signals.

pub mod accounts;
pub mod client_programmes;
pub mod contracts;
pub mod earnings;
pub mod erasures;
pub mod evidence;
pub mod funds;
pub mod instruments;
pub mod invitations;
pub mod lines;
pub mod links;
pub mod match_signals;
pub mod people;
pub mod programme;
pub mod rebuilt;
pub mod referrers;
pub mod releases;
pub mod screening;
pub mod sign_ups;
pub mod signals;
pub mod standing;
pub mod statement_keys;
pub mod suppressions;
pub mod ties;
pub mod told;
pub mod touches;
pub mod vanity;

use std::fmt::Display;

use vouch_storage::{DbBackend, StorageError};

/// Rows per statement, far below what either engine takes as parameters.
const ROWS: usize = 1_000;

/// A value in the database that the program cannot have written.
fn corrupt(what: impl Display) -> StorageError {
    StorageError::Database(sea_orm::DbErr::Custom(format!("unreadable row: {what}")))
}

/// A hash as it is stored.
fn hash_of(bytes: Vec<u8>) -> Result<[u8; 32], StorageError> {
    bytes.try_into().map_err(|_| corrupt("not 32 bytes"))
}

/// The place of a parameter, which a statement may name more than once.
fn mark(backend: DbBackend, number: usize) -> String {
    let sign = if backend == DbBackend::Postgres { '$' } else { '?' };
    format!("{sign}{number}")
}

/// The places of so many parameters from this one on, with commas.
fn marks(backend: DbBackend, first: usize, count: usize) -> String {
    let marks: Vec<_> = (first..first + count).map(|number| mark(backend, number)).collect();
    marks.join(", ")
}
