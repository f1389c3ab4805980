//! The use cases, one file per resource, and the only place where a transaction opens.
//!
//! | file | what happens there |
//! |---|---|
//! | [`accounts`] | whose an account is |
//! | [`contracts`] | an accepted offer begins a contract |
//! | [`contract_changes`] | a contract is paused, goes on, ends, gets another weekly limit |
//! | [`time_entries`] | time worked by the hour, until its week is closed |
//! | [`periods`] | recurring contracts are invoiced period by period |
//! | [`invoices`] | weeks are closed, charged, and earned once paid |
//! | [`milestones`] | agreed, funded, submitted, sent back, approved by the client or by silence, given up |
//! | [`bonuses`] | what clients give beside what was agreed |
//! | [`billing`] | in what ways clients pay |
//! | [`charges`] | what clients are made to pay: begun, sent, tried again |
//! | [`client_payments`] | what clients pay otherwise than by charges |
//! | [`client_refunds`] | what clients get back: begun, sent, tried again |
//! | [`outcomes`] | what follows once they have paid, or could not be charged |
//! | [`gateway`] | payment providers: how money enters and leaves the house |
//! | [`hints`] | the provider tells by itself that there is something to ask |
//! | [`disputes`] | what is disputed is held until operators decide |
//! | [`chargebacks`] | payments that providers take back, and give again |
//! | [`earnings`] | settled when available, refunded |
//! | [`payout_methods`] | where talent's money goes, and how often |
//! | [`payouts`] | money is withdrawn, a payout called off |
//! | [`payout_dispatch`] | payouts leave, and what becomes of them is learned |
//! | [`payout_runs`] | payouts by schedule |
//! | [`rewards`] | what the referral programme releases is posted |
//! | [`ledger`] | balances, statements, the trial balance |
//! | [`tax`] | tax forms, kept |
//! | [`reports`] | everything of a party at once, and what it waits for |
//! | [`documents`] | statements, invoices and receipts as files |
//! | [`checks`] | the books are followed, transfer by transfer |
//! | [`audit`] | the same all the time, for the metrics |
//!
//! Each use case opens a transaction, locks and reads, lets [`crate::domain`] decide, writes once, and appends the
//! events. A query reads and returns domain values.

pub mod accounts;
pub mod audit;
pub mod billing;
pub mod bonuses;
pub mod chargebacks;
pub mod charges;
pub mod checks;
pub mod client_payments;
pub mod client_refunds;
pub mod contract_changes;
pub mod contracts;
pub mod disputes;
pub mod documents;
pub mod earnings;
pub mod gateway;
pub mod hints;
pub mod invoices;
pub mod ledger;
pub mod milestones;
pub mod outcomes;
mod owners;
pub mod payout_dispatch;
pub mod payout_methods;
pub mod payout_runs;
pub mod payouts;
pub mod periods;
pub mod reports;
pub mod rewards;
pub mod tax;
pub mod time_entries;

use std::sync::Arc;

use vouch_runtime::Commands;

use self::gateway::PaymentGateway;

/// The use cases of payments. Clones share the database and the payment provider.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    gateway: Arc<dyn PaymentGateway>,
    /// What is charged of clients that have no billing method.
    default_instrument: Option<Arc<str>>,
}

impl App {
    /// The use cases on a service's database and clock, with this payment provider. Clients that have no billing method are
    /// charged by `default_instrument`; if it is empty they are not charged at all.
    #[must_use]
    pub fn new(commands: Commands, gateway: Arc<dyn PaymentGateway>, default_instrument: &str) -> Self {
        Self {
            commands,
            gateway,
            default_instrument: (!default_instrument.is_empty()).then(|| default_instrument.into()),
        }
    }

    /// The payment provider.
    #[must_use]
    pub fn gateway(&self) -> &dyn PaymentGateway {
        &*self.gateway
    }
}
