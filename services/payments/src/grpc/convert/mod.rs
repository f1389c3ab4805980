//! The boundary between wire and domain.

mod requests;
mod responses;
mod taxes;

pub use requests::{Id, ListContracts, ListEarnings, ListRewardPostings, ListStatementLines};
