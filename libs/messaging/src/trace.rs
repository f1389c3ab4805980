//! W3C trace context between the current span, an outbox row, a message's headers and a consumer's spans.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{Delivery, Envelope, Subscription};

/// The `traceparent` of the current span, if it is part of a trace.
pub fn current_traceparent() -> Option<String> {
    traceparent_of(&Span::current())
}

/// The `traceparent` of a span, if it is part of a trace.
pub fn traceparent_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span_context = context.span().span_context().clone();
    span_context.is_valid().then(|| {
        let flags = span_context.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", span_context.trace_id(), span_context.span_id())
    })
}

/// The span of one batch. It is a trace of its own, for a batch has many parents; the spans of its messages link to it.
pub fn batch_span(from: &Subscription, deliveries: &[Delivery]) -> Span {
    info_span!(
        parent: None,
        "receive",
        otel.kind = "client",
        messaging.system = "nats",
        messaging.operation.type = "receive",
        messaging.destination.name = %from.stream,
        messaging.destination.subscription.name = %from.durable,
        messaging.batch.message_count = deliveries.len(),
    )
}

/// The span of one message: a child of the context that the message carries, linked to its batch.
pub fn message_span(event: &Envelope, attempt: u32, durable: &str, batch: &Span) -> Span {
    let Some(parent) = event.traceparent.as_deref().and_then(parse) else {
        return Span::none();
    };
    let span = info_span!(
        parent: None,
        "process",
        otel.name = Empty,
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.type = "process",
        messaging.destination.name = %event.event_type,
        messaging.destination.subscription.name = durable,
        messaging.message.id = %event.id,
        messaging.nats.delivery_count = attempt,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("process {}", event.event_type));
        // The only failure is that no tracer is installed; then there is nothing to be a child of.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        span.add_link(batch.context().span().span_context().clone());
    }
    span
}

/// Reads version 00 of the header, and what later versions promise to keep of it.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed =
        version.len() == 2 && version != "ff" && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    if !well_formed || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_contexts_are_followed() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = parse(good).expect("valid");
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(context.is_sampled() && context.is_remote());
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c8031zz-b7ad6b7169203331-01",
            "00-0af7-b7ad6b7169203331-01",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
