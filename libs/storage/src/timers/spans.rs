//! What is told of timers that fire: each goes on in the trace in which it was set.

use tracing::{Span, field::Empty, info_span};

use super::{Batch, DueTimer};
use crate::trace;

/// The spans of one batch.
pub(super) struct Spans {
    /// Where the handler works: in the timer's own span if it is the only one, so that its trace goes on by itself.
    pub work: Span,
    /// The others, one for each timer, which end with the batch.
    single: Vec<Span>,
}

impl Spans {
    /// Begins them, and tells each timer its own context. A timer that nobody records gets no span where there are many:
    /// it only hands its context on.
    pub fn of(batch: &mut Batch) -> Self {
        if let [only] = &mut batch.timers[..] {
            return Self {
                work: of_one(only),
                single: Vec::new(),
            };
        }
        let work = info_span!(
            parent: None,
            "fire",
            otel.name = format!("fire {}", batch.kind),
            otel.status_code = Empty,
            timer.kind = batch.kind,
            timer.count = batch.timers.len(),
        );
        let sampled = |timer: &&mut DueTimer| {
            let parent = timer.traceparent.as_deref().and_then(trace::parse);
            parent.is_some_and(|parent| parent.is_sampled())
        };
        let single = batch.timers.iter_mut().filter(sampled).map(|timer| {
            let span = of_one(timer);
            trace::link(&span, &work);
            span
        });
        let single = single.collect();
        Self { work, single }
    }

    /// Says that the handler failed.
    pub fn failed(&self) {
        fail(&self.work);
        self.single.iter().for_each(fail);
    }
}

/// Begins the span of one timer, and tells the timer its context.
pub(super) fn of_one(timer: &mut DueTimer) -> Span {
    let span = info_span!(
        parent: None,
        "fire",
        otel.name = Empty,
        otel.status_code = Empty,
        timer.kind = timer.kind,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("fire {}", timer.kind));
        if let Some(parent) = timer.traceparent.as_deref().and_then(trace::parse) {
            trace::continue_from(&span, parent);
        }
        if let Some(own) = trace::of(&span) {
            timer.traceparent = Some(own);
        }
    }
    span
}

/// Says that the work of a span failed.
pub(super) fn fail(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
