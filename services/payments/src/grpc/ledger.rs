//! `vouch.payments.v1.LedgerService`.

use tonic::{Request, Response, Status};
use vouch_proto::payments::v1::{self as pb, ledger_service_server::LedgerService};
use vouch_runtime::grpc::parse_query;

use super::convert::{GetBalances, GetStatement, ListAllRewardPostings, ListRewardPostings};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Ledger(pub App);

#[tonic::async_trait]
impl LedgerService for Ledger {
    async fn get_balances(
        &self,
        request: Request<pb::GetBalancesRequest>,
    ) -> Result<Response<pb::GetBalancesResponse>, Status> {
        let GetBalances { account_id, as_of } = parse_query(&self.0, request).await?;
        let balances = self.0.get_balances(account_id, as_of).await?;
        Ok(Response::new(pb::GetBalancesResponse {
            balances: balances.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_statement_lines(
        &self,
        request: Request<pb::ListStatementLinesRequest>,
    ) -> Result<Response<pb::ListStatementLinesResponse>, Status> {
        let GetStatement { of, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_statement_lines(of, page).await?;
        Ok(Response::new(pb::ListStatementLinesResponse {
            next_page_token: listed.next_page_token(),
            lines: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_reward_postings(
        &self,
        request: Request<pb::ListRewardPostingsRequest>,
    ) -> Result<Response<pb::ListRewardPostingsResponse>, Status> {
        let ListRewardPostings { account_id, page } = parse_query(&self.0, request).await?;
        let (listed, [sums, benefits]) = self.0.list_reward_postings(account_id, page).await?;
        Ok(Response::new(pb::ListRewardPostingsResponse {
            next_page_token: listed.next_page_token(),
            postings: listed.items.into_iter().map(Into::into).collect(),
            totals: sums.into_iter().map(Into::into).collect(),
            benefits: benefits.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_all_reward_postings(
        &self,
        request: Request<pb::ListAllRewardPostingsRequest>,
    ) -> Result<Response<pb::ListAllRewardPostingsResponse>, Status> {
        let ListAllRewardPostings(page) = parse_query(&self.0, request).await?;
        let listed = self.0.list_all_reward_postings(page).await?;
        Ok(Response::new(pb::ListAllRewardPostingsResponse {
            next_page_token: listed.next_page_token(),
            postings: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn get_trial_balance(
        &self,
        _request: Request<pb::GetTrialBalanceRequest>,
    ) -> Result<Response<pb::GetTrialBalanceResponse>, Status> {
        let totals = self.0.get_trial_balance().await?;
        Ok(Response::new(pb::GetTrialBalanceResponse {
            totals: totals.into_iter().map(Into::into).collect(),
        }))
    }
}
