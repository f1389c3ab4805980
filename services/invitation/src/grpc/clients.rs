//! `vouch.invitation.v1.ClientService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ClientId;
use vouch_proto::invitation::v1::{self as pb, client_service_server::ClientService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::Id;
use crate::{app::App, app::clients::CreateClient};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Clients(pub App);

#[tonic::async_trait]
impl ClientService for Clients {
    async fn create_client(
        &self,
        request: Request<pb::CreateClientRequest>,
    ) -> Result<Response<pb::CreateClientResponse>, Status> {
        let (key, command) = parse_mutation::<_, CreateClient>(&self.0, request).await?;
        Ok(Response::new(self.0.create_client(&key, &command).await?))
    }

    async fn get_client(
        &self,
        request: Request<pb::GetClientRequest>,
    ) -> Result<Response<pb::GetClientResponse>, Status> {
        let Id::<ClientId>(id) = parse_query(&self.0, request).await?;
        let client = self.0.get_client(id).await?;
        Ok(Response::new(pb::GetClientResponse {
            client: Some(client.into()),
        }))
    }
}
