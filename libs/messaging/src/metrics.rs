//! What is measured of events on their way: once for each batch, not for each event, wherever that says the same.

use std::{collections::HashMap, time::Duration};

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};

use crate::{BusError, Delivery, Envelope, Subscription, dead_letter::NewDeadLetter};

/// From a millisecond to the ten seconds after which a statement is given up.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Of the relay.
pub struct Publishing {
    sent: Counter<u64>,
    failures: Counter<u64>,
}

/// Of a consumer.
pub struct Consuming {
    consumed: Counter<u64>,
    duration: Histogram<f64>,
    dead_lettered: Counter<u64>,
}

impl Publishing {
    pub fn new() -> Self {
        Self {
            sent: counter(
                "messaging.client.sent.messages",
                "{message}",
                "events that the bus was given",
            ),
            failures: counter(
                "vouch.outbox.publish_failures",
                "{event}",
                "attempts to publish an event that came to nothing",
            ),
        }
    }

    /// Counts a batch that was published, and what of it was not.
    pub fn record(&self, events: &[Envelope], answers: &[Result<(), BusError>]) {
        let mut sent: HashMap<&str, u64> = HashMap::new();
        let mut failed: HashMap<&str, u64> = HashMap::new();
        for (event, answer) in events.iter().zip(answers) {
            match answer {
                Ok(()) => *sent.entry(&event.event_type).or_default() += 1,
                Err(error) => *failed.entry(error.kind()).or_default() += 1,
            }
        }
        for (event_type, count) in sent {
            let destination = KeyValue::new("messaging.destination.name", event_type.to_owned());
            self.sent.add(count, &[system(), destination]);
        }
        for (kind, count) in failed {
            self.failures
                .add(count, &[KeyValue::new("error.type", kind.to_owned())]);
        }
    }
}

impl Consuming {
    pub fn new() -> Self {
        Self {
            consumed: counter(
                "messaging.client.consumed.messages",
                "{message}",
                "events that the bus has handed out",
            ),
            duration: global::meter("vouch")
                .f64_histogram("messaging.process.duration")
                .with_description("how long it took to apply a batch of events")
                .with_unit("s")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            dead_lettered: counter(
                "vouch.consumer.dead_lettered",
                "{message}",
                "events that were set aside",
            ),
        }
    }

    /// Counts what was handed out.
    pub fn received(&self, from: &Subscription, deliveries: &[Delivery]) {
        let count = u64::try_from(deliveries.len()).unwrap_or(u64::MAX);
        self.consumed.add(count, &of_consumer(from));
    }

    /// Measures a transaction that applied events, or failed to, and why.
    pub fn processed(&self, from: &Subscription, took: Duration, failed: Option<&'static str>) {
        let mut labels = of_consumer(from).to_vec();
        labels.extend(failed.map(|why| KeyValue::new("error.type", why)));
        self.duration.record(took.as_secs_f64(), &labels);
    }

    /// Counts what was set aside.
    pub fn set_aside(&self, from: &Subscription, letters: &[&NewDeadLetter]) {
        for letter in letters {
            let labels = [
                KeyValue::new("stream", from.stream.clone()),
                KeyValue::new("consumer", from.durable.clone()),
                KeyValue::new("reason", letter.reason.to_string()),
            ];
            self.dead_lettered.add(1, &labels);
        }
    }
}

fn counter(name: &'static str, unit: &'static str, text: &'static str) -> Counter<u64> {
    global::meter("vouch")
        .u64_counter(name)
        .with_unit(unit)
        .with_description(text)
        .build()
}

fn of_consumer(from: &Subscription) -> [KeyValue; 3] {
    [
        system(),
        KeyValue::new("messaging.destination.name", from.stream.clone()),
        KeyValue::new("messaging.destination.subscription.name", from.durable.clone()),
    ]
}

fn system() -> KeyValue {
    KeyValue::new("messaging.system", "nats")
}
