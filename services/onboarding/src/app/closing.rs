//! The end of an account: closing it, which can be taken back, and erasing the person, which cannot. Payments tells when
//! contracts end.

use std::collections::BTreeMap;

use vouch_primitives::{PersonId, Timestamp, Uuid};
use vouch_proto::{convert::to_wire_time, onboarding::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::{self, RequestKey},
    timers,
};

use super::{
    App, PASS_TAX_FORM_ON,
    cases::{CaseFile, lock_cases},
    documents::sweep_at,
    offers::decline_open,
    people::{record_released, record_verified},
    record,
};
use crate::{
    domain::{Closed, ContractEnd, Person, Reopened},
    error::Error,
    store::{
        acceptances, agencies, contracts, documents,
        people::{self as store, Found},
        profiles, search, signals, tasks, tax_forms, verifications,
    },
};

/// Closes an account.
#[derive(Clone, Debug)]
pub struct CloseAccount {
    /// Whose.
    pub person_id: PersonId,
    /// Why; may be empty.
    pub reason: String,
}

/// Reopens an account.
#[derive(Clone, Copy, Debug)]
pub struct ReopenAccount {
    /// Whose.
    pub person_id: PersonId,
}

/// Erases what is known of a person.
#[derive(Clone, Copy, Debug)]
pub struct ErasePerson {
    /// Who.
    pub person_id: PersonId,
}

impl App {
    /// Closes an account. Offers that are open are declined along with it; what is still being accepted is declined when it
    /// comes. From now on an offer to the address is an invitation.
    ///
    /// # Errors
    /// If there is no such person, a contract of theirs has not ended, or the database fails.
    pub async fn close_account(
        &self,
        key: &RequestKey,
        command: &CloseAccount,
    ) -> Result<pb::CloseAccountResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut person = lock(&txn, command.person_id).await?;
                // Whoever opens a case waits for the person, and whoever accepts an offer for its case: what is seen here
                // is all that there is.
                let open = lock_cases(&txn, person.id).await?;
                let contracts = contracts::of_person(&*txn, person.id).await?;
                if person.close(command.reason.clone(), contracts, now)? == Closed::Now {
                    close(&txn, now, &person, open).await?;
                }
                Ok(pb::CloseAccountResponse {
                    person: Some(person.into()),
                })
            })
            .await
    }

    /// Reopens an account.
    ///
    /// # Errors
    /// If there is no such person, or the database fails.
    pub async fn reopen_account(
        &self,
        key: &RequestKey,
        command: &ReopenAccount,
    ) -> Result<pb::ReopenAccountResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut person = lock(&txn, command.person_id).await?;
                if person.reopen() == Reopened::Now {
                    store::save_person(&txn, &person).await?;
                    search::reindex_all(&txn, &person).await?;
                    // What was confirmed meanwhile leads on now.
                    for mut file in lock_cases(&txn, person.id).await? {
                        self.go_on(&txn, now, &mut file, &person).await?;
                    }
                    let event = pb::AccountReopened {
                        person_id: person.id.to_string(),
                        reopen_time: Some(to_wire_time(now)),
                    };
                    record(&txn, now, person.id.as_uuid(), &event).await?;
                    if person.verified_email().is_some() {
                        record_verified(&txn, now, &person).await?;
                    }
                }
                Ok(pb::ReopenAccountResponse {
                    person: Some(person.into()),
                })
            })
            .await
    }

    /// Erases what is known of a person, for ever. Erasing again is a normal outcome.
    ///
    /// # Errors
    /// If there never was such a person, their account is open, or the database fails.
    pub async fn erase_person(
        &self,
        key: &RequestKey,
        command: &ErasePerson,
    ) -> Result<pb::ErasePersonResponse, Error> {
        let id = command.person_id;
        self.commands
            .once(key, |txn, now| async move {
                let found = store::lock_found(&txn, id).await?;
                let erased_at = match found.ok_or_else(|| Error::not_found("person", id))? {
                    Found::Erased(erased_at) => erased_at,
                    Found::Registered(person) => {
                        person.expect_closed()?;
                        erase(&txn, now, &person).await?;
                        now
                    }
                };
                Ok(pb::ErasePersonResponse {
                    erase_time: Some(to_wire_time(erased_at)),
                })
            })
            .await
    }

    /// Notes when these contracts ended.
    ///
    /// # Errors
    /// If no offer began one of the contracts; when the database fails.
    pub async fn record_contract_ends(&self, txn: &Txn, ends: &[ContractEnd]) -> Result<(), Error> {
        let ends: BTreeMap<_, _> = ends.iter().map(|end| (end.contract_id, *end)).collect();
        let ends: Vec<_> = ends.into_values().collect();
        let known = contracts::save_ends(txn, &ends).await?;
        if usize::try_from(known) == Ok(ends.len()) {
            Ok(())
        } else {
            Err(Error::UnknownContract)
        }
    }
}

async fn lock(txn: &Txn, id: PersonId) -> Result<Person, Error> {
    let person = store::lock_person(txn, id).await?;
    person.ok_or_else(|| Error::not_found("person", id))
}

async fn close(txn: &Txn, now: Timestamp, person: &Person, cases: Vec<CaseFile>) -> Result<(), Error> {
    store::save_person(txn, person).await?;
    for mut file in cases {
        decline_open(txn, now, &mut file).await?;
    }
    search::reindex_all(txn, person).await?;
    if let Some(email) = person.verified_email() {
        record_released(txn, now, person.id, email).await?;
    }
    let event = pb::AccountClosed {
        person_id: person.id.to_string(),
        close_time: Some(to_wire_time(now)),
    };
    Ok(record(txn, now, person.id.as_uuid(), &event).await?)
}

/// Goes through everything that holds names, addresses or words of a person. Whoever adds a table with such adds it here; a
/// test looks through all columns of all tables. Ids and moments stay, and notes in project rooms, which belong to both
/// parties.
async fn erase(txn: &Txn, now: Timestamp, person: &Person) -> Result<(), Error> {
    let id = person.id;
    let own = contracts::cases_and_offers(txn, id).await?;
    let offers = own.values().flatten().copied();
    let about: Vec<Uuid> = own
        .keys()
        .map(|case| case.as_uuid())
        .chain(offers)
        .chain([id.as_uuid()])
        .collect();
    vouch_mail::erase(txn, now, &about, &[&person.information.account_email]).await?;
    verifications::delete_of(txn, id).await?;
    acceptances::erase_evidence(txn, id).await?;
    contracts::erase_reasons(txn, id).await?;
    tasks::erase_of(txn, id).await?;
    // What payments has not got yet, it does not get.
    let waiting = tax_forms::delete_waiting_of(txn, id).await?;
    let waiting: Vec<_> = waiting.iter().map(|form| form.as_uuid()).collect();
    timers::cancel(txn, PASS_TAX_FORM_ON, &waiting).await?;
    for file in documents::delete_of(txn, id).await? {
        sweep_at(txn, file, now).await?;
    }
    let owned = agencies::of_person(txn, id).await?;
    for account in owned.iter().map(|agency| agency.id).chain([person.account_id]) {
        search::forget(txn, account).await?;
        profiles::erase(txn, account).await?;
    }
    signals::erase(txn, id).await?;
    agencies::erase_of(txn, id).await?;
    // Whatever was answered about a person names them, an account of theirs or one of their cases by its id.
    let accounts = owned.iter().map(|agency| agency.id.to_string());
    let named = accounts.chain([id.to_string(), person.account_id.to_string()]);
    let named: Vec<_> = named.chain(own.keys().map(ToString::to_string)).collect();
    idempotency::erase_answers(txn, &named).await?;
    store::erase_person(txn, id, now).await?;
    let event = pb::PersonErased {
        person_id: id.to_string(),
        erase_time: Some(to_wire_time(now)),
    };
    Ok(record(txn, now, id.as_uuid(), &event).await?)
}
