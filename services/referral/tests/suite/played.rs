//! Payments, as far as this service asks it.

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use vouch_proto::payments::v1::{
    self as payments,
    ledger_service_server::{LedgerService, LedgerServiceServer},
};

use crate::harness::usd;

/// Payments, which has posted 77 cents to everybody, and in all what it is told.
struct PlayedPayments(Posted);

/// What payments says that it has posted in all. Clones share it.
pub type Posted = Arc<Mutex<Vec<payments::RewardPosting>>>;

pub async fn payments(posted: &Posted) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server =
        tonic::transport::Server::builder().add_service(LedgerServiceServer::new(PlayedPayments(posted.clone())));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("http://{address}")
}

#[tonic::async_trait]
impl LedgerService for PlayedPayments {
    async fn get_balances(
        &self,
        _: Request<payments::GetBalancesRequest>,
    ) -> Result<Response<payments::GetBalancesResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_statement_lines(
        &self,
        _: Request<payments::ListStatementLinesRequest>,
    ) -> Result<Response<payments::ListStatementLinesResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_reward_postings(
        &self,
        _: Request<payments::ListRewardPostingsRequest>,
    ) -> Result<Response<payments::ListRewardPostingsResponse>, Status> {
        Ok(Response::new(payments::ListRewardPostingsResponse {
            totals: usd(77).into_iter().collect(),
            ..Default::default()
        }))
    }

    async fn list_all_reward_postings(
        &self,
        request: Request<payments::ListAllRewardPostingsRequest>,
    ) -> Result<Response<payments::ListAllRewardPostingsResponse>, Status> {
        // In pages of two, by tie.
        let mut postings = self.0.lock().expect("no panic").clone();
        postings.sort_by(|one, other| one.tie_id.cmp(&other.tie_id));
        let done: usize = request.into_inner().page_token.parse().unwrap_or(0);
        let next = if done + 2 < postings.len() {
            (done + 2).to_string()
        } else {
            String::new()
        };
        Ok(Response::new(payments::ListAllRewardPostingsResponse {
            postings: postings.into_iter().skip(done).take(2).collect(),
            next_page_token: next,
        }))
    }

    async fn get_trial_balance(
        &self,
        _: Request<payments::GetTrialBalanceRequest>,
    ) -> Result<Response<payments::GetTrialBalanceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }
}
