//! Whoever speaks Stripe's API: Stripe itself, or a server that is compatible.
//!
//! | file | what happens there |
//! |---|---|
//! | [`api`] | one request, and what its answer means |
//! | [`objects`] | what is read of Stripe's objects |
//! | [`tokens`] | what the house's tokens are made of |
//! | [`amounts`] | money in the units that Stripe counts in |
//! | [`refusals`] | Stripe's words for why money does not move |
//! | [`charges`] | payment intents and refunds |
//! | [`payouts`] | transfers to connected accounts, and payouts from there |
//! | [`webhooks`] | what Stripe tells by itself |
//!
//! **An order is carried out once.** Each request that moves money carries an `Idempotency-Key`, which Stripe honours for a day
//! at least; and before any such request Stripe is asked whether it has the order already, by the id that the order has in the
//! `metadata` of what it became. The key covers the moments in which two requests run at once, the question covers the time
//! after the key. [`vouch_payments::domain::charge`](crate::domain::charge) gives an order again for one day only.

mod amounts;
mod api;
mod charges;
mod objects;
mod payouts;
mod refusals;
mod tokens;
mod webhooks;

use std::fmt;

use async_trait::async_trait;
use axum::http::HeaderMap;
use vouch_primitives::{AccountId, ClientId, Timestamp};
use vouch_storage::BoxError;

use self::{
    api::{Api, Failure},
    objects::Metadata,
};
use super::{
    Answer, ChargeOrder, Destination, GatewayError, Hint, Instrument, PaymentGateway, PayoutOrder, RefundOrder,
    TakenBack, Unheard,
};
use crate::config::GatewayConfig;

/// The keys of our metadata at Stripe: whose customer, whose connected account.
const CLIENT: &str = "vouch_client";
const ACCOUNT: &str = "vouch_account";
/// The id of an order, by which it is found again.
const ORDER: &str = "vouch_order";
/// The charge, the payout or the refund that it belongs to, by which a webhook finds it.
const CHARGE: &str = "vouch_charge";
const PAYOUT: &str = "vouch_payout";
const REFUND: &str = "vouch_refund";

/// The adapter. It keeps nothing: what became of an order, Stripe is asked.
pub struct Stripe {
    api: Api,
    webhook_secret: String,
}

impl Stripe {
    /// The adapter for these settings; nothing is asked for yet.
    ///
    /// # Errors
    /// If they are none.
    pub fn open(config: &GatewayConfig) -> Result<Self, BoxError> {
        Ok(Self {
            api: Api::open(&config.stripe_url, &config.stripe_secret)?,
            webhook_secret: config.webhook_secret.clone(),
        })
    }
}

impl fmt::Debug for Stripe {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").finish_non_exhaustive()
    }
}

/// Whether metadata say this.
fn says(metadata: &Metadata, key: &str, value: &str) -> bool {
    metadata.as_ref().and_then(|all| all.get(key)).map(String::as_str) == Some(value)
}

/// For whoever only asks: any failure leaves open what is so.
fn unknown(failure: Failure) -> GatewayError {
    GatewayError::Unknown(failure.to_string())
}

#[async_trait]
impl PaymentGateway for Stripe {
    async fn find_instrument(&self, client: ClientId, instrument: &str) -> Result<Option<Instrument>, GatewayError> {
        self.look_at_instrument(client, instrument).await
    }

    async fn find_destination(
        &self,
        account: AccountId,
        destination: &str,
    ) -> Result<Option<Destination>, GatewayError> {
        self.look_at_destination(account, destination).await
    }

    async fn charge(&self, order: &ChargeOrder) -> Result<Answer, GatewayError> {
        self.make_pay(order).await
    }

    async fn find_charge(&self, order: &ChargeOrder) -> Result<Option<Answer>, GatewayError> {
        self.look_for_charge(order).await
    }

    async fn pay_out(&self, order: &PayoutOrder) -> Result<Answer, GatewayError> {
        self.send(order).await
    }

    async fn find_payout(&self, order: &PayoutOrder) -> Result<Option<Answer>, GatewayError> {
        self.look_for_payout(order).await
    }

    async fn refund(&self, order: &RefundOrder) -> Result<Answer, GatewayError> {
        self.give_back(order).await
    }

    async fn find_refund(&self, order: &RefundOrder) -> Result<Option<Answer>, GatewayError> {
        self.look_for_refund(order).await
    }

    fn hear(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Hint, Unheard> {
        webhooks::hear(headers, body, &self.webhook_secret, now)
    }

    async fn find_taken_back(&self, reference: &str) -> Result<Option<TakenBack>, GatewayError> {
        self.look_at_dispute(reference).await
    }
}
