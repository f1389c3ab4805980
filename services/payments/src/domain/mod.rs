//! The rules of money, as values and pure functions.
//!
//! | module | holds |
//! |---|---|
//! | [`fee`] | [`FeeTerms`]: the service fee on a contract's running total |
//! | [`contract`] | [`Contract`]: who pays whom, whether work goes on, and the running total |
//! | [`pause`] | [`Pause`]: a time in which no work went on under a contract |
//! | [`period`] | [`WorkPeriod`]: of a recurring contract, and what it costs |
//! | [`week`] | [`Week`]: of hourly work, and the moments that follow from it |
//! | [`limit`] | [`WeeklyLimits`]: how many minutes of a week may be invoiced |
//! | [`time_entry`] | [`TimeEntry`]: time worked by the hour |
//! | [`invoice`] | [`Invoice`]: a week of time, charged and paid |
//! | [`milestone`] | [`Milestone`]: agreed, funded, submitted, approved |
//! | [`billing`] | [`BillingMethod`]: in what ways clients pay |
//! | [`bonus`] | [`BonusPayment`]: what a client gives beside what was agreed |
//! | [`charge`] | [`Charge`]: what a client is made to pay |
//! | [`client_refund`] | [`ClientRefund`]: what a client gets back |
//! | [`debt`] | what clients owe, in the [`Book`]; [`ClientPayment`]: how they pay for rewards of their own |
//! | [`refusal`] | [`Refusal`]: why a provider does not move money |
//! | [`earning`] | [`Earning`]: pending, settled, refunded |
//! | [`dispute`] | [`Dispute`]: what holds an earning's money until it ends |
//! | [`chargeback`] | [`Chargeback`]: a payment that its provider has taken back |
//! | [`reward`] | [`Release`]: from a cumulative amount to the difference that is posted |
//! | [`payout_method`] | [`PayoutMethod`]: where talent's money goes, and what that costs |
//! | [`payout_schedule`] | [`PayoutSchedule`]: when it goes by itself |
//! | [`payout`] | [`Payout`]: money on its way out |
//! | [`account`] | [`LedgerAccount`]: between what money moves |
//! | [`journal`] | [`JournalEntry`], [`Transfer`]: the movements |
//! | [`ledger`] | [`Book`]: every way in which money may move, checked |
//! | [`tax`] | [`TaxForm`]: that a form is there |
//! | [`availability`] | [`Awaited`](availability::Awaited): why money is not available yet |
//! | [`overview`] | what parties see of everything at once |
//! | [`check`] | whether the books are right |
//! | [`statement`] | [`StatementLine`], [`Balances`]: the movements as the owner of an account reads them |

pub mod account;
pub mod availability;
pub mod billing;
pub mod bonus;
pub mod charge;
pub mod chargeback;
pub mod check;
pub mod client_refund;
pub mod contract;
pub mod debt;
pub mod dispute;
pub mod earning;
pub mod fee;
pub mod invoice;
pub mod journal;
pub mod ledger;
pub mod limit;
pub mod milestone;
pub mod overview;
pub mod pause;
pub mod payout;
pub mod payout_method;
pub mod payout_schedule;
pub mod period;
pub mod refusal;
pub mod reward;
pub mod statement;
pub mod tax;
#[cfg(test)]
mod tests;
pub mod time_entry;
pub mod week;

pub use account::{LedgerAccount, LedgerAccountKind, Parts};
pub use billing::{BillingError, BillingMethod};
pub use bonus::BonusPayment;
pub use charge::{Attempt, Charge, ChargeError, ChargeState, ChargedInstrument, Concluded, EndedAttempt, Heard};
pub use chargeback::{Chargeback, ChargebackError};
pub use client_refund::{ClientRefund, ClientRefundError, ClientRefundState};
pub use contract::{Contract, ContractError, ContractState, Halt, Pay};
pub use debt::{ClientPayment, ClientPaymentError, Debts};
pub use dispute::{
    Author, Complaint, Dispute, DisputeError, DisputeNote, DisputeReason, DisputeState, HoldReleased, Outcome,
};
pub use earning::{Cause, Earned, Earning, EarningSource, EarningState, Refund, RefundError, Reinstatement};
pub use fee::FeeTerms;
pub use invoice::{Invoice, InvoiceLine, InvoiceState, Protection};
pub use journal::{JournalEntry, Source, Transfer, TransferKind};
pub use ledger::{Book, LedgerError};
pub use limit::WeeklyLimits;
pub use milestone::{Milestone, MilestoneError, MilestoneEvent, MilestoneEventKind, MilestoneState, Transition};
pub use pause::Pause;
pub use payout::{Ask, Payout, PayoutError, PayoutState, PayoutStep};
pub use payout_method::{PayoutKind, PayoutMethod, PayoutMethodState, Tariff};
pub use payout_schedule::{Frequency, PayoutRun, PayoutSchedule, PayoutSkip};
pub use period::WorkPeriod;
pub use refusal::Refusal;
pub use reward::{Release, RewardError, RewardKey, RewardKind, RewardPosting, RewardTotal};
pub use statement::{Balances, CurrencyTotal, CurrencyTotals, Frame, Part, Period, StatementLine};
pub use tax::TaxForm;
pub use time_entry::{Others, Span, SpanError, TimeEntry, TimeError};
pub use week::Week;
