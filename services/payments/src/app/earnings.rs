//! Earnings: begun by what is paid for, settled when they become available, refunded.

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

use super::{App, client_refunds};
use crate::{
    domain::{Book, Contract, Earning, LedgerAccount, Refund, Reinstatement},
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
        let work = |txn: Arc<Txn>, now| async move {
            let (mut earning, mut contract) = locked(&txn, id).await?;
            let refund = earning.refund(&mut contract, ReversalId::new(), command.amount, now)?;
            let mut book = opened(&txn, &earning).await?;
            book.refund(&refund)?;
            take_back(&txn, now, &earning, contract, &refund).await?;
            give_to_client(&txn, now, &earning, &refund).await?;
            store::ledger::save(&txn, now, &book).await?;
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

/// Locks the earning's contract and reads the earning.
pub(super) async fn locked(txn: &Txn, id: EarningId) -> Result<(Earning, Contract), Error> {
    let not_found = || Error::not_found("earning", id.as_uuid());
    let contract = store::contracts::lock_of_earnings(txn, &[id])
        .await?
        .into_values()
        .next();
    let earning = store::earnings::find(txn, &[id]).await?.pop();
    Ok((earning.ok_or_else(not_found)?, contract.ok_or_else(not_found)?))
}

/// The book of the account that an earning belongs to.
pub(super) async fn opened(txn: &Txn, earning: &Earning) -> Result<Book, Error> {
    let accounts = Book::accounts_of(earning.account_id, earning.gross.currency);
    Ok(store::ledger::open(txn, accounts).await?)
}

/// Saves what was taken back of an earning, and tells of it; the book is the caller's.
pub(super) async fn take_back(
    txn: &Txn,
    now: Timestamp,
    earning: &Earning,
    contract: Contract,
    refund: &Refund,
) -> Result<(), Error> {
    store::earnings::save_refund(txn, earning, refund).await?;
    store::contracts::save_totals(txn, &BTreeMap::from([(contract.id, contract)])).await?;
    Ok(outbox::append(txn, now, &[reversed(earning, refund)]).await?)
}

/// What was refunded of an earning goes to the client.
pub(super) async fn give_to_client(txn: &Txn, now: Timestamp, earning: &Earning, refund: &Refund) -> Result<(), Error> {
    let id = client_refunds::id_of(refund.id);
    client_refunds::begin(txn, now, id, (earning.source, refund.amount)).await
}

/// Saves what was given back to an earning, and tells of it; the book is the caller's.
pub(super) async fn give_again(
    txn: &Txn,
    now: Timestamp,
    earning: &Earning,
    contract: Contract,
    (reinstatement, of): (&Reinstatement, ReversalId),
) -> Result<(), Error> {
    store::earnings::save_amounts(txn, earning).await?;
    store::contracts::save_totals(txn, &BTreeMap::from([(contract.id, contract)])).await?;
    let event = pb::EarningReinstated {
        reinstatement_id: reinstatement.id.to_string(),
        reversal_id: of.to_string(),
        earning_id: earning.id.to_string(),
        contract_id: earning.contract_id.to_string(),
        client_id: earning.client_id.to_string(),
        person_id: earning.person_id.to_string(),
        account_id: earning.account_id.to_string(),
        amount: Some(reinstatement.amount.into()),
        occur_time: Some(to_wire_time(earning.occurred_at)),
        reinstate_time: Some(to_wire_time(reinstatement.at)),
    };
    Ok(outbox::append(txn, now, &[NewEvent::new(earning.id.as_uuid(), &event)]).await?)
}

/// New earnings of locked contracts leave escrow, and become available at their time.
pub(super) async fn begin(
    txn: &Txn,
    now: Timestamp,
    made: &[Earning],
    contracts: &BTreeMap<ContractId, Contract>,
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
    let settlement = |earning: &Earning| NewTimer {
        kind: SETTLE,
        key: earning.id.as_uuid(),
        due: earning.available_at,
    };
    let settlements: Vec<NewTimer> = made.iter().map(settlement).collect();
    Ok(timers::schedule(txn, &settlements).await?)
}

/// The gross amount, whatever was refunded or is disputed meanwhile: each reversal tells of itself.
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
