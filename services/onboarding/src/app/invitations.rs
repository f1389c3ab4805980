//! What is asked of the invitation service. It alone decides who has an invitation.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_primitives::{ClientId, EmailAddress, InvitationId, RequestId, Timestamp};
use vouch_proto::common::v1::ContractTerms;
use vouch_proto::invitation::v1::{
    AcceptInvitationRequest, GetInvitationRequest, HiringManager, Invitation, ListOpenInvitationsRequest,
    LookUpInvitationRequest, TalentType, accept_invitation_request, invitation::Content,
    invitation_service_client::InvitationServiceClient,
};
use vouch_proto::{Fields, Violations};
use vouch_runtime::Peer;

use super::{Token, cases::OpenInvitation};
use crate::{
    domain::{Acceptance, Client, HiringManager as Manager, TokenHash},
    error::{Error, INVITATION_NOT_SUPPORTED},
};

/// The invitation service.
#[derive(Clone)]
pub struct Invitations(InvitationServiceClient<Peer>);

/// An invitation that its person has.
#[derive(Clone, Debug)]
pub struct AcceptedInvitation {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    pub client: Client,
    /// The invited address.
    pub recipient: EmailAddress,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What is offered.
    pub terms: ContractTerms,
}

/// What proves to the invitation service that the person may accept.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// The hash of the e-mailed token.
    Token(TokenHash),
    /// The person's verified address.
    VerifiedEmail(EmailAddress),
}

impl Invitations {
    /// The service at the other end of `peer`.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self(InvitationServiceClient::new(peer))
    }

    /// Which open invitation a token belongs to. Looking does not consume it.
    ///
    /// # Errors
    /// [`Error::NoOpenInvitation`] for every token that opens nothing.
    pub async fn look_up(&self, token: &Token) -> Result<InvitationId, Error> {
        let request = LookUpInvitationRequest {
            token: token.as_str().to_owned(),
        };
        let answer = self
            .0
            .clone()
            .look_up_invitation(request)
            .await
            .map_err(refusal)?
            .into_inner();
        let invitation = answer.invitation.unwrap_or_default();
        expect_supported(&invitation)?;
        let mut fields = Fields::new();
        let id = fields.id("invitation.id", &invitation.id);
        id.ok_or_else(|| Error::InvitationUnreadable(fields.into()))
    }

    /// The oldest open invitation of a verified address, of those that lead somewhere yet.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn first_open(&self, verified: &EmailAddress) -> Result<Option<OpenInvitation>, Error> {
        let mut request = ListOpenInvitationsRequest {
            verified_email: verified.to_string(),
            // A hundred may be more than an answer can hold.
            page_size: 1,
            page_token: String::new(),
        };
        loop {
            let answer = self.0.clone().list_open_invitations(request.clone()).await;
            let answer = answer.map_err(refusal)?.into_inner();
            let mut invitations = answer.invitations.into_iter();
            let first = invitations.find(|invitation| expect_supported(invitation).is_ok());
            if first.is_some() || answer.next_page_token.is_empty() {
                let first = first.map(open_invitation).transpose();
                return first.map_err(Error::InvitationUnreadable);
            }
            request.page_token = answer.next_page_token;
        }
    }

    /// Accepts an invitation for a person. However often it is asked for the same acceptance, the answer is the same.
    ///
    /// # Errors
    /// [`Error::NoOpenInvitation`] and [`Error::InvitationRefused`] are for good; after any other error it is
    /// unknown whether the invitation is accepted.
    pub async fn accept(&self, acceptance: &Acceptance, evidence: Evidence) -> Result<AcceptedInvitation, Error> {
        let proof = match evidence {
            Evidence::Token(hash) => accept_invitation_request::Proof::TokenSha256(hash.0.to_vec()),
            Evidence::VerifiedEmail(email) => {
                // Nobody has looked at this one yet.
                self.expect_supported(acceptance.invitation_id).await?;
                accept_invitation_request::Proof::VerifiedEmail(email.to_string())
            }
        };
        let request = AcceptInvitationRequest {
            request_id: RequestId::derived(acceptance.request_id.as_uuid(), "accept invitation").to_string(),
            invitation_id: acceptance.invitation_id.to_string(),
            person_id: acceptance.person_id.to_string(),
            proof: Some(proof),
        };
        let answer = self
            .0
            .clone()
            .accept_invitation(request)
            .await
            .map_err(refusal)?
            .into_inner();
        accepted_invitation(answer.invitation.unwrap_or_default()).map_err(Error::InvitationUnreadable)
    }

    async fn expect_supported(&self, id: InvitationId) -> Result<(), Error> {
        let request = GetInvitationRequest {
            invitation_id: id.to_string(),
        };
        let answer = self.0.clone().get_invitation(request).await;
        expect_supported(&answer.map_err(refusal)?.into_inner().invitation.unwrap_or_default())
    }
}

impl fmt::Debug for Invitations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Invitations").finish()
    }
}

/// Only what can never become a success is a refusal: whatever else the service says, the acceptance is tried again.
fn refusal(status: Status) -> Error {
    match status.code() {
        Code::NotFound => Error::NoOpenInvitation,
        Code::FailedPrecondition => {
            let reason = status.get_details_error_info().map(|info| info.reason);
            Error::InvitationRefused {
                reason: reason.unwrap_or_else(|| "INVITATION_REFUSED".to_owned()),
            }
        }
        _ => Error::InvitationUnavailable(Box::new(status)),
    }
}

/// Only freelancers who are invited to a contract have a way here yet. Whoever else accepted an invitation would be stuck,
/// so that nobody does.
fn expect_supported(invitation: &Invitation) -> Result<(), Error> {
    match invitation.content {
        Some(Content::ContractTerms(_)) if invitation.talent_type() == TalentType::Freelancer => Ok(()),
        _ => Err(Error::InvitationRefused {
            reason: INVITATION_NOT_SUPPORTED.to_owned(),
        }),
    }
}

/// The terms of an invitation to a contract.
fn offered(content: Option<Content>) -> Option<ContractTerms> {
    match content {
        Some(Content::ContractTerms(terms)) => Some(terms),
        Some(Content::TalentCloud(_)) | None => None,
    }
}

fn open_invitation(invitation: Invitation) -> Result<OpenInvitation, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("invitation.id", &invitation.id);
    let expires_at = fields.time("invitation.expire_time", invitation.expire_time.as_ref());
    let terms = terms(&mut fields, offered(invitation.content));
    let (Some(id), Some(expires_at), Some(terms)) = (id, expires_at, terms) else {
        return Err(fields.into());
    };
    fields.finish(OpenInvitation {
        id,
        company_name: invitation.company_name,
        terms,
        expires_at,
    })
}

fn accepted_invitation(invitation: Invitation) -> Result<AcceptedInvitation, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("invitation.id", &invitation.id);
    let client_id: Option<ClientId> = fields.id("invitation.client_id", &invitation.client_id);
    let recipient = fields.email("invitation.recipient_email", &invitation.recipient_email);
    let accepted_at = fields.time("invitation.accept_time", invitation.accept_time.as_ref());
    let HiringManager {
        display_name, email, ..
    } = invitation.hiring_manager.unwrap_or_default();
    let email = fields.email("invitation.hiring_manager.email", &email);
    let terms = terms(&mut fields, offered(invitation.content));
    let (Some(id), Some(client_id), Some(recipient)) = (id, client_id, recipient) else {
        return Err(fields.into());
    };
    let (Some(accepted_at), Some(email), Some(terms)) = (accepted_at, email, terms) else {
        return Err(fields.into());
    };
    let hiring_manager = Manager { display_name, email };
    let client = Client {
        id: client_id,
        company_name: invitation.company_name,
        hiring_manager,
    };
    fields.finish(AcceptedInvitation {
        id,
        client,
        recipient,
        accepted_at,
        terms,
    })
}

/// The terms were checked when the client sent them; here they only have to be there, with a way of paying.
fn terms(fields: &mut Fields, terms: Option<ContractTerms>) -> Option<ContractTerms> {
    let terms = terms.filter(|terms| terms.pay.is_some());
    if terms.is_none() {
        fields.refuse("invitation.contract_terms", "REQUIRED", "is required");
    }
    terms
}
