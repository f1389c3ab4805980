//! A disagreement about an earning, which holds the money until it ends.

use vouch_primitives::{ContractId, DisputeId, DisputeNoteId, EarningId, Money, ReversalId, Timestamp};

use super::{Contract, Earning, EarningState, Refund, earning::Cause};

/// A dispute. One at most is open about an earning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// The earning that it is about.
    pub earning_id: EarningId,
    /// The contract of the earning.
    pub contract_id: ContractId,
    /// How much of the gross amount is disputed, above zero.
    pub amount: Money,
    /// What was held of the account's money for it: the amount less the fee that would go back with it, as far as the
    /// earning had so much pending.
    pub held_minor: i64,
    /// What is wrong, in the client's eyes.
    pub reason: DisputeReason,
    /// The same in words.
    pub description: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Where it stands.
    pub state: DisputeState,
}

/// The life of a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisputeState {
    /// Nobody has decided yet.
    Open,
    /// Operators have decided it.
    Resolved {
        /// When.
        closed_at: Timestamp,
        /// How much of the amount has gone back to the client.
        refunded_minor: i64,
        /// Why.
        explanation: String,
    },
    /// The client has given it up.
    Withdrawn {
        /// When.
        closed_at: Timestamp,
    },
    /// A chargeback has ended it.
    Superseded {
        /// When.
        closed_at: Timestamp,
    },
}

/// What is wrong with an earning, in the client's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeReason {
    /// The work was not delivered.
    NotDelivered,
    /// The work is not what was agreed.
    NotAsAgreed,
    /// The hours were not worked.
    HoursNotWorked,
    /// It was paid twice, or by mistake.
    PaidByMistake,
    /// Something else.
    Other,
}

/// What the client says when it opens a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// How much of the gross amount is disputed, above zero.
    pub amount: Money,
    /// What is wrong.
    pub reason: DisputeReason,
    /// The same in words.
    pub description: String,
}

/// How operators decide a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The talent keeps all of the disputed amount.
    ForTalent,
    /// All of it goes back to the client.
    ForClient,
    /// The talent keeps this of it, above zero and below the amount; the rest goes back.
    Split(Money),
}

/// How the end of a dispute moves what was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldReleased {
    /// The dispute.
    pub dispute_id: DisputeId,
    /// How much was held.
    pub held: Money,
    /// Whether the earning waits for its date; otherwise the money is available at once.
    pub pending: bool,
    /// When.
    pub at: Timestamp,
}

/// Something that was said about a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeNote {
    /// Its id.
    pub id: DisputeNoteId,
    /// About which dispute.
    pub dispute_id: DisputeId,
    /// Who says it.
    pub author: Author,
    /// What is said.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Who says something about a dispute, or halts a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The client.
    Client,
    /// The talent.
    Talent,
    /// An operator.
    Operator,
}

/// What a dispute refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisputeError {
    /// The amount is in another currency.
    #[error("the earning was paid in {}", gross.currency)]
    OtherCurrency {
        /// What was paid.
        gross: Money,
    },
    /// More than is left of the earning.
    #[error("at most {left} of the earning can be disputed")]
    TooLarge {
        /// What is left.
        left: Money,
    },
    /// The review is over, or the money is available.
    #[error("the earning could be disputed until {until}")]
    TooLate {
        /// The last moment of the review.
        until: Timestamp,
    },
    /// Another dispute about the earning is open.
    #[error("a dispute about the earning is open")]
    Exists,
    /// The dispute has ended.
    #[error("the dispute was {state}")]
    Closed {
        /// How.
        state: &'static str,
    },
    /// The talent's share is no part of what is disputed.
    #[error("the share must be above zero and below {amount}")]
    NoShare {
        /// What is disputed.
        amount: Money,
    },
}

impl Dispute {
    /// The client disputes a part or all of what is left of an earning while it may review it: what the account would
    /// have of that part is held.
    ///
    /// # Errors
    /// If another dispute is open, the amount is wrong, or the review is over.
    pub fn open(
        id: DisputeId,
        earning: &mut Earning,
        contract: &Contract,
        complaint: Complaint,
        at: Timestamp,
    ) -> Result<Self, DisputeError> {
        let amount = complaint.amount;
        if earning.disputed_minor != 0 {
            return Err(DisputeError::Exists);
        }
        if amount.currency != earning.gross.currency {
            return Err(DisputeError::OtherCurrency { gross: earning.gross });
        }
        let until = earning.review_until;
        let EarningState::Pending { held_minor: pending } = &mut earning.state else {
            return Err(DisputeError::TooLate { until });
        };
        if at > until {
            return Err(DisputeError::TooLate { until });
        }
        let left = Money::new(earning.gross.minor - earning.refunded_minor, amount.currency);
        if amount.minor > left.minor {
            return Err(DisputeError::TooLarge { left });
        }
        let held_minor = (amount.minor - contract.fee_on(amount.minor)).min(*pending);
        *pending -= held_minor;
        earning.disputed_minor = amount.minor;
        Ok(Self {
            id,
            earning_id: earning.id,
            contract_id: earning.contract_id,
            amount,
            held_minor,
            reason: complaint.reason,
            description: complaint.description,
            opened_at: at,
            state: DisputeState::Open,
        })
    }

    /// Operators decide. All that was held is the account's again, pending or available as its date says; what goes back
    /// to the client is then refunded like anything else, and with it the service fee.
    ///
    /// # Errors
    /// If the dispute has ended, or the share is none.
    pub fn resolve(
        &mut self,
        earning: &mut Earning,
        contract: &mut Contract,
        outcome: Outcome,
        explanation: String,
        (id, at): (ReversalId, Timestamp),
    ) -> Result<(HoldReleased, Option<Refund>), DisputeError> {
        self.check_open()?;
        let refunded_minor = match outcome {
            Outcome::ForTalent => 0,
            Outcome::ForClient => self.amount.minor,
            Outcome::Split(share) => {
                let some = share.currency == self.amount.currency && (1..self.amount.minor).contains(&share.minor);
                if !some {
                    return Err(DisputeError::NoShare { amount: self.amount });
                }
                self.amount.minor - share.minor
            }
        };
        let released = self.release(earning, at);
        self.state = DisputeState::Resolved {
            closed_at: at,
            refunded_minor,
            explanation,
        };
        let refunded = Money::new(refunded_minor, self.amount.currency);
        let refund = (refunded_minor > 0).then(|| earning.take_back(contract, id, Cause::Refund, refunded, at));
        Ok((released, refund))
    }

    /// The client gives it up.
    ///
    /// # Errors
    /// If the dispute has ended.
    pub fn withdraw(&mut self, earning: &mut Earning, at: Timestamp) -> Result<HoldReleased, DisputeError> {
        self.check_open()?;
        self.state = DisputeState::Withdrawn { closed_at: at };
        Ok(self.release(earning, at))
    }

    /// The provider of the payment decides from now on.
    ///
    /// # Errors
    /// If the dispute has ended.
    pub fn supersede(&mut self, earning: &mut Earning, at: Timestamp) -> Result<HoldReleased, DisputeError> {
        self.check_open()?;
        self.state = DisputeState::Superseded { closed_at: at };
        Ok(self.release(earning, at))
    }

    /// Whether anything can still be said about it.
    ///
    /// # Errors
    /// If the dispute has ended.
    pub fn check_open(&self) -> Result<(), DisputeError> {
        if self.state == DisputeState::Open {
            return Ok(());
        }
        let state = self.state.name();
        Err(DisputeError::Closed { state })
    }

    fn release(&self, earning: &mut Earning, at: Timestamp) -> HoldReleased {
        earning.disputed_minor = 0;
        let pending = match &mut earning.state {
            EarningState::Settled { .. } => false,
            EarningState::Pending { held_minor } => {
                *held_minor += self.held_minor;
                true
            }
        };
        HoldReleased {
            dispute_id: self.id,
            held: Money::new(self.held_minor, self.amount.currency),
            pending,
            at,
        }
    }
}

impl DisputeState {
    /// Its name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved { .. } => "resolved",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Superseded { .. } => "superseded",
        }
    }
}

impl DisputeReason {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::NotDelivered,
        Self::NotAsAgreed,
        Self::HoursNotWorked,
        Self::PaidByMistake,
        Self::Other,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotDelivered => "NOT_DELIVERED",
            Self::NotAsAgreed => "NOT_AS_AGREED",
            Self::HoursNotWorked => "HOURS_NOT_WORKED",
            Self::PaidByMistake => "PAID_BY_MISTAKE",
            Self::Other => "OTHER",
        }
    }
}

impl Author {
    /// All authors.
    pub const ALL: [Self; 3] = [Self::Client, Self::Talent, Self::Operator];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "CLIENT",
            Self::Talent => "TALENT",
            Self::Operator => "OPERATOR",
        }
    }
}
