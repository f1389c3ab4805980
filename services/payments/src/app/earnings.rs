//! Earnings: settled when they become available, refunded.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{AccountId, ContractId, EarningId, Money, ReversalId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, DueTimer, NewTimer},
};

use super::App;
use crate::{
    domain::{Book, Contract, Earning, LedgerAccount, Refund},
    error::Error,
    store,
};

/// The timer by which an earning becomes available; its key is the earning.
pub const SETTLE: &str = "earning.settle";

/// Gives a part or all of an earning back to the client.
#[derive(Clone, Copy, Debug)]
pub struct RefundEarning {
    /// Which earning.
    pub earning_id: EarningId,
    /// How much, above zero.
    pub amount: Money,
}

impl App {
    /// Reads one earning.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_earning(&self, id: EarningId) -> Result<Earning, Error> {
        let found = store::earnings::find(self.commands.db().reader(), &[id]).await?.pop();
        found.ok_or(Error::not_found("earning", id.as_uuid()))
    }

    /// Lists an account's earnings, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_earnings(
        &self,
        account: AccountId,
        page: Page<EarningId>,
    ) -> Result<Listed<Earning, EarningId>, Error> {
        let found = store::earnings::list(self.commands.db().reader(), account, page).await?;
        Ok(page.cut(found, |earning| earning.id))
    }

    /// Gives money back to the client, and the service fee on it back to the account.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the earning refuses.
    pub async fn refund_earning(
        &self,
        key: &RequestKey,
        command: RefundEarning,
    ) -> Result<pb::RefundEarningResponse, Error> {
        let id = command.earning_id;
        let not_found = || Error::not_found("earning", id.as_uuid());
        let work = |txn: Arc<Txn>, now| async move {
            let mut contracts = store::contracts::lock_of_earnings(&txn, &[id]).await?;
            let mut earning = store::earnings::find(&*txn, &[id]).await?.pop().ok_or_else(not_found)?;
            let contract = contracts.get_mut(&earning.contract_id).ok_or_else(not_found)?;
            let refund = earning.refund(contract, ReversalId::new(), command.amount, now)?;
            let accounts = Book::accounts_of(earning.account_id, earning.gross.currency);
            let mut book = store::ledger::open(&txn, accounts).await?;
            book.refund(&refund)?;
            store::earnings::save_refund(&txn, &earning, &refund).await?;
            store::contracts::save_totals(&txn, &contracts).await?;
            store::ledger::save(&txn, now, &book).await?;
            outbox::append(&txn, now, &[reversed(&earning, &refund)]).await?;
            Ok(pb::RefundEarningResponse {
                reversal_id: refund.id.to_string(),
                earning: Some(earning.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// These have become available, each at its own due moment, however late the timer is.
    ///
    /// # Errors
    /// When the database fails, or a balance would not fit.
    pub async fn settle_earnings(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<EarningId> = due.iter().map(|timer| EarningId::from_uuid(timer.key)).collect();
        store::contracts::lock_of_earnings(txn, &ids).await?;
        let earnings = store::earnings::find(txn, &ids).await?;
        let accounts = earnings
            .iter()
            .flat_map(|earning| Book::accounts_of(earning.account_id, earning.gross.currency));
        let mut book = store::ledger::open(txn, accounts).await?;
        let mut settled = Vec::new();
        for mut earning in earnings {
            let at = earning.available_at;
            if let Some(held) = earning.settle(at) {
                let held = Money::new(held, earning.gross.currency);
                book.settle(at, earning.id, earning.account_id, held)?;
                settled.push(earning);
            }
        }
        store::earnings::save_settled(txn, &settled).await?;
        store::ledger::save(txn, now, &book).await?;
        let traces: HashMap<_, _> = due.iter().map(|timer| (timer.key, &timer.traceparent)).collect();
        let event = |earning: &Earning| {
            let traceparent = traces.get(&earning.id.as_uuid()).copied().cloned().flatten();
            settlement_event(earning).continuing(traceparent)
        };
        let events: Vec<NewEvent> = settled.iter().map(event).collect();
        Ok(outbox::append(txn, now, &events).await?)
    }
}

/// New earnings of locked contracts, whose running totals have them already: their money leaves escrow and is pending,
/// less the fee, and each settles by its timer.
pub(super) async fn earn(
    txn: &Txn,
    now: Timestamp,
    contracts: &BTreeMap<ContractId, Contract>,
    made: &[Earning],
) -> Result<(), Error> {
    if made.is_empty() {
        return Ok(());
    }
    let accounts = made.iter().flat_map(|earning| {
        let currency = earning.gross.currency;
        let escrow = LedgerAccount::escrow(earning.contract_id, currency);
        Book::accounts_of(earning.account_id, currency)
            .into_iter()
            .chain([escrow])
    });
    let mut book = store::ledger::open(txn, accounts).await?;
    for earning in made {
        book.approve(earning)?;
    }
    store::earnings::insert(txn, made).await?;
    store::contracts::save_totals(txn, contracts).await?;
    store::ledger::save(txn, now, &book).await?;
    let settlements: Vec<NewTimer> = made.iter().map(settlement).collect();
    Ok(timers::schedule(txn, &settlements).await?)
}

/// When an earning becomes available.
const fn settlement(earning: &Earning) -> NewTimer {
    NewTimer {
        kind: SETTLE,
        key: earning.id.as_uuid(),
        due: earning.available_at,
    }
}

/// The gross amount, whatever was refunded meanwhile: each refund tells of itself.
fn settlement_event(earning: &Earning) -> NewEvent {
    let event = pb::EarningSettled {
        earning_id: earning.id.to_string(),
        contract_id: earning.contract_id.to_string(),
        client_id: earning.client_id.to_string(),
        person_id: earning.person_id.to_string(),
        account_id: earning.account_id.to_string(),
        amount: Some(earning.gross.into()),
        occur_time: Some(to_wire_time(earning.occurred_at)),
        settle_time: Some(to_wire_time(earning.available_at)),
    };
    NewEvent::new(earning.id.as_uuid(), &event)
}

fn reversed(earning: &Earning, refund: &Refund) -> NewEvent {
    let event = pb::EarningReversed {
        reversal_id: refund.id.to_string(),
        earning_id: earning.id.to_string(),
        contract_id: earning.contract_id.to_string(),
        client_id: earning.client_id.to_string(),
        person_id: earning.person_id.to_string(),
        account_id: earning.account_id.to_string(),
        amount: Some(refund.amount.into()),
        occur_time: Some(to_wire_time(earning.occurred_at)),
        reverse_time: Some(to_wire_time(refund.at)),
    };
    NewEvent::new(earning.id.as_uuid(), &event)
}
