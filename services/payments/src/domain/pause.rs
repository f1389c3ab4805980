//! The times in which no work goes on under a contract.

use vouch_primitives::Timestamp;

use super::Span;

/// A time in which a contract was paused, or still is, by people or for want of a payment: no hour that is worked in it is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub from: Timestamp,
    /// When work went on, the client had paid, or the contract ended; `None` while it is paused.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether some of this time lies in it.
    #[must_use]
    pub fn meets(&self, span: Span) -> bool {
        span.end() > self.from && self.until.is_none_or(|until| span.start() < until)
    }
}
