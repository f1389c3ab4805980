//! Invitations.

use vouch_mail::Token;
use vouch_primitives::InvitationId;
use vouch_proto::{
    Fields, Violations,
    invitation::v1::{self as pb, accept_invitation_request::Proof as WireProof},
};

use super::{Id, ListOpenInvitations, SentToken, projects::recommended};
use crate::{
    app::{acceptance::AcceptInvitation, changes::DeclineInvitation},
    domain::{Proof, TokenHash, invitation::DECLINE_REASON_LENGTH},
};

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
        let instead = match &request.recommendation {
            Some(wire) => fields
                .within("recommendation", |fields| recommended(fields, wire))
                .map(Some),
            None => Some(None),
        };
        let (Some(reason), Some(instead)) = (reason, instead) else {
            return Err(fields.into());
        };
        fields.finish(Self { token, reason, instead })
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
pub(super) fn token(fields: &mut Fields, text: String) -> Token {
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
