//! `vouch.payments.v1.AuditService`.

use tonic::{Request, Response, Status};
use vouch_proto::payments::v1::{self as pb, audit_service_server::AuditService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{CheckLedger, GetLedgerCheck, GetTrialBalanceAt};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Audits(pub App);

#[tonic::async_trait]
impl AuditService for Audits {
    async fn check_ledger(
        &self,
        request: Request<pb::CheckLedgerRequest>,
    ) -> Result<Response<pb::CheckLedgerResponse>, Status> {
        let (key, CheckLedger) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.check_ledger(&key).await?))
    }

    async fn get_ledger_check(
        &self,
        request: Request<pb::GetLedgerCheckRequest>,
    ) -> Result<Response<pb::GetLedgerCheckResponse>, Status> {
        let GetLedgerCheck = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.get_ledger_check().await?.into()))
    }

    async fn get_trial_balance_at(
        &self,
        request: Request<pb::GetTrialBalanceAtRequest>,
    ) -> Result<Response<pb::GetTrialBalanceAtResponse>, Status> {
        let GetTrialBalanceAt(as_of) = parse_query(&self.0, request).await?;
        let totals = self.0.get_trial_balance_at(as_of).await?;
        Ok(Response::new(pb::GetTrialBalanceAtResponse {
            totals: totals.into_iter().map(Into::into).collect(),
        }))
    }
}
