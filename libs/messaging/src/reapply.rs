//! Dead letters that get another chance.

use std::{error::Error, panic::AssertUnwindSafe};

use async_trait::async_trait;
use futures::FutureExt;
use tracing::Instrument;
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn, describe, describe_panic};

use crate::{
    Delivery, Receipt, Subscription, Verdict,
    batch::Batch,
    consumer::{Failure, Worker, span_of},
    dead_letter::{DeadLetter, Reason},
    inbox,
};

/// Applies dead letters again, by the same handlers and the same inbox as a delivery.
#[async_trait]
pub trait Reapply: Send + Sync {
    /// Whether there is a handler for this type.
    fn handles(&self, event_type: &str) -> bool;

    /// Applies the event of a letter as part of the running transaction, or does nothing if it was applied before. The
    /// transaction must not be committed after an error.
    ///
    /// # Errors
    /// Why it was not applied.
    async fn reapply(&self, txn: &Txn, now: Timestamp, letter: &DeadLetter) -> Result<(), NotApplied>;
}

/// Why a dead letter was not applied.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    /// The database failed, which says nothing about the letter.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The handler could not get at what it needs, which says nothing about the letter.
    #[error("{0}")]
    Outage(String),
    /// The letter was refused.
    #[error("{reason}: {error}")]
    Refused {
        /// Why it stays a dead letter.
        reason: Reason,
        /// What the decoder or the handler said.
        error: String,
    },
}

impl NotApplied {
    fn refused(reason: Reason, error: impl Into<String>) -> Self {
        let error = error.into();
        Self::Refused { reason, error }
    }
}

#[async_trait]
impl<S, E> Reapply for Worker<S, E>
where
    S: Send + Sync + 'static,
    E: Error + From<StorageError> + Send + Sync + 'static,
    for<'e> Verdict: From<&'e E>,
{
    fn handles(&self, event_type: &str) -> bool {
        self.router.route_of(event_type).is_some()
    }

    async fn reapply(&self, txn: &Txn, now: Timestamp, letter: &DeadLetter) -> Result<(), NotApplied> {
        let event = letter
            .event()
            .map_err(|error| NotApplied::refused(Reason::Malformed, error))?;
        let from = Subscription {
            producer: String::new(),
            stream: letter.stream.clone(),
            durable: self.router.service().to_owned(),
            subjects: Vec::new(),
        };
        let delivery = Delivery {
            event: Ok(event),
            attempt: letter.retries.saturating_add(2),
            sequence: letter.sequence,
            receipt: Receipt(String::new()),
        };
        let (batch, _) = Batch::prepare(&self.router, &from, vec![delivery]);
        if let Some(parked) = batch.parked.first() {
            return Err(NotApplied::refused(parked.letter.reason, &parked.letter.error));
        }
        let span = span_of(&batch, &batch.events);
        let ids: Vec<_> = batch.events.iter().map(|one| (one.event.id, one.hash)).collect();
        let attempt = async {
            let claimed = inbox::claim(txn, now, &ids).await?;
            if !claimed.clashing.is_empty() {
                return Err(NotApplied::refused(Reason::IdReused, inbox::CLASH));
            }
            for group in &batch.groups {
                let applied = group.apply(&self.state, txn, &claimed.fresh).await;
                applied.map_err(|error| not_applied(letter, &error))?;
            }
            Ok(())
        };
        match AssertUnwindSafe(attempt.instrument(span)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => Err(NotApplied::refused(Reason::Panicked, describe_panic(&*panic))),
        }
    }
}

fn not_applied<E: Error + 'static>(letter: &DeadLetter, error: &E) -> NotApplied
where
    for<'e> Verdict: From<&'e E>,
{
    match Failure::from_handler(error) {
        Failure::Outage(text) => NotApplied::Outage(text),
        // Somebody waits for the answer, and nobody tries again in their place.
        Failure::NotYet(_) => NotApplied::refused(letter.reason, format!("not yet: {}", describe(error))),
        Failure::Bad(reason, text) => NotApplied::refused(reason, text),
    }
}
