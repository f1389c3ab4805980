//! What a client gives beside what was agreed.

use vouch_primitives::{BonusPaymentId, ContractId, EarningId, Money, Timestamp};

use super::{
    Contract, ContractError, Earning,
    earning::{AVAILABILITY_DAYS, Earned, EarningSource},
    week::STEP,
};

/// A bonus payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BonusPayment {
    /// Its id.
    pub id: BonusPaymentId,
    /// The contract that it is for.
    pub contract_id: ContractId,
    /// How much, above zero, before the service fee.
    pub amount: Money,
    /// What it is given for.
    pub message: String,
    /// When it was given.
    pub given_at: Timestamp,
    /// The earning that it is; `None` until the client has paid.
    pub earning_id: Option<EarningId>,
    /// When charging the client was given up; `None` if it was not, or the client has paid since.
    pub unpaid_since: Option<Timestamp>,
}

impl BonusPayment {
    /// Charging the client was given up.
    pub fn give_up(&mut self, at: Timestamp) {
        if self.earning_id.is_none() {
            self.unpaid_since.get_or_insert(at);
        }
    }

    /// The client has paid: it becomes the earning `id` of the contract. `None` if it is one already.
    ///
    /// # Errors
    /// If the contract's total would not fit.
    pub fn pay(
        &mut self,
        contract: &mut Contract,
        id: EarningId,
        at: Timestamp,
    ) -> Result<Option<Earning>, ContractError> {
        if self.earning_id.is_some() {
            return Ok(None);
        }
        let earned = Earned {
            source: EarningSource::Bonus(self.id),
            gross: self.amount,
            occurred_at: self.given_at,
            approved_at: at,
            available_at: at.add_days(AVAILABILITY_DAYS),
            review_until: at.add_days(AVAILABILITY_DAYS).saturating_sub(STEP),
        };
        let earning = Earning::of(contract, id, earned)?;
        (self.earning_id, self.unpaid_since) = (Some(id), None);
        Ok(Some(earning))
    }
}
