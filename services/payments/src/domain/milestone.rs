//! A piece of fixed-price work, from the agreement to the earning [B7].

use vouch_primitives::{ContractId, EarningId, MilestoneId, Money, Timestamp};

use super::{
    Contract, ContractError, Earning,
    earning::{AVAILABILITY_DAYS, Earned, EarningSource},
};

/// Silence for so long approves submitted work [B7].
const AUTO_APPROVAL_DAYS: u32 = 14;

/// A milestone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// Its id.
    pub id: MilestoneId,
    /// The contract's id.
    pub contract_id: ContractId,
    /// What is delivered.
    pub title: String,
    /// What is paid for it, above zero.
    pub amount: Money,
    /// Where it stands.
    pub state: MilestoneState,
}

/// The life of a milestone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MilestoneState {
    /// Agreed, and not paid into escrow yet.
    Agreed,
    /// In escrow.
    Funded,
    /// The work was submitted.
    Submitted {
        /// When; windows and rates are judged by it.
        submitted_at: Timestamp,
    },
    /// The work was approved; the earning exists.
    Approved {
        /// When it was submitted.
        submitted_at: Timestamp,
        /// When it was approved, by the client or by silence.
        approved_at: Timestamp,
        /// The earning that this made.
        earning_id: EarningId,
    },
}

/// Whether a transition changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It did.
    Moved,
    /// It had happened before: a normal outcome of a repeat.
    AlreadyDone,
}

/// What a milestone refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MilestoneError {
    /// Only an agreed milestone can be funded.
    #[error("the milestone is {state}, only an agreed one can be funded")]
    NotAgreed {
        /// Where it stands.
        state: &'static str,
    },
    /// Only a funded milestone can be submitted.
    #[error("the milestone is {state}, only a funded one can be submitted")]
    NotFunded {
        /// Where it stands.
        state: &'static str,
    },
    /// Only a submitted milestone can be approved.
    #[error("the milestone is {state}, only a submitted one can be approved")]
    NotSubmitted {
        /// Where it stands.
        state: &'static str,
    },
    /// The contract refuses the earning.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

impl Milestone {
    /// The client has paid the amount into escrow.
    ///
    /// # Errors
    /// If it was submitted or approved already.
    pub fn fund(&mut self) -> Result<Transition, MilestoneError> {
        match self.state {
            MilestoneState::Agreed => {
                self.state = MilestoneState::Funded;
                Ok(Transition::Moved)
            }
            MilestoneState::Funded => Ok(Transition::AlreadyDone),
            other => Err(MilestoneError::NotAgreed { state: other.name() }),
        }
    }

    /// The talent has submitted the work, which is the payment request.
    ///
    /// # Errors
    /// If it was not funded, or was approved already.
    pub fn submit(&mut self, at: Timestamp) -> Result<Transition, MilestoneError> {
        match self.state {
            MilestoneState::Funded => {
                self.state = MilestoneState::Submitted { submitted_at: at };
                Ok(Transition::Moved)
            }
            MilestoneState::Submitted { .. } => Ok(Transition::AlreadyDone),
            other => Err(MilestoneError::NotFunded { state: other.name() }),
        }
    }

    /// The work is approved, by the client or by silence: it becomes the earning `earning_id` of the contract. `None`
    /// if it was approved before.
    ///
    /// An approval that comes after the silence has approved it counts from then.
    ///
    /// # Errors
    /// If it was not submitted, or the contract's total would not fit.
    pub fn approve(
        &mut self,
        contract: &mut Contract,
        earning_id: EarningId,
        at: Timestamp,
    ) -> Result<Option<Earning>, MilestoneError> {
        let submitted_at = match self.state {
            MilestoneState::Submitted { submitted_at } => submitted_at,
            MilestoneState::Approved { .. } => return Ok(None),
            other => {
                return Err(MilestoneError::NotSubmitted { state: other.name() });
            }
        };
        let approved_at = at.min(submitted_at.add_days(AUTO_APPROVAL_DAYS));
        let earned = Earned {
            source: EarningSource::Milestone(self.id),
            gross: self.amount,
            occurred_at: submitted_at,
            approved_at,
            available_at: approved_at.add_days(AVAILABILITY_DAYS),
        };
        let earning = Earning::of(contract, earning_id, earned)?;
        self.state = MilestoneState::Approved {
            submitted_at,
            approved_at,
            earning_id,
        };
        Ok(Some(earning))
    }

    /// When silence approves it, or would have; `None` before it is submitted.
    #[must_use]
    pub fn auto_approve_at(&self) -> Option<Timestamp> {
        self.state.submitted_at().map(|at| at.add_days(AUTO_APPROVAL_DAYS))
    }
}

impl MilestoneState {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Funded => "funded",
            Self::Submitted { .. } => "submitted",
            Self::Approved { .. } => "approved",
        }
    }

    /// When the work was submitted.
    #[must_use]
    pub const fn submitted_at(self) -> Option<Timestamp> {
        match self {
            Self::Submitted { submitted_at } | Self::Approved { submitted_at, .. } => Some(submitted_at),
            Self::Agreed | Self::Funded => None,
        }
    }
}
