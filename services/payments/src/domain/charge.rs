//! What clients are made to pay, attempt by attempt.
//!
//! ```text
//! PENDING ──▶ SUCCEEDED
//!  ▲   │
//!  │   ├───▶ FAILED ── after 1, 3 and 5 days ──▶ PENDING
//!  │   ▼
//!  └─ GIVEN_UP                       the client asks for another attempt
//! ```
//!
//! An attempt is one order of the payment provider. Whose outcome is unknown is asked for, and is given again, under the same
//! id, only if the provider has never heard of it: so at most one order of a charge is ever carried out.

use std::time::Duration;

use vouch_primitives::{BillingMethodId, ChargeId, ChargeOrderId, ClientId, ContractId, Money, Timestamp};

use super::{EarningSource, Refusal};

/// A failed charge is tried again so many days after it first failed.
const RETRY_DAYS: [u32; 3] = [1, 3, 5];
/// How long to wait before the provider is asked for the first time what became of an order; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// The longest that is ever waited.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3_600);
/// An order that the provider has certainly not carried out is given again for so many days.
const PATIENCE_DAYS: u32 = 1;

/// A charge; what it brings in waits in the contract's escrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// The contract that it is for.
    pub contract_id: ContractId,
    /// Who pays.
    pub client_id: ClientId,
    /// What is paid for; one charge each.
    pub purpose: EarningSource,
    /// How much, above zero.
    pub amount: Money,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The latest attempt.
    pub attempt: Attempt,
    /// When it first failed.
    pub first_failed_at: Option<Timestamp>,
    /// When it was first given up.
    pub given_up_at: Option<Timestamp>,
    /// How much of it goes back to the client, or has gone.
    pub refunded_minor: i64,
    /// Where it stands.
    pub state: ChargeState,
}

/// One try at a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: u32,
    /// What is charged; `None` if the client had nothing that could be.
    pub instrument: Option<ChargedInstrument>,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// How often the provider was turned to without an end.
    pub tries: u32,
    /// Whether the provider may have the order already, so that it is asked for and not given.
    pub asks: bool,
}

/// What is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargedInstrument {
    /// The client's way of billing; `None` for what the configuration names for clients that have none.
    pub method: Option<BillingMethodId>,
    /// The provider's token.
    pub token: String,
    /// Whether the provider has verified it.
    pub verified: bool,
}

/// The life of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargeState {
    /// The latest attempt has not ended.
    Pending {
        /// When the provider is turned to next.
        look_at: Timestamp,
    },
    /// The client has paid.
    Succeeded {
        /// When this was learnt.
        at: Timestamp,
        /// What the provider calls it.
        reference: String,
    },
    /// The latest attempt was refused; there will be another one.
    Failed {
        /// Why.
        reason: Refusal,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// The latest attempt was refused, and was the last one unless the client asks for another.
    GivenUp {
        /// Why.
        reason: Refusal,
    },
}

/// What was heard of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was carried out.
    Succeeded {
        /// What the provider calls it.
        reference: String,
    },
    /// It was refused for good.
    Refused(Refusal),
    /// The provider does not know yet, or nobody knows what the provider knows.
    Unknown,
    /// It was certainly not carried out, and can be given again.
    NotCarriedOut,
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    /// At which charge.
    pub charge_id: ChargeId,
    /// The attempt.
    pub attempt: Attempt,
    /// When this was learnt.
    pub ended_at: Timestamp,
    /// What the provider calls the charge, or why it was refused.
    pub outcome: Result<String, Refusal>,
}

/// What has come of something that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concluded {
    /// The attempt that this has ended.
    pub ended: EndedAttempt,
    /// Whether with it the charge was given up for the first time.
    pub gives_up: bool,
}

/// What a charge refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeError {
    /// The client has nothing that could be charged.
    #[error("the client has no billing method: add one first")]
    NoBillingMethod,
    /// Only what has failed, and is still owed or wanted, is tried again.
    #[error("the charge is {state}, and is not tried again")]
    NotFailed {
        /// Where it stands.
        state: &'static str,
    },
    /// Only what is owed is paid otherwise than by an attempt.
    #[error("the charge is {state}, and the client does not owe it")]
    NotOwed {
        /// Where it stands.
        state: &'static str,
    },
}

impl Charge {
    /// The id of one attempt, as the provider knows it.
    #[must_use]
    pub fn order_id(&self) -> ChargeOrderId {
        order_id(self.id, self.attempt.number)
    }

    /// Something was heard of the attempt `number` when it was at try `tries`. The attempt that this has ended, if it has.
    ///
    /// What is heard of an earlier attempt, or of one that has ended, changes nothing. What is no answer counts once for each
    /// try, so that an old one, which comes late, does not count for what was done since.
    pub fn hear(&mut self, (number, tries): (u32, u32), heard: Heard, now: Timestamp) -> Option<Concluded> {
        let ChargeState::Pending { .. } = self.state else {
            return None;
        };
        if number != self.attempt.number {
            return None;
        }
        let is_answer = matches!(heard, Heard::Succeeded { .. } | Heard::Refused(_));
        if !is_answer && tries != self.attempt.tries {
            return None;
        }
        let given_long_ago = is_given_up(self.attempt.begun_at, now);
        let outcome = match heard {
            Heard::Succeeded { reference } => Ok(reference),
            Heard::Refused(reason) => Err(reason),
            Heard::NotCarriedOut if given_long_ago => Err(Refusal::NotCarriedOut),
            Heard::NotCarriedOut => return self.look_later(false, now),
            Heard::Unknown => return self.look_later(true, now),
        };
        let was_given_up = self.given_up_at.is_some();
        self.state = match &outcome {
            Ok(reference) => ChargeState::Succeeded {
                at: now,
                reference: reference.clone(),
            },
            Err(reason) => self.failed(*reason, now),
        };
        let ended = EndedAttempt {
            charge_id: self.id,
            attempt: self.attempt.clone(),
            ended_at: now,
            outcome,
        };
        Some(Concluded {
            ended,
            gives_up: !was_given_up && self.given_up_at.is_some(),
        })
    }

    fn look_later(&mut self, asks: bool, now: Timestamp) -> Option<Concluded> {
        let wait = wait_after(self.attempt.tries);
        self.attempt.tries = self.attempt.tries.saturating_add(1);
        self.attempt.asks = asks;
        self.state = ChargeState::Pending {
            look_at: now.saturating_add(wait),
        };
        None
    }

    fn failed(&mut self, reason: Refusal, now: Timestamp) -> ChargeState {
        let first = *self.first_failed_at.get_or_insert(now);
        let retries = RETRY_DAYS.map(|days| first.add_days(days)).into_iter();
        let next = retries.filter(|_| self.is_retried()).find(|at| *at > now);
        if let Some(retry_at) = next {
            return ChargeState::Failed { reason, retry_at };
        }
        self.given_up_at.get_or_insert(now);
        ChargeState::GivenUp { reason }
    }

    /// Whether it is tried again by itself. A milestone is not: nobody has worked for it, and the client can fund it again.
    const fn is_retried(&self) -> bool {
        !matches!(self.purpose, EarningSource::Milestone(_))
    }

    /// Begins another attempt, which charges this instrument.
    ///
    /// # Errors
    /// If it has not failed, or is for a milestone.
    pub fn try_again(&mut self, instrument: Option<ChargedInstrument>, now: Timestamp) -> Result<(), ChargeError> {
        match self.state {
            ChargeState::Failed { .. } | ChargeState::GivenUp { .. } if self.is_retried() => {}
            _ => {
                let state = self.state.name();
                return Err(ChargeError::NotFailed { state });
            }
        }
        self.attempt = Attempt::new(self.attempt.number + 1, instrument, now);
        self.state = ChargeState::Pending { look_at: now };
        Ok(())
    }

    /// The client has paid what it owes otherwise, as by a bank transfer: an attempt that charges nothing, and has succeeded.
    ///
    /// # Errors
    /// If it is not owed, or is just being tried again.
    pub fn pay(&mut self, reference: String, now: Timestamp) -> Result<EndedAttempt, ChargeError> {
        match self.state {
            ChargeState::GivenUp { .. } if self.is_owed() => {}
            _ => {
                let state = self.state.name();
                return Err(ChargeError::NotOwed { state });
            }
        }
        self.attempt = Attempt::new(self.attempt.number + 1, None, now);
        self.state = ChargeState::Succeeded {
            at: now,
            reference: reference.clone(),
        };
        Ok(EndedAttempt {
            charge_id: self.id,
            attempt: self.attempt.clone(),
            ended_at: now,
            outcome: Ok(reference),
        })
    }

    /// Whether the client owes it: it is for work that was done, and charging it was given up.
    #[must_use]
    pub const fn is_owed(&self) -> bool {
        self.given_up_at.is_some() && matches!(self.purpose, EarningSource::Invoice(_))
    }

    /// Whether no work goes on under the contract until it is paid, and since when. What was worked for holds the contract up
    /// until it is paid; a bonus payment as long as it is tried, as it is then unknown whether the client can pay at all.
    #[must_use]
    pub const fn holds_up_since(&self) -> Option<Timestamp> {
        match (self.purpose, &self.state) {
            (EarningSource::Milestone(_), _) | (_, ChargeState::Succeeded { .. }) => None,
            (EarningSource::Bonus(_), _) if self.given_up_at.is_some() => None,
            (EarningSource::Bonus(_) | EarningSource::Invoice(_), _) => self.first_failed_at,
        }
    }
}

/// How long to wait after so many tries without an end.
pub(super) fn wait_after(tries: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << tries.min(16)).min(LONGEST_WAIT)
}

/// Whether an order that was begun so long ago, and was certainly not carried out, is not given again.
pub(super) fn is_given_up(begun_at: Timestamp, now: Timestamp) -> bool {
    now >= begun_at.add_days(PATIENCE_DAYS)
}

/// The id of an attempt at a charge, as the provider knows it.
#[must_use]
pub fn order_id(charge: ChargeId, attempt: u32) -> ChargeOrderId {
    ChargeOrderId::derived(charge.as_uuid(), &attempt.to_string())
}

impl Attempt {
    /// A new one.
    #[must_use]
    pub const fn new(number: u32, instrument: Option<ChargedInstrument>, begun_at: Timestamp) -> Self {
        Self {
            number,
            instrument,
            begun_at,
            tries: 0,
            asks: false,
        }
    }
}

impl ChargeState {
    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "PENDING",
            Self::Succeeded { .. } => "SUCCEEDED",
            Self::Failed { .. } => "FAILED",
            Self::GivenUp { .. } => "GIVEN_UP",
        }
    }

    /// Why the latest attempt was refused.
    #[must_use]
    pub const fn reason(&self) -> Option<Refusal> {
        match self {
            Self::Failed { reason, .. } | Self::GivenUp { reason } => Some(*reason),
            Self::Pending { .. } | Self::Succeeded { .. } => None,
        }
    }
}
