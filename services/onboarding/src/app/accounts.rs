//! Settings: what a person may change of themselves.

use vouch_primitives::{EmailAddress, PersonId, Timestamp};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, count, letter};
use crate::{
    domain::{Counted, EmailChange, Particulars, Person},
    error::Error,
    store::{people as store, search},
};

/// Replaces what a person says of themselves, but for the address [F10].
#[derive(Clone, Debug)]
pub struct UpdateBasicInformation {
    /// Who.
    pub person_id: PersonId,
    /// What they say.
    pub particulars: Particulars,
}

/// Asks for another account e-mail [F8].
#[derive(Clone, Debug)]
pub struct ChangeAccountEmail {
    /// Who.
    pub person_id: PersonId,
    /// The address.
    pub account_email: EmailAddress,
}

/// Asks for another mail to the address that waits to be verified.
#[derive(Clone, Copy, Debug)]
pub struct ResendVerification {
    /// Who.
    pub person_id: PersonId,
}

impl App {
    /// Replaces what a person says of themselves [F10].
    ///
    /// # Errors
    /// If there is no such person, their account is closed, or the database fails.
    pub async fn update_basic_information(
        &self,
        key: &RequestKey,
        command: &UpdateBasicInformation,
    ) -> Result<pb::UpdateBasicInformationResponse, Error> {
        self.commands
            .once(key, |txn, _now| async move {
                let mut person = lock_open(&txn, command.person_id).await?;
                person.update(command.particulars.clone());
                save(&txn, &person).await?;
                search::reindex_all(&txn, &person).await?;
                let person = Some(person.into());
                Ok(pb::UpdateBasicInformationResponse { person })
            })
            .await
    }

    /// Asks for another account e-mail [F8]: a mail asks to verify it, another one tells the address that there is. Whether
    /// the new one is somebody else's, whoever asks is not told.
    ///
    /// # Errors
    /// If there is no such person, their account is closed, they have asked for too many mails today or the address
    /// has got too many, or the database
    /// fails.
    pub async fn change_account_email(
        &self,
        key: &RequestKey,
        command: &ChangeAccountEmail,
    ) -> Result<pb::ChangeAccountEmailResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut person = lock_open(&txn, command.person_id).await?;
                let change = person.change_email(command.account_email.clone());
                save(&txn, &person).await?;
                if change == EmailChange::Pending {
                    count(&txn, now, Counted::MailsAskedBy(person.id)).await?;
                    self.ask_to_verify(&txn, now, &person, Counted::MailsAskedTo).await?;
                    tell_old_address(&txn, now, &person).await?;
                }
                let person = Some(person.into());
                Ok(pb::ChangeAccountEmailResponse { person })
            })
            .await
    }

    /// Mails another token to the address that waits to be verified. Those that were mailed before stay good: of several
    /// mails people open any.
    ///
    /// # Errors
    /// If there is no such person, their account is closed, no address waits, they have asked for too many mails today, or
    /// the database fails.
    pub async fn resend_verification(
        &self,
        key: &RequestKey,
        command: &ResendVerification,
    ) -> Result<pb::ResendVerificationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let person = lock_open(&txn, command.person_id).await?;
                person.email_to_verify()?;
                count(&txn, now, Counted::MailsAskedBy(person.id)).await?;
                self.ask_to_verify(&txn, now, &person, Counted::MailsAskedTo).await?;
                let person = Some(person.into());
                Ok(pb::ResendVerificationResponse { person })
            })
            .await
    }
}

/// Locks a person who is about to change something: their account must be open.
async fn lock_open(txn: &Txn, id: PersonId) -> Result<Person, Error> {
    let person = store::lock_person(txn, id).await?;
    let person = person.ok_or_else(|| Error::not_found("person", id))?;
    person.expect_open()?;
    Ok(person)
}

async fn save(txn: &Txn, person: &Person) -> Result<(), Error> {
    if store::save_person(txn, person).await? {
        Ok(())
    } else {
        Err(Error::EmailTaken)
    }
}

/// An address that nobody has verified could be a stranger's, who has nothing to do with it.
async fn tell_old_address(txn: &Txn, now: Timestamp, person: &Person) -> Result<(), Error> {
    if person.verified_email().is_none() {
        return Ok(());
    }
    let letter = letter::of_email_change(person);
    letter::send(txn, now, ("email_change", person.id.as_uuid()), person, letter).await
}
