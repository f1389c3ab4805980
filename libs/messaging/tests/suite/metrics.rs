//! What is counted when something goes wrong.

use std::sync::Arc;

use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use vouch_testkit::{Engine, TestDatabase, eventually};

use crate::{
    buses::{Publishing, WatchedBus},
    harness::{App, House, REJECTED, SOON},
};

/// One process, one meter: so this file has one test.
#[tokio::test]
async fn failures_to_publish_and_dead_letters_are_counted() {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .expect("a reader");
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader).build());
    let told = |name: &str, label: &str| {
        let text = TextEncoder::new().encode_to_string(&registry.gather()).expect("a text");
        let wanted = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
        let value = text.lines().find(wanted).and_then(|line| line.rsplit_once(' '));
        value.map_or(0, |(_, value)| value.parse::<u64>().expect("a number"))
    };
    let house = House::build(TestDatabase::new(Engine::Sqlite).await).await;
    let (bus, app) = (WatchedBus::new(Publishing::Works), Arc::<App>::default());
    let [_, refused] = house.settle([REJECTED, 2]).await[..] else {
        panic!("two events")
    };
    *bus.refused.lock().unwrap() = Some(refused);
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    eventually("a refusal", SOON, async || {
        let failures = told("vouch_outbox_publish_failures_total", "error_type=\"refused\"");
        (failures > 0).then_some(()).ok_or_else(|| failures.to_string())
    })
    .await;
    *bus.refused.lock().unwrap() = None;
    house.quiet(&bus).await;
    let failures = told("vouch_outbox_publish_failures_total", "error_type=\"refused\"");
    assert!((1..20).contains(&failures), "{failures}");
    let sent = told("messaging_client_sent_messages_total", "EarningSettled");
    let dead = told("vouch_consumer_dead_lettered_total", "reason=\"REJECTED\"");
    let applied = told("messaging_process_duration_seconds_count", "VOUCH_PAYMENTS");
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!((sent, dead), (2, 1));
    assert!(applied > 0);
}
