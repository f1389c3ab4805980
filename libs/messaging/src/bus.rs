//! What carries events from one service to another.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Envelope;

/// One durable consumer: what one service wants to hear from one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The producer, e.g. `vouch.payments`.
    pub producer: String,
    /// The producer's stream, e.g. `VOUCH_PAYMENTS`.
    pub stream: String,
    /// The consumer's name on the stream: the consuming service's.
    pub durable: String,
    /// The event types wanted, sorted.
    pub subjects: Vec<String>,
}

/// A message that was handed out and waits to be settled with [`Bus::ack`] or [`Bus::nak`].
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event, or what arrived in its place.
    pub event: Result<Envelope, Malformed>,
    /// How often the message was handed out, this time included; from 1.
    pub attempt: u32,
    /// The message's place in its stream.
    pub sequence: u64,
    /// Names this delivery when it is settled.
    pub receipt: Receipt,
}

/// A message on the stream that is no event: a required header is absent or unreadable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// Which header, and what is wrong with it.
    pub reason: String,
    /// The headers as they came, one `name: value` a line.
    pub headers: String,
    /// The body as it came.
    pub payload: Bytes,
}

/// Opaque name of one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(pub(crate) String);

/// How far a consumer is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Messages that were never handed out.
    pub pending: u64,
    /// Messages that were handed out and are not settled, those that wait for another attempt included.
    pub unacked: u64,
    /// Those of the unsettled that were handed out more than once.
    pub redelivered: u64,
    /// The place in the stream up to which everything is settled.
    pub settled_to: u64,
}

/// Why the bus did not do what it was asked to. For a publish this means "unknown": it may have been stored.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no connection at the moment.
    #[error("not connected to the bus")]
    Disconnected,
    /// There is no server where one was expected.
    #[error("cannot reach nats at {at}: {why}")]
    Unreachable {
        /// The addresses, without their user and password.
        at: String,
        /// What stands in the way.
        why: String,
    },
    /// No answer in time.
    #[error("the bus did not answer in time")]
    TimedOut,
    /// The bus refused.
    #[error("{doing}: {source}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// What the bus said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Carries events at least once, in no particular order. Streams and durable consumers exist already: services use
/// them, they do not create them.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes all events at once; the answers stand in the order of `events`. `Ok` only after the bus has
    /// acknowledged the event as stored.
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>>;

    /// Takes what is ready, at most `max` messages. If nothing is, waits up to `wait` for the first one.
    async fn pull(&self, from: &Subscription, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError>;

    /// Settles deliveries whose work is committed. Not a promise: a lost ack means another delivery.
    async fn ack(&self, from: &Subscription, receipts: &[Receipt]) -> Result<(), BusError>;

    /// Asks for another delivery after `delay`.
    async fn nak(&self, from: &Subscription, receipts: &[Receipt], delay: Duration) -> Result<(), BusError>;

    /// How far the consumer is behind: zero on both counts means that everything published was settled.
    async fn lag(&self, of: &Subscription) -> Result<Lag, BusError>;

    /// Whether there is a connection now, as far as is known.
    fn is_connected(&self) -> bool;

    /// Waits until everything asked for so far (acks in particular) is on the wire. Called before the process exits.
    async fn flush(&self) -> Result<(), BusError>;
}

impl BusError {
    /// Which of few kinds it is, for traces and metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Disconnected | Self::Unreachable { .. } => "disconnected",
            Self::TimedOut => "timed_out",
            Self::Failed { .. } => "refused",
        }
    }

    pub(crate) fn failed(doing: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Failed { doing, source }
    }
}

impl Lag {
    /// Whether nothing is outstanding.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.pending == 0 && self.unacked == 0
    }
}
