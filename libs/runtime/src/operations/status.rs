//! What waits, and since when.

use vouch_messaging::{Lag, dead_letter, outbox};
use vouch_primitives::Timestamp;
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1 as pb;
use vouch_storage::{StorageError, describe, timers};

use crate::backlog::Workload;

pub(super) async fn read(work: &Workload, now: Timestamp) -> Result<pb::GetStatusResponse, StorageError> {
    let reader = work.db.reader();
    let backlog = work.stored(now).await?;
    let due = |first: Option<Timestamp>| first.filter(|moment| *moment <= now);
    let first_mail = if work.sends_mail {
        vouch_mail::next_due(reader).await?
    } else {
        None
    };
    let (consumers, bus_error) = match work.on_the_bus().await {
        Ok(lags) => (lags.into_iter().map(consumer).collect(), String::new()),
        Err(error) => (Vec::new(), describe(&error)),
    };
    Ok(pb::GetStatusResponse {
        now: Some(to_wire_time(now)),
        unpublished_events: waiting(backlog.unpublished_events, outbox::oldest_pending(reader).await?),
        due_timers: waiting(backlog.due_timers, due(timers::next_due(reader).await?)),
        due_mails: waiting(backlog.due_mails, due(first_mail)),
        dead_letters: waiting(backlog.dead_letters, dead_letter::oldest(reader).await?),
        consumers,
        bus_error,
    })
}

fn waiting(count: u64, oldest: Option<Timestamp>) -> Option<pb::Waiting> {
    Some(pb::Waiting {
        count,
        oldest_time: oldest.map(to_wire_time),
    })
}

fn consumer((stream, lag): (String, Lag)) -> pb::ConsumerStatus {
    pb::ConsumerStatus {
        stream,
        pending: lag.pending,
        unacked: lag.unacked,
        redelivered: lag.redelivered,
    }
}
