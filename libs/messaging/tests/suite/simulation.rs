//! The whole way on a bus that duplicates, reorders and loses, seed by seed.

use std::sync::{Arc, atomic::Ordering};

use futures::future::join_all;
use vouch_messaging::MemoryBus;
use vouch_testkit::{Engine, TestDatabase, on_both_databases};

use crate::{
    buses::{Publishing, WatchedBus},
    harness::{App, House},
};

const SEEDS: i64 = 100;
const LANES: i64 = 4;
const EVENTS: i64 = 60;

on_both_databases! { the_sum_is_exact_under_every_seed }

async fn the_sum_is_exact_under_every_seed(database: TestDatabase) {
    let engine = database.engine();
    let delivered = join_all((0..LANES).map(|lane| seeds_of(lane, engine)))
        .await
        .iter()
        .sum::<u64>();
    let needed = (SEEDS * EVENTS).unsigned_abs();
    assert!(
        delivered > needed * 5 / 4,
        "{delivered} deliveries for {needed} events prove nothing"
    );
}

/// Every fourth seed, on one database. Returns how many deliveries there were.
async fn seeds_of(lane: i64, engine: Engine) -> u64 {
    let house = House::build(TestDatabase::new(engine).await).await;
    let mut delivered = 0;
    for (done, seed) in (1..).zip((lane..SEEDS).step_by(4)) {
        delivered += one_seed(&house, seed.unsigned_abs()).await;
        let expected = (done * EVENTS, done * (0..EVENTS).sum::<i64>());
        assert_eq!(house.tally().await, expected, "seed {seed}");
        assert!(house.dead().await.is_empty(), "seed {seed}");
    }
    delivered
}

async fn one_seed(house: &House, seed: u64) -> u64 {
    let bus = WatchedBus::over(MemoryBus::new(seed), Publishing::Works);
    let app = Arc::<App>::default();
    for round in 0..3 {
        // Relay and consumer die in every round, wherever they happen to be.
        let workers = [house.relay(&bus), house.consumer(&bus, &app)];
        for part in 0..4 {
            let first = round * 20 + part * 5;
            house.settle(first..first + 5).await;
        }
        for worker in workers {
            worker.kill().await;
        }
    }
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    house.quiet(&bus).await;
    for worker in workers {
        worker.kill().await;
    }
    bus.delivered.load(Ordering::Relaxed)
}
