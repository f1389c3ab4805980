//! The week of hourly work, and the moments that follow from it [F5, B6, F6].

use std::time::Duration;

use vouch_primitives::Timestamp;

use super::earning::AVAILABILITY_DAYS;

/// Half a day: a week is closed at noon.
const NOON: Duration = Duration::from_secs(12 * 3_600);
/// One microsecond, the smallest step of a moment.
pub const STEP: Duration = Duration::from_micros(1);

/// A week: from Monday 00:00 up to, and without, the next Monday 00:00, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(Timestamp);

impl Week {
    /// The week that this moment lies in.
    #[must_use]
    pub const fn of(moment: Timestamp) -> Self {
        Self(moment.start_of_week())
    }

    /// Its Monday 00:00: when the work of the week counts as earned, whenever in it that was done.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.0
    }

    /// The Monday 00:00 after it, which is not part of it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.0.add_days(7)
    }

    /// The week after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.end())
    }

    /// When its time is invoiced: Monday 12:00 after it. Time is written until just before.
    #[must_use]
    pub fn closes_at(self) -> Timestamp {
        self.end().saturating_add(NOON)
    }
}

/// The last microsecond in which the client may review an invoice, and dispute it: that of the fifth day after the week or period
/// that ended at `end`, which is the Friday after a week. One that was paid later than that is reviewed until its money is
/// available, five days after the payment.
#[must_use]
pub fn review_until(end: Timestamp, paid_at: Option<Timestamp>) -> Timestamp {
    let friday = end.add_days(5).saturating_sub(STEP);
    let late = paid_at.filter(|paid_at| *paid_at > friday);
    late.map_or(friday, |paid_at| {
        paid_at.add_days(AVAILABILITY_DAYS).saturating_sub(STEP)
    })
}

/// When the money for a week or period that ended at `end` is available at the earliest: ten days after its last day, which is
/// the Wednesday of the week after next [F6].
#[must_use]
pub fn available_at(end: Timestamp) -> Timestamp {
    end.add_days(9)
}

/// Whether money that can be disputed until `review_until` is available when the calendar says, and not later because the client
/// paid late.
#[must_use]
pub fn is_by_calendar(review_until: Timestamp, available: Timestamp) -> bool {
    // Five days of review and nine until the money.
    review_until.saturating_add(STEP).add_days(4) == available
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    // F5, F6, B6: an ordinary week, leap days, ends of years, and the 53rd week of 2026.
    #[test]
    fn the_moments_of_a_week_follow_from_its_monday() {
        for (moment, monday, closes, friday, wednesday) in [
            (
                "2026-03-04T10:00:00Z",
                "2026-03-02",
                "2026-03-09",
                "2026-03-13",
                "2026-03-18",
            ),
            (
                "2026-03-08T23:59:59.999999Z",
                "2026-03-02",
                "2026-03-09",
                "2026-03-13",
                "2026-03-18",
            ),
            (
                "2026-03-09T00:00:00Z",
                "2026-03-09",
                "2026-03-16",
                "2026-03-20",
                "2026-03-25",
            ),
            (
                "2028-02-29T12:00:00Z",
                "2028-02-28",
                "2028-03-06",
                "2028-03-10",
                "2028-03-15",
            ),
            (
                "2028-02-27T12:00:00Z",
                "2028-02-21",
                "2028-02-28",
                "2028-03-03",
                "2028-03-08",
            ),
            (
                "2026-12-31T00:00:00Z",
                "2026-12-28",
                "2027-01-04",
                "2027-01-08",
                "2027-01-13",
            ),
            (
                "2027-01-03T23:59:59Z",
                "2026-12-28",
                "2027-01-04",
                "2027-01-08",
                "2027-01-13",
            ),
            (
                "2024-12-30T00:00:00Z",
                "2024-12-30",
                "2025-01-06",
                "2025-01-10",
                "2025-01-15",
            ),
        ] {
            let week = Week::of(at(moment));
            assert_eq!(week.start(), at(monday), "{moment}");
            assert_eq!(week.end(), at(closes), "{moment}");
            assert_eq!(week.closes_at(), at(&format!("{closes}T12:00:00Z")), "{moment}");
            let friday = at(&format!("{friday}T23:59:59.999999Z"));
            assert_eq!(review_until(week.end(), None), friday, "{moment}");
            assert_eq!(available_at(week.end()), at(wednesday), "{moment}");
            assert_eq!(Week::of(week.end()), week.next(), "{moment}");
        }
    }

    #[test]
    fn what_is_paid_late_is_reviewed_until_it_is_available() {
        let week = Week::of(at("2026-12-31"));
        let friday = at("2027-01-08T23:59:59.999999Z");
        assert_eq!(review_until(week.end(), Some(friday)), friday);
        let saturday = friday.saturating_add(STEP);
        assert_eq!(
            review_until(week.end(), Some(saturday)),
            at("2027-01-13T23:59:59.999999Z")
        );
    }
}
