//! `vouch.invitation.v1.InvitationService`.

use tonic::{Request, Response, Status};
use vouch_primitives::InvitationId;
use vouch_proto::invitation::v1::{self as pb, invitation_service_server::InvitationService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{CountInvitations, Id, ListOpenInvitations, SentToken, counts};
use crate::app::{
    App,
    acceptance::AcceptInvitation,
    changes::DeclineInvitation,
    invitations::{ListInvitations, SendInvitation},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Invitations(pub App);

#[tonic::async_trait]
impl InvitationService for Invitations {
    async fn send_invitation(
        &self,
        request: Request<pb::SendInvitationRequest>,
    ) -> Result<Response<pb::SendInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, SendInvitation>(&self.0, request).await?;
        Ok(Response::new(self.0.send_invitation(&key, &command).await?))
    }

    async fn get_invitation(
        &self,
        request: Request<pb::GetInvitationRequest>,
    ) -> Result<Response<pb::GetInvitationResponse>, Status> {
        let Id::<InvitationId>(id) = parse_query(&self.0, request).await?;
        let invitation = Some(self.0.get_invitation(id).await?.into());
        Ok(Response::new(pb::GetInvitationResponse { invitation }))
    }

    async fn resend_invitation(
        &self,
        request: Request<pb::ResendInvitationRequest>,
    ) -> Result<Response<pb::ResendInvitationResponse>, Status> {
        let (key, Id::<InvitationId>(id)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.resend_invitation(&key, id).await?))
    }

    async fn withdraw_invitation(
        &self,
        request: Request<pb::WithdrawInvitationRequest>,
    ) -> Result<Response<pb::WithdrawInvitationResponse>, Status> {
        let (key, Id::<InvitationId>(id)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.withdraw_invitation(&key, id).await?))
    }

    async fn decline_invitation(
        &self,
        request: Request<pb::DeclineInvitationRequest>,
    ) -> Result<Response<pb::DeclineInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, DeclineInvitation>(&self.0, request).await?;
        Ok(Response::new(self.0.decline_invitation(&key, &command).await?))
    }

    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Result<Response<pb::ListInvitationsResponse>, Status> {
        let query: ListInvitations = parse_query(&self.0, request).await?;
        let listed = self.0.list_invitations(&query).await?;
        Ok(Response::new(pb::ListInvitationsResponse {
            next_page_token: listed.next_page_token(),
            invitations: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn count_invitations(
        &self,
        request: Request<pb::CountInvitationsRequest>,
    ) -> Result<Response<pb::CountInvitationsResponse>, Status> {
        let CountInvitations { client_id, filter } = parse_query(&self.0, request).await?;
        let counted = self.0.count_invitations(client_id, &filter).await?;
        Ok(Response::new(counts(&counted)))
    }

    async fn look_up_invitation(
        &self,
        request: Request<pb::LookUpInvitationRequest>,
    ) -> Result<Response<pb::LookUpInvitationResponse>, Status> {
        let SentToken(token) = parse_query(&self.0, request).await?;
        let invitation = Some(self.0.look_up_invitation(&token).await?.into());
        Ok(Response::new(pb::LookUpInvitationResponse { invitation }))
    }

    async fn list_open_invitations(
        &self,
        request: Request<pb::ListOpenInvitationsRequest>,
    ) -> Result<Response<pb::ListOpenInvitationsResponse>, Status> {
        let ListOpenInvitations { verified_email, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_open_invitations(&verified_email, &page).await?;
        Ok(Response::new(pb::ListOpenInvitationsResponse {
            next_page_token: listed.next_page_token(),
            invitations: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Result<Response<pb::AcceptInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, AcceptInvitation>(&self.0, request).await?;
        Ok(Response::new(self.0.accept_invitation(&key, &command).await?))
    }
}
