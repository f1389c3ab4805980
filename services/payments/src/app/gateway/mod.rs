//! Where money enters and leaves the house: what a payment provider has to be able to do.
//!
//! An order has an id of our making, and a provider carries out one order once, however often it is given. So whoever does not know
//! what became of an order asks, or gives the same order again; nobody ever guesses.
//!
//! | module | provider |
//! |---|---|
//! | [`sandbox`] | the embedded one, with instruments that decline, are late, and charge back |
//! | [`stripe`] | whoever speaks Stripe's API |

pub mod sandbox;
pub mod stripe;

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use axum::http::HeaderMap;
use vouch_primitives::{
    AccountId, ChargeId, ChargeOrderId, ClientId, Money, PayoutId, RefundId, RefundOrderId, Timestamp,
};
use vouch_storage::BoxError;

use crate::{
    config::{GatewayConfig, GatewayKind},
    domain::Refusal,
};

/// A client is to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeOrder {
    /// Its id: one for each attempt at a charge.
    pub id: ChargeOrderId,
    /// The charge.
    pub charge: ChargeId,
    /// Which attempt at its charge it is, from 1.
    pub attempt: u32,
    /// When this attempt was begun: before it nobody can have heard of the order.
    pub begun_at: Timestamp,
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
    /// Its id: one for each attempt at a refund.
    pub id: RefundOrderId,
    /// The refund.
    pub refund: RefundId,
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
    /// later, as [`Refusal::Returned`], and so can a refund, for any reason.
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

/// What a message of the provider is about. It is a reason to ask and nothing more: what has happened, the provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something became of a charge.
    Charge(ChargeId),
    /// Something became of a payout.
    Payout(PayoutId),
    /// Something became of a refund.
    Refund(RefundId),
    /// A payment is taken back, or given again; the provider calls this so.
    TakenBack(String),
    /// Nothing that is followed here.
    Nothing,
}

/// Why a message is not the provider's, or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// This provider sends none.
    #[error("the payment provider sends no messages")]
    NotExpected,
    /// Nobody has signed it.
    #[error("the message has no signature")]
    Unsigned,
    /// The signature is somebody else's, or that of another message.
    #[error("the signature is wrong")]
    WrongSignature,
    /// It was signed too long ago, or is from the future.
    #[error("the message was not signed just now")]
    Stale,
    /// It is signed, and no message.
    #[error("the message cannot be read")]
    Unreadable,
}

/// A payment that the provider has taken back from the platform, or has given again, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// What the provider calls this.
    pub reference: String,
    /// The charge by which it was paid.
    pub charge: ChargeId,
    /// What the provider calls that charge.
    pub charge_reference: String,
    /// How much.
    pub amount: Money,
    /// Where the money is.
    pub standing: Standing,
}

/// Where the money of a disputed payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was taken: somebody has only asked.
    Untouched,
    /// It was taken back, perhaps for good.
    Taken,
    /// It was taken back and given again, or never was.
    GivenAgain,
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

    /// What a message is about that came at `now` by the clock on the wall, if the provider has sent it.
    ///
    /// # Errors
    /// If it is not the provider's, or cannot be read.
    fn hear(&self, _headers: &HeaderMap, _body: &[u8], _now: Timestamp) -> Result<Hint, Unheard> {
        Err(Unheard::NotExpected)
    }

    /// How a payment stands that [`Hint::TakenBack`] names; `None` if the provider has no such thing, or it is about no charge
    /// of ours.
    async fn find_taken_back(&self, _reference: &str) -> Result<Option<TakenBack>, GatewayError> {
        Ok(None)
    }
}

/// The provider that is configured. It is not asked for anything yet.
///
/// # Errors
/// If its settings are none.
pub fn open(config: &GatewayConfig) -> Result<Arc<dyn PaymentGateway>, BoxError> {
    Ok(match config.kind {
        GatewayKind::Sandbox => Arc::new(sandbox::Sandbox),
        GatewayKind::Stripe => Arc::new(stripe::Stripe::open(config)?),
    })
}
