//! A service that listens to earnings, in this process, and an operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use prost::{Message, Name};
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::{MigratorTrait, prelude::*, schema::*};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use vouch_messaging::{Bus, Envelope, Fact, MemoryBus, NewEvent, Router, Verdict, outbox};
use vouch_primitives::{EventId, RequestId, Timestamp, Uuid};
use vouch_proto::operations::v1 as pb;
use vouch_proto::payments::v1::EarningSettled;
use vouch_runtime::{Chassis, ChassisError, ServiceClock};
use vouch_storage::{DatabaseConfig, Db, StorageError, Txn};
use vouch_testkit::{TestDatabase, eventually};

use crate::support::{Operator, PATIENCE, channel, config, operator};

/// The moment at which the clock stands.
pub const START: &str = "2026-02-28T09:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

/// Takes amounts up to a limit, and writes each down before it looks: a refusal has something to undo.
#[derive(Default)]
pub struct App {
    pub limit: AtomicI64,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{0} is too much")]
    TooMuch(i64),
}

impl From<&AppError> for Verdict {
    fn from(error: &AppError) -> Self {
        match error {
            AppError::Storage(_) => Self::Retry,
            AppError::TooMuch(_) => Self::Reject(error.to_string()),
        }
    }
}

impl App {
    async fn on_settled(&self, txn: &Txn, facts: &[Fact<EarningSettled>]) -> Result<(), AppError> {
        for fact in facts {
            let amount = fact.body.amount.as_ref().map_or(0, |amount| amount.minor_units);
            let insert = Statement::from_sql_and_values(
                txn.get_database_backend(),
                "INSERT INTO tally (event_id) VALUES ($1)",
                [fact.id.as_uuid().into()],
            );
            txn.execute_raw(insert).await.map_err(StorageError::from)?;
            if amount > self.limit.load(Ordering::SeqCst) {
                return Err(AppError::TooMuch(amount));
            }
        }
        Ok(())
    }
}

pub fn router() -> Router<App, AppError> {
    Router::new("referral").on::<EarningSettled>(|app: &App, txn, facts| Box::pin(app.on_settled(txn, facts)))
}

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = vouch_storage::migrations();
        all.extend(vouch_messaging::migrations());
        all.push(Box::new(Tally));
        all
    }
}

/// Without a unique key on purpose: an event that is applied twice shows.
pub struct Tally;

impl MigrationName for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tally {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create().table("tally").col(uuid("event_id")).to_owned();
        manager.create_table(table).await
    }
}

/// A service that listens to earnings, in this process.
pub struct World {
    pub db: Db,
    pub app: Arc<App>,
    pub bus: Arc<MemoryBus>,
    pub operator: Operator,
    pub stop: CancellationToken,
    pub running: JoinHandle<Result<(), ChassisError>>,
}

impl World {
    pub async fn start(of: &TestDatabase) -> Self {
        let bus = Arc::new(MemoryBus::faultless());
        Self::on(of, bus.clone(), bus).await
    }

    pub async fn on(of: &TestDatabase, bus: Arc<MemoryBus>, behind: Arc<dyn Bus>) -> Self {
        let config = config(&format!("[clock]\ntest = true\nstart = '{START}'"));
        let url = of.url().to_owned();
        let pool = DatabaseConfig {
            url,
            max_connections: 5,
        };
        let db = Db::connect(&pool).await.expect("connected");
        vouch_storage::migrate::<Migrator>(&db).await.expect("migrated");
        let clock = ServiceClock::open(&config.clock, &db).await.expect("a clock");
        let chassis = Chassis::with("referral", &config, db.clone(), behind, clock)
            .await
            .expect("a chassis");
        let app = Arc::new(App::default());
        let chassis = chassis.facts(router(), app.clone());
        let (address, stop) = (chassis.address(), CancellationToken::new());
        let running = tokio::spawn(chassis.run(stop.clone()));
        Self {
            db,
            app,
            bus,
            operator: operator(channel(address).await),
            stop,
            running,
        }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.running.await.expect("no panic").expect("stopped");
    }

    pub async fn publish(&self, events: &[Envelope]) {
        for stored in self.bus.publish(events).await {
            stored.expect("stored");
        }
    }

    /// How many rows the handler has left behind.
    pub async fn tally(&self) -> i64 {
        let sql = Statement::from_string(self.db.backend(), "SELECT count(*) AS n FROM tally");
        let row = self
            .db
            .reader()
            .query_one_raw(sql)
            .await
            .expect("a query")
            .expect("a row");
        row.try_get("", "n").expect("a number")
    }

    pub async fn letters(&self, filter: pb::DeadLetterFilter) -> Vec<pb::DeadLetter> {
        let request = pb::ListDeadLettersRequest {
            filter: Some(filter),
            ..Default::default()
        };
        let listed = self.operator.clone().list_dead_letters(request).await;
        listed.expect("listed").into_inner().dead_letters
    }

    /// Waits until so many letters are there.
    pub async fn set_aside(&self, count: usize) -> Vec<pb::DeadLetter> {
        eventually("set aside", PATIENCE, async || {
            let letters = self.letters(pb::DeadLetterFilter::default()).await;
            if letters.len() == count {
                Ok(letters)
            } else {
                Err(format!("{letters:?}"))
            }
        })
        .await
    }

    pub async fn retry(&self, request_id: RequestId, id: u64) -> Result<pb::RetryDeadLetterResponse, Status> {
        let request_id = request_id.to_string();
        let request = pb::RetryDeadLetterRequest { request_id, id };
        let answer = self.operator.clone().retry_dead_letter(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub async fn discard(&self, id: u64, reason: &str) -> Result<pb::ClosedDeadLetter, Status> {
        let request = pb::DiscardDeadLetterRequest {
            request_id: RequestId::new().to_string(),
            id,
            reason: reason.to_owned(),
        };
        let answer = self.operator.clone().discard_dead_letter(request).await?;
        Ok(answer.into_inner().closed.expect("what was closed"))
    }

    pub async fn closed(&self) -> Vec<pb::ClosedDeadLetter> {
        let request = pb::ListClosedDeadLettersRequest::default();
        let listed = self.operator.clone().list_closed_dead_letters(request).await;
        listed.expect("listed").into_inner().closed
    }

    pub async fn append(&self, events: &[NewEvent], time: &str) {
        let append = |txn: Arc<Txn>| async move { outbox::append(&txn, at(time), events).await };
        self.db.write_tx(append).await.expect("appended");
    }

    pub async fn unpublished(&self, count: u64) {
        eventually("published", PATIENCE, async || {
            match outbox::pending(self.db.reader())
                .await
                .map_err(|error| error.to_string())?
            {
                left if left == count => Ok(()),
                left => Err(format!("{left} left")),
            }
        })
        .await;
    }

    pub async fn published(&self, request: pb::ListPublishedEventsRequest) -> pb::ListPublishedEventsResponse {
        let listed = self.operator.clone().list_published_events(request).await;
        listed.expect("listed").into_inner()
    }

    pub async fn check(&self, events: Vec<pb::PublishedEvent>) -> pb::CheckAppliedResponse {
        let request = pb::CheckAppliedRequest { events };
        let checked = self.operator.clone().check_applied(request).await;
        checked.expect("checked").into_inner()
    }
}

pub fn body(amount: i64) -> EarningSettled {
    EarningSettled {
        amount: Some(vouch_proto::common::v1::Money {
            currency_code: "USD".to_owned(),
            minor_units: amount,
        }),
        ..Default::default()
    }
}

pub fn settled(amount: i64) -> Envelope {
    Envelope {
        id: EventId::new(),
        event_type: EarningSettled::full_name(),
        source: "/vouch/payments".to_owned(),
        time: at(START),
        aggregate_id: Uuid::nil(),
        payload: body(amount).encode_to_vec().into(),
        traceparent: None,
    }
}
