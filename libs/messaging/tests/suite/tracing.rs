//! One trace from the transaction that makes a fact true to the handler that applies it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TracerProvider};
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
            let [publish] = &of_message(&spans, "publish", id)[..] else {
                panic!("not one span for one publication of {name}")
            };
            assert_eq!(publish.parent_span_id, request.span_id());
            assert_eq!(publish.span_kind, SpanKind::Producer);
            assert!(links_to(publish, &named("relay")), "linked to its batch");
            let [process] = &of_message(&spans, "process", id)[..] else {
                panic!("not one span for one delivery of {name}")
            };
            assert_eq!(process.parent_span_id, publish.span_context.span_id());
            assert_eq!(process.span_context.trace_id(), request.trace_id());
            assert_eq!(process.span_kind, SpanKind::Consumer);
            assert!(process.parent_span_is_remote);
            let batches = named("receive VOUCH_PAYMENTS");
            assert!(links_to(process, &batches), "linked to its batch");
            assert!(links_to(process, &[publish]), "linked to its message");
            assert!(
                batches.iter().any(|batch| links_to(batch, &[publish])),
                "and the batch to it"
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
async fn each_try_of_a_handler_has_a_span_and_one_that_failed_says_so() {
    for engine in Engine::BOTH {
        let house = House::build(TestDatabase::new(engine).await).await;
        let (bus, app) = (Arc::new(MemoryBus::faultless()), Arc::<App>::default());
        let (spans, provider, guard) = collect();
        app.not_ready.lock().unwrap().insert(1, 1);
        let id = request(&house, "request").await;
        let workers = [house.relay(&bus), house.consumer(&bus, &app)];
        house.quiet(&bus).await;
        for worker in workers {
            worker.stop().await;
        }
        drop(guard);
        provider.shutdown().expect("spans are exported");

        let spans = spans.0.lock().unwrap().clone();
        let [publish] = &of_message(&spans, "publish", id)[..] else {
            panic!("not one publication")
        };
        let tries: Vec<_> = of_message(&spans, "process", id)
            .into_iter()
            .map(|span| {
                assert_eq!(span.parent_span_id, publish.span_context.span_id());
                let failed = matches!(span.status, Status::Error { .. });
                let count = attribute(&span, "messaging.nats.delivery_count");
                (count, failed, attribute(&span, "error.type"))
            })
            .collect();
        let mut tries: Vec<_> = tries
            .iter()
            .map(|(count, failed, why)| (&**count, *failed, &**why))
            .collect();
        // A span ends when the last part of the driver has let go of it, which may be after the next one.
        tries.sort_unstable();
        assert_eq!(tries, [("1", true, "not_yet"), ("2", false, "")]);
    }
}

#[tokio::test]
async fn what_nobody_records_costs_no_spans_and_keeps_its_trace() {
    for engine in Engine::BOTH {
        let house = House::build(TestDatabase::new(engine).await).await;
        let (bus, app) = (Arc::new(MemoryBus::faultless()), Arc::<App>::default());
        let (spans, provider, guard) = collect();
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let event = |amount| NewEvent::new(Uuid::nil(), &EarningSettled { amount }).continuing(Some(trace.to_owned()));
        append(&house.db, &[event(1), event(2)]).await;
        let workers = [house.relay(&bus), house.consumer(&bus, &app)];
        house.quiet(&bus).await;
        for worker in workers {
            worker.stop().await;
        }
        drop(guard);
        provider.shutdown().expect("spans are exported");
        let spans = spans.0.lock().unwrap().clone();
        let names: Vec<_> = spans.iter().map(|span| span.name.to_string()).collect();
        assert!(names.iter().any(|name| name.starts_with("receive ")), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("p")), "{names:?}");
        assert_eq!(
            *app.traces.lock().unwrap(),
            [Some(trace.to_owned()), Some(trace.to_owned())]
        );
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

/// The spans that say `doing` of this message.
fn of_message(spans: &[SpanData], doing: &str, id: EventId) -> Vec<SpanData> {
    let name = format!("{doing} vouch.payments.v1.EarningSettled");
    let about = |span: &&SpanData| span.name == name && attribute(span, "messaging.message.id") == id.to_string();
    spans.iter().filter(about).cloned().collect()
}

fn links_to(span: &SpanData, any: &[&SpanData]) -> bool {
    let linked = |other: &&SpanData| {
        let context = &other.span_context;
        let same = |link: &Link| {
            link.span_context.span_id() == context.span_id() && link.span_context.trace_id() == context.trace_id()
        };
        span.links.iter().any(same)
    };
    any.iter().any(linked)
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
