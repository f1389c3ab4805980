//! Money on its way from a balance to talent.

use std::time::Duration;

use vouch_primitives::{AccountId, Money, PayoutId, PayoutMethodId, PayoutRunId, Timestamp, Uuid};

use super::{PayoutMethod, PayoutMethodState, Refusal, Tariff, payout_method::MOST_METHODS};

/// How long what became of a dispatched payout is asked for at least, before the next time: twice as long as it has taken.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// The longest between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(6 * 3_600);
/// A provider that certainly has not heard of a payout for so long is not told again.
const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);
/// Banks send back what they cannot credit within so many days.
const DAYS_UNTIL_FINAL: u32 = 5;

/// A payout: what leaves a balance for a payout method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Its id; also that of the order to the provider.
    pub id: PayoutId,
    /// Whose money.
    pub account_id: AccountId,
    /// Where it goes.
    pub method_id: PayoutMethodId,
    /// What leaves the balance, above zero.
    pub amount: Money,
    /// What of it is the fee; the rest is sent.
    pub fee_minor: i64,
    /// The run that made it; `None` if it was asked for.
    pub run_id: Option<PayoutRunId>,
    /// The payouts that are sent together have this in common.
    pub dispatch_id: Uuid,
    /// When it was made.
    pub requested_at: Timestamp,
    /// How far it has come.
    pub state: PayoutState,
}

/// How far a payout has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutState {
    /// The money has left the balance; the provider has not been told.
    Requested,
    /// The provider has been told, or may have been.
    Dispatched {
        /// Since when.
        at: Timestamp,
    },
    /// The money has been sent.
    Paid {
        /// When this was known.
        at: Timestamp,
    },
    /// The provider refused; the money is in the balance again.
    Failed {
        /// When this was known.
        at: Timestamp,
        /// The provider's reason.
        reason: Refusal,
    },
    /// Called off before it was dispatched; the money is in the balance again.
    Cancelled {
        /// When.
        at: Timestamp,
    },
    /// It was sent and came back; the money is in the balance again.
    Returned {
        /// When this was known.
        at: Timestamp,
        /// The provider's reason.
        reason: Refusal,
    },
}

/// What can happen to a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutStep {
    /// The provider is about to be told.
    Dispatch,
    /// The provider has sent the money.
    Pay,
    /// The provider refuses, with its reason.
    Fail(Refusal),
    /// Talent calls it off.
    Cancel,
    /// What was sent comes back, with the provider's reason.
    Return(Refusal),
}

/// Why there is no payout, or why it does not go this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayoutError {
    /// The method was removed, or is not active yet.
    #[error("{}", match active_at {
        Some(at) => format!("the payout method is active from {at} on"),
        None => "there is no active payout method".to_owned(),
    })]
    NoActiveMethod {
        /// When it will be active; `None` if it was removed.
        active_at: Option<Timestamp>,
    },
    /// There is no tax form.
    #[error("a tax form is required before anything is paid out")]
    TaxFormRequired,
    /// The method takes another currency.
    #[error("the payout method takes {}", expected.currency)]
    OtherCurrency {
        /// The least in the right one.
        expected: Money,
    },
    /// It is not worth it.
    #[error("a payout is at least {minimum}")]
    BelowMinimum {
        /// The least that may leave the balance.
        minimum: Money,
    },
    /// There is less.
    #[error("{available} is available")]
    TooLittleAvailable {
        /// How much there is.
        available: Money,
    },
    /// The kind does not pay out in this currency.
    #[error("payouts of this kind are not made in this currency")]
    NotOffered,
    /// The provider knows no such destination.
    #[error("the payment provider does not know the destination")]
    DestinationUnknown,
    /// The provider does not answer.
    #[error("the payment provider does not answer")]
    ProviderUnavailable,
    /// The account has a method of this kind and currency that leads to the same place.
    #[error("the account has this payout method")]
    MethodExists,
    /// The account has as many methods as it may have.
    #[error("the account has {MOST_METHODS} payout methods, and may not have more")]
    TooManyMethods,
    /// It is on its way, or has ended.
    #[error("the payout is {state} and cannot be called off")]
    NotCancellable {
        /// How far it has come.
        state: &'static str,
    },
    /// What cannot happen to it as it is.
    #[error("a payout that is {state} cannot {step}")]
    Impossible {
        /// How far it has come.
        state: &'static str,
        /// What was to happen.
        step: &'static str,
    },
}

/// What is known when a payout is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where it is to go.
    pub method: &'a PayoutMethod,
    /// Whether there is a tax form.
    pub has_tax_form: bool,
    /// What is available, less what is owed.
    pub available: Money,
    /// How much is to leave the balance; `None` for all.
    pub amount: Option<Money>,
    /// The least that is wanted, beside the tariff's.
    pub minimum_minor: i64,
}

impl Ask<'_> {
    /// Judges what is asked for: how much leaves the balance, and what of it is the fee.
    ///
    /// # Errors
    /// The first of the [`PayoutError`]s that stands in the way.
    pub fn judge(&self, now: Timestamp) -> Result<(Money, i64), PayoutError> {
        let method = self.method;
        let tariff: &Tariff = method.kind.tariff(method.currency).ok_or(PayoutError::NotOffered)?;
        match method.state(now) {
            PayoutMethodState::Active => {}
            PayoutMethodState::Waiting => {
                let active_at = Some(method.active_at());
                return Err(PayoutError::NoActiveMethod { active_at });
            }
            PayoutMethodState::Removed => return Err(PayoutError::NoActiveMethod { active_at: None }),
        }
        if !self.has_tax_form {
            return Err(PayoutError::TaxFormRequired);
        }
        let amount = self.amount.unwrap_or(self.available);
        let minimum = Money::new(tariff.minimum_minor.max(self.minimum_minor), method.currency);
        if amount.currency != method.currency {
            return Err(PayoutError::OtherCurrency { expected: minimum });
        }
        if amount.minor < minimum.minor {
            return Err(PayoutError::BelowMinimum { minimum });
        }
        if amount.minor > self.available.minor {
            let available = self.available;
            return Err(PayoutError::TooLittleAvailable { available });
        }
        Ok((amount, tariff.fee_minor))
    }
}

impl Payout {
    /// What of the amount is the fee.
    #[must_use]
    pub const fn fee(&self) -> Money {
        Money::new(self.fee_minor, self.amount.currency)
    }

    /// What is sent: what leaves the balance less the fee.
    #[must_use]
    pub const fn sent(&self) -> Money {
        // The fee is a part of the amount.
        Money::new(self.amount.minor.saturating_sub(self.fee_minor), self.amount.currency)
    }

    /// Takes a step, and returns whether it is new; one that was taken before changes nothing.
    ///
    /// # Errors
    /// [`PayoutError::NotCancellable`] and [`PayoutError::Impossible`].
    pub fn step(&mut self, step: PayoutStep, at: Timestamp) -> Result<bool, PayoutError> {
        use PayoutState::{Cancelled, Dispatched, Failed, Paid, Requested, Returned};
        use PayoutStep::{Cancel, Dispatch, Fail, Pay, Return};
        let state = match (self.state, step) {
            (Requested, Dispatch) => Dispatched { at },
            (Requested, Cancel) => Cancelled { at },
            (Dispatched { .. }, Pay) => Paid { at },
            (Dispatched { .. }, Fail(reason)) => Failed { at, reason },
            (Paid { .. }, Return(reason)) => Returned { at, reason },
            // Told again, or late: what came after it stands.
            (Dispatched { .. } | Paid { .. } | Failed { .. } | Returned { .. }, Dispatch)
            | (Paid { .. } | Returned { .. }, Pay)
            | (Failed { .. }, Fail(_))
            | (Returned { .. }, Return(_))
            | (Cancelled { .. }, Cancel) => return Ok(false),
            (Dispatched { .. } | Paid { .. } | Failed { .. } | Returned { .. }, Cancel) => {
                let state = self.state.name();
                return Err(PayoutError::NotCancellable { state });
            }
            (Requested, Pay | Fail(_) | Return(_))
            | (Dispatched { .. }, Return(_))
            | (Paid { .. } | Returned { .. }, Fail(_))
            | (Failed { .. }, Pay | Return(_))
            | (Cancelled { .. }, Dispatch | Pay | Fail(_) | Return(_)) => {
                let (state, step) = (self.state.name(), step.name());
                return Err(PayoutError::Impossible { state, step });
            }
        };
        self.state = state;
        Ok(true)
    }

    /// Whether the provider is to be told, or asked, at this moment. What was paid is asked for once more, since it may have
    /// come back.
    #[must_use]
    pub fn is_to_be_asked_for(&self, now: Timestamp) -> bool {
        match self.state {
            PayoutState::Dispatched { .. } => true,
            PayoutState::Paid { at } => at.add_days(DAYS_UNTIL_FINAL) <= now,
            PayoutState::Requested
            | PayoutState::Failed { .. }
            | PayoutState::Cancelled { .. }
            | PayoutState::Returned { .. } => false,
        }
    }

    /// When the provider is to be told or asked the next time, after it was asked at `now`, perhaps without an answer; `None`
    /// once nothing is to be learned any more.
    #[must_use]
    pub fn next_look(&self, now: Timestamp, unanswered: bool) -> Option<Timestamp> {
        match self.state {
            PayoutState::Requested => Some(now),
            PayoutState::Dispatched { at } => {
                let wait = now.since(at).clamp(FIRST_LOOK, LONGEST_LOOK);
                Some(now.saturating_add(wait))
            }
            PayoutState::Paid { at } if at.add_days(DAYS_UNTIL_FINAL) > now => Some(at.add_days(DAYS_UNTIL_FINAL)),
            PayoutState::Paid { .. } => unanswered.then(|| now.saturating_add(LONGEST_LOOK)),
            PayoutState::Failed { .. } | PayoutState::Cancelled { .. } | PayoutState::Returned { .. } => None,
        }
    }

    /// Whether the provider, which certainly has not heard of it, is not told any more.
    #[must_use]
    pub fn is_given_up(&self, now: Timestamp) -> bool {
        matches!(self.state, PayoutState::Dispatched { at } if now.since(at) >= GIVE_UP)
    }
}

impl PayoutState {
    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Dispatched { .. } => "DISPATCHED",
            Self::Paid { .. } => "PAID",
            Self::Failed { .. } => "FAILED",
            Self::Cancelled { .. } => "CANCELLED",
            Self::Returned { .. } => "RETURNED",
        }
    }

    /// Since when; `None` while it is only requested.
    #[must_use]
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Requested => None,
            Self::Dispatched { at }
            | Self::Paid { at }
            | Self::Failed { at, .. }
            | Self::Cancelled { at }
            | Self::Returned { at, .. } => Some(*at),
        }
    }

    /// The provider's reason, where something went wrong.
    #[must_use]
    pub const fn reason(&self) -> Option<Refusal> {
        match self {
            Self::Failed { reason, .. } | Self::Returned { reason, .. } => Some(*reason),
            Self::Requested | Self::Dispatched { .. } | Self::Paid { .. } | Self::Cancelled { .. } => None,
        }
    }
}

impl PayoutStep {
    const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "be dispatched",
            Self::Pay => "be paid",
            Self::Fail(_) => "fail",
            Self::Cancel => "be cancelled",
            Self::Return(_) => "come back",
        }
    }
}
