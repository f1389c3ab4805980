//! Invitations.

use vouch_mail::Token;
use vouch_primitives::InvitationId;
use vouch_proto::{
    Fields, Violations,
    invitation::v1::{self as pb, accept_invitation_request::Proof as WireProof},
};

use super::{Id, ListOpenInvitations, SentToken, terms::contract_terms};
use crate::{
    app::{acceptance::AcceptInvitation, changes::DeclineInvitation, invitations::SendInvitation},
    domain::{
        ContractTerms, Proof, Recipient, TalentType, TokenHash,
        invitation::{DECLINE_REASON_LENGTH, PERSONAL_MESSAGE_LENGTH, RECIPIENT_NAME_LENGTH},
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

fn invitation_id(text: &str) -> Result<Id<InvitationId>, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("invitation_id", text);
    id.map(Id).ok_or_else(|| fields.into())
}

impl TryFrom<pb::GetInvitationRequest> for Id<InvitationId> {
    type Error = Violations;

    fn try_from(request: pb::GetInvitationRequest) -> Result<Self, Violations> {
        invitation_id(&request.invitation_id)
    }
}

impl TryFrom<pb::ResendInvitationRequest> for Id<InvitationId> {
    type Error = Violations;

    fn try_from(request: pb::ResendInvitationRequest) -> Result<Self, Violations> {
        invitation_id(&request.invitation_id)
    }
}

impl TryFrom<pb::WithdrawInvitationRequest> for Id<InvitationId> {
    type Error = Violations;

    fn try_from(request: pb::WithdrawInvitationRequest) -> Result<Self, Violations> {
        invitation_id(&request.invitation_id)
    }
}

impl TryFrom<pb::DeclineInvitationRequest> for DeclineInvitation {
    type Error = Violations;

    fn try_from(request: pb::DeclineInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = token(&mut fields, request.token);
        let reason = fields.text("reason", &request.reason, DECLINE_REASON_LENGTH);
        let Some(reason) = reason else {
            return Err(fields.into());
        };
        fields.finish(Self { token, reason })
    }
}

impl TryFrom<pb::LookUpInvitationRequest> for SentToken {
    type Error = Violations;

    fn try_from(request: pb::LookUpInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = token(&mut fields, request.token);
        fields.finish(Self(token))
    }
}

/// Anything is a token, so that a wrong one says no more than an unknown one; only a missing one is refused.
fn token(fields: &mut Fields, text: String) -> Token {
    if text.is_empty() {
        fields.refuse("token", "REQUIRED", "is required");
    }
    Token::from_link(text)
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
