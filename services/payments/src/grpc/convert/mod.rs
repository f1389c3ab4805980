//! The boundary between wire and domain.

mod audits;
mod charges;
mod client_payments;
mod client_refunds;
mod disputes;
mod hours;
mod milestones;
mod payout_methods;
mod payouts;
mod reports;
mod requests;
mod responses;
mod taxes;

pub use audits::{CheckLedger, GetLedgerCheck, GetTrialBalanceAt};
pub use charges::{ListBillingMethods, ListCharges};
pub use client_payments::ListClientPayments;
pub use client_refunds::ListClientRefunds;
pub use disputes::{ListChargebacks, ListDisputeNotes, ListDisputes};
pub use hours::{ListInvoices, ListTimeEntries};
pub use milestones::{ListBonusPayments, ListMilestoneEvents};
pub use payout_methods::{ListPayoutMethods, tariffs};
pub use payouts::{ListPayoutRuns, ListPayoutSkips, ListPayouts};
pub use reports::{ExplainAvailability, ExportStatement, GetBalances, GetStatement};
pub use requests::{Id, ListAllRewardPostings, ListContracts, ListEarnings, ListRewardPostings};
use std::ops::RangeInclusive;

/// How many characters people have to tell one another what they want.
const MESSAGE_LENGTH: RangeInclusive<usize> = 1..=5_000;
