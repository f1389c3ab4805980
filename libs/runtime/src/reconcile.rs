//! The reconciliation as a command: what the producers have told is compared with what the consumer has applied, page by
//! page, and every event that is missing is named.
//!
//! Both sides are asked as running services, with the consumer's own token: no second process opens a database, and a
//! job needs nothing but the service's configuration and its key.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use tonic::Status;
use vouch_messaging::Subscription;
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::convert::{from_wire_time, to_wire_time};
use vouch_proto::operations::v1::operations_service_client::OperationsServiceClient;
use vouch_proto::operations::v1::unapplied_event::Standing;
use vouch_proto::operations::v1::{
    CheckAppliedRequest, ListPublishedEventsRequest, ListPublishedEventsResponse, PublishAgainRequest, PublishedEvent,
};

use crate::access::{Caller, Signer};
use crate::cli::Failure;
use crate::client::{self, Peer, PeerError};
use crate::config::Common;
use crate::tls::{Tls, TlsError};

/// How many events are compared at a time.
const PAGE: u32 = 100;

/// What is to be reconciled.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Reconcile {
    /// Events recorded at or after this moment (RFC 3339); by default all that the producers still have.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Events recorded before this moment; by default until five minutes ago, as younger ones may be on their way.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Ask the producers to publish what is missing again.
    #[arg(long)]
    pub repair: bool,
    /// Where this service is called, such as http://127.0.0.1:7101; by default where its configuration says it listens.
    #[arg(long, value_name = "ADDRESS")]
    pub at: Option<String>,
}

/// Why a reconciliation did not come to a good end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A service has no address.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A service did not answer as it should.
    #[error("{service}: {}: {}", status.code(), status.message())]
    Asked {
        /// Which.
        service: String,
        /// What it said.
        status: Box<Status>,
    },
    /// What answers in the consumer's place does not subscribe to the events: it is another service, or another version.
    #[error("what answers for {0} does not listen to these events: is it another service or another version?")]
    Deaf(String),
    /// Nobody reads what is told.
    #[error("the result cannot be written")]
    Told(#[source] Box<Failure>),
    /// Not everything is where it should be.
    #[error("{0}")]
    Found(Tally),
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that were compared.
    pub events: u64,
    /// Those that never arrived, though they were published.
    pub missing: u64,
    /// Those in whose place another event with the same id was applied.
    pub other_content: u64,
    /// Those that wait as dead letters.
    pub dead_letters: u64,
    /// Those that were discarded.
    pub discarded: u64,
    /// Those that have not left their producer yet.
    pub unpublished: u64,
    /// The missing ones that their producers were asked to publish again.
    pub repaired: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, {} missing, {} of other content, {} dead letters, {} discarded, {} unpublished, {} published again",
            self.events,
            self.missing,
            self.other_content,
            self.dead_letters,
            self.discarded,
            self.unpublished,
            self.repaired
        )
    }
}

/// A service that is asked.
struct Asked {
    name: String,
    client: OperationsServiceClient<Peer>,
}

impl Asked {
    fn connect(peers: &BTreeMap<String, String>, name: &str, tls: &Tls, signer: &Signer) -> Result<Self, PeerError> {
        let peer = Peer::connect(peers, name, tls, signer.clone())?;
        Ok(Self {
            name: name.to_owned(),
            client: OperationsServiceClient::new(peer),
        })
    }

    fn failed(&self, status: Status) -> ReconcileError {
        ReconcileError::Asked {
            service: self.name.clone(),
            status: Box::new(status),
        }
    }
}

/// Compares, and tells each event that was not applied: its standing, producer, id, type and time, in columns.
///
/// # Errors
/// When a service cannot be asked, or events are missing (and were not published again) or have another content.
pub async fn run(
    service: &str,
    config: &Common,
    subscriptions: &[Subscription],
    asked: &Reconcile,
    mut tell: impl FnMut(String) -> Result<(), Failure>,
) -> Result<(), ReconcileError> {
    let signer = Signer::new(&config.access, Caller::Service(service.to_owned()));
    let tls = Tls::read(&config.tls)?;
    let mut peers = config.peers.clone();
    let own = asked.at.clone().unwrap_or_else(|| client::own_address(config));
    peers.insert(service.to_owned(), own);
    let mut consumer = Asked::connect(&peers, service, &tls, &signer)?;
    let mut tally = Tally::default();
    for subscription in subscriptions {
        let name = subscription.producer.rsplit('.').next().unwrap_or_default();
        let mut producer = Asked::connect(&peers, name, &tls, &signer)?;
        let mut page_token = String::new();
        loop {
            let page = list(&mut producer, subscription, asked, page_token).await?;
            compare(
                &mut producer,
                &mut consumer,
                page.events,
                asked.repair,
                &mut tally,
                &mut tell,
            )
            .await?;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    if tally.missing > tally.repaired || tally.other_content > 0 {
        return Err(ReconcileError::Found(tally));
    }
    tell(tally.to_string()).map_err(|error| ReconcileError::Told(Box::new(error)))
}

async fn list(
    producer: &mut Asked,
    subscription: &Subscription,
    asked: &Reconcile,
    page_token: String,
) -> Result<ListPublishedEventsResponse, ReconcileError> {
    let request = ListPublishedEventsRequest {
        from_time: asked.from.map(to_wire_time),
        until_time: asked.until.map(to_wire_time),
        event_types: subscription.subjects.clone(),
        page_size: PAGE,
        page_token,
    };
    let listed = producer.client.list_published_events(request).await;
    listed
        .map(tonic::Response::into_inner)
        .map_err(|status| producer.failed(status))
}

async fn compare(
    producer: &mut Asked,
    consumer: &mut Asked,
    events: Vec<PublishedEvent>,
    repair: bool,
    tally: &mut Tally,
    tell: &mut impl FnMut(String) -> Result<(), Failure>,
) -> Result<(), ReconcileError> {
    if events.is_empty() {
        return Ok(());
    }
    tally.events += u64::try_from(events.len()).unwrap_or(u64::MAX);
    let request = CheckAppliedRequest { events: events.clone() };
    let checked = consumer.client.check_applied(request).await;
    let checked = checked.map_err(|status| consumer.failed(status))?.into_inner();
    let answered = u64::from(checked.applied) + u64::try_from(checked.unapplied.len()).unwrap_or(u64::MAX);
    if answered != u64::try_from(events.len()).unwrap_or(u64::MAX) {
        return Err(ReconcileError::Deaf(consumer.name.clone()));
    }
    let by_id: HashMap<&str, &PublishedEvent> = events.iter().map(|event| (&*event.event_id, event)).collect();
    let mut missing = Vec::new();
    for unapplied in checked.unapplied {
        let Some(event) = by_id.get(&*unapplied.event_id) else {
            continue;
        };
        let word = match unapplied.standing() {
            Standing::Missing | Standing::Unspecified if event.unpublished => {
                count(&mut tally.unpublished, "unpublished")
            }
            Standing::Missing | Standing::Unspecified => {
                missing.push(event.event_id.clone());
                count(&mut tally.missing, "missing")
            }
            Standing::DeadLetter => count(&mut tally.dead_letters, "dead-letter"),
            Standing::Discarded => count(&mut tally.discarded, "discarded"),
            Standing::OtherContent => count(&mut tally.other_content, "other-content"),
        };
        let time = event.time.as_ref().and_then(from_wire_time).unwrap_or(Timestamp::EPOCH);
        let line = format!(
            "{word} {} {} {} {time}",
            producer.name, event.event_id, event.event_type
        );
        tell(line).map_err(|error| ReconcileError::Told(Box::new(error)))?;
    }
    if repair && !missing.is_empty() {
        tally.repaired += u64::try_from(missing.len()).unwrap_or(u64::MAX);
        let request = PublishAgainRequest {
            request_id: RequestId::new().to_string(),
            event_ids: missing,
        };
        let published = producer.client.publish_again(request).await;
        published.map_err(|status| producer.failed(status))?;
    }
    Ok(())
}

fn count(into: &mut u64, word: &'static str) -> &'static str {
    *into += 1;
    word
}
