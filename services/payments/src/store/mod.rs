//! The tables: rows in, domain values out. Functions that write take the open transaction first and never commit.
//!
//! | module | tables |
//! |---|---|
//! | [`accounts`] | `account` |
//! | [`contracts`] | `contract` |
//! | [`pauses`] | `contract_pause` |
//! | [`holds`] | `contract_hold` |
//! | [`limits`] | `weekly_limit` |
//! | [`time_entries`] | `time_entry` |
//! | [`invoices`] | `invoice`, `invoice_line` |
//! | [`milestones`] | `milestone`, `milestone_event` |
//! | [`bonuses`] | `bonus_payment` |
//! | [`billing_methods`] | `billing_client`, `billing_method` |
//! | [`charges`] | `charge`, `charge_attempt` |
//! | [`client_payments`] | `client_payment` |
//! | [`client_refunds`] | `client_refund` |
//! | [`disputes`] | `dispute`, `dispute_note` |
//! | [`chargebacks`] | `chargeback` |
//! | [`earnings`] | `earning`, `reversal` |
//! | [`ledger`] | `ledger_account`, `balance`, `journal_entry`, `transfer`: opening and saving a book |
//! | [`statements`] | the same, as they are read |
//! | [`checks`] | `ledger_check` and its sums, days and findings |
//! | [`availability`] | `earning`, `dispute`, `invoice`: what is not finished of them |
//! | [`overviews`] | everything of a party, summed up |
//! | [`moments`] | the whole ledger at a past moment |
//! | [`rewards`] | `reward_total`, `reward_posting` |
//! | [`payout_methods`] | `payout_account`, `payout_method` |
//! | [`payout_schedules`] | `payout_schedule` |
//! | [`payout_runs`] | `payout_run`, `payout_skip` |
//! | [`payouts`] | `payout` |
//! | [`tax_forms`] | `tax_form` |
//!
//! Locks are always taken in the same order, so that no two transactions wait for one another: the contract's row (or
//! the totals of rewards), which guards all that belongs to it, then the balances; several of a kind in ascending id. Payouts
//! belong to no contract: a run's row comes first, then schedules, then methods, then payouts, then the balances. Who adds a
//! method locks the row of its account in `payout_account`, and no other.

pub mod accounts;
pub mod availability;
pub mod billing_methods;
pub mod bonuses;
pub mod chargebacks;
pub mod charges;
pub mod checks;
pub mod client_payments;
pub mod client_refunds;
pub mod contracts;
pub mod disputes;
pub mod earnings;
pub mod holds;
pub mod invoices;
pub mod ledger;
pub mod limits;
pub mod milestones;
pub mod moments;
pub mod overviews;
pub mod pauses;
pub mod payout_methods;
pub mod payout_runs;
pub mod payout_schedules;
pub mod payouts;
pub mod rewards;
pub mod statements;
pub mod tax_forms;
pub mod time_entries;

use sea_orm::DbErr;
use vouch_primitives::{Currency, Timestamp};
use vouch_storage::StorageError;

use crate::domain::{LedgerAccountKind, Refusal, account::Side};

/// The most rows in one statement, well below what either engine takes as parameters.
const ROWS: usize = 1_000;

/// A row says what no program of this house has written.
fn unreadable(table: &str, what: impl std::fmt::Display) -> StorageError {
    StorageError::Database(DbErr::Type(format!("unreadable row of {table}: {what}")))
}

fn currency(table: &str, code: &str) -> Result<Currency, StorageError> {
    code.parse().map_err(|error| unreadable(table, error))
}

/// A number as a column holds it.
fn small(table: &str, number: u32) -> Result<i32, StorageError> {
    i32::try_from(number).map_err(|error| unreadable(table, error))
}

fn unsigned(table: &str, number: i32) -> Result<u32, StorageError> {
    u32::try_from(number).map_err(|error| unreadable(table, error))
}

/// Why a provider has refused.
fn refusal(table: &str, name: &str) -> Result<Refusal, StorageError> {
    let found = Refusal::ALL.into_iter().find(|reason| reason.name() == name);
    found.ok_or_else(|| unreadable(table, name))
}

/// The names of the kinds of ledger accounts that have no stored balance, as a list in SQL.
fn kinds_without_balance() -> String {
    names_of(|kind| !kind.has_balance())
}

/// The names of the kinds whose stored balance a debit raises.
fn kinds_of_debts() -> String {
    names_of(|kind| kind.normal_side() == Side::Debit)
}

fn names_of(wanted: impl Fn(&LedgerAccountKind) -> bool) -> String {
    let kinds = LedgerAccountKind::ALL.into_iter().filter(wanted);
    let names: Vec<String> = kinds.map(|kind| format!("'{}'", kind.name())).collect();
    names.join(", ")
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}
