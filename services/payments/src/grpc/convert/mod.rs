//! The boundary between wire and domain.

mod disputes;
mod milestones;
mod requests;
mod responses;
mod taxes;

use std::ops::RangeInclusive;

pub use disputes::{ListDisputeNotes, ListDisputes};
pub use milestones::{ListBonusPayments, ListMilestoneEvents};
pub use requests::{Id, ListContracts, ListEarnings, ListRewardPostings, ListStatementLines};

/// How many characters people have to tell one another what they want.
const MESSAGE_LENGTH: RangeInclusive<usize> = 1..=5_000;
