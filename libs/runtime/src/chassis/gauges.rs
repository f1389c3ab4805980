//! The backlog as metrics, so that an alert sees what does not move, and what else a service wants to have looked at.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use vouch_messaging::{Lag, Subscription};
use vouch_primitives::Timestamp;
use vouch_storage::describe;

use super::{Chassis, Look};
use crate::backlog::{Backlog, Workload};

/// A look of a service may take a twentieth of the time: one that took long is repeated the later.
const SHARE: u32 = 20;

struct Gauges {
    unpublished: Gauge<u64>,
    oldest_unpublished: Gauge<u64>,
    pending: Gauge<u64>,
    ack_pending: Gauge<u64>,
    redelivered: Gauge<u64>,
    oldest_pending: Gauge<u64>,
    dead_letters: Gauge<u64>,
    due_timers: Gauge<u64>,
    due_mails: Gauge<u64>,
    /// By stream: up to which place everything was settled, and since when that has been so.
    standing: HashMap<String, (u64, Instant)>,
}

impl Gauges {
    fn new() -> Self {
        let meter = opentelemetry::global::meter("vouch");
        let gauge = |name, unit, text| meter.u64_gauge(name).with_unit(unit).with_description(text).build();
        Self {
            unpublished: gauge(
                "vouch.outbox.unpublished",
                "{event}",
                "events that the bus has not acknowledged",
            ),
            oldest_unpublished: gauge(
                "vouch.outbox.oldest_unpublished.age",
                "s",
                "how long the oldest of them has waited",
            ),
            pending: gauge(
                "vouch.consumer.pending",
                "{message}",
                "events that were never handed out",
            ),
            ack_pending: gauge(
                "vouch.consumer.ack_pending",
                "{message}",
                "events handed out and not settled",
            ),
            redelivered: gauge(
                "vouch.consumer.redelivered",
                "{message}",
                "events handed out more than once and not settled",
            ),
            oldest_pending: gauge(
                "vouch.consumer.oldest_pending.age",
                "s",
                "how long the oldest event that is not settled has been seen to wait",
            ),
            dead_letters: gauge("vouch.consumer.dead_letters", "{message}", "events set aside"),
            due_timers: gauge(
                "vouch.timers.due",
                "{timer}",
                "timers that should have been carried out",
            ),
            due_mails: gauge("vouch.mail.due", "{mail}", "e-mails that should have been sent"),
            standing: HashMap::new(),
        }
    }

    fn record_lags(&mut self, subscriptions: &[Subscription], lags: &[(String, Lag)]) {
        for (from, (stream, lag)) in subscriptions.iter().zip(lags) {
            let labels = [
                KeyValue::new("stream", stream.clone()),
                KeyValue::new("consumer", from.durable.clone()),
            ];
            self.pending.record(lag.pending, &labels);
            self.ack_pending.record(lag.unacked, &labels);
            self.redelivered.record(lag.redelivered, &labels);
            let age = self.waiting_for(stream, *lag);
            self.oldest_pending.record(age.as_secs(), &labels);
        }
    }

    /// For how long the same event has been the oldest that is not settled. The bus tells a consumer no more than where
    /// it stands, so that this is right to one interval, and begins anew with the process.
    fn waiting_for(&mut self, stream: &str, lag: Lag) -> Duration {
        if lag.is_zero() {
            self.standing.remove(stream);
            return Duration::ZERO;
        }
        let now = Instant::now();
        let (place, since) = self.standing.entry(stream.to_owned()).or_insert((lag.settled_to, now));
        if *place != lag.settled_to {
            (*place, *since) = (lag.settled_to, now);
        }
        since.elapsed()
    }

    fn record_stored(&self, backlog: &Backlog, now: Timestamp) {
        self.unpublished.record(backlog.unpublished_events, &[]);
        let waited = backlog.oldest_unpublished.map_or(0, |oldest| {
            now.as_micros().saturating_sub(oldest.as_micros()) / 1_000_000
        });
        self.oldest_unpublished.record(u64::try_from(waited).unwrap_or(0), &[]);
        self.dead_letters.record(backlog.dead_letters, &[]);
        self.due_timers.record(backlog.due_timers, &[]);
        self.due_mails.record(backlog.due_mails, &[]);
    }
}

impl Chassis {
    /// What keeps the gauges up to date until `stop`.
    pub(super) fn gauges(&mut self, work: Workload, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let (clock, every) = (self.clock.clock(), self.config.telemetry.gauge_interval);
        let looks = std::mem::take(&mut self.looks);
        async move {
            let backlog = async {
                let mut gauges = Gauges::new();
                let mut ticks = interval(every);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    gauges.update(&work, clock.now()).await;
                }
            };
            let looks = join_all(looks.iter().map(|look| repeat(look, every)));
            tokio::select! {
                () = stop.cancelled() => {}
                () = async { tokio::join!(backlog, looks); } => {}
            }
        }
    }
}

impl Gauges {
    /// What cannot be read is left as it was: the probe tells why.
    async fn update(&mut self, work: &Workload, now: Timestamp) {
        match work.stored(now).await {
            Ok(backlog) => self.record_stored(&backlog, now),
            Err(error) => tracing::debug!(error = describe(&error), "the backlog cannot be read"),
        }
        // Apart: while the bus is away it is the outbox that matters.
        match work.on_the_bus().await {
            Ok(lags) => self.record_lags(&work.subscriptions, &lags),
            Err(error) => tracing::debug!(error = describe(&error), "the lags cannot be read"),
        }
    }
}

async fn repeat(look: &Look, every: Duration) {
    loop {
        let begun = Instant::now();
        if let Err(error) = look().await {
            tracing::warn!(error = describe(&*error), "a gauge cannot be read");
        }
        sleep(every.max(begun.elapsed() * SHARE)).await;
    }
}
