//! Milestones: agreed, funded, submitted, approved by the client or by silence [B7].

use std::{collections::BTreeMap, slice, sync::Arc};

use vouch_primitives::{ChargeId, ContractId, EarningId, MilestoneId, Money, Timestamp};
use vouch_proto::payments::v1 as pb;
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, DueTimer, NewTimer},
};

use super::{App, earnings};
use crate::{
    domain::{Charge, Contract, Milestone, MilestoneState, Purpose, Transition},
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
#[derive(Clone, Copy, Debug)]
pub struct SubmitMilestone {
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
            let contract = store::contracts::lock(&txn, id).await?;
            let contract = contract.ok_or(Error::not_found("contract", id.as_uuid()))?;
            contract.check_milestone(command.amount, store::milestones::count(&*txn, id).await?)?;
            let milestone = Milestone {
                id: MilestoneId::new(),
                contract_id: id,
                title: command.title.clone(),
                amount: command.amount,
                state: MilestoneState::Agreed,
            };
            store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
            Ok(pb::CreateMilestoneResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The client pays the amount into escrow; once, however often it is asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the milestone refuses.
    pub async fn fund_milestone(
        &self,
        key: &RequestKey,
        command: FundMilestone,
    ) -> Result<pb::FundMilestoneResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (mut milestone, contract) = locked(&txn, command.milestone_id).await?;
            if milestone.fund()? == Transition::Moved {
                let charge = Charge {
                    id: ChargeId::new(),
                    contract_id: contract.id,
                    client_id: contract.client_id,
                    purpose: Purpose::Milestone(milestone.id),
                    amount: milestone.amount,
                };
                self.charge(&txn, now, &[charge]).await?;
            }
            Ok(pb::FundMilestoneResponse {
                milestone: Some(milestone.into()),
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
        command: SubmitMilestone,
    ) -> Result<pb::SubmitMilestoneResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut milestone = locked(&txn, command.milestone_id).await?.0;
            if milestone.submit(now)? == Transition::Moved {
                store::milestones::save(&txn, slice::from_ref(&milestone)).await?;
                let timer = milestone.auto_approve_at().map(|due| NewTimer {
                    kind: AUTO_APPROVE,
                    key: milestone.id.as_uuid(),
                    due,
                });
                timers::schedule(&txn, timer.as_slice()).await?;
            }
            Ok(pb::SubmitMilestoneResponse {
                milestone: Some(milestone.into()),
            })
        };
        self.commands.once(key, work).await
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
            // The timer's row first and the contract's after it, as in the worker, so that the two never wait for each
            // other.
            timers::cancel(&txn, AUTO_APPROVE, &[id.as_uuid()]).await?;
            let (milestone, contract) = locked(&txn, id).await?;
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
    /// quicker, nothing changes.
    ///
    /// # Errors
    /// When the database fails, or an amount does not fit.
    pub async fn auto_approve(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<MilestoneId> = due.iter().map(|timer| MilestoneId::from_uuid(timer.key)).collect();
        let mut contracts = store::contracts::lock_of_milestones(txn, &ids).await?;
        let mut milestones = store::milestones::find(txn, &ids).await?;
        approve(txn, now, &mut milestones, &mut contracts).await
    }
}

/// Clients have paid these into escrow.
pub(super) async fn paid(txn: &Txn, ids: &[MilestoneId]) -> Result<(), Error> {
    let mut milestones = store::milestones::find(txn, ids).await?;
    for milestone in &mut milestones {
        milestone.fund()?;
    }
    Ok(store::milestones::save(txn, &milestones).await?)
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
async fn approve(
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
    earnings::earn(txn, now, contracts, &made).await
}
