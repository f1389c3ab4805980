//! `vouch.payments.v1.PayoutService`.

use tonic::{Request, Response, Status};
use vouch_primitives::{AccountId, PayoutId, PayoutRunId};
use vouch_proto::payments::v1::{self as pb, payout_service_server::PayoutService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Id, ListPayoutMethods, ListPayoutRuns, ListPayoutSkips, ListPayouts, tariffs};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Payouts(pub App);

#[tonic::async_trait]
impl PayoutService for Payouts {
    async fn add_payout_method(
        &self,
        request: Request<pb::AddPayoutMethodRequest>,
    ) -> Result<Response<pb::AddPayoutMethodResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.add_payout_method(&key, &command).await?))
    }

    async fn list_payout_methods(
        &self,
        request: Request<pb::ListPayoutMethodsRequest>,
    ) -> Result<Response<pb::ListPayoutMethodsResponse>, Status> {
        let ListPayoutMethods { account_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_payout_methods(account_id, page).await?;
        Ok(Response::new(pb::ListPayoutMethodsResponse {
            next_page_token: listed.next_page_token(),
            payout_methods: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn remove_payout_method(
        &self,
        request: Request<pb::RemovePayoutMethodRequest>,
    ) -> Result<Response<pb::RemovePayoutMethodResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.remove_payout_method(&key, command).await?))
    }

    async fn set_payout_schedule(
        &self,
        request: Request<pb::SetPayoutScheduleRequest>,
    ) -> Result<Response<pb::SetPayoutScheduleResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.set_payout_schedule(&key, &command).await?))
    }

    async fn get_payout_settings(
        &self,
        request: Request<pb::GetPayoutSettingsRequest>,
    ) -> Result<Response<pb::GetPayoutSettingsResponse>, Status> {
        let Id::<AccountId>(account) = parse_query(&self.0, request).await?;
        let settings = self.0.get_payout_settings(account).await?;
        Ok(Response::new(pb::GetPayoutSettingsResponse {
            has_active_method: settings.has_active_method,
            has_tax_form: settings.has_tax_form,
            schedules: settings.schedules.into_iter().map(Into::into).collect(),
            tariffs: tariffs(),
        }))
    }

    async fn withdraw(&self, request: Request<pb::WithdrawRequest>) -> Result<Response<pb::WithdrawResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.withdraw(&key, &command).await?))
    }

    async fn cancel_payout(
        &self,
        request: Request<pb::CancelPayoutRequest>,
    ) -> Result<Response<pb::CancelPayoutResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.cancel_payout(&key, command).await?))
    }

    async fn get_payout(
        &self,
        request: Request<pb::GetPayoutRequest>,
    ) -> Result<Response<pb::GetPayoutResponse>, Status> {
        let Id::<PayoutId>(id) = parse_query(&self.0, request).await?;
        let payout = Some(self.0.get_payout(id).await?.into());
        Ok(Response::new(pb::GetPayoutResponse { payout }))
    }

    async fn list_payouts(
        &self,
        request: Request<pb::ListPayoutsRequest>,
    ) -> Result<Response<pb::ListPayoutsResponse>, Status> {
        let ListPayouts { account_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_payouts(account_id, page).await?;
        Ok(Response::new(pb::ListPayoutsResponse {
            next_page_token: listed.next_page_token(),
            payouts: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn record_payout_return(
        &self,
        request: Request<pb::RecordPayoutReturnRequest>,
    ) -> Result<Response<pb::RecordPayoutReturnResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.record_payout_return(&key, command).await?))
    }

    async fn get_payout_run(
        &self,
        request: Request<pb::GetPayoutRunRequest>,
    ) -> Result<Response<pb::GetPayoutRunResponse>, Status> {
        let Id::<PayoutRunId>(id) = parse_query(&self.0, request).await?;
        let payout_run = Some(self.0.get_payout_run(id).await?.into());
        Ok(Response::new(pb::GetPayoutRunResponse { payout_run }))
    }

    async fn list_payout_runs(
        &self,
        request: Request<pb::ListPayoutRunsRequest>,
    ) -> Result<Response<pb::ListPayoutRunsResponse>, Status> {
        let ListPayoutRuns { page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_payout_runs(page).await?;
        Ok(Response::new(pb::ListPayoutRunsResponse {
            next_page_token: listed.next_page_token(),
            payout_runs: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_payout_skips(
        &self,
        request: Request<pb::ListPayoutSkipsRequest>,
    ) -> Result<Response<pb::ListPayoutSkipsResponse>, Status> {
        let ListPayoutSkips { payout_run_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_payout_skips(payout_run_id, page).await?;
        Ok(Response::new(pb::ListPayoutSkipsResponse {
            next_page_token: listed.next_page_token(),
            skips: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
