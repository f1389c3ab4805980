//! `vouch.referral.v1.StatementService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ReferrerId;
use vouch_proto::{
    Fields, Violations,
    referral::v1::{self as pb, statement_service_server},
};
use vouch_runtime::grpc::parse_query;

use crate::{app::App, domain::Period};

/// `vouch.referral.v1.StatementService`.
#[derive(Clone, Debug)]
pub struct Statements(pub App);

/// Which statement.
struct StatementQuery {
    referrer: ReferrerId,
    period: Period,
}

#[tonic::async_trait]
impl statement_service_server::StatementService for Statements {
    async fn get_signed_statement(
        &self,
        request: Request<pb::GetSignedStatementRequest>,
    ) -> Result<Response<pb::GetSignedStatementResponse>, Status> {
        let StatementQuery { referrer, period } = parse_query(&self.0, request).await?;
        Ok(Response::new(self.0.signed_statement(referrer, period).await?))
    }

    async fn list_statement_keys(
        &self,
        _: Request<pb::ListStatementKeysRequest>,
    ) -> Result<Response<pb::ListStatementKeysResponse>, Status> {
        Ok(Response::new(self.0.statement_keys().await?))
    }
}

impl TryFrom<pb::GetSignedStatementRequest> for StatementQuery {
    type Error = Violations;

    fn try_from(request: pb::GetSignedStatementRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let from = fields.time("from_time", request.from_time.as_ref());
        let until = fields.time("until_time", request.until_time.as_ref());
        let (Some(referrer), Some(from), Some(until)) = (referrer, from, until) else {
            return Err(fields.into());
        };
        if until <= from {
            fields.refuse("until_time", "OUT_OF_RANGE", "must be after from_time");
        }
        let period = Period { from, until };
        fields.finish(Self { referrer, period })
    }
}
