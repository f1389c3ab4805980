//! Who is in a talent cloud: what becomes of those who are invited to it, and whom the client adds, ranks and removes.

use std::collections::BTreeSet;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, InvitationId, PersonId, TalentCloudId, TalentCloudMemberId, Timestamp};
use vouch_proto::{convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{
    App,
    clouds::{locked, locked_in_use},
    erasing::expect_known,
};
use crate::{
    domain::{Branch, Content, Invitation, Member, MemberState, State},
    error::Error,
    store::{self, clouds::members as store_members},
};

/// Adds somebody to a talent cloud who has accepted an invitation.
#[derive(Clone, Copy, Debug)]
pub struct AddMember {
    /// To which.
    pub cloud_id: TalentCloudId,
    /// What they have accepted.
    pub invitation_id: InvitationId,
}

/// Sets how a member ranks.
#[derive(Clone, Copy, Debug)]
pub struct SetPriority {
    /// Who.
    pub member: MemberOf,
    /// The rank; higher ones are found first.
    pub priority: i32,
}

/// A member of a talent cloud.
#[derive(Clone, Copy, Debug)]
pub struct MemberOf {
    /// Of which.
    pub cloud_id: TalentCloudId,
    /// Who.
    pub member_id: TalentCloudMemberId,
}

impl App {
    /// Adds somebody to a talent cloud without inviting them again.
    ///
    /// # Errors
    /// If there is no such cloud or invitation of its client, the cloud is archived, or nobody has accepted the
    /// invitation; if the database fails.
    pub async fn add_member(
        &self,
        key: &RequestKey,
        command: AddMember,
    ) -> Result<pb::AddTalentCloudMemberResponse, Error> {
        let AddMember {
            cloud_id,
            invitation_id,
        } = command;
        self.commands
            .once(key, |txn, now| async move {
                // Invitations are locked before clouds, here as everywhere.
                let invitation = store::invitations::lock(&txn, invitation_id).await?;
                let cloud = locked_in_use(&txn, cloud_id).await?;
                let invitation = invitation.filter(|it| it.client_id == cloud.client_id);
                let invitation = invitation.ok_or_else(|| Error::not_found("invitation", invitation_id))?;
                let State::Accepted(acceptance) = invitation.state else {
                    return Err(Error::NotAccepted(invitation_id));
                };
                // Whoever got an offer straight into the account has accepted nothing yet.
                if invitation.branch == Branch::Hire && acceptance.hired_at.is_none() {
                    return Err(Error::NotAccepted(invitation_id));
                }
                expect_known(&txn, acceptance.person_id).await?;
                let state = match acceptance.hired_at {
                    Some(_) => MemberState::Ready,
                    None => MemberState::Onboarding,
                };
                let new = Member {
                    id: TalentCloudMemberId::new(),
                    cloud_id,
                    invitation_id,
                    person_id: Some(acceptance.person_id),
                    state,
                    priority: 0,
                    since: now,
                };
                let contract = matches!(invitation.content, Content::Contract(_));
                let member = settle(&txn, now, cloud.client_id, new, contract).await?;
                let member = Some(member.into());
                Ok(pb::AddTalentCloudMemberResponse { member })
            })
            .await
    }

    /// Sets how a member ranks among those who are found.
    ///
    /// # Errors
    /// If there is no such member in the cloud, or the database fails.
    pub async fn set_priority(
        &self,
        key: &RequestKey,
        command: SetPriority,
    ) -> Result<pb::SetTalentCloudMemberPriorityResponse, Error> {
        self.commands
            .once(key, |txn, _| async move {
                let (mut member, _) = known(&txn, command.member).await?;
                member.priority = command.priority;
                store_members::save(&txn, &member).await?;
                let member = Some(member.into());
                Ok(pb::SetTalentCloudMemberPriorityResponse { member })
            })
            .await
    }

    /// Takes a member out of a talent cloud.
    ///
    /// # Errors
    /// If there is no such member in the cloud, or they are only invited; if the database fails.
    pub async fn remove_member(
        &self,
        key: &RequestKey,
        command: MemberOf,
    ) -> Result<pb::RemoveTalentCloudMemberResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let (mut member, client) = known(&txn, command).await?;
                match member.state {
                    MemberState::Invited => return Err(Error::StillInvited(member.invitation_id)),
                    MemberState::Removed => {}
                    MemberState::Onboarding | MemberState::Ready => {
                        (member.state, member.since) = (MemberState::Removed, now);
                        store_members::save(&txn, &member).await?;
                        tell(&txn, now, &[(member.clone(), client)]).await?;
                    }
                }
                let member = Some(member.into());
                Ok(pb::RemoveTalentCloudMemberResponse { member })
            })
            .await
    }
}

async fn known(txn: &Txn, MemberOf { cloud_id, member_id }: MemberOf) -> Result<(Member, ClientId), Error> {
    let cloud = locked(txn, cloud_id).await?;
    let found = store_members::find(txn, cloud_id, member_id).await?;
    let member = found.ok_or_else(|| Error::not_found("talent cloud member", member_id))?;
    Ok((member, cloud.client_id))
}

/// Those who are invited to talent clouds.
pub(super) async fn invite(txn: &Txn, now: Timestamp, invitations: &[Invitation]) -> Result<(), Error> {
    let invited = invitations.iter().filter_map(|invitation| match &invitation.content {
        Content::Contract(_) => None,
        Content::Cloud(cloud) => Some((
            Member {
                id: TalentCloudMemberId::new(),
                cloud_id: cloud.id,
                invitation_id: invitation.id,
                person_id: None,
                state: MemberState::Invited,
                priority: 0,
                since: now,
            },
            invitation.client_id,
        )),
    });
    let invited: Vec<_> = invited.collect();
    let members: Vec<_> = invited.iter().map(|(member, _)| member.clone()).collect();
    store_members::insert(txn, &members).await?;
    tell(txn, now, &invited).await
}

/// Who is invited to a talent cloud has accepted: they are being onboarded.
pub(super) async fn join(txn: &Txn, now: Timestamp, invitation: &Invitation, person: PersonId) -> Result<(), Error> {
    for (mut member, client) in of_invitations(txn, &[invitation.id]).await? {
        if member.state == MemberState::Invited {
            (member.person_id, member.state, member.since) = (Some(person), MemberState::Onboarding, now);
            settle(txn, now, client, member, false).await?;
        }
    }
    Ok(())
}

/// Moves those whom `invitations` brought from one state to another.
pub(super) async fn shift(
    txn: &Txn,
    now: Timestamp,
    invitations: &[InvitationId],
    from: MemberState,
    to: MemberState,
) -> Result<(), Error> {
    let mut moved = of_invitations(txn, invitations).await?;
    moved.retain(|(member, _)| member.state == from);
    for (member, _) in &mut moved {
        (member.state, member.since) = (to, now);
    }
    let ids: Vec<_> = moved.iter().map(|(member, _)| member.id).collect();
    store_members::set_state(txn, &ids, to, now).await?;
    tell(txn, now, &moved).await
}

/// The members that these invitations brought, whom nobody else changes until the transaction ends: the lock of a cloud
/// is that of its members.
async fn of_invitations(txn: &Txn, invitations: &[InvitationId]) -> Result<Vec<(Member, ClientId)>, Error> {
    let found = store_members::of_invitations(txn, invitations).await?;
    let clouds: BTreeSet<_> = found.iter().map(|(member, _)| member.cloud_id).collect();
    if clouds.is_empty() {
        return Ok(found);
    }
    for cloud in clouds {
        locked(txn, cloud).await?;
    }
    Ok(store_members::of_invitations(txn, invitations).await?)
}

/// Somebody who is known comes into a cloud: as `new`, or as the member that they have been there all the time. With a
/// `contract` it is that one whose hire makes them ready.
async fn settle(txn: &Txn, now: Timestamp, client: ClientId, new: Member, contract: bool) -> Result<Member, Error> {
    let earlier = match new.person_id {
        Some(person) => store_members::find_person(txn, new.cloud_id, person).await?,
        None => None,
    };
    let Some(mut member) = earlier else {
        match store_members::find(txn, new.cloud_id, new.id).await? {
            Some(_) => store_members::save(txn, &new).await?,
            None => store_members::insert(txn, std::slice::from_ref(&new)).await?,
        }
        tell(txn, now, &[(new.clone(), client)]).await?;
        return Ok(new);
    };
    // An invitation that the member has accepted here for a second time brings nobody else.
    store_members::delete(txn, new.id).await?;
    let before = member.state;
    member.state = match before {
        MemberState::Invited | MemberState::Removed => new.state,
        MemberState::Onboarding if contract => new.state,
        MemberState::Onboarding | MemberState::Ready => return Ok(member),
    };
    member.invitation_id = new.invitation_id;
    if member.state != before {
        member.since = now;
        tell(txn, now, &[(member.clone(), client)]).await?;
    }
    store_members::save(txn, &member).await?;
    Ok(member)
}

async fn tell(txn: &Txn, now: Timestamp, changed: &[(Member, ClientId)]) -> Result<(), Error> {
    let events = changed.iter().map(|(member, client)| {
        let event = pb::TalentCloudMemberChanged {
            member_id: member.id.to_string(),
            talent_cloud_id: member.cloud_id.to_string(),
            client_id: client.to_string(),
            person_id: member.person_id.map(|person| person.to_string()).unwrap_or_default(),
            state: pb::talent_cloud_member::State::from(member.state).into(),
            change_time: Some(to_wire_time(now)),
        };
        NewEvent::new(member.id.as_uuid(), &event)
    });
    let events: Vec<_> = events.collect();
    Ok(outbox::append(txn, now, &events).await?)
}
