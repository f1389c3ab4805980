//! The tables of this service: entities, and the queries as free functions. A function that writes takes the open
//! transaction; none of them commits.

pub mod acceptances;
pub mod agencies;
pub mod cases;
pub mod clouds;
pub mod contracts;
pub mod documents;
pub mod people;
pub mod profiles;
pub mod quotas;
pub mod rooms;
pub mod search;
pub mod signals;
pub mod task_templates;
pub mod tasks;
pub mod tax_forms;
pub mod verifications;

use std::fmt::Display;

use sea_orm::DbErr;
use vouch_storage::StorageError;

/// A stored value that this program cannot read: it was written by a newer one, or by hand.
fn unreadable(column: &str, why: impl Display) -> StorageError {
    StorageError::Database(DbErr::Type(format!("{column} cannot be read: {why}")))
}
