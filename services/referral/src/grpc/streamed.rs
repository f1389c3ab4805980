//! `RebuildFromStreams`: events come in pieces, are kept for the run, and are computed from when the last one is there.

use tokio::{sync::mpsc, time::Instant};
use tonic::{Status, Streaming};
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::{
    Fields,
    referral::v1::{self as pb, rebuild_from_streams_request::ToldEvent, rebuild_response::Part},
};
use vouch_runtime::grpc::{
    pieces::{IDLE, next_piece, tell},
    status,
};

use super::books::tell_all;
use crate::app::{
    App,
    rebuild::Rebuild,
    told::{Streamed, event_types},
};

/// How many events one piece may hold.
const EVENTS: usize = 1_000;

/// A run whose first piece has come.
pub(super) struct Begun {
    run: RequestId,
    first: pb::RebuildFromStreamsRequest,
    messages: Streaming<pb::RebuildFromStreamsRequest>,
}

/// Reads which run it is.
pub(super) async fn receive_first(mut messages: Streaming<pb::RebuildFromStreamsRequest>) -> Result<Begun, Status> {
    let first = messages.message().await?.unwrap_or_default();
    let mut fields = Fields::new();
    let run = fields.request_id(&first);
    match run {
        Some(run) => Ok(Begun { run, first, messages }),
        None => Err(status::invalid_argument(&fields.into())),
    }
}

/// Takes what was told, and goes through the books then.
pub(super) async fn run(
    app: &App,
    begun: Begun,
    told: &mpsc::Sender<Result<pb::RebuildFromStreamsResponse, Status>>,
) -> Result<(), Status> {
    let mut rebuild = app.rebuild(begun.run, false).await?;
    let outcome = go_through(&mut rebuild, begun, told).await;
    rebuild.abandon().await?;
    outcome
}

async fn go_through(
    rebuild: &mut Rebuild,
    begun: Begun,
    told: &mpsc::Sender<Result<pb::RebuildFromStreamsResponse, Status>>,
) -> Result<(), Status> {
    let Begun {
        first: mut piece,
        mut messages,
        ..
    } = begun;
    loop {
        let events = read(&piece)?;
        let unreadable = rebuild.take_told(&events).await?;
        for part in unreadable {
            if !tell(told, Ok(answer(part))).await {
                return Ok(());
            }
        }
        if piece.last {
            rebuild.all_told(held_since(&piece)?);
            break;
        }
        piece = next_piece(&mut messages, "events", Instant::now() + IDLE).await?;
    }
    tell_all(rebuild, told, answer).await
}

fn answer(part: Part) -> pb::RebuildFromStreamsResponse {
    let part = Some(pb::RebuildResponse { part: Some(part) });
    pb::RebuildFromStreamsResponse { part }
}

/// The events of one piece.
fn read(piece: &pb::RebuildFromStreamsRequest) -> Result<Vec<Streamed>, Status> {
    let mut fields = Fields::new();
    if piece.events.len() > EVENTS {
        fields.refuse("events", "OUT_OF_RANGE", "must be at most 1,000 in one piece");
    }
    let types = event_types();
    let mut events = Vec::with_capacity(piece.events.len());
    for (at, event) in piece.events.iter().enumerate() {
        let read = fields.within(&format!("events[{at}]"), |fields| one(fields, &types, event));
        events.extend(read);
    }
    fields.finish(events).map_err(|wrong| status::invalid_argument(&wrong))
}

fn one(fields: &mut Fields, types: &[String], event: &ToldEvent) -> Option<Streamed> {
    let id = fields.id("event_id", &event.event_id);
    if !types.contains(&event.event_type) {
        let description = "must be a type of earnings, contracts or closed accounts";
        fields.refuse("event_type", "UNKNOWN_EVENT_TYPE", description);
        return None;
    }
    Some(Streamed {
        id: id?,
        event_type: event.event_type.clone(),
        payload: event.payload.clone(),
    })
}

/// Since when the streams hold all; if nothing is said, nothing that is stored has to be told.
fn held_since(piece: &pb::RebuildFromStreamsRequest) -> Result<Timestamp, Status> {
    let mut fields = Fields::new();
    let since = fields
        .time_if_set("held_since_time", piece.held_since_time.as_ref())
        .flatten();
    fields
        .finish(since.unwrap_or(Timestamp::MAX))
        .map_err(|wrong| status::invalid_argument(&wrong))
}
