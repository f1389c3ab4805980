//! Facts in: from event type to use case.

use vouch_messaging::Router;
use vouch_proto::{
    invitation::v1::{AddressReinstated, AddressSuppressed},
    onboarding::v1::{
        AccountClosed, AccountRegistered, AccountReopened, AgencyRegistered, EmailVerified, PersonErased,
    },
    payments::v1::{
        ContractEnded, ContractStarted, EarningReinstated, EarningReversed, EarningSettled, PayoutMethodAdded,
    },
};

use crate::{app::App, error::Error};

/// What this service wants to hear of others.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::new("referral")
        .on::<AccountRegistered>(|app: &App, txn, facts| Box::pin(app.on_accounts_registered(txn, facts)))
        .on::<EmailVerified>(|app: &App, txn, facts| Box::pin(app.on_emails_verified(txn, facts)))
        .on::<PersonErased>(|app: &App, txn, facts| Box::pin(app.on_people_erased(txn, facts)))
        .on::<AddressSuppressed>(|app: &App, txn, facts| Box::pin(app.on_addresses_suppressed(txn, facts)))
        .on::<AddressReinstated>(|app: &App, txn, facts| Box::pin(app.on_addresses_reinstated(txn, facts)))
        .on::<AgencyRegistered>(|app: &App, txn, facts| Box::pin(app.on_agencies_registered(txn, facts)))
        .on::<AccountClosed>(|app: &App, txn, facts| Box::pin(app.on_accounts_closed(txn, facts)))
        .on::<AccountReopened>(|app: &App, txn, facts| Box::pin(app.on_accounts_reopened(txn, facts)))
        .on::<ContractStarted>(|app: &App, txn, facts| Box::pin(app.on_contracts_started(txn, facts)))
        .on::<ContractEnded>(|app: &App, txn, facts| Box::pin(app.on_contracts_ended(txn, facts)))
        .on::<EarningSettled>(|app: &App, txn, facts| Box::pin(app.on_earnings_settled(txn, facts)))
        .on::<EarningReversed>(|app: &App, txn, facts| Box::pin(app.on_earnings_reversed(txn, facts)))
        .on::<EarningReinstated>(|app: &App, txn, facts| Box::pin(app.on_earnings_reinstated(txn, facts)))
        .on::<PayoutMethodAdded>(|app: &App, txn, facts| Box::pin(app.on_payout_methods_added(txn, facts)))
}
