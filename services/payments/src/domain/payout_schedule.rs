//! When money is paid out by itself.

use std::time::Duration;

use vouch_primitives::{AccountId, Currency, Money, PayoutMethodId, PayoutRunId, Timestamp, Uuid};

use super::{PayoutError, PayoutMethod, PayoutMethodState, payout_method::TIME_TO_CANCEL};

/// The time of day of scheduled payouts, 12:00 UTC: what becomes available on a Wednesday, at 00:00, goes with them.
const NOON: Duration = Duration::from_secs(12 * 3_600);
/// How many days a Wednesday is after its Monday.
const WEDNESDAY: u32 = 2;

/// How often an account is paid out in one currency, and where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayoutSchedule {
    /// Whose money.
    pub account_id: AccountId,
    /// Where it goes.
    pub method_id: PayoutMethodId,
    /// How often.
    pub frequency: Frequency,
    /// The least that is worth a payout, at least the method's own minimum; in the method's currency.
    pub minimum: Money,
    /// When next; `None` if only on demand.
    pub next_at: Option<Timestamp>,
}

/// One day's payouts by schedule, of all accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayoutRun {
    /// Its id, which follows from its moment.
    pub id: PayoutRunId,
    /// The moment of the schedules.
    pub due_at: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When it had gone through all.
    pub finished_at: Option<Timestamp>,
    /// How many schedules were due as it began.
    pub due: u64,
    /// How many payouts it has made.
    pub made: u64,
    /// How many it has passed over.
    pub skipped: u64,
}

/// A schedule that a run passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutSkip {
    /// Which run.
    pub run_id: PayoutRunId,
    /// Which schedule.
    pub schedule_id: Uuid,
    /// Whose.
    pub account_id: AccountId,
    /// What was available.
    pub available: Money,
    /// Why: the reason that is told when money is asked for.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    /// Only when asked for.
    OnDemand,
    /// On Wednesdays.
    Weekly,
    /// On the last Wednesday of each calendar month.
    Monthly,
    /// On the last Wednesday of March, June, September and December.
    Quarterly,
}

impl PayoutSchedule {
    /// How long a payout by schedule can be called off, of whatever kind: it was made while nobody looked.
    pub const TIME_TO_CANCEL: Duration = TIME_TO_CANCEL;

    /// A schedule for a method, in its currency, from this moment on.
    ///
    /// # Errors
    /// [`PayoutError::NoActiveMethod`] if the method was removed; [`PayoutError::NotOffered`];
    /// [`PayoutError::OtherCurrency`] and [`PayoutError::BelowMinimum`] of the minimum.
    pub fn new(
        method: &PayoutMethod,
        frequency: Frequency,
        minimum: Option<Money>,
        now: Timestamp,
    ) -> Result<Self, PayoutError> {
        if method.state(now) == PayoutMethodState::Removed {
            return Err(PayoutError::NoActiveMethod { active_at: None });
        }
        let tariff = method.kind.tariff(method.currency).ok_or(PayoutError::NotOffered)?;
        let least = tariff.minimum(method.currency);
        let minimum = minimum.unwrap_or(least);
        if minimum.currency != least.currency {
            return Err(PayoutError::OtherCurrency { expected: least });
        }
        if minimum.minor < least.minor {
            return Err(PayoutError::BelowMinimum { minimum: least });
        }
        Ok(Self {
            account_id: method.account_id,
            method_id: method.id,
            frequency,
            minimum,
            next_at: frequency.next_after(now),
        })
    }

    /// Its id, which follows from account and currency.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let name = format!("payout-schedule/{}", self.currency());
        Uuid::new_v5(&self.account_id.as_uuid(), name.as_bytes())
    }

    /// In which currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.minimum.currency
    }
}

impl PayoutRun {
    /// The id of the run of this moment.
    #[must_use]
    pub fn id_at(due_at: Timestamp) -> PayoutRunId {
        PayoutRunId::derived(Uuid::nil(), &format!("payout-run/{}", due_at.as_micros()))
    }
}

impl Frequency {
    /// All.
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::Weekly, Self::Monthly, Self::Quarterly];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "ON_DEMAND",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Quarterly => "QUARTERLY",
        }
    }

    /// The first payout after this moment, never at it; `None` if there are none by themselves.
    #[must_use]
    pub fn next_after(self, moment: Timestamp) -> Option<Timestamp> {
        let (first, next) = match self {
            Self::OnDemand => return None,
            Self::Weekly => {
                let monday = moment.start_of_week();
                (noon(monday.add_days(WEDNESDAY)), noon(monday.add_days(7 + WEDNESDAY)))
            }
            Self::Monthly => {
                let month = moment.start_of_month();
                (last_wednesday_before(month, 1), last_wednesday_before(month, 2))
            }
            Self::Quarterly => {
                let quarter = moment.start_of_quarter();
                (last_wednesday_before(quarter, 3), last_wednesday_before(quarter, 6))
            }
        };
        Some(if first > moment { first } else { next })
    }
}

/// Noon of the last Wednesday before the first day of the month that is so many months after this one.
fn last_wednesday_before(month: Timestamp, months: u32) -> Timestamp {
    const DAY: Duration = Duration::from_secs(86_400);
    let last_day = month.add_months_clamped(months).saturating_sub(DAY);
    // The week of two days before it begins on the Monday that this Wednesday follows.
    let monday = last_day.saturating_sub(DAY * WEDNESDAY).start_of_week();
    noon(monday.add_days(WEDNESDAY))
}

fn noon(day: Timestamp) -> Timestamp {
    day.saturating_add(NOON)
}
