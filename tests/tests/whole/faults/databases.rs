//! The database restarts, hangs, is locked by somebody else, or has no room.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use vouch_storage::{DatabaseConfig, Db, StorageError};
use vouch_suite::{Error, storm::Leave};
use vouch_testkit::{Engine, SmallDisk, eventually};

use super::{LONGEST, PATIENCE, PAYMENTS, SOME, SOON, Scene, assert_decided, plan};

/// Enough for the databases of a short while.
const SQLITE_MEGABYTES: u32 = 64;
/// PostgreSQL's own files, four databases and a log of transactions take 120 of them.
const POSTGRES_MEGABYTES: u32 = 192;
/// So many call at once while the database does not answer.
const CALLERS: i64 = 240;
/// So much more memory a service may take meanwhile.
const GROWTH: u64 = 100 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_on_a_failing_postgres() {
    Box::pin(on_postgres(6, Duration::from_secs(8))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: twenty restarts and fifteen seconds of silence, two minutes"]
async fn long_whole_house_on_a_failing_postgres() {
    Box::pin(on_postgres(20, Duration::from_secs(15))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_on_a_failing_sqlite() {
    Box::pin(on_sqlite(Duration::from_secs(8))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: the file is locked for fifteen seconds, one minute"]
async fn long_whole_house_on_a_failing_sqlite() {
    Box::pin(on_sqlite(Duration::from_secs(15))).await;
}

async fn on_postgres(restarts: u32, silent: Duration) {
    let disk = SmallDisk::mount(POSTGRES_MEGABYTES).expect("a disk or none");
    let (mut plan, seed) = plan(Engine::Postgres);
    plan.databases_in = disk.as_ref().map(|disk| disk.path().to_owned());
    let mut scene = Scene::begin((plan, seed)).await;

    for _ in 0..restarts {
        let server = scene.cluster.postgres.as_mut().expect("a server");
        server.stop_immediately().await.expect("stopped");
        server.start_again().await.expect("started");
        scene.until_done(SOME, SOON).await;
    }
    assert_decided("postgres restarts", &scene.tried());

    scene.cluster.postgres.as_ref().expect("a server").pause();
    let callers = call(&scene);
    let grown = endure(&mut scene, silent).await;
    scene.cluster.postgres.as_ref().expect("a server").resume();
    recover(&mut scene, callers, grown, "postgres is silent").await;

    if let Some(disk) = &disk {
        run_full(&mut scene, disk, "postgres has no room").await;
        let server = scene.cluster.postgres.as_mut().expect("a server");
        if !server.process().is_running() {
            eprintln!("postgres has ended, as it does where its log has no room");
            server.start_again().await.expect("started");
        }
        scene.until_done(SOME, SOON).await;
    }
    scene.end().await;
}

async fn on_sqlite(locked: Duration) {
    let disk = SmallDisk::mount(SQLITE_MEGABYTES).expect("a disk or none");
    let (mut plan, seed) = plan(Engine::Sqlite);
    plan.databases_in = disk.as_ref().map(|disk| disk.path().to_owned());
    let mut scene = Scene::begin((plan, seed)).await;
    scene.until_done(SOME, PATIENCE).await;
    scene.tried();

    let lock = Lock::take(scene.cluster.database(PAYMENTS)).await;
    let callers = call(&scene);
    let grown = endure(&mut scene, locked).await;
    lock.release().await;
    recover(&mut scene, callers, grown, "somebody else has locked the file").await;

    if let Some(disk) = &disk {
        run_full(&mut scene, disk, "sqlite has no room").await;
        scene.until_done(SOME, SOON).await;
    }
    scene.end().await;
}

/// Hundreds call at once; each goes on until it has an answer.
fn call(scene: &Scene) -> JoinSet<Result<(), Error>> {
    let contracts = scene.house().contracts();
    let mut callers = JoinSet::new();
    for (minor, contract) in (1..=CALLERS).zip(contracts.into_iter().cycle()) {
        let house = Arc::clone(scene.house());
        callers.spawn(async move { house.pay(&contract, minor, Leave::Agreed).await.map(drop) });
    }
    callers
}

/// The fault lasts; says by how much payments has grown.
async fn endure(scene: &mut Scene, lasting: Duration) -> u64 {
    let before = scene.memory(PAYMENTS);
    let (end, mut most) = (Instant::now() + lasting, before);
    while Instant::now() < end {
        scene.endure(Duration::from_millis(250)).await;
        most = most.max(scene.memory(PAYMENTS));
    }
    most - before
}

/// After the fault: all have their answers soon, and were told what to do meanwhile.
async fn recover(scene: &mut Scene, mut callers: JoinSet<Result<(), Error>>, grown: u64, what: &str) {
    let began = Instant::now();
    let answered = async {
        while let Some(ended) = callers.join_next().await {
            ended.expect("whole").expect("an answer");
        }
    };
    timeout(SOON, answered).await.expect("all have an answer soon");
    eprintln!(
        "{what}: {} KiB more, well again after {:?}",
        grown / 1024,
        began.elapsed()
    );
    scene.until_done(SOME, SOON).await;
    let tried = scene.tried();
    assert_decided(what, &tried);
    assert!(!tried.refused.is_empty(), "{what}: nobody has noticed");
    assert!(grown < GROWTH, "{what}: {grown} bytes");
}

/// The disk fills up, stays full for a while, and has room again.
async fn run_full(scene: &mut Scene, disk: &SmallDisk, what: &str) {
    scene.tried();
    disk.fill().expect("filled");
    eventually("somebody is refused", PATIENCE, async || {
        disk.fill().expect("filled");
        let tried = scene.tried();
        assert_decided(what, &tried);
        if tried.refused.is_empty() {
            Err(format!("{tried:?}"))
        } else {
            Ok(())
        }
    })
    .await;
    scene.endure(LONGEST).await;
    disk.free().expect("freed");
    assert_decided(what, &scene.tried());
}

/// The lock for writing to a SQLite file, held by somebody who is no service.
struct Lock {
    release: CancellationToken,
    holding: JoinHandle<Result<(), StorageError>>,
}

impl Lock {
    async fn take(url: &str) -> Self {
        let config = DatabaseConfig {
            url: url.to_owned(),
            max_connections: 5,
        };
        let db = Db::connect(&config).await.expect("connected");
        let (taken, release) = (CancellationToken::new(), CancellationToken::new());
        let (take, released) = (taken.clone(), release.clone());
        let holding = tokio::spawn(async move {
            let hold = |_| {
                take.cancel();
                released.clone().cancelled_owned().map(Ok::<(), StorageError>)
            };
            db.write_tx(hold).await?;
            db.close().await
        });
        timeout(PATIENCE, taken.cancelled()).await.expect("the lock");
        Self { release, holding }
    }

    async fn release(self) {
        self.release.cancel();
        self.holding.await.expect("whole").expect("released");
    }
}
