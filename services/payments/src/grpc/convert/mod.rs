//! The boundary between wire and domain.

mod hours;
mod requests;
mod responses;
mod taxes;

pub use hours::{ListInvoices, ListTimeEntries};
pub use requests::{Id, ListContracts, ListEarnings, ListRewardPostings, ListStatementLines};
