//! What the programme owes in all, for the metrics: held against what payments has paid, it tells that all is well.

use opentelemetry::{KeyValue, global, metrics::Gauge};

use super::App;
use crate::{error::Error, store};

/// Sums up what was released, and tells it by a gauge.
#[derive(Clone, Debug)]
pub struct Audit {
    app: App,
    qualified: Gauge<i64>,
}

impl Audit {
    /// The sums of this service.
    #[must_use]
    pub fn new(app: App) -> Self {
        let qualified = global::meter("vouch")
            .i64_gauge("vouch.rewards.qualified")
            .with_description("what was released as rewards, in minor units")
            .build();
        Self { app, qualified }
    }

    /// Sums up once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn check(&self) -> Result<(), Error> {
        for (currency, released) in store::ties::released_to_all(self.app.commands.db().reader()).await? {
            let label = [KeyValue::new("currency", currency.code())];
            self.qualified.record(released.minor, &label);
        }
        Ok(())
    }
}
