//! Enrolling in the programme: an account of a person, an agency or a client gets a code and a link at once [R22, R35].

use std::collections::BTreeSet;

use vouch_messaging::{Fact, NewEvent, outbox};
use vouch_primitives::{AccountId, ClientId, PersonId, ReferrerId, Timestamp};
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1::AgencyRegistered, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{Party, ReferralCode, VanityCode},
    error::Error,
    store::{accounts, accounts::Account, people, referrers, referrers::Referrer, vanity},
};

/// How many codes are drawn before giving up; with 30^7 codes a second draw is rare and a third unheard of.
const DRAWS: usize = 8;

/// Who enrols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolling {
    /// The account of a person, or an agency.
    Account(AccountId),
    /// A client.
    Client(ClientId),
}

/// A referrer takes a code of their own choice.
#[derive(Clone, Debug)]
pub struct ClaimVanityCode {
    /// Who.
    pub referrer: ReferrerId,
    /// Which.
    pub code: VanityCode,
}

impl App {
    /// Enrols somebody; one who is enrolled already stays as they are.
    ///
    /// # Errors
    /// If the account has not been heard of.
    pub async fn enrol(&self, key: RequestKey, who: Enrolling) -> Result<pb::EnrolReferrerResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let account = match who {
                    Enrolling::Account(id) => accounts::find(&*txn, id)
                        .await?
                        .ok_or_else(|| Error::AccountUnknown(id.to_string()))?,
                    Enrolling::Client(id) => client_account(&txn, now, id).await?,
                };
                let referrer = enrol(&txn, now, &account).await?;
                let vanity = vanity::of_referrer(&*txn, referrer.id).await?;
                Ok(pb::EnrolReferrerResponse {
                    referrer: Some(self.to_wire(&referrer, account.party, vanity.as_ref())),
                })
            })
            .await
    }

    /// Takes a code of a referrer's own choice. Taking the same one again is a normal outcome.
    ///
    /// # Errors
    /// If the referrer has another one, or the code is somebody else's.
    pub async fn claim_vanity_code(
        &self,
        key: &RequestKey,
        command: &ClaimVanityCode,
    ) -> Result<pb::ClaimVanityCodeResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let ClaimVanityCode { referrer, code } = command;
                if referrers::find(&*txn, *referrer).await?.is_none() {
                    return Err(Error::not_found("referrer", referrer));
                }
                vanity::insert(&txn, now, *referrer, code).await?;
                match vanity::of_referrer(&*txn, *referrer).await? {
                    Some(theirs) if theirs == *code => Ok(pb::ClaimVanityCodeResponse {
                        code: theirs.to_string(),
                    }),
                    Some(_) => Err(Error::VanityCodeFinal),
                    None => Err(Error::CodeTaken),
                }
            })
            .await
    }

    /// Agencies were made: they may enrol.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_agencies_registered(&self, txn: &Txn, facts: &[Fact<AgencyRegistered>]) -> Result<(), Error> {
        let agencies: Vec<Account> = facts.iter().map(|fact| agency(&fact.body)).collect::<Result<_, _>>()?;
        people::ensure(txn, &agencies.iter().map(|agency| agency.person).collect()).await?;
        Ok(accounts::insert(txn, &agencies).await?)
    }

    /// Reads a referrer.
    ///
    /// # Errors
    /// If there is none.
    pub async fn referrer(&self, id: ReferrerId) -> Result<pb::Referrer, Error> {
        let conn = self.commands.db().reader();
        let referrer = referrers::find(conn, id).await?;
        let referrer = referrer.ok_or_else(|| Error::not_found("referrer", id))?;
        let account = accounts::find(conn, referrer.account).await?;
        let party = account.map_or(Party::Person, |account| account.party);
        let vanity = vanity::of_referrer(conn, id).await?;
        Ok(self.to_wire(&referrer, party, vanity.as_ref()))
    }

    fn to_wire(&self, referrer: &Referrer, party: Party, vanity: Option<&VanityCode>) -> pb::Referrer {
        let person = referrer.person.to_string();
        let (person_id, client_id) = match party {
            Party::Client => (String::new(), person),
            Party::Person | Party::Agency => (person, String::new()),
        };
        let party = match party {
            Party::Person => pb::referrer::Party::Person,
            Party::Agency => pb::referrer::Party::Agency,
            Party::Client => pb::referrer::Party::Client,
        };
        pb::Referrer {
            id: referrer.id.to_string(),
            person_id,
            account_id: referrer.account.to_string(),
            code: referrer.code.to_string(),
            link: format!("{}/join?code={}", self.public_url, referrer.code),
            enrol_time: Some(to_wire_time(referrer.enrolled_at)),
            party: party.into(),
            client_id,
            vanity_code: vanity.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// A client that enrols is not known from elsewhere: whoever calls for it has shown that it is theirs.
async fn client_account(txn: &Txn, now: Timestamp, id: ClientId) -> Result<Account, Error> {
    let account = Account {
        id: AccountId::from_uuid(id.as_uuid()),
        party: Party::Client,
        person: PersonId::from_uuid(id.as_uuid()),
        registered_at: now,
        typed_code: String::new(),
    };
    people::ensure(txn, &BTreeSet::from([account.person])).await?;
    accounts::insert(txn, std::slice::from_ref(&account)).await?;
    Ok(account)
}

fn agency(event: &AgencyRegistered) -> Result<Account, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("account_id", &event.account_id);
    let person = fields.id("person_id", &event.person_id);
    let registered_at = fields.time("register_time", event.register_time.as_ref());
    let (Some(id), Some(person), Some(registered_at)) = (id, person, registered_at) else {
        return Err(fields.into());
    };
    fields.finish(Account {
        id,
        party: Party::Agency,
        person,
        registered_at,
        typed_code: String::new(),
    })
}

/// Enrols an account; one that is enrolled already stays as it is.
pub(super) async fn enrol(txn: &Txn, now: Timestamp, account: &Account) -> Result<Referrer, Error> {
    for _ in 0..DRAWS {
        if let Some(enrolled) = referrers::of_account(txn, account.id).await? {
            return Ok(enrolled);
        }
        let code = ReferralCode::from_random(rand::random());
        let referrer = Referrer {
            id: ReferrerId::new(),
            person: account.person,
            account: account.id,
            code,
            enrolled_at: now,
        };
        if referrers::insert(txn, &referrer).await? {
            // Who else wants to know of referrers knows them as people.
            if account.party == Party::Person {
                outbox::append(txn, now, &[enrolled_event(&referrer)]).await?;
            }
            return Ok(referrer);
        }
    }
    Err(Error::NoFreeCode)
}

fn enrolled_event(referrer: &Referrer) -> NewEvent {
    let event = pb::ReferrerEnrolled {
        referrer_id: referrer.id.to_string(),
        person_id: referrer.person.to_string(),
        account_id: referrer.account.to_string(),
        enrol_time: Some(to_wire_time(referrer.enrolled_at)),
        code: referrer.code.to_string(),
    };
    NewEvent::new(referrer.id.as_uuid(), &event)
}
