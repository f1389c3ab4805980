//! Offers: read, accepted, declined, lapsed; and what payments makes of those that were accepted.

use std::collections::BTreeMap;

use vouch_mail::{NewMail, enqueue};
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{CaseId, ContractId, NoteId, RoomId, Timestamp};
use vouch_proto::{
    common::v1::{ContractTerms, contract_terms::Pay},
    convert::to_wire_time,
    onboarding::v1 as pb,
};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, Batch},
};

use super::{
    App, LAPSE_OFFER,
    cases::{CaseFile, facts, lock},
    letter, record,
};
use crate::{
    domain::{Author, Case, Contract, ContractStart, Counted, Lapsed, Moved, Note, Offer, Person, Refusal},
    error::Error,
    store::{cases as store, quotas, rooms},
};

/// Confirms that the contract was read [B19, B31].
#[derive(Clone, Copy, Debug)]
pub struct ReviewContract {
    /// Which case.
    pub case_id: CaseId,
    /// The version of the offer that was read.
    pub version: u32,
}

/// Writes the terms of an offer anew.
#[derive(Clone, Debug)]
pub struct ChangeOffer {
    /// Which case.
    pub case_id: CaseId,
    /// What is offered from now on.
    pub terms: ContractTerms,
}

/// Accepts an offer with a message to the hiring manager [B26, B38].
#[derive(Clone, Debug)]
pub struct AcceptOffer {
    /// Which case.
    pub case_id: CaseId,
    /// The message; never empty.
    pub message: String,
}

/// Says no to an offer.
#[derive(Clone, Debug)]
pub struct DeclineOffer {
    /// Which case.
    pub case_id: CaseId,
    /// Why; may be empty.
    pub reason: String,
}

impl App {
    /// Confirms that the person has read the contract: scope, scheduling, payment [B19, B31].
    ///
    /// # Errors
    /// If there is no such case, it has no offer, the client has changed it since, it has come to nothing, or the database
    /// fails.
    pub async fn review_contract(
        &self,
        key: &RequestKey,
        command: &ReviewContract,
    ) -> Result<pb::ReviewContractResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut file, person) = lock(&txn, command.case_id).await?;
                let facts = facts(&txn, &file, &person).await?;
                let moved = file.case.review_contract(command.version, facts, now)?;
                self.arrive(&txn, now, &file, &person, moved).await?;
                let case = Some(file.into());
                Ok(pb::ReviewContractResponse { case })
            })
            .await
    }

    /// Writes the terms of an offer anew; the talent is told, and has to review it again [B19]. With the terms that stand,
    /// nothing changes.
    ///
    /// # Errors
    /// If there is no such case, it has no offer, that was accepted before or has come to nothing, or the database fails.
    pub async fn change_offer(
        &self,
        key: &RequestKey,
        command: &ChangeOffer,
    ) -> Result<pb::ChangeOfferResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut file, person) = lock(&txn, command.case_id).await?;
                let mut changed = file.case.clone();
                changed.change_offer(now)?;
                if file.terms.as_ref() != Some(&command.terms) {
                    file.case = changed;
                    file.terms = Some(command.terms.clone());
                    store::save_case(&txn, &file.case, file.terms.as_ref()).await?;
                    tell_of_change(&txn, now, &file.case, &person, &command.terms.project_name).await?;
                }
                let case = Some(file.into());
                Ok(pb::ChangeOfferResponse { case })
            })
            .await
    }

    /// Accepts the offer of a case: the contract, the project room with the message as its first note [B28], the mail
    /// to the hiring manager and the event are in one transaction [B27].
    ///
    /// # Errors
    /// If there is no such case, a step before is not done, the offer was accepted before or has come to nothing, or the
    /// database fails.
    pub async fn accept_offer(
        &self,
        key: &RequestKey,
        command: &AcceptOffer,
    ) -> Result<pb::AcceptOfferResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut file, person) = lock(&txn, command.case_id).await?;
                let contract = file.case.accept_offer(ContractId::new(), RoomId::new(), now)?;
                let note = Note {
                    id: NoteId::new(),
                    author: Author::Talent(person.id),
                    text: command.message.clone(),
                    created_at: now,
                };
                rooms::open_room(&txn, contract.room_id, &note).await?;
                store::save_case(&txn, &file.case, file.terms.as_ref()).await?;
                timers::cancel(&txn, LAPSE_OFFER, &[file.case.id.as_uuid()]).await?;
                let terms = file.terms.as_ref().ok_or(Refusal::NoOffer)?;
                let offer = file.case.offer().ok_or(Refusal::NoOffer)?;
                let mail = acceptance_mail(&file.case, offer, &terms.project_name, &person, &command.message);
                enqueue(&txn, now, &mail).await?;
                let event = offer_accepted(&file.case, offer, contract, terms);
                record(&txn, now, offer.id.as_uuid(), &event).await?;
                let case = Some(file.into());
                Ok(pb::AcceptOfferResponse { case })
            })
            .await
    }

    /// Says no to the offer of a case.
    ///
    /// # Errors
    /// If there is no such case, it has no offer, that was accepted or has lapsed, or the database fails.
    pub async fn decline_offer(
        &self,
        key: &RequestKey,
        command: &DeclineOffer,
    ) -> Result<pb::DeclineOfferResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut file, _) = lock(&txn, command.case_id).await?;
                decline(&txn, now, &mut file, command.reason.clone()).await?;
                let case = Some(file.into());
                Ok(pb::DeclineOfferResponse { case })
            })
            .await
    }

    /// Lapses the offers whose time is up, unless they were accepted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lapse_offers(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let ids: Vec<_> = due.keys().into_iter().map(CaseId::from_uuid).collect();
        let mut cases = store::lock_cases(txn, &ids).await?;
        cases.retain_mut(|(case, _)| case.lapse(due.now) == Lapsed::Now);
        let lapsed: Vec<_> = cases.iter().map(|(case, _)| case.id).collect();
        store::save_lapsed(txn, &lapsed, due.now).await?;
        let events: Vec<_> = cases.iter().filter_map(|(case, _)| offer_lapsed(case)).collect();
        Ok(outbox::append(txn, due.now, &events).await?)
    }

    /// Notes when payments began these contracts.
    ///
    /// # Errors
    /// If no offer began one of the contracts; when the database fails.
    pub async fn record_contract_starts(&self, txn: &Txn, starts: &[ContractStart]) -> Result<(), Error> {
        let starts: BTreeMap<_, _> = starts.iter().map(|start| (start.contract_id, *start)).collect();
        let starts: Vec<_> = starts.into_values().collect();
        let known = store::save_contract_starts(txn, &starts).await?;
        if usize::try_from(known) == Ok(starts.len()) {
            Ok(())
        } else {
            Err(Error::UnknownContract)
        }
    }
}

/// Tells the talent that the offer is another one, unless so many letters said so today that one more would be a nuisance: they
/// name no terms, so that the last of them is as true as the first.
async fn tell_of_change(
    txn: &Txn,
    now: Timestamp,
    case: &Case,
    person: &Person,
    project_name: &str,
) -> Result<(), Error> {
    if !quotas::take(txn, now, Counted::LettersOfChanges(case.id)).await? {
        return Ok(());
    }
    let letter = letter::of_changed_offer(case, person, project_name);
    letter::send(txn, now, ("offer_changed", case.id.as_uuid()), person, letter).await
}

/// Says no to the offer of a locked case, for a reason that may be empty.
async fn decline(txn: &Txn, now: Timestamp, file: &mut CaseFile, reason: String) -> Result<(), Error> {
    if file.case.decline_offer(reason, now)? == Moved::Before {
        return Ok(());
    }
    store::save_case(txn, &file.case, file.terms.as_ref()).await?;
    timers::cancel(txn, LAPSE_OFFER, &[file.case.id.as_uuid()]).await?;
    let offer = file.case.offer().ok_or(Refusal::NoOffer)?;
    let event = pb::OfferDeclined {
        offer_id: offer.id.to_string(),
        invitation_id: file.case.invitation_id.to_string(),
        client_id: file.case.client.id.to_string(),
        person_id: file.case.person_id.to_string(),
        decline_time: Some(to_wire_time(now)),
    };
    Ok(record(txn, now, offer.id.as_uuid(), &event).await?)
}

/// Says no to the offer of a locked case whose person has closed the account; one that is not open, or has no offer, stays as
/// it is.
pub(super) async fn decline_open(txn: &Txn, now: Timestamp, file: &mut CaseFile) -> Result<(), Error> {
    if file.case.offer().is_some() && file.case.is_open(now) {
        decline(txn, now, file, String::new()).await?;
    }
    Ok(())
}

fn acceptance_mail(case: &Case, offer: &Offer, project_name: &str, person: &Person, message: &str) -> NewMail {
    NewMail {
        kind: "offer_accepted",
        about: offer.id.as_uuid(),
        to: case.client.hiring_manager.email.clone(),
        to_name: Some(case.client.hiring_manager.display_name.clone()),
        from_name: format!("{} via Vouch", person.information.display_name),
        // An address that nobody has verified could be a stranger's.
        reply_to: person.verified_email().cloned(),
        letter: letter::of_acceptance(case, project_name, person, message),
    }
}

fn offer_lapsed(case: &Case) -> Option<NewEvent> {
    let offer = case.offer()?;
    let event = pb::OfferLapsed {
        offer_id: offer.id.to_string(),
        invitation_id: case.invitation_id.to_string(),
        client_id: case.client.id.to_string(),
        person_id: case.person_id.to_string(),
        lapse_time: Some(to_wire_time(offer.lapses_at)),
    };
    Some(NewEvent::new(offer.id.as_uuid(), &event))
}

fn offer_accepted(case: &Case, offer: &Offer, contract: Contract, terms: &ContractTerms) -> pb::OfferAccepted {
    let pay = terms.pay.clone().map(|pay| match pay {
        Pay::Hourly(hourly) => pb::offer_accepted::Pay::Hourly(hourly),
        Pay::Fixed(fixed) => pb::offer_accepted::Pay::Fixed(fixed),
        Pay::Recurring(recurring) => pb::offer_accepted::Pay::Recurring(recurring),
    });
    pb::OfferAccepted {
        offer_id: offer.id.to_string(),
        contract_id: contract.id.to_string(),
        invitation_id: case.invitation_id.to_string(),
        client_id: case.client.id.to_string(),
        person_id: case.person_id.to_string(),
        account_id: case.account_id.to_string(),
        pay,
        start_time: terms.schedule.as_ref().and_then(|schedule| schedule.start_time),
        accept_time: Some(to_wire_time(contract.accepted_at)),
    }
}
