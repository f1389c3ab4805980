//! Contracts are paused, go on, end, and get other weekly limits.

use std::sync::Arc;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ContractId, Timestamp};
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{
        self as pb,
        contract_changed::{Change, Paused, Resumed, WeeklyLimitChanged},
    },
};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{
    App,
    contracts::{ContractView, locked},
};
use crate::{
    domain::{Author, Contract, ContractError, Halt, Transition},
    error::Error,
    store,
};

/// Pauses a contract, or ends it.
#[derive(Clone, Debug)]
pub struct HaltContract {
    /// Which one.
    pub contract_id: ContractId,
    /// Why; not empty.
    pub reason: String,
}

/// Lets a paused contract go on.
#[derive(Clone, Copy, Debug)]
pub struct ResumeContract {
    /// Which one.
    pub contract_id: ContractId,
}

/// Changes how many minutes may be invoiced per week.
#[derive(Clone, Copy, Debug)]
pub struct ChangeWeeklyLimit {
    /// Of which contract.
    pub contract_id: ContractId,
    /// So many, 1 to 10,080.
    pub minutes: u32,
}

impl App {
    /// Nothing new for now: no time, no milestones, no escrow.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the contract refuses.
    pub async fn pause_contract(
        &self,
        key: &RequestKey,
        command: &HaltContract,
        by: Author,
    ) -> Result<pb::PauseContractResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut contract = locked(&txn, command.contract_id).await?;
            if contract.pause(command.halt(now, by))? == Transition::Moved {
                store::contracts::save_state(&txn, &contract).await?;
                store::pauses::begin(&txn, contract.id, now).await?;
                outbox::append(&txn, now, &[changed(&contract, Change::Paused(Paused {}), now)]).await?;
            }
            Ok(pb::PauseContractResponse {
                contract: Some(ContractView::read(&*txn, contract, now).await?.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Work goes on, if whoever has paused it says so.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the contract refuses.
    pub async fn resume_contract(
        &self,
        key: &RequestKey,
        command: ResumeContract,
        by: Author,
    ) -> Result<pb::ResumeContractResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut contract = locked(&txn, command.contract_id).await?;
            if contract.resume(by)? == Transition::Moved {
                store::contracts::save_state(&txn, &contract).await?;
                store::pauses::end(&txn, contract.id, now).await?;
                outbox::append(&txn, now, &[changed(&contract, Change::Resumed(Resumed {}), now)]).await?;
            }
            Ok(pb::ResumeContractResponse {
                contract: Some(ContractView::read(&*txn, contract, now).await?.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Nobody works any more; milestones that are only agreed are dropped.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the contract refuses.
    pub async fn end_contract(
        &self,
        key: &RequestKey,
        command: &HaltContract,
        by: Author,
    ) -> Result<pb::EndContractResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let mut contract = locked(&txn, command.contract_id).await?;
            let mut milestones = store::milestones::of_contract(&*txn, contract.id).await?;
            if contract.end(command.halt(now, by), &mut milestones)? == Transition::Moved {
                store::milestones::save(&txn, &milestones).await?;
                store::contracts::save_state(&txn, &contract).await?;
                store::pauses::end(&txn, contract.id, now).await?;
                outbox::append(&txn, now, &[ended(&contract, now)]).await?;
            }
            Ok(pb::EndContractResponse {
                contract: Some(ContractView::read(&*txn, contract, now).await?.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// More minutes per week are in force at once, fewer from next Monday.
    ///
    /// # Errors
    /// [`Error::NotFound`]; if the contract is not hourly or has ended.
    pub async fn change_weekly_limit(
        &self,
        key: &RequestKey,
        command: ChangeWeeklyLimit,
    ) -> Result<pb::ChangeWeeklyLimitResponse, Error> {
        let ChangeWeeklyLimit {
            contract_id: id,
            minutes,
        } = command;
        let work = |txn: Arc<Txn>, now| async move {
            let contract = locked(&txn, id).await?;
            let limits = store::limits::of(&*txn, [&contract]).await?.remove(&id);
            let mut limits = limits.ok_or(ContractError::NotHourly)?;
            contract.check_not_ended()?;
            if let Some(from) = limits.change(minutes, now) {
                store::limits::save(&txn, id, from, minutes).await?;
                let change = Change::WeeklyLimit(WeeklyLimitChanged {
                    from_time: Some(to_wire_time(from.start())),
                    minutes,
                });
                outbox::append(&txn, now, &[changed(&contract, change, now)]).await?;
            }
            Ok(pb::ChangeWeeklyLimitResponse {
                contract: Some(ContractView::read(&*txn, contract, now).await?.into()),
            })
        };
        self.commands.once(key, work).await
    }
}

impl HaltContract {
    fn halt(&self, at: Timestamp, by: Author) -> Halt {
        Halt {
            at,
            reason: self.reason.clone(),
            by: Some(by),
        }
    }
}

fn ended(contract: &Contract, at: Timestamp) -> NewEvent {
    let event = pb::ContractEnded {
        contract_id: contract.id.to_string(),
        offer_id: contract.offer_id.to_string(),
        client_id: contract.client_id.to_string(),
        person_id: contract.person_id.to_string(),
        account_id: contract.account_id.to_string(),
        end_time: Some(to_wire_time(at)),
    };
    NewEvent::new(contract.id.as_uuid(), &event)
}

/// What has changed, without the reason: events carry no words of people.
pub(super) fn changed(contract: &Contract, change: Change, at: Timestamp) -> NewEvent {
    let event = pb::ContractChanged {
        contract_id: contract.id.to_string(),
        client_id: contract.client_id.to_string(),
        person_id: contract.person_id.to_string(),
        account_id: contract.account_id.to_string(),
        change_time: Some(to_wire_time(at)),
        change: Some(change),
    };
    NewEvent::new(contract.id.as_uuid(), &event)
}
