//! Cases: from the accepted invitation to the accepted offer.

use std::collections::BTreeMap;

use vouch_mail::{NewMail, enqueue};
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{CaseId, ContractId, InvitationId, NoteId, PersonId, RoomId, Timestamp};
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

use super::{App, LAPSE_OFFER, letter, record};
use crate::{
    domain::{Case, Contract, ContractStart, Declined, Lapsed, Note, Person, Reviewed},
    error::Error,
    store::{cases as store, people::find_person, rooms},
};

/// A case with the terms of its offer, which are the client's and pass through here unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// What is offered.
    pub terms: ContractTerms,
}

/// The one thing that a person should do next [B11].
#[derive(Clone, Debug)]
pub enum Home {
    /// Verify the address.
    VerifyEmail,
    /// Go on with this case.
    OpenCase(Box<CaseFile>),
    /// Open the case of this invitation.
    OpenInvitation(OpenInvitation),
    /// Nothing waits.
    NothingToDo,
    /// Reopen the account, which was closed at this moment.
    AccountClosed(Timestamp),
}

/// An invitation that waits for a person under their verified address.
#[derive(Clone, Debug)]
pub struct OpenInvitation {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    pub company_name: String,
    /// What is offered.
    pub terms: ContractTerms,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Confirms that the contract was read [B19].
#[derive(Clone, Copy, Debug)]
pub struct ReviewContract {
    /// Which case.
    pub case_id: CaseId,
}

/// Accepts an offer with a message to the hiring manager [B26].
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
    /// Reads a case.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_case(&self, id: CaseId) -> Result<CaseFile, Error> {
        let found = store::find_case(self.db().reader(), id).await?;
        found.map(CaseFile::from).ok_or_else(|| Error::not_found("case", id))
    }

    /// Says what a person should do next. What is theirs already comes before what they are invited to.
    ///
    /// # Errors
    /// If there is no such person, the invitation service cannot be asked, or the database fails.
    pub async fn get_home(&self, person: PersonId) -> Result<Home, Error> {
        let person = self.get_person(person).await?;
        if let Some(closure) = person.closure {
            return Ok(Home::AccountClosed(closure.closed_at));
        }
        let Some(email) = person.verified_email() else {
            return Ok(Home::VerifyEmail);
        };
        if let Some(found) = store::find_open_case(self.db().reader(), person.id, self.now()).await? {
            return Ok(Home::OpenCase(Box::new(found.into())));
        }
        let open = self.invitations.first_open(email).await?;
        Ok(open.map_or(Home::NothingToDo, Home::OpenInvitation))
    }

    /// Confirms that the person has read the contract: scope, scheduling, payment [B19].
    ///
    /// # Errors
    /// If there is no such case, its offer has lapsed, or the database fails.
    pub async fn review_contract(
        &self,
        key: &RequestKey,
        command: &ReviewContract,
    ) -> Result<pb::ReviewContractResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut file = lock(&txn, command.case_id).await?;
                if file.case.review_contract(now)? == Reviewed::Now {
                    store::save_case(&txn, &file.case, &file.terms).await?;
                }
                Ok(pb::ReviewContractResponse {
                    case: Some(file.into()),
                })
            })
            .await
    }

    /// Accepts the offer of a case: the contract, the project room with the message as its first note [B28], the mail
    /// to the hiring manager and the event are in one transaction [B27].
    ///
    /// # Errors
    /// If there is no such case, the contract was not reviewed, the offer was accepted before or has lapsed, or the
    /// database fails.
    pub async fn accept_offer(
        &self,
        key: &RequestKey,
        command: &AcceptOffer,
    ) -> Result<pb::AcceptOfferResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let CaseFile { mut case, terms } = lock(&txn, command.case_id).await?;
                let contract = case.accept_offer(ContractId::new(), RoomId::new(), now)?;
                let note = Note {
                    id: NoteId::new(),
                    person_id: case.person_id,
                    text: command.message.clone(),
                    created_at: now,
                };
                rooms::open_room(&txn, contract.room_id, &note).await?;
                store::save_case(&txn, &case, &terms).await?;
                timers::cancel(&txn, LAPSE_OFFER, &[case.id.as_uuid()]).await?;
                let person = find_person(&*txn, case.person_id).await?;
                let person = person.ok_or_else(|| Error::not_found("person", case.person_id))?;
                let mail = acceptance_mail(&case, &terms.project_name, &person, &command.message);
                enqueue(&txn, now, &mail).await?;
                record(
                    &txn,
                    now,
                    case.offer.id.as_uuid(),
                    &offer_accepted(&case, contract, &terms),
                )
                .await?;
                Ok(pb::AcceptOfferResponse {
                    case: Some(CaseFile { case, terms }.into()),
                })
            })
            .await
    }

    /// Says no to the offer of a case.
    ///
    /// # Errors
    /// If there is no such case, its offer was accepted or has lapsed, or the database fails.
    pub async fn decline_offer(
        &self,
        key: &RequestKey,
        command: &DeclineOffer,
    ) -> Result<pb::DeclineOfferResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut file = lock(&txn, command.case_id).await?;
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
        cases.retain_mut(|(case, _)| case.lapse() == Lapsed::Now);
        let lapsed: Vec<_> = cases.iter().map(|(case, _)| case.id).collect();
        store::save_lapsed(txn, &lapsed).await?;
        let events: Vec<_> = cases.iter().map(|(case, _)| offer_lapsed(case)).collect();
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

impl From<(Case, ContractTerms)> for CaseFile {
    fn from((case, terms): (Case, ContractTerms)) -> Self {
        Self { case, terms }
    }
}

async fn lock(txn: &Txn, id: CaseId) -> Result<CaseFile, Error> {
    let found = store::lock_case(txn, id).await?;
    found.map(CaseFile::from).ok_or_else(|| Error::not_found("case", id))
}

/// Says no to the offer of a locked case, for a reason that may be empty.
async fn decline(txn: &Txn, now: Timestamp, file: &mut CaseFile, reason: String) -> Result<(), Error> {
    let CaseFile { case, terms } = file;
    if case.decline_offer(reason, now)? == Declined::Before {
        return Ok(());
    }
    store::save_case(txn, case, terms).await?;
    timers::cancel(txn, LAPSE_OFFER, &[case.id.as_uuid()]).await?;
    let event = pb::OfferDeclined {
        offer_id: case.offer.id.to_string(),
        invitation_id: case.invitation_id.to_string(),
        client_id: case.client.id.to_string(),
        person_id: case.person_id.to_string(),
        decline_time: Some(to_wire_time(now)),
    };
    Ok(record(txn, now, case.offer.id.as_uuid(), &event).await?)
}

/// Says no to the offer of a locked case whose person has closed the account; one that is not open stays as it is.
pub(super) async fn decline_open(txn: &Txn, now: Timestamp, file: &mut CaseFile) -> Result<(), Error> {
    if file.case.is_open(now) {
        decline(txn, now, file, String::new()).await?;
    }
    Ok(())
}

fn acceptance_mail(case: &Case, project_name: &str, person: &Person, message: &str) -> NewMail {
    NewMail {
        kind: "offer_accepted",
        about: case.offer.id.as_uuid(),
        to: case.client.hiring_manager.email.clone(),
        to_name: Some(case.client.hiring_manager.display_name.clone()),
        from_name: format!("{} via Vouch", person.information.display_name),
        // An address that nobody has verified could be a stranger's.
        reply_to: person.verified_email().cloned(),
        letter: letter::of_acceptance(case, project_name, person, message),
    }
}

fn offer_lapsed(case: &Case) -> NewEvent {
    let event = pb::OfferLapsed {
        offer_id: case.offer.id.to_string(),
        invitation_id: case.invitation_id.to_string(),
        client_id: case.client.id.to_string(),
        person_id: case.person_id.to_string(),
        lapse_time: Some(to_wire_time(case.offer.lapses_at)),
    };
    NewEvent::new(case.offer.id.as_uuid(), &event)
}

fn offer_accepted(case: &Case, contract: Contract, terms: &ContractTerms) -> pb::OfferAccepted {
    let pay = terms.pay.clone().map(|pay| match pay {
        Pay::Hourly(hourly) => pb::offer_accepted::Pay::Hourly(hourly),
        Pay::Fixed(fixed) => pb::offer_accepted::Pay::Fixed(fixed),
    });
    pb::OfferAccepted {
        offer_id: case.offer.id.to_string(),
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
