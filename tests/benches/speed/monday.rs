//! The Monday close: from noon until every hourly contract has its invoice, its charge and its earning; and the statements of
//! that once more, by themselves.

use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, Statement};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vouch_payments::{
    app::{App, gateway::sandbox::Sandbox, invoices::CLOSE_WEEK},
    domain::{Contract, ContractState, FeeTerms, Pay, Span, TimeEntry, Week},
    store, timers,
};
use vouch_primitives::{
    AccountId, ClientId, ContractId, Currency, Money, OfferId, PersonId, TestClock, TimeEntryId, Timestamp, Uuid,
};
use vouch_runtime::Commands;
use vouch_storage::{
    Db, DbBackend, StorageError, Txn,
    timers::{NewTimer, Worker, count_due},
};
use vouch_suite::Error;
use vouch_testkit::{Engine, TestDatabase, tables::count, tools::resident_kib};

use crate::{
    report::micros,
    stage::open,
    tape::{Tape, apply},
};

/// How many rows are written at once.
const CHUNK: usize = 500;

/// Contracts by the hour, and what was worked under each in one week: the same in every run.
pub struct Worked {
    week: Week,
    contracts: Vec<Contract>,
    entries: Vec<TimeEntry>,
}

/// Statements of one transaction, and the place of the last of them on the tape.
type Batch = (usize, Vec<Statement>);

/// One close: how long it took, in microseconds, and how much memory it took at most, in KiB.
pub struct Closed {
    pub took: u64,
    pub memory: u64,
}

impl Worked {
    /// So many contracts of as many people, with two entries each.
    pub fn new(count: usize) -> Result<Self, Error> {
        let monday: Timestamp = "2026-03-02".parse()?;
        let contracts: Vec<Contract> = (0..count).map(|_| contract(monday)).collect();
        let mut entries = Vec::with_capacity(2 * count);
        for contract in &contracts {
            for day in [1, 2] {
                let start = monday.add_days(day);
                entries.push(TimeEntry {
                    id: TimeEntryId::new(),
                    contract_id: contract.id,
                    person_id: contract.person_id,
                    account_id: contract.account_id,
                    client_id: contract.client_id,
                    span: Span::try_new(start, start.saturating_add(Duration::from_secs(7 * 3_600)))?,
                    tracked: true,
                    description: "Drafts of the second chapter".to_owned(),
                    created_at: start.add_days(1),
                });
            }
        }
        let week = Week::of(monday);
        Ok(Self {
            week,
            contracts,
            entries,
        })
    }

    async fn write(&self, db: &Db) -> Result<(), Error> {
        for contracts in self.contracts.chunks(CHUNK) {
            let write = |txn: Arc<Txn>| async move {
                store::contracts::insert_new(&txn, contracts).await?;
                let close = |contract: &Contract| NewTimer {
                    kind: CLOSE_WEEK,
                    key: vouch_payments::domain::Invoice::id_of(contract.id, self.week).as_uuid(),
                    due: self.week.closes_at(),
                };
                vouch_storage::timers::schedule(&txn, &contracts.iter().map(close).collect::<Vec<_>>()).await
            };
            db.write_tx(write).await.map_err(|error: StorageError| error)?;
        }
        for entries in self.entries.chunks(CHUNK) {
            let rows = rows(db.backend(), entries);
            let write = |txn: Arc<Txn>| {
                let rows = &rows;
                async move { Ok(txn.execute_unprepared(rows).await.map(drop)?) }
            };
            db.write_tx(write).await.map_err(|error: StorageError| error)?;
        }
        // A database that has grown to this size knows what is in it. Of tables that are empty nothing is known, as PostgreSQL
        // would remember them so, and go through all of the ledger at each new account.
        let analyze = "ANALYZE contract; ANALYZE time_entry; ANALYZE timer";
        let write = |txn: Arc<Txn>| async move { Ok(txn.execute_unprepared(analyze).await.map(drop)?) };
        Ok(db.write_tx(write).await.map_err(|error: StorageError| error)?)
    }
}

fn contract(monday: Timestamp) -> Contract {
    Contract {
        id: ContractId::new(),
        offer_id: OfferId::new(),
        client_id: ClientId::new(),
        person_id: PersonId::new(),
        account_id: AccountId::new(),
        pay: Pay::Hourly {
            rate: Money::new(7_500, Currency::USD),
            weekly_limit_minutes: 2_400,
        },
        fee_terms: FeeTerms::STANDARD,
        start_at: monday,
        created_at: monday,
        net_gross_minor: 0,
        state: ContractState::Active,
        unpaid_since: None,
    }
}

/// Many entries in one statement, which the service has no use for.
fn rows(backend: DbBackend, entries: &[TimeEntry]) -> String {
    let id = |id: Uuid| match backend {
        DbBackend::Sqlite => format!("X'{}'", id.simple()),
        _ => format!("'{id}'"),
    };
    let mut sql = "INSERT INTO time_entry (id, contract_id, person_id, account_id, client_id, week, invoice_id, start_at, end_at, tracked, \
                   description, created_at) VALUES "
        .to_owned();
    for (number, entry) in entries.iter().enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        let _ = write!(
            sql,
            "{separator}({}, {}, {}, {}, {}, {}, {}, {}, {}, TRUE, '{}', {})",
            id(entry.id.as_uuid()),
            id(entry.contract_id.as_uuid()),
            id(entry.person_id.as_uuid()),
            id(entry.account_id.as_uuid()),
            id(entry.client_id.as_uuid()),
            entry.span.week().start().as_micros(),
            id(entry.invoice_id().as_uuid()),
            entry.span.start().as_micros(),
            entry.span.end().as_micros(),
            entry.description,
            entry.created_at.as_micros(),
        );
    }
    sql
}

async fn seeded(engine: Engine, worked: &Worked, tape: Option<&Arc<Tape>>) -> Result<(TestDatabase, Db), Error> {
    let database = TestDatabase::new(engine).await;
    let db = open(&database, tape).await?;
    vouch_storage::migrate::<vouch_payments::Migrator>(&db).await?;
    worked.write(&db).await?;
    if let Some(tape) = tape {
        tape.rewind();
    }
    Ok((database, db))
}

/// The close as the service does it. Every contract must then have one invoice that is paid, and one earning.
pub async fn close(engine: Engine, worked: &Worked, tape: Option<&Arc<Tape>>) -> Result<Closed, Error> {
    let (_database, db) = seeded(engine, worked, tape).await?;
    let noon = worked.week.closes_at();
    let clock = Arc::new(TestClock::new(noon));
    let app = App::new(
        Commands::new(db.clone(), clock.clone()),
        Arc::new(Sandbox),
        "sandbox-accepts",
    );
    let in_batches = app.clone();
    let worker = Worker::new(
        db.clone(),
        clock,
        Arc::new(move |txn, due| Box::pin(timers::fire(app.clone(), txn, due))),
    )
    .with_batches(
        timers::BATCHES,
        Arc::new(move |due| Box::pin(timers::run_batch(in_batches.clone(), due))),
    );
    let stop = CancellationToken::new();
    let before = resident_kib(std::process::id());
    let begin = Instant::now();
    let worker = tokio::spawn(worker.run(stop.clone()));
    let mut most = before;
    // What was taken is no longer due, and its task runs.
    while count_due(db.reader(), noon).await? > 0 || db.running_tasks() > 0 {
        most = most.max(resident_kib(std::process::id()));
        sleep(Duration::from_millis(20)).await;
    }
    let took = micros(begin.elapsed());
    stop.cancel();
    worker.await?;
    let due = i64::try_from(worked.contracts.len())?;
    for made in [
        "invoice WHERE state = 'PAID'",
        "earning",
        "journal_entry WHERE source = 'charge.succeeded'",
    ] {
        let found = count(&db, made).await;
        if found != due {
            return Err(format!("{found} of {made}, and {due} contracts").into());
        }
    }
    let memory = most.saturating_sub(before);
    Ok(Closed { took, memory })
}

/// How long the database needs for the same statements, by itself; and how many transactions they are.
pub async fn replay(engine: Engine, worked: &Worked, batches: Vec<Vec<Statement>>) -> Result<u64, Error> {
    let (_database, db) = seeded(engine, worked, None).await?;
    let begin = Instant::now();
    for batch in batches {
        match <[Statement; 1]>::try_from(batch) {
            Ok([look]) if look.sql.starts_with("SELECT") => drop(db.reader().query_all_raw(look).await?),
            Ok(one) => apply(&db, one.into()).await?,
            Err(batch) => apply(&db, batch).await?,
        }
    }
    Ok(micros(begin.elapsed()))
}

/// What is on the tape, batch by batch, in the order in which they ended. Of what one task does, each batch begins with the timers
/// that are due, for which the worker also looks before, or, where charges are concluded, by taking theirs back.
pub fn batches(tape: &Tape) -> Vec<Vec<Statement>> {
    let mut tasks: HashMap<_, Vec<Batch>> = HashMap::new();
    for (number, (task, statement)) in tape.take().into_iter().enumerate() {
        let looks = statement.sql.starts_with("SELECT") && statement.sql.contains("FROM \"timer\"");
        // How many are due is asked by whoever measures.
        if looks && statement.sql.contains("COUNT(") {
            continue;
        }
        let of_task = tasks.entry(task).or_default();
        let concludes = takes_back(&statement) && of_task.last().is_some_and(|(_, batch)| batch.iter().any(takes_back));
        match of_task.last_mut().filter(|_| !looks && !concludes) {
            Some((last, batch)) => {
                *last = number;
                batch.push(statement);
            }
            None => of_task.push((number, vec![statement])),
        }
    }
    let mut batches: Vec<Batch> = tasks.into_values().flat_map(carried_out).collect();
    batches.sort_by_key(|(last, _)| *last);
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// Without what was undone, as the transaction had lost a race: whoever tries it again takes the same timers back.
fn carried_out(mut batches: Vec<Batch>) -> Vec<Batch> {
    let taken: Vec<Option<Statement>> = batches
        .iter()
        .map(|(_, batch)| batch.iter().find(|one| takes_back(one)).cloned())
        .collect();
    let mut number = 0;
    batches.retain(|_| {
        let again = taken[number].is_some() && taken.get(number + 1) == Some(&taken[number]);
        number += 1;
        !again
    });
    batches
}

fn takes_back(statement: &Statement) -> bool {
    statement.sql.starts_with("DELETE FROM \"timer\"")
}
