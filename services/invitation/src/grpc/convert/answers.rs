//! Invitations as callers see them.

use vouch_mail::{Delivery, MailState};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{
        self as pb,
        invitation::{Branch as WireBranch, Content as WireContent, State as WireState},
        mail_delivery::State as WireDeliveryState,
    },
};

use super::address_of;
use crate::{
    app::invitations::Followed,
    domain::{Branch, Content, Invitation, Stage, State, TalentType},
};

impl From<Followed> for pb::Invitation {
    fn from(Followed { invitation, delivery }: Followed) -> Self {
        Self {
            delivery: delivery.map(wire_delivery),
            ..invitation.into()
        }
    }
}

impl From<Invitation> for pb::Invitation {
    fn from(invitation: Invitation) -> Self {
        let stands = Self::from(invitation.state);
        Self {
            id: invitation.id.to_string(),
            client_id: invitation.client_id.to_string(),
            company_name: invitation.company_name,
            hiring_manager: Some(invitation.hiring_manager.into()),
            talent_type: pb::TalentType::from(invitation.talent_type).into(),
            recipient_email: address_of(&invitation.recipient),
            recipient_name: invitation.recipient.name,
            content: Some(invitation.content.into()),
            personal_message: invitation.personal_message,
            branch: WireBranch::from(invitation.branch).into(),
            send_time: Some(to_wire_time(invitation.sent_at)),
            expire_time: Some(to_wire_time(invitation.expires_at)),
            ..stands
        }
    }
}

impl From<Branch> for WireBranch {
    fn from(branch: Branch) -> Self {
        match branch {
            Branch::Invite => Self::Invite,
            Branch::Hire => Self::Hire,
        }
    }
}

impl From<Content> for WireContent {
    fn from(content: Content) -> Self {
        match content {
            Content::Contract(terms) => Self::ContractTerms((&terms).into()),
            Content::Cloud(cloud) => Self::TalentCloud(pb::InvitedCloud {
                id: cloud.id.to_string(),
                name: cloud.name,
            }),
        }
    }
}

/// Where an invitation stands, and since when.
impl From<State> for pb::Invitation {
    fn from(state: State) -> Self {
        let (wire, stands) = match state {
            State::Pending => (WireState::Pending, Self::default()),
            State::Expired => (WireState::Expired, Self::default()),
            State::Accepted(acceptance) => {
                let accepted = Self {
                    accept_time: Some(to_wire_time(acceptance.accepted_at)),
                    person_id: acceptance.person_id.to_string(),
                    hire_time: acceptance.hired_at.map(to_wire_time),
                    offer_end_time: acceptance.ended_at.map(to_wire_time),
                    ..Self::default()
                };
                (WireState::Accepted, accepted)
            }
            State::Declined(decline) => {
                let declined = Self {
                    decline_time: Some(to_wire_time(decline.declined_at)),
                    decline_reason: decline.reason,
                    ..Self::default()
                };
                (WireState::Declined, declined)
            }
            State::Withdrawn(moment) => {
                let withdrawn = Self {
                    withdraw_time: Some(to_wire_time(moment)),
                    ..Self::default()
                };
                (WireState::Withdrawn, withdrawn)
            }
        };
        Self {
            state: wire.into(),
            ..stands
        }
    }
}

fn wire_delivery(delivery: Delivery) -> pb::MailDelivery {
    let state = match delivery.state {
        MailState::Queued => WireDeliveryState::Queued,
        MailState::Sent => WireDeliveryState::Sent,
        MailState::Failed => WireDeliveryState::Failed,
    };
    pb::MailDelivery {
        state: state.into(),
        attempts: u32::try_from(delivery.attempts.len()).unwrap_or(u32::MAX),
        last_error: delivery.last_error.unwrap_or_default(),
    }
}

impl From<TalentType> for pb::TalentType {
    fn from(talent_type: TalentType) -> Self {
        match talent_type {
            TalentType::Freelancer => Self::Freelancer,
            TalentType::Agency => Self::Agency,
        }
    }
}

/// How many invitations stand where.
pub(in crate::grpc) fn counts(counted: &[(Stage, u64, u64)]) -> pb::CountInvitationsResponse {
    let mut answer = pb::CountInvitationsResponse::default();
    for (stage, invitations, hired) in counted {
        let place = match stage {
            Stage::Pending => &mut answer.pending,
            Stage::Accepted => &mut answer.accepted,
            Stage::Declined => &mut answer.declined,
            Stage::Withdrawn => &mut answer.withdrawn,
            Stage::Expired => &mut answer.expired,
        };
        *place = *invitations;
        answer.hired += hired;
    }
    answer
}
