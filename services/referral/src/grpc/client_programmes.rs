//! `vouch.referral.v1.ClientProgrammeService`.

use tonic::{Request, Response, Status};
use vouch_proto::referral::v1::{self as pb, client_programme_service_server};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::client_programmes as convert;
use crate::app::{App, client_programmes::OpenProgramme};

/// Programmes of clients [R32].
#[derive(Clone, Debug)]
pub struct ClientProgrammes(pub App);

#[tonic::async_trait]
impl client_programme_service_server::ClientProgrammeService for ClientProgrammes {
    async fn open_client_programme(
        &self,
        request: Request<pb::OpenClientProgrammeRequest>,
    ) -> Result<Response<pb::OpenClientProgrammeResponse>, Status> {
        let (key, command): (_, OpenProgramme) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.open_programme(key, command).await?))
    }

    async fn raise_budget(
        &self,
        request: Request<pb::RaiseBudgetRequest>,
    ) -> Result<Response<pb::RaiseBudgetResponse>, Status> {
        let (key, convert::Raise { programme, by }) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.raise_budget(key, programme, by).await?))
    }

    async fn close_client_programme(
        &self,
        request: Request<pb::CloseClientProgrammeRequest>,
    ) -> Result<Response<pb::CloseClientProgrammeResponse>, Status> {
        let (key, convert::Close(programme)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.close_programme(key, programme).await?))
    }

    async fn list_client_programmes(
        &self,
        request: Request<pb::ListClientProgrammesRequest>,
    ) -> Result<Response<pb::ListClientProgrammesResponse>, Status> {
        let convert::ProgrammePage { client, page } = parse_query(&self.0, request).await?;
        let listed = self.0.programmes(client, &page).await?;
        Ok(Response::new(pb::ListClientProgrammesResponse {
            next_page_token: listed.next_page_token(),
            programmes: listed.items,
        }))
    }
}
