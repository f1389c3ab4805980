//! `vouch.onboarding.v1.CaseService`.

use tonic::{Request, Response, Status};
use vouch_primitives::{CaseId, PersonId};
use vouch_proto::onboarding::v1::{self as pb, case_service_server::CaseService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Id, ListNotes};
use crate::app::{
    App,
    acceptances::OpenCase,
    cases::{AcceptOffer, DeclineOffer, ReviewContract},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Cases(pub App);

#[tonic::async_trait]
impl CaseService for Cases {
    async fn get_home(&self, request: Request<pb::GetHomeRequest>) -> Result<Response<pb::GetHomeResponse>, Status> {
        let Id::<PersonId>(id) = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.get_home(id).await?.into()))
    }

    async fn open_case(&self, request: Request<pb::OpenCaseRequest>) -> Result<Response<pb::OpenCaseResponse>, Status> {
        let (key, command) = parse_mutation::<_, OpenCase>(&self.0, request).await?;
        Ok(Response::new(self.0.open_case(&key, &command).await?))
    }

    async fn get_case(&self, request: Request<pb::GetCaseRequest>) -> Result<Response<pb::GetCaseResponse>, Status> {
        let Id::<CaseId>(id) = parse_query(&self.0, request).await?;
        let case = Some(self.0.get_case(id).await?.into());
        Ok(Response::new(pb::GetCaseResponse { case }))
    }

    async fn review_contract(
        &self,
        request: Request<pb::ReviewContractRequest>,
    ) -> Result<Response<pb::ReviewContractResponse>, Status> {
        let (key, command) = parse_mutation::<_, ReviewContract>(&self.0, request).await?;
        Ok(Response::new(self.0.review_contract(&key, &command).await?))
    }

    async fn accept_offer(
        &self,
        request: Request<pb::AcceptOfferRequest>,
    ) -> Result<Response<pb::AcceptOfferResponse>, Status> {
        let (key, command) = parse_mutation::<_, AcceptOffer>(&self.0, request).await?;
        Ok(Response::new(self.0.accept_offer(&key, &command).await?))
    }

    async fn decline_offer(
        &self,
        request: Request<pb::DeclineOfferRequest>,
    ) -> Result<Response<pb::DeclineOfferResponse>, Status> {
        let (key, command) = parse_mutation::<_, DeclineOffer>(&self.0, request).await?;
        Ok(Response::new(self.0.decline_offer(&key, &command).await?))
    }

    async fn list_notes(
        &self,
        request: Request<pb::ListNotesRequest>,
    ) -> Result<Response<pb::ListNotesResponse>, Status> {
        let ListNotes { room_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_notes(room_id, &page).await?;
        Ok(Response::new(pb::ListNotesResponse {
            next_page_token: listed.next_page_token(),
            notes: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
