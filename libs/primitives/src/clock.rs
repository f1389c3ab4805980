//! Where "now" comes from. Rules take the time as an argument; only the edge asks a clock.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::Timestamp;

/// The only source of "now". Two implementations: the process clock, and a test clock that is moved by hand.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The clock of the process, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the process clock is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from_system_time(std::time::SystemTime::now())
    }
}

/// A clock that stands still until it is moved, and never moves backwards.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

/// A test clock was asked to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the test clock is at {now} and cannot go back to {asked}")]
pub struct ClockWentBack {
    /// Where the clock stands.
    pub now: Timestamp,
    /// The earlier moment that was asked for.
    pub asked: Timestamp,
}

impl TestClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_micros()))
    }

    /// Moves the clock to `to`; the same moment again is fine.
    ///
    /// # Errors
    /// If `to` lies before the present moment.
    pub fn set(&self, to: Timestamp) -> Result<(), ClockWentBack> {
        self.0
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                (to.as_micros() >= now).then_some(to.as_micros())
            })
            .map(drop)
            .map_err(|now| ClockWentBack {
                now: Timestamp::from_micros(now),
                asked: to,
            })
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_clock_never_goes_back() {
        let clock = TestClock::new(Timestamp::from_micros(10));
        assert_eq!(clock.set(Timestamp::from_micros(20)), Ok(()));
        assert_eq!(clock.set(Timestamp::from_micros(20)), Ok(()));
        let refused = ClockWentBack {
            now: Timestamp::from_micros(20),
            asked: Timestamp::from_micros(19),
        };
        assert_eq!(clock.set(Timestamp::from_micros(19)), Err(refused));
        assert_eq!(clock.now(), Timestamp::from_micros(20));
    }
}
