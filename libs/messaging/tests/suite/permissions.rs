//! What stands behind the permissions of NATS, which guard subjects and tell nobody but the connection.

use std::{
    io,
    sync::{Arc, Mutex},
};

use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;
use tracing_subscriber::fmt::MakeWriter;
use vouch_messaging::{Bus, BusError, JetStream, NatsConfig, dead_letter::Reason};
use vouch_primitives::EventId;
use vouch_testkit::{Authority, NatsServer, TestDatabase, eventually, on_both_databases};

use crate::{
    harness::{SOON, subscription},
    jetstream::{World, stop},
};

on_both_databases! {
    nats_delivers_a_type_that_its_subject_does_not_name_and_it_is_parked,
}

async fn nats_delivers_a_type_that_its_subject_does_not_name_and_it_is_parked(database: TestDatabase) {
    let world = World::build(database).await;
    let workers = world.workers();
    let (context, _) = world.stream().await;
    let id = EventId::new().to_string();
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in [
        ("ce-id", id.as_str()),
        ("ce-type", "vouch.payments.v1.EarningReversed"),
        ("ce-source", "/vouch/payments"),
        ("ce-time", "2026-01-01T00:00:00Z"),
        ("ce-subject", "00000000-0000-0000-0000-000000000000"),
    ] {
        headers.insert(name, value);
    }
    let sent = context
        .publish_with_headers("vouch.payments.v1.EarningSettled", headers, "".into())
        .await
        .expect("sent");
    sent.await.expect("stored");
    world.house.quiet(&world.bus).await;

    assert_eq!(world.house.tally().await, (0, 0));
    let dead = world.house.dead().await;
    let [forged] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(forged.reason, Reason::Malformed);
    assert_eq!(
        forged.error,
        "header ce-type: vouch.payments.v1.EarningReversed came as vouch.payments.v1.EarningSettled"
    );
    stop(workers).await;
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// On a current-thread runtime the connection works on this thread, and so logs here.
#[tokio::test]
async fn nats_refusals_are_logged_and_counted() {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .expect("a reader");
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader).build());
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let nats = NatsServer::start_with(
        "authorization { users: [{ user: joe, password: joe, permissions { publish: [\"x\"], subscribe: [\"_INBOX_referral.>\"] } }] }",
    )
    .await
    .expect("nats");
    let config = NatsConfig {
        url: nats.url(),
        user: "joe".to_owned(),
        password: "joe".to_owned(),
        ..NatsConfig::default()
    };
    let bus = JetStream::connect(&config, "referral").await.expect("a bus");
    eventually("a connection", SOON, async || {
        bus.is_connected().then_some(()).ok_or_else(String::new)
    })
    .await;
    let refused = bus.lag(&subscription()).await.expect_err("refused");
    assert!(matches!(refused, BusError::TimedOut), "{refused}");

    let text = lines.text();
    let line = text.lines().find(|line| line.contains("nats refuses"));
    let subject = "$JS.API.CONSUMER.INFO.VOUCH_PAYMENTS.referral";
    assert!(
        line.is_some_and(|line| line.contains("ERROR") && line.contains(subject)),
        "{text}"
    );
    let counted = registry
        .gather()
        .iter()
        .find(|family| family.name().starts_with("vouch_bus_refusals"))
        .map(|family| family.get_metric()[0].get_counter().get_value());
    assert_eq!(counted, Some(1.0));
}

#[tokio::test]
async fn nats_over_tls_knows_us_and_we_know_it() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.issue("server");
    let nats = NatsServer::start_with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        server.certificate_file,
        server.key_file,
        ours.ca_file()
    ))
    .await
    .expect("nats");
    let client = ours.issue("client");
    let good = NatsConfig {
        url: nats.url(),
        require_tls: true,
        ca_file: ours.ca_file(),
        certificate_file: client.certificate_file,
        key_file: client.key_file,
        ..NatsConfig::default()
    };
    let bus = JetStream::connect(&good, "referral").await.expect("a bus");
    bus.provision("referral", &[]).await.expect("provisioned");

    let stranger = other.issue("stranger");
    let nobody = NatsConfig {
        certificate_file: String::new(),
        key_file: String::new(),
        ..good.clone()
    };
    let distrustful = NatsConfig {
        ca_file: other.ca_file(),
        ..good.clone()
    };
    let untrusted = NatsConfig {
        certificate_file: stranger.certificate_file,
        key_file: stranger.key_file,
        ..good.clone()
    };
    let refusals = [nobody, distrustful, untrusted].map(|config| async move {
        let bus = JetStream::connect(&config, "referral").await.expect("a bus");
        bus.provision("referral", &[]).await.expect_err("refused")
    });
    for error in futures::future::join_all(refusals).await {
        assert!(matches!(error, BusError::Unreachable { .. }), "{error}");
    }
    let absent = NatsConfig {
        ca_file: "/nowhere/ca.pem".to_owned(),
        ..good
    };
    let error = JetStream::connect(&absent, "referral")
        .await
        .err()
        .map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("/nowhere/ca.pem")));
}
