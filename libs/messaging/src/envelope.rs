//! An event before it is stored, on its way, and in a handler's hands.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use prost::{Message, Name};
use vouch_primitives::{EventId, Timestamp, Uuid};

/// A fact that the running transaction establishes; [`outbox::append`](crate::outbox::append) stores it.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub(crate) id: EventId,
    pub(crate) event_type: String,
    pub(crate) aggregate_id: Uuid,
    pub(crate) payload: Vec<u8>,
    pub(crate) traceparent: Option<String>,
}

/// An event on its way between two services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Made by the producer, once; CloudEvents `id` and `Nats-Msg-Id`.
    pub id: EventId,
    /// Full protobuf name, e.g. `vouch.payments.v1.EarningSettled`; CloudEvents `type` and the subject on the bus.
    pub event_type: String,
    /// Who tells it, e.g. `/vouch/payments`.
    pub source: String,
    /// When it became true, by the producer's clock.
    pub time: Timestamp,
    /// What it is about; CloudEvents `subject`.
    pub aggregate_id: Uuid,
    /// The encoded protobuf message.
    pub payload: Bytes,
    /// The W3C trace context in which it became true.
    pub traceparent: Option<String>,
}

/// An event as its handler sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<M> {
    /// The event's id.
    pub id: EventId,
    /// When it became true, by the producer's clock.
    pub time: Timestamp,
    /// What became true.
    pub body: M,
    /// The trace context of this fact's own processing: see [`NewEvent::caused_by`].
    pub traceparent: Option<String>,
}

impl NewEvent {
    /// The fact `event` about `aggregate_id`, with a fresh id.
    #[must_use]
    pub fn new<M: Message + Name>(aggregate_id: Uuid, event: &M) -> Self {
        Self {
            id: EventId::new(),
            event_type: M::full_name(),
            aggregate_id,
            payload: event.encode_to_vec(),
            traceparent: None,
        }
    }

    /// Continues the trace of `cause`, so that one trace runs through even where facts are handled many at a time.
    /// Without it an event belongs to the span in which it is appended.
    #[must_use]
    pub fn caused_by<M>(self, cause: &Fact<M>) -> Self {
        self.continuing(cause.traceparent.clone())
    }

    /// The same for any other cause that has a trace context, such as a timer.
    #[must_use]
    pub fn continuing(mut self, traceparent: Option<String>) -> Self {
        self.traceparent = traceparent;
        self
    }

    /// The event's id.
    #[must_use]
    pub const fn id(&self) -> EventId {
        self.id
    }
}

/// CloudEvents, binary mode: attributes travel as headers, the payload is the body.
const ID: &str = "ce-id";
const TYPE: &str = "ce-type";
const SOURCE: &str = "ce-source";
const TIME: &str = "ce-time";
const SUBJECT: &str = "ce-subject";
const TRACEPARENT: &str = "traceparent";

impl Envelope {
    /// The headers of this event on the wire.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("ce-specversion", "1.0".to_owned()),
            (ID, self.id.to_string()),
            (TYPE, self.event_type.clone()),
            (SOURCE, self.source.clone()),
            (TIME, self.time.to_string()),
            (SUBJECT, self.aggregate_id.to_string()),
        ];
        headers.extend(self.traceparent.clone().map(|context| (TRACEPARENT, context)));
        headers
    }

    /// Reads an event from its headers; the error names the header at fault.
    pub(crate) fn from_headers<'h>(header: impl Fn(&str) -> Option<&'h str>, payload: Bytes) -> Result<Self, String> {
        fn read<T: FromStr<Err: fmt::Display>>(name: &str, text: Option<&str>) -> Result<T, String> {
            let text = text.ok_or_else(|| format!("no header {name}"))?;
            text.parse().map_err(|error| format!("header {name}: {error}"))
        }
        Ok(Self {
            id: read(ID, header(ID))?,
            event_type: read(TYPE, header(TYPE))?,
            source: read(SOURCE, header(SOURCE))?,
            time: read(TIME, header(TIME))?,
            aggregate_id: read(SUBJECT, header(SUBJECT))?,
            payload,
            traceparent: header(TRACEPARENT).map(str::to_owned),
        })
    }
}

/// The producer of an event type as a dotted prefix: `vouch.payments` for `vouch.payments.v1.EarningSettled`. The
/// version is left out, so that all versions of a producer's events share one stream.
pub(crate) fn producer_of(event_type: &str) -> &str {
    let package = event_type
        .rsplit_once('.')
        .map_or(event_type, |(package, _name)| package);
    package
        .rsplit_once('.')
        .map_or(package, |(producer, _version)| producer)
}

/// The CloudEvents source of a producer: `/vouch/payments` for `vouch.payments`.
pub(crate) fn source_of(producer: &str) -> String {
    format!("/{}", producer.replace('.', "/"))
}

/// The stream of a producer: `VOUCH_PAYMENTS` for `vouch.payments`.
pub(crate) fn stream_of(producer: &str) -> String {
    producer.replace('.', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn an_event_survives_its_headers() {
        let event = Envelope {
            id: EventId::new(),
            event_type: "vouch.payments.v1.EarningSettled".to_owned(),
            source: "/vouch/payments".to_owned(),
            time: Timestamp::from_micros(1_772_000_000_123_456),
            aggregate_id: EventId::new().as_uuid(),
            payload: Bytes::from_static(b"body"),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        };
        let headers: HashMap<_, _> = event.headers().into_iter().collect();
        let read = |headers: &HashMap<&str, String>| {
            Envelope::from_headers(|name| headers.get(name).map(String::as_str), event.payload.clone())
        };
        assert_eq!(read(&headers).as_ref(), Ok(&event));
        for name in [ID, TYPE, SOURCE, TIME, SUBJECT] {
            let mut without = headers.clone();
            without.remove(name);
            assert_eq!(read(&without), Err(format!("no header {name}")));
        }
    }

    #[test]
    fn names_follow_from_the_type() {
        let producer = producer_of("vouch.payments.v1.EarningSettled");
        assert_eq!(producer, "vouch.payments");
        assert_eq!(source_of(producer), "/vouch/payments");
        assert_eq!(stream_of(producer), "VOUCH_PAYMENTS");
    }
}
