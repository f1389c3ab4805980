//! How many minutes of a week may be invoiced [B6].

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use vouch_primitives::Timestamp;

use super::Week;

/// The weekly limit of a contract, of all its weeks: what was agreed, and each change from its week on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeeklyLimits {
    /// The minutes that were agreed at first.
    agreed: u32,
    /// The minutes from a week on.
    changes: BTreeMap<Week, u32>,
}

impl WeeklyLimits {
    /// What was agreed, and the changes since.
    #[must_use]
    pub fn new(agreed: u32, changes: impl IntoIterator<Item = (Week, u32)>) -> Self {
        let changes = changes.into_iter().collect();
        Self { agreed, changes }
    }

    /// The minutes that may be invoiced of a week.
    #[must_use]
    pub fn in_week(&self, week: Week) -> u32 {
        let latest = self.changes.range(..=week).next_back();
        latest.map_or(self.agreed, |(_, minutes)| *minutes)
    }

    /// The change that waits for its Monday, with the first week in which it is in force.
    #[must_use]
    pub fn waiting(&self, now: Timestamp) -> Option<(Week, u32)> {
        let later = (Excluded(Week::of(now)), Unbounded);
        self.changes
            .range(later)
            .next()
            .map(|(week, minutes)| (*week, *minutes))
    }

    /// Changes the limit, and returns the first week in which this is in force: the present one if the limit is raised,
    /// the next one if it is lowered. A change that still waited is gone. `None` if nothing is different.
    pub fn change(&mut self, minutes: u32, now: Timestamp) -> Option<Week> {
        let present = Week::of(now);
        let in_force = self.in_week(present);
        let from = if minutes >= in_force { present } else { present.next() };
        if self.waiting(now).unwrap_or((present, in_force)) == (from, minutes) {
            return None;
        }
        self.changes.retain(|week, _| *week < from);
        self.changes.insert(from, minutes);
        Some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // B6
    #[test]
    fn more_is_in_force_at_once_and_less_from_next_monday() {
        let at = |text: &str| -> Timestamp { text.parse().expect("a moment") };
        let week = |text| Week::of(at(text));
        let (present, next) = (week("2026-03-02"), week("2026-03-09"));
        let (now, sunday) = (at("2026-03-04T10:00:00Z"), at("2026-03-08T23:59:59.999999Z"));
        let mut limits = WeeklyLimits::new(2_400, []);
        assert_eq!(limits.change(2_400, now), None, "it is so already");
        assert_eq!(limits.change(1_200, now), Some(next));
        assert_eq!((limits.in_week(present), limits.in_week(next)), (2_400, 1_200));
        assert_eq!(limits.change(1_200, sunday), None, "it waits already");
        // A later change takes the place of the one that waits.
        assert_eq!(limits.change(1_800, sunday), Some(next));
        assert_eq!(limits.waiting(sunday), Some((next, 1_800)));
        assert_eq!(limits.change(3_000, sunday), Some(present));
        assert_eq!(limits.waiting(sunday), None);
        assert_eq!((limits.in_week(present), limits.in_week(next)), (3_000, 3_000));
        // Over the end of a year with 53 weeks, and over a leap day.
        for (sunday, next) in [("2027-01-03T23:59:59Z", "2027-01-04"), ("2028-02-29", "2028-03-06")] {
            let mut limits = WeeklyLimits::new(2_400, []);
            let present = Week::of(at(sunday));
            assert_eq!(limits.change(60, at(sunday)), Some(week(next)));
            assert_eq!((limits.in_week(present), limits.in_week(week(next))), (2_400, 60));
            assert_eq!(limits.change(2_401, at(sunday)), Some(present));
        }
        // To what is in force: nothing waits any more.
        assert_eq!(limits.change(60, now), Some(next));
        assert_eq!(limits.change(3_000, now), Some(present));
        assert_eq!(limits.in_week(next), 3_000);
        // What has been in force stays so for the weeks that are over.
        assert_eq!(limits.change(60, at("2026-03-09")), Some(week("2026-03-16")));
        assert_eq!(limits.in_week(week("2026-02-23")), 2_400);
        assert_eq!((limits.in_week(next), limits.in_week(week("2027-01-01"))), (3_000, 60));
    }
}
