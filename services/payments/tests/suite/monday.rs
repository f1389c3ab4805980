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
    timers::{BATCHES, fire, run_batch},
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
use vouch_testkit::{Engine, TestDatabase, on_both_databases, tables::rows};

use crate::{
    tables::{count, told, tried},
    world::at,
};

/// More than a batch, so that some are closed and some are not.
const MANY: i64 = 300;

on_both_databases! {
    a_close_that_is_killed_goes_on_wherever_that_was,
}

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
        account_id: AccountId::from_uuid(vouch_primitives::Uuid::from_u128((5 << 64) | (number / 3))),
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
async fn seed(db: &Db, contracts: i64) {
    let write = |txn: Arc<vouch_storage::Txn>| async move {
        let contracts: Vec<_> = (0..contracts)
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
                    account_id: contract.account_id,
                    client_id: contract.client_id,
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

/// How many weeks are closed, and of how many the client was charged. What belongs to that is never there in part.
async fn done(db: &Db, contracts: i64) -> (i64, i64) {
    // Waits for whoever was killed: its rows are locked until its transaction has ended either way.
    tried(db, "UPDATE timer SET attempts = attempts")
        .await
        .expect("the rows");
    let counts = [
        "invoice",
        "invoice_line",
        "charge",
        "timer WHERE kind = 'week.close'",
        "timer WHERE kind = 'charge.send'",
        "invoice WHERE state = 'PAID'",
        "charge WHERE state = 'SUCCEEDED'",
        "charge_attempt",
        "earning WHERE source = 'INVOICE'",
        "timer WHERE kind = 'earning.settle'",
        "journal_entry WHERE source = 'charge.succeeded'",
    ];
    let counts = counts.map(|what| format!("(SELECT COUNT(*) FROM {what})"));
    let row = rows(db, format!("SELECT {}", counts.join(", "))).await.remove(0);
    let found: [i64; 11] = std::array::from_fn(|index| row.try_get_by_index::<i64>(index).expect("a number"));
    let [closed, lines, charges, closes, sends, paid, rest @ ..] = found;
    assert_eq!([lines, charges, closes], [2 * closed, closed, contracts - closed]);
    assert_eq!((sends, rest), (closed - paid, [paid; 5]));
    (closed, paid)
}

async fn killed_at_every_statement(database: TestDatabase, contracts: i64) {
    let killer = Arc::new(Killer::default());
    let db = opened(&database, &killer).await;
    seed(&db, contracts).await;
    let clock = Arc::new(TestClock::new(at("2026-03-09T12:00:00Z")));
    let app = App::new(
        Commands::new(db.clone(), clock.clone()),
        Arc::new(Sandbox),
        "sandbox-accepts",
    );
    let in_batches = app.clone();
    let worker = Worker::new(
        db.clone(),
        clock.clone(),
        Arc::new(move |txn, due| Box::pin(fire(app.clone(), txn, due))),
    )
    .with_batches(
        BATCHES,
        Arc::new(move |due| Box::pin(run_batch(in_batches.clone(), due))),
    );
    // Each batch is killed after its first statement, after its second one, and so on.
    let (mut statements, mut seen) = (1, vec![(0, 0)]);
    while seen.last() != Some(&(contracts, contracts)) {
        let (go, gone) = oneshot::channel::<()>();
        let (worker, stop) = (worker.clone(), CancellationToken::new());
        let task = tokio::spawn(async move {
            gone.await.expect("a sign");
            worker.run(stop).await;
        });
        killer.arm(task.abort_handle(), statements);
        go.send(()).expect("a worker that waits");
        // The worker ends by being killed: with nothing left to do it looks at the clock until it is.
        let end = tokio::time::timeout(Duration::from_secs(20), task)
            .await
            .expect("a worker that is killed");
        assert!(end.expect_err("killed").is_cancelled());
        let (before, now) = (*seen.last().expect("a number"), done(&db, contracts).await);
        assert!(
            before.0 <= now.0 && before.1 <= now.1,
            "what is done stays: {seen:?}, then {now:?}"
        );
        statements = if before == now { statements + 1 } else { 1 };
        seen.push(now);
        // What the one who was killed had taken is begun again after a minute.
        clock
            .set(clock.now().saturating_add(Duration::from_secs(61)))
            .expect("forwards");
    }
    assert!(seen.len() > 20, "killed too seldom: {seen:?}");
    assert!(
        seen.contains(&(contracts, 0)) || seen.iter().any(|(closed, paid)| (1..*closed).contains(paid)),
        "never between closing and charging: {seen:?}"
    );
    assert_eq!(
        count(&db, "(SELECT DISTINCT contract_id FROM invoice) AS one").await,
        contracts
    );
    assert_eq!(i64::try_from(told::<pb::InvoiceIssued>(&db).await.len()), Ok(contracts));
    assert_eq!(i64::try_from(told::<pb::InvoicePaid>(&db).await.len()), Ok(contracts));
    for total in store::statements::trial_balance(db.reader())
        .await
        .expect("a trial balance")
    {
        assert_eq!((total.imbalance.minor, total.wrong_balances), (0, 0));
    }
    three_weeks_are_pending(&db).await;
}

/// 100 minutes of 115, at 70.01 an hour: floor(11,668.33).
async fn three_weeks_are_pending(db: &Db) {
    let earned = store::statements::balances(db.reader(), contract(0).account_id)
        .await
        .expect("balances");
    assert_eq!(earned[0].pending_minor, 3 * (11_668 - 1_166));
}

async fn a_close_that_is_killed_goes_on_wherever_that_was(database: TestDatabase) {
    killed_at_every_statement(database, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: two hundred kills"]
async fn long_a_close_that_is_killed_on_sqlite() {
    killed_at_every_statement(TestDatabase::new(Engine::Sqlite).await, MANY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: two hundred kills"]
async fn long_a_close_that_is_killed_on_postgres() {
    killed_at_every_statement(TestDatabase::new(Engine::Postgres).await, MANY).await;
}
