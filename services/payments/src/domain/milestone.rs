//! A piece of fixed-price work, from the agreement to the earning [B7].

use vouch_primitives::{ContractId, EarningId, MilestoneEventId, MilestoneId, Money, Timestamp};

use super::{
    Contract, ContractError, Earning,
    earning::{AVAILABILITY_DAYS, Earned, EarningSource},
    week::STEP,
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
    /// How much of it providers have taken back out of escrow and not given again.
    pub taken_minor: i64,
    /// Where it stands.
    pub state: MilestoneState,
}

/// The life of a milestone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MilestoneState {
    /// Agreed, and not paid into escrow yet.
    Agreed,
    /// The client is being charged for it.
    Funding,
    /// In escrow.
    Funded,
    /// The work was submitted.
    Submitted {
        /// When; windows and rates are judged by it.
        submitted_at: Timestamp,
        /// Since when the client is silent: the submission, or the end of a chargeback after it.
        silent_since: Timestamp,
    },
    /// The work was approved; the earning exists.
    Approved {
        /// When it was submitted.
        submitted_at: Timestamp,
        /// Since when the client had been silent.
        silent_since: Timestamp,
        /// When it was approved, by the client or by silence.
        approved_at: Timestamp,
        /// The earning that this made.
        earning_id: EarningId,
    },
    /// Given up, with nothing in escrow.
    Cancelled,
    /// The provider has taken the client's payment back from escrow, or a part of it. Nothing goes on until it is won back.
    ChargedBack {
        /// When the work had been submitted, if it had been.
        submitted_at: Option<Timestamp>,
    },
}

/// Something that was said with a milestone's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MilestoneEvent {
    /// Its id.
    pub id: MilestoneEventId,
    /// Of which milestone.
    pub milestone_id: MilestoneId,
    /// What was done with these words.
    pub kind: MilestoneEventKind,
    /// The words.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What is said with work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MilestoneEventKind {
    /// The talent submitted it.
    Submitted,
    /// The client asked for changes.
    ChangesRequested,
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
    /// Only an agreed milestone can be funded, and cancelled by the client.
    #[error("the milestone is {state}, only an agreed one can be funded or cancelled")]
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
    /// Only a submitted milestone can be approved, and changes of it asked for.
    #[error("the milestone is {state}, only a submitted one can be approved or changed")]
    NotSubmitted {
        /// Where it stands.
        state: &'static str,
    },
    /// Nothing is in escrow for the milestone.
    #[error("the milestone is {state}, and has nothing in escrow")]
    NotInEscrow {
        /// Where it stands.
        state: &'static str,
    },
    /// The contract refuses the earning.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

impl Milestone {
    /// The client is to pay the amount into escrow.
    ///
    /// # Errors
    /// If it is neither agreed nor being funded nor funded.
    pub fn begin_funding(&mut self) -> Result<Transition, MilestoneError> {
        match self.state {
            MilestoneState::Agreed => {
                self.state = MilestoneState::Funding;
                Ok(Transition::Moved)
            }
            MilestoneState::Funding | MilestoneState::Funded => Ok(Transition::AlreadyDone),
            other => Err(MilestoneError::NotAgreed { state: other.name() }),
        }
    }

    /// The client could not be charged: it is agreed, as before.
    pub const fn stop_funding(&mut self) {
        if let MilestoneState::Funding = self.state {
            self.state = MilestoneState::Agreed;
        }
    }

    /// The client has paid the amount into escrow.
    ///
    /// # Errors
    /// If it is neither being funded nor funded.
    pub fn fund(&mut self) -> Result<Transition, MilestoneError> {
        match self.state {
            MilestoneState::Funding => {
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
                self.state = MilestoneState::Submitted {
                    submitted_at: at,
                    silent_since: at,
                };
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
        let (submitted_at, silent_since) = match self.state {
            MilestoneState::Submitted {
                submitted_at,
                silent_since,
            } => (submitted_at, silent_since),
            MilestoneState::Approved { .. } => return Ok(None),
            other => {
                return Err(MilestoneError::NotSubmitted { state: other.name() });
            }
        };
        let approved_at = at.min(silent_since.add_days(AUTO_APPROVAL_DAYS));
        let earned = Earned {
            source: EarningSource::Milestone(self.id),
            gross: self.amount,
            occurred_at: submitted_at,
            approved_at,
            available_at: approved_at.add_days(AVAILABILITY_DAYS),
            review_until: approved_at.add_days(AVAILABILITY_DAYS).saturating_sub(STEP),
        };
        let earning = Earning::of(contract, earning_id, earned)?;
        self.state = MilestoneState::Approved {
            submitted_at,
            silent_since,
            approved_at,
            earning_id,
        };
        Ok(Some(earning))
    }

    /// The client asks for changes of what was submitted, which undoes the submission: the next one counts.
    ///
    /// # Errors
    /// If it is not submitted, or silence has approved it by then.
    pub fn request_changes(&mut self, at: Timestamp) -> Result<(), MilestoneError> {
        match self.state {
            MilestoneState::Submitted { .. } if !self.is_approved_by_silence(at) => {
                self.state = MilestoneState::Funded;
                Ok(())
            }
            _ => Err(MilestoneError::NotSubmitted {
                state: self.state_at(at),
            }),
        }
    }

    /// The client gives it up before it was funded.
    ///
    /// # Errors
    /// If it was funded.
    pub fn cancel(&mut self) -> Result<Transition, MilestoneError> {
        match self.state {
            MilestoneState::Agreed => {
                self.state = MilestoneState::Cancelled;
                Ok(Transition::Moved)
            }
            MilestoneState::Cancelled => Ok(Transition::AlreadyDone),
            other => Err(MilestoneError::NotAgreed { state: other.name() }),
        }
    }

    /// What is in escrow for it.
    #[must_use]
    pub const fn in_escrow(&self) -> Money {
        let minor = match self.state {
            MilestoneState::Funded | MilestoneState::Submitted { .. } | MilestoneState::ChargedBack { .. } => {
                self.amount.minor - self.taken_minor
            }
            MilestoneState::Agreed
            | MilestoneState::Funding
            | MilestoneState::Approved { .. }
            | MilestoneState::Cancelled => 0,
        };
        Money::new(minor, self.amount.currency)
    }

    /// The talent gives it up. Returns what goes back to the client: what is in escrow for it; zero if it was given up before.
    ///
    /// # Errors
    /// If nothing is in escrow, or silence has approved it by then.
    pub fn refund_escrow(&mut self, at: Timestamp) -> Result<Money, MilestoneError> {
        let back = self.in_escrow();
        if self.state == MilestoneState::Cancelled {
            return Ok(back);
        }
        if back.minor == 0 || self.is_approved_by_silence(at) {
            return Err(self.not_in_escrow(at));
        }
        self.state = MilestoneState::Cancelled;
        Ok(back)
    }

    /// The provider has taken `amount_minor` of the client's payment back, whatever is left of it. Returns how much of that is
    /// taken from escrow, which is all that it has at most.
    ///
    /// # Errors
    /// If it was not paid, or is an earning by then.
    pub fn charge_back(&mut self, amount_minor: i64, at: Timestamp) -> Result<i64, MilestoneError> {
        let submitted_at = match self.state {
            MilestoneState::Funded => None,
            MilestoneState::Submitted { submitted_at, .. } if !self.is_approved_by_silence(at) => Some(submitted_at),
            MilestoneState::ChargedBack { submitted_at } => submitted_at,
            // Given up: the client has had the money back already.
            MilestoneState::Cancelled => return Ok(0),
            _ => return Err(self.not_in_escrow(at)),
        };
        let taken_minor = amount_minor.min(self.in_escrow().minor);
        self.taken_minor += taken_minor;
        self.state = MilestoneState::ChargedBack { submitted_at };
        Ok(taken_minor)
    }

    /// What was taken from escrow has come back: once all of it has, the milestone stands where it stood, and the silence
    /// after a submission begins anew. Returns whether it stays in escrow; for one that was given up meanwhile it goes on to
    /// the client.
    ///
    /// # Errors
    /// If less was taken.
    pub fn win_back(&mut self, taken_minor: i64, at: Timestamp) -> Result<bool, MilestoneError> {
        if taken_minor > self.taken_minor {
            return Err(self.not_in_escrow(at));
        }
        self.taken_minor -= taken_minor;
        let MilestoneState::ChargedBack { submitted_at } = self.state else {
            return Ok(false);
        };
        if self.taken_minor == 0 {
            self.state = submitted_at.map_or(MilestoneState::Funded, |submitted_at| MilestoneState::Submitted {
                submitted_at,
                silent_since: at,
            });
        }
        Ok(true)
    }

    fn not_in_escrow(&self, at: Timestamp) -> MilestoneError {
        MilestoneError::NotInEscrow {
            state: self.state_at(at),
        }
    }

    /// Whether silence has approved it, even if nobody has noticed yet.
    #[must_use]
    pub fn is_approved_by_silence(&self, at: Timestamp) -> bool {
        let submitted = matches!(self.state, MilestoneState::Submitted { .. });
        submitted && self.auto_approve_at().is_some_and(|due| due <= at)
    }

    fn state_at(&self, at: Timestamp) -> &'static str {
        if self.is_approved_by_silence(at) {
            "approved"
        } else {
            self.state.name()
        }
    }

    /// When silence approves it, or would have; `None` unless it is submitted or approved.
    #[must_use]
    pub fn auto_approve_at(&self) -> Option<Timestamp> {
        self.state.silent_since().map(|at| at.add_days(AUTO_APPROVAL_DAYS))
    }
}

impl MilestoneState {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Funding => "funding",
            Self::Funded => "funded",
            Self::Submitted { .. } => "submitted",
            Self::Approved { .. } => "approved",
            Self::Cancelled => "cancelled",
            Self::ChargedBack { .. } => "charged back",
        }
    }

    /// When the work was submitted.
    #[must_use]
    pub const fn submitted_at(self) -> Option<Timestamp> {
        match self {
            Self::Submitted { submitted_at, .. } | Self::Approved { submitted_at, .. } => Some(submitted_at),
            Self::ChargedBack { submitted_at } => submitted_at,
            Self::Agreed | Self::Funding | Self::Funded | Self::Cancelled => None,
        }
    }

    /// Since when the client is silent about what was submitted, or had been when it was approved.
    #[must_use]
    pub const fn silent_since(self) -> Option<Timestamp> {
        match self {
            Self::Submitted { silent_since, .. } | Self::Approved { silent_since, .. } => Some(silent_since),
            Self::Agreed | Self::Funding | Self::Funded | Self::Cancelled | Self::ChargedBack { .. } => None,
        }
    }
}

impl MilestoneEventKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Submitted, Self::ChangesRequested];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::ChangesRequested => "CHANGES_REQUESTED",
        }
    }
}
