//! What carries due timers out.

use std::{collections::BTreeMap, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, Select};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, warn};
use vouch_primitives::{Clock, Timestamp, Uuid};

use super::{
    DueTimer, cancel, entity,
    entity::Model,
    spans::{self, Spans},
};
use crate::{BoxError, Db, StorageError, Txn, Wake, describe, describe_panic};

/// The most timers in one transaction.
const BATCH: u64 = 256;
/// The most tasks of one worker at a time.
const TASKS: u64 = 16;
/// A task that has not ended after this time of the clock is begun again.
const LEASE: Duration = Duration::from_secs(60);
/// How often the clock is looked at; a test clock moves without saying so, and another replica may set a timer.
const POLL: Duration = Duration::from_millis(200);

/// Timers of one kind that are due, in the order of their moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What is to be done.
    pub kind: String,
    /// The present moment, not before that of any timer.
    pub now: Timestamp,
    /// At least one.
    pub timers: Vec<DueTimer>,
}

impl Batch {
    /// The things that waited.
    #[must_use]
    pub fn keys(&self) -> Vec<Uuid> {
        self.timers.iter().map(|timer| timer.key).collect()
    }
}

/// Carries out due timers inside the transaction that deletes them. It may set the same ones again.
pub type Handler = Arc<dyn Fn(Arc<Txn>, Batch) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// Carries out a due timer whose work leaves the database, such as a call to another service, with the present moment.
/// It cancels the timer itself, in its last transaction; one that is not cancelled comes again after a minute.
pub type TaskHandler = Arc<dyn Fn(DueTimer, Timestamp) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// Carries out due timers of one kind whose work leaves the database, many at a time. As with a single task, each timer is
/// cancelled in the last transaction of its own work; those that are not, come again after a minute.
pub type BatchHandler = Arc<dyn Fn(Batch) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// Carries out the due timers of a database. Several workers, in one process or in many, may share it.
///
/// Most timers are carried out in batches of one kind, each in the transaction that takes them. When a batch fails its timers are
/// tried one by one, and one that fails alone is tried again later, so that it does not hold up the rest. The kinds
/// that are *tasks* are begun outside any transaction, with a lease: a task whose process dies is begun again. Some kinds
/// of these are begun in batches, so that what they come to can share transactions.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    clock: Arc<dyn Clock>,
    handler: Handler,
    task_kinds: &'static [&'static str],
    task_handler: Option<TaskHandler>,
    batch_kinds: &'static [&'static str],
    batch_handler: Option<BatchHandler>,
}

impl Worker {
    /// A worker without tasks.
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>, handler: Handler) -> Self {
        Self {
            db,
            clock,
            handler,
            task_kinds: &[],
            task_handler: None,
            batch_kinds: &[],
            batch_handler: None,
        }
    }

    /// Leaves these kinds to `handler`, as tasks.
    #[must_use]
    pub fn with_tasks(mut self, kinds: &'static [&'static str], handler: TaskHandler) -> Self {
        (self.task_kinds, self.task_handler) = (kinds, Some(handler));
        self
    }

    /// Leaves these kinds to `handler`, as tasks in batches.
    #[must_use]
    pub fn with_batches(mut self, kinds: &'static [&'static str], handler: BatchHandler) -> Self {
        (self.batch_kinds, self.batch_handler) = (kinds, Some(handler));
        self
    }

    /// Works until `shutdown`, then ends what it has begun.
    pub async fn run(self, shutdown: CancellationToken) {
        let wakeup = self.db.wakeup(Wake::Timers);
        let mut tasks = JoinSet::new();
        let mut held_up = false;
        while !shutdown.is_cancelled() {
            let turn = self.turn(&mut tasks).await;
            Self::tell(&mut held_up, turn.as_ref().err());
            if turn.is_ok_and(|worked| worked) {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = wakeup.notified() => {}
                Some(_) = tasks.join_next() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Logs when the database begins to fail and when it is back, not at each look.
    fn tell(held_up: &mut bool, error: Option<&StorageError>) {
        match error {
            Some(error) if !*held_up => warn!(error = describe(error), "timers are held up"),
            None if *held_up => info!("timers go on"),
            _ => {}
        }
        *held_up = error.is_some();
    }

    /// Carries out what is due, and returns whether there was anything: there may then be more.
    async fn turn(&self, tasks: &mut JoinSet<()>) -> Result<bool, StorageError> {
        let fired = self.fire_batch().await?;
        let begun = self.begin_tasks(tasks).await?;
        let begun_batches = self.begin_batches(tasks).await?;
        Ok(fired || begun || begun_batches)
    }

    async fn fire_batch(&self) -> Result<bool, StorageError> {
        let now = self.clock.now();
        let due = entity::due(now)
            .filter(entity::Column::Kind.is_not_in(self.task_kinds.iter().chain(self.batch_kinds).copied()))
            .limit(BATCH);
        // Looking costs little and commits nothing; a write transaction at every look would.
        if due.clone().one(self.db.reader()).await?.is_none() {
            return Ok(false);
        }
        let error = match self.fire(now, &due).await {
            Ok(taken) => return Ok(taken > 0),
            Err(error) => describe(&error),
        };
        warn!(error, "a batch of timers failed, trying them one by one");
        for timer in due.all(self.db.reader()).await? {
            if let Err(error) = self.fire(now, &entity::due(now).filter(entity::same_as(&timer))).await {
                let attempts = timer.attempts.saturating_add(1);
                self.push_back(&timer, attempts, &error).await?;
            }
        }
        Ok(true)
    }

    /// Takes the timers of `query` that nobody else is at, carries them out, and returns how many they were.
    async fn fire(&self, now: Timestamp, query: &Select<entity::Entity>) -> Result<usize, Failure> {
        self.db
            .write_tx(|txn| async move {
                let due = entity::skip_locked(query.clone())
                    .all(&*txn)
                    .await
                    .map_err(StorageError::from)?;
                // One kind alone: each takes its locks in the right order, two after one another would not.
                let Some(run) = due.chunk_by(|a, b| a.kind == b.kind).next() else {
                    return Ok(0);
                };
                let mut batch = batch(now, run);
                // Deleted before they are carried out, so that a handler can set one of them again.
                cancel(&txn, &batch.kind, &batch.keys()).await?;
                let spans = Spans::of(&mut batch);
                let work = (self.handler)(Arc::clone(&txn), batch).instrument(spans.work.clone());
                carried_out(work).await.inspect_err(|_| spans.failed())?;
                Ok(run.len())
            })
            .await
    }

    async fn begin_tasks(&self, tasks: &mut JoinSet<()>) -> Result<bool, StorageError> {
        while tasks.try_join_next().is_some() {}
        let free = TASKS.saturating_sub(u64::try_from(tasks.len()).unwrap_or(TASKS));
        if self.task_kinds.is_empty() || free == 0 {
            return Ok(false);
        }
        let now = self.clock.now();
        let due = entity::due(now)
            .filter(entity::Column::Kind.is_in(self.task_kinds.iter().copied()))
            .limit(free);
        if due.clone().one(self.db.reader()).await?.is_none() {
            return Ok(false);
        }
        // The lease hides the timers from whoever asks what is due, so that the tasks count as running before it.
        let _beginning = self.db.task_guard();
        let leased = self.lease(now, &due).await?;
        let begun = !leased.is_empty();
        for timer in leased {
            let (worker, running) = (self.clone(), self.db.task_guard());
            tasks.spawn(async move {
                worker.run_task(timer, now).await;
                drop(running);
            });
        }
        Ok(begun)
    }

    /// Begins what is due of the kinds that are tasks in batches: each batch counts as one task.
    async fn begin_batches(&self, tasks: &mut JoinSet<()>) -> Result<bool, StorageError> {
        while tasks.try_join_next().is_some() {}
        let free = TASKS.saturating_sub(u64::try_from(tasks.len()).unwrap_or(TASKS));
        if self.batch_kinds.is_empty() || free == 0 {
            return Ok(false);
        }
        let now = self.clock.now();
        let due = entity::due(now)
            .filter(entity::Column::Kind.is_in(self.batch_kinds.iter().copied()))
            .limit(BATCH);
        if due.clone().one(self.db.reader()).await?.is_none() {
            return Ok(false);
        }
        let _beginning = self.db.task_guard();
        let mut of_kinds: BTreeMap<String, Vec<Model>> = BTreeMap::new();
        for timer in self.lease(now, &due).await? {
            of_kinds.entry(timer.kind.clone()).or_default().push(timer);
        }
        let begun = !of_kinds.is_empty();
        for timers in of_kinds.into_values() {
            let (worker, running) = (self.clone(), self.db.task_guard());
            tasks.spawn(async move {
                worker.run_batch(&timers, now).await;
                drop(running);
            });
        }
        Ok(begun)
    }

    /// Puts off the next try of what is due, and returns it as it is then.
    async fn lease(&self, now: Timestamp, due: &Select<entity::Entity>) -> Result<Vec<Model>, StorageError> {
        let until = now.saturating_add(LEASE);
        self.db
            .write_tx(|txn| async move {
                let mut leased = entity::skip_locked(due.clone()).all(&*txn).await?;
                for timer in &mut leased {
                    let attempts = timer.attempts.saturating_add(1);
                    entity::put_off(&txn, timer, until, attempts, timer.last_error.as_deref()).await?;
                    (timer.next_at, timer.attempts) = (until.as_micros(), attempts);
                }
                Ok(leased)
            })
            .await
    }

    async fn run_task(&self, timer: Model, now: Timestamp) {
        let Some(handler) = &self.task_handler else {
            return;
        };
        let mut due = due_timer(&timer);
        let span = spans::of_one(&mut due);
        let work = handler(due, now).instrument(span.clone());
        if let Err(failure) = carried_out(work).await.inspect_err(|_| spans::fail(&span))
            && let Err(error) = self.push_back(&timer, timer.attempts, &failure).await
        {
            // The lease runs out and the task is begun again.
            warn!(error = describe(&error), "cannot note the failure of a task");
        }
    }

    async fn run_batch(&self, timers: &[Model], now: Timestamp) {
        let Some(handler) = &self.batch_handler else {
            return;
        };
        let mut batch = batch(now, timers);
        let spans = Spans::of(&mut batch);
        let work = handler(batch).instrument(spans.work.clone());
        let Err(failure) = carried_out(work).await else {
            return;
        };
        spans.failed();
        for timer in timers {
            if let Err(error) = self.push_back(timer, timer.attempts, &failure).await {
                warn!(error = describe(&error), "cannot note the failure of a task");
            }
        }
    }

    /// Tries a failed timer again later, unless somebody has moved it meanwhile.
    async fn push_back(&self, timer: &Model, attempts: i32, error: &Failure) -> Result<(), StorageError> {
        let next = self.clock.now().saturating_add(backoff(attempts));
        let error = describe(error);
        warn!(timer.kind = timer.kind, timer.key = %timer.key, attempts, error, "a timer failed");
        let error = &error;
        self.db
            .write_tx(|txn| async move { entity::put_off(&txn, timer, next, attempts, Some(error)).await })
            .await
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("db", &self.db)
            .field("task_kinds", &self.task_kinds)
            .field("batch_kinds", &self.batch_kinds)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{0}")]
    Handler(#[source] BoxError),
    #[error("the handler panicked: {0}")]
    Panic(String),
}

/// Waits for a handler; one that panics has failed like any other, and is not to take the worker with it.
async fn carried_out(handler: impl Future<Output = Result<(), BoxError>>) -> Result<(), Failure> {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(result) => result.map_err(Failure::Handler),
        Err(panic) => Err(Failure::Panic(describe_panic(&*panic))),
    }
}

/// After the first failure a second, then 2, 4, … up to 512 s.
fn backoff(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(9);
    Duration::from_secs(1 << doublings)
}

fn batch(now: Timestamp, run: &[Model]) -> Batch {
    let kind = run.first().map(|timer| timer.kind.clone()).unwrap_or_default();
    Batch {
        kind,
        now,
        timers: run.iter().map(due_timer).collect(),
    }
}

fn due_timer(row: &Model) -> DueTimer {
    DueTimer {
        kind: row.kind.clone(),
        key: row.key,
        due: Timestamp::from_micros(row.due_at),
        traceparent: row.traceparent.clone(),
    }
}
