//! What becomes of an invitation: a person accepts it, time runs out, the talent is hired.

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{InvitationId, PersonId, Timestamp};
use vouch_proto::{convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey, timers::Batch};

use super::{
    App, applications, changes::silence, erasing::expect_known, invitations::follow, members, sending::changed,
};
use crate::{
    domain::{Accepted, AccountAddress, Hire, Invitation, MemberState, OfferEnd, Proof, Refusal},
    error::Error,
    store::{accounts, clients, erasures, invitations as store},
};

/// Accepts an invitation for a person.
#[derive(Clone, Debug)]
pub struct AcceptInvitation {
    /// Which.
    pub invitation_id: InvitationId,
    /// Who accepts.
    pub person_id: PersonId,
    /// What proves that they may.
    pub proof: Proof,
}

impl App {
    /// Accepts an invitation, once and for one person, however many try at the same moment.
    ///
    /// # Errors
    /// If there is no such invitation or the proof does not fit it, which look alike; if another person has it; if it
    /// has expired, or was declined or withdrawn; if the database fails.
    pub async fn accept_invitation(
        &self,
        key: &RequestKey,
        command: &AcceptInvitation,
    ) -> Result<pb::AcceptInvitationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let invitation = accept(&txn, now, command).await?;
                let client = clients::find_client(&*txn, invitation.client_id).await?;
                let client = client.ok_or_else(|| Error::not_found("client", invitation.client_id))?;
                let invitation = follow(&*txn, invitation).await?;
                let mut answer = pb::AcceptInvitationResponse {
                    invitation: Some(invitation.into()),
                    ..pb::AcceptInvitationResponse::default()
                };
                answer.set_client_plan(client.plan.into());
                Ok(answer)
            })
            .await
    }

    /// Expires the invitations whose timers are due, unless somebody has accepted them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_invitations(&self, txn: &Txn, due: &Batch) -> Result<(), Error> {
        let ids: Vec<_> = due.keys().into_iter().map(InvitationId::from_uuid).collect();
        let expired = store::expire(txn, &ids, due.now).await?;
        let event = |unanswered: &store::Unanswered| {
            let event = pb::InvitationExpired {
                invitation_id: unanswered.id.to_string(),
                client_id: unanswered.client_id.to_string(),
                expire_time: Some(to_wire_time(unanswered.expires_at)),
            };
            NewEvent::new(unanswered.id.as_uuid(), &event)
        };
        let events: Vec<_> = expired.iter().map(event).collect();
        outbox::append(txn, due.now, &events).await?;
        let ids: Vec<_> = expired.iter().map(|unanswered| unanswered.id).collect();
        members::shift(txn, due.now, &ids, MemberState::Invited, MemberState::Removed).await?;
        let changed: Vec<_> = expired.iter().map(|it| (it.client_id, it.id)).collect();
        Ok(store::number(txn, &changed).await?)
    }

    /// Notes which addresses belong to accounts, so that an offer to one goes straight there, and which do no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_addresses(&self, txn: &Txn, addresses: &[AccountAddress]) -> Result<(), Error> {
        let people: Vec<_> = addresses.iter().map(|address| address.person_id).collect();
        let erased = erasures::among(txn, &people).await?;
        // The last word about an address counts, in whichever order they come; who was erased has none.
        let mut addresses = addresses.to_vec();
        for address in &mut addresses {
            address.released |= erased.contains(&address.person_id);
        }
        addresses.sort_by_key(|address| (address.since, address.released));
        accounts::save(txn, &addresses).await?;
        let erased: Vec<_> = erased.into_iter().collect();
        self.erase(txn, &erased).await?;
        self.erase_later(txn, &erased).await
    }

    /// Notes who was hired: the offers that came with these invitations were accepted.
    ///
    /// # Errors
    /// If nobody has accepted one of the invitations; when the database fails.
    pub async fn record_hires(&self, txn: &Txn, hires: &[Hire]) -> Result<(), Error> {
        let hired = store::save_hires(txn, hires).await?;
        if let Some(id) = hired.unknown.first() {
            return Err(Error::NeverAccepted(*id));
        }
        let (now, ids) = (self.commands.now(), hires.iter().map(|hire| hire.invitation_id));
        let ids: Vec<_> = ids.collect();
        applications::hire(txn, now, &ids).await?;
        members::shift(txn, now, &ids, MemberState::Onboarding, MemberState::Ready).await?;
        Ok(store::number(txn, &hired.news).await?)
    }

    /// Notes who is ready to work in the talent clouds that these invitations brought them to [B45, B52].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_ready(&self, txn: &Txn, invitations: &[InvitationId]) -> Result<(), Error> {
        let (from, to) = (MemberState::Onboarding, MemberState::Ready);
        members::shift(txn, self.commands.now(), invitations, from, to).await
    }

    /// Notes which offers came to nothing: they were declined, or nobody accepted them in time.
    ///
    /// # Errors
    /// If nobody has accepted one of the invitations; when the database fails.
    pub async fn record_ends(&self, txn: &Txn, ends: &[OfferEnd]) -> Result<(), Error> {
        let ended = store::save_ends(txn, ends).await?;
        if let Some(id) = ended.unknown.first() {
            return Err(Error::NeverAccepted(*id));
        }
        applications::end_offers(txn, self.commands.now(), ends).await?;
        Ok(store::number(txn, &ended.news).await?)
    }
}

async fn accept(txn: &Txn, now: Timestamp, command: &AcceptInvitation) -> Result<Invitation, Error> {
    let AcceptInvitation {
        invitation_id: id,
        person_id,
        proof,
    } = command;
    let refused = |why| Error::Refused { id: *id, why };
    expect_known(txn, *person_id).await?;
    let mut invitation = store::lock(txn, *id)
        .await?
        .ok_or_else(|| Error::not_found("invitation", id))?;
    let tokens = store::tokens_of(txn, *id).await?;
    let accepted = invitation.accept(*person_id, proof, &tokens, now).map_err(refused)?;
    let Accepted::Now(acceptance) = accepted else {
        return Ok(invitation);
    };
    if !store::save_acceptance(txn, *id, &acceptance).await? {
        return Err(refused(Refusal::Taken));
    }
    silence(txn, now, *id, "the invitation is accepted").await?;
    members::join(txn, now, &invitation, *person_id).await?;
    let event = pb::InvitationAccepted {
        invitation_id: id.to_string(),
        client_id: invitation.client_id.to_string(),
        person_id: person_id.to_string(),
        accept_time: Some(to_wire_time(acceptance.accepted_at)),
        hire: false,
    };
    outbox::append(txn, now, &[NewEvent::new(id.as_uuid(), &event)]).await?;
    changed(txn, std::slice::from_ref(&invitation)).await?;
    Ok(invitation)
}
