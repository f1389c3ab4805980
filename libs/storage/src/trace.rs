//! The trace that goes on behind a row: whoever stores work for later keeps the W3C context of the span in which it was
//! asked for, and whoever does it continues from there.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The `traceparent` of the current span, if it is part of a trace.
#[must_use]
pub fn current() -> Option<String> {
    of(&Span::current())
}

/// The `traceparent` of a span, if it is part of a trace.
#[must_use]
pub fn of(span: &Span) -> Option<String> {
    let context = span.context();
    let span_context = context.span().span_context().clone();
    span_context.is_valid().then(|| {
        let flags = span_context.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", span_context.trace_id(), span_context.span_id())
    })
}

/// Makes a span a child of `parent`, linked to it as well, since much time may lie between the two. Call it before the
/// span is entered.
pub fn continue_from(span: &Span, parent: SpanContext) {
    // The only failure is that no tracer is installed; then there is nothing to be a child of.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent.clone()));
    span.add_link(parent);
}

/// Links a span to another one of this process.
pub fn link(span: &Span, to: &Span) {
    span.add_link(to.context().span().span_context().clone());
}

/// Reads version 00 of the header, and what later versions promise to keep of it.
#[must_use]
pub fn parse(traceparent: &str) -> Option<SpanContext> {
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
