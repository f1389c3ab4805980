//! The boundary between wire and domain.

mod requests;
mod responses;

pub use requests::{Id, ListContracts, ListEarnings, ListRewardPostings, ListStatementLines};
