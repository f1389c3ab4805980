//! The tables of this service: entities, and the queries as free functions. A function that writes takes the open
//! transaction; none of them commits.

pub mod accounts;
pub mod applications;
pub mod clients;
pub mod clouds;
pub mod erasures;
pub mod invitations;
pub mod projects;
pub mod quota;
pub mod recommendations;
pub mod suppressions;

use std::fmt::Display;

use prost::Message;
use sea_orm::DbErr;
use vouch_proto::common::v1 as common;
use vouch_storage::StorageError;

use crate::domain::ContractTerms;

/// The most rows that one statement names, well below what either engine takes as parameters.
const ROWS: usize = 1_000;

/// A stored value that this program cannot read: it was written by a newer one, or by hand.
fn unreadable(column: &str, why: impl Display) -> StorageError {
    StorageError::Database(DbErr::Type(format!("{column} cannot be read: {why}")))
}

/// The terms of a contract as a column holds them.
fn write_terms(terms: &ContractTerms) -> Vec<u8> {
    common::ContractTerms::from(terms).encode_to_vec()
}

fn read_terms(column: &str, bytes: &[u8]) -> Result<ContractTerms, StorageError> {
    let wire = common::ContractTerms::decode(bytes).map_err(|error| unreadable(column, error))?;
    ContractTerms::try_from(wire).map_err(|error| unreadable(column, error))
}
