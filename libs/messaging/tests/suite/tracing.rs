//! One trace from the transaction that makes a fact true to the handler that applies it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use opentelemetry::trace::{SpanContext, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use sea_orm::{ConnectionTrait, Statement};
use tracing::{Instrument, info_span, subscriber::DefaultGuard};
use tracing_subscriber::layer::SubscriberExt;
use vouch_messaging::{Fact, MemoryBus, NewEvent};
use vouch_primitives::{EventId, Uuid};
use vouch_testkit::{Engine, TestDatabase};

use crate::harness::{App, EarningSettled, House, append, now};

#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// Collects the spans of this thread, which on a current-thread runtime is everything that the library does.
fn collect() -> (Spans, SdkTracerProvider, DefaultGuard) {
    let spans = Spans::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    (spans, provider, guard)
}

#[tokio::test]
async fn a_fact_carries_its_trace_to_its_handler() {
    for engine in Engine::BOTH {
        let house = House::build(TestDatabase::new(engine).await).await;
        let (bus, app) = (Arc::new(MemoryBus::faultless()), Arc::<App>::default());
        let (spans, provider, guard) = collect();
        let mut requests = vec![
            ("first", request(&house, "first").await),
            ("second", request(&house, "second").await),
        ];
        let workers = [house.relay(&bus), house.consumer(&bus, &app)];
        house.quiet(&bus).await;
        // One event alone, so that its handler works in the event's own span.
        requests.push(("lonely", request(&house, "lonely").await));
        house.quiet(&bus).await;
        let stored = stored_traceparents(&house).await;
        for worker in workers {
            worker.stop().await;
        }
        drop(guard);
        provider.shutdown().expect("spans are exported");

        let spans = spans.0.lock().unwrap().clone();
        let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
        for (name, id) in requests {
            let request = &named(name)[0].span_context;
            assert_eq!(stored[&id], traceparent(request), "in the outbox");
            let mut processed = named("process vouch.payments.v1.EarningSettled");
            processed.retain(|span| attribute(span, "messaging.message.id") == id.to_string());
            let [process] = processed[..] else {
                panic!("{} spans for one delivery", processed.len())
            };
            assert_eq!(process.parent_span_id, request.span_id());
            assert_eq!(process.span_context.trace_id(), request.trace_id());
            assert!(process.parent_span_is_remote);
            let [link] = &process.links.links[..] else {
                panic!("{} links", process.links.len())
            };
            assert!(
                named("receive")
                    .iter()
                    .any(|batch| batch.span_context == link.span_context),
                "linked to its batch"
            );
            // What the handler may hand on to the facts that follow from this one.
            assert!(
                app.traces
                    .lock()
                    .unwrap()
                    .contains(&Some(traceparent(&process.span_context)))
            );

            let handled_in_it = named("handled")
                .iter()
                .any(|span| span.parent_span_id == process.span_context.span_id());
            assert_eq!(handled_in_it, name == "lonely");
        }
    }
}

#[tokio::test]
async fn what_follows_from_a_fact_is_in_the_trace_of_the_fact() {
    for engine in Engine::BOTH {
        let house = House::build(TestDatabase::new(engine).await).await;
        let (_spans, _provider, _guard) = collect();
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let cause = Fact {
            id: EventId::new(),
            time: now(),
            body: (),
            traceparent: Some(trace.to_owned()),
        };
        let effect = NewEvent::new(Uuid::nil(), &EarningSettled { amount: 3 }).caused_by(&cause);
        append(&house.db, std::slice::from_ref(&effect))
            .instrument(info_span!("a batch"))
            .await;
        assert_eq!(stored_traceparents(&house).await[&effect.id()], trace);
    }
}

/// One earning, settled in a span called `name`.
async fn request(house: &House, name: &str) -> EventId {
    let ids = house
        .settle([1])
        .instrument(info_span!(parent: None, "request", otel.name = name))
        .await;
    ids[0]
}

fn traceparent(context: &SpanContext) -> String {
    format!("00-{}-{}-01", context.trace_id(), context.span_id())
}

fn attribute(span: &SpanData, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

async fn stored_traceparents(house: &House) -> HashMap<EventId, String> {
    let query = Statement::from_string(house.db.backend(), "SELECT event_id, traceparent FROM outbox");
    let rows = house.db.reader().query_all_raw(query).await.expect("a query");
    let read = |row: &sea_orm::QueryResult| {
        let id = row.try_get("", "event_id").expect("an id");
        (
            EventId::from_uuid(id),
            row.try_get("", "traceparent").expect("a traceparent"),
        )
    };
    rows.iter().map(read).collect()
}
