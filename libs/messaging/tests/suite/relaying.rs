//! From the database to the bus: everything, at least once, whoever dies.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::oneshot;
use vouch_messaging::{NewEvent, Relay, outbox};
use vouch_primitives::{EventId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn};
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use crate::{
    buses::{Publishing, WatchedBus},
    harness::{App, EarningSettled, House, SOON, append, now, relay},
};

on_both_databases! {
    two_relays_publish_everything,
    a_bus_that_works_gets_each_event_once,
    a_relay_killed_before_it_could_mark_publishes_again,
    an_event_that_becomes_visible_late_is_found,
    an_event_that_cannot_be_published_waits_and_the_others_pass,
    a_rolled_back_event_never_leaves,
    the_archive_can_be_published_again_and_pruned,
    a_relay_that_is_stopped_makes_a_last_pass,
}

fn earning(amount: i64) -> NewEvent {
    NewEvent::new(Uuid::nil(), &EarningSettled { amount })
}

async fn two_relays_publish_everything(database: TestDatabase) {
    let engine = database.engine();
    let house = House::build(database).await;
    let (bus, app) = (WatchedBus::new(Publishing::Works), Arc::<App>::default());
    let consumer = house.consumer(&bus, &app);
    // A SQLite file has one process; on PostgreSQL the second relay is in another one.
    let second = if engine == Engine::Sqlite {
        house.db.clone()
    } else {
        house.another_process().await
    };
    let relays = [house.relay(&bus), relay(&second, &bus)];
    let mut ids = Vec::new();
    for round in 0..40 {
        ids.extend(house.settle(round * 50..(round + 1) * 50).await);
    }
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (2_000, (0..2_000).sum()));
    for relay in relays {
        relay.stop().await;
    }
    let stored = bus.stored.lock().unwrap().clone();
    assert_eq!(stored.len(), 2_000);
    assert!(ids.iter().all(|id| stored.contains_key(id)));
    if engine == Engine::Postgres {
        assert!(
            stored.values().all(|times| *times == 1),
            "row locks keep the relays apart"
        );
    }
    consumer.stop().await;
}

async fn a_bus_that_works_gets_each_event_once(database: TestDatabase) {
    let house = House::build(database).await;
    let (bus, app) = (WatchedBus::new(Publishing::Works), Arc::<App>::default());
    // More than three batches wait, so that one is noted while the next is on its way.
    let ids = house.settle(0..2_000).await;
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    house.quiet(&bus).await;
    let stored = bus.stored.lock().unwrap().clone();
    assert_eq!(stored.len(), ids.len());
    assert!(stored.values().all(|times| *times == 1), "{stored:?}");
    for worker in workers {
        worker.stop().await;
    }
}

async fn a_relay_killed_before_it_could_mark_publishes_again(database: TestDatabase) {
    let (house, app) = (House::build(database).await, Arc::<App>::default());
    let dying = WatchedBus::new(Publishing::StoresAndHangs);
    let ids = house.settle(1..=10).await;
    let relay = house.relay(&dying);
    dying.hanging.notified().await;
    relay.kill().await;
    let stored = dying.stored.lock().unwrap().clone();
    assert_eq!(stored.len(), 10);

    // They have arrived and are applied, which the next relay cannot know.
    let bus = dying.revived();
    let consumer = house.consumer(&bus, &app);
    eventually("they are applied", SOON, async || match house.tally().await {
        (10, 55) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let relay = house.relay(&bus);
    house.quiet(&bus).await;
    assert!(
        ids.iter().all(|id| bus.stored.lock().unwrap()[id] == 2),
        "once by the dead relay, once by the living"
    );
    assert_eq!(house.tally().await, (10, 55));
    for worker in [relay, consumer] {
        worker.stop().await;
    }
}

async fn an_event_that_becomes_visible_late_is_found(database: TestDatabase) {
    let engine = database.engine();
    let (house, bus, app) = (
        House::build(database).await,
        WatchedBus::new(Publishing::Works),
        Arc::<App>::default(),
    );
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    let (early, late) = (earning(1), earning(10));
    assert!(early.id() < late.id());
    if engine == Engine::Postgres {
        let (written, is_written) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        let signals = Arc::new(tokio::sync::Mutex::new(Some((written, may_go_on))));
        let (db, early) = (house.db.clone(), early.clone());
        let slow = tokio::spawn(async move {
            let (early, signals) = (&[early], &signals);
            db.write_tx(|txn: Arc<Txn>| async move {
                outbox::append(&txn, now(), early).await?;
                let (written, may_go_on) = signals.lock().await.take().expect("once");
                written.send(()).expect("the test waits");
                may_go_on.await.expect("the test goes on");
                Ok::<_, StorageError>(())
            })
            .await
        });
        is_written.await.expect("written");
        append(&house.db, &[late]).await;
        house.quiet(&bus).await;
        assert_eq!(house.tally().await, (1, 10), "the later one has passed");
        go_on.send(()).expect("the transaction waits");
        slow.await.expect("no panic").expect("committed");
    } else {
        // One writer at a time: the id is older than its transaction.
        append(&house.db, &[late]).await;
        house.quiet(&bus).await;
        append(&house.db, &[early]).await;
    }
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (2, 11));
    for worker in workers {
        worker.stop().await;
    }
}

async fn an_event_that_cannot_be_published_waits_and_the_others_pass(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        WatchedBus::new(Publishing::Works),
        Arc::<App>::default(),
    );
    let events: Vec<NewEvent> = (1..=20).map(earning).collect();
    let refused = events[0].id();
    *bus.refused.lock().unwrap() = Some(refused);
    append(&house.db, &events).await;
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    eventually("the others are applied", SOON, async || match house.tally().await {
        (19, 209) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let attempts = eventually("it is tried again", SOON, async || {
        match waiting(&house, refused).await {
            Some((attempts, error)) if attempts > 2 => Ok((attempts, error)),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(attempts.1.as_deref(), Some("cannot publish: refused by the test"));
    *bus.refused.lock().unwrap() = None;
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (20, 210));
    for worker in workers {
        worker.stop().await;
    }
}

/// (attempts, last error) of an event that waits for the bus.
async fn waiting(house: &House, id: EventId) -> Option<(i32, Option<String>)> {
    let sql = "SELECT attempts, last_error FROM outbox_pending WHERE event_id = $1";
    let query = Statement::from_sql_and_values(house.db.backend(), sql, [id.as_uuid().into()]);
    let row = house.db.reader().query_one_raw(query).await.expect("a query")?;
    Some((
        row.try_get("", "attempts").expect("attempts"),
        row.try_get("", "last_error").expect("last_error"),
    ))
}

async fn a_rolled_back_event_never_leaves(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        WatchedBus::new(Publishing::Works),
        Arc::<App>::default(),
    );
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    let (ghost, real) = ([earning(1)], [earning(2)]);
    let ghost_ref = &ghost;
    let refused = house.db.write_tx(|txn: Arc<Txn>| async move {
        outbox::append(&txn, now(), ghost_ref).await?;
        Err::<(), _>(StorageError::Configuration("the business said no".to_owned()))
    });
    refused.await.expect_err("rolled back");
    append(&house.db, &real).await;
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (1, 2));
    assert!(!bus.stored.lock().unwrap().contains_key(&ghost[0].id()));
    for worker in workers {
        worker.stop().await;
    }
}

async fn the_archive_can_be_published_again_and_pruned(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        WatchedBus::new(Publishing::Works),
        Arc::<App>::default(),
    );
    let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
    let mut ids = Vec::new();
    for second in 1..=4 {
        let event = earning(second);
        ids.push(event.id());
        let events = &[event];
        let append = |txn: Arc<Txn>| async move { outbox::append(&txn, at(second), events).await };
        house.db.write_tx(append).await.expect("append");
    }
    let workers = [house.relay(&bus), house.consumer(&bus, &app)];
    house.quiet(&bus).await;

    let again = house
        .db
        .write_tx(|txn| async move { outbox::publish_again(&txn, at(2), at(4)).await });
    assert_eq!(again.await.expect("published again"), 2);
    house.quiet(&bus).await;
    let times = |id| bus.stored.lock().unwrap()[id];
    assert_eq!(ids.iter().map(times).collect::<Vec<_>>(), [1, 2, 2, 1]);
    assert_eq!(house.tally().await, (4, 10), "consumers ignore what they have");
    for worker in workers {
        worker.stop().await;
    }

    // What still waits is not forgotten, however old it is.
    let waits = house
        .db
        .write_tx(|txn| async move { outbox::publish_again(&txn, at(1), at(2)).await });
    assert_eq!(waits.await.expect("published again"), 1);
    let pruned = |limit| {
        house
            .db
            .write_tx(move |txn| async move { outbox::prune(&txn, at(4), limit).await })
    };
    assert_eq!(pruned(1).await.expect("pruned"), 1);
    assert_eq!(pruned(100).await.expect("pruned"), 1);
    assert_eq!(pruned(100).await.expect("pruned"), 0);
    assert_eq!(outbox::pending(house.db.reader()).await.expect("pending"), 1);
}

async fn a_relay_that_is_stopped_makes_a_last_pass(database: TestDatabase) {
    let (house, bus) = (House::build(database).await, WatchedBus::new(Publishing::Works));
    house.settle(1..=5).await;
    let stopped = tokio_util::sync::CancellationToken::new();
    stopped.cancel();
    tokio::time::timeout(SOON, Relay::new(house.db.clone(), bus.clone()).run(stopped))
        .await
        .expect("ends by itself");
    assert_eq!(bus.stored.lock().unwrap().len(), 5);
    assert_eq!(outbox::pending(house.db.reader()).await.expect("pending"), 0);
}
