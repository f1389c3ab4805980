//! Payouts by schedule: one run for all accounts that are due at a moment, in batches.
//!
//! Each batch is a transaction that takes some of the schedules which are due, makes their payouts, moves them on to their
//! next moment, counts, and sets the run's timer again. So a run that is killed goes on with the schedules that are left, and
//! there is no other state of how far it has come. A batch takes as many statements for one schedule as for all of it.

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::{Money, PayoutId, PayoutMethodId, PayoutRunId, Timestamp, Uuid};
use vouch_proto::{Listed, Page};
use vouch_storage::{
    Txn,
    timers::{self, DueTimer, NewTimer},
};

use super::{App, payout_methods::run_at, payouts};
use crate::{
    domain::{Ask, Book, Frequency, Payout, PayoutMethod, PayoutRun, PayoutSchedule, PayoutSkip, PayoutState},
    error::{Error, reason_of_payout},
    store,
};

/// The timer by which a payout run begins and goes on; its key is the run.
pub const RUN: &str = "payout.run";

/// How many schedules are gone through in one transaction.
const BATCH: u64 = 500;
/// How many payouts of a batch are sent together.
const SENT_TOGETHER: usize = 100;

/// A run, and what has become of its payouts.
#[derive(Clone, Copy, Debug)]
pub struct PayoutRunView {
    /// The run.
    pub run: PayoutRun,
    /// How many of its payouts are paid.
    pub paid: u64,
    /// How many have failed or come back.
    pub failed: u64,
}

impl App {
    /// Goes through the next batch of each of these runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_payouts(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        for timer in due {
            batch(txn, now, PayoutRunId::from_uuid(timer.key), timer.due).await?;
        }
        Ok(())
    }

    /// Reads one run.
    ///
    /// # Errors
    /// [`Error::NotFound`], also before it has begun.
    pub async fn get_payout_run(&self, id: PayoutRunId) -> Result<PayoutRunView, Error> {
        let conn = self.commands.db().read_tx().await?;
        let run = store::payout_runs::find(&conn, id).await?;
        let run = run.ok_or(Error::not_found("payout run", id.as_uuid()))?;
        let counts = store::payouts::count_states(&conn, &[id]).await?;
        Ok(view(run, &counts))
    }

    /// Lists the runs, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_payout_runs(&self, page: Page<i64>) -> Result<Listed<PayoutRunView, i64>, Error> {
        let conn = self.commands.db().read_tx().await?;
        let listed = page.cut(store::payout_runs::list(&conn, page).await?, |run| {
            run.due_at.as_micros()
        });
        let ids: Vec<PayoutRunId> = listed.items.iter().map(|run| run.id).collect();
        let counts = store::payouts::count_states(&conn, &ids).await?;
        Ok(Listed {
            items: listed.items.into_iter().map(|run| view(run, &counts)).collect(),
            next: listed.next,
        })
    }

    /// Lists whom a run has passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_payout_skips(
        &self,
        run: PayoutRunId,
        page: Page<Uuid>,
    ) -> Result<Listed<PayoutSkip, Uuid>, Error> {
        let found = store::payout_runs::skips(self.commands.db().reader(), run, page).await?;
        Ok(page.cut(found, |skip| skip.schedule_id))
    }
}

fn view(run: PayoutRun, counts: &[(PayoutRunId, String, u64)]) -> PayoutRunView {
    let of = |states: &[&str]| {
        let of_run = counts.iter().filter(|(id, ..)| *id == run.id);
        let counted = of_run.filter(|(_, state, _)| states.contains(&state.as_str()));
        counted.map(|(.., number)| number).sum()
    };
    PayoutRunView {
        run,
        paid: of(&["PAID"]),
        failed: of(&["FAILED", "RETURNED"]),
    }
}

async fn batch(txn: &Txn, now: Timestamp, id: PayoutRunId, due_at: Timestamp) -> Result<(), Error> {
    let mut run = match store::payout_runs::lock(txn, id).await? {
        Some(run) => run,
        None => PayoutRun {
            id,
            due_at,
            started_at: now,
            finished_at: None,
            due: store::payout_schedules::count_due(txn, due_at).await?,
            made: 0,
            skipped: 0,
        },
    };
    let schedules = store::payout_schedules::lock_due(txn, due_at, BATCH).await?;
    if schedules.is_empty() {
        run.finished_at.get_or_insert(now);
        store::payout_runs::save(txn, &run).await?;
        tracing::info!(payout_run.id = %id, run.due, run.made, run.skipped, "a payout run has gone through all schedules");
        return Ok(());
    }
    let (mut book, judged) = judge(txn, now, &run, &schedules).await?;
    for payout in &judged.made {
        book.withdraw(payout)?;
    }
    run.made += count(&judged.made);
    run.skipped += count(&judged.skipped);
    store::payout_runs::save(txn, &run).await?;
    store::payout_runs::insert_skips(txn, &judged.skipped).await?;
    payouts::begin(txn, now, &judged.made, PayoutSchedule::TIME_TO_CANCEL).await?;
    store::ledger::save(txn, now, &book).await?;
    store::payout_schedules::move_on(txn, &schedules, now).await?;
    timers::schedule(txn, &next_runs(&run, &schedules, now)).await?;
    tracing::info!(payout_run.id = %id, run.due, run.made, run.skipped, "a payout run goes on");
    Ok(())
}

/// What comes of a batch.
#[derive(Default)]
struct Judged {
    made: Vec<Payout>,
    skipped: Vec<PayoutSkip>,
}

async fn judge(
    txn: &Txn,
    now: Timestamp,
    run: &PayoutRun,
    schedules: &[PayoutSchedule],
) -> Result<(Book, Judged), Error> {
    let methods: Vec<PayoutMethodId> = schedules.iter().map(|schedule| schedule.method_id).collect();
    let methods = store::payout_methods::find(txn, &methods).await?;
    let methods: BTreeMap<_, PayoutMethod> = methods.into_iter().map(|method| (method.id, method)).collect();
    let accounts: Vec<_> = schedules.iter().map(|schedule| schedule.account_id).collect();
    let with_form = store::tax_forms::accounts_with_one(txn, &accounts).await?;
    let of_account = |schedule: &PayoutSchedule| Book::accounts_of(schedule.account_id, schedule.currency());
    let book = store::ledger::open(txn, schedules.iter().flat_map(of_account)).await?;
    let mut judged = Judged::default();
    for schedule in schedules {
        let id = schedule.method_id;
        let method = methods.get(&id);
        let ask = Ask {
            method: method.ok_or(Error::not_found("payout method", id.as_uuid()))?,
            has_tax_form: with_form.contains(&schedule.account_id),
            available: book.withdrawable(schedule.account_id, schedule.currency())?,
            amount: None,
            minimum_minor: schedule.minimum.minor,
        };
        match ask.judge(now) {
            Ok(taken) => judged.make(now, run, schedule, taken),
            Err(error) => judged.skipped.push(PayoutSkip {
                run_id: run.id,
                schedule_id: schedule.id(),
                account_id: schedule.account_id,
                available: ask.available,
                reason: reason_of_payout(&error).to_owned(),
                at: now,
            }),
        }
    }
    Ok((book, judged))
}

impl Judged {
    fn make(&mut self, now: Timestamp, run: &PayoutRun, schedule: &PayoutSchedule, (amount, fee_minor): (Money, i64)) {
        let id = PayoutId::new();
        let together = !self.made.len().is_multiple_of(SENT_TOGETHER);
        let dispatch_id = self.made.last().filter(|_| together).map(|last| last.dispatch_id);
        self.made.push(Payout {
            id,
            account_id: schedule.account_id,
            method_id: schedule.method_id,
            amount,
            fee_minor,
            run_id: Some(run.id),
            dispatch_id: dispatch_id.unwrap_or(id.as_uuid()),
            requested_at: now,
            state: PayoutState::Requested,
        });
    }
}

/// The rest of this run, at once; and the runs at which these schedules are next.
fn next_runs(run: &PayoutRun, schedules: &[PayoutSchedule], now: Timestamp) -> Vec<NewTimer> {
    let frequencies: BTreeSet<Frequency> = schedules.iter().map(|schedule| schedule.frequency).collect();
    let next = frequencies
        .into_iter()
        .filter_map(|frequency| frequency.next_after(now));
    next.chain([run.due_at]).map(run_at).collect()
}

fn count<T>(all: &[T]) -> u64 {
    u64::try_from(all.len()).unwrap_or(u64::MAX)
}
