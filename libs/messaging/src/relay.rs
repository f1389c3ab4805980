//! From the outbox to the bus.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, FromQueryResult, Order, QueryFilter,
    sea_query::{Expr, LockBehavior, LockType, Query, SelectStatement},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, debug, warn};
use vouch_primitives::{Clock, EventId, SystemClock, Timestamp, Uuid};
use vouch_storage::{Claim, Db, FailPoint, StorageError, Wake, describe};

use crate::{
    Bus, BusError, Envelope,
    envelope::{producer_of, source_of},
    metrics::Publishing,
    outbox::waiting,
    trace,
};

/// How many events are on their way to the bus at a time, unless it is told otherwise.
const BATCH: u64 = 512;

/// How long an event of another process may wait for this one to look.
const POLL: Duration = Duration::from_millis(200);

/// Publishes what the outbox holds. Several replicas may run on one PostgreSQL database: each takes rows that no other
/// one has; on SQLite there is one process.
///
/// A row leaves `outbox_pending` only after the bus has acknowledged its event, so whoever dies in between leaves
/// events that are published again. Rows are taken by their state, never by a cursor over ids: an id that becomes
/// visible late is still found.
pub struct Relay {
    db: Db,
    bus: Arc<dyn Bus>,
    /// Retries towards the bus take real time, even where business time stands still.
    clock: SystemClock,
    metrics: Publishing,
    batch: u64,
}

/// Events that the bus has answered for, which their rows do not tell yet.
struct Answered {
    claim: Claim,
    /// The lowest and the highest id.
    range: (Uuid, Uuid),
    published: Vec<Uuid>,
    /// By the attempts before this one and the error.
    failed: HashMap<(i32, String), Vec<Uuid>>,
}

#[derive(FromQueryResult)]
struct Row {
    event_id: Uuid,
    attempts: i32,
    event_type: String,
    aggregate_id: Uuid,
    payload: Vec<u8>,
    traceparent: Option<String>,
    created_at: i64,
}

impl Relay {
    /// A relay from the outbox in `db` to `bus`.
    #[must_use]
    pub fn new(db: Db, bus: Arc<dyn Bus>) -> Self {
        Self {
            db,
            bus,
            clock: SystemClock,
            metrics: Publishing::new(),
            batch: BATCH,
        }
    }

    /// Publishes at most so many events at a time, 512 unless it is said, and at least one.
    #[must_use]
    pub fn batch(self, batch: u64) -> Self {
        Self {
            batch: Ord::max(batch, 1),
            ..self
        }
    }

    /// Publishes until `shutdown`, then makes one last pass and returns.
    pub async fn run(self, shutdown: CancellationToken) {
        let wake = self.db.wakeup(Wake::Outbox);
        let (mut failures, mut answered) = (0, None::<Answered>);
        loop {
            let last = shutdown.is_cancelled();
            let range = answered.as_ref().map(|batch| batch.range);
            let pause = if answered.as_ref().is_some_and(|batch| !batch.failed.is_empty()) {
                retry_after(1)
            } else {
                POLL
            };
            // The answers are noted while the next events are on their way.
            let (next, noted) = tokio::join!(self.publish_due(range), self.note(answered));
            let stuck = match (&next, &noted) {
                (Ok(None), Ok(())) => false,
                (Ok(Some(batch)), Ok(())) => batch.published.is_empty(),
                (Err(error), _) | (_, Err(error)) => {
                    warn!(error = describe(error), "the relay cannot read or write its outbox");
                    true
                }
            };
            failures = if stuck { failures + 1 } else { 0 };
            answered = next.unwrap_or_default();
            if answered.is_some() && !stuck && !last {
                continue;
            }
            if let Err(error) = self.note(answered.take()).await {
                warn!(error = describe(&error), "the relay cannot write its outbox");
            }
            if last {
                return;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = wake.notified(), if !stuck => {}
                () = tokio::time::sleep(if stuck { retry_after(failures) } else { pause }) => {}
            }
        }
    }

    /// Publishes what is due and not in the range of `except`, whose rows are about to change.
    async fn publish_due(&self, except: Option<(Uuid, Uuid)>) -> Result<Option<Answered>, StorageError> {
        if !self.bus.is_connected() {
            return Ok(None);
        }
        // Most looks find nothing, and a look is cheaper than a claim.
        let waits = waiting::Entity::find().filter(self.is_due(except));
        if waits.one(self.db.reader()).await?.is_none() {
            return Ok(None);
        }
        let claim = self.db.begin_claim().await?;
        let rows = claim.query_all(&self.due(except)).await?;
        let rows = rows
            .iter()
            .map(|row| Row::from_query_result(row, ""))
            .collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(None);
        };
        let range = (first.event_id, last.event_id);
        let attempts: Vec<i32> = rows.iter().map(|row| row.attempts).collect();
        let mut events: Vec<Envelope> = rows.into_iter().map(Row::into_envelope).collect();
        let answers = self.publish(&mut events).await;
        self.db.reached(FailPoint::PublishedNotMarked);

        let mut published = Vec::with_capacity(events.len());
        let mut failed: HashMap<(i32, String), Vec<Uuid>> = HashMap::new();
        for ((event, attempts), answer) in events.iter().zip(attempts).zip(answers) {
            let id = event.id.as_uuid();
            match answer {
                Ok(()) => published.push(id),
                Err(error) => failed.entry((attempts, describe(&error))).or_default().push(id),
            }
        }
        for ((attempts, error), ids) in &failed {
            warn!(
                events = ids.len(),
                attempts, error, "events could not be published, they will be tried again"
            );
        }
        debug!(
            published = published.len(),
            of = events.len(),
            "published from the outbox"
        );
        Ok(Some(Answered {
            claim,
            range,
            published,
            failed,
        }))
    }

    /// Takes what was published out of those that wait, and puts off what could not be.
    async fn note(&self, answered: Option<Answered>) -> Result<(), StorageError> {
        let Some(Answered {
            claim,
            published,
            failed,
            ..
        }) = answered
        else {
            return Ok(());
        };
        let (published, failed, now) = (&published, &failed, self.clock.now());
        claim
            .finish(|txn| async move {
                if !published.is_empty() {
                    let acknowledged = waiting::Column::EventId.is_in(published.iter().copied());
                    waiting::Entity::delete_many().filter(acknowledged).exec(&*txn).await?;
                }
                for ((attempts, error), ids) in failed {
                    push_back(&*txn, ids, attempts + 1, now, error).await?;
                }
                Ok(())
            })
            .await
    }

    /// Publishes each event in its own trace, and waits for all answers.
    async fn publish(&self, events: &mut [Envelope]) -> Vec<Result<(), BusError>> {
        let batch = trace::relay_span(events);
        let now = self.clock.now().as_micros();
        let begin = |event: &mut Envelope| {
            let age = (now - event.time.as_micros()) / 1_000;
            trace::publish_span(event, age, &batch)
        };
        let spans: Vec<Span> = events.iter_mut().map(begin).collect();
        let answers = self.bus.publish(events).instrument(batch).await;
        for (span, answer) in spans.iter().zip(&answers) {
            if let Err(error) = answer {
                trace::fail(span, error.kind());
            }
        }
        self.metrics.record(events, &answers);
        answers
    }

    /// The oldest events whose time has come, locked where the engine has row locks.
    fn due(&self, except: Option<(Uuid, Uuid)>) -> SelectStatement {
        Query::select()
            .columns([("outbox_pending", "event_id"), ("outbox_pending", "attempts")])
            .columns(["event_type", "aggregate_id", "payload", "traceparent", "created_at"])
            .from("outbox_pending")
            .inner_join(
                "outbox",
                Expr::col(("outbox", "event_id")).equals(("outbox_pending", "event_id")),
            )
            .cond_where(self.is_due(except))
            .order_by(("outbox_pending", "event_id"), Order::Asc)
            .limit(self.batch)
            .lock_with_tables_behavior(LockType::Update, ["outbox_pending"], LockBehavior::SkipLocked)
            .to_owned()
    }

    /// The time has come, and it is not one of a batch whose answers are being noted. A range leaves out no more than
    /// that for long: it changes with every batch.
    fn is_due(&self, except: Option<(Uuid, Uuid)>) -> Condition {
        let outside = |(first, last): (Uuid, Uuid)| Expr::col(("outbox_pending", "event_id")).not_between(first, last);
        Condition::all()
            .add(Expr::col("next_at").lte(self.clock.now().as_micros()))
            .add_option(except.map(outside))
    }
}

impl Row {
    fn into_envelope(self) -> Envelope {
        Envelope {
            id: EventId::from_uuid(self.event_id),
            source: source_of(producer_of(&self.event_type)),
            event_type: self.event_type,
            time: Timestamp::from_micros(self.created_at),
            aggregate_id: self.aggregate_id,
            payload: self.payload.into(),
            traceparent: self.traceparent,
        }
    }
}

async fn push_back(
    conn: &impl ConnectionTrait,
    ids: &[Uuid],
    attempts: i32,
    now: Timestamp,
    error: &str,
) -> Result<(), DbErr> {
    let next_at = now.saturating_add(retry_after(attempts.unsigned_abs()));
    waiting::Entity::update_many()
        .col_expr(waiting::Column::Attempts, Expr::value(attempts))
        .col_expr(waiting::Column::NextAt, Expr::value(next_at.as_micros()))
        .col_expr(waiting::Column::LastError, Expr::value(error))
        .filter(waiting::Column::EventId.is_in(ids.iter().copied()))
        .exec(conn)
        .await
        .map(drop)
}

/// 20 ms, doubled with each attempt, at most 10.24 s.
fn retry_after(attempts: u32) -> Duration {
    Duration::from_millis(10 << Ord::min(attempts, 10))
}
