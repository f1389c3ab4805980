//! The books are followed transfer by transfer, in batches, so that a look costs what is new and not what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use vouch_primitives::{Timestamp, Uuid};
use vouch_proto::payments::v1 as pb;
use vouch_runtime::Commands;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, ledger::just_after};
use crate::{
    domain::{
        CurrencyTotals,
        check::{self, Accounts, Booked, Finding},
    },
    error::Error,
    store::{
        self,
        checks::{Progress, Run, Which},
    },
};

/// How many transfers are followed in one transaction.
const AT_ONCE: u64 = 2_000;
/// How many such transactions one look makes at most.
const BATCHES: u32 = 50;
/// How many balances are compared in one statement.
const COMPARED: usize = 500;
/// How many findings are told.
const TOLD: u64 = 100;

/// Where the checks stand.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The run that follows what is new.
    pub new: Progress,
    /// The run over everything.
    pub all: Progress,
    /// The last place in the ledger.
    pub last_position: i64,
    /// The first of what is wrong.
    pub findings: Vec<Finding>,
}

impl App {
    /// Has everything checked from the first transfer on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_ledger(&self, key: &RequestKey) -> Result<pb::CheckLedgerResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            store::checks::begin_all(&txn, now).await?;
            Ok(pb::CheckLedgerResponse {})
        };
        self.commands.once(key, work).await
    }

    /// Where the checks stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_ledger_check(&self) -> Result<Checks, Error> {
        let txn = self.commands.db().read_tx().await?;
        Ok(Checks {
            new: store::checks::progress(&txn, Run::New).await?,
            all: store::checks::progress(&txn, Run::All).await?,
            last_position: store::checks::last_position(&txn).await?,
            findings: store::checks::findings(&txn, TOLD).await?,
        })
    }

    /// What there was of each kind of money, by currency code, with all that was booked up to a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_trial_balance_at(&self, as_of: Timestamp) -> Result<Vec<CurrencyTotals>, Error> {
        // One state: what is not followed yet is added to what is.
        let txn = self.commands.db().read_tx().await?;
        Ok(store::moments::trial_balance_before(&txn, just_after(as_of)).await?)
    }

    /// Begins the run over everything at its start.
    pub(super) async fn begin_check_of_all(&self) -> Result<(), Error> {
        let now = self.commands.now();
        let work = |txn: Arc<Txn>| async move { Ok(store::checks::begin_all(&txn, now).await?) };
        self.commands.db().write_tx(work).await
    }

    /// Follows what is new: what the last look has marked, and then, if nothing is open that could hold a place in between,
    /// all that is there by now.
    pub(super) async fn follow_new(&self) -> Result<Vec<Finding>, Error> {
        let db = self.commands.db();
        let mut found = Vec::new();
        for _ in 0..2 {
            let run = store::checks::progress(db.reader(), Run::New).await?;
            let passable = store::checks::is_passable(db.reader(), &run).await?;
            match passable {
                Some(false) => break,
                Some(true) if run.checked_position < run.mark_position => {
                    found.extend(self.follow(Run::New, run.mark_position).await?);
                }
                _ => {}
            }
            if passable.is_none() || store::checks::last_position(db.reader()).await? > run.mark_position {
                let mark = |txn: Arc<Txn>| async move { Ok(store::checks::set_mark(&txn).await?) };
                db.write_tx::<_, Error, _, _>(mark).await?;
            }
        }
        Ok(found)
    }

    /// Goes on with the run over everything, which ends where the other one stands.
    pub(super) async fn follow_all(&self) -> Result<Vec<Finding>, Error> {
        let reader = self.commands.db().reader();
        let all = store::checks::progress(reader, Run::All).await?;
        if all.ended_at.is_some() {
            return Ok(Vec::new());
        }
        let new = store::checks::progress(reader, Run::New).await?;
        self.follow(Run::All, new.checked_position).await
    }

    async fn follow(&self, run: Run, to: i64) -> Result<Vec<Finding>, Error> {
        let mut found = Vec::new();
        for _ in 0..BATCHES {
            let commands: &Commands = &self.commands;
            let work = |txn: Arc<Txn>| async move { follow_batch(&txn, commands.now(), run, to).await };
            let (more, ended) = self.commands.db().write_tx(work).await?;
            found.extend(more);
            if ended {
                break;
            }
        }
        Ok(found)
    }
}

/// Follows the next transfers of a run, and compares the balances that they have left. Tells whether it has come to `to`.
async fn follow_batch(txn: &Txn, now: Timestamp, run: Run, to: i64) -> Result<(Vec<Finding>, bool), Error> {
    let progress = store::checks::lock(txn, run).await?;
    let transfers = store::checks::transfers(txn, progress.checked_position, to, AT_ONCE).await?;
    let last = transfers.last().map_or(to, |transfer| transfer.position);
    let ended = u64::try_from(transfers.len()).is_ok_and(|many| many < AT_ONCE);
    let reached = if ended { to } else { last }.max(progress.checked_position);
    let touched: BTreeSet<Uuid> = transfers.iter().flat_map(|of| [of.debit.0, of.credit.0]).collect();
    let touched: Vec<Uuid> = touched.into_iter().collect();
    let (accounts, mut followed) = store::checks::followed(txn, run, &touched).await?;
    let mut found = check::follow(&accounts, &mut followed, &transfers);
    store::checks::save_followed(txn, run, &followed).await?;
    if run == Run::New {
        store::checks::add_days(txn, &days(&accounts, &transfers)).await?;
    }
    let ended_at = (ended && run == Run::All).then_some(now);
    store::checks::advance(txn, run, reached, ended_at).await?;
    for chunk in touched.chunks(COMPARED) {
        let compared = store::checks::compare(txn, run, Which::These(chunk)).await?;
        found.extend(compared.into_iter().filter_map(|compared| compared.finding));
    }
    store::checks::save_findings(txn, now, &found).await?;
    if ended_at.is_some() {
        store::checks::forget_older(txn, progress.begun_at).await?;
    }
    Ok((found, ended))
}

/// What transfers bring the platform's accounts on single days, by which their past is read; a credit raises them.
fn days(accounts: &Accounts, transfers: &[Booked]) -> BTreeMap<(Uuid, Timestamp), i64> {
    let mut days = BTreeMap::new();
    for transfer in transfers {
        for (id, change) in [
            (transfer.debit.0, -transfer.amount_minor),
            (transfer.credit.0, transfer.amount_minor),
        ] {
            if accounts.get(&id).is_some_and(|(kind, _)| !kind.has_balance()) {
                *days.entry((id, transfer.booked_at.start_of_day())).or_insert(0) += change;
            }
        }
    }
    days
}
