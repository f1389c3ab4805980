//! NATS JetStream as the bus.
//!
//! Acknowledgements are plain: a double ack promises no more (its effect is written late, and one without a consumer
//! also looks like a success), while the inbox promises what is needed. A publish that times out means "unknown" and
//! is repeated under the same `Nats-Msg-Id`; the duplicate window is a courtesy, not the guarantee.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, HeaderMap, HeaderName,
    connection::State,
    header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID},
    jetstream::{
        self,
        consumer::{Consumer, PullConsumer, pull},
        context::{Context, ContextBuilder, PublishAckFuture, PublishError, PublishErrorKind},
    },
};
use async_trait::async_trait;
use futures::{StreamExt, future::join_all};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, error, info, warn};

use crate::{
    Bus, BusError, Delivery, Envelope, Lag, Receipt, Subscription,
    bus::Malformed,
    envelope::{producer_of, stream_of},
};

mod config;
mod provision;
mod replay;

pub use config::NatsConfig;
pub use replay::Replay;

/// How long an answer from the server may take, a publish acknowledgement included.
const ANSWER: Duration = Duration::from_secs(5);

/// How long the answer to a question may take before it is taken for lost with the connection.
const GRACE: Duration = Duration::from_secs(1);

/// How long to wait between two attempts to reach a server that is gone.
const RECONNECT_AT_MOST: Duration = Duration::from_secs(1);

/// How often the server is asked whether it is there. After two questions without an answer the connection is given up,
/// however open it looks: a quarter of a minute for one of which half is dead, not the three of the client's default.
const PING: Duration = Duration::from_secs(5);

/// Who makes streams and consumers: the name of its inbox, on which alone its permissions let it listen.
pub const PROVISIONER: &str = "provisioner";

/// Who may read streams from their beginning, as somebody who is no part of the work: also the name of the consumer that it
/// makes for it.
pub const AUDITOR: &str = "auditor";

/// A connection to NATS that comes back by itself.
pub struct JetStream {
    client: Client,
    context: Context,
    config: NatsConfig,
    /// Handles by (stream, durable); one that failed is looked up again.
    consumers: Mutex<HashMap<(String, String), PullConsumer>>,
}

impl JetStream {
    /// Connects as `service`, or as [`PROVISIONER`] to [`provision`](Self::provision). A server that is not there yet is no error: the connection is made in the background, and
    /// [`Bus::is_connected`] tells when it stands.
    ///
    /// # Errors
    /// If the configuration cannot be used: a bad address, an unreadable credentials file.
    pub async fn connect(config: &NatsConfig, service: &str) -> Result<Self, BusError> {
        let options = config.options().await?;
        let client = named(options, service)
            .connect(config.addresses())
            .await
            .map_err(|error| BusError::failed("cannot connect to nats")(error.into()))?;
        let context = ContextBuilder::new()
            .timeout(ANSWER)
            .max_ack_inflight(4_096)
            .build(client.clone());
        Ok(Self {
            client,
            context,
            config: config.clone(),
            consumers: Mutex::default(),
        })
    }

    async fn consumer(&self, from: &Subscription) -> Result<PullConsumer, BusError> {
        let key = (from.stream.clone(), from.durable.clone());
        if let Some(known) = self.handles().get(&key) {
            return Ok(known.clone());
        }
        let found: Consumer<pull::Config> = self
            .context
            .get_consumer_from_stream(&from.durable, &from.stream)
            .await
            .map_err(|error| BusError::failed("cannot find the consumer")(error.into()))?;
        self.handles().insert(key, found.clone());
        Ok(found)
    }

    fn forget(&self, from: &Subscription) {
        self.handles().remove(&(from.stream.clone(), from.durable.clone()));
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<(String, String), PullConsumer>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start_publish(&self, event: &Envelope) -> Result<PublishAckFuture, PublishError> {
        let mut headers = HeaderMap::new();
        for (name, value) in event.headers() {
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(NATS_MESSAGE_ID, event.id.to_string());
        headers.insert(NATS_EXPECTED_STREAM, stream_of(producer_of(&event.event_type)));
        self.context
            .publish_with_headers(event.event_type.clone(), headers, event.payload.clone())
            .await
    }
}

#[async_trait]
impl Bus for JetStream {
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        let mut sent = Vec::with_capacity(events.len());
        for event in events {
            // A connection that breaks half-way would make each of the rest wait for its own time-out.
            sent.push(match sent.last() {
                Some(Err(BusError::TimedOut | BusError::Disconnected)) => Err(BusError::Disconnected),
                _ if !self.is_connected() => Err(BusError::Disconnected),
                _ => self.start_publish(event).await.map_err(publish_error),
            });
        }
        join_all(sent.into_iter().map(|started| async {
            // The answer names the stream; Nats-Expected-Stream has made sure that it is the right one.
            started?.await.map(drop).map_err(publish_error)
        }))
        .await
    }

    async fn pull(&self, from: &Subscription, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        if !self.is_connected() {
            return Err(BusError::Disconnected);
        }
        // A request that was on its way when the connection broke is never answered.
        let deadline = Instant::now() + wait + GRACE;
        let consumer = timeout_at(deadline, self.consumer(from))
            .await
            .map_err(|_| BusError::TimedOut)??;
        // The server answers at once with what there is; only if there is nothing, it waits.
        let mut fetch = consumer.fetch().max_messages(max);
        if !wait.is_zero() {
            fetch = fetch.expires(wait);
        }
        let failed = |error| {
            self.forget(from);
            BusError::failed("cannot fetch")(error)
        };
        let mut messages = fetch.messages().await.map_err(|error| failed(error.into()))?;
        let mut deliveries = Vec::new();
        // The answer is lost if the connection breaks meanwhile; what has come is used.
        while let Ok(Some(message)) = timeout_at(deadline, messages.next()).await {
            match message {
                Ok(message) => deliveries.push(delivery(message)?),
                Err(error) if deliveries.is_empty() => return Err(failed(error)),
                Err(_) => break,
            }
        }
        Ok(deliveries)
    }

    async fn ack(&self, _from: &Subscription, receipts: &[Receipt]) -> Result<(), BusError> {
        self.answer(receipts, jetstream::AckKind::Ack).await
    }

    async fn nak(&self, _from: &Subscription, receipts: &[Receipt], delay: Duration) -> Result<(), BusError> {
        self.answer(receipts, jetstream::AckKind::Nak(Some(delay))).await
    }

    async fn lag(&self, of: &Subscription) -> Result<Lag, BusError> {
        let ask = async {
            self.consumer(of).await?.get_info().await.map_err(|error| {
                self.forget(of);
                BusError::failed("cannot read the consumer's state")(error.into())
            })
        };
        let info = timeout(GRACE, ask).await.map_err(|_| BusError::TimedOut)??;
        Ok(Lag {
            pending: info.num_pending,
            unacked: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
            redelivered: u64::try_from(info.num_redelivered).unwrap_or(u64::MAX),
            settled_to: info.ack_floor.stream_sequence,
        })
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    async fn flush(&self) -> Result<(), BusError> {
        match timeout(ANSWER, self.client.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(BusError::failed("cannot flush")(error.into())),
            Err(_) => Err(BusError::TimedOut),
        }
    }
}

impl JetStream {
    /// Sends the answers without waiting for any: they are pipelined by the connection.
    async fn answer(&self, receipts: &[Receipt], kind: jetstream::AckKind) -> Result<(), BusError> {
        let body: bytes::Bytes = kind.into();
        for Receipt(subject) in receipts {
            let sent = self.client.publish(subject.clone(), body.clone()).await;
            sent.map_err(|error| BusError::failed("cannot answer")(error.into()))?;
        }
        Ok(())
    }
}

/// What every connection has, whoever it is for.
fn named(options: ConnectOptions, service: &str) -> ConnectOptions {
    let refusals = opentelemetry::global::meter("vouch")
        .u64_counter("vouch.bus.refusals")
        .with_unit("{refusal}")
        .with_description("errors that nats answered with, missing permissions above all")
        .build();
    options
        .name(service)
        // Answers to one service are then hidden from the others by their permissions.
        .custom_inbox_prefix(format!("_INBOX_{service}"))
        .retry_on_initial_connect()
        .ping_interval(PING)
        .reconnect_delay_callback(|attempts| RECONNECT_AT_MOST.min(Duration::from_millis(1 << attempts.min(16))))
        .event_callback(move |event| {
            if matches!(event, async_nats::Event::ServerError(_)) {
                refusals.add(1, &[]);
            }
            async move { tell(&event) }
        })
}

fn tell(event: &async_nats::Event) {
    match event {
        async_nats::Event::Connected => info!("connected to nats"),
        // One for each attempt to come back.
        async_nats::Event::ClientError(error) => debug!(%error, "nats"),
        // It never gives up by itself: only we close it.
        async_nats::Event::Closed => debug!("closed the connection to nats"),
        // A missing permission shows only here: whoever asked sees a time-out.
        async_nats::Event::ServerError(error) => error!(%error, "nats refuses"),
        other => warn!(event = %other, "nats"),
    }
}

fn publish_error(error: PublishError) -> BusError {
    match error.kind() {
        PublishErrorKind::TimedOut => BusError::TimedOut,
        _ => BusError::failed("cannot publish")(error.into()),
    }
}

fn delivery(message: jetstream::Message) -> Result<Delivery, BusError> {
    let info = message.info().map_err(BusError::failed("cannot read a delivery"))?;
    let (attempt, sequence) = (u32::try_from(info.delivered).unwrap_or(u32::MAX), info.stream_sequence);
    let message = message.message;
    let headers = message.headers.unwrap_or_default();
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    let event =
        Envelope::from_headers(header, message.payload.clone()).and_then(|event| as_permitted(event, &message.subject));
    let event = event.map_err(|reason| Malformed {
        reason,
        headers: as_text(&headers),
        payload: message.payload,
    });
    let receipt = Receipt(message.reply.map(|subject| subject.to_string()).unwrap_or_default());
    Ok(Delivery {
        event,
        attempt,
        sequence,
        receipt,
    })
}

/// Permissions guard subjects alone: an event of a type that its subject does not name may be forged by anybody who may
/// publish something.
fn as_permitted(event: Envelope, subject: &str) -> Result<Envelope, String> {
    if event.event_type == subject {
        Ok(event)
    } else {
        Err(format!("header ce-type: {} came as {subject}", event.event_type))
    }
}

fn as_text(headers: &HeaderMap) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| format!("{name}: {value}\n", value = value.as_str()))
        })
        .collect();
    lines.sort_unstable();
    lines.concat()
}
