//! Screening: only qualified people are recommended [R21]. Whoever was vouched for has one case, which operators decide,
//! unless a rule finds that it is clear.

use vouch_primitives::{PersonId, Timestamp};

/// How somebody was screened, as far as money is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screening {
    /// Not decided: rewards are held.
    Open,
    /// Passed: rewards are released.
    Passed,
    /// Rejected: rewards are void.
    Rejected,
}

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScreeningState {
    /// It waits for an operator.
    Queued,
    /// An operator looks at it.
    Claimed,
    /// The person may be recommended.
    Passed,
    /// The person may not be recommended.
    Rejected,
    /// The referrer has appealed against the rejection; it waits for an operator again. Rewards stay void until it passes.
    Appealed,
}

/// The screening of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreeningCase {
    /// Who is screened.
    pub person: PersonId,
    /// Where it stands.
    pub state: ScreeningState,
    /// The operator who has claimed it; empty for none.
    pub claimed_by: String,
    /// Why it was decided so; of a rule, its name.
    pub reason: String,
    /// Who decided it: an operator, or `rule`.
    pub decided_by: String,
    /// What a referrer said against a rejection; empty for nothing. There is one appeal.
    pub appeal: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was decided the last time.
    pub decided_at: Option<Timestamp>,
}

/// A rule that passes clear cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreeningRule {
    /// What it is called; unique.
    pub name: String,
    /// Whether the person has to have been hired.
    pub hired: bool,
    /// Whether the person must not be related to any client.
    pub unrelated: bool,
    /// Whether it is in use.
    pub enabled: bool,
}

/// Why a case cannot be handled so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScreeningError {
    /// Another operator has claimed it.
    #[error("another operator has claimed the case")]
    ClaimedByOther,
    /// It has been decided.
    #[error("the case has been decided")]
    Decided,
    /// Only a rejection can be appealed against, and once.
    #[error("only a rejection can be appealed against, once")]
    NoAppeal,
}

impl ScreeningRule {
    /// The rule that is there from the beginning: whoever has been hired and is nobody's relation is a clear case.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            name: "HIRED".to_owned(),
            hired: true,
            unrelated: true,
            enabled: true,
        }
    }

    /// Whether a case of somebody is clear.
    #[must_use]
    pub fn passes(&self, hired: bool, related: bool) -> bool {
        self.enabled && (hired || !self.hired) && !(related && self.unrelated)
    }
}

impl ScreeningCase {
    /// A new case.
    #[must_use]
    pub fn open(person: PersonId, now: Timestamp) -> Self {
        Self {
            person,
            state: ScreeningState::Queued,
            claimed_by: String::new(),
            reason: String::new(),
            decided_by: String::new(),
            appeal: String::new(),
            opened_at: now,
            decided_at: None,
        }
    }

    /// What it means for money. An appeal alone changes nothing.
    #[must_use]
    pub fn screening(&self) -> Screening {
        match self.state {
            ScreeningState::Passed => Screening::Passed,
            ScreeningState::Rejected | ScreeningState::Appealed => Screening::Rejected,
            ScreeningState::Queued | ScreeningState::Claimed => match self.appeal.is_empty() {
                true => Screening::Open,
                false => Screening::Rejected,
            },
        }
    }

    /// An operator takes it from the queue; once more changes nothing.
    ///
    /// # Errors
    /// If another one has, or it is decided.
    pub fn claim(&mut self, operator: &str) -> Result<(), ScreeningError> {
        self.undecided_for(operator)?;
        self.state = ScreeningState::Claimed;
        operator.clone_into(&mut self.claimed_by);
        Ok(())
    }

    /// An operator decides it, claimed or not; the decision may be told again.
    ///
    /// # Errors
    /// If another one has claimed it, or it was decided otherwise.
    pub fn decide(&mut self, operator: &str, passes: bool, reason: &str, now: Timestamp) -> Result<(), ScreeningError> {
        self.undecided_for(operator)?;
        self.state = match passes {
            true => ScreeningState::Passed,
            false => ScreeningState::Rejected,
        };
        operator.clone_into(&mut self.decided_by);
        reason.clone_into(&mut self.reason);
        self.claimed_by.clear();
        self.decided_at = Some(now);
        Ok(())
    }

    /// The referrer says why the rejection is wrong: the case waits in the queue again.
    ///
    /// # Errors
    /// If it is not rejected, or the one appeal was made.
    pub fn appeal(&mut self, words: &str) -> Result<(), ScreeningError> {
        if self.state != ScreeningState::Rejected || !self.appeal.is_empty() {
            return Err(ScreeningError::NoAppeal);
        }
        words.clone_into(&mut self.appeal);
        self.state = ScreeningState::Appealed;
        Ok(())
    }

    /// Whether a rule may still pass it: nobody is at it.
    #[must_use]
    pub fn waits_for_rule(&self) -> bool {
        self.state == ScreeningState::Queued
    }

    fn undecided_for(&self, operator: &str) -> Result<(), ScreeningError> {
        match self.state {
            ScreeningState::Passed | ScreeningState::Rejected => Err(ScreeningError::Decided),
            ScreeningState::Claimed if self.claimed_by != operator => Err(ScreeningError::ClaimedByOther),
            _ => Ok(()),
        }
    }
}

impl ScreeningState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Claimed,
        Self::Passed,
        Self::Rejected,
        Self::Appealed,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Claimed => "CLAIMED",
            Self::Passed => "PASSED",
            Self::Rejected => "REJECTED",
            Self::Appealed => "APPEALED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_can_be_appealed_once_and_money_stays_void_until_it_passes() {
        let now = Timestamp::EPOCH;
        let mut case = ScreeningCase::open(PersonId::new(), now);
        case.claim("olga").expect("free");
        assert_eq!(case.claim("otto"), Err(ScreeningError::ClaimedByOther));
        assert_eq!(case.decide("otto", true, "", now), Err(ScreeningError::ClaimedByOther));
        assert_eq!(case.appeal("why?"), Err(ScreeningError::NoAppeal));
        case.decide("olga", false, "no such person", now).expect("hers");
        assert_eq!(case.decide("olga", true, "", now), Err(ScreeningError::Decided));
        case.appeal("there is").expect("rejected");
        assert_eq!(case.screening(), Screening::Rejected);
        case.claim("otto").expect("in the queue again");
        assert_eq!(case.screening(), Screening::Rejected, "an appeal alone changes nothing");
        case.decide("otto", false, "still none", now).expect("his");
        assert_eq!(case.appeal("once more"), Err(ScreeningError::NoAppeal));
    }
}
