//! Payments that providers take back, and give again when the chargeback is won.

use std::{collections::BTreeMap, slice, sync::Arc};

use vouch_primitives::{MilestoneId, Money, ReversalId, Timestamp};
use vouch_proto::payments::v1 as pb;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, earnings, milestones};
use crate::{
    domain::{Chargeback, ChargebackError, EarningSource, LedgerAccount, Milestone, MilestoneState},
    error::Error,
    store,
};

/// A provider has taken a payment back.
#[derive(Clone, Debug)]
pub struct RecordChargeback {
    /// What the client had paid for.
    pub payment: EarningSource,
    /// How much, above zero.
    pub amount: Money,
    /// The provider's name for it.
    pub provider_reference: String,
}

/// A provider has given again what it took.
#[derive(Clone, Copy, Debug)]
pub struct ReverseChargeback {
    /// Which chargeback.
    pub chargeback_id: ReversalId,
}

impl App {
    /// Takes the money of a payment back: from escrow while its work is not approved, otherwise from its earning.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever milestone, earning or chargeback refuses.
    pub async fn record_chargeback(
        &self,
        key: &RequestKey,
        command: &RecordChargeback,
    ) -> Result<pb::RecordChargebackResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let chargeback = charge_back(&txn, now, command).await?;
            Ok(pb::RecordChargebackResponse {
                chargeback: Some(chargeback.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Puts back what a chargeback had taken.
    ///
    /// # Errors
    /// [`Error::NotFound`], and if it was put back before.
    pub async fn reverse_chargeback(
        &self,
        key: &RequestKey,
        command: ReverseChargeback,
    ) -> Result<pb::ReverseChargebackResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let chargeback = win_back(&txn, now, command.chargeback_id).await?;
            Ok(pb::ReverseChargebackResponse {
                chargeback: Some(chargeback.into()),
            })
        };
        self.commands.once(key, work).await
    }
}

async fn charge_back(txn: &Txn, now: Timestamp, command: &RecordChargeback) -> Result<Chargeback, Error> {
    if let EarningSource::Milestone(id) = command.payment {
        let (milestone, contract) = milestones::without_timer(txn, id).await?;
        if milestone.is_approved_by_silence(now) {
            let mut contracts = BTreeMap::from([(contract.id, contract)]);
            milestones::approve(txn, now, &mut [milestone], &mut contracts).await?;
        } else if !matches!(milestone.state, MilestoneState::Approved { .. }) {
            return from_escrow(txn, now, command, milestone).await;
        }
    }
    from_earning(txn, now, command).await
}

async fn from_escrow(
    txn: &Txn,
    now: Timestamp,
    command: &RecordChargeback,
    mut milestone: Milestone,
) -> Result<Chargeback, Error> {
    milestone.charge_back(now)?;
    if command.amount != milestone.amount {
        let whole = milestone.amount;
        return Err(ChargebackError::NotWhole { whole }.into());
    }
    refuse_known(txn, command).await?;
    let chargeback = Chargeback {
        id: ReversalId::new(),
        payment: command.payment,
        contract_id: milestone.contract_id,
        amount: command.amount,
        earning_id: None,
        provider_reference: command.provider_reference.clone(),
        charged_back_at: now,
        won_back: None,
    };
    let escrow = LedgerAccount::escrow(milestone.contract_id, milestone.amount.currency);
    let mut book = store::ledger::open(txn, [escrow]).await?;
    book.charge_back_escrow(&chargeback)?;
    store::milestones::save(txn, slice::from_ref(&milestone)).await?;
    store::chargebacks::save(txn, &chargeback).await?;
    store::ledger::save(txn, now, &book).await?;
    Ok(chargeback)
}

/// The provider decides from now on, so that an open dispute about the earning ends.
async fn from_earning(txn: &Txn, now: Timestamp, command: &RecordChargeback) -> Result<Chargeback, Error> {
    let source = command.payment;
    let found = store::earnings::of_source(txn, source).await?;
    let found = found.ok_or(Error::not_found(source.name(), source.id()))?;
    let (mut earning, mut contract) = earnings::locked(txn, found.id).await?;
    refuse_known(txn, command).await?;
    let mut book = earnings::opened(txn, &earning).await?;
    if let Some(mut dispute) = store::disputes::open_about(txn, earning.id).await? {
        let released = dispute.supersede(&mut earning, now)?;
        book.release(&released, earning.account_id)?;
        store::disputes::save(txn, &dispute).await?;
    }
    let taken = earning.charge_back(&mut contract, ReversalId::new(), command.amount, now)?;
    book.refund(&taken)?;
    earnings::take_back(txn, now, &earning, contract, &taken).await?;
    let chargeback = Chargeback {
        id: taken.id,
        payment: command.payment,
        contract_id: earning.contract_id,
        amount: command.amount,
        earning_id: Some(earning.id),
        provider_reference: command.provider_reference.clone(),
        charged_back_at: now,
        won_back: None,
    };
    store::chargebacks::save(txn, &chargeback).await?;
    store::ledger::save(txn, now, &book).await?;
    Ok(chargeback)
}

async fn refuse_known(txn: &Txn, command: &RecordChargeback) -> Result<(), Error> {
    if store::chargebacks::is_known(txn, &command.provider_reference).await? {
        return Err(ChargebackError::Exists.into());
    }
    Ok(())
}

async fn win_back(txn: &Txn, now: Timestamp, id: ReversalId) -> Result<Chargeback, Error> {
    let not_found = || Error::not_found("chargeback", id.as_uuid());
    let seen = store::chargebacks::find(txn, id).await?.ok_or_else(not_found)?;
    store::contracts::lock(txn, seen.contract_id).await?;
    // What was seen before the lock may have been won back meanwhile.
    let mut chargeback = store::chargebacks::find(txn, id).await?.ok_or_else(not_found)?;
    let reinstatement = ReversalId::new();
    chargeback.win_back(reinstatement, now)?;
    store::chargebacks::save(txn, &chargeback).await?;
    match (chargeback.earning_id, chargeback.payment) {
        (Some(earning), _) => {
            let (mut earning, mut contract) = earnings::locked(txn, earning).await?;
            let given = earning.reinstate(&mut contract, reinstatement, chargeback.amount, now)?;
            let mut book = earnings::opened(txn, &earning).await?;
            book.reinstate(&given)?;
            earnings::give_again(txn, now, &earning, contract, (&given, id)).await?;
            store::ledger::save(txn, now, &book).await?;
        }
        (None, EarningSource::Milestone(milestone)) => {
            to_escrow(txn, (reinstatement, now), &chargeback, milestone).await?
        }
        (None, EarningSource::Invoice(_) | EarningSource::Bonus(_)) => return Err(not_found()),
    }
    Ok(chargeback)
}

async fn to_escrow(
    txn: &Txn,
    (id, now): (ReversalId, Timestamp),
    chargeback: &Chargeback,
    milestone: MilestoneId,
) -> Result<(), Error> {
    let not_found = Error::not_found("milestone", milestone.as_uuid());
    let mut milestone = store::milestones::find(txn, &[milestone])
        .await?
        .pop()
        .ok_or(not_found)?;
    milestone.win_back()?;
    let escrow = LedgerAccount::escrow(chargeback.contract_id, chargeback.amount.currency);
    let mut book = store::ledger::open(txn, [escrow]).await?;
    book.win_back_escrow(chargeback, id, now)?;
    store::milestones::save(txn, slice::from_ref(&milestone)).await?;
    Ok(store::ledger::save(txn, now, &book).await?)
}
