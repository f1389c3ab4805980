//! A payment of a client that its provider has taken back, and may give again.

use vouch_primitives::{ContractId, EarningId, Money, ReversalId, Timestamp};

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
    /// From escrow all is taken that is there for a milestone, or nothing: half a milestone is none.
    #[error("{whole} is in escrow, of which nothing less can be taken back")]
    NotWhole {
        /// What is in escrow.
        whole: Money,
    },
    /// The provider has another chargeback of this name.
    #[error("a chargeback of this reference is recorded")]
    Exists,
    /// It was won back before.
    #[error("the chargeback was reversed")]
    Reversed,
}

impl Chargeback {
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
