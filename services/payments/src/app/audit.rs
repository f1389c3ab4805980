//! The books as they are checked all the time, for the metrics: an alert must not wait until somebody asks.

use std::sync::Arc;

use opentelemetry::{KeyValue, global, metrics::Gauge};
use vouch_primitives::{Clock, SystemClock};

use super::App;
use crate::{error::Error, store};

/// Checks the whole ledger, and tells by gauges what it has found.
#[derive(Clone, Debug)]
pub struct Audit {
    app: App,
    gauges: Arc<Gauges>,
}

#[derive(Debug)]
struct Gauges {
    imbalance: Gauge<i64>,
    mismatch: Gauge<u64>,
    paid: Gauge<i64>,
    checked: Gauge<i64>,
}

impl Audit {
    /// The check of this service's books.
    #[must_use]
    pub fn new(app: App) -> Self {
        let meter = global::meter("vouch");
        let amount = |name: &'static str, text: &'static str| meter.i64_gauge(name).with_description(text).build();
        let gauges = Gauges {
            imbalance: amount(
                "vouch.ledger.imbalance",
                "the sum of all accounts in minor units, which is zero",
            ),
            mismatch: meter
                .u64_gauge("vouch.ledger.account_mismatch")
                .with_unit("{account}")
                .with_description("accounts whose balance is not the sum of their transfers")
                .build(),
            paid: amount("vouch.rewards.paid", "what was posted for rewards, in minor units"),
            checked: meter
                .i64_gauge("vouch.ledger.last_check.timestamp")
                .with_unit("s")
                .with_description("when the books were last checked, by the clock on the wall")
                .build(),
        };
        Self {
            app,
            gauges: Arc::new(gauges),
        }
    }

    /// Checks once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(&self) -> Result<(), Error> {
        let gauges = &*self.gauges;
        for total in self.app.get_trial_balance().await? {
            let label = [KeyValue::new("currency", total.imbalance.currency.code())];
            gauges.imbalance.record(total.imbalance.minor, &label);
            gauges.mismatch.record(total.wrong_balances, &label);
        }
        for paid in store::rewards::sums(self.app.commands.db().reader()).await? {
            let label = [KeyValue::new("currency", paid.currency.code())];
            gauges.paid.record(paid.minor, &label);
        }
        gauges.checked.record(SystemClock.now().as_micros() / 1_000_000, &[]);
        Ok(())
    }
}
