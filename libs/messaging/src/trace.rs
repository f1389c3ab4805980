//! What is told of an event on its way: a span for its publishing, and one for its processing, each a child of the
//! context that the event carries.
//!
//! A trace that nobody records costs no span where there are many events: they hand its context on as it is.

use opentelemetry::trace::SpanContext;
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use vouch_storage::trace::{continue_from, link, of, parse};

use crate::{
    Delivery, Envelope, Subscription,
    envelope::{producer_of, stream_of},
};

/// The span of one batch on its way to the bus: a trace of its own, for a batch has many parents.
pub fn relay_span(events: &[Envelope]) -> Span {
    info_span!(
        parent: None,
        "relay",
        otel.kind = "internal",
        messaging.system = "nats",
        messaging.batch.message_count = events.len(),
    )
}

/// The span of one event on its way to the bus, whose context the message is to carry. `age` is how long the event has
/// waited in the outbox, in milliseconds.
pub fn publish_span(event: &mut Envelope, age: i64, batch: &Span) -> Span {
    let Some(parent) = context_of(event).filter(SpanContext::is_sampled) else {
        return Span::none();
    };
    let span = info_span!(
        parent: None,
        "publish",
        otel.name = Empty,
        otel.kind = "producer",
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.name = %event.event_type,
        messaging.message.id = %event.id,
        messaging.nats.stream = %stream_of(producer_of(&event.event_type)),
        vouch.outbox.age_ms = age,
        error.type = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("publish {}", event.event_type));
        continue_from(&span, parent);
        link(&span, batch);
        event.traceparent = of(&span);
    }
    span
}

/// The span of one batch from the bus. It is a trace of its own, linked to the messages.
pub fn batch_span(from: &Subscription, deliveries: &[Delivery]) -> Span {
    info_span!(
        parent: None,
        "receive",
        otel.name = format!("receive {}", from.stream),
        otel.kind = "client",
        messaging.system = "nats",
        messaging.operation.name = "receive",
        messaging.operation.type = "receive",
        messaging.destination.name = %from.stream,
        messaging.destination.subscription.name = %from.durable,
        messaging.batch.message_count = deliveries.len(),
    )
}

/// The span of one message: a child of the context that it carries, linked to that and to its batch. `alone` in its
/// batch, it has one in any case: its handler works there.
pub fn message_span(event: &Envelope, attempt: u32, durable: &str, batch: &Span, alone: bool) -> Span {
    let Some(parent) = context_of(event).filter(|parent| alone || parent.is_sampled()) else {
        return Span::none();
    };
    let span = info_span!(
        parent: None,
        "process",
        otel.name = Empty,
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "nats",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = %event.event_type,
        messaging.destination.subscription.name = durable,
        messaging.message.id = %event.id,
        messaging.nats.delivery_count = attempt,
        error.type = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("process {}", event.event_type));
        batch.add_link(parent.clone());
        continue_from(&span, parent);
        link(&span, batch);
    }
    span
}

/// Says that the work of a span failed, and in which of few ways.
pub fn fail(span: &Span, why: &str) {
    span.record("otel.status_code", "ERROR").record("error.type", why);
}

fn context_of(event: &Envelope) -> Option<SpanContext> {
    event.traceparent.as_deref().and_then(parse)
}
