//! NATS is away, full, or has lost all that it had.

use std::{collections::BTreeSet, time::Duration};

use tonic::{Response, Status};
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::{convert::to_wire_time, operations::v1 as operations};
use vouch_suite::{Cluster, SERVICES, storm::House};
use vouch_testkit::{Engine, SmallDisk, eventually};

use super::{NOT_YET, PATIENCE, PAYMENTS, REFERRAL, Scene, plan};

/// Small enough for all four streams on a small disk.
const STREAM_BYTES: (&str, &str) = ("NATS__MAX_BYTES", "8000000");
const DISK_MEGABYTES: u32 = 64;
/// So many events wait, so that it can be seen that some do.
const MANY: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_without_nats() {
    Box::pin(without_nats(Duration::from_secs(8))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: half a minute without NATS, one in all"]
async fn long_whole_house_without_nats() {
    Box::pin(without_nats(Duration::from_secs(30))).await;
}

async fn without_nats(away: Duration) {
    let disk = SmallDisk::mount(DISK_MEGABYTES).expect("a disk or none");
    let (mut plan, seed) = plan(Engine::Sqlite);
    plan.settings.push(STREAM_BYTES);
    plan.nats_in = disk.as_ref().map(|disk| disk.path().to_owned());
    let mut scene = Scene::begin((plan, seed)).await;

    scene.cluster.nats.stop().await.expect("stopped");
    scene.endure(away).await;
    scene.all_ready().await;
    assert_all_taken(&scene, "without nats");
    assert!(unpublished(scene.house(), PAYMENTS).await >= MANY);
    scene.cluster.nats.start_again().await.expect("started");
    all_delivered(&scene).await;

    if let Some(disk) = &disk {
        disk.fill().expect("filled");
        eventually("the bus takes nothing more", PATIENCE, async || {
            match unpublished(scene.house(), PAYMENTS).await {
                waiting if waiting >= MANY => Ok(()),
                waiting => Err(format!("{waiting} wait")),
            }
        })
        .await;
        scene.endure(away / 2).await;
        scene.all_ready().await;
        assert_all_taken(&scene, "on a full disk of nats");
        disk.free().expect("freed");
        scene.cluster.nats.restart().await.expect("started");
        all_delivered(&scene).await;
    }

    lose_the_store(scene).await;
}

/// Waits until everybody has applied all that was told until now.
async fn all_delivered(scene: &Scene) {
    let until = scene.house().story.clock.now().await.expect("the time");
    eventually("all is delivered", PATIENCE, async || {
        for (index, name) in SERVICES.iter().enumerate() {
            let missing = missing(&scene.cluster, index, until, &[]).await?;
            if !missing.is_empty() {
                return Err(format!("{name} lacks {missing:?}"));
            }
        }
        Ok(())
    })
    .await;
}

/// Events are published that referral does not take; then NATS has a new, empty store. What was lost comes again from the
/// outboxes.
async fn lose_the_store(mut scene: Scene) {
    scene.cluster.kill(REFERRAL).await.expect("killed");
    let before = scene.house().commands();
    eventually("events that referral does not hear", PATIENCE, async || {
        let waiting = unpublished(scene.house(), PAYMENTS).await;
        match scene.house().commands() - before {
            more if more >= 5 * MANY && waiting == 0 => Ok(()),
            more => Err(format!("{more} commands, {waiting} events wait")),
        }
    })
    .await;
    scene.cluster.nats.stop().await.expect("stopped");
    scene.cluster.nats.wipe().expect("wiped");
    scene.cluster.nats.start_again().await.expect("started");
    for index in 0..SERVICES.len() {
        scene.cluster.migrate(index).await.expect("streams and consumers");
    }
    scene.cluster.start_again(REFERRAL).await.expect("started again");
    // Who called referral meanwhile found nobody, which is no news.
    scene.tried();
    scene.until_done(MANY, PATIENCE).await;
    assert_all_taken(&scene, "with an empty store of nats");

    let Scene { cluster, crowd } = scene;
    let house = crowd.disperse().await.expect("everybody has an answer");
    house.story.clock.settle().await.expect("at rest");
    bring_back(&cluster, &house).await;
    let verdict = Box::pin(house.aftermath(cluster)).await;
    eprintln!("{}", verdict.unwrap_or_else(|error| panic!("{error}")));
}

/// What payments has told is published again as a whole, what the others have told by name.
async fn bring_back(cluster: &Cluster, house: &House) {
    let until = house.story.clock.now().await.expect("the time").add_days(1);
    let lost = missing(cluster, REFERRAL, until, &[]).await.expect("told");
    assert!(!lost.is_empty(), "nothing was lost, so that nothing is shown");
    let all = operations::PublishRangeAgainRequest {
        request_id: RequestId::new().to_string(),
        from_time: Some(to_wire_time("2026-01-01T00:00:00Z".parse().expect("a moment"))),
        until_time: Some(to_wire_time(until)),
    };
    let mut payments = house.story.clients.operations[PAYMENTS].clone();
    let again = payments.publish_range_again(all).await.expect("published again");
    eprintln!("referral lacked {}; {:?}", lost.len(), again.into_inner());
    for index in 0..SERVICES.len() {
        missing(cluster, index, until, &["--repair"]).await.expect("repaired");
    }
    house.story.clock.settle().await.expect("at rest");
    for (index, name) in SERVICES.iter().enumerate() {
        let missing = missing(cluster, index, until, &[]).await.expect("told");
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
    }
}

/// The lines of `reconcile` about events that were told and not applied.
async fn missing(
    cluster: &Cluster,
    service: usize,
    until: Timestamp,
    more: &[&str],
) -> Result<BTreeSet<String>, String> {
    let until = until.to_string();
    let arguments = [&["reconcile", "--until", until.as_str()], more].concat();
    let (good, told) = cluster.command(service, &arguments).await.expect("it runs");
    let lines = told
        .lines()
        .filter(|line| line.starts_with("missing ") || line.starts_with("unpublished "));
    let lines: BTreeSet<String> = lines.map(str::to_owned).collect();
    if good || !lines.is_empty() {
        Ok(lines)
    } else {
        Err(format!("it could not say: {told}"))
    }
}

fn assert_all_taken(scene: &Scene, what: &str) {
    let tried = scene.tried();
    eprintln!("{what}: {tried:?}");
    let others = tried.refused.keys().filter(|refusal| *refusal != NOT_YET);
    assert!(others.count() == 0 && tried.answered > 0, "{what}: {tried:?}");
}

/// Whether every service has its bus, and no more events wait than are on their way.
pub async fn has_left(house: &House) -> Result<(), String> {
    for (index, name) in SERVICES.iter().enumerate() {
        let status = status(house, index)
            .await
            .map_err(|status| format!("{name}: {status}"))?;
        let waiting = status.unpublished_events.unwrap_or_default().count;
        if waiting > MANY || !status.bus_error.is_empty() {
            return Err(format!("{waiting} events wait in {name}, {}", status.bus_error));
        }
    }
    Ok(())
}

async fn unpublished(house: &House, index: usize) -> u64 {
    let status = status(house, index).await.expect("a status");
    status.unpublished_events.unwrap_or_default().count
}

async fn status(house: &House, index: usize) -> Result<operations::GetStatusResponse, Status> {
    let mut service = house.story.clients.operations[index].clone();
    let status = service.get_status(operations::GetStatusRequest {}).await;
    status.map(Response::into_inner)
}
