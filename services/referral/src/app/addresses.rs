//! What is known of addresses: whose they are, which want no mail, and what is forgotten with the people that they belong
//! to. The suppression list is the invitation service's; what readers of our letters say goes there as an event.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use vouch_mail::{Leaving, Token};
use vouch_messaging::{Fact, NewEvent, outbox};
use vouch_primitives::{EmailAddress, PersonId, ReferralInvitationId, Timestamp, Uuid};
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    invitation::v1::{AddressReinstated, AddressSuppressed, suppression::Reason},
    onboarding::v1::{EmailVerified, PersonErased},
    referral::v1 as pb,
};
use vouch_storage::{StorageError, Txn, idempotency, idempotency::RequestKey, timers};

use super::{App, hash_if_set, inviting};
use crate::{
    domain::{AddressHash, Stage, TokenHash},
    error::Error,
    store::{
        erasures, invitations, people, referrers, sign_ups, sign_ups::PersonAddress, suppressions, suppressions::Word,
    },
};

const UNWANTED: &str = "the address wants or takes no mail";

impl App {
    /// The reader of a letter wants no more. A token that nobody has been sent gets the same answer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unsubscribe(
        &self,
        key: &RequestKey,
        token: &Token,
    ) -> Result<pb::UnsubscribeFromReferralsResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                if let Some(address) = suppressions::of_way_out(&*txn, &TokenHash(token.sha256())).await? {
                    refuse(&txn, now, &[address], Reason::Unsubscribed).await?;
                }
                Ok(pb::UnsubscribeFromReferralsResponse {})
            })
            .await
    }

    /// Mail servers have said that there are no such mailboxes.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn note_bounces(&self, txn: &Txn, addresses: &[String]) -> Result<(), StorageError> {
        let known = addresses
            .iter()
            .filter_map(|address| address.parse::<EmailAddress>().ok());
        let hashes: BTreeSet<_> = known.map(|email| hash(&email)).collect();
        let hashes: Vec<_> = hashes.into_iter().collect();
        refuse(txn, self.now(), &hashes, Reason::Bounced).await
    }

    /// Why each of these e-mails is not to leave any more, if so.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn recheck_mail(&self, leaving: &[Leaving]) -> Result<Vec<Option<&'static str>>, StorageError> {
        let conn = self.commands.db().reader();
        let address = |mail: &Leaving| mail.to.parse().ok().map(|email: EmailAddress| hash(&email));
        let suppressed = suppressions::among(conn, &leaving.iter().filter_map(address).collect()).await?;
        let about = |mail: &Leaving| ReferralInvitationId::from_uuid(mail.about);
        let open = invitations::open_among(conn, &leaving.iter().map(about).collect()).await?;
        let why = |mail: &Leaving| match address(mail) {
            Some(address) if suppressed.contains(&address) => Some(UNWANTED),
            _ if !open.contains(&about(mail)) => Some("the invitation is closed"),
            _ => None,
        };
        Ok(leaving.iter().map(why).collect())
    }

    /// Addresses get no mail from now on.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_addresses_suppressed(&self, txn: &Txn, facts: &[Fact<AddressSuppressed>]) -> Result<(), Error> {
        let word = |fact: &Fact<AddressSuppressed>| {
            let mut fields = Fields::new();
            let since = fields.time("suppress_time", fact.body.suppress_time.as_ref());
            read_word(fields, &fact.body.email_sha256, true, since)
        };
        Ok(suppressions::save(txn, &newest(facts.iter().map(word))?).await?)
    }

    /// Addresses may be written to again.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_addresses_reinstated(&self, txn: &Txn, facts: &[Fact<AddressReinstated>]) -> Result<(), Error> {
        let word = |fact: &Fact<AddressReinstated>| {
            let mut fields = Fields::new();
            let since = fields.time("reinstate_time", fact.body.reinstate_time.as_ref());
            read_word(fields, &fact.body.email_sha256, false, since)
        };
        Ok(suppressions::save(txn, &newest(facts.iter().map(word))?).await?)
    }

    /// People have verified addresses.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_emails_verified(&self, txn: &Txn, facts: &[Fact<EmailVerified>]) -> Result<(), Error> {
        let addresses: BTreeSet<_> = facts
            .iter()
            .map(|fact| verified(&fact.body))
            .collect::<Result<_, _>>()?;
        let of: BTreeSet<_> = addresses.iter().map(|known| known.person).collect();
        people::ensure(txn, &of).await?;
        sign_ups::add_addresses(txn, &addresses).await?;
        people::lock(txn, &of).await?;
        self.welcome(txn, &of).await?;
        self.erase_again(txn, &of).await
    }

    /// News of people may come after that of their erasure: those of them who were erased are erased with the news.
    pub(super) async fn erase_again(&self, txn: &Txn, people: &BTreeSet<PersonId>) -> Result<(), Error> {
        let erased = erasures::among(txn, people).await?;
        self.erase(txn, &erased).await
    }

    /// People were erased: what was written to them, about them or by them is, too.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_people_erased(&self, txn: &Txn, facts: &[Fact<PersonErased>]) -> Result<(), Error> {
        let erased: BTreeSet<PersonId> = facts
            .iter()
            .map(|fact| person(&fact.body.person_id))
            .collect::<Result<_, _>>()?;
        erasures::insert(txn, self.now(), &erased).await?;
        self.erase(txn, &erased).await
    }

    async fn erase(&self, txn: &Txn, erased: &BTreeSet<PersonId>) -> Result<(), Error> {
        if erased.is_empty() {
            return Ok(());
        }
        people::lock(txn, erased).await?;
        let theirs = referrers::of_people(txn, erased).await?;
        let addresses = sign_ups::addresses(txn, erased).await?;
        let addresses = addresses.into_values().flatten().map(|known| known.email).collect();
        let mut about = invitations::ids_to(txn, &addresses).await?;
        about.extend(invitations::ids_of(txn, erased).await?);
        about.extend(invitations::ids_from(txn, &theirs).await?);
        let now = self.now();
        let mut open = invitations::lock(txn, &about).await?;
        open.retain(|invitation| invitation.stage.is_open());
        for invitation in &mut open {
            (invitation.stage, invitation.since) = (Stage::Declined, now);
        }
        invitations::save(txn, &open).await?;
        invitations::erase_words(txn, &about).await?;
        invitations::revoke_tokens(txn, &about).await?;
        sign_ups::forget_addresses(txn, erased).await?;
        erasures::empty(txn, erased, &theirs).await?;
        let keys: Vec<Uuid> = about.iter().map(|id| id.as_uuid()).collect();
        timers::cancel(txn, inviting::REMIND, &keys).await?;
        vouch_mail::erase(txn, now, &keys, &[]).await?;
        // Whatever was answered about an invitation names it by its id, and what was answered about a case, a signal or a link
        // whom it is about: with a referrer's appeal, a referee.
        let mut people = erasures::appealed_for(txn, &theirs).await?;
        people.extend(erased);
        let of_people = people.iter().map(ToString::to_string);
        let of_referrers = theirs.iter().map(ToString::to_string);
        let named = about
            .iter()
            .map(ToString::to_string)
            .chain(of_people)
            .chain(of_referrers);
        let named: Vec<_> = named.collect();
        idempotency::erase_answers(txn, &named).await?;
        Ok(())
    }
}

/// These addresses want or take no mail: at once here, and by an event on the list that all services share.
async fn refuse(txn: &Txn, now: Timestamp, addresses: &[AddressHash], reason: Reason) -> Result<(), StorageError> {
    let word = |address: &AddressHash| Word {
        address: *address,
        suppressed: true,
        since: now,
    };
    suppressions::save(txn, &addresses.iter().map(word).collect::<Vec<_>>()).await?;
    let event = |address: &AddressHash| {
        let event = pb::AddressRefused {
            email_sha256: address.0.to_vec(),
            reason: reason.into(),
            refuse_time: Some(to_wire_time(now)),
        };
        let aggregate = ReferralInvitationId::derived(Uuid::nil(), &format!("{:02x?}", address.0));
        NewEvent::new(aggregate.as_uuid(), &event)
    };
    outbox::append(txn, now, &addresses.iter().map(event).collect::<Vec<_>>()).await
}

fn hash(email: &EmailAddress) -> AddressHash {
    AddressHash(Sha256::digest(email.as_str()).into())
}

fn read_word(mut fields: Fields, hash: &[u8], suppressed: bool, since: Option<Timestamp>) -> Result<Word, Violations> {
    let address = hash_if_set(&mut fields, "email_sha256", hash);
    let (Some(address), Some(since)) = (address, since) else {
        fields.refuse("email_sha256", "REQUIRED", "is required");
        return Err(fields.into());
    };
    fields.finish(Word {
        address: AddressHash(address),
        suppressed,
        since,
    })
}

/// The last word about each address.
fn newest(words: impl Iterator<Item = Result<Word, Violations>>) -> Result<Vec<Word>, Violations> {
    let mut words: Vec<Word> = words.collect::<Result<_, _>>()?;
    words.sort_by_key(|word| word.since);
    let newest: BTreeMap<_, _> = words.into_iter().map(|word| (word.address, word)).collect();
    Ok(newest.into_values().collect())
}

fn verified(event: &EmailVerified) -> Result<PersonAddress, Violations> {
    let mut fields = Fields::new();
    let person = fields.id("person_id", &event.person_id);
    let email = hash_if_set(&mut fields, "email_sha256", &event.email_sha256);
    let mailbox = hash_if_set(&mut fields, "mailbox_sha256", &event.mailbox_sha256);
    let (Some(person), Some(email)) = (person, email) else {
        return Err(fields.into());
    };
    fields.finish(PersonAddress {
        person,
        email: AddressHash(email),
        // Older events do not tell it: then the address is a mailbox of its own.
        mailbox: AddressHash(mailbox.unwrap_or(email)),
    })
}

fn person(id: &str) -> Result<PersonId, Violations> {
    let mut fields = Fields::new();
    match fields.id("person_id", id) {
        Some(person) => fields.finish(person),
        None => Err(fields.into()),
    }
}
