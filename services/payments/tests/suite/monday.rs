//! The Monday close, killed at every point and begun again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, task::AbortHandle};
use tokio_util::sync::CancellationToken;
use vouch_payments::{
    Migrator,
    app::{App, gateway::sandbox::Sandbox, invoices::CLOSE_WEEK},
    domain::{Contract, ContractState, FeeTerms, Pay, Span, TimeEntry, Week},
    store,
    timers::fire,
};
use vouch_primitives::{
    AccountId, ClientId, Clock, ContractId, Currency, Money, OfferId, PersonId, TestClock, TimeEntryId,
};
use vouch_proto::payments::v1 as pb;
use vouch_runtime::Commands;
use vouch_storage::{
    DatabaseConfig, Db, StorageError,
    timers::{self, NewTimer, Worker},
};
use vouch_testkit::{Engine, TestDatabase, tables::rows};

use crate::{
    tables::{count, told, tried},
    world::at,
};

/// More than a batch, so that some are closed and some are not.
const CONTRACTS: i64 = 300;

/// Ends a task when its database has carried out so many statements.
#[derive(Default)]
struct Killer {
    left: AtomicUsize,
    victim: Mutex<Option<AbortHandle>>,
}

impl Killer {
    fn statement(&self) {
        let left = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) == Ok(1)
            && let Some(victim) = &*self.victim.lock().unwrap_or_else(PoisonError::into_inner)
        {
            victim.abort();
        }
    }

    fn arm(&self, victim: AbortHandle, statements: usize) {
        *self.victim.lock().unwrap_or_else(PoisonError::into_inner) = Some(victim);
        self.left.store(statements, Ordering::SeqCst);
    }
}

async fn opened(database: &TestDatabase, killer: &Arc<Killer>) -> Db {
    let config = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 8,
    };
    let killer = Arc::clone(killer);
    let db = Db::connect_observed(&config, move |_| killer.statement())
        .await
        .expect("a database");
    vouch_storage::migrate::<Migrator>(&db).await.expect("tables");
    db
}

fn contract(number: u128) -> Contract {
    let from = |kind: u128| vouch_primitives::Uuid::from_u128(kind << 64 | number);
    Contract {
        id: ContractId::from_uuid(from(1)),
        offer_id: OfferId::from_uuid(from(2)),
        client_id: ClientId::from_uuid(from(3)),
        person_id: PersonId::from_uuid(from(4)),
        // Some accounts have several contracts.
        account_id: AccountId::from_uuid(vouch_primitives::Uuid::from_u128(5 << 64 | number / 3)),
        pay: Pay::Hourly {
            rate: Money::new(7_001, Currency::USD),
            weekly_limit_minutes: 100,
        },
        fee_terms: FeeTerms::STANDARD,
        start_at: at("2026-03-02"),
        created_at: at("2026-03-02"),
        net_gross_minor: 0,
        state: ContractState::Active,
        unpaid_since: None,
    }
}

/// Contracts of which each has two entries in the first week.
async fn seed(db: &Db) {
    let write = |txn: Arc<vouch_storage::Txn>| async move {
        let contracts: Vec<_> = (0..CONTRACTS)
            .map(|number| contract(number.unsigned_abs().into()))
            .collect();
        store::contracts::insert_new(&txn, &contracts).await?;
        let mut closes = Vec::new();
        for contract in &contracts {
            for (start, end) in [
                ("2026-03-03T08:00:00Z", "2026-03-03T09:10:00Z"),
                ("2026-03-04", "2026-03-04T00:45:00Z"),
            ] {
                let entry = TimeEntry {
                    id: TimeEntryId::new(),
                    contract_id: contract.id,
                    person_id: contract.person_id,
                    span: Span::try_new(at(start), at(end)).expect("a span"),
                    tracked: true,
                    description: "Drafts".to_owned(),
                    created_at: at("2026-03-05"),
                };
                store::time_entries::insert(&txn, &entry).await?;
                closes.push(NewTimer {
                    kind: CLOSE_WEEK,
                    key: entry.invoice_id().as_uuid(),
                    due: Week::of(at(start)).closes_at(),
                });
            }
        }
        timers::schedule(&txn, &closes).await
    };
    db.write_tx(write)
        .await
        .map_err(|error: StorageError| error.to_string())
        .expect("seeded");
}

/// How many weeks are closed. What belongs to that is never there in part.
async fn done(db: &Db) -> i64 {
    // Waits for whoever was killed: its rows are locked until its transaction has ended either way.
    tried(db, "UPDATE timer SET attempts = attempts")
        .await
        .expect("the rows");
    let counts = [
        "invoice",
        "invoice WHERE state = 'PAID'",
        "earning WHERE source = 'INVOICE'",
        "journal_entry WHERE source = 'charge.succeeded'",
        "invoice_line",
        "timer WHERE kind = 'week.close'",
    ];
    let counts = counts.map(|what| format!("(SELECT COUNT(*) FROM {what})"));
    let row = rows(db, format!("SELECT {}", counts.join(", "))).await.remove(0);
    let [invoices, paid, earnings, charges, lines, timers] =
        std::array::from_fn(|index| row.try_get_by_index::<i64>(index).expect("a number"));
    let expected = [invoices, invoices, invoices, 2 * invoices, CONTRACTS - invoices];
    assert_eq!([paid, earnings, charges, lines, timers], expected);
    invoices
}

async fn a_close_that_is_killed_goes_on_wherever_that_was(database: TestDatabase) {
    let killer = Arc::new(Killer::default());
    let db = opened(&database, &killer).await;
    seed(&db).await;
    let clock: Arc<dyn Clock> = Arc::new(TestClock::new(at("2026-03-09T12:00:00Z")));
    let app = App::new(
        Commands::new(db.clone(), clock.clone()),
        Arc::new(Sandbox),
        "sandbox-accepts",
    );
    let handler = move |txn, due| -> futures::future::BoxFuture<'static, _> { Box::pin(fire(app.clone(), txn, due)) };
    let worker = Worker::new(db.clone(), clock, Arc::new(handler));
    // Each batch is killed after its first statement, after its second one, and so on.
    let (mut statements, mut seen) = (1, vec![0]);
    while *seen.last().expect("a number") < CONTRACTS {
        let (go, gone) = oneshot::channel::<()>();
        let (worker, stop) = (worker.clone(), CancellationToken::new());
        let running = stop.clone();
        let task = tokio::spawn(async move {
            gone.await.expect("a sign");
            worker.run(running).await;
        });
        killer.arm(task.abort_handle(), statements);
        go.send(()).expect("a worker that waits");
        // The worker ends by being killed: with nothing left to do it looks at the clock until it is.
        let end = tokio::time::timeout(Duration::from_secs(20), task)
            .await
            .expect("a worker that is killed");
        assert!(end.expect_err("killed").is_cancelled());
        let (before, now) = (*seen.last().expect("a number"), done(&db).await);
        assert!(before <= now, "what is done stays: {seen:?}, then {now}");
        statements = if before < now { 1 } else { statements + 1 };
        seen.push(now);
    }
    assert!(seen.len() > 40, "killed too seldom: {seen:?}");
    assert!(
        seen.iter().any(|done| (1..CONTRACTS).contains(done)),
        "never between two batches: {seen:?}"
    );
    assert_eq!(
        count(&db, "(SELECT DISTINCT contract_id FROM invoice) AS one").await,
        CONTRACTS
    );
    assert_eq!(
        told::<pb::InvoiceIssued>(&db).await.len(),
        told::<pb::InvoicePaid>(&db).await.len()
    );
    assert_eq!(i64::try_from(told::<pb::InvoicePaid>(&db).await.len()), Ok(CONTRACTS));
    for total in store::statements::trial_balance(db.reader())
        .await
        .expect("a trial balance")
    {
        assert_eq!((total.imbalance.minor, total.wrong_balances), (0, 0));
    }
    // 100 minutes of 115, at 70.01 an hour: floor(11,668.33).
    let earned = store::statements::balances(db.reader(), contract(0).account_id)
        .await
        .expect("balances");
    assert_eq!(earned[0].pending_minor, 3 * (11_668 - 1_166));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: sixty kills"]
async fn long_a_close_that_is_killed_on_sqlite() {
    a_close_that_is_killed_goes_on_wherever_that_was(TestDatabase::new(Engine::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: sixty kills"]
async fn long_a_close_that_is_killed_on_postgres() {
    a_close_that_is_killed_goes_on_wherever_that_was(TestDatabase::new(Engine::Postgres).await).await;
}
