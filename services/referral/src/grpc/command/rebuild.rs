//! The other end of `Rebuild` and `RebuildFromStreams`: the streams are read here, with a key that no running service has.

use std::mem;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vouch_messaging::{AUDITOR, Delivery, JetStream, NatsConfig, Subscription};
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::{
    convert::to_wire_time,
    referral::v1::{
        self as pb,
        books_service_client::BooksServiceClient,
        rebuild_from_streams_request::ToldEvent,
        rebuild_response::{Difference, End, Part},
    },
};
use vouch_runtime::{access::Signed, cli, client, config::Common};
use vouch_storage::BoxError;

use crate::app::told::event_types;

/// How much one piece carries, in events and in bytes.
const PIECE: (usize, usize) = (1_000, 1 << 20);

/// How the books are computed anew.
#[derive(Clone, Debug, clap::Args)]
pub struct Rebuild {
    /// Compute from what the streams of the other services still hold, and from what is stored beside it. Names also what was told
    /// and is not stored so, and what nobody has told. Needs the key of nats.auditing_nkey_seed_file.
    #[arg(long, conflicts_with = "begin_epoch")]
    pub from_streams: bool,
    /// Put what comes out in the place of what differs, begin a new epoch, and tell payments every total again.
    #[arg(long)]
    pub begin_epoch: bool,
    /// Where this service is called, such as http://127.0.0.1:7104; by default where its configuration says it listens.
    #[arg(long, value_name = "URL")]
    pub at: Option<String>,
}

/// The books are not what comes out.
#[derive(Debug, thiserror::Error)]
#[error("{0} differences")]
struct Differs(u64);

type Books = BooksServiceClient<Signed>;

/// Goes through the books, and prints each difference: what it is about, what is stored, what comes out.
///
/// # Errors
/// If the service refuses, a stream cannot be read, or there are differences that stay.
pub async fn rebuild(
    service: &str,
    config: &Common,
    subscriptions: Vec<Subscription>,
    asked: &Rebuild,
) -> Result<(), BoxError> {
    let books = BooksServiceClient::new(client::to_oneself(service, config, asked.at.as_deref())?);
    let run = RequestId::new();
    let end = if asked.from_streams {
        from_streams(books, &config.nats, subscriptions, run).await?
    } else {
        from_stored(books, run, asked.begin_epoch).await?
    };
    let End {
        ties,
        differences,
        live_sha256,
        rebuilt_sha256,
        epoch,
    } = end;
    cli::print(format!(
        "{ties} ties, {differences} differences, epoch {epoch}\nlive    {live_sha256}\nrebuilt {rebuilt_sha256}"
    ))?;
    match differences {
        0 => Ok(()),
        _ if asked.begin_epoch => Ok(()),
        left => Err(Differs(left).into()),
    }
}

async fn from_stored(mut books: Books, run: RequestId, begin_epoch: bool) -> Result<End, BoxError> {
    let request = pb::RebuildRequest {
        request_id: run.to_string(),
        begin_epoch,
    };
    let mut answer = books.rebuild(request).await?.into_inner();
    while let Some(response) = answer.message().await? {
        if let Some(end) = told(response)? {
            return Ok(end);
        }
    }
    Err(CUT_OFF.into())
}

async fn from_streams(
    mut books: Books,
    nats: &NatsConfig,
    subscriptions: Vec<Subscription>,
    run: RequestId,
) -> Result<End, BoxError> {
    let (pieces, messages) = mpsc::channel(4);
    let begin = pb::RebuildFromStreamsRequest {
        request_id: run.to_string(),
        ..Default::default()
    };
    pieces.send(begin).await?;
    // One run goes on at a time, and nobody reads the streams for one that is refused.
    let answer = books.rebuild_from_streams(ReceiverStream::new(messages)).await?;
    let feeding = tokio::spawn(feed(nats.for_auditing(), subscriptions, run, pieces));
    let end = async {
        let mut answer = answer.into_inner();
        while let Some(response) = answer.message().await? {
            if let Some(end) = told(response.part.unwrap_or_default())? {
                return Ok(end);
            }
        }
        Err::<End, BoxError>(CUT_OFF.into())
    };
    let end = end.await;
    // What could not be read says more than that the service has missed it.
    feeding.await??;
    end
}

const CUT_OFF: &str = "the service has stopped before the end: ask again";

/// Prints a difference, logs how far it is, and returns the end.
fn told(response: pb::RebuildResponse) -> Result<Option<End>, cli::Failure> {
    match response.part {
        Some(Part::Progress(it)) => tracing::info!(people = it.people, of = it.all_people, "under way"),
        Some(Part::Difference(it)) => {
            let kind = it.kind().as_str_name().to_owned();
            let total = if it.currency_code.is_empty() {
                String::new()
            } else {
                format!(" {kind} {}", it.currency_code)
            };
            let Difference {
                id,
                what,
                live,
                rebuilt,
                ..
            } = it;
            cli::print(format!("{what} {id}{total}: {live:?} is stored, {rebuilt:?} comes out"))?;
        }
        Some(Part::End(end)) => return Ok(Some(end)),
        None => {}
    }
    Ok(None)
}

/// Sends what the streams hold of the facts that the books are computed from.
async fn feed(
    nats: NatsConfig,
    subscriptions: Vec<Subscription>,
    run: RequestId,
    pieces: mpsc::Sender<pb::RebuildFromStreamsRequest>,
) -> Result<(), BoxError> {
    let bus = JetStream::connect(&nats, AUDITOR).await?;
    let wanted = event_types();
    let mut held_since = Timestamp::EPOCH;
    let piece = |events| pb::RebuildFromStreamsRequest {
        request_id: run.to_string(),
        events,
        ..Default::default()
    };
    for mut of in subscriptions {
        of.subjects.retain(|subject| wanted.contains(subject));
        if of.subjects.is_empty() {
            continue;
        }
        let mut replay = bus.replay(&of).await?;
        held_since = held_since.max(replay.held_since());
        tracing::info!(stream = of.stream, events = replay.messages(), "is read");
        let (mut events, mut bytes) = (Vec::new(), 0);
        loop {
            let deliveries = replay.next(PIECE.0).await?;
            let over = deliveries.is_empty();
            for event in deliveries.into_iter().filter_map(|delivery| event(&of, delivery)) {
                bytes += event.payload.len();
                events.push(event);
                if events.len() < PIECE.0 && bytes < PIECE.1 {
                    continue;
                }
                // Who has left says why in the answer.
                if pieces.send(piece(mem::take(&mut events))).await.is_err() {
                    return Ok(());
                }
                bytes = 0;
            }
            if over {
                break;
            }
        }
        bus.end_replay(&of).await?;
        if pieces.send(piece(events)).await.is_err() {
            return Ok(());
        }
    }
    let last = pb::RebuildFromStreamsRequest {
        held_since_time: Some(to_wire_time(held_since)),
        last: true,
        ..piece(Vec::new())
    };
    let _ = pieces.send(last).await;
    Ok(())
}

/// What came as no event became a dead letter, and tells nothing.
fn event(of: &Subscription, delivery: Delivery) -> Option<ToldEvent> {
    match delivery.event {
        Ok(event) => Some(ToldEvent {
            event_id: event.id.to_string(),
            event_type: event.event_type,
            payload: event.payload.into(),
        }),
        Err(error) => {
            tracing::warn!(stream = of.stream, sequence = delivery.sequence, %error, "no event");
            None
        }
    }
}
