//! Facts in: from event type to use case.

use vouch_messaging::Router;
use vouch_proto::{
    onboarding::v1::{AccountRegistered, AgencyRegistered},
    payments::v1::{EarningReinstated, EarningReversed, EarningSettled},
};

use crate::{app::App, error::Error};

/// What this service wants to hear of others.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::new("referral")
        .on::<AccountRegistered>(|app: &App, txn, facts| Box::pin(app.on_accounts_registered(txn, facts)))
        .on::<AgencyRegistered>(|app: &App, txn, facts| Box::pin(app.on_agencies_registered(txn, facts)))
        .on::<EarningSettled>(|app: &App, txn, facts| Box::pin(app.on_earnings_settled(txn, facts)))
        .on::<EarningReversed>(|app: &App, txn, facts| Box::pin(app.on_earnings_reversed(txn, facts)))
        .on::<EarningReinstated>(|app: &App, txn, facts| Box::pin(app.on_earnings_reinstated(txn, facts)))
}
