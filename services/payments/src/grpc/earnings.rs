//! `vouch.payments.v1.EarningService`.

use tonic::{Request, Response, Status};
use vouch_primitives::EarningId;
use vouch_proto::payments::v1::{self as pb, earning_service_server::EarningService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Id, ListEarnings};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Earnings(pub App);

#[tonic::async_trait]
impl EarningService for Earnings {
    async fn get_earning(
        &self,
        request: Request<pb::GetEarningRequest>,
    ) -> Result<Response<pb::GetEarningResponse>, Status> {
        let Id::<EarningId>(id) = parse_query(&self.0, request).await?;
        let earning = self.0.get_earning(id).await?;
        Ok(Response::new(pb::GetEarningResponse {
            earning: Some(earning.into()),
        }))
    }

    async fn list_earnings(
        &self,
        request: Request<pb::ListEarningsRequest>,
    ) -> Result<Response<pb::ListEarningsResponse>, Status> {
        let ListEarnings { account_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_earnings(account_id, page).await?;
        Ok(Response::new(pb::ListEarningsResponse {
            next_page_token: listed.next_page_token(),
            earnings: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn refund_earning(
        &self,
        request: Request<pb::RefundEarningRequest>,
    ) -> Result<Response<pb::RefundEarningResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.refund_earning(&key, command).await?))
    }
}
