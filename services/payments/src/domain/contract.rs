//! Work agreed between a client and talent.

use vouch_primitives::{AccountId, ClientId, ContractId, Currency, Money, OfferId, PersonId, Timestamp};

use super::FeeTerms;

/// How many milestones a contract may have.
pub const MOST_MILESTONES: u64 = 500;

/// A contract, and the running total that its service fee is taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its id, given by whoever reported the acceptance.
    pub id: ContractId,
    /// The offer that it came from; one contract per offer.
    pub offer_id: OfferId,
    /// Who pays.
    pub client_id: ClientId,
    /// Who works.
    pub person_id: PersonId,
    /// The account that is paid.
    pub account_id: AccountId,
    /// How the work is paid.
    pub pay: Pay,
    /// The terms of the service fee, bound for life [F14].
    pub fee_terms: FeeTerms,
    /// When work may begin.
    pub start_at: Timestamp,
    /// When the contract began: the acceptance of the offer.
    pub created_at: Timestamp,
    /// All that was earned less all that was refunded, in minor units of the contract's currency.
    pub net_gross_minor: i64,
}

/// How the work is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pay {
    /// By the hour.
    Hourly {
        /// For one hour.
        rate: Money,
        /// Minutes that may be invoiced per week.
        weekly_limit_minutes: u32,
    },
    /// By milestones, all in one currency.
    Fixed {
        /// That currency.
        currency: Currency,
    },
}

/// What a contract refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// Only a fixed-price contract has milestones.
    #[error("the contract is paid by the hour and has no milestones")]
    NotFixedPrice,
    /// All amounts of a contract are in one currency.
    #[error("the contract is in {contract}, not in {asked}")]
    OtherCurrency {
        /// That of the contract.
        contract: Currency,
        /// That of the amount.
        asked: Currency,
    },
    /// The contract has as many milestones as it may have.
    #[error("the contract has {MOST_MILESTONES} milestones, and may not have more")]
    TooManyMilestones,
    /// The amount is larger than an amount may be.
    #[error("{0} is more than may be paid at once")]
    AmountTooLarge(Money),
    /// The contract's running total would not fit.
    #[error("the contract's total would be too large")]
    TotalTooLarge,
}

impl Contract {
    /// The one currency of all its amounts.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        match self.pay {
            Pay::Hourly { rate, .. } => rate.currency,
            Pay::Fixed { currency } => currency,
        }
    }

    /// Whether a milestone of this amount may be added to the `count` that there are.
    ///
    /// # Errors
    /// If the contract is paid by the hour or in another currency, or the amount or the number is too large.
    pub fn check_milestone(&self, amount: Money, count: u64) -> Result<(), ContractError> {
        if let Pay::Hourly { .. } = self.pay {
            return Err(ContractError::NotFixedPrice);
        }
        self.check_amount(amount)?;
        if count >= MOST_MILESTONES {
            return Err(ContractError::TooManyMilestones);
        }
        Ok(())
    }

    /// Whether so much may be paid at once under this contract.
    ///
    /// # Errors
    /// If it is in another currency, or too large.
    pub fn check_amount(&self, amount: Money) -> Result<(), ContractError> {
        if amount.currency != self.currency() {
            return Err(ContractError::OtherCurrency {
                contract: self.currency(),
                asked: amount.currency,
            });
        }
        if amount.minor > Money::LARGEST_MINOR {
            return Err(ContractError::AmountTooLarge(amount));
        }
        Ok(())
    }

    /// Adds what was earned to the running total, and returns the fee on it in minor units: the difference that the
    /// earning makes to the fee on the total, never negative.
    ///
    /// # Errors
    /// If the total would not fit.
    pub fn earn(&mut self, gross_minor: i64) -> Result<i64, ContractError> {
        let total = self
            .net_gross_minor
            .checked_add(gross_minor)
            .ok_or(ContractError::TotalTooLarge)?;
        Ok(self.move_total(total))
    }

    /// Takes what was refunded off the running total, and returns the fee that goes back with it in minor units,
    /// between zero and the amount.
    pub fn give_back(&mut self, refunded_minor: i64) -> i64 {
        -self.move_total(self.net_gross_minor - refunded_minor)
    }

    /// The fee that would go back with a refund now, in minor units.
    #[must_use]
    pub fn fee_on(&self, refunded_minor: i64) -> i64 {
        let total = self.net_gross_minor;
        let fee = |total| self.fee_terms.on_total_rounded_down(total);
        fee(total) - fee(total - refunded_minor)
    }

    /// The change of the fee.
    fn move_total(&mut self, total: i64) -> i64 {
        let before = self.fee_terms.on_total_rounded_down(self.net_gross_minor);
        self.net_gross_minor = total;
        self.fee_terms.on_total_rounded_down(total) - before
    }
}
