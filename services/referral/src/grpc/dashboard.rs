//! `vouch.referral.v1.DashboardService`.

use tonic::{Request, Response, Status};
use vouch_proto::referral::v1::{self as pb, dashboard_service_server};
use vouch_runtime::grpc::parse_query;

use super::convert::dashboard as convert;
use crate::app::App;

/// What referrers see, and who refers best.
#[derive(Clone, Debug)]
pub struct Dashboard(pub App);

#[tonic::async_trait]
impl dashboard_service_server::DashboardService for Dashboard {
    async fn get_dashboard(
        &self,
        request: Request<pb::GetDashboardRequest>,
    ) -> Result<Response<pb::GetDashboardResponse>, Status> {
        let convert::DashboardOf(referrer) = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.dashboard(referrer).await?))
    }

    async fn get_statement(
        &self,
        request: Request<pb::GetStatementRequest>,
    ) -> Result<Response<pb::GetStatementResponse>, Status> {
        let convert::StatementPage { period, page } = parse_query(&self.0, request).await?;
        let statement = self.0.statement(period, &page).await?;
        Ok(Response::new(pb::GetStatementResponse {
            opening: Some(statement.opening.into()),
            closing: Some(statement.closing.into()),
            next_page_token: statement.lines.next_page_token(),
            lines: statement.lines.items,
        }))
    }

    async fn list_leaders(
        &self,
        request: Request<pb::ListLeadersRequest>,
    ) -> Result<Response<pb::ListLeadersResponse>, Status> {
        let convert::Leaders { currency, months, most } = parse_query(&self.0, request).await?;
        let leaders = self.0.leaders(currency, months, most).await?;
        Ok(Response::new(pb::ListLeadersResponse { leaders }))
    }

    async fn get_match_signal(
        &self,
        request: Request<pb::GetMatchSignalRequest>,
    ) -> Result<Response<pb::GetMatchSignalResponse>, Status> {
        let convert::SignalOf(person) = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.match_signal(person).await?))
    }
}
