//! People: registering, and showing that an address is theirs.

use sha2::{Digest, Sha256};
use vouch_mail::{NewMail, enqueue};
use vouch_primitives::{AccountId, EmailAddress, PersonId, Timestamp};
use vouch_proto::{convert::to_wire_time, onboarding::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, Token, count, letter, record};
use crate::{
    domain::{BasicInformation, Counted, EmailHash, Person, ReferralEvidence, TokenHash, Verification, Verified},
    error::Error,
    store::{people as store, verifications},
};

/// Somebody registers without an invitation in hand [B11].
#[derive(Clone, Debug)]
pub struct RegisterAccount {
    /// What they say of themselves.
    pub information: BasicInformation,
    /// What shows that they were referred [R2, R17, R23].
    pub evidence: ReferralEvidence,
}

/// Somebody followed the link of a verification mail.
#[derive(Clone, Debug)]
pub struct VerifyEmail {
    /// The token of the link.
    pub token: Token,
}

impl App {
    /// Registers a person; a mail asks to verify the address, unless it has got too many of them today: nobody is to be kept
    /// from registering by whoever has named their address before. Whoever registers is not told whether somebody has an
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
                    pending_email: None,
                    closure: None,
                };
                store::insert_person(&txn, &person).await?;
                record_registration(&txn, &person, &command.evidence).await?;
                self.greet(&txn, now, &person).await?;
                Ok(pb::RegisterAccountResponse {
                    person: Some(person.into()),
                })
            })
            .await
    }

    /// Verifies the address to which a token was mailed: the account e-mail, or a new one, which then takes its place [F8].
    /// Verifying again is a normal outcome.
    ///
    /// # Errors
    /// If the token was never mailed, is too old, or belongs to an address or account that was given up, which look alike;
    /// if somebody else has verified the same address meanwhile, or the database fails.
    pub async fn verify_email(
        &self,
        key: &RequestKey,
        command: &VerifyEmail,
    ) -> Result<pb::VerifyEmailResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let sent = verifications::find(&*txn, TokenHash(command.token.sha256())).await?;
                let sent = sent
                    .filter(|sent| sent.is_good(now))
                    .ok_or(Error::UnknownVerification)?;
                let person = store::lock_person(&txn, sent.person_id).await?;
                let open = person.filter(|person| person.expect_open().is_ok());
                let mut person = open.ok_or(Error::UnknownVerification)?;
                if hash(&person.information.account_email) == sent.email {
                    verify(&txn, now, &mut person).await?;
                } else if person.pending_email.as_ref().map(hash) == Some(sent.email) {
                    move_to_pending(&txn, now, &mut person).await?;
                } else {
                    return Err(Error::UnknownVerification);
                }
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

    /// Asks somebody who has come a moment ago to verify the address, if it may get one more mail today; else they can ask for
    /// it when they are signed in.
    pub(super) async fn greet(&self, txn: &Txn, now: Timestamp, person: &Person) -> Result<(), Error> {
        match self.ask_to_verify(txn, now, person, Counted::MailsTo).await {
            Ok(()) | Err(Error::UsedUp { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Mails a person the link by which they show that the address that waits is theirs; if it is known to be somebody
    /// else's, that one is told instead. Nothing is mailed where none waits. Whoever names an address, it gets so many of
    /// these mails in a day and no more, as `counted` says; which of the two it is makes no difference, and so tells nobody
    /// anything.
    pub(super) async fn ask_to_verify(
        &self,
        txn: &Txn,
        now: Timestamp,
        person: &Person,
        counted: fn(EmailHash) -> Counted,
    ) -> Result<(), Error> {
        let Ok(to) = person.email_to_verify() else {
            return Ok(());
        };
        count(txn, now, counted(hash(to))).await?;
        // What is found by somebody's id can be erased with them.
        let (kind, about, to_name, letter) = if let Some(owner) = store::owner_of(txn, to).await? {
            ("account_exists", owner, None, letter::of_existing_account())
        } else {
            let token = Token::try_new()?;
            let sent = Verification {
                person_id: person.id,
                email: hash(to),
                sent_at: now,
            };
            verifications::insert(txn, TokenHash(token.sha256()), &sent).await?;
            let link = format!("{}/verify#token={}", self.public_url, token.as_str());
            let to_name = Some(person.information.display_name.clone());
            (
                "email_verification",
                person.id,
                to_name,
                letter::of_verification(person, link),
            )
        };
        let mail = NewMail {
            kind,
            about: about.as_uuid(),
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
    save_proved(txn, person).await?;
    record_verified(txn, now, person).await
}

/// The pending address is known to be the person's, unless somebody else was first, and takes the place of the other.
async fn move_to_pending(txn: &Txn, now: Timestamp, person: &mut Person) -> Result<(), Error> {
    let former = person.move_to_pending_email(now);
    save_proved(txn, person).await?;
    if let Some(former) = former {
        record_released(txn, now, person.id, &former).await?;
    }
    record_verified(txn, now, person).await
}

async fn save_proved(txn: &Txn, person: &Person) -> Result<(), Error> {
    if store::is_proved(txn, &person.information.account_email).await? || !store::save_person(txn, person).await? {
        return Err(Error::EmailTaken);
    }
    Ok(())
}

/// Tells that the account e-mail is known to be the person's.
pub(super) async fn record_verified(txn: &Txn, now: Timestamp, person: &Person) -> Result<(), Error> {
    let event = pb::EmailVerified {
        person_id: person.id.to_string(),
        verify_time: Some(to_wire_time(now)),
        email_sha256: hash(&person.information.account_email).0.to_vec(),
        mailbox_sha256: Sha256::digest(person.information.account_email.mailbox()).to_vec(),
    };
    Ok(record(txn, now, person.id.as_uuid(), &event).await?)
}

/// Tells that an address is not that of an account any more.
pub(super) async fn record_released(
    txn: &Txn,
    now: Timestamp,
    person: PersonId,
    email: &EmailAddress,
) -> Result<(), Error> {
    let event = pb::EmailReleased {
        person_id: person.to_string(),
        release_time: Some(to_wire_time(now)),
        email_sha256: hash(email).0.to_vec(),
    };
    Ok(record(txn, now, person.as_uuid(), &event).await?)
}

/// Tells that a person registered, with what shows that they were referred [R23].
pub(super) async fn record_registration(txn: &Txn, person: &Person, evidence: &ReferralEvidence) -> Result<(), Error> {
    let ReferralEvidence {
        code,
        link_cookie,
        invitation,
    } = evidence;
    let email = &person.information.account_email;
    let event = pb::AccountRegistered {
        person_id: person.id.to_string(),
        account_id: person.account_id.to_string(),
        register_time: Some(to_wire_time(person.registered_at)),
        referral_code: code.as_ref().map_or_else(String::new, |code| code.as_str().to_owned()),
        link_cookie_id: link_cookie
            .as_ref()
            .map_or_else(String::new, |id| id.as_str().to_owned()),
        referral_invitation_sha256: invitation.map(|token| token.0.to_vec()).unwrap_or_default(),
        email_sha256: hash(email).0.to_vec(),
        mailbox_sha256: Sha256::digest(email.mailbox()).to_vec(),
        domain_sha256: Sha256::digest(email.domain()).to_vec(),
    };
    Ok(record(txn, person.registered_at, person.id.as_uuid(), &event).await?)
}

fn hash(email: &EmailAddress) -> EmailHash {
    EmailHash(Sha256::digest(email.as_str()).into())
}
