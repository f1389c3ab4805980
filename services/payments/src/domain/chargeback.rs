//! A payment of a client that its provider has taken back, and may give again.

use vouch_primitives::{ContractId, Currency, EarningId, Money, ReversalId, Timestamp};

use super::EarningSource;

/// A chargeback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chargeback {
    /// Its id; also that of the reversal of its earning.
    pub id: ReversalId,
    /// What the client had paid for.
    pub payment: EarningSource,
    /// The contract of the payment.
    pub contract_id: ContractId,
    /// How much was taken back, above zero.
    pub amount: Money,
    /// How much of it was no longer there to be taken, neither in escrow nor of the earning: the platform's loss.
    pub lost_minor: i64,
    /// The earning that it was taken from; `None` if it was taken from escrow.
    pub earning_id: Option<EarningId>,
    /// The provider's name for it; one chargeback each.
    pub provider_reference: String,
    /// When it was taken back.
    pub charged_back_at: Timestamp,
    /// When it was won back, and under which id.
    pub won_back: Option<(ReversalId, Timestamp)>,
}

/// What a chargeback refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargebackError {
    /// The amount is in another currency than the payment.
    #[error("the client has paid in {paid}")]
    OtherCurrency {
        /// That of the payment.
        paid: Currency,
    },
    /// The provider has another chargeback of this name.
    #[error("a chargeback of this reference is recorded")]
    Exists,
    /// It was won back before.
    #[error("the chargeback was reversed")]
    Reversed,
}

impl Chargeback {
    /// How much was taken from escrow or from the earning.
    #[must_use]
    pub const fn taken_minor(&self) -> i64 {
        self.amount.minor - self.lost_minor
    }

    /// It was won back, under this id.
    ///
    /// # Errors
    /// If it was before.
    pub fn win_back(&mut self, id: ReversalId, at: Timestamp) -> Result<(), ChargebackError> {
        if self.won_back.is_some() {
            return Err(ChargebackError::Reversed);
        }
        self.won_back = Some((id, at));
        Ok(())
    }
}
