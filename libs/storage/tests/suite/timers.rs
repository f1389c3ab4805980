//! Due moments, on a clock that the tests move.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::FutureExt;
use sea_orm::ConnectionTrait;
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use vouch_primitives::{Clock, EventId, TestClock, Timestamp, Uuid};
use vouch_storage::{
    BoxError, Db, StorageError,
    timers::{self, Batch, Handler, NewTimer, TaskHandler, Worker},
};
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use crate::table::{note, notes, open, ready};

on_both_databases! {
    two_workers_fire_each_timer_once,
    a_rollback_undoes_setting_and_cancelling,
    timers_survive_a_restart,
    a_failing_timer_does_not_hold_up_the_rest,
    a_handler_that_panics_fails_its_own_timer_alone,
    a_task_that_panics_is_tried_again,
    timers_fire_in_the_order_of_their_moments,
    setting_again_moves_a_timer,
    a_handler_may_set_its_own_timer_again,
    a_task_is_tried_again_until_it_cancels_its_timer,
    a_task_whose_process_dies_is_begun_again,
    waiting_commits_nothing,
}

const PATIENCE: Duration = Duration::from_secs(20);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn timer(kind: &'static str, due: Timestamp) -> NewTimer {
    NewTimer {
        kind,
        key: EventId::new().as_uuid(),
        due,
    }
}

async fn schedule(db: &Db, timers: &[NewTimer]) {
    db.write_tx(|txn| async move { timers::schedule(&txn, timers).await })
        .await
        .expect("timers are set");
}

async fn next(db: &Db) -> Option<Timestamp> {
    timers::next_due(db.reader()).await.expect("an answer")
}

async fn eventually_next(db: &Db, wanted: Option<Timestamp>) {
    eventually("the next timer", PATIENCE, async || {
        let found = next(db).await;
        if found == wanted {
            Ok(())
        } else {
            Err(format!("{found:?} instead of {wanted:?}"))
        }
    })
    .await;
}

/// Notes each timer with the second it was due.
fn noting() -> Handler {
    Arc::new(|txn, batch| {
        async move {
            for timer in &batch.timers {
                assert!(timer.due <= batch.now && timer.kind == batch.kind);
                note(&*txn, &[timer.key], timer.due.as_micros() / 1_000_000).await?;
            }
            Ok(())
        }
        .boxed()
    })
}

/// A worker at work; dropping it kills it, as a crash would.
struct Running {
    shutdown: CancellationToken,
    worker: JoinHandle<()>,
}

impl Running {
    fn start(worker: Worker) -> Self {
        let shutdown = CancellationToken::new();
        Self {
            worker: tokio::spawn(worker.run(shutdown.clone())),
            shutdown,
        }
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        timeout(PATIENCE, &mut self.worker)
            .await
            .expect("an end")
            .expect("no panic");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

fn start(db: &Db, clock: &Arc<TestClock>, handler: Handler) -> Running {
    Running::start(Worker::new(db.clone(), clock_of(clock), handler))
}

fn clock_of(clock: &Arc<TestClock>) -> Arc<dyn Clock> {
    Arc::<TestClock>::clone(clock)
}

async fn two_workers_fire_each_timer_once(database: TestDatabase) {
    let handles = [ready(&database).await, open(&database).await];
    let clock = Arc::new(TestClock::new(at(0)));
    let timers: Vec<_> = (0..1500).map(|i| timer(["a", "b", "c"][i % 3], at(10))).collect();
    schedule(&handles[0], &timers).await;
    let workers = [
        start(&handles[0], &clock, noting()),
        start(&handles[1], &clock, noting()),
    ];
    assert_eq!(next(&handles[0]).await, Some(at(10)));
    clock.set(at(10)).unwrap();
    eventually_next(&handles[0], None).await;
    for worker in workers {
        worker.stop().await;
    }
    let mut fired: BTreeMap<Uuid, u32> = BTreeMap::new();
    for (key, _) in notes(&handles[0]).await {
        *fired.entry(key).or_default() += 1;
    }
    assert_eq!(fired.len(), 1500);
    assert!(fired.values().all(|times| *times == 1), "some fired twice");
}

async fn a_rollback_undoes_setting_and_cancelling(database: TestDatabase) {
    let (db, kept, never) = (ready(&database).await, &timer("x", at(5)), &timer("x", at(3)));
    schedule(&db, &[*kept]).await;
    let failed = db
        .write_tx(|txn| async move {
            timers::cancel(&txn, "x", &[kept.key]).await?;
            timers::schedule(&txn, &[*never]).await?;
            assert_eq!(timers::next_due(&*txn).await?, Some(at(3)));
            Err::<(), _>(StorageError::Configuration("rolled back".to_owned()))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(next(&db).await, Some(at(5)));
    let _worker = start(&db, &Arc::new(TestClock::new(at(9))), noting());
    eventually_next(&db, None).await;
    assert_eq!(notes(&db).await, [(kept.key, 5)]);
}

async fn timers_survive_a_restart(database: TestDatabase) {
    let (db, kept, cancelled) = (ready(&database).await, timer("x", at(5)), &timer("x", at(4)));
    schedule(&db, &[kept, *cancelled]).await;
    db.write_tx(|txn| async move { timers::cancel(&txn, "x", &[cancelled.key]).await })
        .await
        .unwrap();
    db.close().await.unwrap();
    let db = open(&database).await;
    assert_eq!(next(&db).await, Some(at(5)));
    let _worker = start(&db, &Arc::new(TestClock::new(at(9))), noting());
    eventually_next(&db, None).await;
    assert_eq!(notes(&db).await, [(kept.key, 5)]);
}

async fn a_failing_timer_does_not_hold_up_the_rest(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(100))));
    let (good, bad): (Vec<_>, _) = ((0..20).map(|i| timer("x", at(i))).collect(), timer("x", at(7)));
    schedule(&db, &good).await;
    schedule(&db, &[bad]).await;
    let healed = Arc::new(AtomicBool::new(false));
    let handler: Handler = {
        let healed = Arc::clone(&healed);
        Arc::new(move |txn, batch| {
            let healed = healed.load(SeqCst);
            async move {
                noting()(txn, batch.clone()).await?;
                if !healed && batch.keys().contains(&bad.key) {
                    Err(BoxError::from("out of order"))
                } else {
                    Ok(())
                }
            }
            .boxed()
        })
    };
    let worker = start(&db, &clock, handler);
    // The bad one is the only one left, and comes again a second later.
    eventually_next(&db, Some(at(101))).await;
    let mut expected: Vec<_> = (0..).zip(&good).map(|(due, timer)| (timer.key, due)).collect();
    expected.sort_unstable();
    assert_eq!(notes(&db).await, expected);
    clock.set(at(101)).unwrap();
    eventually_next(&db, Some(at(103))).await;
    healed.store(true, SeqCst);
    clock.set(at(103)).unwrap();
    eventually_next(&db, None).await;
    worker.stop().await;
    expected.push((bad.key, 7));
    expected.sort_unstable();
    assert_eq!(notes(&db).await, expected, "once, and with the moment that was meant");
}

async fn a_handler_that_panics_fails_its_own_timer_alone(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(100))));
    let (good, bad) = (timer("x", at(9)), timer("x", at(7)));
    schedule(&db, &[good, bad]).await;
    let handler: Handler = Arc::new(move |txn, batch| {
        async move {
            assert!(!batch.keys().contains(&bad.key), "a bug in the handler");
            noting()(txn, batch).await
        }
        .boxed()
    });
    let worker = start(&db, &clock, handler);
    eventually_next(&db, Some(at(101))).await;
    assert_eq!(notes(&db).await, [(good.key, 9)]);
    worker.stop().await;
}

async fn a_task_that_panics_is_tried_again(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(100))));
    schedule(&db, &[timer("call", at(5))]).await;
    let panics: TaskHandler = Arc::new(|_, _| async { panic!("a bug in the task") }.boxed());
    let worker = Worker::new(db.clone(), clock_of(&clock), noting()).with_tasks(&["call"], panics);
    let worker = Running::start(worker);
    // A second later, as after any failure, and not when its lease has run out.
    eventually_next(&db, Some(at(101))).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_that_somebody_else_has_on_postgres_is_waited_for_and_not_asked_for_in_a_loop() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (db, clock) = (&ready(&database).await, Arc::new(TestClock::new(at(100))));
    let (held, free) = (&timer("x", at(5)), timer("x", at(6)));
    schedule(db, &[*held]).await;
    let (locked, let_go) = (&Notify::new(), &Notify::new());
    let holder = db.write_tx(|txn| async move {
        let lock = format!("SELECT 1 FROM timer WHERE key = '{}' FOR UPDATE", held.key);
        txn.execute_unprepared(&lock).await?;
        locked.notify_one();
        let_go.notified().await;
        Ok::<_, StorageError>(())
    });
    let test = async {
        locked.notified().await;
        let worker = start(db, &clock, noting());
        let before = db.commits();
        for _ in 0..3 {
            schedule(db, &[free]).await;
            eventually("the free timer fires", PATIENCE, async || {
                let waiting = timers::count_due(db.reader(), at(100)).await.unwrap();
                if waiting == 1 { Ok(()) } else { Err(waiting.to_string()) }
            })
            .await;
        }
        assert!(db.commits() - before < 30, "{} commits", db.commits() - before);
        let_go.notify_one();
        worker
    };
    let (held, worker) = tokio::join!(holder, test);
    held.unwrap();
    eventually_next(db, None).await;
    worker.stop().await;
}

async fn timers_fire_in_the_order_of_their_moments(database: TestDatabase) {
    let db = ready(&database).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    schedule(
        &db,
        &[
            timer("b", at(3)),
            timer("a", at(4)),
            timer("a", at(1)),
            timer("b", at(5)),
            timer("a", at(2)),
        ],
    )
    .await;
    let handler: Handler = {
        let (seen, db) = (Arc::clone(&seen), db.clone());
        Arc::new(move |_txn, batch: Batch| {
            assert_eq!(batch.now, at(9));
            let moments: Vec<_> = batch.timers.iter().map(|timer| timer.due).collect();
            seen.lock().unwrap().push((batch.kind, moments));
            let (seen, db) = (Arc::clone(&seen), db.clone());
            async move {
                // What was carried out before has been committed: each transaction has one kind, and so one order of locks.
                let left = timers::list(db.reader(), None, None, 10).await?.len();
                let carried_out: usize = seen.lock().unwrap().iter().map(|(_, moments)| moments.len()).sum();
                let now = seen.lock().unwrap().last().map_or(0, |(_, moments)| moments.len());
                assert_eq!(left + carried_out - now, 5);
                Ok(())
            }
            .boxed()
        })
    };
    let _worker = start(&db, &Arc::new(TestClock::new(at(9))), handler);
    eventually_next(&db, None).await;
    let run = |kind: &str, moments: &[i64]| (kind.to_owned(), moments.iter().map(|m| at(*m)).collect::<Vec<_>>());
    assert_eq!(
        *seen.lock().unwrap(),
        [run("a", &[1, 2]), run("b", &[3]), run("a", &[4]), run("b", &[5])]
    );
}

async fn setting_again_moves_a_timer(database: TestDatabase) {
    let (db, first) = (ready(&database).await, timer("x", at(5)));
    let clock = Arc::new(TestClock::new(at(0)));
    schedule(&db, &[first]).await;
    schedule(&db, &[NewTimer { due: at(50), ..first }]).await;
    assert_eq!(next(&db).await, Some(at(50)));
    // Twice in one call: the later word counts. Another kind is another timer.
    let other = NewTimer {
        kind: "y",
        due: at(70),
        ..first
    };
    schedule(
        &db,
        &[
            NewTimer { due: at(40), ..first },
            other,
            NewTimer { due: at(60), ..first },
        ],
    )
    .await;
    let _worker = start(&db, &clock, noting());
    clock.set(at(59)).unwrap();
    assert_eq!(next(&db).await, Some(at(60)));
    clock.set(at(60)).unwrap();
    eventually_next(&db, Some(at(70))).await;
    assert_eq!(notes(&db).await, [(first.key, 60)]);
}

async fn a_handler_may_set_its_own_timer_again(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(0))));
    let weekly = timer("weekly", at(1));
    schedule(&db, &[weekly]).await;
    let handler: Handler = Arc::new(move |txn, batch: Batch| {
        async move {
            let due = batch.timers[0].due.saturating_add(Duration::from_secs(7));
            timers::schedule(&txn, &[NewTimer { due, ..weekly }]).await?;
            noting()(txn, batch).await
        }
        .boxed()
    });
    let _worker = start(&db, &clock, handler);
    for due in [1, 8, 15] {
        clock.set(at(due)).unwrap();
        eventually_next(&db, Some(at(due + 7))).await;
    }
    assert_eq!(notes(&db).await, [(weekly.key, 1), (weekly.key, 8), (weekly.key, 15)]);
}

async fn a_task_is_tried_again_until_it_cancels_its_timer(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(10))));
    let (attempts, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let call: TaskHandler = {
        let (db, attempts, go) = (db.clone(), Arc::clone(&attempts), Arc::clone(&go));
        Arc::new(move |timer, _now| {
            let (db, attempts, go) = (db.clone(), Arc::clone(&attempts), Arc::clone(&go));
            async move {
                go.notified().await;
                match attempts.fetch_add(1, SeqCst) {
                    0 => return Err(BoxError::from("the other service is away")),
                    1 => return Ok(()),
                    _ => {}
                }
                let key = &timer.key;
                db.write_tx(|txn| async move {
                    timers::cancel(&txn, "call", &[*key]).await?;
                    note(&*txn, &[*key], 0).await
                })
                .await
                .map_err(BoxError::from)
            }
            .boxed()
        })
    };
    let (task, plain) = (timer("call", at(5)), timer("x", at(6)));
    schedule(&db, &[task, plain]).await;
    let worker = Worker::new(db.clone(), clock_of(&clock), noting()).with_tasks(&["call"], call);
    let worker = Running::start(worker);

    // While it runs it is leased for a minute, counts as running, and holds nobody up.
    eventually_next(&db, Some(at(70))).await;
    eventually("one task that runs", PATIENCE, async || match db.running_tasks() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    eventually("the plain timer", PATIENCE, async || {
        let fired = notes(&db).await;
        if fired == [(plain.key, 6)] {
            Ok(())
        } else {
            Err(format!("{fired:?}"))
        }
    })
    .await;
    // It fails, and is tried a second later.
    go.notify_one();
    eventually_next(&db, Some(at(11))).await;
    eventually_idle(&db).await;
    // It ends well without cancelling its timer, and is tried when the lease is over.
    clock.set(at(11)).unwrap();
    eventually_next(&db, Some(at(71))).await;
    go.notify_one();
    eventually_idle(&db).await;
    clock.set(at(71)).unwrap();
    eventually_next(&db, Some(at(131))).await;
    // A shutdown waits for it.
    worker.shutdown.cancel();
    go.notify_one();
    worker.stop().await;
    assert_eq!(next(&db).await, None);
    assert_eq!(notes(&db).await, [(task.key, 0), (plain.key, 6)]);
    assert_eq!(attempts.load(SeqCst), 3);
}

async fn eventually_idle(db: &Db) {
    eventually("no task runs", PATIENCE, async || match db.running_tasks() {
        0 => Ok(()),
        n => Err(format!("{n} run")),
    })
    .await;
}

async fn a_task_whose_process_dies_is_begun_again(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(10))));
    let begun = Arc::new(AtomicU32::new(0));
    let hangs: TaskHandler = {
        let begun = Arc::clone(&begun);
        Arc::new(move |_timer, _now| {
            begun.fetch_add(1, SeqCst);
            std::future::pending().boxed()
        })
    };
    schedule(&db, &[timer("call", at(5))]).await;
    for (process, lease) in [(1, at(70)), (2, at(130))] {
        let worker = Worker::new(db.clone(), clock_of(&clock), noting()).with_tasks(&["call"], Arc::clone(&hangs));
        let worker = Running::start(worker);
        eventually_next(&db, Some(lease)).await;
        eventually("a task begins", PATIENCE, async || match begun.load(SeqCst) {
            n if n == process => Ok(()),
            n => Err(format!("{n} have begun")),
        })
        .await;
        drop(worker);
        eventually_idle(&db).await;
        clock.set(lease).unwrap();
    }
}

async fn waiting_commits_nothing(database: TestDatabase) {
    let (db, clock) = (ready(&database).await, Arc::new(TestClock::new(at(0))));
    schedule(&db, &[timer("x", at(5)), timer("call", at(5))]).await;
    schedule(&db, &[timer("x", at(0))]).await;
    let before = db.commits();
    let worker = Worker::new(db.clone(), clock_of(&clock), noting())
        .with_tasks(&["call"], Arc::new(|_, _| async { Ok(()) }.boxed()));
    let worker = Running::start(worker);
    // It has looked: the one that is due is gone. What follows are looks that find nothing.
    eventually_next(&db, Some(at(5))).await;
    let looked = timers::next_due(db.reader()).await.unwrap();
    worker.stop().await;
    assert_eq!((db.commits() - before, looked), (1, Some(at(5))));
}
