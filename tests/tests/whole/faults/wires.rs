//! The wires are bad: between callers and services, between services, to NATS and to PostgreSQL.

use std::time::Duration;

use vouch_suite::{
    Network,
    proxy::{Proxy, Weather},
};
use vouch_testkit::{Engine, eventually};

use super::{PATIENCE, SOME, Scene, bus::has_left, plan};

/// So many faults of a kind are seen before the wires are good again.
const TIMES: u64 = 3;
/// A connection that is only half there is found out by then.
const FOUND_OUT: Duration = Duration::from_secs(40);
/// A call that fails on a wire is tried again, but by no means without end: so many tries for each answer, on average.
const TRIES: u64 = 3;

/// Everything is late.
const LATE: Weather = Weather {
    late_ms: 500,
    reset_in: 0,
    lost_in: 0,
    silent_in: 0,
};
/// Connections break, some of them between a commit and its answer.
const BROKEN: Weather = Weather {
    late_ms: 0,
    reset_in: 60,
    lost_in: 60,
    silent_in: 0,
};
/// Connections stay open, and nothing gets through in one direction.
const HALF_OPEN: Weather = Weather {
    late_ms: 0,
    reset_in: 0,
    lost_in: 0,
    silent_in: 40,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_on_bad_wires() {
    Box::pin(on_bad_wires(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: all that can be wrong with each wire, ten times, ten minutes"]
async fn long_whole_house_on_bad_wires() {
    Box::pin(on_bad_wires(10)).await;
}

async fn on_bad_wires(rounds: u32) {
    let (mut plan, seed) = plan(Engine::Postgres);
    plan.network = Some(seed);
    let mut scene = Scene::begin((plan, seed)).await;
    for _ in 0..rounds {
        for weather in [LATE, BROKEN, HALF_OPEN] {
            suffer(&mut scene, "services", weather, |network| {
                network.services.iter().collect()
            })
            .await;
            suffer(&mut scene, "nats", weather, |network| vec![&network.nats]).await;
        }
        // A transaction asks a dozen times, and holds what others wait for.
        for weather in [
            Weather { late_ms: 20, ..LATE },
            Weather {
                reset_in: 400,
                lost_in: 400,
                ..BROKEN
            },
        ] {
            suffer(&mut scene, "postgres", weather, |network| {
                network.postgres.iter().collect()
            })
            .await;
        }
    }
    scene.end().await;
}

/// The weather strikes these wires a few times while people work; when it is over all is soon as before, without anybody's
/// help.
async fn suffer(scene: &mut Scene, what: &str, weather: Weather, wires: impl Fn(&Network) -> Vec<&Proxy>) {
    let before = struck(scene, &wires);
    scene.tried();
    set(scene, &wires, weather);
    let wanted = [
        (weather.reset_in, before.0),
        (weather.lost_in, before.1),
        (weather.silent_in, before.2),
    ];
    eventually("the weather strikes", PATIENCE, async || {
        let now = struck(scene, &wires);
        let seen = [now.0, now.1, now.2];
        let enough = wanted
            .iter()
            .zip(seen)
            .all(|((one_in, before), now)| *one_in == 0 || now >= before + TIMES);
        if enough {
            Ok(())
        } else {
            Err(format!("{what}: {wanted:?}, now {now:?}"))
        }
    })
    .await;
    if weather.silent_in == 0 {
        scene.until_done(SOME, PATIENCE).await;
    }
    set(scene, &wires, Weather::default());
    scene.until_done(SOME, FOUND_OUT).await;
    eventually("events are delivered", FOUND_OUT, async || {
        has_left(scene.house()).await
    })
    .await;
    let tried = scene.tried();
    eprintln!("{what}, {weather:?}: {tried:?}");
    let refused: u64 = tried.refused.values().sum();
    assert!(
        tried.answered + refused <= TRIES * tried.answered,
        "{what}, {weather:?}: {tried:?}"
    );
}

fn set(scene: &Scene, wires: &impl Fn(&Network) -> Vec<&Proxy>, weather: Weather) {
    let network = scene.cluster.network.as_ref().expect("a network");
    wires(network).into_iter().for_each(|proxy| proxy.set(weather));
}

/// How often these wires have ended a connection, lost an answer, and fallen silent.
fn struck(scene: &Scene, wires: &impl Fn(&Network) -> Vec<&Proxy>) -> (u64, u64, u64) {
    let network = scene.cluster.network.as_ref().expect("a network");
    let faults = wires(network).into_iter().map(Proxy::faults);
    faults.fold((0, 0, 0), |sum, each| {
        (sum.0 + each.resets, sum.1 + each.lost, sum.2 + each.silent)
    })
}
