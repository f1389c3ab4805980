//! Forgetting what nobody can ask for any more, a little at a time, beside the work.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use vouch_messaging::{outbox, prune_inbox};
use vouch_primitives::{Clock, SystemClock, Timestamp};
use vouch_storage::{Db, StorageError, describe, idempotency};

const EVERY: Duration = Duration::from_secs(3600);
/// A write transaction stays short, so that nobody waits for it.
const ROWS: u64 = 500;
/// The pause between two of them.
const BREATH: Duration = Duration::from_millis(50);
/// How long the answer to a request is remembered [domain: idempotency].
const REQUESTS_DAYS: u32 = 30;
/// How much longer than the bus an outbox keeps its events, so that a lost stream can be published again.
const BEYOND_THE_BUS_DAYS: u32 = 30;

/// The moments before which things are forgotten. An inbox must remember longer than any outbox can publish again.
struct Horizons {
    outbox: Timestamp,
    inbox: Timestamp,
    requests: Timestamp,
}

impl Horizons {
    fn at(now: Timestamp, bus_days: u32) -> Self {
        let before = |days: u32| now.saturating_sub(Duration::from_secs(u64::from(days) * 86_400));
        let outbox = bus_days.saturating_add(BEYOND_THE_BUS_DAYS);
        Self {
            outbox: before(outbox),
            inbox: before(outbox.saturating_mul(2)),
            requests: before(REQUESTS_DAYS),
        }
    }
}

/// Sweeps every hour until `stop`. Events stay on the bus for `bus_days`.
pub(super) async fn run(db: Db, bus_days: u32, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let every_tick = async {
        loop {
            ticks.tick().await;
            match sweep(&db, &Horizons::at(SystemClock.now(), bus_days)).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "old requests and events are forgotten"),
                Err(error) => tracing::warn!(error = describe(&error), "old rows cannot be removed"),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = every_tick => {}
    }
}

async fn sweep(db: &Db, before: &Horizons) -> Result<u64, StorageError> {
    let mut all = 0;
    loop {
        let rows = db
            .write_tx(|txn| async move {
                let outbox = outbox::prune(&txn, before.outbox, ROWS).await?;
                let inbox = prune_inbox(&txn, before.inbox, ROWS).await?;
                let requests = idempotency::prune(&txn, before.requests, ROWS).await?;
                Ok::<_, StorageError>(outbox + inbox + requests)
            })
            .await?;
        all += rows;
        if rows < ROWS {
            return Ok(all);
        }
        tokio::time::sleep(BREATH).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sea_orm_migration::{MigrationTrait, MigratorTrait};
    use vouch_messaging::NewEvent;
    use vouch_primitives::{RequestId, Uuid};
    use vouch_proto::payments::v1::EarningSettled;
    use vouch_storage::{
        DatabaseConfig, Txn,
        idempotency::{Claimed, RequestKey},
        migrate,
    };
    use vouch_testkit::{TestDatabase, on_both_databases};

    use super::*;

    struct Migrator;

    impl MigratorTrait for Migrator {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            let mut all = vouch_storage::migrations();
            all.extend(vouch_messaging::migrations());
            all
        }
    }

    on_both_databases! { what_is_old_goes_and_what_is_young_or_unpublished_stays }

    async fn what_is_old_goes_and_what_is_young_or_unpublished_stays(database: TestDatabase) {
        let url = database.url().to_owned();
        let db = Db::connect(&DatabaseConfig {
            url,
            max_connections: 5,
        })
        .await
        .expect("connected");
        migrate::<Migrator>(&db).await.expect("tables");
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a moment");
        let request = |at: Timestamp| {
            let (db, key) = (&db, key());
            async move {
                let claimed = &key;
                let claim = |txn: Arc<Txn>| async move { idempotency::claim(&txn, at, claimed).await };
                assert_eq!(db.write_tx(claim).await.expect("claimed"), Claimed::Fresh);
            }
        };
        let ago = |days: u64| now.saturating_sub(Duration::from_secs(days * 86_400));
        for days in [400, 31, 29, 0] {
            request(ago(days)).await;
        }
        let event = &[NewEvent::new(Uuid::nil(), &EarningSettled::default())];
        db.write_tx(|txn| async move { outbox::append(&txn, ago(400), event).await })
            .await
            .expect("recorded");
        assert_eq!(sweep(&db, &Horizons::at(now, 30)).await.expect("swept"), 2);
        assert_eq!(outbox::pending(db.reader()).await.expect("counted"), 1);
        assert_eq!(sweep(&db, &Horizons::at(now, 30)).await.expect("swept"), 0);
    }

    fn key() -> RequestKey {
        RequestKey {
            id: RequestId::new(),
            method: "test".to_owned(),
            hash: [7; 32],
        }
    }
}
