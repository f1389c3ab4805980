//! Accepting an invitation. The invitation service decides who has it; the person, the case and the offer are ours.
//!
//! ```text
//! 1 look the invitation up   2 write down what begins   3 accept the invitation   4 person, case, events, answer
//!   (gRPC, changes nothing)    (a transaction, a timer)   (gRPC, repeatable)        (a transaction)
//! ```
//!
//! The request is claimed in step 2 and answered in step 4. If this process dies in between, the same request sent
//! again or the timer goes on with step 3, with the ids that were written down: there is one person and one answer.
//! When the invitation service refuses for good, step 2 is undone.

use prost::{Message, Name};
use sha2::{Digest, Sha256};
use tracing::warn;
use vouch_primitives::{AccountId, InvitationId, PersonId, RequestId, Timestamp};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::{
    StorageError, Txn,
    idempotency::{self, RequestKey},
    timers::{self, NewTimer},
};

use super::{
    App, FINISH_ACCEPTANCE, Token,
    invitations::{AcceptedInvitation, Evidence, expect_agency_name},
    offers::decline_open,
    opening,
    people::{record_registration, verify},
};
use crate::{
    domain::{Acceptance, BasicInformation, Person, Proof, ReferralEvidence, TokenHash, acceptance::TAKEN_UP_AFTER},
    error::Error,
    store::{acceptances as store, people},
};

/// Somebody activates an account from the token of an invitation [F9, B12, B17].
#[derive(Clone, Debug)]
pub struct ActivateAccount {
    /// The token of the invitation's e-mail.
    pub invitation_token: Token,
    /// What they say of themselves.
    pub information: BasicInformation,
    /// What shows that they were referred [R2, R17, R23].
    pub evidence: ReferralEvidence,
    /// The name of the agency that accepts; only where the invitation is an agency's [B30].
    pub agency_name: Option<String>,
}

/// A registered person accepts an invitation that was sent to their verified address [B11].
#[derive(Clone, Debug)]
pub struct OpenCase {
    /// Who.
    pub person_id: PersonId,
    /// Which invitation.
    pub invitation_id: InvitationId,
    /// The name of the agency that accepts; only where the invitation is an agency's [B30].
    pub agency_name: Option<String>,
}

/// Somebody whose place is kept until the invitation is accepted.
#[derive(Clone, Copy)]
struct NewPerson<'a> {
    /// What they say of themselves.
    information: &'a BasicInformation,
    /// Whether the invitation was sent to the address that they name.
    is_invited: bool,
}

impl App {
    /// Activates an account and opens the case of its offer.
    ///
    /// # Errors
    /// If the token opens nothing or another person has proved the invited address; if the invitation service refuses, or does not
    /// answer, in which case what was begun will be finished; if the database fails.
    pub async fn activate_account(
        &self,
        key: &RequestKey,
        command: &ActivateAccount,
    ) -> Result<pb::ActivateAccountResponse, Error> {
        if let Some(begun) = store::find(self.db().reader(), key.id).await? {
            return self.finish(key, &begun).await;
        }
        let token = &command.invitation_token;
        let invited = match self.invitations.look_up(token).await {
            Ok(found) => found,
            // The same request may have used it up a moment ago.
            Err(refusal) => match store::find(self.db().reader(), key.id).await? {
                Some(begun) => return self.finish(key, &begun).await,
                None => return Err(refusal),
            },
        };
        expect_agency_name(invited.talent, command.agency_name.as_ref())?;
        let begin = |now| Acceptance {
            request_id: key.id,
            invitation_id: invited.id,
            person_id: PersonId::derived(key.id.as_uuid(), "person"),
            proof: Proof::Token(TokenHash(token.sha256()), command.evidence.clone()),
            agency_name: command.agency_name.clone(),
            begun_at: now,
            finished_at: None,
        };
        let information = &command.information;
        let new_person = NewPerson {
            information,
            is_invited: information.account_email == invited.recipient,
        };
        let begun = self.begin(key, begin, Some(new_person)).await?;
        self.finish(key, &begun).await
    }

    /// Opens the case of an invitation. One that is open already for this person is a normal outcome.
    ///
    /// # Errors
    /// If there is no such person, their account is closed or their address is not verified; if the invitation is not theirs
    /// to accept; as
    /// [`activate_account`](Self::activate_account) for the rest.
    pub async fn open_case(&self, key: &RequestKey, command: &OpenCase) -> Result<pb::OpenCaseResponse, Error> {
        let OpenCase {
            person_id,
            invitation_id,
            ref agency_name,
        } = *command;
        if let Some(begun) = store::find(self.db().reader(), key.id).await? {
            return self.finish(key, &begun).await;
        }
        let person = self.get_person(person_id).await?;
        person.expect_open()?;
        person.verified_email().ok_or(Error::EmailNotVerified)?;
        // Whether the invitation is theirs is not asked beforehand: an answer would be old when it is acted upon.
        let begin = |now| Acceptance {
            request_id: key.id,
            invitation_id,
            person_id,
            proof: Proof::VerifiedEmail,
            agency_name: agency_name.clone(),
            begun_at: now,
            finished_at: None,
        };
        let begun = self.begin(key, begin, None).await?;
        self.finish(key, &begun).await
    }

    /// Begins to open the cases of offers that went straight to people who have accounts [R37]. Their timers are due at
    /// once: the invitation service has to be asked what is offered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_hires(&self, txn: &Txn, hires: &[OpenCase]) -> Result<(), Error> {
        let now = self.now();
        for hire in hires {
            let key = key_of_hire(hire.invitation_id);
            claim(txn, now, &key).await?;
            if store::find(txn, key.id).await?.is_some() {
                continue;
            }
            let begun = Acceptance {
                request_id: key.id,
                invitation_id: hire.invitation_id,
                person_id: hire.person_id,
                proof: Proof::VerifiedEmail,
                agency_name: None,
                begun_at: now,
                finished_at: None,
            };
            take_up(txn, &begun, now).await?;
        }
        Ok(())
    }

    /// Goes on with an acceptance that was begun and may have been left: what its timer does.
    ///
    /// # Errors
    /// If the invitation service does not answer, or the database fails; it is then tried again.
    pub async fn take_up_acceptance(&self, request: RequestId) -> Result<(), Error> {
        match store::find(self.db().reader(), request).await? {
            Some(begun) if begun.finished_at.is_none() => match self.accept(&begun).await {
                Err(error) if error.is_refusal() => {
                    // Whoever had asked for it is told; of an offer that came by itself this line is all that is left.
                    warn!(request.id = %request, reason = %error, "an acceptance was refused");
                    Ok(())
                }
                outcome => outcome,
            },
            // Nothing is left to do.
            _ => {
                let key = request.as_uuid();
                self.db()
                    .write_tx(|txn| async move { Ok(timers::cancel(&txn, FINISH_ACCEPTANCE, &[key]).await?) })
                    .await
            }
        }
    }

    /// Step 2. A new person's place is kept. Whoever has an account with the invited address is told so before anything is
    /// accepted; whether somebody has one with another address, whoever names it is not told.
    async fn begin(
        &self,
        key: &RequestKey,
        begin: impl Fn(Timestamp) -> Acceptance + Send + Sync,
        new_person: Option<NewPerson<'_>>,
    ) -> Result<Acceptance, Error> {
        let begin = &begin;
        self.db()
            .write_tx(|txn| async move {
                let now = self.now();
                claim(&txn, now, key).await?;
                if let Some(begun) = store::find(&*txn, key.id).await? {
                    return Ok(begun);
                }
                let begun = begin(now);
                if let Some(NewPerson {
                    information,
                    is_invited,
                }) = new_person
                {
                    if is_invited && people::is_proved(&*txn, &information.account_email).await? {
                        return Err(Error::EmailTaken);
                    }
                    let account = AccountId::derived(key.id.as_uuid(), "account");
                    people::reserve_person(&txn, begun.person_id, account, information).await?;
                }
                take_up(&txn, &begun, now.saturating_add(TAKEN_UP_AFTER)).await?;
                Ok(begun)
            })
            .await
    }

    /// Steps 3 and 4, and the answer.
    async fn finish<M>(&self, key: &RequestKey, begun: &Acceptance) -> Result<M, Error>
    where
        M: Message + Default,
    {
        // Whoever sends another request under the id of this one must not set it in motion.
        idempotency::compare(self.db().reader(), key).await?;
        if begun.finished_at.is_none() {
            self.accept(begun).await?;
        }
        let unanswered = || StorageError::RequestUnanswered { id: key.id };
        self.commands
            .once(key, |_, _| std::future::ready(Err(unanswered().into())))
            .await
    }

    /// Steps 3 and 4.
    async fn accept(&self, begun: &Acceptance) -> Result<(), Error> {
        let accepted = match self.evidence_of(begun).await {
            Ok(evidence) => self.invitations.accept(begun, evidence).await,
            Err(refusal) => Err(refusal),
        };
        match accepted {
            Ok(invitation) => {
                let (request, invitation) = (begun.request_id, &invitation);
                let complete = || {
                    self.db()
                        .write_tx(|txn| async move { self.complete(&txn, request, invitation).await })
                };
                match complete().await {
                    // Somebody else has proved the address at this very moment, which the next attempt sees.
                    Err(Error::EmailTaken) => complete().await,
                    outcome => outcome,
                }
            }
            Err(error) => {
                if error.is_refusal() {
                    let request = begun.request_id;
                    self.db()
                        .write_tx(|txn| async move { undo(&txn, request).await })
                        .await?;
                }
                Err(error)
            }
        }
    }

    async fn evidence_of(&self, begun: &Acceptance) -> Result<Evidence, Error> {
        match &begun.proof {
            Proof::Token(hash, _) => Ok(Evidence::Token(*hash)),
            Proof::VerifiedEmail => {
                // Whoever was erased meanwhile accepts nothing any more.
                let person = people::find_person(self.db().reader(), begun.person_id).await?;
                let person = person.ok_or(Error::NoOpenInvitation)?;
                let email = person.verified_email().cloned().ok_or(Error::EmailNotVerified)?;
                Ok(Evidence::VerifiedEmail(email))
            }
        }
    }

    /// Step 4.
    async fn complete(&self, txn: &Txn, request: RequestId, invitation: &AcceptedInvitation) -> Result<(), Error> {
        let begun = store::lock(txn, request).await?.ok_or(Error::NoOpenInvitation)?;
        if begun.finished_at.is_some() {
            return Ok(());
        }
        let now = self.now();
        let answer = match &begun.proof {
            Proof::Token(_, evidence) => {
                let person = self.register(txn, now, begun.person_id, evidence, invitation).await?;
                let file = opening::open(self, txn, now, &person, invitation, begun.agency_name.as_deref()).await?;
                pb::ActivateAccountResponse {
                    person: Some(person.into()),
                    case: Some(file.into()),
                }
                .encode_to_vec()
            }
            Proof::VerifiedEmail => {
                let person = people::lock_person(txn, begun.person_id).await?;
                let person = person.ok_or_else(|| Error::not_found("person", begun.person_id))?;
                let mut file = opening::open(self, txn, now, &person, invitation, begun.agency_name.as_deref()).await?;
                if person.expect_open().is_err() {
                    decline_open(txn, now, &mut file).await?;
                }
                pb::OpenCaseResponse {
                    case: Some(file.into()),
                }
                .encode_to_vec()
            }
        };
        store::save_finished(txn, request, now).await?;
        timers::cancel(txn, FINISH_ACCEPTANCE, &[request.as_uuid()]).await?;
        Ok(idempotency::answer(txn, request, &answer).await?)
    }

    /// The person whose place was kept registers. The token proves that the invited address is theirs, unless somebody
    /// has proved it meanwhile; another one they have to verify.
    async fn register(
        &self,
        txn: &Txn,
        now: Timestamp,
        id: PersonId,
        evidence: &ReferralEvidence,
        invitation: &AcceptedInvitation,
    ) -> Result<Person, Error> {
        let mut person = people::register_reserved(txn, id, now).await?;
        record_registration(txn, &person, evidence).await?;
        let email = &person.information.account_email;
        if *email == invitation.recipient && !people::is_proved(txn, email).await? {
            verify(txn, now, &mut person).await?;
        } else {
            self.greet(txn, now, &person).await?;
        }
        Ok(person)
    }
}

/// Writes down what begins; its timer goes on with it at `due` unless it has come to its end.
async fn take_up(txn: &Txn, begun: &Acceptance, due: Timestamp) -> Result<(), Error> {
    store::insert(txn, begun).await?;
    let timer = NewTimer {
        kind: FINISH_ACCEPTANCE,
        key: begun.request_id.as_uuid(),
        due,
    };
    Ok(timers::schedule(txn, &[timer]).await?)
}

/// The request by which an offer that went straight to somebody opens their case: one for each invitation.
fn key_of_hire(invitation: InvitationId) -> RequestKey {
    RequestKey {
        id: RequestId::derived(invitation.as_uuid(), "hire"),
        method: pb::OpenCaseRequest::full_name(),
        hash: Sha256::digest(invitation.as_uuid().as_bytes()).into(),
    }
}

/// Claims a request that is answered in a later transaction.
async fn claim(txn: &Txn, now: Timestamp, key: &RequestKey) -> Result<(), StorageError> {
    match idempotency::claim(txn, now, key).await {
        Ok(_) | Err(StorageError::RequestUnanswered { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Undoes step 2: nothing is left of what began.
async fn undo(txn: &Txn, request: RequestId) -> Result<(), Error> {
    if let Some(begun) = store::lock(txn, request)
        .await?
        .filter(|begun| begun.finished_at.is_none())
    {
        store::delete(txn, request).await?;
        idempotency::release(txn, request).await?;
        people::delete_reserved(txn, begun.person_id).await?;
        timers::cancel(txn, FINISH_ACCEPTANCE, &[request.as_uuid()]).await?;
    }
    Ok(())
}
