//! The clock of one service: the process clock, or a test clock that the operations service moves.

use std::fmt;
use std::sync::Arc;

use vouch_primitives::{Clock, SystemClock, TestClock, Timestamp};
use vouch_storage::{Db, StorageError, test_clock};

use crate::config::ClockConfig;

/// Where a service gets its time from. Clones share the clock.
#[derive(Clone)]
pub struct ServiceClock {
    clock: Arc<dyn Clock>,
    test: Option<Arc<TestClock>>,
}

impl ServiceClock {
    /// The process clock.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            test: None,
        }
    }

    /// A test clock, which several services of one process may share.
    pub fn test(clock: Arc<TestClock>) -> Self {
        Self {
            clock: clock.clone(),
            test: Some(clock),
        }
    }

    /// The clock that the configuration asks for. A test clock goes on from where the database saw it last, the first
    /// time from `clock.start`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(config: &ClockConfig, db: &Db) -> Result<Self, StorageError> {
        if !config.test {
            return Ok(Self::system());
        }
        let now = match test_clock::load(db.reader()).await? {
            Some(saved) => saved,
            None => {
                // Validated with the configuration.
                let start: Timestamp = config.start.parse().unwrap_or_else(|_| SystemClock.now());
                db.write_tx(|txn| async move { test_clock::save(&txn, start).await })
                    .await?;
                start
            }
        };
        tracing::warn!(%now, "the test clock is on: this is no place for production");
        Ok(Self::test(Arc::new(TestClock::new(now))))
    }

    /// The clock, for whoever asks the time.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The test clock, if it is one.
    pub fn as_test(&self) -> Option<Arc<TestClock>> {
        self.test.clone()
    }
}

impl fmt::Debug for ServiceClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClock")
            .field("now", &self.clock.now())
            .field("test", &self.test.is_some())
            .finish()
    }
}
