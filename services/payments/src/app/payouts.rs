//! Payouts: asked for, called off, listed; what comes of them is in [`payout_dispatch`](super::payout_dispatch).

use std::{slice, sync::Arc, time::Duration};

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{AccountId, Currency, Money, PayoutId, PayoutMethodId, PayoutRunId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, NewTimer},
};

use super::{App, payout_dispatch::SEND, payout_methods};
use crate::{
    domain::{Ask, Book, Payout, PayoutError, PayoutMethod, PayoutMethodState, PayoutState, PayoutStep, Refusal},
    error::Error,
    store,
};

/// Takes money out of what is available.
#[derive(Clone, Copy, Debug)]
pub struct Withdraw {
    /// Whose money.
    pub account_id: AccountId,
    /// Where to; `None` for the active method of the currency that was added last.
    pub payout_method_id: Option<PayoutMethodId>,
    /// In which currency.
    pub currency: Currency,
    /// How much leaves the balance; `None` for all that is available.
    pub amount: Option<Money>,
}

/// Calls a payout off.
#[derive(Clone, Copy, Debug)]
pub struct CancelPayout {
    /// Which one.
    pub payout_id: PayoutId,
}

/// The provider has told that a payout came back.
#[derive(Clone, Copy, Debug)]
pub struct RecordPayoutReturn {
    /// Which one.
    pub payout_id: PayoutId,
}

impl App {
    /// Takes money out of what is available; it is sent once the time to call it off is over.
    ///
    /// # Errors
    /// [`Error::NotFound`], also of another account's method; [`Error::Payout`] for whatever stands in the way.
    pub async fn withdraw(&self, key: &RequestKey, command: &Withdraw) -> Result<pb::WithdrawResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let payout = withdraw(&txn, now, command).await?;
            Ok(pb::WithdrawResponse {
                payout: Some(payout.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Calls a payout off that the provider has not been told of.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Payout`] if it was dispatched.
    pub async fn cancel_payout(
        &self,
        key: &RequestKey,
        command: CancelPayout,
    ) -> Result<pb::CancelPayoutResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let payout = stepped(&txn, now, command.payout_id, PayoutStep::Cancel).await?;
            Ok(pb::CancelPayoutResponse {
                payout: Some(payout.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Puts back what was paid and came back.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Payout`] if it was not paid.
    pub async fn record_payout_return(
        &self,
        key: &RequestKey,
        command: RecordPayoutReturn,
    ) -> Result<pb::RecordPayoutReturnResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let step = PayoutStep::Return(Refusal::Returned);
            let payout = stepped(&txn, now, command.payout_id, step).await?;
            Ok(pb::RecordPayoutReturnResponse {
                payout: Some(payout.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Reads one payout.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_payout(&self, id: PayoutId) -> Result<Payout, Error> {
        let found = store::payouts::find(self.commands.db().reader(), &[id]).await?.pop();
        found.ok_or(Error::not_found("payout", id.as_uuid()))
    }

    /// Lists an account's payouts, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_payouts(
        &self,
        account: AccountId,
        page: Page<PayoutId>,
    ) -> Result<Listed<Payout, PayoutId>, Error> {
        let found = store::payouts::list(self.commands.db().reader(), account, page).await?;
        Ok(page.cut(found, |payout| payout.id))
    }
}

async fn withdraw(txn: &Txn, now: Timestamp, command: &Withdraw) -> Result<Payout, Error> {
    let account = command.account_id;
    let method = match command.payout_method_id {
        Some(id) => payout_methods::of_account(txn, account, id).await?,
        None => newest_active(txn, now, account, command.currency).await?,
    };
    let has_tax_form = store::tax_forms::newest_of(txn, account).await?.is_some();
    let mut book = store::ledger::open(txn, Book::accounts_of(account, command.currency)).await?;
    let ask = Ask {
        method: &method,
        has_tax_form,
        available: book.withdrawable(account, command.currency)?,
        amount: command.amount,
        minimum_minor: 0,
    };
    let (amount, fee_minor) = ask.judge(now)?;
    let id = PayoutId::new();
    let payout = Payout {
        id,
        account_id: account,
        method_id: method.id,
        amount,
        fee_minor,
        run_id: None,
        dispatch_id: id.as_uuid(),
        requested_at: now,
        state: PayoutState::Requested,
    };
    book.withdraw(&payout)?;
    let wait = method.kind.time_to_cancel();
    begin(txn, now, slice::from_ref(&payout), wait).await?;
    store::ledger::save(txn, now, &book).await?;
    Ok(payout)
}

/// Inserts new payouts, and has them sent after this time; the book is the caller's.
pub(super) async fn begin(txn: &Txn, now: Timestamp, payouts: &[Payout], wait: Duration) -> Result<(), Error> {
    store::payouts::insert(txn, payouts).await?;
    let sending = |payout: &Payout| NewTimer {
        kind: SEND,
        key: payout.dispatch_id,
        due: now.saturating_add(wait),
    };
    let timers: Vec<NewTimer> = payouts.iter().map(sending).collect();
    timers::schedule(txn, &timers).await?;
    let events: Vec<NewEvent> = payouts.iter().map(told_requested).collect();
    Ok(outbox::append(txn, now, &events).await?)
}

/// The active method of a currency that was added last.
async fn newest_active(
    txn: &Txn,
    now: Timestamp,
    account: AccountId,
    currency: Currency,
) -> Result<PayoutMethod, Error> {
    let methods = store::payout_methods::in_use(txn, account, Some(currency)).await?;
    let active_at = methods.iter().map(PayoutMethod::active_at).min();
    let active = methods
        .into_iter()
        .find(|method| method.state(now) == PayoutMethodState::Active);
    Ok(active.ok_or(PayoutError::NoActiveMethod { active_at })?)
}

async fn stepped(txn: &Txn, now: Timestamp, id: PayoutId, step: PayoutStep) -> Result<Payout, Error> {
    let found = store::payouts::lock(txn, id).await?;
    let mut payouts = [found.ok_or(Error::not_found("payout", id.as_uuid()))?];
    let mut book = opened(txn, &payouts).await?;
    let events = take(&mut book, &mut payouts[0], step, now)?;
    store::payouts::save_states(txn, &payouts).await?;
    store::ledger::save(txn, now, &book).await?;
    outbox::append(txn, now, events.as_slice()).await?;
    Ok(payouts[0])
}

/// The book of the accounts that these payouts are of.
pub(super) async fn opened(txn: &Txn, payouts: &[Payout]) -> Result<Book, Error> {
    let accounts = payouts
        .iter()
        .flat_map(|payout| Book::accounts_of(payout.account_id, payout.amount.currency));
    Ok(store::ledger::open(txn, accounts).await?)
}

/// Takes a step with the money that it moves, and returns what is told of it; nothing if it was taken before.
pub(super) fn take(
    book: &mut Book,
    payout: &mut Payout,
    step: PayoutStep,
    at: Timestamp,
) -> Result<Option<NewEvent>, Error> {
    use pb::payout_failed::Outcome;
    if !payout.step(step, at)? {
        return Ok(None);
    }
    let event = match step {
        PayoutStep::Dispatch => told_dispatched(payout, at),
        PayoutStep::Pay => {
            book.pay_out(payout, at)?;
            told_paid(payout, at)
        }
        PayoutStep::Fail(_) => {
            book.undo_withdrawal(payout, at)?;
            told_failed(payout, Outcome::Refused, at)
        }
        PayoutStep::Cancel => {
            book.undo_withdrawal(payout, at)?;
            told_failed(payout, Outcome::Cancelled, at)
        }
        PayoutStep::Return(_) => {
            book.take_return(payout, at)?;
            told_failed(payout, Outcome::Returned, at)
        }
    };
    Ok(Some(event))
}

fn told_requested(payout: &Payout) -> NewEvent {
    let event = pb::PayoutRequested {
        payout_id: payout.id.to_string(),
        account_id: payout.account_id.to_string(),
        payout_method_id: payout.method_id.to_string(),
        amount: Some(payout.amount.into()),
        fee: Some(payout.fee().into()),
        payout_run_id: payout.run_id.as_ref().map_or_else(String::new, PayoutRunId::to_string),
        request_time: Some(to_wire_time(payout.requested_at)),
    };
    NewEvent::new(payout.id.as_uuid(), &event)
}

fn told_dispatched(payout: &Payout, at: Timestamp) -> NewEvent {
    let event = pb::PayoutDispatched {
        payout_id: payout.id.to_string(),
        account_id: payout.account_id.to_string(),
        dispatch_time: Some(to_wire_time(at)),
    };
    NewEvent::new(payout.id.as_uuid(), &event)
}

fn told_paid(payout: &Payout, at: Timestamp) -> NewEvent {
    let event = pb::PayoutPaid {
        payout_id: payout.id.to_string(),
        account_id: payout.account_id.to_string(),
        sent: Some(payout.sent().into()),
        pay_time: Some(to_wire_time(at)),
    };
    NewEvent::new(payout.id.as_uuid(), &event)
}

fn told_failed(payout: &Payout, outcome: pb::payout_failed::Outcome, at: Timestamp) -> NewEvent {
    let event = pb::PayoutFailed {
        payout_id: payout.id.to_string(),
        account_id: payout.account_id.to_string(),
        amount: Some(payout.amount.into()),
        outcome: outcome.into(),
        reason: payout.state.reason().map_or("", Refusal::name).to_owned(),
        fail_time: Some(to_wire_time(at)),
    };
    NewEvent::new(payout.id.as_uuid(), &event)
}
