//! `vouch.referral.v1.ReferralInvitationService`.

use tonic::{Request, Response, Status};
use vouch_mail::Token;
use vouch_primitives::{ClientId, ReferralInvitationId, ReferrerId};
use vouch_proto::{
    Fields, Page, Violations,
    referral::v1::{self as pb, referral_invitation_service_server},
};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::{
    app::{App, inviting::InviteFriend},
    domain::{ReferralKind, Words},
};

/// `vouch.referral.v1.ReferralInvitationService`.
#[derive(Clone, Debug)]
pub struct Invitations(pub App);

/// Which page of whose invitations.
struct InvitationPage {
    referrer: ReferrerId,
    page: Page<ReferralInvitationId>,
}

/// A token as it stands in a link.
struct Sent(Token);

#[tonic::async_trait]
impl referral_invitation_service_server::ReferralInvitationService for Invitations {
    async fn invite_friend(
        &self,
        request: Request<pb::InviteFriendRequest>,
    ) -> Result<Response<pb::InviteFriendResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.invite_friend(&key, &command).await?))
    }

    async fn list_referral_invitations(
        &self,
        request: Request<pb::ListReferralInvitationsRequest>,
    ) -> Result<Response<pb::ListReferralInvitationsResponse>, Status> {
        let InvitationPage { referrer, page } = parse_query(&self.0, request).await?;
        let listed = self.0.invitations(referrer, &page).await?;
        Ok(Response::new(pb::ListReferralInvitationsResponse {
            next_page_token: listed.next_page_token(),
            invitations: listed.items,
        }))
    }

    async fn open_referral_invitation(
        &self,
        request: Request<pb::OpenReferralInvitationRequest>,
    ) -> Result<Response<pb::OpenReferralInvitationResponse>, Status> {
        let (_, Sent(token)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.open_invitation(&token).await?))
    }

    async fn accept_referral_invitation(
        &self,
        request: Request<pb::AcceptReferralInvitationRequest>,
    ) -> Result<Response<pb::AcceptReferralInvitationResponse>, Status> {
        let (key, Sent(token)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.accept_invitation(&key, &token).await?))
    }

    async fn decline_referral_invitation(
        &self,
        request: Request<pb::DeclineReferralInvitationRequest>,
    ) -> Result<Response<pb::DeclineReferralInvitationResponse>, Status> {
        let (key, Sent(token)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.decline_invitation(&key, &token).await?))
    }

    async fn unsubscribe_from_referrals(
        &self,
        request: Request<pb::UnsubscribeFromReferralsRequest>,
    ) -> Result<Response<pb::UnsubscribeFromReferralsResponse>, Status> {
        let (key, Sent(token)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.unsubscribe(&key, &token).await?))
    }
}

impl TryFrom<pb::InviteFriendRequest> for InviteFriend {
    type Error = Violations;

    fn try_from(request: pb::InviteFriendRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let email = fields.email("recipient_email", &request.recipient_email);
        let recipient_name = fields.line("recipient_name", &request.recipient_name, 1..=100);
        let referrer_name = fields.line("referrer_name", &request.referrer_name, 1..=100);
        let referrer_contact = fields.line("referrer_contact", &request.referrer_contact, 1..=200);
        let job = fields.line("job", &request.job, 1..=100);
        let message = fields.text("message", &request.message, 1..=2_000);
        let aim = aim(&mut fields, &request);
        let (Some(referrer), Some(email), Some(recipient_name)) = (referrer, email, recipient_name) else {
            return Err(fields.into());
        };
        let (Some(referrer_name), Some(referrer_contact), Some(job), Some(message), Some((kind, client))) =
            (referrer_name, referrer_contact, job, message, aim)
        else {
            return Err(fields.into());
        };
        let words = Words {
            email,
            recipient_name,
            referrer_name,
            referrer_contact,
            job,
            message,
        };
        fields.finish(Self {
            referrer,
            kind,
            client,
            words,
        })
    }
}

/// Which type of referral it is to be, and to which client.
fn aim(fields: &mut Fields, request: &pb::InviteFriendRequest) -> Option<(ReferralKind, Option<ClientId>)> {
    let kind = match request.kind() {
        pb::ReferralKind::Unspecified | pb::ReferralKind::Friend => {
            if !request.client_id.is_empty() {
                fields.refuse("client_id", "NOT_ASKED_FOR", "must be empty for a friend");
            }
            return Some((ReferralKind::Friend, None));
        }
        pb::ReferralKind::Freelancer => ReferralKind::Freelancer,
        pb::ReferralKind::ClientIntroduction => ReferralKind::ClientIntroduction,
        pb::ReferralKind::ThirdPartySite | pb::ReferralKind::Affiliate | pb::ReferralKind::Agency => {
            fields.refuse("kind", "OUT_OF_RANGE", "is not a type that begins with a letter");
            return None;
        }
    };
    fields
        .id("client_id", &request.client_id)
        .map(|client| (kind, Some(client)))
}

impl TryFrom<pb::ListReferralInvitationsRequest> for InvitationPage {
    type Error = Violations;

    fn try_from(request: pb::ListReferralInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(referrer), Some(page)) = (referrer, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, page })
    }
}

impl TryFrom<pb::OpenReferralInvitationRequest> for Sent {
    type Error = Violations;

    fn try_from(request: pb::OpenReferralInvitationRequest) -> Result<Self, Violations> {
        sent(&request.token)
    }
}

impl TryFrom<pb::AcceptReferralInvitationRequest> for Sent {
    type Error = Violations;

    fn try_from(request: pb::AcceptReferralInvitationRequest) -> Result<Self, Violations> {
        sent(&request.token)
    }
}

impl TryFrom<pb::DeclineReferralInvitationRequest> for Sent {
    type Error = Violations;

    fn try_from(request: pb::DeclineReferralInvitationRequest) -> Result<Self, Violations> {
        sent(&request.token)
    }
}

impl TryFrom<pb::UnsubscribeFromReferralsRequest> for Sent {
    type Error = Violations;

    fn try_from(request: pb::UnsubscribeFromReferralsRequest) -> Result<Self, Violations> {
        sent(&request.token)
    }
}

fn sent(token: &str) -> Result<Sent, Violations> {
    let mut fields = Fields::new();
    match fields.line("token", token, 1..=200) {
        Some(token) => fields.finish(Sent(Token::from_link(token))),
        None => Err(fields.into()),
    }
}
