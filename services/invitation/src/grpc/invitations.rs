//! `vouch.invitation.v1.InvitationService`.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};
use vouch_primitives::InvitationId;
use vouch_proto::invitation::v1::{self as pb, invitation_service_server::InvitationService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::{
    convert::{CountInvitations, Id, ListOpenInvitations, SentToken, WatchInvitations, counts},
    imports, watching,
};
use crate::app::{
    App,
    acceptance::AcceptInvitation,
    changes::DeclineInvitation,
    invitations::ListInvitations,
    sending::{SendInvitation, SendInvitations},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Invitations {
    app: App,
    imports: Arc<Semaphore>,
    watches: watching::Watches,
}

impl Invitations {
    /// The service on these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            app,
            imports: Arc::new(Semaphore::new(imports::IMPORTS)),
            watches: watching::Watches::default(),
        }
    }
}

#[tonic::async_trait]
impl InvitationService for Invitations {
    type ImportInvitationsStream = imports::Progress;

    async fn import_invitations(
        &self,
        request: Request<Streaming<pb::ImportInvitationsRequest>>,
    ) -> Result<Response<imports::Progress>, Status> {
        Ok(Response::new(imports::begin(&self.app, &self.imports, request).await?))
    }

    async fn send_invitation(
        &self,
        request: Request<pb::SendInvitationRequest>,
    ) -> Result<Response<pb::SendInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, SendInvitation>(&self.app, request).await?;
        Ok(Response::new(self.app.send_invitation(&key, &command).await?))
    }

    async fn send_invitations(
        &self,
        request: Request<pb::SendInvitationsRequest>,
    ) -> Result<Response<pb::SendInvitationsResponse>, Status> {
        let (key, command) = parse_mutation::<_, SendInvitations>(&self.app, request).await?;
        Ok(Response::new(self.app.send_invitations(&key, &command).await?))
    }

    async fn get_invitation(
        &self,
        request: Request<pb::GetInvitationRequest>,
    ) -> Result<Response<pb::GetInvitationResponse>, Status> {
        let Id::<InvitationId>(id) = parse_query(&self.app, request).await?;
        let invitation = Some(self.app.get_invitation(id).await?.into());
        Ok(Response::new(pb::GetInvitationResponse { invitation }))
    }

    async fn resend_invitation(
        &self,
        request: Request<pb::ResendInvitationRequest>,
    ) -> Result<Response<pb::ResendInvitationResponse>, Status> {
        let (key, Id::<InvitationId>(id)) = parse_mutation(&self.app, request).await?;
        Ok(Response::new(self.app.resend_invitation(&key, id).await?))
    }

    async fn withdraw_invitation(
        &self,
        request: Request<pb::WithdrawInvitationRequest>,
    ) -> Result<Response<pb::WithdrawInvitationResponse>, Status> {
        let (key, Id::<InvitationId>(id)) = parse_mutation(&self.app, request).await?;
        Ok(Response::new(self.app.withdraw_invitation(&key, id).await?))
    }

    async fn decline_invitation(
        &self,
        request: Request<pb::DeclineInvitationRequest>,
    ) -> Result<Response<pb::DeclineInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, DeclineInvitation>(&self.app, request).await?;
        Ok(Response::new(self.app.decline_invitation(&key, &command).await?))
    }

    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Result<Response<pb::ListInvitationsResponse>, Status> {
        let query: ListInvitations = parse_query(&self.app, request).await?;
        let listed = self.app.list_invitations(&query).await?;
        Ok(Response::new(pb::ListInvitationsResponse {
            next_page_token: listed.next_page_token(),
            invitations: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    type WatchInvitationsStream = watching::Changes;

    async fn watch_invitations(
        &self,
        request: Request<pb::WatchInvitationsRequest>,
    ) -> Result<Response<watching::Changes>, Status> {
        let WatchInvitations { client_id, seen } = parse_query(&self.app, request).await?;
        self.app.get_client(client_id).await?;
        let changes = watching::begin(self.app.clone(), &self.watches, client_id, seen)?;
        Ok(Response::new(changes))
    }

    async fn count_invitations(
        &self,
        request: Request<pb::CountInvitationsRequest>,
    ) -> Result<Response<pb::CountInvitationsResponse>, Status> {
        let CountInvitations { client_id, filter } = parse_query(&self.app, request).await?;
        let counted = self.app.count_invitations(client_id, &filter).await?;
        Ok(Response::new(counts(&counted)))
    }

    async fn look_up_invitation(
        &self,
        request: Request<pb::LookUpInvitationRequest>,
    ) -> Result<Response<pb::LookUpInvitationResponse>, Status> {
        let SentToken(token) = parse_query(&self.app, request).await?;
        let invitation = Some(self.app.look_up_invitation(&token).await?.into());
        Ok(Response::new(pb::LookUpInvitationResponse { invitation }))
    }

    async fn list_open_invitations(
        &self,
        request: Request<pb::ListOpenInvitationsRequest>,
    ) -> Result<Response<pb::ListOpenInvitationsResponse>, Status> {
        let ListOpenInvitations { verified_email, page } = parse_query(&self.app, request).await?;
        let listed = self.app.list_open_invitations(&verified_email, &page).await?;
        Ok(Response::new(pb::ListOpenInvitationsResponse {
            next_page_token: listed.next_page_token(),
            invitations: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Result<Response<pb::AcceptInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, AcceptInvitation>(&self.app, request).await?;
        Ok(Response::new(self.app.accept_invitation(&key, &command).await?))
    }
}
