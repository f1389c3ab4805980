//! From the bus to the handlers.

use std::{error::Error, mem, ops::Range, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, debug, error, warn};
use vouch_primitives::Clock;
use vouch_storage::{Db, FailPoint, StorageError, Txn, describe, describe_panic, is_contended, is_transient};

use crate::{
    Bus, BusError, Delivery, Reapply, Receipt, Router, Subscription, Verdict,
    batch::{Batch, Candidate, Parked},
    dead_letter::{self, NewDeadLetter, Reason},
    inbox,
    metrics::Consuming,
    trace,
};

/// How many events one transaction applies at most, unless it is told otherwise.
const BATCH: usize = 512;

/// How long an idle consumer waits for a message before it looks whether it should stop.
const LONG_POLL: Duration = Duration::from_millis(250);

/// How long to wait for more after the first messages. It turns batches of about 70 into batches of about 440 under
/// load, for 3 ms of latency.
const LINGER: Duration = Duration::from_millis(3);

/// Applies what the bus delivers, each event once.
///
/// All that is ready, up to [`batch`](Self::batch) events, is one transaction: the ids are claimed in the inbox, the
/// handlers get what is new, one slice for each type, and the deliveries are acknowledged after the commit. When a
/// handler rejects or is not ready, the batch is halved until the event at fault stands alone: it is set aside as a dead
/// letter, or comes again later; the rest is applied. Replicas share a consumer: each gets other messages.
pub struct Consumer<S, E> {
    worker: Arc<Worker<S, E>>,
    batch: usize,
}

pub(crate) struct Worker<S, E> {
    db: Db,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    metrics: Consuming,
    pub(crate) router: Router<S, E>,
    pub(crate) state: Arc<S>,
}

/// Why a piece of a batch was not applied.
pub(crate) enum Failure {
    /// The database is at fault: nothing will work at the moment.
    Outage(String),
    /// A handler asks for another try.
    NotYet(String),
    /// An event is bad.
    Bad(Reason, String),
}

impl<S, E> Consumer<S, E>
where
    S: Send + Sync + 'static,
    E: Error + From<StorageError> + Send + Sync + 'static,
    for<'e> Verdict: From<&'e E>,
{
    /// A consumer that hands facts to the handlers of `router`, which work with `state`.
    #[must_use]
    pub fn new(db: Db, bus: Arc<dyn Bus>, clock: Arc<dyn Clock>, router: Router<S, E>, state: Arc<S>) -> Self {
        Self {
            worker: Arc::new(Worker {
                db,
                bus,
                clock,
                metrics: Consuming::new(),
                router,
                state,
            }),
            batch: BATCH,
        }
    }

    /// Applies at most so many events in one transaction, 512 unless it is said, and at least one.
    #[must_use]
    pub fn batch(self, batch: usize) -> Self {
        Self {
            batch: batch.max(1),
            ..self
        }
    }

    /// Applies dead letters by the same handlers, beside this consumer.
    #[must_use]
    pub fn reapplier(&self) -> Arc<dyn Reapply> {
        self.worker.clone()
    }

    /// Consumes from all subscriptions until `shutdown`, finishes the batches in hand and returns.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut loops = JoinSet::new();
        for from in self.worker.router.subscriptions() {
            loops.spawn(Arc::clone(&self.worker).consume(from, self.batch, shutdown.clone()));
        }
        loops.join_all().await;
        if let Err(error) = self.worker.bus.flush().await {
            debug!(
                error = describe(&error),
                "the last acknowledgements may be lost, the events will come again"
            );
        }
    }
}

impl<S, E> Worker<S, E>
where
    S: Send + Sync + 'static,
    E: Error + From<StorageError> + Send + Sync + 'static,
    for<'e> Verdict: From<&'e E>,
{
    async fn consume(self: Arc<Self>, from: Subscription, batch: usize, shutdown: CancellationToken) {
        let mut failures = 0;
        let mut in_hand = Vec::new();
        while !shutdown.is_cancelled() {
            // The next batch is fetched while this one is applied.
            let (pulled, ()) = tokio::join!(self.pull(&from, batch), self.settle_all(&from, mem::take(&mut in_hand)));
            match pulled {
                Ok(deliveries) => {
                    failures = 0;
                    in_hand = deliveries;
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        warn!(
                            stream = from.stream,
                            error = describe(&error),
                            "no events can be fetched, trying again"
                        );
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = tokio::time::sleep(delay(failures.min(5))) => {}
                    }
                }
            }
        }
        self.settle_all(&from, in_hand).await;
    }

    async fn settle_all(&self, from: &Subscription, mut deliveries: Vec<Delivery>) {
        if !deliveries.is_empty() {
            self.metrics.received(from, &deliveries);
        }
        while !deliveries.is_empty() {
            let (batch, rivals) = Batch::prepare(&self.router, from, deliveries);
            let span = batch.span.clone();
            self.settle(from, batch).instrument(span).await;
            deliveries = rivals;
        }
    }

    /// Waits for messages, then a moment for those right behind them.
    async fn pull(&self, from: &Subscription, batch: usize) -> Result<Vec<Delivery>, BusError> {
        let mut deliveries = self.bus.pull(from, batch, LONG_POLL).await?;
        if !deliveries.is_empty() && deliveries.len() < batch {
            tokio::time::sleep(LINGER).await;
            // What is in hand goes on, even if the bus has just gone.
            let more = self.bus.pull(from, batch - deliveries.len(), Duration::ZERO).await;
            deliveries.extend(more.unwrap_or_default());
        }
        Ok(deliveries)
    }

    /// Applies a batch, in pieces if it must be, and settles every delivery in it.
    async fn settle(&self, from: &Subscription, batch: Batch<S, E>) {
        self.park_unusable(from, &batch).await;
        let whole = 0..batch.events.len();
        let mut pieces = if whole.is_empty() { vec![] } else { vec![whole] };
        while let Some(piece) = pieces.pop() {
            let events = &batch.events[piece.clone()];
            let begun = Instant::now();
            let applied = self.apply(from, &batch, events).await;
            let failed = applied.as_ref().err().map(Failure::kind);
            self.metrics.processed(from, begun.elapsed(), failed);
            match applied {
                Ok(()) => {
                    self.db.reached(FailPoint::CommittedNotAcknowledged);
                    self.ack(from, receipts(events)).await;
                }
                Err(Failure::Outage(reason)) => {
                    // The pieces that are left are the rest of the batch.
                    fail(&batch.events[piece.start..], "outage");
                    warn!(
                        stream = from.stream,
                        reason, "the database failed, the events will come again"
                    );
                    self.again(from, events).await;
                    for rest in pieces.drain(..) {
                        self.again(from, &batch.events[rest]).await;
                    }
                }
                Err(_) if events.len() > 1 => pieces.extend(halves(piece)),
                Err(Failure::NotYet(reason)) => {
                    fail(events, "not_yet");
                    for one in events {
                        debug!(parent: &one.span, event.id = %one.event.id, attempt = one.attempt, reason, "not yet");
                    }
                    self.again(from, events).await;
                }
                Err(Failure::Bad(reason, text)) => {
                    fail(events, &reason.to_string());
                    self.park(from, events, reason, &text).await;
                }
            }
        }
    }

    /// Applies `events`, a part of `batch`, in one transaction.
    async fn apply(&self, from: &Subscription, batch: &Batch<S, E>, events: &[Candidate]) -> Result<(), Failure> {
        let ids: Vec<_> = events
            .iter()
            .map(|candidate| (candidate.event.id, candidate.hash))
            .collect();
        let ids = &ids;
        let work = |txn: Arc<Txn>| async move {
            let now = self.clock.now();
            let claimed = inbox::claim(&txn, now, ids).await?;
            let clashes: Vec<_> = events
                .iter()
                .filter(|candidate| claimed.clashing.contains(&candidate.event.id))
                .map(|candidate| candidate.letter(from, Reason::IdReused, inbox::CLASH.to_owned()))
                .collect();
            dead_letter::insert(&txn, now, &clashes.iter().collect::<Vec<_>>()).await?;
            for group in &batch.groups {
                group.apply(&self.state, &txn, &claimed.fresh).await?;
            }
            self.db.reached(FailPoint::AppliedNotCommitted);
            Ok::<_, E>(clashes)
        };
        let attempt = self.db.write_tx(work).instrument(span_of(batch, events));
        match AssertUnwindSafe(attempt).catch_unwind().await {
            Ok(Ok(clashes)) => {
                clashes.iter().for_each(log_set_aside);
                self.metrics.set_aside(from, &clashes.iter().collect::<Vec<_>>());
                Ok(())
            }
            Ok(Err(error)) => Err(Failure::from_handler(&error)),
            Err(panic) => Err(Failure::Bad(Reason::Panicked, describe_panic(&*panic))),
        }
    }

    /// Sets aside what `prepare` found to be unusable.
    async fn park_unusable(&self, from: &Subscription, batch: &Batch<S, E>) {
        batch.parked.iter().for_each(|parked| log_set_aside(&parked.letter));
        self.bury(from, &batch.parked).await;
    }

    async fn park(&self, from: &Subscription, events: &[Candidate], reason: Reason, text: &str) {
        for one in events {
            error!(parent: &one.span, event.id = %one.event.id, %reason, error = text, "event set aside");
        }
        let parked: Vec<_> = events
            .iter()
            .map(|one| one.parked(from, reason, text.to_owned()))
            .collect();
        self.bury(from, &parked).await;
    }

    /// Writes dead letters, then acknowledges. If they cannot be written together each is tried by itself, and what
    /// fails alone comes again.
    async fn bury(&self, from: &Subscription, parked: &[Parked]) {
        if parked.is_empty() || self.bury_together(from, parked).await.is_ok() {
            return;
        }
        for one in parked {
            if let Err(error) = self.bury_together(from, std::slice::from_ref(one)).await {
                warn!(
                    event.id = one.letter.message_id,
                    error = describe(&error),
                    "a dead letter could not be written, the event will come again"
                );
                self.nak(from, &one.receipts, delay(one.attempt)).await;
            }
        }
    }

    async fn bury_together(&self, from: &Subscription, parked: &[Parked]) -> Result<(), StorageError> {
        let letters = &parked.iter().map(|one| &one.letter).collect::<Vec<_>>();
        let write = |txn: Arc<Txn>| async move { dead_letter::insert(&txn, self.clock.now(), letters).await };
        self.db.write_tx(write).await?;
        self.metrics.set_aside(from, letters);
        let receipts = parked.iter().flat_map(|one| one.receipts.iter().cloned()).collect();
        self.ack(from, receipts).await;
        Ok(())
    }

    async fn ack(&self, from: &Subscription, receipts: Vec<Receipt>) {
        if let Err(error) = self.bus.ack(from, &receipts).await {
            debug!(
                error = describe(&error),
                "acknowledgements may be lost, the events will come again and be ignored"
            );
        }
    }

    /// Asks for another delivery, each event after a time that grows with its deliveries so far.
    async fn again(&self, from: &Subscription, events: &[Candidate]) {
        for same in events.chunk_by(|one, next| one.attempt == next.attempt) {
            self.nak(from, &receipts(same), delay(same[0].attempt)).await;
        }
    }

    async fn nak(&self, from: &Subscription, receipts: &[Receipt], delay: Duration) {
        if let Err(error) = self.bus.nak(from, receipts, delay).await {
            debug!(
                error = describe(&error),
                "the events will come again when the bus misses their acknowledgement"
            );
        }
    }
}

impl Failure {
    /// Which of few kinds it is, for the metrics.
    fn kind(&self) -> &'static str {
        match self {
            Self::Outage(_) => "outage",
            Self::NotYet(_) => "not_yet",
            Self::Bad(..) => "bad",
        }
    }

    pub(crate) fn from_handler<E: Error + 'static>(error: &E) -> Self
    where
        for<'e> Verdict: From<&'e E>,
    {
        match Verdict::from(error) {
            // Rows that somebody else has are no reason to hold up the events that have nothing to do with them.
            Verdict::Retry if is_transient(error) && !is_contended(error) => Self::Outage(describe(error)),
            Verdict::Retry => Self::NotYet(describe(error)),
            Verdict::Reject(reason) => Self::Bad(Reason::Rejected, reason),
        }
    }
}

fn log_set_aside(letter: &NewDeadLetter) {
    error!(event.id = letter.message_id, reason = %letter.reason, error = letter.error, "event set aside");
}

/// Where handlers work: in the message's own span if there is one message only, so that its trace goes on by itself;
/// in the batch's span if there are more.
pub(crate) fn span_of<S, E>(batch: &Batch<S, E>, events: &[Candidate]) -> Span {
    match events {
        [one] if !one.span.is_none() => one.span.clone(),
        _ => batch.span.clone(),
    }
}

fn fail(events: &[Candidate], why: &str) {
    events.iter().for_each(|one| trace::fail(&one.span, why));
}

fn receipts(events: &[Candidate]) -> Vec<Receipt> {
    events.iter().flat_map(|one| one.receipts.iter().cloned()).collect()
}

/// The two halves of a piece, the first one last: pieces are taken from the end.
fn halves(piece: Range<usize>) -> [Range<usize>; 2] {
    let middle = piece.start.midpoint(piece.end);
    [middle..piece.end, piece.start..middle]
}

/// 50 ms, doubled with each attempt, at most 30 s.
fn delay(attempt: u32) -> Duration {
    Duration::from_millis(25 << attempt.min(11)).min(Duration::from_secs(30))
}
