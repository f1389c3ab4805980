//! `vouch.payments.v1.BonusService`.

use tonic::{Request, Response, Status};
use vouch_primitives::BonusPaymentId;
use vouch_proto::payments::v1::{self as pb, bonus_service_server::BonusService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Id, ListBonusPayments};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Bonuses(pub App);

#[tonic::async_trait]
impl BonusService for Bonuses {
    async fn pay_bonus(&self, request: Request<pb::PayBonusRequest>) -> Result<Response<pb::PayBonusResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.pay_bonus(&key, &command).await?))
    }

    async fn get_bonus_payment(
        &self,
        request: Request<pb::GetBonusPaymentRequest>,
    ) -> Result<Response<pb::GetBonusPaymentResponse>, Status> {
        let Id::<BonusPaymentId>(id) = parse_query(&self.0, request).await?;
        let bonus = self.0.get_bonus_payment(id).await?;
        Ok(Response::new(pb::GetBonusPaymentResponse {
            bonus_payment: Some(bonus.into()),
        }))
    }

    async fn list_bonus_payments(
        &self,
        request: Request<pb::ListBonusPaymentsRequest>,
    ) -> Result<Response<pb::ListBonusPaymentsResponse>, Status> {
        let ListBonusPayments { contract_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_bonus_payments(contract_id, page).await?;
        Ok(Response::new(pb::ListBonusPaymentsResponse {
            next_page_token: listed.next_page_token(),
            bonus_payments: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
