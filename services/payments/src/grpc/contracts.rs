//! `vouch.payments.v1.ContractService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ContractId;
use vouch_proto::payments::v1::{self as pb, contract_service_server::ContractService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::{
    author,
    convert::{Id, ListContracts, ListMilestoneEvents},
};
use crate::app::{App, contract_changes::HaltContract};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Contracts(pub App);

#[tonic::async_trait]
impl ContractService for Contracts {
    async fn get_contract(
        &self,
        request: Request<pb::GetContractRequest>,
    ) -> Result<Response<pb::GetContractResponse>, Status> {
        let Id::<ContractId>(id) = parse_query(&self.0, request).await?;
        let contract = self.0.get_contract(id).await?;
        Ok(Response::new(pb::GetContractResponse {
            contract: Some(contract.into()),
        }))
    }

    async fn list_contracts(
        &self,
        request: Request<pb::ListContractsRequest>,
    ) -> Result<Response<pb::ListContractsResponse>, Status> {
        let ListContracts { party, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_contracts(party, page).await?;
        Ok(Response::new(pb::ListContractsResponse {
            next_page_token: listed.next_page_token(),
            contracts: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn create_milestone(
        &self,
        request: Request<pb::CreateMilestoneRequest>,
    ) -> Result<Response<pb::CreateMilestoneResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.create_milestone(&key, &command).await?))
    }

    async fn fund_milestone(
        &self,
        request: Request<pb::FundMilestoneRequest>,
    ) -> Result<Response<pb::FundMilestoneResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.fund_milestone(&key, command).await?))
    }

    async fn submit_milestone(
        &self,
        request: Request<pb::SubmitMilestoneRequest>,
    ) -> Result<Response<pb::SubmitMilestoneResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.submit_milestone(&key, &command).await?))
    }

    async fn approve_milestone(
        &self,
        request: Request<pb::ApproveMilestoneRequest>,
    ) -> Result<Response<pb::ApproveMilestoneResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.approve_milestone(&key, command).await?))
    }

    async fn pause_contract(
        &self,
        request: Request<pb::PauseContractRequest>,
    ) -> Result<Response<pb::PauseContractResponse>, Status> {
        let by = author(&request);
        let (key, command) = parse_mutation::<_, HaltContract>(&self.0, request).await?;
        Ok(Response::new(self.0.pause_contract(&key, &command, by).await?))
    }

    async fn resume_contract(
        &self,
        request: Request<pb::ResumeContractRequest>,
    ) -> Result<Response<pb::ResumeContractResponse>, Status> {
        let by = author(&request);
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.resume_contract(&key, command, by).await?))
    }

    async fn end_contract(
        &self,
        request: Request<pb::EndContractRequest>,
    ) -> Result<Response<pb::EndContractResponse>, Status> {
        let by = author(&request);
        let (key, command) = parse_mutation::<_, HaltContract>(&self.0, request).await?;
        Ok(Response::new(self.0.end_contract(&key, &command, by).await?))
    }

    async fn change_weekly_limit(
        &self,
        request: Request<pb::ChangeWeeklyLimitRequest>,
    ) -> Result<Response<pb::ChangeWeeklyLimitResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.change_weekly_limit(&key, command).await?))
    }

    async fn request_changes(
        &self,
        request: Request<pb::RequestChangesRequest>,
    ) -> Result<Response<pb::RequestChangesResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.request_changes(&key, &command).await?))
    }

    async fn cancel_milestone(
        &self,
        request: Request<pb::CancelMilestoneRequest>,
    ) -> Result<Response<pb::CancelMilestoneResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.cancel_milestone(&key, command).await?))
    }

    async fn refund_escrow(
        &self,
        request: Request<pb::RefundEscrowRequest>,
    ) -> Result<Response<pb::RefundEscrowResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.refund_escrow(&key, command).await?))
    }

    async fn list_milestone_events(
        &self,
        request: Request<pb::ListMilestoneEventsRequest>,
    ) -> Result<Response<pb::ListMilestoneEventsResponse>, Status> {
        let ListMilestoneEvents { milestone_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_milestone_events(milestone_id, page).await?;
        Ok(Response::new(pb::ListMilestoneEventsResponse {
            next_page_token: listed.next_page_token(),
            events: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
