//! What clients get back: begun in the transaction that takes it from the talent or from escrow, carried out by the provider
//! outside of any, and written down in one for all answers, as with charges.

use std::{collections::HashMap, slice, sync::Arc};

use futures::{StreamExt as _, stream};
use vouch_primitives::{ChargeId, Money, RefundId, ReversalId, Timestamp};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, DueTimer, NewTimer},
};

use super::{App, charges, gateway::RefundOrder};
use crate::{
    domain::{Charge, ChargeState, ClientRefund, ClientRefundState, EarningSource, Heard, Refusal},
    error::Error,
    store,
};

pub use crate::store::client_refunds::Filter;

/// The task by which the provider is turned to; its key is the refund.
pub const REFUND: &str = "refund.send";

/// Orders of one batch that the provider has at a time.
const AT_ONCE: usize = 32;

/// Tries a refund again, now.
#[derive(Clone, Copy, Debug)]
pub struct RetryClientRefund {
    /// Which one.
    pub refund_id: RefundId,
}

/// What was heard of an attempt that had this number, at this try.
type News = (RefundId, ChargeId, (u32, u32), Heard);

/// Begins to give a client money back of what it has paid for this; the contract is locked.
///
/// # Errors
/// When the database fails; if that much was not paid.
pub(super) async fn begin(
    txn: &Txn,
    now: Timestamp,
    id: RefundId,
    (payment, amount): (EarningSource, Money),
) -> Result<(), Error> {
    let charge = store::charges::alive(txn, payment).await?;
    let paid = |charge: &Charge| matches!(charge.state, ChargeState::Succeeded { .. });
    let charge = charge
        .filter(paid)
        .ok_or(Error::not_found(payment.name(), payment.id()))?;
    let refund = ClientRefund::new(id, (charge.id, charge.client_id), amount, now);
    store::client_refunds::insert(txn, &refund).await?;
    look_again(txn, slice::from_ref(&refund)).await
}

impl App {
    /// Turns to the provider for these refunds, many at a time, and writes down what it answers.
    ///
    /// # Errors
    /// When the database fails. What was not written down is turned to again.
    pub async fn send_client_refunds(&self, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<RefundId> = due.iter().map(|timer| RefundId::from_uuid(timer.key)).collect();
        let mut refunds = store::client_refunds::find(self.commands.db().reader(), &ids).await?;
        refunds.retain(|refund| matches!(refund.state, ClientRefundState::Pending { .. }));
        let orders = self.refund_orders(refunds).await?;
        let asked = stream::iter(orders).map(|(refund, order)| self.ask_refund(refund, order));
        let news: Vec<News> = asked.buffer_unordered(AT_ONCE).collect().await;
        self.conclude_refunds(&news).await
    }

    /// Refunds with the orders of their latest attempts; `None` of what was not paid through the provider.
    pub(super) async fn refund_orders(
        &self,
        refunds: Vec<ClientRefund>,
    ) -> Result<Vec<(ClientRefund, Option<RefundOrder>)>, Error> {
        let ids: Vec<ChargeId> = refunds.iter().map(|refund| refund.charge_id).collect();
        let charges = store::charges::find(self.commands.db().reader(), &ids).await?;
        let charges: HashMap<ChargeId, Charge> = charges.into_iter().map(|charge| (charge.id, charge)).collect();
        let order = |refund: &ClientRefund| {
            let charge = charges.get(&refund.charge_id)?;
            let (ChargeState::Succeeded { reference, .. }, Some(by)) = (&charge.state, charges::order(charge)) else {
                return None;
            };
            Some(RefundOrder {
                id: refund.order_id(),
                refund: refund.id,
                charge: by,
                charge_reference: reference.clone(),
                amount: refund.amount,
            })
        };
        let with_order = |refund: ClientRefund| {
            let order = order(&refund);
            (refund, order)
        };
        Ok(refunds.into_iter().map(with_order).collect())
    }

    async fn ask_refund(&self, refund: ClientRefund, order: Option<RefundOrder>) -> News {
        let heard = match order {
            None => Heard::Refused(Refusal::NoBillingMethod),
            Some(order) if refund.asks => charges::when_asked(self.gateway().find_refund(&order).await),
            Some(order) => charges::when_given(self.gateway().refund(&order).await),
        };
        (refund.id, refund.charge_id, (refund.attempt, refund.tries), heard)
    }

    pub(super) async fn conclude_refunds(&self, news: &[News]) -> Result<(), Error> {
        let now = self.commands.now();
        let conclude = |txn: Arc<Txn>| async move {
            let ids: Vec<RefundId> = news.iter().map(|(id, ..)| *id).collect();
            let of: Vec<ChargeId> = news.iter().map(|(_, charge, ..)| *charge).collect();
            let mut heard: HashMap<RefundId, _> = news.iter().map(|(id, _, at, heard)| (*id, (*at, heard))).collect();
            // The timers' rows first and the contracts' after them, as in the worker.
            let keys: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
            timers::cancel(&txn, REFUND, &keys).await?;
            store::contracts::lock_of_charges(&txn, &of).await?;
            let mut refunds = store::client_refunds::find(&*txn, &ids).await?;
            for refund in &mut refunds {
                if let Some((at, heard)) = heard.remove(&refund.id)
                    && refund.hear(at, heard.clone(), now)
                    && let ClientRefundState::Refused { reason } = &refund.state
                {
                    tracing::error!(refund.id = %refund.id, reason = reason.name(), "a client did not get its money back");
                }
            }
            store::client_refunds::save(&txn, &refunds).await?;
            look_again(&txn, &refunds).await
        };
        self.commands.db().write_tx(conclude).await
    }

    /// Operators have a refund tried again that the provider has refused.
    ///
    /// # Errors
    /// [`Error::NotFound`], and if it was not refused.
    pub async fn retry_client_refund(
        &self,
        key: &RequestKey,
        command: RetryClientRefund,
    ) -> Result<pb::RetryClientRefundResponse, Error> {
        let id = command.refund_id;
        let not_found = || Error::not_found("client_refund", id.as_uuid());
        let work = |txn: Arc<Txn>, now| async move {
            let seen = store::client_refunds::find(&*txn, &[id]).await?.pop();
            let seen = seen.ok_or_else(not_found)?;
            store::contracts::lock_of_charges(&txn, &[seen.charge_id]).await?;
            // What was seen before the lock may have been tried again meanwhile.
            let found = store::client_refunds::find(&*txn, &[id]).await?.pop();
            let mut refund = found.ok_or_else(not_found)?;
            refund.try_again(now)?;
            store::client_refunds::save(&txn, slice::from_ref(&refund)).await?;
            look_again(&txn, slice::from_ref(&refund)).await?;
            Ok(pb::RetryClientRefundResponse {
                refund: Some(refund.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Lists what clients get back, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_client_refunds(
        &self,
        filter: Filter,
        page: Page<RefundId>,
    ) -> Result<Listed<ClientRefund, RefundId>, Error> {
        let found = store::client_refunds::list(self.commands.db().reader(), filter, page).await?;
        Ok(page.cut(found, |refund| refund.id))
    }
}

/// Sets the timers for what comes next.
async fn look_again(txn: &Txn, refunds: &[ClientRefund]) -> Result<(), Error> {
    let timer = |refund: &ClientRefund| match refund.state {
        ClientRefundState::Pending { look_at: due } => Some(NewTimer {
            kind: REFUND,
            key: refund.id.as_uuid(),
            due,
        }),
        ClientRefundState::Succeeded { .. } | ClientRefundState::Refused { .. } => None,
    };
    let next: Vec<NewTimer> = refunds.iter().filter_map(timer).collect();
    Ok(timers::schedule(txn, &next).await?)
}

/// The refund that goes with what takes back an earning: it has the same id.
pub(super) const fn id_of(reversal: ReversalId) -> RefundId {
    RefundId::from_uuid(reversal.as_uuid())
}
