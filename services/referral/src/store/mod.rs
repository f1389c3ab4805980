//! The tables, and the queries over them. Rows become values of the domain here and nowhere else.

pub mod accounts;
pub mod earnings;
pub mod lines;
pub mod people;
pub mod programme;
pub mod referrers;
pub mod ties;

use std::fmt::Display;

use vouch_storage::StorageError;

/// Rows per statement, far below what either engine takes as parameters.
const ROWS: usize = 1_000;

/// A value in the database that the program cannot have written.
fn corrupt(what: impl Display) -> StorageError {
    StorageError::Database(sea_orm::DbErr::Custom(format!("unreadable row: {what}")))
}
