//! The test clock, moved from outside, for all services alike.

use std::sync::Arc;

use tonic::{Code, Status};
use vouch_primitives::{Clock, TestClock, Timestamp};
use vouch_proto::Fields;
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1 as pb;
use vouch_storage::{Db, StorageError, Wake, test_clock};

use super::{BUS_UNAVAILABLE, CLOCK_WENT_BACK, TEST_CLOCK_OFF};
use crate::backlog::{BacklogError, Workload};
use crate::grpc::status;

/// The test clock, where there is one.
pub(super) fn of(clock: Option<&Arc<TestClock>>) -> Result<&TestClock, Status> {
    let off = || status::with_reason(Code::Unimplemented, TEST_CLOCK_OFF, "this service has no test clock");
    clock.map(|clock| &**clock).ok_or_else(off)
}

/// What time it is, and whether the service is at rest.
pub(super) async fn look(now: Timestamp, work: &Workload) -> Result<pb::GetTestClockResponse, Status> {
    // Read first: a commit in between makes the next answer differ from this one.
    let commits = work.db.commits();
    let backlog = work.backlog(now).await.map_err(|error| match error {
        BacklogError::Storage(error) => status::storage(&error),
        BacklogError::Bus(error) => {
            tracing::warn!(
                error = vouch_storage::describe(&error),
                "the bus cannot tell what is left"
            );
            status::unavailable("the bus cannot tell what is left", BUS_UNAVAILABLE)
        }
    })?;
    let events_recorded = work.events_recorded().await.map_err(|error| status::storage(&error))?;
    Ok(pb::GetTestClockResponse {
        now: Some(to_wire_time(now)),
        next_due_time: backlog.next_due.map(to_wire_time),
        backlog: Some(pb::Backlog {
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
    })
}

/// Moves the clock.
pub(super) async fn set(
    clock: &TestClock,
    db: &Db,
    request: pb::SetTestClockRequest,
) -> Result<pb::SetTestClockResponse, Status> {
    let mut fields = Fields::new();
    let Some(time) = fields.time("time", request.time.as_ref()) else {
        return Err(status::invalid_argument(&fields.into()));
    };
    clock
        .set(time)
        .map_err(|error| status::failed_precondition(CLOCK_WENT_BACK, error.to_string()))?;
    // Saved and told after it moved: a worker that is woken must see the new time.
    let saved = db.write_tx(|txn| async move {
        test_clock::save(&txn, time).await?;
        txn.wake(Wake::Timers);
        txn.wake(Wake::Mail);
        Ok::<_, StorageError>(())
    });
    saved.await.map_err(|error| status::storage(&error))?;
    Ok(pb::SetTestClockResponse {
        now: Some(to_wire_time(clock.now())),
    })
}
