//! `vouch.operations.v1.FailPointService`: the process ends where a test wants it to.

use tonic::{Request, Response, Status};
use vouch_proto::operations::v1::fail_point_service_server::{FailPointService, FailPointServiceServer};
use vouch_proto::operations::v1::{ArmFailPointRequest, ArmFailPointResponse, FailPoint as Wire};
use vouch_proto::{Violation, Violations};
use vouch_storage::{Db, FailPoint};

use crate::grpc::status;

/// Arms the fail points of one service.
pub(crate) struct FailPoints(Db);

impl FailPoints {
    pub(crate) fn server(db: Db) -> FailPointServiceServer<Self> {
        FailPointServiceServer::new(Self(db))
    }
}

#[tonic::async_trait]
impl FailPointService for FailPoints {
    async fn arm_fail_point(
        &self,
        request: Request<ArmFailPointRequest>,
    ) -> Result<Response<ArmFailPointResponse>, Status> {
        let point = match request.into_inner().fail_point() {
            Wire::Unspecified => {
                let violation = Violation {
                    field: "fail_point".to_owned(),
                    reason: "REQUIRED",
                    description: "must be one of the fail points".to_owned(),
                };
                return Err(status::invalid_argument(&Violations(vec![violation])));
            }
            Wire::CommittedNotPublished => FailPoint::CommittedNotPublished,
            Wire::PublishedNotMarked => FailPoint::PublishedNotMarked,
            Wire::AppliedNotCommitted => FailPoint::AppliedNotCommitted,
            Wire::CommittedNotAcknowledged => FailPoint::CommittedNotAcknowledged,
            Wire::AnsweredNotRecorded => FailPoint::AnsweredNotRecorded,
        };
        tracing::warn!(?point, "the process will end here");
        self.0.arm(point);
        Ok(Response::new(ArmFailPointResponse {}))
    }
}
