//! Cases: reading them, and going from step to step.

use vouch_primitives::{CaseId, ClientId, PersonId, Timestamp};
use vouch_proto::{Listed, Page, common::v1::ContractTerms, convert::to_wire_time, onboarding::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, agencies, record};
use crate::{
    domain::{Agency, Case, Facts, Moved, Person, State, Step, Task},
    error::Error,
    store::{agencies as agency_store, cases as store, contracts, people, profiles, tasks},
};

/// A case with all that belongs to it. The terms of an offer are the client's and pass through here unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// What is offered, if it is one of an offer.
    pub terms: Option<ContractTerms>,
    /// Its tasks, in their order.
    pub tasks: Vec<Task>,
}

/// Lists cases, of a person, of a client's invitations, or of both.
#[derive(Clone, Debug)]
pub struct ListCases {
    /// Whose.
    pub person_id: Option<PersonId>,
    /// Of which client's invitations.
    pub client_id: Option<ClientId>,
    /// Which page.
    pub page: Page<CaseId>,
}

/// Leaves the profile step: the profile is built, or skipped [B42-B44, B49-B51].
#[derive(Clone, Copy, Debug)]
pub struct LeaveProfile {
    /// Which case.
    pub case_id: CaseId,
}

impl App {
    /// Reads a case.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_case(&self, id: CaseId) -> Result<CaseFile, Error> {
        let conn = self.db().reader();
        let found = store::find_case(conn, id).await?;
        let (case, terms) = found.ok_or_else(|| Error::not_found("case", id))?;
        let tasks = tasks::of_case(conn, id).await?;
        Ok(CaseFile { case, terms, tasks })
    }

    /// Lists cases, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_cases(&self, query: &ListCases) -> Result<Listed<CaseFile, CaseId>, Error> {
        let ListCases {
            person_id,
            client_id,
            page,
        } = query;
        let conn = self.db().reader();
        let found = store::list_cases(conn, *person_id, *client_id, page.after, page.limit()).await?;
        let ids: Vec<_> = found.iter().map(|(case, _)| case.id).collect();
        let mut tasks = tasks::of_cases(conn, &ids).await?;
        let file = |(case, terms): (Case, _)| {
            let tasks = tasks.remove(&case.id).unwrap_or_default();
            CaseFile { case, terms, tasks }
        };
        Ok(page.cut(found.into_iter().map(file).collect(), |file| file.case.id))
    }

    /// Whether a client has let go of the talent of a case that is about its talent cloud.
    ///
    /// # Errors
    /// If there is no such case, or the database fails.
    pub async fn is_left(&self, id: CaseId) -> Result<bool, Error> {
        let found = store::find_case(self.db().reader(), id).await?;
        let (case, _) = found.ok_or_else(|| Error::not_found("case", id))?;
        Ok(case.left_at.is_some())
    }

    /// Leaves the profile step of an invitation to a talent cloud.
    ///
    /// # Errors
    /// If there is no such case or it is one of an offer, a section of the profile is half done, the account is closed, or
    /// the database fails.
    pub async fn leave_profile(
        &self,
        key: &RequestKey,
        command: &LeaveProfile,
    ) -> Result<pb::LeaveProfileResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut file, person) = lock(&txn, command.case_id).await?;
                person.expect_open()?;
                if file.case.left_at.is_some() {
                    return Err(Error::CaseClosed);
                }
                if file.case.state == State::At(Step::BuildProfile) {
                    profiles::find_or_empty(&*txn, file.case.account_id).await?.may_skip()?;
                }
                let facts = facts(&txn, &file, &person).await?;
                let moved = file.case.leave_profile(facts, now)?;
                self.arrive(&txn, now, &file, &person, moved).await?;
                let case = Some(file.into());
                Ok(pb::LeaveProfileResponse { case })
            })
            .await
    }

    /// Goes on with a case if nothing is left to do where it stands.
    pub(super) async fn go_on(
        &self,
        txn: &Txn,
        now: Timestamp,
        file: &mut CaseFile,
        person: &Person,
    ) -> Result<(), Error> {
        // Who has left goes on when they come back.
        if person.expect_open().is_err() {
            return Ok(());
        }
        let facts = facts(txn, file, person).await?;
        let moved = file.case.go_on(facts, now);
        self.arrive(txn, now, file, person, moved).await
    }

    /// Goes on with the cases of a person that have waited for the address to be verified.
    pub(super) async fn go_on_verified(&self, txn: &Txn, now: Timestamp, person: &Person) -> Result<(), Error> {
        for (case, terms) in store::lock_cases_at(txn, person.id, Step::VerifyEmail).await? {
            let tasks = tasks::of_case(txn, case.id).await?;
            let mut file = CaseFile { case, terms, tasks };
            self.go_on(txn, now, &mut file, person).await?;
        }
        Ok(())
    }

    /// Goes on with the cases of an agency that have waited for its listing.
    pub(super) async fn go_on_listed(
        &self,
        txn: &Txn,
        now: Timestamp,
        person: &Person,
        agency: &Agency,
    ) -> Result<(), Error> {
        for (case, terms) in store::lock_cases_at(txn, person.id, Step::ConfirmListing).await? {
            if case.account_id == agency.id {
                let tasks = tasks::of_case(txn, case.id).await?;
                let mut file = CaseFile { case, terms, tasks };
                self.go_on(txn, now, &mut file, person).await?;
            }
        }
        Ok(())
    }

    /// Saves where a case has come to, and does what belongs to arriving there.
    pub(super) async fn arrive(
        &self,
        txn: &Txn,
        now: Timestamp,
        file: &CaseFile,
        person: &Person,
        moved: Moved,
    ) -> Result<(), Error> {
        if moved == Moved::Before {
            return Ok(());
        }
        store::save_case(txn, &file.case, file.terms.as_ref()).await?;
        match file.case.state {
            State::At(Step::ConfirmListing) => match agencies::invite(self, txn, now, &file.case, person).await {
                // The case was here a moment ago, and the link of then is good.
                Err(Error::SentJustNow(_)) => Ok(()),
                sent => sent,
            },
            State::Ready => {
                let event = pb::TalentReady {
                    case_id: file.case.id.to_string(),
                    invitation_id: file.case.invitation_id.to_string(),
                    client_id: file.case.client.id.to_string(),
                    person_id: file.case.person_id.to_string(),
                    account_id: file.case.account_id.to_string(),
                    ready_time: Some(to_wire_time(now)),
                };
                Ok(record(txn, now, file.case.id.as_uuid(), &event).await?)
            }
            State::At(_) | State::Accepted(_) | State::Lapsed | State::Declined(_) => Ok(()),
        }
    }
}

/// Reads a case with its person, and locks both, the person first: all that can move a case waits for the same row.
pub(super) async fn lock(txn: &Txn, id: CaseId) -> Result<(CaseFile, Person), Error> {
    let unknown = || Error::not_found("case", id);
    let (_, person) = store::parties_of_case(txn, id).await?.ok_or_else(unknown)?;
    let person = people::lock_person(txn, person).await?;
    let person = person.ok_or_else(unknown)?;
    let (case, terms) = store::lock_case(txn, id).await?.ok_or_else(unknown)?;
    let tasks = tasks::of_case(txn, id).await?;
    Ok((CaseFile { case, terms, tasks }, person))
}

/// Reads all cases of a person who is locked, and locks them.
pub(super) async fn lock_cases(txn: &Txn, person: PersonId) -> Result<Vec<CaseFile>, Error> {
    let ids: Vec<CaseId> = contracts::cases_and_offers(txn, person).await?.into_keys().collect();
    let locked = store::lock_cases(txn, &ids).await?;
    let mut tasks = tasks::of_cases(txn, &ids).await?;
    let file = |(case, terms): (Case, _)| {
        let tasks = tasks.remove(&case.id).unwrap_or_default();
        CaseFile { case, terms, tasks }
    };
    Ok(locked.into_iter().map(file).collect())
}

/// What holds of a case that is locked with its person.
pub(super) async fn facts(txn: &Txn, file: &CaseFile, person: &Person) -> Result<Facts, Error> {
    let agency = agency_store::find(txn, file.case.account_id).await?;
    Ok(Facts {
        tasks_confirmed: file.tasks.iter().all(Task::is_confirmed),
        listing_public: agency.is_some_and(|agency| agency.is_public()),
        email_verified: person.email_verified_at.is_some(),
    })
}
