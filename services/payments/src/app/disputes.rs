//! Disputes: opened in the review window, withdrawn by the client, resolved by operators.

use std::sync::Arc;

use vouch_primitives::{DisputeId, DisputeNoteId, EarningId, ReversalId};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, earnings};
use crate::{
    domain::{Author, Complaint, Contract, Dispute, DisputeNote, Earning, Outcome},
    error::Error,
    store,
};

pub use crate::store::disputes::Filter;

/// The client disputes an earning.
#[derive(Clone, Debug)]
pub struct OpenDispute {
    /// Which earning.
    pub earning_id: EarningId,
    /// What is said about it.
    pub complaint: Complaint,
}

/// Somebody says something about a dispute.
#[derive(Clone, Debug)]
pub struct AddDisputeNote {
    /// Which dispute.
    pub dispute_id: DisputeId,
    /// What is said.
    pub text: String,
}

/// Operators decide.
#[derive(Clone, Debug)]
pub struct ResolveDispute {
    /// Which dispute.
    pub dispute_id: DisputeId,
    /// How.
    pub outcome: Outcome,
    /// Why.
    pub explanation: String,
}

/// The client gives up.
#[derive(Clone, Copy, Debug)]
pub struct WithdrawDispute {
    /// Which dispute.
    pub dispute_id: DisputeId,
}

impl App {
    /// The client disputes a part or all of an earning that is not available yet.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the dispute refuses.
    pub async fn open_dispute(
        &self,
        key: &RequestKey,
        command: &OpenDispute,
    ) -> Result<pb::OpenDisputeResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (mut earning, contract) = earnings::locked(&txn, command.earning_id).await?;
            let complaint = command.complaint.clone();
            let dispute = Dispute::open(DisputeId::new(), &mut earning, &contract, complaint, now)?;
            let mut book = earnings::opened(&txn, &earning).await?;
            book.hold(&dispute, earning.account_id)?;
            store::earnings::save_amounts(&txn, &earning).await?;
            store::disputes::save(&txn, &dispute).await?;
            store::ledger::save(&txn, now, &book).await?;
            Ok(pb::OpenDisputeResponse {
                dispute: Some(dispute.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Operators decide: what goes back to the client is a refund like any other.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the dispute refuses.
    pub async fn resolve_dispute(
        &self,
        key: &RequestKey,
        command: &ResolveDispute,
    ) -> Result<pb::ResolveDisputeResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (mut dispute, mut earning, mut contract) = locked(&txn, command.dispute_id).await?;
            let explanation = command.explanation.clone();
            let (released, refund) = dispute.resolve(
                &mut earning,
                &mut contract,
                command.outcome,
                explanation,
                (ReversalId::new(), now),
            )?;
            let mut book = earnings::opened(&txn, &earning).await?;
            book.release(&released, earning.account_id)?;
            if let Some(refund) = refund {
                book.refund(&refund)?;
                earnings::take_back(&txn, now, &earning, contract, &refund).await?;
                earnings::give_to_client(&txn, now, &earning, &refund).await?;
            } else {
                store::earnings::save_amounts(&txn, &earning).await?;
            }
            store::disputes::save(&txn, &dispute).await?;
            store::ledger::save(&txn, now, &book).await?;
            Ok(pb::ResolveDisputeResponse {
                dispute: Some(dispute.into()),
                earning: Some(earning.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The client gives a dispute up.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the dispute refuses.
    pub async fn withdraw_dispute(
        &self,
        key: &RequestKey,
        command: WithdrawDispute,
    ) -> Result<pb::WithdrawDisputeResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (mut dispute, mut earning, _) = locked(&txn, command.dispute_id).await?;
            let released = dispute.withdraw(&mut earning, now)?;
            let mut book = earnings::opened(&txn, &earning).await?;
            book.release(&released, earning.account_id)?;
            store::earnings::save_amounts(&txn, &earning).await?;
            store::disputes::save(&txn, &dispute).await?;
            store::ledger::save(&txn, now, &book).await?;
            Ok(pb::WithdrawDisputeResponse {
                dispute: Some(dispute.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Somebody says something about an open dispute.
    ///
    /// # Errors
    /// [`Error::NotFound`], and if the dispute has ended.
    pub async fn add_dispute_note(
        &self,
        key: &RequestKey,
        command: &AddDisputeNote,
        author: Author,
    ) -> Result<pb::AddDisputeNoteResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let (dispute, ..) = locked(&txn, command.dispute_id).await?;
            dispute.check_open()?;
            let note = DisputeNote {
                id: DisputeNoteId::new(),
                dispute_id: dispute.id,
                author,
                text: command.text.clone(),
                at: now,
            };
            store::disputes::insert_note(&txn, &note).await?;
            Ok(pb::AddDisputeNoteResponse {
                note: Some(note.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Reads one dispute.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_dispute(&self, id: DisputeId) -> Result<Dispute, Error> {
        let found = store::disputes::find(self.commands.db().reader(), id).await?;
        found.ok_or(Error::not_found("dispute", id.as_uuid()))
    }

    /// Lists disputes, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_disputes(
        &self,
        filter: Filter,
        page: Page<DisputeId>,
    ) -> Result<Listed<Dispute, DisputeId>, Error> {
        let found = store::disputes::list(self.commands.db().reader(), filter, page).await?;
        Ok(page.cut(found, |dispute| dispute.id))
    }

    /// Lists what was said about a dispute, the oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn list_dispute_notes(
        &self,
        id: DisputeId,
        page: Page<DisputeNoteId>,
    ) -> Result<Listed<DisputeNote, DisputeNoteId>, Error> {
        self.get_dispute(id).await?;
        let found = store::disputes::notes(self.commands.db().reader(), id, page).await?;
        Ok(page.cut(found, |note| note.id))
    }
}

/// Locks the contract of the dispute's earning, and reads the two.
async fn locked(txn: &Txn, id: DisputeId) -> Result<(Dispute, Earning, Contract), Error> {
    let not_found = || Error::not_found("dispute", id.as_uuid());
    let seen = store::disputes::find(txn, id).await?.ok_or_else(not_found)?;
    let (earning, contract) = earnings::locked(txn, seen.earning_id).await?;
    // What was seen before the lock may have ended meanwhile.
    let dispute = store::disputes::find(txn, id).await?.ok_or_else(not_found)?;
    Ok((dispute, earning, contract))
}
