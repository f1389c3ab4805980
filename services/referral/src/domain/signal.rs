//! Signals: what makes a referral look wrong. Each is evidence, for which what the referral is worth waits until an operator
//! has looked. None of it drops anything.

use vouch_primitives::{PersonId, ReferrerId, SignalId, Timestamp};

/// So many sign-ups for one referrer within a day are usual.
pub const USUAL_IN_A_DAY: u64 = 10;

/// What makes a referral look wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// Many signed up for one referrer within a day.
    Velocity,
    /// The address is of a domain that gives out addresses for a moment.
    DisposableDomain,
    /// The device is that of somebody else who has signed up.
    SharedDevice,
    /// The network is that of somebody else whom the same referrer referred.
    SharedNetwork,
    /// The money goes where that of the referrer goes, or of somebody else whom the same referrer referred.
    SharedPayoutInstrument,
}

/// Where a signal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalState {
    /// Nobody has looked at it.
    Open,
    /// The referrer has said something against it.
    Appealed,
    /// It was nothing.
    Cleared,
    /// It was right.
    Confirmed,
}

/// What the signals about a referral come to for its money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// There is none, or all of them were nothing.
    #[default]
    None,
    /// An operator has to look: what was released stays, and nothing more is.
    Open,
    /// One was right: nothing is due.
    Confirmed,
}

/// A signal about one referee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its id.
    pub id: SignalId,
    /// What it is.
    pub kind: SignalKind,
    /// Whose referral it is about.
    pub referrer: ReferrerId,
    /// The referee.
    pub person: PersonId,
    /// Where it stands.
    pub state: SignalState,
    /// What the referrer said against it; empty for nothing.
    pub appeal: String,
    /// Why it was closed as it was; empty before.
    pub reason: String,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// Why a signal cannot be handled so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// It is closed in another way.
    #[error("the signal is closed")]
    Closed,
    /// There is one appeal.
    #[error("an appeal was made before")]
    AppealedBefore,
}

impl SignalKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Velocity,
        Self::DisposableDomain,
        Self::SharedDevice,
        Self::SharedNetwork,
        Self::SharedPayoutInstrument,
    ];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Velocity => "VELOCITY",
            Self::DisposableDomain => "DISPOSABLE_DOMAIN",
            Self::SharedDevice => "SHARED_DEVICE",
            Self::SharedNetwork => "SHARED_NETWORK",
            Self::SharedPayoutInstrument => "SHARED_PAYOUT_INSTRUMENT",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl SignalState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Appealed, Self::Cleared, Self::Confirmed];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Appealed => "APPEALED",
            Self::Cleared => "CLEARED",
            Self::Confirmed => "CONFIRMED",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// What a signal in this state comes to for the money.
    #[must_use]
    pub const fn suspicion(self) -> Suspicion {
        match self {
            Self::Open | Self::Appealed => Suspicion::Open,
            Self::Cleared => Suspicion::None,
            Self::Confirmed => Suspicion::Confirmed,
        }
    }

    /// Whether it is closed.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Cleared | Self::Confirmed)
    }
}

impl Signal {
    /// A new one.
    #[must_use]
    pub fn raised(kind: SignalKind, referrer: ReferrerId, person: PersonId, now: Timestamp) -> Self {
        Self {
            id: SignalId::new(),
            kind,
            referrer,
            person,
            state: SignalState::Open,
            appeal: String::new(),
            reason: String::new(),
            raised_at: now,
            closed_at: None,
        }
    }

    /// The referrer says something against it.
    ///
    /// # Errors
    /// If it is closed, or they have done so before.
    pub fn appeal(&mut self, message: &str) -> Result<(), SignalError> {
        match self.state {
            SignalState::Open => {
                self.state = SignalState::Appealed;
                self.appeal = message.to_owned();
                Ok(())
            }
            SignalState::Appealed => Err(SignalError::AppealedBefore),
            SignalState::Cleared | SignalState::Confirmed => Err(SignalError::Closed),
        }
    }

    /// An operator closes it; in the same way again changes nothing.
    ///
    /// # Errors
    /// If it is closed in the other way.
    pub fn close(&mut self, confirmed: bool, reason: &str, now: Timestamp) -> Result<(), SignalError> {
        let closed = if confirmed {
            SignalState::Confirmed
        } else {
            SignalState::Cleared
        };
        if self.state.is_closed() {
            return if self.state == closed {
                Ok(())
            } else {
                Err(SignalError::Closed)
            };
        }
        self.state = closed;
        self.reason = reason.to_owned();
        self.closed_at = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_appealed_against_once_and_closed_once() {
        let now = Timestamp::EPOCH;
        let mut signal = Signal::raised(SignalKind::Velocity, ReferrerId::new(), PersonId::new(), now);
        signal.appeal("a class of mine").expect("open");
        assert_eq!(signal.appeal("again"), Err(SignalError::AppealedBefore));
        signal.close(false, "so it is", now).expect("open");
        signal.close(false, "again", now).expect("in the same way");
        assert_eq!((&*signal.reason, signal.state), ("so it is", SignalState::Cleared));
        assert_eq!(signal.close(true, "after all", now), Err(SignalError::Closed));
        assert_eq!(signal.appeal("still"), Err(SignalError::Closed));
    }
}
