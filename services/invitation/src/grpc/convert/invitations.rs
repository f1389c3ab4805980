//! Invitations.

use vouch_mail::{Delivery, MailState, Token};
use vouch_primitives::InvitationId;
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    invitation::v1::{
        self as pb, accept_invitation_request::Proof as WireProof, invitation::State as WireState,
        mail_delivery::State as WireDeliveryState,
    },
};

use super::{Id, ListInvitations, ListOpenInvitations, SentToken, terms::contract_terms};
use crate::{
    app::{
        acceptance::AcceptInvitation,
        invitations::{Followed, SendInvitation},
    },
    domain::{
        ContractTerms, Invitation, Proof, Recipient, State, TalentType, TokenHash,
        invitation::{PERSONAL_MESSAGE_LENGTH, RECIPIENT_NAME_LENGTH},
    },
};

impl TryFrom<pb::SendInvitationRequest> for SendInvitation {
    type Error = Violations;

    fn try_from(request: pb::SendInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let hiring_manager_id = match request.hiring_manager_id.as_str() {
            "" => Some(None),
            named => fields.id("hiring_manager_id", named).map(Some),
        };
        let talent_type = talent_type(&mut fields, request.talent_type());
        let email = fields.email("recipient_email", &request.recipient_email);
        let name = fields.line("recipient_name", &request.recipient_name, RECIPIENT_NAME_LENGTH);
        let contract_terms = offer(&mut fields, request.contract_terms.as_ref());
        let personal_message = fields.text("personal_message", &request.personal_message, PERSONAL_MESSAGE_LENGTH);
        let read = || {
            Some(Self {
                client_id: client_id?,
                hiring_manager_id: hiring_manager_id?,
                talent_type: talent_type?,
                recipient: Recipient {
                    email: email?,
                    name: name?,
                },
                contract_terms: contract_terms?,
                personal_message: personal_message?,
            })
        };
        match read() {
            Some(command) => fields.finish(command),
            None => Err(fields.into()),
        }
    }
}

fn talent_type(fields: &mut Fields, talent_type: pb::TalentType) -> Option<TalentType> {
    match talent_type {
        pb::TalentType::Unspecified => {
            fields.refuse("talent_type", "REQUIRED", "is required");
            None
        }
        pb::TalentType::Freelancer => Some(TalentType::Freelancer),
        pb::TalentType::Agency => {
            fields.refuse("talent_type", "NOT_SUPPORTED", "must be a freelancer for now");
            None
        }
    }
}

/// An invitation without an offer would be one to a talent cloud.
fn offer(fields: &mut Fields, terms: Option<&vouch_proto::common::v1::ContractTerms>) -> Option<ContractTerms> {
    let Some(terms) = terms else {
        fields.refuse(
            "contract_terms",
            "REQUIRED",
            "is required: clouds cannot be invited to yet",
        );
        return None;
    };
    fields.within("contract_terms", |fields| contract_terms(fields, terms))
}

impl TryFrom<pb::GetInvitationRequest> for Id<InvitationId> {
    type Error = Violations;

    fn try_from(request: pb::GetInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("invitation_id", &request.invitation_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListInvitationsRequest> for ListInvitations {
    type Error = Violations;

    fn try_from(request: pb::ListInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, page })
    }
}

impl TryFrom<pb::LookUpInvitationRequest> for SentToken {
    type Error = Violations;

    /// Anything is a token, so that a wrong one says no more than an unknown one; only a missing one is refused.
    fn try_from(request: pb::LookUpInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        if request.token.is_empty() {
            fields.refuse("token", "REQUIRED", "is required");
        }
        fields.finish(Self(Token::from_link(request.token)))
    }
}

impl TryFrom<pb::ListOpenInvitationsRequest> for ListOpenInvitations {
    type Error = Violations;

    fn try_from(request: pb::ListOpenInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let verified_email = fields.email("verified_email", &request.verified_email);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(verified_email), Some(page)) = (verified_email, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { verified_email, page })
    }
}

impl TryFrom<pb::AcceptInvitationRequest> for AcceptInvitation {
    type Error = Violations;

    fn try_from(request: pb::AcceptInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let invitation_id = fields.id("invitation_id", &request.invitation_id);
        let person_id = fields.id("person_id", &request.person_id);
        let proof = proof(&mut fields, request.proof.as_ref());
        let (Some(invitation_id), Some(person_id), Some(proof)) = (invitation_id, person_id, proof) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            invitation_id,
            person_id,
            proof,
        })
    }
}

fn proof(fields: &mut Fields, proof: Option<&WireProof>) -> Option<Proof> {
    match proof {
        Some(WireProof::TokenSha256(bytes)) => {
            let hash = <[u8; 32]>::try_from(&bytes[..]).ok();
            if hash.is_none() {
                fields.refuse("token_sha256", "INVALID_FORMAT", "must have 32 bytes");
            }
            hash.map(|hash| Proof::Token(TokenHash(hash)))
        }
        Some(WireProof::VerifiedEmail(email)) => fields.email("verified_email", email).map(Proof::VerifiedEmail),
        None => {
            fields.refuse("proof", "REQUIRED", "is required: token_sha256 or verified_email");
            None
        }
    }
}

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
        let (state, acceptance) = match invitation.state {
            State::Pending => (WireState::Pending, None),
            State::Accepted(acceptance) => (WireState::Accepted, Some(acceptance)),
            State::Expired => (WireState::Expired, None),
        };
        let person_id = acceptance.map(|acceptance| acceptance.person_id.to_string());
        let hired_at = acceptance.and_then(|acceptance| acceptance.hired_at);
        Self {
            id: invitation.id.to_string(),
            client_id: invitation.client_id.to_string(),
            company_name: invitation.company_name,
            hiring_manager: Some(invitation.hiring_manager.into()),
            talent_type: pb::TalentType::from(invitation.talent_type).into(),
            recipient_email: invitation.recipient.email.to_string(),
            recipient_name: invitation.recipient.name,
            contract_terms: Some((&invitation.contract_terms).into()),
            personal_message: invitation.personal_message,
            state: state.into(),
            send_time: Some(to_wire_time(invitation.sent_at)),
            expire_time: Some(to_wire_time(invitation.expires_at)),
            accept_time: acceptance.map(|acceptance| to_wire_time(acceptance.accepted_at)),
            person_id: person_id.unwrap_or_default(),
            hire_time: hired_at.map(to_wire_time),
            delivery: None,
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
        }
    }
}
