//! Whether the service can work: its database answers. While the bus is away calls go on and their events wait in the
//! outbox, so that the bus has a health entry of its own and takes no service out of rotation.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use vouch_messaging::Bus;
use vouch_storage::Db;

use crate::server::Health;

const EVERY: Duration = Duration::from_secs(1);
/// A database that takes so long to answer a ping will not answer anything else.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps the readiness up to date until `stop`.
pub(super) async fn run(db: Db, bus: Arc<dyn Bus>, health: Health, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = watch(&db, &*bus, &health) => {}
    }
}

async fn watch(db: &Db, bus: &dyn Bus, health: &Health) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        ticks.tick().await;
        let database = matches!(timeout(PATIENCE, db.ping()).await, Ok(Ok(())));
        let connected = bus.is_connected();
        if told != Some((database, connected)) {
            told = Some((database, connected));
            health.set_bus(connected).await;
            health.set_ready(database).await;
            if database && connected {
                tracing::info!("ready");
            } else {
                tracing::warn!(database, bus = connected, ready = database, "not all is there");
            }
        }
    }
}
