//! Money for work, from the approval to the last refund.

use vouch_primitives::{
    AccountId, BonusPaymentId, ClientId, ContractId, EarningId, InvoiceId, MilestoneId, Money, PersonId, ReversalId,
    Timestamp, Uuid,
};

use super::{Contract, ContractError};

/// An earning becomes available so long after its approval, or its payment, at the earliest [F6].
pub(super) const AVAILABILITY_DAYS: u32 = 5;
/// A settled earning can be refunded for so long.
const REFUND_DAYS: u32 = 180;

/// An earning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earning {
    /// Its id.
    pub id: EarningId,
    /// The contract that it was earned under.
    pub contract_id: ContractId,
    /// What it was earned by; one earning each.
    pub source: EarningSource,
    /// Who paid.
    pub client_id: ClientId,
    /// Who earned it.
    pub person_id: PersonId,
    /// The account that was paid.
    pub account_id: AccountId,
    /// What the client paid, before the service fee and before refunds.
    pub gross: Money,
    /// The fee that was taken from it, less what its refunds gave back. The fees of a contract's earnings add up to
    /// the fee on its running total, so that a single one may be off its own share by the rounding of the others.
    pub fee_minor: i64,
    /// How much of the gross amount was taken back: refunds, disputes decided for the client, chargebacks not won back.
    pub refunded_minor: i64,
    /// How much of the gross amount an open dispute is about; it is not refunded before the dispute ends.
    pub disputed_minor: i64,
    /// Where it stands.
    pub state: EarningState,
    /// When it was earned: the submission that was approved, or the Monday that the week of work began with (the contract's
    /// beginning, where that lies in the week). Windows and rates are judged by it.
    pub occurred_at: Timestamp,
    /// When it came to be owed: the approval by the client or by silence, or the payment.
    pub approved_at: Timestamp,
    /// When it becomes available, or became [F6].
    pub available_at: Timestamp,
    /// The last microsecond in which the client may dispute it: of an invoice as long as that is reviewed, of all else before it
    /// is available.
    pub review_until: Timestamp,
}

/// What a client pays for, and an earning is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EarningSource {
    /// A milestone [B7].
    Milestone(MilestoneId),
    /// An invoice [F5].
    Invoice(InvoiceId),
    /// What the client gives beside what was agreed.
    Bonus(BonusPaymentId),
}

impl EarningSource {
    /// What it is, as requests name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milestone(_) => "milestone",
            Self::Invoice(_) => "invoice",
            Self::Bonus(_) => "bonus_payment",
        }
    }

    /// Its stable name.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Milestone(_) => "MILESTONE",
            Self::Invoice(_) => "INVOICE",
            Self::Bonus(_) => "BONUS",
        }
    }

    /// The id of what it is paid for.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Milestone(id) => id.as_uuid(),
            Self::Invoice(id) => id.as_uuid(),
            Self::Bonus(id) => id.as_uuid(),
        }
    }

    /// The source of this name and id. `None` if there is no such kind.
    #[must_use]
    pub fn from_parts(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "MILESTONE" => Some(Self::Milestone(MilestoneId::from_uuid(id))),
            "INVOICE" => Some(Self::Invoice(InvoiceId::from_uuid(id))),
            "BONUS" => Some(Self::Bonus(BonusPaymentId::from_uuid(id))),
            _ => None,
        }
    }
}

/// What is earned, and when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    /// What it is paid for.
    pub source: EarningSource,
    /// What the client pays, above zero.
    pub gross: Money,
    /// When the work was done.
    pub occurred_at: Timestamp,
    /// When it came to be owed.
    pub approved_at: Timestamp,
    /// When it becomes available.
    pub available_at: Timestamp,
    /// The last microsecond in which the client may dispute it.
    pub review_until: Timestamp,
}

/// The life of an earning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarningState {
    /// Approved, and not available yet.
    Pending {
        /// How much of the account's pending money is this earning's.
        held_minor: i64,
    },
    /// Available.
    Settled {
        /// Since when.
        settled_at: Timestamp,
    },
}

/// How a refund, or a chargeback, moves money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: ReversalId,
    /// Who takes the money back.
    pub cause: Cause,
    /// The earning that it takes from.
    pub earning_id: EarningId,
    /// The account that had been paid.
    pub account_id: AccountId,
    /// What the client gets, above zero.
    pub amount: Money,
    /// The service fee that goes back to the account.
    pub fee_back_minor: i64,
    /// How the account's pending money changes; `None` if the earning has settled.
    pub pending: Option<PendingPart>,
    /// When.
    pub at: Timestamp,
}

/// Who takes an earning back, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The talent gives it back, or a dispute was decided for the client.
    Refund,
    /// The provider of the client's payment.
    Chargeback,
}

/// How what a chargeback has taken comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reinstatement {
    /// Its id.
    pub id: ReversalId,
    /// The earning that it gives back to.
    pub earning_id: EarningId,
    /// The account that is paid.
    pub account_id: AccountId,
    /// What is earned again, above zero.
    pub amount: Money,
    /// The service fee that is taken again.
    pub fee_minor: i64,
    /// Whether the earning waits for its date; otherwise the money is available at once.
    pub pending: bool,
    /// When.
    pub at: Timestamp,
}

/// What a refund does to the pending money of its earning, to which the fee has been given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingPart {
    /// So much of the refund is paid from it.
    pub taken_minor: i64,
    /// So much is set free, because all was refunded and nothing is left to wait for: a rest of rounded fees.
    pub freed_minor: i64,
}

/// Why an earning cannot be refunded so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// The amount is in another currency.
    #[error("the earning was paid in {}", gross.currency)]
    OtherCurrency {
        /// What was paid.
        gross: Money,
    },
    /// More than was paid, with what was taken back before and what is disputed.
    #[error("at most {left} of the earning can be taken back")]
    TooLarge {
        /// What is left to refund.
        left: Money,
    },
    /// Too late.
    #[error("the earning could be refunded until {until}")]
    TooLate {
        /// The end of the time for refunds.
        until: Timestamp,
    },
}

impl Earning {
    /// The earning `id` under a contract, whose running total decides on the service fee.
    ///
    /// # Errors
    /// If the contract's total would not fit.
    pub fn of(contract: &mut Contract, id: EarningId, earned: Earned) -> Result<Self, ContractError> {
        let fee_minor = contract.earn(earned.gross.minor)?;
        Ok(Self {
            id,
            contract_id: contract.id,
            source: earned.source,
            client_id: contract.client_id,
            person_id: contract.person_id,
            account_id: contract.account_id,
            gross: earned.gross,
            fee_minor,
            refunded_minor: 0,
            disputed_minor: 0,
            state: EarningState::Pending {
                held_minor: earned.gross.minor - fee_minor,
            },
            occurred_at: earned.occurred_at,
            approved_at: earned.approved_at,
            available_at: earned.available_at,
            review_until: earned.review_until,
        })
    }

    /// Makes the earning available, and returns how much of the pending money this moves, in minor units. `None` if
    /// it has settled before.
    pub fn settle(&mut self, at: Timestamp) -> Option<i64> {
        let EarningState::Pending { held_minor } = self.state else {
            return None;
        };
        self.state = EarningState::Settled { settled_at: at };
        Some(held_minor)
    }

    /// What is neither refunded nor disputed of the gross amount.
    #[must_use]
    pub const fn left(&self) -> Money {
        let minor = self.gross.minor - self.refunded_minor - self.disputed_minor;
        Money::new(minor, self.gross.currency)
    }

    /// The talent gives `amount` back to the client: in full or in part, as long as the earning is pending and 180 days
    /// after. The service fee goes back by the contract's running total.
    ///
    /// # Errors
    /// If the amount is in another currency or more than is left, or the time has passed.
    pub fn refund(
        &mut self,
        contract: &mut Contract,
        id: ReversalId,
        amount: Money,
        at: Timestamp,
    ) -> Result<Refund, RefundError> {
        self.check_left(amount)?;
        if let EarningState::Settled { settled_at } = self.state {
            let until = settled_at.add_days(REFUND_DAYS);
            if at > until {
                return Err(RefundError::TooLate { until });
            }
        }
        Ok(self.take_back(contract, id, Cause::Refund, amount, at))
    }

    /// The provider of the client's payment takes `amount_minor` back, whenever it likes, of which the earning gives what it
    /// has left. An open dispute has to be ended before. `None` if nothing is left.
    pub fn charge_back(
        &mut self,
        contract: &mut Contract,
        id: ReversalId,
        amount_minor: i64,
        at: Timestamp,
    ) -> Option<Refund> {
        let left = self.left();
        let amount = Money::new(amount_minor.min(left.minor), left.currency);
        (amount.minor > 0).then(|| self.take_back(contract, id, Cause::Chargeback, amount, at))
    }

    /// What a chargeback had taken comes back: it is earned again, under the contract's running total.
    ///
    /// # Errors
    /// If the contract's total would not fit.
    pub fn reinstate(
        &mut self,
        contract: &mut Contract,
        id: ReversalId,
        amount: Money,
        at: Timestamp,
    ) -> Result<Reinstatement, ContractError> {
        let fee_minor = contract.earn(amount.minor)?;
        self.refunded_minor -= amount.minor;
        self.fee_minor += fee_minor;
        let pending = match &mut self.state {
            EarningState::Settled { .. } => false,
            EarningState::Pending { held_minor } => {
                *held_minor += amount.minor - fee_minor;
                true
            }
        };
        Ok(Reinstatement {
            id,
            earning_id: self.id,
            account_id: self.account_id,
            amount,
            fee_minor,
            pending,
            at,
        })
    }

    /// Takes back what is known to be left.
    pub(super) fn take_back(
        &mut self,
        contract: &mut Contract,
        id: ReversalId,
        cause: Cause,
        amount: Money,
        at: Timestamp,
    ) -> Refund {
        let fee_back_minor = contract.give_back(amount.minor);
        self.refunded_minor += amount.minor;
        self.fee_minor -= fee_back_minor;
        let all_refunded = self.refunded_minor == self.gross.minor;
        let pending = match &mut self.state {
            EarningState::Settled { .. } => None,
            EarningState::Pending { held_minor } => {
                let held = *held_minor + fee_back_minor;
                let taken_minor = held.min(amount.minor);
                let left = held - taken_minor;
                let freed_minor = if all_refunded { left } else { 0 };
                *held_minor = left - freed_minor;
                Some(PendingPart {
                    taken_minor,
                    freed_minor,
                })
            }
        };
        Refund {
            id,
            cause,
            earning_id: self.id,
            account_id: self.account_id,
            amount,
            fee_back_minor,
            pending,
            at,
        }
    }

    fn check_left(&self, amount: Money) -> Result<(), RefundError> {
        if amount.currency != self.gross.currency {
            return Err(RefundError::OtherCurrency { gross: self.gross });
        }
        let left = self.left();
        if amount.minor > left.minor {
            return Err(RefundError::TooLarge { left });
        }
        Ok(())
    }
}
