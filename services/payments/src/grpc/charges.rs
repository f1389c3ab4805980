//! `vouch.payments.v1.ChargeService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ChargeId;
use vouch_proto::payments::v1::{self as pb, charge_service_server::ChargeService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Id, ListCharges, ListClientRefunds};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Charges(pub App);

#[tonic::async_trait]
impl ChargeService for Charges {
    async fn get_charge(
        &self,
        request: Request<pb::GetChargeRequest>,
    ) -> Result<Response<pb::GetChargeResponse>, Status> {
        let Id::<ChargeId>(id) = parse_query(&self.0, request).await?;
        let charge = self.0.get_charge(id).await?;
        Ok(Response::new(pb::GetChargeResponse {
            charge: Some(charge.into()),
        }))
    }

    async fn list_charges(
        &self,
        request: Request<pb::ListChargesRequest>,
    ) -> Result<Response<pb::ListChargesResponse>, Status> {
        let asked: ListCharges = parse_query(&self.0, request).await?;
        let listed = self.0.list_charges(asked.client_id, asked.contract, asked.page).await?;
        Ok(Response::new(pb::ListChargesResponse {
            next_page_token: listed.next_page_token(),
            charges: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn retry_charge(
        &self,
        request: Request<pb::RetryChargeRequest>,
    ) -> Result<Response<pb::RetryChargeResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.retry_charge(&key, command).await?))
    }

    async fn record_charge_payment(
        &self,
        request: Request<pb::RecordChargePaymentRequest>,
    ) -> Result<Response<pb::RecordChargePaymentResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.record_charge_payment(&key, &command).await?))
    }

    async fn list_client_refunds(
        &self,
        request: Request<pb::ListClientRefundsRequest>,
    ) -> Result<Response<pb::ListClientRefundsResponse>, Status> {
        let ListClientRefunds { filter, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_client_refunds(filter, page).await?;
        Ok(Response::new(pb::ListClientRefundsResponse {
            next_page_token: listed.next_page_token(),
            refunds: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn retry_client_refund(
        &self,
        request: Request<pb::RetryClientRefundRequest>,
    ) -> Result<Response<pb::RetryClientRefundResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.retry_client_refund(&key, command).await?))
    }
}
