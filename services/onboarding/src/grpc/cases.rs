//! `vouch.onboarding.v1.CaseService`.

use tonic::{Code, Request, Response, Status};
use vouch_primitives::CaseId;
use vouch_proto::onboarding::v1::{self as pb, case_service_server::CaseService};
use vouch_runtime::{
    access::Caller,
    grpc::{parse_mutation, parse_query, status},
};

use super::convert::{Id, ListNotes};
use crate::{
    app::{
        App,
        acceptances::OpenCase,
        agencies::{AcceptAgencyInvitation, ResendAgencyInvitation},
        cases::{LeaveProfile, ListCases},
        home::GetHome,
        offers::{AcceptOffer, ChangeOffer, DeclineOffer, ReviewContract},
        rooms::PostNote,
    },
    domain::Author,
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Cases(pub App);

#[tonic::async_trait]
impl CaseService for Cases {
    async fn get_home(&self, request: Request<pb::GetHomeRequest>) -> Result<Response<pb::GetHomeResponse>, Status> {
        let query: GetHome = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.get_home(&query).await?.into()))
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

    async fn list_cases(
        &self,
        request: Request<pb::ListCasesRequest>,
    ) -> Result<Response<pb::ListCasesResponse>, Status> {
        let query: ListCases = parse_query(&self.0, request).await?;
        let listed = self.0.list_cases(&query).await?;
        let (cases, next_page_token) = listed.messages(|file| file.case.id, pb::Case::from);
        Ok(Response::new(pb::ListCasesResponse { cases, next_page_token }))
    }

    async fn leave_profile(
        &self,
        request: Request<pb::LeaveProfileRequest>,
    ) -> Result<Response<pb::LeaveProfileResponse>, Status> {
        let (key, command) = parse_mutation::<_, LeaveProfile>(&self.0, request).await?;
        Ok(Response::new(self.0.leave_profile(&key, &command).await?))
    }

    async fn accept_agency_invitation(
        &self,
        request: Request<pb::AcceptAgencyInvitationRequest>,
    ) -> Result<Response<pb::AcceptAgencyInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, AcceptAgencyInvitation>(&self.0, request).await?;
        Ok(Response::new(self.0.accept_agency_invitation(&key, &command).await?))
    }

    async fn resend_agency_invitation(
        &self,
        request: Request<pb::ResendAgencyInvitationRequest>,
    ) -> Result<Response<pb::ResendAgencyInvitationResponse>, Status> {
        let (key, command) = parse_mutation::<_, ResendAgencyInvitation>(&self.0, request).await?;
        Ok(Response::new(self.0.resend_agency_invitation(&key, &command).await?))
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

    async fn change_offer(
        &self,
        request: Request<pb::ChangeOfferRequest>,
    ) -> Result<Response<pb::ChangeOfferResponse>, Status> {
        let (key, command) = parse_mutation::<_, ChangeOffer>(&self.0, request).await?;
        Ok(Response::new(self.0.change_offer(&key, &command).await?))
    }

    async fn decline_offer(
        &self,
        request: Request<pb::DeclineOfferRequest>,
    ) -> Result<Response<pb::DeclineOfferResponse>, Status> {
        let (key, command) = parse_mutation::<_, DeclineOffer>(&self.0, request).await?;
        Ok(Response::new(self.0.decline_offer(&key, &command).await?))
    }

    async fn post_note(&self, request: Request<pb::PostNoteRequest>) -> Result<Response<pb::PostNoteResponse>, Status> {
        let caller = Caller::of(&request);
        let (key, command) = parse_mutation::<_, PostNote>(&self.0, request).await?;
        let author = match caller {
            Caller::Person(id) => Author::Talent(id),
            Caller::Client(id) => Author::Client(id),
            Caller::Operator(_) | Caller::Service(_) | Caller::Anybody => {
                let (code, reason) = (Code::PermissionDenied, status::CALLER_NOT_ALLOWED);
                return Err(status::with_reason(
                    code,
                    reason,
                    "notes are written by talent and client",
                ));
            }
        };
        Ok(Response::new(self.0.post_note(&key, &command, author).await?))
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
