//! Standing, and whether an account is open: judged at a moment, from what is known of the changes, in whatever order
//! the news came.

use vouch_primitives::Timestamp;

/// The changes of something that is so at first: a referrer's good standing, an account that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing(Vec<(Timestamp, bool)>);

impl Standing {
    /// The standing that these changes make: from each moment on it is good, or is not. Of two changes at one moment the
    /// good one counts.
    #[must_use]
    pub fn of(changes: impl IntoIterator<Item = (Timestamp, bool)>) -> Self {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_unstable();
        Self(changes)
    }

    /// Whether it is good at this moment.
    #[must_use]
    pub fn is_good_at(&self, moment: Timestamp) -> bool {
        let last = self.0.iter().rev().find(|(from, _)| *from <= moment);
        last.is_none_or(|(_, good)| *good)
    }

    /// The standing with one more change.
    #[must_use]
    pub fn with(&self, moment: Timestamp, good: bool) -> Self {
        Self::of(self.0.iter().copied().chain([(moment, good)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_is_judged_at_a_moment_in_any_order_of_the_news() {
        let at = Timestamp::from_micros;
        let one = Standing::of([(at(10), false), (at(20), true)]);
        let other = Standing::default().with(at(20), true).with(at(10), false);
        assert_eq!(one, other);
        let judged = [9, 10, 19, 20].map(|moment| one.is_good_at(at(moment)));
        assert_eq!(judged, [true, false, false, true]);
        assert!(Standing::of([(at(5), true), (at(5), false)]).is_good_at(at(5)));
    }
}
