//! The backlog as metrics, so that an alert sees what does not move.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use vouch_messaging::Lag;
use vouch_primitives::Clock;

use crate::backlog::{Backlog, Workload};

const EVERY: Duration = Duration::from_secs(15);

struct Gauges {
    unpublished: Gauge<u64>,
    pending: Gauge<u64>,
    ack_pending: Gauge<u64>,
    dead_letters: Gauge<u64>,
    due_timers: Gauge<u64>,
    due_mails: Gauge<u64>,
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
            dead_letters: gauge("vouch.consumer.dead_letters", "{message}", "events set aside"),
            due_timers: gauge(
                "vouch.timers.due",
                "{timer}",
                "timers that should have been carried out",
            ),
            due_mails: gauge("vouch.mail.due", "{mail}", "e-mails that should have been sent"),
        }
    }

    fn record_lags(&self, lags: &[(String, Lag)]) {
        for (stream, lag) in lags {
            let labels = [KeyValue::new("stream", stream.clone())];
            self.pending.record(lag.pending, &labels);
            self.ack_pending.record(lag.unacked, &labels);
        }
    }

    fn record_stored(&self, backlog: &Backlog) {
        self.unpublished.record(backlog.unpublished_events, &[]);
        self.dead_letters.record(backlog.dead_letters, &[]);
        self.due_timers.record(backlog.due_timers, &[]);
        self.due_mails.record(backlog.due_mails, &[]);
    }
}

/// Reads the backlog every so often until `stop`. What cannot be read is left as it was: the probe tells why.
pub(super) async fn run(work: Workload, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let gauges = Gauges::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let every_tick = async {
        loop {
            ticks.tick().await;
            match work.stored(clock.now()).await {
                Ok(backlog) => gauges.record_stored(&backlog),
                Err(error) => tracing::debug!(error = vouch_storage::describe(&error), "the backlog cannot be read"),
            }
            // Apart: while the bus is away it is the outbox that matters.
            match work.on_the_bus().await {
                Ok(lags) => gauges.record_lags(&lags),
                Err(error) => tracing::debug!(error = vouch_storage::describe(&error), "the lags cannot be read"),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = every_tick => {}
    }
}
