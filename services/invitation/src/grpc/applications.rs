//! `vouch.invitation.v1.ApplicationService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ApplicationId;
use vouch_proto::{
    Listed,
    invitation::v1::{self as pb, application_service_server::ApplicationService},
};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::Id;
use crate::{
    app::{
        App,
        applications::{Apply, DeclineApplication, ListApplications, OfferToApplicant},
    },
    domain::Application,
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Applications(pub App);

impl Applications {
    async fn list(&self, query: &ListApplications) -> Result<(Vec<Application>, String), Status> {
        let listed: Listed<_, ApplicationId> = self.0.list_applications(query).await?;
        let next = listed.next_page_token();
        Ok((listed.items, next))
    }
}

#[tonic::async_trait]
impl ApplicationService for Applications {
    async fn apply(&self, request: Request<pb::ApplyRequest>) -> Result<Response<pb::ApplyResponse>, Status> {
        let (key, command) = parse_mutation::<_, Apply>(&self.0, request).await?;
        Ok(Response::new(self.0.apply(&key, &command).await?))
    }

    async fn get_application(
        &self,
        request: Request<pb::GetApplicationRequest>,
    ) -> Result<Response<pb::GetApplicationResponse>, Status> {
        let Id::<ApplicationId>(id) = parse_query(&self.0, request).await?;
        let application = Some(self.0.get_application(id).await?.into());
        Ok(Response::new(pb::GetApplicationResponse { application }))
    }

    async fn withdraw_application(
        &self,
        request: Request<pb::WithdrawApplicationRequest>,
    ) -> Result<Response<pb::WithdrawApplicationResponse>, Status> {
        let (key, Id::<ApplicationId>(id)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.withdraw_application(&key, id).await?))
    }

    async fn decline_application(
        &self,
        request: Request<pb::DeclineApplicationRequest>,
    ) -> Result<Response<pb::DeclineApplicationResponse>, Status> {
        let (key, command) = parse_mutation::<_, DeclineApplication>(&self.0, request).await?;
        Ok(Response::new(self.0.decline_application(&key, &command).await?))
    }

    async fn offer_to_applicant(
        &self,
        request: Request<pb::OfferToApplicantRequest>,
    ) -> Result<Response<pb::OfferToApplicantResponse>, Status> {
        let (key, command) = parse_mutation::<_, OfferToApplicant>(&self.0, request).await?;
        Ok(Response::new(self.0.offer_to_applicant(&key, &command).await?))
    }

    async fn list_applications(
        &self,
        request: Request<pb::ListApplicationsRequest>,
    ) -> Result<Response<pb::ListApplicationsResponse>, Status> {
        let query: ListApplications = parse_query(&self.0, request).await?;
        let (applications, next_page_token) = self.list(&query).await?;
        Ok(Response::new(pb::ListApplicationsResponse {
            applications: applications.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn list_own_applications(
        &self,
        request: Request<pb::ListOwnApplicationsRequest>,
    ) -> Result<Response<pb::ListOwnApplicationsResponse>, Status> {
        let query: ListApplications = parse_query(&self.0, request).await?;
        let (applications, next_page_token) = self.list(&query).await?;
        Ok(Response::new(pb::ListOwnApplicationsResponse {
            applications: applications.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn list_referred_applications(
        &self,
        request: Request<pb::ListReferredApplicationsRequest>,
    ) -> Result<Response<pb::ListReferredApplicationsResponse>, Status> {
        let query: ListApplications = parse_query(&self.0, request).await?;
        let (applications, next_page_token) = self.list(&query).await?;
        Ok(Response::new(pb::ListReferredApplicationsResponse {
            applications: applications.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }
}
