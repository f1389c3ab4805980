//! People: registering, and showing that an address is theirs.

use sha2::{Digest, Sha256};
use vouch_mail::{NewMail, enqueue};
use vouch_primitives::{AccountId, PersonId, Timestamp};
use vouch_proto::{convert::to_wire_time, onboarding::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, Token, letter, record};
use crate::{
    domain::{BasicInformation, Person, ReferralCode, TokenHash, Verified},
    error::Error,
    store::{people as store, verifications},
};

/// Somebody registers without an invitation in hand [B11].
#[derive(Clone, Debug)]
pub struct RegisterAccount {
    /// What they say of themselves.
    pub information: BasicInformation,
    /// The referral code that they typed [R2, R23].
    pub referral_code: Option<ReferralCode>,
}

/// Somebody followed the link of a verification mail.
#[derive(Clone, Debug)]
pub struct VerifyEmail {
    /// The token of the link.
    pub token: Token,
}

impl App {
    /// Registers a person; a mail asks to verify the address. Whoever registers is not told whether somebody has an
    /// account with that address; a mail tells that person.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn register_account(
        &self,
        key: &RequestKey,
        command: &RegisterAccount,
    ) -> Result<pb::RegisterAccountResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let person = Person {
                    id: PersonId::new(),
                    account_id: AccountId::new(),
                    information: command.information.clone(),
                    registered_at: now,
                    email_verified_at: None,
                };
                store::insert_person(&txn, &person).await?;
                record_registration(&txn, &person, command.referral_code.as_ref()).await?;
                self.ask_to_verify(&txn, now, &person).await?;
                Ok(pb::RegisterAccountResponse {
                    person: Some(person.into()),
                })
            })
            .await
    }

    /// Verifies the address to which a token was mailed. Verifying again is a normal outcome.
    ///
    /// # Errors
    /// If the token was never mailed, if somebody else has verified the same address meanwhile, or the database fails.
    pub async fn verify_email(
        &self,
        key: &RequestKey,
        command: &VerifyEmail,
    ) -> Result<pb::VerifyEmailResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let id = verifications::find_recipient(&*txn, TokenHash(command.token.sha256())).await?;
                let id = id.ok_or(Error::UnknownVerification)?;
                let mut person = store::lock_person(&txn, id).await?.ok_or(Error::UnknownVerification)?;
                verify(&txn, now, &mut person).await?;
                self.go_on_verified(&txn, now, &person).await?;
                Ok(pb::VerifyEmailResponse {
                    person: Some(person.into()),
                })
            })
            .await
    }

    /// Reads a person.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_person(&self, id: PersonId) -> Result<Person, Error> {
        let person = store::find_person(self.db().reader(), id).await?;
        person.ok_or_else(|| Error::not_found("person", id))
    }

    /// Mails a person the link by which they show that the account e-mail is theirs; if it is known to be somebody
    /// else's, that person is told instead.
    pub(super) async fn ask_to_verify(&self, txn: &Txn, now: Timestamp, person: &Person) -> Result<(), Error> {
        let to = &person.information.account_email;
        let (kind, to_name, letter) = if store::is_proved(txn, to).await? {
            ("account_exists", None, letter::of_existing_account())
        } else {
            let token = Token::try_new()?;
            verifications::insert(txn, TokenHash(token.sha256()), person.id, now).await?;
            let link = format!("{}/verify#token={}", self.public_url, token.as_str());
            let to_name = Some(person.information.display_name.clone());
            ("email_verification", to_name, letter::of_verification(person, link))
        };
        let mail = NewMail {
            kind,
            about: person.id.as_uuid(),
            to: to.clone(),
            to_name,
            from_name: "Vouch".to_owned(),
            reply_to: None,
            letter,
        };
        enqueue(txn, now, &mail).await?;
        Ok(())
    }
}

/// The person's account e-mail is known to be theirs, unless somebody else was first.
pub(super) async fn verify(txn: &Txn, now: Timestamp, person: &mut Person) -> Result<(), Error> {
    if person.verify_email(now) == Verified::Before {
        return Ok(());
    }
    if store::is_proved(txn, &person.information.account_email).await?
        || !store::save_verified(txn, person.id, now).await?
    {
        return Err(Error::EmailTaken);
    }
    let event = pb::EmailVerified {
        person_id: person.id.to_string(),
        verify_time: Some(to_wire_time(now)),
        email_sha256: Sha256::digest(person.information.account_email.as_str()).to_vec(),
    };
    Ok(record(txn, now, person.id.as_uuid(), &event).await?)
}

/// Tells that a person registered, with the referral code that they typed [R23].
pub(super) async fn record_registration(
    txn: &Txn,
    person: &Person,
    referral_code: Option<&ReferralCode>,
) -> Result<(), Error> {
    let event = pb::AccountRegistered {
        person_id: person.id.to_string(),
        account_id: person.account_id.to_string(),
        register_time: Some(to_wire_time(person.registered_at)),
        referral_code: referral_code.map_or_else(String::new, |code| code.as_str().to_owned()),
    };
    Ok(record(txn, person.registered_at, person.id.as_uuid(), &event).await?)
}
