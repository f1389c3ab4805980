//! Tasks: what has to be done and confirmed before an offer can be accepted [B20-B25, F16].
//!
//! ```text
//! TODO ── start ──► STARTED ── submit ──► SUBMITTED ── approve ──► APPROVED
//!                      ▲                   │    └───── reject ──► REJECTED(reason)
//!                      └─────── start ─────┼──────────────────────────┘
//!                    (no review is needed) └► APPROVED
//! ```

use std::{error::Error, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use vouch_primitives::{CaseId, TaskId, Timestamp};

use super::{Form, Submission, form::Flaw, template::TemplateVersion};

/// How long a reviewer has a task to themselves.
pub const CLAIM_LASTS: Duration = Duration::from_secs(30 * 60);
/// After how many days a classification that failed may be tried again [default].
pub const CLASSIFICATION_RETRY_DAYS: u32 = 60;
/// How long the reason of a rejection may be, in characters.
pub const REJECTION_LENGTH: RangeInclusive<usize> = 1..=1_000;

/// Something to be done on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Of which case.
    pub case_id: CaseId,
    /// The version of the template that it was made from; what it asks for never changes after that.
    pub template: TemplateVersion,
    /// Who has to do it [B25].
    pub owner: Owner,
    /// What it is called.
    pub title: String,
    /// Why the case has it.
    pub why: String,
    /// What it asks for.
    pub form: Arc<Form>,
    /// Whether somebody looks at what is handed in [B24].
    pub reviewed: bool,
    /// Before this moment it cannot be started: an earlier classification has failed.
    pub not_before: Option<Timestamp>,
    /// Where it stands.
    pub state: TaskState,
    /// Since when it has stood there.
    pub since: Timestamp,
    /// What was handed in last.
    pub submission: Option<Submission>,
    /// When that was; for an answer that was reused, when it was given first.
    pub submitted_at: Option<Timestamp>,
}

/// Who has to do a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// Whoever is being onboarded.
    Talent,
    /// The client that invited.
    Client,
    /// Those who run this Vouch.
    Platform,
}

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Nobody has begun.
    Todo,
    /// Somebody has chosen Start Task [B22].
    Started,
    /// It was handed in and waits for review [B24].
    Submitted(Option<Claim>),
    /// It is confirmed.
    Approved(Approval),
    /// It has to be done again, for this reason.
    Rejected(String),
}

/// A reviewer has a task to themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub reviewer: String,
    /// Until when.
    pub until: Timestamp,
}

/// How a task came to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It needs no review.
    Automatic,
    /// A reviewer, by name.
    Reviewer(String),
    /// The answer was given in this earlier task, and is still valid.
    Reused(TaskId),
}

/// What a reviewer says of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Approve,
    /// It has to be done again, for this reason; a classification not before its time.
    Reject(String),
}

/// Why a task stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskRefusal {
    /// It is somebody else's to do.
    NotYours(Owner),
    /// It has to be started first [B22].
    NotStarted,
    /// It was handed in, and waits for review.
    UnderReview,
    /// It is confirmed.
    Confirmed,
    /// An earlier classification has failed; it may be tried again from this moment on.
    TooSoon(Timestamp),
    /// What was handed in is not what the task asks for.
    Flawed(Vec<Flaw>),
    /// Nothing waits for review.
    NotSubmitted,
    /// Another reviewer has it.
    ClaimedByAnother,
    /// It has to be claimed first.
    NotClaimed,
}

impl Task {
    /// Begins it [B22], or begins again after a rejection. Beginning again is a normal outcome.
    ///
    /// # Errors
    /// If it is not this owner's, is handed in or confirmed, or cannot be tried again yet.
    pub fn start(&mut self, by: Owner, now: Timestamp) -> Result<(), TaskRefusal> {
        self.expect_owner(by)?;
        match &self.state {
            TaskState::Submitted(_) => Err(TaskRefusal::UnderReview),
            TaskState::Approved(_) => Err(TaskRefusal::Confirmed),
            TaskState::Started => Ok(()),
            TaskState::Todo | TaskState::Rejected(_) => match self.not_before {
                Some(moment) if now < moment => Err(TaskRefusal::TooSoon(moment)),
                _ => {
                    self.stand(TaskState::Started, now);
                    Ok(())
                }
            },
        }
    }

    /// Hands in what it asks for; without a review it is confirmed at once.
    ///
    /// # Errors
    /// If it is not this owner's, was not started, is handed in or confirmed, or asks for something else.
    pub fn submit(&mut self, by: Owner, submission: Submission, now: Timestamp) -> Result<(), TaskRefusal> {
        self.expect_owner(by)?;
        match &self.state {
            TaskState::Submitted(_) => return Err(TaskRefusal::UnderReview),
            TaskState::Approved(_) => return Err(TaskRefusal::Confirmed),
            TaskState::Todo | TaskState::Rejected(_) => return Err(TaskRefusal::NotStarted),
            TaskState::Started => {}
        }
        let flaws = self.form.flaws(&submission);
        if !flaws.is_empty() {
            return Err(TaskRefusal::Flawed(flaws));
        }
        self.submission = Some(submission);
        self.submitted_at = Some(now);
        let state = if self.reviewed {
            TaskState::Submitted(None)
        } else {
            TaskState::Approved(Approval::Automatic)
        };
        self.stand(state, now);
        Ok(())
    }

    /// Takes it for review, for half an hour. Taking it again lengthens the time.
    ///
    /// # Errors
    /// If nothing waits for review, or another reviewer has it.
    pub fn claim(&mut self, reviewer: &str, now: Timestamp) -> Result<(), TaskRefusal> {
        let TaskState::Submitted(claim) = &mut self.state else {
            return Err(TaskRefusal::NotSubmitted);
        };
        match claim {
            Some(claim) if claim.reviewer != reviewer && now < claim.until => Err(TaskRefusal::ClaimedByAnother),
            _ => {
                *claim = Some(Claim {
                    reviewer: reviewer.to_owned(),
                    until: now.saturating_add(CLAIM_LASTS),
                });
                Ok(())
            }
        }
    }

    /// Says what came of the review, as the reviewer who has claimed it.
    ///
    /// # Errors
    /// If nothing waits for review, or it is not claimed by this reviewer.
    pub fn decide(&mut self, reviewer: &str, verdict: Verdict, now: Timestamp) -> Result<(), TaskRefusal> {
        match &self.state {
            TaskState::Submitted(Some(claim)) if claim.reviewer == reviewer && now < claim.until => {}
            TaskState::Submitted(Some(claim)) if now < claim.until => return Err(TaskRefusal::ClaimedByAnother),
            TaskState::Submitted(_) => return Err(TaskRefusal::NotClaimed),
            _ => return Err(TaskRefusal::NotSubmitted),
        }
        let state = match verdict {
            Verdict::Approve => TaskState::Approved(Approval::Reviewer(reviewer.to_owned())),
            Verdict::Reject(reason) => {
                if self.form.is_classification() {
                    self.not_before = Some(now.add_days(CLASSIFICATION_RETRY_DAYS));
                }
                TaskState::Rejected(reason)
            }
        };
        self.stand(state, now);
        Ok(())
    }

    /// Takes over the answer of an earlier task, if that is still valid [default]: an answer to the same version of the same
    /// template, confirmed, and given not too long ago. A classification is made anew for each contract.
    pub fn reuse(&mut self, earlier: &Self, valid_days: u32, now: Timestamp) -> bool {
        let given = earlier.submitted_at.map(|given| given.add_days(valid_days));
        let valid = valid_days > 0
            && !self.form.is_classification()
            && self.owner == Owner::Talent
            && earlier.template == self.template
            && matches!(earlier.state, TaskState::Approved(_))
            && given.is_some_and(|end| now < end);
        if valid {
            self.submission.clone_from(&earlier.submission);
            self.submitted_at = earlier.submitted_at;
            self.stand(TaskState::Approved(Approval::Reused(earlier.id)), now);
        }
        valid
    }

    /// Whether it is confirmed.
    #[must_use]
    pub const fn is_confirmed(&self) -> bool {
        matches!(self.state, TaskState::Approved(_))
    }

    /// Whom it waits for; nobody if it is confirmed [B25].
    #[must_use]
    pub const fn waits_for(&self) -> Option<Owner> {
        match self.state {
            TaskState::Approved(_) => None,
            TaskState::Submitted(_) => Some(Owner::Platform),
            TaskState::Todo | TaskState::Started | TaskState::Rejected(_) => Some(self.owner),
        }
    }

    /// Whether the client of the case is shown what was handed in: of its own tasks always, of the talent's when they are
    /// confirmed, and then agreements and uploads alone [B20, B21]. Answers, classifications and proofs of identity are
    /// between the talent and the platform.
    #[must_use]
    pub fn is_shown_to_client(&self) -> bool {
        match self.owner {
            Owner::Client => true,
            Owner::Talent => self.is_confirmed() && matches!(*self.form, Form::Agreement(_) | Form::DocumentUpload(_)),
            Owner::Platform => false,
        }
    }

    fn expect_owner(&self, by: Owner) -> Result<(), TaskRefusal> {
        if self.owner == by {
            Ok(())
        } else {
            Err(TaskRefusal::NotYours(self.owner))
        }
    }

    fn stand(&mut self, state: TaskState, now: Timestamp) {
        self.state = state;
        self.since = now;
    }
}

impl Owner {
    /// Its name, as in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Talent => "TALENT",
            Self::Client => "CLIENT",
            Self::Platform => "PLATFORM",
        }
    }
}

impl fmt::Display for TaskRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYours(owner) => write!(f, "the task is the {}'s to do", owner.as_str().to_lowercase()),
            Self::NotStarted => f.write_str("the task has to be started first"),
            Self::UnderReview => f.write_str("the task is handed in and waits for review"),
            Self::Confirmed => f.write_str("the task is confirmed"),
            Self::TooSoon(moment) => write!(f, "the classification may be tried again from {moment} on"),
            Self::Flawed(_) => f.write_str("what was handed in is not what the task asks for"),
            Self::NotSubmitted => f.write_str("nothing waits for review"),
            Self::ClaimedByAnother => f.write_str("another reviewer has the task"),
            Self::NotClaimed => f.write_str("the task has to be claimed first"),
        }
    }
}

impl Error for TaskRefusal {}

#[cfg(test)]
mod tests;
