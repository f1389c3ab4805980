//! Work agreed between a client and talent.

use vouch_primitives::{
    AccountId, ClientId, ContractId, Currency, Money, OfferId, PersonId, Timestamp, terms::PayPeriod,
};

use super::{Author, FeeTerms, Milestone, MilestoneState, Transition};

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
    /// Whether work goes on.
    pub state: ContractState,
    /// Since when it is held up by a charge that has failed: nobody works until the client has paid.
    pub unpaid_since: Option<Timestamp>,
}

/// Whether work goes on under a contract. Money for what was done flows in every state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractState {
    /// It does.
    Active,
    /// No new time, no new milestones and no new escrow for now.
    Paused(Halt),
    /// Nobody works under it any more; this is final.
    Ended(Halt),
}

/// When and why work stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When.
    pub at: Timestamp,
    /// Why, in the words of who stopped it; not empty.
    pub reason: String,
    /// Who; `None` for what was stopped before this was kept.
    pub by: Option<Author>,
}

/// How the work is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pay {
    /// By the hour.
    Hourly {
        /// For one hour.
        rate: Money,
        /// Minutes that may be invoiced per week, as it was agreed at first; see [`super::WeeklyLimits`].
        weekly_limit_minutes: u32,
    },
    /// By milestones, all in one currency.
    Fixed {
        /// That currency.
        currency: Currency,
    },
    /// One amount per period [B2].
    Recurring {
        /// For a whole period.
        amount: Money,
        /// How often.
        every: PayPeriod,
    },
}

/// What a contract refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// Only a fixed-price contract has milestones.
    #[error("the contract is not paid by milestones")]
    NotFixedPrice,
    /// Only an hourly contract takes time, and has a weekly limit.
    #[error("the contract is not paid by the hour")]
    NotHourly,
    /// Only a recurring contract has periods.
    #[error("the contract is not paid per period")]
    NotRecurring,
    /// Nothing new is taken for now.
    #[error("the contract is paused")]
    Paused,
    /// Nothing new is taken until the client has paid.
    #[error("the contract is paused because the client could not be charged, and goes on once the client has paid")]
    Unpaid,
    /// Nothing new is taken any more.
    #[error("the contract has ended")]
    Ended,
    /// Only who has paused a contract, or an operator, lets it go on.
    #[error("the contract was paused by the {}, who lets it go on", by.name().to_lowercase())]
    PausedByOther {
        /// Who has.
        by: Author,
    },
    /// The client has paid for work that has not been submitted.
    #[error(
        "{count} milestones are funded and not submitted: the talent submits their work first, or gives back what is in \
         escrow"
    )]
    FundedMilestones {
        /// How many.
        count: usize,
    },
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
            Pay::Recurring { amount, .. } => amount.currency,
        }
    }

    /// The first moment of which work is billed: when it may begin, and the contract has begun.
    #[must_use]
    pub fn begins_at(&self) -> Timestamp {
        self.start_at.max(self.created_at)
    }

    /// Whether a milestone of this amount may be added to the `count` that there are.
    ///
    /// # Errors
    /// If the contract is paid by the hour, in another currency or not active, or the amount or the number is too large.
    pub fn check_milestone(&self, amount: Money, count: u64) -> Result<(), ContractError> {
        let Pay::Fixed { .. } = self.pay else {
            return Err(ContractError::NotFixedPrice);
        };
        self.check_active()?;
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

    /// Whether work goes on.
    ///
    /// # Errors
    /// If it is paused, by the client or for want of a payment, or has ended.
    pub const fn check_active(&self) -> Result<(), ContractError> {
        match self.state {
            ContractState::Active if self.unpaid_since.is_some() => Err(ContractError::Unpaid),
            ContractState::Active => Ok(()),
            ContractState::Paused(_) => Err(ContractError::Paused),
            ContractState::Ended(_) => Err(ContractError::Ended),
        }
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// If it has.
    pub const fn check_not_ended(&self) -> Result<(), ContractError> {
        match self.state {
            ContractState::Active | ContractState::Paused(_) => Ok(()),
            ContractState::Ended(_) => Err(ContractError::Ended),
        }
    }

    /// Nothing new for now. One that is paused already stays as it is.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pause(&mut self, halt: Halt) -> Result<Transition, ContractError> {
        match self.state {
            ContractState::Active => {
                self.state = ContractState::Paused(halt);
                Ok(Transition::Moved)
            }
            ContractState::Paused(_) => Ok(Transition::AlreadyDone),
            ContractState::Ended(_) => Err(ContractError::Ended),
        }
    }

    /// Work goes on, if whoever has paused it says so, or an operator.
    ///
    /// # Errors
    /// If somebody else has paused it, it waits for a payment of the client, or it has ended.
    pub fn resume(&mut self, by: Author) -> Result<Transition, ContractError> {
        match &self.state {
            ContractState::Active | ContractState::Paused(_) if self.unpaid_since.is_some() => {
                Err(ContractError::Unpaid)
            }
            ContractState::Paused(halt) => {
                if let Some(other) = halt.by.filter(|other| *other != by && by != Author::Operator) {
                    return Err(ContractError::PausedByOther { by: other });
                }
                self.state = ContractState::Active;
                Ok(Transition::Moved)
            }
            ContractState::Active => Ok(Transition::AlreadyDone),
            ContractState::Ended(_) => Err(ContractError::Ended),
        }
    }

    /// Nobody works any more; its milestones that are only agreed are cancelled with it. One that has ended stays as it is.
    ///
    /// # Errors
    /// If milestones are funded and not submitted.
    pub fn end(&mut self, halt: Halt, milestones: &mut [Milestone]) -> Result<Transition, ContractError> {
        if let ContractState::Ended(_) = self.state {
            return Ok(Transition::AlreadyDone);
        }
        let waits = |one: &&Milestone| match one.state {
            MilestoneState::Submitted { .. } => false,
            MilestoneState::Funding => true,
            _ => one.in_escrow().minor > 0,
        };
        let count = milestones.iter().filter(waits).count();
        if count > 0 {
            return Err(ContractError::FundedMilestones { count });
        }
        for milestone in milestones {
            if milestone.state == MilestoneState::Agreed {
                milestone.state = MilestoneState::Cancelled;
            }
        }
        self.state = ContractState::Ended(halt);
        Ok(Transition::Moved)
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

impl ContractState {
    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Paused(_) => "PAUSED",
            Self::Ended(_) => "ENDED",
        }
    }

    /// When and why work stopped, if it has.
    #[must_use]
    pub const fn halt(&self) -> Option<&Halt> {
        match self {
            Self::Active => None,
            Self::Paused(halt) | Self::Ended(halt) => Some(halt),
        }
    }
}
