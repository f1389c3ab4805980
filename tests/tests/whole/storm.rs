//! Processes are killed while people work; the books agree with the answers to the minor unit.
//!
//! `VOUCH_STORM_SEED=17` plays another storm.

use std::{env, time::Duration};

use vouch_proto::operations::v1::FailPoint;
use vouch_suite::storm::{Storm, points};
use vouch_testkit::Engine;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_in_a_storm_on_sqlite() {
    Box::pin(storm(Engine::Sqlite, 90, 4_500, 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_in_a_storm_on_postgres() {
    Box::pin(storm(Engine::Postgres, 90, 4_500, 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 20,000 commands and 60 kills, about ten minutes"]
async fn long_whole_house_in_a_storm_on_sqlite() {
    Box::pin(storm(Engine::Sqlite, 0, 20_000, 60)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 20,000 commands and 60 kills, about ten minutes"]
async fn long_whole_house_in_a_storm_on_postgres() {
    Box::pin(storm(Engine::Postgres, 0, 20_000, 60)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_ends_at_each_fail_point_on_sqlite() {
    Box::pin(fail_points(Engine::Sqlite, 10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_ends_at_each_fail_point_on_postgres() {
    Box::pin(fail_points(Engine::Postgres, 10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: each fail point a hundred times, about ten minutes"]
async fn long_whole_house_ends_at_each_fail_point_on_sqlite() {
    Box::pin(fail_points(Engine::Sqlite, 100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: each fail point a hundred times, about ten minutes"]
async fn long_whole_house_ends_at_each_fail_point_on_postgres() {
    Box::pin(fail_points(Engine::Postgres, 100)).await;
}

async fn storm(engine: Engine, seconds: u64, commands: u64, kills: u32) {
    let seed = env::var("VOUCH_STORM_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    eprintln!("VOUCH_STORM_SEED={seed}");
    let storm = Storm {
        engine,
        seed,
        at_least: Duration::from_secs(seconds),
        commands,
        kills,
    };
    let report = storm.play(|report| eprintln!("{report}")).await;
    eprintln!("{}", report.unwrap_or_else(|error| panic!("{error}")));
}

async fn fail_points(engine: Engine, times: u32) {
    let tell = |point: FailPoint, time| eprintln!("{} {time}", point.as_str_name());
    let verdict = Box::pin(points::play(engine, times, tell)).await;
    eprintln!("{}", verdict.unwrap_or_else(|error| panic!("{error}")));
}
