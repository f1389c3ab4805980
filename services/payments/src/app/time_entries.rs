//! Time worked by the hour: written by talent until its week is closed [F5, B6].

use std::sync::Arc;

use vouch_primitives::{ContractId, TimeEntryId, Timestamp};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, NewTimer},
};

use super::{App, invoices::CLOSE_WEEK};
use crate::{
    domain::{Contract, Span, TimeEntry, TimeError},
    error::Error,
    store,
};

pub use crate::store::time_entries::Which;

/// Adds time that was worked.
#[derive(Clone, Debug)]
pub struct AddTimeEntry {
    /// Under which contract.
    pub contract_id: ContractId,
    /// From when to when.
    pub span: Span,
    /// Whether a tracker has measured it.
    pub tracked: bool,
    /// What was done; may be empty.
    pub description: String,
}

/// Says something else of when and what.
#[derive(Clone, Debug)]
pub struct ChangeTimeEntry {
    /// Which entry.
    pub time_entry_id: TimeEntryId,
    /// From when to when.
    pub span: Span,
    /// What was done; may be empty.
    pub description: String,
}

/// Removes an entry.
#[derive(Clone, Copy, Debug)]
pub struct RemoveTimeEntry {
    /// Which entry.
    pub time_entry_id: TimeEntryId,
}

impl App {
    /// Adds time that was worked, and has its week closed when that is due.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Time`].
    pub async fn add_time_entry(
        &self,
        key: &RequestKey,
        command: &AddTimeEntry,
    ) -> Result<pb::AddTimeEntryResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let id = command.contract_id;
            let contract = store::contracts::lock_of_worker(&txn, id).await?;
            let contract = contract.ok_or(Error::not_found("contract", id.as_uuid()))?;
            let entry = TimeEntry {
                id: TimeEntryId::new(),
                contract_id: id,
                person_id: contract.person_id,
                account_id: contract.account_id,
                client_id: contract.client_id,
                span: command.span,
                tracked: command.tracked,
                description: command.description.clone(),
                created_at: now,
            };
            admit(&txn, now, &contract, &entry).await?;
            store::time_entries::insert(&txn, &entry).await?;
            Ok(pb::AddTimeEntryResponse {
                time_entry: Some(entry.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Says something else of when and what. The entry may move to another week that is open, too.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Time`].
    pub async fn change_time_entry(
        &self,
        key: &RequestKey,
        command: &ChangeTimeEntry,
    ) -> Result<pb::ChangeTimeEntryResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (mut entry, contract) = locked(&txn, command.time_entry_id).await?;
            check_open(&txn, now, &entry).await?;
            entry.rewrite(command.span, command.description.clone());
            admit(&txn, now, &contract, &entry).await?;
            store::time_entries::update(&txn, &entry).await?;
            Ok(pb::ChangeTimeEntryResponse {
                time_entry: Some(entry.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Removes an entry. The timer of its week stays: it finds what there is.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Time`].
    pub async fn remove_time_entry(
        &self,
        key: &RequestKey,
        command: RemoveTimeEntry,
    ) -> Result<pb::RemoveTimeEntryResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (entry, _) = locked(&txn, command.time_entry_id).await?;
            check_open(&txn, now, &entry).await?;
            store::time_entries::delete(&txn, entry.id).await?;
            Ok(pb::RemoveTimeEntryResponse {})
        };
        self.commands.once(key, work).await
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_time_entry(&self, id: TimeEntryId) -> Result<TimeEntry, Error> {
        let found = store::time_entries::find(self.commands.db().reader(), id).await?;
        found.ok_or(Error::not_found("time_entry", id.as_uuid()))
    }

    /// Lists entries, those that were added last first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_time_entries(
        &self,
        which: Which,
        page: Page<TimeEntryId>,
    ) -> Result<Listed<TimeEntry, TimeEntryId>, Error> {
        let found = store::time_entries::list(self.commands.db().reader(), which, page).await?;
        Ok(page.cut(found, |entry| entry.id))
    }
}

/// Locks the contracts of the person whose entry this is, and reads the entry and its contract.
async fn locked(txn: &Txn, id: TimeEntryId) -> Result<(TimeEntry, Contract), Error> {
    let not_found = || Error::not_found("time_entry", id.as_uuid());
    let mut contracts = store::contracts::lock_of_time_entry(txn, id).await?;
    let entry = store::time_entries::find(txn, id).await?.ok_or_else(not_found)?;
    let contract = contracts.remove(&entry.contract_id).ok_or_else(not_found)?;
    Ok((entry, contract))
}

/// Whether the week of an entry is open. Who came before Monday noon and waited for the lock until after it may find the
/// invoice made.
async fn check_open(txn: &Txn, now: Timestamp, entry: &TimeEntry) -> Result<(), Error> {
    entry.check_open(now)?;
    if store::invoices::find(txn, &[entry.invoice_id()]).await?.is_empty() {
        return Ok(());
    }
    let at = entry.span.week().closes_at();
    Err(TimeError::WeekClosed { at }.into())
}

/// Lets an entry into its week, whose closing is set with every one: whichever others there are, they may be gone by the time
/// at which the timer that they had set is carried out. The person's contracts are locked.
async fn admit(txn: &Txn, now: Timestamp, contract: &Contract, entry: &TimeEntry) -> Result<(), Error> {
    let others = store::time_entries::others(txn, entry).await?;
    let pauses = store::pauses::meeting(txn, contract.id, entry.span).await?;
    let holds = store::holds::meeting(txn, contract.id, entry.span).await?;
    entry.check(contract, (&pauses, &holds), others, now)?;
    check_open(txn, now, entry).await?;
    if let Some(other) = store::time_entries::overlapping(txn, entry).await? {
        return Err(TimeError::Overlaps { other }.into());
    }
    let timer = NewTimer {
        kind: CLOSE_WEEK,
        key: entry.invoice_id().as_uuid(),
        due: entry.span.week().closes_at(),
    };
    Ok(timers::schedule(txn, &[timer]).await?)
}
