//! A service that tells of earnings and one that adds them up, in one database.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use prost::Name;
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::{MigratorTrait, prelude::*, schema::*};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use vouch_messaging::{
    Bus, Consumer, Envelope, Fact, NewEvent, Relay, Router, Subscription, Verdict,
    dead_letter::{self, DeadLetter},
    outbox,
};
use vouch_primitives::{Clock, EventId, SystemClock, Timestamp, Uuid};
use vouch_storage::{DatabaseConfig, Db, StorageError, Txn};
use vouch_testkit::{TestDatabase, eventually};

/// Ample: a test that waits this long has failed.
pub const SOON: Duration = Duration::from_secs(30);

#[derive(Clone, PartialEq, prost::Message)]
pub struct EarningSettled {
    #[prost(int64, tag = "1")]
    pub amount: i64,
}

impl Name for EarningSettled {
    const NAME: &'static str = "EarningSettled";
    const PACKAGE: &'static str = "vouch.payments.v1";
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct EarningReversed {
    #[prost(int64, tag = "1")]
    pub amount: i64,
}

impl Name for EarningReversed {
    const NAME: &'static str = "EarningReversed";
    const PACKAGE: &'static str = "vouch.payments.v1";
}

/// What the consuming service works with: a tally, and how it is to misbehave.
#[derive(Default)]
pub struct App {
    /// For these amounts, how often "not yet" is still to be said.
    pub not_ready: Mutex<HashMap<i64, u32>>,
    /// How often the database is still to be "down".
    pub outages: Mutex<u32>,
    /// How many facts each call of a handler got.
    pub calls: Mutex<Vec<usize>>,
    /// Every trace context that a handler saw.
    pub traces: Mutex<Vec<Option<String>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("not yet")]
    NotReady,
    #[error("bad amount {0}")]
    BadAmount(i64),
}

impl From<&AppError> for Verdict {
    fn from(error: &AppError) -> Self {
        match error {
            AppError::Storage(_) | AppError::NotReady => Self::Retry,
            AppError::BadAmount(_) => Self::Reject(error.to_string()),
        }
    }
}

/// The handler rejects this amount.
pub const REJECTED: i64 = -1;
/// The handler panics at this amount.
pub const PANICS: i64 = -2;

impl App {
    pub async fn insert<M>(&self, txn: &Txn, facts: &[Fact<M>], amount: impl Fn(&M) -> i64) -> Result<(), AppError> {
        for fact in facts {
            let sql = "INSERT INTO tally (event_id, amount) VALUES ($1, $2)";
            let values = [fact.id.as_uuid().into(), amount(&fact.body).into()];
            let insert = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
            txn.execute_raw(insert).await.map_err(StorageError::from)?;
        }
        Ok(())
    }

    async fn add<M>(&self, txn: &Txn, facts: &[Fact<M>], amount: impl Fn(&M) -> i64) -> Result<(), AppError> {
        self.calls.lock().unwrap().push(facts.len());
        drop(tracing::info_span!("handled"));
        // Written first, so that a test sees whether it goes with the failure.
        self.insert(txn, facts, &amount).await?;
        for fact in facts {
            self.traces.lock().unwrap().push(fact.traceparent.clone());
            let amount = amount(&fact.body);
            match amount {
                REJECTED => return Err(AppError::BadAmount(amount)),
                PANICS => panic!("the amount is {amount}"),
                _ => {}
            }
            if let Some(left) = self
                .not_ready
                .lock()
                .unwrap()
                .get_mut(&amount)
                .filter(|left| **left > 0)
            {
                *left -= 1;
                return Err(AppError::NotReady);
            }
        }
        let mut outages = self.outages.lock().unwrap();
        if *outages > 0 {
            *outages -= 1;
            return Err(StorageError::from(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)).into());
        }
        Ok(())
    }
}

pub fn router() -> Router<App, AppError> {
    Router::<App, AppError>::new("referral")
        .on::<EarningSettled>(|app, txn, facts| Box::pin(app.add(txn, facts, |earning| earning.amount)))
        .on::<EarningReversed>(|app, txn, facts| Box::pin(app.add(txn, facts, |reversal| -reversal.amount)))
}

/// The table of a later version, which takes every amount.
pub fn lenient_router() -> Router<App, AppError> {
    Router::<App, AppError>::new("referral")
        .on::<EarningSettled>(|app, txn, facts| Box::pin(app.insert(txn, facts, |earning| earning.amount)))
        .on::<EarningReversed>(|app, txn, facts| Box::pin(app.insert(txn, facts, |reversal| -reversal.amount)))
}

pub fn subscription() -> Subscription {
    let [only] = <[Subscription; 1]>::try_from(router().subscriptions()).expect("one producer");
    only
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// An event as it is on the bus.
pub fn settled(amount: i64) -> Envelope {
    envelope(EventId::new(), &EarningSettled { amount })
}

pub fn envelope<M: Name>(id: EventId, body: &M) -> Envelope {
    Envelope {
        id,
        event_type: M::full_name(),
        source: "/vouch/payments".to_owned(),
        time: now(),
        aggregate_id: EventId::new().as_uuid(),
        payload: body.encode_to_vec().into(),
        traceparent: None,
    }
}

/// One database with the tables of this library and a tally.
pub struct House {
    pub db: Db,
    /// Deleted with the house, after the connections.
    database: TestDatabase,
}

/// A worker that ends with this value.
pub struct Worker {
    _stop: DropGuard,
    pub task: JoinHandle<()>,
    pub shutdown: CancellationToken,
}

impl House {
    pub async fn build(database: TestDatabase) -> Self {
        let db = connect(&database).await;
        vouch_storage::migrate::<Tables>(&db).await.expect("migrations");
        Self { db, database }
    }

    /// Another process on the same database, as far as that can be on one machine.
    pub async fn another_process(&self) -> Db {
        connect(&self.database).await
    }

    /// Commits one transaction with these earnings, and returns their ids.
    pub async fn settle(&self, amounts: impl IntoIterator<Item = i64>) -> Vec<EventId> {
        let body = |amount| EarningSettled { amount };
        let events: Vec<NewEvent> = amounts
            .into_iter()
            .map(|amount| NewEvent::new(Uuid::nil(), &body(amount)))
            .collect();
        append(&self.db, &events).await;
        events.iter().map(NewEvent::id).collect()
    }

    pub fn relay(&self, bus: &Arc<impl Bus + 'static>) -> Worker {
        relay(&self.db, bus)
    }

    pub fn consumer(&self, bus: &Arc<impl Bus + 'static>, app: &Arc<App>) -> Worker {
        self.consumer_with(bus, app, router())
    }

    pub fn consumer_with(
        &self,
        bus: &Arc<impl Bus + 'static>,
        app: &Arc<App>,
        router: Router<App, AppError>,
    ) -> Worker {
        let bus: Arc<dyn Bus> = bus.clone();
        let consumer = Consumer::new(self.db.clone(), bus, clock(), router, Arc::clone(app));
        Worker::start(|shutdown| consumer.run(shutdown))
    }

    /// Waits until nothing is on its way.
    pub async fn quiet(&self, bus: &Arc<impl Bus>) {
        eventually("everything delivered", SOON, async || {
            let pending = outbox::pending(self.db.reader()).await.map_err(|e| e.to_string())?;
            let lag = bus.lag(&subscription()).await.map_err(|e| e.to_string())?;
            if pending == 0 && lag.is_zero() {
                Ok(())
            } else {
                Err(format!("{pending} in the outbox, {lag:?}"))
            }
        })
        .await;
    }

    /// (rows, sum of their amounts) that the consuming service has written.
    pub async fn tally(&self) -> (i64, i64) {
        let sql = "SELECT count(*) AS n, CAST(coalesce(sum(amount), 0) AS BIGINT) AS total FROM tally";
        let row = self
            .db
            .reader()
            .query_one_raw(Statement::from_string(self.db.backend(), sql))
            .await;
        let row = row.expect("a query").expect("a row");
        (
            row.try_get("", "n").expect("n"),
            row.try_get("", "total").expect("total"),
        )
    }

    /// Dead letters, in order of arrival.
    pub async fn dead(&self) -> Vec<DeadLetter> {
        dead_letter::list(self.db.reader(), 100).await.expect("dead letters")
    }
}

impl Worker {
    pub fn start<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(CancellationToken) -> F) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(shutdown.clone()));
        Self {
            _stop: shutdown.clone().drop_guard(),
            task,
            shutdown,
        }
    }

    /// An orderly end.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the worker ends");
    }

    /// An end in the middle of things.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A relay in the process that `db` stands for.
pub fn relay(db: &Db, bus: &Arc<impl Bus + 'static>) -> Worker {
    let bus: Arc<dyn Bus> = bus.clone();
    let relay = Relay::new(db.clone(), bus);
    Worker::start(|shutdown| relay.run(shutdown))
}

pub async fn append(db: &Db, events: &[NewEvent]) {
    let append = |txn: Arc<Txn>| async move { outbox::append(&txn, now(), events).await };
    db.write_tx(append).await.expect("append");
}

async fn connect(database: &TestDatabase) -> Db {
    let config = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 5,
    };
    Db::connect(&config).await.expect("a database")
}

struct Tables;

impl MigratorTrait for Tables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = vouch_messaging::migrations();
        all.push(Box::new(Tally));
        all
    }
}

/// Without a unique key on purpose: an event that is applied twice shows.
struct Tally;

impl MigrationName for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tally {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("tally")
            .col(uuid("event_id"))
            .col(big_integer("amount"))
            .to_owned();
        manager.create_table(table).await
    }
}
