//! `vouch.referral.v1.ProgrammeService`.

use tonic::{Request, Response, Status};
use vouch_proto::referral::v1::{self as pb, programme_service_server};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::programme as convert;
use crate::app::{App, terms};

/// The programme itself.
#[derive(Clone, Debug)]
pub struct ProgrammeService(App);

impl ProgrammeService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl programme_service_server::ProgrammeService for ProgrammeService {
    async fn publish_terms(
        &self,
        request: Request<pb::PublishTermsRequest>,
    ) -> Result<Response<pb::PublishTermsResponse>, Status> {
        let (key, convert::Publish(terms)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.publish_terms(key, terms).await?))
    }

    async fn list_terms(
        &self,
        request: Request<pb::ListTermsRequest>,
    ) -> Result<Response<pb::ListTermsResponse>, Status> {
        let convert::TermsPage(page) = parse_query(&self.0, request).await?;
        let listed = self.0.list_terms(&page).await?;
        Ok(Response::new(pb::ListTermsResponse {
            next_page_token: listed.next_page_token(),
            terms: listed.items.iter().map(terms::to_wire).collect(),
        }))
    }

    async fn compare_terms(
        &self,
        request: Request<pb::CompareTermsRequest>,
    ) -> Result<Response<pb::CompareTermsResponse>, Status> {
        let request = request.into_inner();
        let compared = self.0.compare_terms(request.from_version, request.to_version).await?;
        Ok(Response::new(compared))
    }

    async fn migrate_attribution(
        &self,
        request: Request<pb::MigrateAttributionRequest>,
    ) -> Result<Response<pb::MigrateAttributionResponse>, Status> {
        let (key, command): (_, convert::Migrate) = parse_mutation(&self.0, request).await?;
        let convert::Migrate {
            attribution,
            version,
            consent,
        } = command;
        let migrated = self.0.migrate_attribution(key, attribution, version, &consent).await?;
        Ok(Response::new(migrated))
    }

    async fn introduce(
        &self,
        request: Request<pb::IntroduceRequest>,
    ) -> Result<Response<pb::IntroduceResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.introduce(key, command).await?))
    }

    async fn list_introductions(
        &self,
        request: Request<pb::ListIntroductionsRequest>,
    ) -> Result<Response<pb::ListIntroductionsResponse>, Status> {
        let query: convert::IntroductionPage = parse_query(&self.0, request).await?;
        let listed = self.0.introductions(query.referrer, &query.ties()).await?;
        Ok(Response::new(pb::ListIntroductionsResponse {
            next_page_token: listed.next_page_token(),
            introductions: listed.items,
        }))
    }

    async fn suspend_referrer(
        &self,
        request: Request<pb::SuspendReferrerRequest>,
    ) -> Result<Response<pb::SuspendReferrerResponse>, Status> {
        let (key, command): (_, convert::Stand) = parse_mutation(&self.0, request).await?;
        let suspended = self
            .0
            .suspend(key, command.referrer, command.from, &command.reason)
            .await?;
        Ok(Response::new(suspended))
    }

    async fn reinstate_referrer(
        &self,
        request: Request<pb::ReinstateReferrerRequest>,
    ) -> Result<Response<pb::ReinstateReferrerResponse>, Status> {
        let (key, command): (_, convert::Stand) = parse_mutation(&self.0, request).await?;
        let reinstated = self
            .0
            .reinstate(key, command.referrer, command.from, &command.reason)
            .await?;
        Ok(Response::new(reinstated))
    }

    async fn relate_parties(
        &self,
        request: Request<pb::RelatePartiesRequest>,
    ) -> Result<Response<pb::RelatePartiesResponse>, Status> {
        let (key, command): (_, convert::Relate) = parse_mutation(&self.0, request).await?;
        let related = self
            .0
            .relate(key, command.person, command.client, &command.reason)
            .await?;
        Ok(Response::new(related))
    }

    async fn explain_earning(
        &self,
        request: Request<pb::ExplainEarningRequest>,
    ) -> Result<Response<pb::ExplainEarningResponse>, Status> {
        let convert::ExplainEarning { referrer, earning } = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.explain_earning(referrer, earning).await?))
    }
}
