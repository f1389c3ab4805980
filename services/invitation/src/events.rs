//! Facts in: which function takes which event of another service.

use vouch_messaging::{Fact, Router};
use vouch_primitives::{InvitationId, Timestamp};
use vouch_proto::{
    Fields, Violations,
    invitation::v1::suppression::Reason,
    onboarding::v1::{
        EmailReleased, EmailVerified, OfferAccepted, OfferDeclined, OfferLapsed, PersonErased, TalentReady,
    },
    referral::v1::{AddressRefused, RefereeAttributed, ReferrerEnrolled},
};

use crate::{
    app::{App, suppression::Refused},
    domain::{AccountAddress, AddressHash, Erasure, Hire, OfferEnd, Referee, Referrer, SuppressionReason},
    error::Error,
};

/// The table.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::<App, Error>::new("invitation")
        .on::<EmailVerified>(|app, txn, facts| {
            Box::pin(async move {
                let addresses = facts.iter().map(address).collect::<Result<Vec<_>, _>>()?;
                app.record_addresses(txn, &addresses).await
            })
        })
        .on::<EmailReleased>(|app, txn, facts| {
            Box::pin(async move {
                let addresses = facts.iter().map(released).collect::<Result<Vec<_>, _>>()?;
                app.record_addresses(txn, &addresses).await
            })
        })
        .on::<PersonErased>(|app, txn, facts| {
            Box::pin(async move {
                let erasures = facts.iter().map(erasure).collect::<Result<Vec<_>, _>>()?;
                app.record_erasures(txn, &erasures).await
            })
        })
        .on::<OfferAccepted>(|app, txn, facts| {
            Box::pin(async move {
                let hires = facts.iter().map(hire).collect::<Result<Vec<_>, _>>()?;
                app.record_hires(txn, &hires).await
            })
        })
        .on::<OfferDeclined>(|app, txn, facts| {
            Box::pin(async move {
                let ends = facts.iter().map(declined).collect::<Result<Vec<_>, _>>()?;
                app.record_ends(txn, &ends).await
            })
        })
        .on::<OfferLapsed>(|app, txn, facts| {
            Box::pin(async move {
                let ends = facts.iter().map(lapsed).collect::<Result<Vec<_>, _>>()?;
                app.record_ends(txn, &ends).await
            })
        })
        .on::<TalentReady>(|app, txn, facts| {
            Box::pin(async move {
                let ready = facts.iter().map(ready).collect::<Result<Vec<_>, _>>()?;
                app.record_ready(txn, &ready).await
            })
        })
        .on::<AddressRefused>(|app, txn, facts| {
            Box::pin(async move {
                let refused = facts.iter().map(refused).collect::<Result<Vec<_>, _>>()?;
                app.record_refusals(txn, &refused).await
            })
        })
        .on::<ReferrerEnrolled>(|app, txn, facts| {
            Box::pin(async move {
                let referrers = facts.iter().map(referrer).collect::<Result<Vec<_>, _>>()?;
                app.record_referrers(txn, &referrers).await
            })
        })
        .on::<RefereeAttributed>(|app, txn, facts| {
            Box::pin(async move {
                let referees = facts.iter().map(referee).collect::<Result<Vec<_>, _>>()?;
                app.record_referees(txn, &referees).await
            })
        })
}

fn ready(fact: &Fact<TalentReady>) -> Result<InvitationId, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("invitation_id", &fact.body.invitation_id);
    id.ok_or_else(|| fields.into())
}

fn referrer(fact: &Fact<ReferrerEnrolled>) -> Result<Referrer, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("referrer_id", &fact.body.referrer_id);
    let person_id = fields.id("person_id", &fact.body.person_id);
    let code = fields.line("code", &fact.body.code, 1..=20);
    let (Some(id), Some(person_id), Some(code)) = (id, person_id, code) else {
        return Err(fields.into());
    };
    fields.finish(Referrer { id, person_id, code })
}

fn refused(fact: &Fact<AddressRefused>) -> Result<Refused, Violations> {
    let mut fields = Fields::new();
    let address = address_hash(&mut fields, &fact.body.email_sha256);
    let reason = match fact.body.reason() {
        Reason::Unspecified => {
            fields.refuse("reason", "REQUIRED", "is required");
            None
        }
        Reason::Unsubscribed => Some(SuppressionReason::Unsubscribed),
        Reason::Bounced => Some(SuppressionReason::Bounced),
        Reason::Complained => Some(SuppressionReason::Complained),
    };
    let (Some(address), Some(reason)) = (address, reason) else {
        return Err(fields.into());
    };
    fields.finish(Refused { address, reason })
}

fn referee(fact: &Fact<RefereeAttributed>) -> Result<Referee, Violations> {
    let mut fields = Fields::new();
    let person_id = fields.id("referee_person_id", &fact.body.referee_person_id);
    let referrer_id = fields.id("referrer_id", &fact.body.referrer_id);
    let (Some(person_id), Some(referrer_id)) = (person_id, referrer_id) else {
        return Err(fields.into());
    };
    fields.finish(Referee { person_id, referrer_id })
}

fn address(fact: &Fact<EmailVerified>) -> Result<AccountAddress, Violations> {
    let mut fields = Fields::new();
    let person_id = fields.id("person_id", &fact.body.person_id);
    let hash = address_hash(&mut fields, &fact.body.email_sha256);
    let since = fields.time("verify_time", fact.body.verify_time.as_ref());
    let (Some(person_id), Some(hash), Some(since)) = (person_id, hash, since) else {
        return Err(fields.into());
    };
    fields.finish(AccountAddress {
        hash,
        person_id,
        released: false,
        since,
    })
}

fn released(fact: &Fact<EmailReleased>) -> Result<AccountAddress, Violations> {
    let mut fields = Fields::new();
    let person_id = fields.id("person_id", &fact.body.person_id);
    let hash = address_hash(&mut fields, &fact.body.email_sha256);
    let since = fields.time("release_time", fact.body.release_time.as_ref());
    let (Some(person_id), Some(hash), Some(since)) = (person_id, hash, since) else {
        return Err(fields.into());
    };
    fields.finish(AccountAddress {
        hash,
        person_id,
        released: true,
        since,
    })
}

fn erasure(fact: &Fact<PersonErased>) -> Result<Erasure, Violations> {
    let mut fields = Fields::new();
    let person_id = fields.id("person_id", &fact.body.person_id);
    let erased_at = fields.time("erase_time", fact.body.erase_time.as_ref());
    let (Some(person_id), Some(erased_at)) = (person_id, erased_at) else {
        return Err(fields.into());
    };
    fields.finish(Erasure { person_id, erased_at })
}

fn address_hash(fields: &mut Fields, bytes: &[u8]) -> Option<AddressHash> {
    let hash = <[u8; 32]>::try_from(bytes).ok().map(AddressHash);
    if hash.is_none() {
        fields.refuse("email_sha256", "INVALID_FORMAT", "must have 32 bytes");
    }
    hash
}

fn declined(fact: &Fact<OfferDeclined>) -> Result<OfferEnd, Violations> {
    let mut fields = Fields::new();
    let ended_at = fields.time("decline_time", fact.body.decline_time.as_ref());
    offer_end(fields, &fact.body.invitation_id, ended_at, true)
}

fn lapsed(fact: &Fact<OfferLapsed>) -> Result<OfferEnd, Violations> {
    let mut fields = Fields::new();
    let ended_at = fields.time("lapse_time", fact.body.lapse_time.as_ref());
    offer_end(fields, &fact.body.invitation_id, ended_at, false)
}

fn offer_end(
    mut fields: Fields,
    invitation_id: &str,
    ended_at: Option<Timestamp>,
    declined: bool,
) -> Result<OfferEnd, Violations> {
    let invitation_id = fields.id("invitation_id", invitation_id);
    let (Some(invitation_id), Some(ended_at)) = (invitation_id, ended_at) else {
        return Err(fields.into());
    };
    fields.finish(OfferEnd {
        invitation_id,
        ended_at,
        declined,
    })
}

fn hire(fact: &Fact<OfferAccepted>) -> Result<Hire, Violations> {
    let mut fields = Fields::new();
    let invitation_id = fields.id("invitation_id", &fact.body.invitation_id);
    let hired_at = fields.time("accept_time", fact.body.accept_time.as_ref());
    let (Some(invitation_id), Some(hired_at)) = (invitation_id, hired_at) else {
        return Err(fields.into());
    };
    fields.finish(Hire {
        invitation_id,
        hired_at,
    })
}
