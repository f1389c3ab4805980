//! `vouch.referral.v1.ScreeningService`.

use tonic::{Request, Response, Status};
use vouch_proto::{
    convert::to_wire_time,
    referral::v1::{self as pb, screening_service_server},
};
use vouch_runtime::{
    access::Caller,
    grpc::{parse_mutation, parse_query},
};

use super::convert::screening as convert;
use crate::app::{App, screening_cases as wire};

/// Screening.
#[derive(Clone, Debug)]
pub struct ScreeningService(App);

impl ScreeningService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl screening_service_server::ScreeningService for ScreeningService {
    async fn get_screening(
        &self,
        request: Request<pb::GetScreeningRequest>,
    ) -> Result<Response<pb::GetScreeningResponse>, Status> {
        let convert::CaseOf(person) = parse_query(&self.0, request).await?;
        let case = self.0.screening(person).await?;
        Ok(Response::new(pb::GetScreeningResponse {
            state: i32::from(wire::state_to_wire(case.state)),
            decide_time: case.decided_at.map(to_wire_time),
        }))
    }

    async fn list_screening_cases(
        &self,
        request: Request<pb::ListScreeningCasesRequest>,
    ) -> Result<Response<pb::ListScreeningCasesResponse>, Status> {
        let convert::CasePage { states, page } = parse_query(&self.0, request).await?;
        let listed = self.0.screening_cases(&states, &page).await?;
        Ok(Response::new(pb::ListScreeningCasesResponse {
            next_page_token: listed.next_page_token(),
            cases: listed.items.iter().map(wire::to_wire).collect(),
        }))
    }

    async fn claim_screening_case(
        &self,
        request: Request<pb::ClaimScreeningCaseRequest>,
    ) -> Result<Response<pb::ClaimScreeningCaseResponse>, Status> {
        let operator = Caller::of(&request).to_string();
        let (key, convert::CaseOf(person)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.claim_case(key, person, &operator).await?))
    }

    async fn pass_screening_case(
        &self,
        request: Request<pb::PassScreeningCaseRequest>,
    ) -> Result<Response<pb::PassScreeningCaseResponse>, Status> {
        let operator = Caller::of(&request).to_string();
        let (key, convert::Decide { person, reason }) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(
            self.0.pass_case(key, person, (&operator, &reason)).await?,
        ))
    }

    async fn reject_screening_case(
        &self,
        request: Request<pb::RejectScreeningCaseRequest>,
    ) -> Result<Response<pb::RejectScreeningCaseResponse>, Status> {
        let operator = Caller::of(&request).to_string();
        let (key, convert::Decide { person, reason }) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(
            self.0.reject_case(key, person, (&operator, &reason)).await?,
        ))
    }

    async fn appeal_screening(
        &self,
        request: Request<pb::AppealScreeningRequest>,
    ) -> Result<Response<pb::AppealScreeningResponse>, Status> {
        let (key, convert::Appeal { attribution, message }) = parse_mutation(&self.0, request).await?;
        let appealed = self.0.appeal_screening(key, attribution.as_uuid(), &message).await?;
        Ok(Response::new(appealed))
    }

    async fn list_screening_rules(
        &self,
        _: Request<pb::ListScreeningRulesRequest>,
    ) -> Result<Response<pb::ListScreeningRulesResponse>, Status> {
        let rules = self.0.screening_rules().await?;
        Ok(Response::new(pb::ListScreeningRulesResponse {
            rules: rules.iter().map(wire::rule_to_wire).collect(),
        }))
    }

    async fn set_screening_rule(
        &self,
        request: Request<pb::SetScreeningRuleRequest>,
    ) -> Result<Response<pb::SetScreeningRuleResponse>, Status> {
        let (key, convert::SetRule(rule)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.set_screening_rule(key, rule).await?))
    }
}
