//! Time worked by the hour [F5, B6].

use std::time::Duration;

use vouch_primitives::{AccountId, ClientId, ContractId, InvoiceId, PersonId, TimeEntryId, Timestamp};

use super::{Contract, ContractError, ContractState, Invoice, Pause, Pay, Week, invoice::worth_rounded_down};

/// How many entries of one week a contract may have.
pub const MOST_ENTRIES: usize = 500;

/// Whole minutes of one week: from `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    start: Timestamp,
    end: Timestamp,
}

/// Why this is not a span of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Time is counted in whole minutes.
    #[error("must be a whole minute")]
    NotWholeMinutes,
    /// It ends before it begins, or as it does.
    #[error("must be after the start")]
    Empty,
    /// Nobody works for longer in one go.
    #[error("must be at most 24 hours after the start")]
    TooLong,
    /// The two parts are invoiced on two Mondays: they are two entries.
    #[error("must be in the week of the start, which ends on Monday 00:00 UTC")]
    TwoWeeks,
}

/// Time that was worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// Its id.
    pub id: TimeEntryId,
    /// Under which contract.
    pub contract_id: ContractId,
    /// By whom.
    pub person_id: PersonId,
    /// The account that is paid.
    pub account_id: AccountId,
    /// Who pays.
    pub client_id: ClientId,
    /// From when to when.
    pub span: Span,
    /// Whether a tracker has measured it.
    pub tracked: bool,
    /// What was done; may be empty.
    pub description: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What else is written of the week of an entry, under its contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// How many entries.
    pub entries: usize,
    /// Their minutes, all together.
    pub minutes: u64,
}

/// Why time cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The contract refuses it.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// No work went on under the contract then.
    #[error("the contract was paused from {from} on")]
    WhilePaused {
        /// Since when it was.
        from: Timestamp,
    },
    /// Nobody works any more once the contract has ended.
    #[error("the contract ended at {at}")]
    AfterEnd {
        /// When it did.
        at: Timestamp,
    },
    /// Work is written once it is done.
    #[error("the time is not over yet")]
    InFuture,
    /// Nothing is billed for time before the contract.
    #[error("no time before {from} is billed under the contract")]
    BeforeContract {
        /// When the contract began, and work might begin.
        from: Timestamp,
    },
    /// The week is invoiced, or about to be.
    #[error("the week was closed at {at}")]
    WeekClosed {
        /// The Monday noon after it.
        at: Timestamp,
    },
    /// Nobody works twice at a time.
    #[error("the person has written that time already: time entry {other}")]
    Overlaps {
        /// One entry of the same person, of any contract.
        other: TimeEntryId,
    },
    /// The week has as many entries as it may have.
    #[error("the week has {MOST_ENTRIES} time entries, and may not have more")]
    TooMany,
}

impl Span {
    /// The longest one.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);

    /// The whole minutes from `start` to `end`.
    ///
    /// # Errors
    /// If these are none, or more than 24 hours, or of two weeks.
    pub fn try_new(start: Timestamp, end: Timestamp) -> Result<Self, SpanError> {
        if !start.is_whole_minute() || !end.is_whole_minute() {
            return Err(SpanError::NotWholeMinutes);
        }
        if end <= start {
            return Err(SpanError::Empty);
        }
        if end.since(start) > Self::LONGEST {
            return Err(SpanError::TooLong);
        }
        if end > Week::of(start).end() {
            return Err(SpanError::TwoWeeks);
        }
        Ok(Self { start, end })
    }

    /// Its first moment.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The moment after it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Its week.
    #[must_use]
    pub const fn week(self) -> Week {
        Week::of(self.start)
    }

    /// How many minutes it has, 1 to 1,440.
    #[must_use]
    pub fn minutes(self) -> u32 {
        let minutes = self.end.since(self.start).as_secs() / 60;
        u32::try_from(minutes).unwrap_or(u32::MAX)
    }
}

impl TimeEntry {
    /// The id of the invoice that its week becomes.
    #[must_use]
    pub fn invoice_id(&self) -> InvoiceId {
        Invoice::id_of(self.contract_id, self.span.week())
    }

    /// Whether this time may be written at `now` under its contract, which was paused at these times and held up at those by
    /// charges that had failed, and whose week has these `others`. What counts is whether work went on when it was done, not
    /// when it is written.
    ///
    /// # Errors
    /// If the contract takes no time or not this one, the time is not over, or its week is closed, full, or would be worth more
    /// than may be paid at once.
    pub fn check(
        &self,
        contract: &Contract,
        (pauses, holds): (&[Pause], &[Pause]),
        others: Others,
        now: Timestamp,
    ) -> Result<(), TimeError> {
        let Pay::Hourly { rate, .. } = contract.pay else {
            return Err(ContractError::NotHourly.into());
        };
        self.check_open(now)?;
        if self.span.end > now {
            return Err(TimeError::InFuture);
        }
        let from = contract.begins_at();
        if self.span.start < from {
            return Err(TimeError::BeforeContract { from });
        }
        if let Some(pause) = pauses.iter().find(|pause| pause.meets(self.span)) {
            return Err(TimeError::WhilePaused { from: pause.from });
        }
        if let Some(hold) = holds.iter().find(|hold| hold.meets(self.span)) {
            let is_over = hold.until.is_some();
            return Err(if is_over {
                TimeError::WhilePaused { from: hold.from }
            } else {
                ContractError::Unpaid.into()
            });
        }
        match &contract.state {
            ContractState::Ended(halt) if self.span.end > halt.at => {
                return Err(TimeError::AfterEnd { at: halt.at });
            }
            _ => {}
        }
        if others.entries >= MOST_ENTRIES {
            return Err(TimeError::TooMany);
        }
        // Whatever the limit is on Monday, the invoice can be made.
        Ok(contract.check_amount(worth_rounded_down(
            others.minutes + u64::from(self.span.minutes()),
            rate,
        ))?)
    }

    /// Whether its week is open at `now`: at Monday 12:00 it no longer is.
    ///
    /// # Errors
    /// If it is closed.
    pub fn check_open(&self, now: Timestamp) -> Result<(), TimeError> {
        let at = self.span.week().closes_at();
        if now >= at {
            return Err(TimeError::WeekClosed { at });
        }
        Ok(())
    }

    /// Says something else of when and what. Other times than those that a tracker has measured are written by hand.
    pub fn rewrite(&mut self, span: Span, description: String) {
        self.tracked &= self.span == span;
        (self.span, self.description) = (span, description);
    }
}
