//! `vouch.operations.v1.OperationsService`: the test clock, moved from outside, for all services alike.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use vouch_primitives::{Clock, TestClock};
use vouch_proto::convert::{from_wire_time, to_wire_time};
use vouch_proto::operations::v1::operations_service_server::{OperationsService, OperationsServiceServer};
use vouch_proto::operations::v1::{
    Backlog, GetTestClockRequest, GetTestClockResponse, SetTestClockRequest, SetTestClockResponse,
};
use vouch_proto::{Violation, Violations};
use vouch_storage::{StorageError, Wake, test_clock};

use crate::backlog::{BacklogError, Workload};
use crate::grpc::status;

/// The clock was asked to go back.
pub const CLOCK_WENT_BACK: &str = "CLOCK_WENT_BACK";

/// Moves one service's test clock, and tells whether the service is at rest. Without a test clock there is none of it.
pub(crate) struct Operations {
    clock: Arc<TestClock>,
    work: Workload,
}

impl Operations {
    pub(crate) fn server(clock: Arc<TestClock>, work: Workload) -> OperationsServiceServer<Self> {
        OperationsServiceServer::new(Self { clock, work })
    }
}

#[tonic::async_trait]
impl OperationsService for Operations {
    async fn get_test_clock(
        &self,
        _request: Request<GetTestClockRequest>,
    ) -> Result<Response<GetTestClockResponse>, Status> {
        let now = self.clock.now();
        // Read first: a commit in between makes the next answer differ from this one.
        let commits = self.work.db.commits();
        let backlog = self.work.backlog(now).await.map_err(|error| match error {
            BacklogError::Storage(error) => status::storage(&error),
            BacklogError::Bus(error) => {
                tracing::warn!(
                    error = vouch_storage::describe(&error),
                    "the bus cannot tell what is left"
                );
                status::unavailable("the bus cannot tell what is left", "BUS_UNAVAILABLE")
            }
        })?;
        let events_recorded = self
            .work
            .events_recorded()
            .await
            .map_err(|error| status::storage(&error))?;
        Ok(Response::new(GetTestClockResponse {
            now: Some(to_wire_time(now)),
            next_due_time: backlog.next_due.map(to_wire_time),
            backlog: Some(Backlog {
                unpublished_events: backlog.unpublished_events,
                unapplied_events: backlog
                    .unapplied_events
                    .iter()
                    .map(|(_, lag)| lag.pending + lag.unacked)
                    .sum(),
                due_timers: backlog.due_timers,
                due_mails: backlog.due_mails,
            }),
            commits,
            events_recorded,
            dead_letters: backlog.dead_letters,
        }))
    }

    async fn set_test_clock(
        &self,
        request: Request<SetTestClockRequest>,
    ) -> Result<Response<SetTestClockResponse>, Status> {
        let asked = request.into_inner().time;
        let Some(time) = asked.as_ref().and_then(from_wire_time) else {
            let (reason, description) = match asked {
                None => ("REQUIRED", "is required"),
                Some(_) => ("OUT_OF_RANGE", "must be a moment between 1970 and 9999"),
            };
            let violation = Violation {
                field: "time".to_owned(),
                reason,
                description: description.to_owned(),
            };
            return Err(status::invalid_argument(&Violations(vec![violation])));
        };
        self.clock
            .set(time)
            .map_err(|error| status::failed_precondition(CLOCK_WENT_BACK, error.to_string()))?;
        // Saved and told after it moved: a worker that is woken must see the new time.
        let saved = self.work.db.write_tx(|txn| async move {
            test_clock::save(&txn, time).await?;
            txn.wake(Wake::Timers);
            txn.wake(Wake::Mail);
            Ok::<_, StorageError>(())
        });
        saved.await.map_err(|error| status::storage(&error))?;
        Ok(Response::new(SetTestClockResponse {
            now: Some(to_wire_time(self.clock.now())),
        }))
    }
}
