//! Limits on clicks, so that nobody fills the books with them.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use vouch_primitives::Timestamp;

const MINUTE: i64 = 60_000_000;

/// So many codes and visitors are counted in a minute; what nobody has named before is refused then. Visitors name themselves, so
/// that there is no end to their names.
const NAMES: usize = 1_000_000;

/// How many clicks are taken in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TouchLimits {
    /// On the links of one code.
    pub per_code: u32,
    /// By one visitor.
    pub per_visitor: u32,
}

/// Counts clicks by what they name, whether there is such a thing or not: being refused tells nobody what exists.
#[derive(Debug, Default)]
pub struct TouchCounts {
    limits: TouchLimits,
    names: usize,
    minute: i64,
    /// By the hash of what was named, under a key of this program's run: a name may be long.
    used: HashMap<u64, u32>,
    hasher: RandomState,
}

impl TouchCounts {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(limits: TouchLimits) -> Self {
        Self {
            limits,
            names: NAMES,
            ..Self::default()
        }
    }

    /// Counts a click, unless there were too many in this minute.
    pub fn take(&mut self, now: Timestamp, code: &str, visitor: &str) -> bool {
        let minute = now.as_micros().div_euclid(MINUTE);
        if self.minute != minute {
            self.minute = minute;
            self.used.clear();
        }
        let names = [
            (self.hasher.hash_one(("code", code)), self.limits.per_code),
            (self.hasher.hash_one(("visitor", visitor)), self.limits.per_visitor),
        ];
        let room = |(name, limit): &(u64, u32)| match self.used.get(name) {
            Some(used) => used < limit,
            None => self.used.len() < self.names,
        };
        if !names.iter().all(room) {
            return false;
        }
        for (name, _) in names {
            *self.used.entry(name).or_default() += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_anybody_invents_come_to_an_end() {
        let mut counts = TouchCounts::new(TouchLimits {
            per_code: 100,
            per_visitor: 100,
        });
        counts.names = 3;
        let now = Timestamp::from_micros(0);
        let taken = ["a", "b", "c", "d", "a"].map(|visitor| counts.take(now, "CODE", visitor));
        assert_eq!(taken, [true, true, false, false, true], "a code and two visitors");
        assert_eq!(counts.used.len(), 3);
        assert!(counts.take(Timestamp::from_micros(MINUTE), "CODE", "c"));
    }

    #[test]
    fn a_code_and_a_visitor_have_so_many_clicks_in_a_minute() {
        let mut counts = TouchCounts::new(TouchLimits {
            per_code: 3,
            per_visitor: 2,
        });
        let now = Timestamp::from_micros(0);
        let taken = ["a", "a", "a", "b", "c"].map(|visitor| counts.take(now, "CODE", visitor));
        assert_eq!(taken, [true, true, false, true, false]);
        assert!(counts.take(now, "OTHER", "b"), "another code has its own");
        assert!(
            counts.take(Timestamp::from_micros(MINUTE), "CODE", "a"),
            "a minute later"
        );
    }
}
