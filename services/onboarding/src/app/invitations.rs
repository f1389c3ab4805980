//! What is asked of the invitation service. It alone decides who has an invitation.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_primitives::{EmailAddress, InvitationId, RequestId, Timestamp};
use vouch_proto::common::v1::ContractTerms;
use vouch_proto::invitation::v1::{
    AcceptInvitationRequest, AcceptInvitationResponse, GetInvitationRequest, HiringManager, Invitation,
    ListOpenInvitationsRequest, LookUpInvitationRequest, Plan as WirePlan, TalentType, accept_invitation_request,
    invitation::Content as WireContent, invitation_service_client::InvitationServiceClient,
};
use vouch_proto::{Fields, Violations};
use vouch_runtime::Peer;

use super::{Token, home::OpenInvitation};
use crate::{
    domain::{Acceptance, Client, HiringManager as Manager, Plan, Talent, TalentCloud, TokenHash},
    error::Error,
};

/// How many open invitations are looked at for an offer.
const LOOKED_AT: usize = 20;

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
    /// Whom it invites.
    pub talent: Talent,
    /// What it brings.
    pub content: Content,
}

/// An open invitation whose token somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Its id.
    pub id: InvitationId,
    /// Whom it invites.
    pub talent: Talent,
    /// The address that it was sent to.
    pub recipient: EmailAddress,
}

/// What an invitation brings: one of both, never neither.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// An offer of work.
    Contract(ContractTerms),
    /// A place in a talent cloud.
    TalentCloud(TalentCloud),
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

    /// Which open invitation a token belongs to, and whom it invites where. Looking does not consume it.
    ///
    /// # Errors
    /// [`Error::NoOpenInvitation`] for every token that opens nothing.
    pub async fn look_up(&self, token: &Token) -> Result<Invited, Error> {
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
        let mut fields = Fields::new();
        let id = fields.id("invitation.id", &invitation.id);
        let talent = talent_of(&mut fields, &invitation);
        let recipient = fields.email("invitation.recipient_email", &invitation.recipient_email);
        let (Some(id), Some(talent), Some(recipient)) = (id, talent, recipient) else {
            return Err(Error::InvitationUnreadable(fields.into()));
        };
        Ok(Invited { id, talent, recipient })
    }

    /// The oldest open invitation of a verified address, of those with an offer if there is one among the first of them.
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
        let mut first = None;
        for _ in 0..LOOKED_AT {
            let answer = self.0.clone().list_open_invitations(request.clone()).await;
            let answer = answer.map_err(refusal)?.into_inner();
            let Some(invitation) = answer.invitations.into_iter().next() else {
                break;
            };
            let invitation = open_invitation(invitation).map_err(Error::InvitationUnreadable)?;
            if invitation.terms().is_some() {
                return Ok(Some(invitation));
            }
            first = first.or(Some(invitation));
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        Ok(first)
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
                let talent = self.talent_of(acceptance.invitation_id).await?;
                expect_agency_name(talent, acceptance.agency_name.as_ref())?;
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
        accepted_invitation(answer).map_err(Error::InvitationUnreadable)
    }

    async fn talent_of(&self, id: InvitationId) -> Result<Talent, Error> {
        let request = GetInvitationRequest {
            invitation_id: id.to_string(),
        };
        let answer = self.0.clone().get_invitation(request).await;
        let invitation = answer.map_err(refusal)?.into_inner().invitation.unwrap_or_default();
        let mut fields = Fields::new();
        talent_of(&mut fields, &invitation).ok_or_else(|| Error::InvitationUnreadable(fields.into()))
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

/// An agency needs a name when it accepts [B30]; a freelancer has none.
///
/// # Errors
/// [`Error::AgencyNameRequired`] and [`Error::NotAnAgency`].
pub(super) fn expect_agency_name(talent: Talent, name: Option<&String>) -> Result<(), Error> {
    match (talent, name) {
        (Talent::Agency, None) => Err(Error::AgencyNameRequired),
        (Talent::Freelancer, Some(_)) => Err(Error::NotAnAgency),
        (Talent::Agency, Some(_)) | (Talent::Freelancer, None) => Ok(()),
    }
}

impl Content {
    /// The terms, if it is an offer.
    #[must_use]
    pub const fn terms(&self) -> Option<&ContractTerms> {
        match self {
            Self::Contract(terms) => Some(terms),
            Self::TalentCloud(_) => None,
        }
    }

    /// The talent cloud, if it is a place in one.
    #[must_use]
    pub const fn cloud(&self) -> Option<&TalentCloud> {
        match self {
            Self::TalentCloud(cloud) => Some(cloud),
            Self::Contract(_) => None,
        }
    }
}

fn talent_of(fields: &mut Fields, invitation: &Invitation) -> Option<Talent> {
    match invitation.talent_type() {
        TalentType::Freelancer => Some(Talent::Freelancer),
        TalentType::Agency => Some(Talent::Agency),
        TalentType::Unspecified => {
            fields.refuse("invitation.talent_type", "REQUIRED", "is required");
            None
        }
    }
}

/// The terms were checked when the client sent them; here they only have to be there, with a way of paying.
fn content_of(fields: &mut Fields, content: Option<WireContent>) -> Option<Content> {
    match content {
        Some(WireContent::ContractTerms(terms)) if terms.pay.is_some() => Some(Content::Contract(terms)),
        Some(WireContent::TalentCloud(cloud)) => {
            let (id, name) = (fields.id("invitation.talent_cloud.id", &cloud.id)?, cloud.name);
            Some(Content::TalentCloud(TalentCloud { id, name }))
        }
        Some(WireContent::ContractTerms(_)) | None => {
            fields.refuse("invitation.content", "REQUIRED", "is required");
            None
        }
    }
}

fn open_invitation(invitation: Invitation) -> Result<OpenInvitation, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("invitation.id", &invitation.id);
    let expires_at = fields.time("invitation.expire_time", invitation.expire_time.as_ref());
    let talent = talent_of(&mut fields, &invitation);
    let content = content_of(&mut fields, invitation.content);
    let (Some(id), Some(expires_at), Some(talent), Some(content)) = (id, expires_at, talent, content) else {
        return Err(fields.into());
    };
    fields.finish(OpenInvitation {
        id,
        company_name: invitation.company_name,
        talent,
        content,
        expires_at,
    })
}

fn accepted_invitation(answer: AcceptInvitationResponse) -> Result<AcceptedInvitation, Violations> {
    let mut fields = Fields::new();
    let plan = plan_of(&mut fields, answer.client_plan());
    let invitation = answer.invitation.unwrap_or_default();
    let id = fields.id("invitation.id", &invitation.id);
    let recipient = fields.email("invitation.recipient_email", &invitation.recipient_email);
    let accepted_at = fields.time("invitation.accept_time", invitation.accept_time.as_ref());
    let talent = talent_of(&mut fields, &invitation);
    let client = plan.and_then(|plan| client_of(&mut fields, &invitation, plan));
    let content = content_of(&mut fields, invitation.content);
    let (Some(id), Some(client), Some(recipient)) = (id, client, recipient) else {
        return Err(fields.into());
    };
    let (Some(accepted_at), Some(talent), Some(content)) = (accepted_at, talent, content) else {
        return Err(fields.into());
    };
    fields.finish(AcceptedInvitation {
        id,
        client,
        recipient,
        accepted_at,
        talent,
        content,
    })
}

fn client_of(fields: &mut Fields, invitation: &Invitation, plan: Plan) -> Option<Client> {
    let id = fields.id("invitation.client_id", &invitation.client_id);
    let HiringManager {
        display_name, email, ..
    } = invitation.hiring_manager.clone().unwrap_or_default();
    let email = fields.email("invitation.hiring_manager.email", &email);
    let (id, email) = id.zip(email)?;
    Some(Client {
        id,
        company_name: invitation.company_name.clone(),
        plan,
        hiring_manager: Manager { display_name, email },
    })
}

fn plan_of(fields: &mut Fields, plan: WirePlan) -> Option<Plan> {
    match plan {
        WirePlan::Basic => Some(Plan::Basic),
        WirePlan::BusinessPlus => Some(Plan::BusinessPlus),
        WirePlan::Enterprise => Some(Plan::Enterprise),
        WirePlan::Unspecified => {
            fields.refuse("client_plan", "REQUIRED", "is required");
            None
        }
    }
}
