//! Payments that providers take back, and give again when the chargeback is won.

use std::{collections::BTreeMap, slice, sync::Arc};

use vouch_primitives::{MilestoneId, Money, ReversalId, Timestamp};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, client_refunds, earnings, milestones};
use crate::{
    domain::{
        Chargeback, ChargebackError, EarningSource, LedgerAccount, Milestone, MilestoneError, MilestoneState, Source,
    },
    error::Error,
    store,
};

pub use crate::store::chargebacks::Filter;

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
    /// Takes the money of a payment back: from escrow while its work is not approved, otherwise from its earning. The provider
    /// has done so already; what neither has any more is the platform's loss.
    ///
    /// # Errors
    /// [`Error::NotFound`]; if nothing was paid, in this currency, or the provider has told of it before.
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

    /// Lists chargebacks, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_chargebacks(
        &self,
        filter: Filter,
        page: Page<ReversalId>,
    ) -> Result<Listed<Chargeback, ReversalId>, Error> {
        let found = store::chargebacks::list(self.commands.db().reader(), filter, page).await?;
        Ok(page.cut(found, |chargeback| chargeback.id))
    }
}

pub(super) async fn charge_back(txn: &Txn, now: Timestamp, command: &RecordChargeback) -> Result<Chargeback, Error> {
    if let EarningSource::Milestone(id) = command.payment {
        let (milestone, contract) = milestones::without_timer(txn, id).await?;
        refuse_known(txn, command).await?;
        if milestone.is_approved_by_silence(now) {
            let mut contracts = BTreeMap::from([(contract.id, contract)]);
            milestones::approve(txn, now, &mut [milestone], &mut contracts).await?;
        } else if !matches!(milestone.state, MilestoneState::Approved { .. }) {
            return from_escrow(txn, now, command, milestone).await;
        }
    }
    from_earning(txn, now, command).await
}

/// What escrow has not any more is lost: nobody else could be asked for it.
async fn from_escrow(
    txn: &Txn,
    now: Timestamp,
    command: &RecordChargeback,
    mut milestone: Milestone,
) -> Result<Chargeback, Error> {
    let amount = command.in_currency_of(milestone.amount)?;
    let given_up = Source::EscrowRefunded(milestone.id);
    if milestone.state == MilestoneState::Cancelled && !store::ledger::is_booked(txn, &given_up).await? {
        let state = milestone.state.name();
        return Err(MilestoneError::NotInEscrow { state }.into());
    }
    let taken_minor = milestone.charge_back(amount.minor, now)?;
    let chargeback = Chargeback {
        id: ReversalId::new(),
        payment: command.payment,
        contract_id: milestone.contract_id,
        amount,
        lost_minor: amount.minor - taken_minor,
        earning_id: None,
        provider_reference: command.provider_reference.clone(),
        charged_back_at: now,
        won_back: None,
    };
    let escrow = LedgerAccount::escrow(milestone.contract_id, amount.currency);
    let mut book = store::ledger::open(txn, [escrow]).await?;
    book.charge_back(&chargeback, None)?;
    store::milestones::save(txn, slice::from_ref(&milestone)).await?;
    store::chargebacks::save(txn, &chargeback).await?;
    store::ledger::save(txn, now, &book).await?;
    Ok(chargeback)
}

/// The provider decides from now on, so that an open dispute about the earning ends. What was taken back of the earning before
/// is not taken twice: it is lost.
async fn from_earning(txn: &Txn, now: Timestamp, command: &RecordChargeback) -> Result<Chargeback, Error> {
    let source = command.payment;
    let found = store::earnings::of_source(txn, source).await?;
    let found = found.ok_or(Error::not_found(source.name(), source.id()))?;
    let (mut earning, mut contract) = earnings::locked(txn, found.id).await?;
    refuse_known(txn, command).await?;
    let amount = command.in_currency_of(earning.gross)?;
    let mut book = earnings::opened(txn, &earning).await?;
    if let Some(mut dispute) = store::disputes::open_about(txn, earning.id).await? {
        let released = dispute.supersede(&mut earning, now)?;
        book.release(&released, earning.account_id)?;
        store::disputes::save(txn, &dispute).await?;
    }
    let id = ReversalId::new();
    let taken = earning.charge_back(&mut contract, id, amount.minor, now);
    let chargeback = Chargeback {
        id,
        payment: command.payment,
        contract_id: earning.contract_id,
        amount,
        lost_minor: amount.minor - taken.map_or(0, |taken| taken.amount.minor),
        earning_id: Some(earning.id),
        provider_reference: command.provider_reference.clone(),
        charged_back_at: now,
        won_back: None,
    };
    book.charge_back(&chargeback, taken.as_ref())?;
    if let Some(taken) = taken {
        earnings::take_back(txn, now, &earning, contract, &taken).await?;
    } else {
        store::earnings::save_amounts(txn, &earning).await?;
    }
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

impl RecordChargeback {
    fn in_currency_of(&self, paid: Money) -> Result<Money, ChargebackError> {
        let paid = paid.currency;
        let same = self.amount.currency == paid;
        same.then_some(self.amount)
            .ok_or(ChargebackError::OtherCurrency { paid })
    }
}

pub(super) async fn win_back(txn: &Txn, now: Timestamp, id: ReversalId) -> Result<Chargeback, Error> {
    let not_found = || Error::not_found("chargeback", id.as_uuid());
    let seen = store::chargebacks::find(txn, id).await?.ok_or_else(not_found)?;
    let contract = store::contracts::lock(txn, seen.contract_id).await?;
    let mut contract = contract.ok_or_else(not_found)?;
    // What was seen before the lock may have been won back meanwhile.
    let mut chargeback = store::chargebacks::find(txn, id).await?.ok_or_else(not_found)?;
    let reinstatement = ReversalId::new();
    chargeback.win_back(reinstatement, now)?;
    store::chargebacks::save(txn, &chargeback).await?;
    match (chargeback.earning_id, chargeback.payment) {
        (Some(earning), _) => {
            let found = store::earnings::find(txn, &[earning]).await?.pop();
            let mut earning = found.ok_or_else(not_found)?;
            let taken = Money::new(chargeback.taken_minor(), chargeback.amount.currency);
            let mut book = earnings::opened(txn, &earning).await?;
            if taken.minor > 0 {
                let given = earning.reinstate(&mut contract, reinstatement, taken, now)?;
                book.win_back(&chargeback, Some(&given), (reinstatement, now))?;
                earnings::give_again(txn, now, &earning, contract, (&given, id)).await?;
            } else {
                book.win_back(&chargeback, None, (reinstatement, now))?;
            }
            store::ledger::save(txn, now, &book).await?;
        }
        (None, EarningSource::Milestone(milestone)) => {
            to_escrow(txn, (reinstatement, now), &chargeback, milestone).await?
        }
        (None, EarningSource::Invoice(_) | EarningSource::Bonus(_)) => return Err(not_found()),
    }
    Ok(chargeback)
}

/// Back into escrow; work that had been submitted is, and silence approves it again.
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
    let stays = milestone.win_back(chargeback.taken_minor(), now)?;
    let escrow = LedgerAccount::escrow(chargeback.contract_id, chargeback.amount.currency);
    let mut book = store::ledger::open(txn, [escrow]).await?;
    book.win_back(chargeback, None, (id, now))?;
    if !stays {
        book.hand_on(chargeback)?;
        let back = Money::new(chargeback.taken_minor(), chargeback.amount.currency);
        if back.minor > 0 {
            client_refunds::begin(txn, now, client_refunds::id_of(id), (chargeback.payment, back)).await?;
        }
    }
    store::milestones::save(txn, slice::from_ref(&milestone)).await?;
    if let MilestoneState::Submitted { .. } = milestone.state {
        milestones::await_silence(txn, &milestone).await?;
    }
    Ok(store::ledger::save(txn, now, &book).await?)
}
