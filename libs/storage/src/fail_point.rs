//! Instants at which a test may end the process as a power cut would.
//!
//! Each lies between two steps that cannot be one: what is done before it must not be lost, and what comes after it must
//! not be done twice. Unarmed, which is always so in production, a fail point costs one load of an atomic.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Such an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailPoint {
    /// A transaction with facts is committed; nobody has been told, and the bus has not got them.
    CommittedNotPublished,
    /// The bus has acknowledged facts; the outbox still has them as waiting.
    PublishedNotMarked,
    /// The handlers have applied facts; their transaction is not committed.
    AppliedNotCommitted,
    /// Facts are applied and committed; the bus has got no acknowledgement.
    CommittedNotAcknowledged,
    /// A payment provider has answered; the answer is not written down.
    AnsweredNotRecorded,
}

/// Which fail point is armed, if any.
#[derive(Debug, Default)]
pub(crate) struct Armed(AtomicUsize);

impl FailPoint {
    /// Above zero, which stands for none.
    const fn number(self) -> usize {
        match self {
            Self::CommittedNotPublished => 1,
            Self::PublishedNotMarked => 2,
            Self::AppliedNotCommitted => 3,
            Self::CommittedNotAcknowledged => 4,
            Self::AnsweredNotRecorded => 5,
        }
    }
}

impl Armed {
    pub(crate) fn arm(&self, point: FailPoint) {
        self.0.store(point.number(), Ordering::Relaxed);
    }

    #[expect(clippy::disallowed_methods, reason = "to skip the shutdown is what it is for")]
    pub(crate) fn reached(&self, point: FailPoint) {
        if self.0.load(Ordering::Relaxed) == point.number() {
            std::process::abort();
        }
    }
}
