//! Milestones: agreed, funded, submitted, sent back for changes, approved by the client or by silence [B7]; or given up.

use std::{collections::BTreeMap, slice, sync::Arc};

use vouch_primitives::{ContractId, EarningId, MilestoneEventId, MilestoneId, Money, RefundId, Timestamp};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, DueTimer, NewTimer},
};

use super::{App, charges::NewCharge, client_refunds, contracts, earnings};
use crate::{
    domain::{
        Contract, EarningSource, LedgerAccount, Milestone, MilestoneEvent, MilestoneEventKind, MilestoneState,
        Transition,
    },
    error::Error,
    store,
};

/// The timer by which silence approves; its key is the milestone.
pub const AUTO_APPROVE: &str = "milestone.auto_approve";

/// Adds a milestone to a fixed-price contract.
#[derive(Clone, Debug)]
pub struct CreateMilestone {
    /// Which contract.
    pub contract_id: ContractId,
    /// What is delivered.
    pub title: String,
    /// What is paid for it, above zero.
    pub amount: Money,
}

/// The client pays a milestone into escrow.
#[derive(Clone, Copy, Debug)]
pub struct FundMilestone {
    /// Which one.
    pub milestone_id: MilestoneId,
}

/// The talent submits the work.
#[derive(Clone, Debug)]
pub struct SubmitMilestone {
    /// Which one.
    pub milestone_id: MilestoneId,
    /// What was done.
    pub message: String,
}

/// The client asks for changes of submitted work.
#[derive(Clone, Debug)]
pub struct RequestChanges {
    /// Which milestone.
    pub milestone_id: MilestoneId,
    /// What is to be changed.
    pub message: String,
}

/// The client gives up a milestone that is not funded.
#[derive(Clone, Copy, Debug)]
pub struct CancelMilestone {
    /// Which one.
    pub milestone_id: MilestoneId,
}

/// The talent gives up a milestone that is in escrow.
#[derive(Clone, Copy, Debug)]
pub struct RefundEscrow {
    /// Which one.
    pub milestone_id: MilestoneId,
}

/// The client approves the work.
#[derive(Clone, Copy, Debug)]
pub struct ApproveMilestone {
    /// Which one.
    pub milestone_id: MilestoneId,
}

impl App {
    /// Adds a milestone to a fixed-price contract.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the contract refuses.
    pub async fn create_milestone(
        &self,
        key: &RequestKey,
        command: &CreateMilestone,
    ) -> Result<pb::CreateMilestoneResponse, Error> {
        let work = |txn: Arc<Txn>, _now| async move {
            let id = command.contract_id;
            let contract = contracts::locked(&txn, id).await?;
            contract.check_milestone(command.amount, store::milestones::count(&*txn, id).await?)?;
            let milestone = Milestone {
                id: MilestoneId::new(),
                contract_id: id,
                title: command.title.clone(),
                amount: command.amount,
                taken_minor: 0,
                state: MilestoneState::Agreed,
            };
            store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
            Ok(pb::CreateMilestoneResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The client is made to pay the amount into escrow; once, however often it is asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`], if the contract is not active or the client has no way of billing, and whatever the milestone
    /// refuses.
    pub async fn fund_milestone(
        &self,
        key: &RequestKey,
        command: FundMilestone,
    ) -> Result<pb::FundMilestoneResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (mut milestone, contract) = locked(&txn, command.milestone_id).await?;
            let purpose = EarningSource::Milestone(milestone.id);
            let charge = if milestone.begin_funding()? == Transition::Moved {
                contract.check_active()?;
                let charge = NewCharge {
                    contract_id: contract.id,
                    client_id: contract.client_id,
                    purpose,
                    amount: milestone.amount,
                };
                store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
                Some(self.begin_charge(&txn, now, charge).await?)
            } else {
                store::charges::alive(&*txn, purpose).await?.map(|charge| charge.id)
            };
            Ok(pb::FundMilestoneResponse {
                milestone: Some(milestone.into()),
                charge_id: charge.map_or_else(String::new, |id| id.to_string()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The talent submits the work; from now on silence approves it.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the milestone refuses.
    pub async fn submit_milestone(
        &self,
        key: &RequestKey,
        command: &SubmitMilestone,
    ) -> Result<pb::SubmitMilestoneResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut milestone = locked(&txn, command.milestone_id).await?.0;
            if milestone.submit(now)? == Transition::Moved {
                store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
                let said = said(&milestone, MilestoneEventKind::Submitted, &command.message, now);
                store::milestones::insert_event(&txn, &said).await?;
                await_silence(&txn, &milestone).await?;
            }
            Ok(pb::SubmitMilestoneResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The client asks for changes: silence approves nothing any more, until the work is submitted again.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the milestone refuses.
    pub async fn request_changes(
        &self,
        key: &RequestKey,
        command: &RequestChanges,
    ) -> Result<pb::RequestChangesResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut milestone = without_timer(&txn, command.milestone_id).await?.0;
            milestone.request_changes(now)?;
            store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
            let said = said(&milestone, MilestoneEventKind::ChangesRequested, &command.message, now);
            store::milestones::insert_event(&txn, &said).await?;
            Ok(pb::RequestChangesResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The client gives up a milestone that nothing was paid for.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the milestone refuses.
    pub async fn cancel_milestone(
        &self,
        key: &RequestKey,
        command: CancelMilestone,
    ) -> Result<pb::CancelMilestoneResponse, Error> {
        let work = |txn: Arc<Txn>, _now| async move {
            let mut milestone = locked(&txn, command.milestone_id).await?.0;
            if milestone.cancel()? == Transition::Moved {
                store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
            }
            Ok(pb::CancelMilestoneResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The talent gives up a milestone: what is in escrow for it goes back to the client.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the milestone refuses.
    pub async fn refund_escrow(
        &self,
        key: &RequestKey,
        command: RefundEscrow,
    ) -> Result<pb::RefundEscrowResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut milestone = without_timer(&txn, command.milestone_id).await?.0;
            let back = milestone.refund_escrow(now)?;
            if back.minor > 0 {
                let escrow = LedgerAccount::escrow(milestone.contract_id, back.currency);
                let mut book = store::ledger::open(&txn, [escrow]).await?;
                book.refund_escrow(now, &milestone, back)?;
                store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
                let payment = EarningSource::Milestone(milestone.id);
                client_refunds::begin(&txn, now, RefundId::new(), (payment, back)).await?;
                store::ledger::save(&txn, now, &book).await?;
            }
            Ok(pb::RefundEscrowResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// One page of what was said with a milestone's work, the oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn list_milestone_events(
        &self,
        id: MilestoneId,
        page: Page<MilestoneEventId>,
    ) -> Result<Listed<MilestoneEvent, MilestoneEventId>, Error> {
        let conn = self.commands.db().reader();
        if store::milestones::find(conn, &[id]).await?.is_empty() {
            return Err(Error::not_found("milestone", id.as_uuid()));
        }
        let found = store::milestones::events(conn, id, page).await?;
        Ok(page.cut(found, |event| event.id))
    }

    /// The client approves the work: the money leaves escrow, and is available five days later [F6].
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the milestone refuses.
    pub async fn approve_milestone(
        &self,
        key: &RequestKey,
        command: ApproveMilestone,
    ) -> Result<pb::ApproveMilestoneResponse, Error> {
        let id = command.milestone_id;
        let work = |txn: Arc<Txn>, now| async move {
            let (milestone, contract) = without_timer(&txn, id).await?;
            let mut milestones = [milestone];
            let mut contracts = BTreeMap::from([(contract.id, contract)]);
            approve(&txn, now, &mut milestones, &mut contracts).await?;
            let [milestone] = milestones;
            Ok(pb::ApproveMilestoneResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Silence has approved these: each counts from its own due moment, however late the timer is. Where the client was
    /// quicker, or the work was submitted anew meanwhile, nothing changes.
    ///
    /// # Errors
    /// When the database fails, or an amount does not fit.
    pub async fn auto_approve(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<MilestoneId> = due.iter().map(|timer| MilestoneId::from_uuid(timer.key)).collect();
        let mut contracts = store::contracts::lock_of_milestones(txn, &ids).await?;
        let mut milestones = store::milestones::find(txn, &ids).await?;
        milestones.retain(|milestone| milestone.is_approved_by_silence(now));
        approve(txn, now, &mut milestones, &mut contracts).await
    }
}

/// Has silence approve what is submitted, when its time has come.
pub(super) async fn await_silence(txn: &Txn, milestone: &Milestone) -> Result<(), Error> {
    let timer = milestone.auto_approve_at().map(|due| NewTimer {
        kind: AUTO_APPROVE,
        key: milestone.id.as_uuid(),
        due,
    });
    Ok(timers::schedule(txn, timer.as_slice()).await?)
}

/// Clients have paid these into escrow.
pub(super) async fn paid(txn: &Txn, ids: &[MilestoneId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut milestones = store::milestones::find(txn, ids).await?;
    for milestone in &mut milestones {
        milestone.fund()?;
    }
    Ok(store::milestones::save(txn, &milestones).await?)
}

/// Clients could not be charged for these.
pub(super) async fn not_paid(txn: &Txn, ids: &[MilestoneId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut milestones = store::milestones::find(txn, ids).await?;
    for milestone in &mut milestones {
        milestone.stop_funding();
    }
    Ok(store::milestones::save(txn, &milestones).await?)
}

fn said(milestone: &Milestone, kind: MilestoneEventKind, message: &str, at: Timestamp) -> MilestoneEvent {
    MilestoneEvent {
        id: MilestoneEventId::new(),
        milestone_id: milestone.id,
        kind,
        message: message.to_owned(),
        at,
    }
}

/// Locks and reads as below, and silence approves nothing any more. The timer's row first and the contract's after it, as
/// in the worker, so that the two never wait for each other.
pub(super) async fn without_timer(txn: &Txn, id: MilestoneId) -> Result<(Milestone, Contract), Error> {
    timers::cancel(txn, AUTO_APPROVE, &[id.as_uuid()]).await?;
    locked(txn, id).await
}

/// Locks the milestone's contract and reads the milestone.
async fn locked(txn: &Txn, id: MilestoneId) -> Result<(Milestone, Contract), Error> {
    let not_found = || Error::not_found("milestone", id.as_uuid());
    let contract = store::contracts::lock_of_milestones(txn, &[id])
        .await?
        .into_values()
        .next();
    let milestone = store::milestones::find(txn, &[id]).await?.pop();
    Ok((milestone.ok_or_else(not_found)?, contract.ok_or_else(not_found)?))
}

/// Turns submitted milestones of locked contracts into earnings; those that are earnings already stay as they are.
pub(super) async fn approve(
    txn: &Txn,
    now: Timestamp,
    milestones: &mut [Milestone],
    contracts: &mut BTreeMap<ContractId, Contract>,
) -> Result<(), Error> {
    let mut made = Vec::new();
    for milestone in &mut *milestones {
        let id = milestone.contract_id;
        let contract = contracts
            .get_mut(&id)
            .ok_or(Error::not_found("contract", id.as_uuid()))?;
        made.extend(milestone.approve(contract, EarningId::new(), now)?);
    }
    if made.is_empty() {
        return Ok(());
    }
    store::milestones::save(txn, milestones).await?;
    earnings::begin(txn, now, &made, contracts).await
}
