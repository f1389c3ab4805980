//! Where money enters and leaves the house: what a payment provider has to be able to do.
//!
//! An order has an id of our making, and a provider carries out one order once, however often it is given. So whoever does not know
//! what became of an order asks, or gives the same order again; nobody ever guesses.
//!
//! | module | provider |
//! |---|---|
//! | [`sandbox`] | the embedded one, with instruments that decline, are late, and charge back |

pub mod sandbox;

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use vouch_primitives::{AccountId, ChargeOrderId, ClientId, Money, PayoutId, RefundId, Timestamp};

use crate::{
    config::{GatewayConfig, GatewayKind},
    domain::Refusal,
};

/// A client is to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeOrder {
    /// Its id: one for each attempt at a charge.
    pub id: ChargeOrderId,
    /// Which attempt at its charge it is, from 1.
    pub attempt: u32,
    /// Who pays.
    pub client: ClientId,
    /// The provider's token of what is charged; never a card number.
    pub instrument: String,
    /// How much, above zero.
    pub amount: Money,
}

/// Talent's money is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutOrder {
    /// Its id.
    pub id: PayoutId,
    /// Whose money.
    pub account: AccountId,
    /// The provider's token of where it goes.
    pub destination: String,
    /// How much, above zero.
    pub amount: Money,
}

/// A client's money is to go back to where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOrder {
    /// Its id.
    pub id: RefundId,
    /// The order by which it was charged, at least so much.
    pub charge: ChargeOrder,
    /// What the provider called that charge.
    pub charge_reference: String,
    /// How much, above zero.
    pub amount: Money,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is carried out: the money has moved.
    Succeeded {
        /// What the provider calls it.
        reference: String,
    },
    /// The provider has taken it and will know later; ask again.
    Pending {
        /// What the provider calls it.
        reference: String,
    },
    /// Nothing has moved, and nothing will; the same order will always be refused. A payout that had succeeded can be refused
    /// later, as [`Refusal::Returned`].
    Refused {
        /// Why.
        reason: Refusal,
    },
}

/// There is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The provider has certainly not heard of the order: it may be given again.
    #[error("the payment provider cannot be reached: {0}")]
    Unreachable(String),
    /// It may have been carried out or not: ask.
    #[error("what became of the order is unknown: {0}")]
    Unknown(String),
}

/// What a provider knows of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Whether it has found that the client may use it.
    pub verified: bool,
}

/// What a provider knows of where a payout could go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// What may be shown of it, such as `•••• 6789`.
    pub label: String,
    /// The same for all tokens that lead to the same place.
    pub fingerprint: String,
}

/// A payment provider. Nothing here is called inside a transaction.
///
/// `find_…` answers what became of an order, and `None` if the provider has never heard of it, nor will of a call that was made
/// before: an implementation answers so only once that is certain.
#[async_trait]
pub trait PaymentGateway: Send + Sync + Debug {
    /// What the provider knows of an instrument of a client; `None` if it knows no such instrument.
    async fn find_instrument(&self, client: ClientId, instrument: &str) -> Result<Option<Instrument>, GatewayError>;

    /// What the provider knows of a destination that an account's money could go to; `None` if it knows no such destination.
    async fn find_destination(
        &self,
        account: AccountId,
        destination: &str,
    ) -> Result<Option<Destination>, GatewayError>;

    /// Makes a client pay, once for each order.
    async fn charge(&self, order: &ChargeOrder) -> Result<Answer, GatewayError>;

    /// What became of a charge.
    async fn find_charge(&self, order: &ChargeOrder) -> Result<Option<Answer>, GatewayError>;

    /// Pays money out, once for each order.
    async fn pay_out(&self, order: &PayoutOrder) -> Result<Answer, GatewayError>;

    /// What became of a payout.
    async fn find_payout(&self, order: &PayoutOrder) -> Result<Option<Answer>, GatewayError>;

    /// Gives money of a charge back, once for each order.
    async fn refund(&self, order: &RefundOrder) -> Result<Answer, GatewayError>;

    /// What became of a refund.
    async fn find_refund(&self, order: &RefundOrder) -> Result<Option<Answer>, GatewayError>;

    /// When a charge that succeeded at `at` will be charged back, for a provider that can tell beforehand: the sandbox alone.
    /// Others tell afterwards, by `RecordChargeback`.
    fn charges_back_at(&self, _order: &ChargeOrder, _at: Timestamp) -> Option<Timestamp> {
        None
    }
}

/// The provider that is configured.
#[must_use]
pub fn open(config: &GatewayConfig) -> Arc<dyn PaymentGateway> {
    match config.kind {
        GatewayKind::Sandbox => Arc::new(sandbox::Sandbox),
    }
}
