//! A whole service in this process, on a memory bus: operations, readiness, shutdown.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm_migration::{MigrationTrait, MigratorTrait};
use support::{PATIENCE, Scripted, Switch, caller, channel, config, operator};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;
use vouch_messaging::{Bus, MemoryBus, NewEvent, outbox};
use vouch_primitives::{Timestamp, Uuid};
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1::{GetTestClockRequest, GetTestClockResponse, SetTestClockRequest};
use vouch_proto::payments::v1::{EarningSettled, GetEarningRequest};
use vouch_runtime::{Chassis, ChassisError, ServiceClock};
use vouch_storage::timers::{self, NewTimer};
use vouch_storage::{DatabaseConfig, Db, StorageError};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

on_both_databases! {
    the_test_clock_is_read_moved_and_never_turned_back,
    the_test_clock_survives_a_restart,
    the_backlog_is_told,
    a_moved_clock_makes_timers_fire,
}

const START: &str = "2026-02-28T09:00:00Z";
const LATER: &str = "2026-05-28T09:00:00Z";

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        [
            vouch_storage::migrations(),
            vouch_messaging::migrations(),
            vouch_mail::migrations(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

async fn database(of: &TestDatabase) -> Db {
    let config = DatabaseConfig {
        url: of.url().to_owned(),
        max_connections: 5,
    };
    let db = Db::connect(&config).await.expect("connected");
    vouch_storage::migrate::<Migrator>(&db).await.expect("migrated");
    db
}

/// A service that runs in this process.
struct World {
    db: Db,
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<Result<(), ChassisError>>,
}

impl World {
    /// With a test clock that starts at `START`, on a faultless bus.
    async fn with_test_clock(of: &TestDatabase) -> Self {
        Self::start(of, &format!("[clock]\ntest = true\nstart = '{START}'"), |chassis| {
            chassis
        })
        .await
    }

    async fn start(of: &TestDatabase, overrides: &str, add: impl FnOnce(Chassis) -> Chassis) -> Self {
        Self::on(Arc::new(MemoryBus::faultless()), of, overrides, add).await
    }

    async fn on(bus: Arc<dyn Bus>, of: &TestDatabase, overrides: &str, add: impl FnOnce(Chassis) -> Chassis) -> Self {
        let (config, db) = (config(overrides), database(of).await);
        let clock = ServiceClock::open(&config.clock, &db).await.expect("a clock");
        let chassis = Chassis::with("payments", &config, db.clone(), bus, clock)
            .await
            .expect("a chassis");
        let chassis = add(chassis);
        let (address, stop) = (chassis.address(), CancellationToken::new());
        let running = tokio::spawn(chassis.run(stop.clone()));
        Self {
            db,
            address,
            stop,
            running,
        }
    }

    async fn channel(&self) -> Channel {
        channel(self.address).await
    }

    async fn get(&self) -> Result<GetTestClockResponse, Status> {
        let mut client = operator(self.channel().await);
        client
            .get_test_clock(GetTestClockRequest {})
            .await
            .map(tonic::Response::into_inner)
    }

    async fn set(&self, time: &str) -> Result<(), Status> {
        let mut client = operator(self.channel().await);
        let request = SetTestClockRequest {
            time: Some(to_wire_time(at(time))),
        };
        let answer = client.set_test_clock(request).await?.into_inner();
        assert_eq!(answer.now, Some(to_wire_time(at(time))));
        Ok(())
    }

    async fn health(&self, entry: &str) -> ServingStatus {
        let request = HealthCheckRequest {
            service: entry.to_owned(),
        };
        let answer = HealthClient::new(self.channel().await).check(request).await;
        match answer {
            Ok(answer) => answer.into_inner().status(),
            // Nobody has looked at it yet.
            Err(status) if status.code() == Code::NotFound => ServingStatus::ServiceUnknown,
            Err(status) => panic!("{entry}: {status}"),
        }
    }

    async fn reaches(&self, entry: &str, wanted: ServingStatus) {
        eventually(entry, PATIENCE, async || match self.health(entry).await {
            status if status == wanted => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    async fn stop(self) -> Result<(), ChassisError> {
        self.stop.cancel();
        timeout(PATIENCE, self.running)
            .await
            .expect("within its grace")
            .expect("no panic")
    }
}

async fn the_test_clock_is_read_moved_and_never_turned_back(of: TestDatabase) {
    let world = World::with_test_clock(&of).await;
    assert_eq!(world.get().await.expect("read").now, Some(to_wire_time(at(START))));
    world.set(LATER).await.expect("moved");
    world.set(LATER).await.expect("the same moment again");
    assert_eq!(world.get().await.expect("read").now, Some(to_wire_time(at(LATER))));
    let refused = world.set(START).await.expect_err("back in time");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(
        refused.get_details_error_info().expect("a reason").reason,
        "CLOCK_WENT_BACK"
    );
    assert_eq!(world.get().await.expect("read").now, Some(to_wire_time(at(LATER))));
    let mut client = operator(world.channel().await);
    let refused = client
        .set_test_clock(SetTestClockRequest { time: None })
        .await
        .expect_err("no time");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        refused.get_details_bad_request().expect("violations").field_violations[0].field,
        "time"
    );
    world.stop().await.expect("stopped");
}

async fn the_test_clock_survives_a_restart(of: TestDatabase) {
    let world = World::with_test_clock(&of).await;
    world.set(LATER).await.expect("moved");
    world.stop().await.expect("stopped");
    let again = World::with_test_clock(&of).await;
    assert_eq!(again.get().await.expect("read").now, Some(to_wire_time(at(LATER))));
    again.stop().await.expect("stopped");
}

async fn the_backlog_is_told(of: TestDatabase) {
    let world = World::with_test_clock(&of).await;
    let before = world.get().await.expect("read");
    assert_eq!((before.next_due_time, before.events_recorded), (None, 0));
    let timer = NewTimer {
        kind: "test.due",
        key: Uuid::nil(),
        due: at(LATER),
    };
    let event = NewEvent::new(Uuid::nil(), &EarningSettled::default());
    let (timers, events) = (&[timer], &[event]);
    let written = world.db.write_tx(|txn| async move {
        timers::schedule(&txn, timers).await?;
        outbox::append(&txn, at(START), events).await
    });
    written.await.expect("written");
    let published = eventually("published", PATIENCE, async || {
        let state = world.get().await.map_err(|status| status.to_string())?;
        let backlog = state.backlog.expect("a backlog");
        if backlog.unpublished_events == 0 {
            Ok(state)
        } else {
            Err(format!("{backlog:?}"))
        }
    })
    .await;
    assert_eq!(published.events_recorded, 1);
    assert_eq!(published.next_due_time, Some(to_wire_time(at(LATER))));
    assert_eq!(published.backlog.expect("a backlog").due_timers, 0);
    assert!(published.commits > before.commits);
    // Nobody carries timers out here, so that this one stays due.
    world.set(LATER).await.expect("moved");
    assert_eq!(
        world.get().await.expect("read").backlog.expect("a backlog").due_timers,
        1
    );
    world.stop().await.expect("stopped");
}

async fn a_moved_clock_makes_timers_fire(of: TestDatabase) {
    let fired = Arc::new(Notify::new());
    let tell = fired.clone();
    let overrides = format!("[clock]\ntest = true\nstart = '{START}'");
    let world = World::start(&of, &overrides, |chassis| {
        let handler: timers::Handler = Arc::new(move |_txn, batch| {
            assert_eq!(batch.now, at(LATER));
            tell.notify_one();
            Box::pin(async { Ok(()) })
        });
        let worker = timers::Worker::new(chassis.db().clone(), chassis.clock(), handler);
        chassis.timers(worker)
    })
    .await;
    let timer = &[NewTimer {
        kind: "test.due",
        key: Uuid::nil(),
        due: at(LATER),
    }];
    let set = world
        .db
        .write_tx(|txn| async move { timers::schedule(&txn, timer).await });
    set.await.expect("scheduled");
    world.set(LATER).await.expect("moved");
    timeout(PATIENCE, fired.notified()).await.expect("the timer fires");
    eventually("quiet again", PATIENCE, async || {
        let state = world.get().await.map_err(|status| status.to_string())?;
        if state.next_due_time.is_none() {
            Ok(())
        } else {
            Err(format!("{state:?}"))
        }
    })
    .await;
    world.stop().await.expect("stopped");
}

#[tokio::test]
async fn without_a_test_clock_its_calls_say_so() {
    let of = TestDatabase::new(vouch_testkit::Engine::Sqlite).await;
    let world = World::start(&of, "", |chassis| chassis).await;
    for refused in [world.get().await.map(drop), world.set(LATER).await] {
        let refused = refused.expect_err("there is none");
        assert_eq!(refused.code(), Code::Unimplemented);
        assert_eq!(
            refused.get_details_error_info().expect("a reason").reason,
            "TEST_CLOCK_OFF"
        );
    }
    world.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_service_without_its_bus_is_ready_and_says_what_is_missing() {
    let of = TestDatabase::new(vouch_testkit::Engine::Sqlite).await;
    let bus = Arc::new(Switch::default());
    let world = World::on(bus.clone(), &of, "", |chassis| chassis).await;
    for connected in [false, true, false] {
        bus.0.store(connected, Ordering::SeqCst);
        let wanted = if connected {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        world.reaches("bus", wanted).await;
        world.reaches("readiness", ServingStatus::Serving).await;
    }
    world.stop().await.expect("stopped");
}

#[tokio::test]
async fn readiness_follows_the_database() {
    let of = TestDatabase::new(vouch_testkit::Engine::Sqlite).await;
    let world = World::start(&of, "", |chassis| chassis).await;
    world.reaches("readiness", ServingStatus::Serving).await;
    world.db.clone().close().await.expect("closed");
    world.reaches("readiness", ServingStatus::NotServing).await;
    let _ = world.stop().await;
}

#[tokio::test]
async fn a_running_call_still_has_its_database_while_the_service_stops() {
    let of = TestDatabase::new(vouch_testkit::Engine::Sqlite).await;
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let script = (begun.clone(), go.clone());
    let world = World::start(&of, "", |chassis| {
        let db = chassis.db().clone();
        chassis.grpc(Scripted::server(move |_: Request<GetEarningRequest>| {
            let ((begun, go), db) = (script.clone(), db.clone());
            async move {
                begun.notify_one();
                go.notified().await;
                let event = &[NewEvent::new(Uuid::nil(), &EarningSettled::default())];
                let written = db.write_tx(|txn| async move { outbox::append(&txn, Timestamp::EPOCH, event).await });
                written
                    .await
                    .map_err(|error: StorageError| Status::internal(error.to_string()))
            }
        }))
    })
    .await;
    let mut client = caller(world.channel().await);
    let call = tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await });
    timeout(PATIENCE, begun.notified())
        .await
        .expect("the handler has begun");
    let address = world.address;
    let stopping = tokio::spawn(world.stop());
    eventually(
        "the port is closed",
        PATIENCE,
        async || match tokio::net::TcpStream::connect(address).await {
            Ok(_) => Err("still accepted".to_owned()),
            Err(_) => Ok(()),
        },
    )
    .await;
    go.notify_one();
    call.await.expect("no panic").expect("answered");
    stopping.await.expect("no panic").expect("stopped");
    // What the call recorded at the last moment was still published by the relay.
    let left = database(&of).await;
    assert_eq!(outbox::pending(left.reader()).await.expect("counted"), 0);
}

#[tokio::test]
async fn the_whole_shutdown_is_bounded() {
    let of = TestDatabase::new(vouch_testkit::Engine::Sqlite).await;
    let world = World::start(&of, "[server]\nshutdown_grace = '1s'", |chassis| {
        chassis.grpc(Scripted::server(async |_: Request<GetEarningRequest>| {
            std::future::pending().await
        }))
    })
    .await;
    let mut client = caller(world.channel().await);
    let call = tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await });
    world.reaches("readiness", ServingStatus::Serving).await;
    let asked = tokio::time::Instant::now();
    world.stop().await.expect("stopped");
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    call.abort();
}

#[tokio::test]
async fn a_postgres_database_must_have_been_migrated_and_a_sqlite_file_need_not() {
    let of = TestDatabase::new(vouch_testkit::Engine::Postgres).await;
    let settings = |url: &str| {
        config(&format!(
            "[database]\nurl = '{url}'\n[nats]\nurl = 'nats://127.0.0.1:1'"
        ))
    };
    let refused = Chassis::connect::<Migrator>("payments", &settings(of.url()))
        .await
        .expect_err("not migrated");
    assert!(
        matches!(
            refused,
            ChassisError::Migrations {
                service: "payments",
                ..
            }
        ),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("run `vouch-payments migrate` first"),
        "{refused}"
    );
    drop(database(&of).await);
    Chassis::connect::<Migrator>("payments", &settings(of.url()))
        .await
        .expect("migrated by now");
    let of = TestDatabase::new(vouch_testkit::Engine::Sqlite).await;
    Chassis::connect::<Migrator>("payments", &settings(of.url()))
        .await
        .expect("migrated on the way");
}
