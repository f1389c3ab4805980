//! The match signal: how strongly the referrals of a person speak for them [R28, R33]. It is bounded, made of parts that can
//! be told one by one, orders search results, and alters no rating.

/// The strongest signal, in basis points.
pub const HIGHEST: u32 = 10_000;

/// What passing screening, being hired and staying are worth to whoever was vouched for.
const SCREENED: u32 = 3_000;
const HIRED: u32 = 2_000;
const STAYED: u32 = 2_000;

/// What good referrals of one's own come to at most: each next one adds less.
const VOUCHING: u32 = 3_000;

/// What is known of somebody's referrals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatchFacts {
    /// Somebody vouched for them, and they have passed screening.
    pub screened: bool,
    /// And were hired since.
    pub hired: bool,
    /// And their account was open when their bonus window ended.
    pub stayed: bool,
    /// How many whom they vouched for were screened, hired, and stayed.
    pub good_referrals: u32,
}

/// The parts of a signal, in basis points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatchSignal {
    /// For having passed screening.
    pub screened: u32,
    /// For having been hired.
    pub hired: u32,
    /// For having stayed.
    pub stayed: u32,
    /// For good referrals of their own.
    pub vouching: u32,
}

impl MatchFacts {
    /// The signal. Whoever was rejected, or not decided upon, has nothing from having been referred.
    #[must_use]
    pub fn signal(&self) -> MatchSignal {
        let part = |is_so: bool, worth: u32| if self.screened && is_so { worth } else { 0 };
        let good = u64::from(self.good_referrals);
        // 0, 750, 1,200, 1,500 and so on, never all of it.
        let vouching = u64::from(VOUCHING) * good / (good + 3);
        MatchSignal {
            screened: part(true, SCREENED),
            hired: part(self.hired, HIRED),
            stayed: part(self.hired && self.stayed, STAYED),
            vouching: u32::try_from(vouching).unwrap_or(VOUCHING),
        }
    }
}

impl MatchSignal {
    /// The whole signal, at most [`HIGHEST`].
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.screened + self.hired + self.stayed + self.vouching
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> impl Strategy<Value = MatchFacts> {
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<u32>()).prop_map(|(screened, hired, stayed, good)| {
            MatchFacts {
                screened,
                hired,
                stayed,
                good_referrals: good,
            }
        })
    }

    proptest! {
        // R28, R33
        #[test]
        fn the_signal_is_bounded_and_grows_with_each_good_thing(facts in facts()) {
            let total = facts.signal().total();
            prop_assert!(total <= HIGHEST);
            let more = [
                MatchFacts { screened: true, ..facts },
                MatchFacts { hired: true, ..facts },
                MatchFacts { stayed: true, ..facts },
                MatchFacts { good_referrals: facts.good_referrals.saturating_add(1), ..facts },
            ];
            for more in more {
                prop_assert!(more.signal().total() >= total, "{more:?}");
            }
            let rejected = MatchFacts { screened: false, ..facts };
            prop_assert_eq!(rejected.signal().total(), rejected.signal().vouching);
        }
    }

    #[test]
    fn the_parts_are_what_the_page_says() {
        let whole = MatchFacts {
            screened: true,
            hired: true,
            stayed: true,
            good_referrals: 1,
        };
        let parts = whole.signal();
        assert_eq!(
            (parts.screened, parts.hired, parts.stayed, parts.vouching),
            (3_000, 2_000, 2_000, 750)
        );
    }
}
