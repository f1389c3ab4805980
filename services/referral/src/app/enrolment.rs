//! Enrolling in the programme: an account gets a code and a link at once [R22, R35].

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{AccountId, ReferrerId, Timestamp};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::ReferralCode,
    error::Error,
    store::{accounts, referrers, referrers::Referrer},
};

/// How many codes are drawn before giving up; with 30^7 codes a second draw is rare and a third unheard of.
const DRAWS: usize = 8;

impl App {
    /// Enrols an account; one that is enrolled already stays as it is.
    ///
    /// # Errors
    /// If the account has not been heard of.
    pub async fn enrol(&self, key: RequestKey, account: AccountId) -> Result<pb::EnrolReferrerResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let referrer = enrol(&txn, now, account).await?;
                Ok(pb::EnrolReferrerResponse {
                    referrer: Some(self.to_wire(&referrer)),
                })
            })
            .await
    }

    /// Reads a referrer.
    ///
    /// # Errors
    /// If there is none.
    pub async fn referrer(&self, id: ReferrerId) -> Result<pb::Referrer, Error> {
        let found = referrers::find(self.commands.db().reader(), id).await?;
        let referrer = found.ok_or_else(|| Error::NotFound {
            resource: "referrer",
            id: id.to_string(),
        })?;
        Ok(self.to_wire(&referrer))
    }

    fn to_wire(&self, referrer: &Referrer) -> pb::Referrer {
        pb::Referrer {
            id: referrer.id.to_string(),
            person_id: referrer.person.to_string(),
            account_id: referrer.account.to_string(),
            code: referrer.code.to_string(),
            link: format!("{}/join?code={}", self.public_url, referrer.code),
            enrol_time: Some(to_wire_time(referrer.enrolled_at)),
        }
    }
}

async fn enrol(txn: &Txn, now: Timestamp, id: AccountId) -> Result<Referrer, Error> {
    let account = accounts::find(txn, id)
        .await?
        .ok_or_else(|| Error::AccountUnknown(id.to_string()))?;
    for _ in 0..DRAWS {
        if let Some(enrolled) = referrers::of_account(txn, id).await? {
            return Ok(enrolled);
        }
        let code = ReferralCode::from_random(rand::random());
        let referrer = Referrer {
            id: ReferrerId::new(),
            person: account.person,
            account: id,
            code,
            enrolled_at: now,
        };
        if referrers::insert(txn, &referrer).await? {
            outbox::append(txn, now, &[enrolled_event(&referrer)]).await?;
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
