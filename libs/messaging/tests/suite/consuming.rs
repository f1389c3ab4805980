//! From the bus into the database: once, whatever comes.

use std::sync::Arc;

use vouch_messaging::{Bus, Envelope, MemoryBus, dead_letter::Reason, outbox};
use vouch_primitives::EventId;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::harness::{App, EarningReversed, EarningSettled, House, PANICS, REJECTED, SOON, envelope, now, settled};

on_both_databases! {
    repeats_in_one_batch_and_in_later_ones_are_applied_once,
    the_same_id_with_another_content_is_set_aside,
    one_bad_event_does_not_hold_up_the_others,
    what_no_database_takes_as_text_is_set_aside_all_the_same,
    a_handler_that_is_not_ready_is_asked_again,
    an_outage_is_waited_out_without_halving_the_batch,
    two_consumers_share_the_work,
    a_dead_letter_is_applied_once_its_cause_is_mended,
}

async fn store(bus: &MemoryBus, events: &[Envelope]) {
    for answer in bus.publish(events).await {
        answer.expect("stored");
    }
}

async fn repeats_in_one_batch_and_in_later_ones_are_applied_once(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::faultless()),
        Arc::default(),
    );
    let (one, two) = (settled(1), settled(20));
    let reversal = envelope(EventId::new(), &EarningReversed { amount: 300 });
    let batch = [&one, &two, &one, &reversal, &one, &two].map(Clone::clone);
    store(&bus, &batch).await;
    let consumer = house.consumer(&bus, &app);
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (3, 1 + 20 - 300));

    store(&bus, &[one, settled(4_000), two]).await;
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (4, 1 + 20 - 300 + 4_000));
    assert!(house.dead().await.is_empty());
    consumer.stop().await;
}

async fn the_same_id_with_another_content_is_set_aside(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::faultless()),
        Arc::default(),
    );
    let first = settled(5);
    let forged = |amount| envelope(first.id, &EarningSettled { amount });
    let retyped = envelope(first.id, &EarningReversed { amount: 5 });
    // In the same batch, then in a later one where the true one is repeated, then the false ones are.
    store(&bus, &[first.clone(), forged(6)]).await;
    let consumer = house.consumer(&bus, &app);
    house.quiet(&bus).await;
    store(&bus, &[forged(7), retyped.clone(), first.clone()]).await;
    house.quiet(&bus).await;
    store(&bus, &[forged(7), forged(6)]).await;
    house.quiet(&bus).await;

    assert_eq!(house.tally().await, (1, 5));
    let dead = house.dead().await;
    let mut payloads: Vec<_> = dead
        .iter()
        .map(|letter| (letter.event_type.clone(), letter.payload.clone()))
        .collect();
    let mut expected: Vec<_> = [forged(6), forged(7), retyped]
        .map(|event| (event.event_type, event.payload.to_vec()))
        .to_vec();
    payloads.sort();
    expected.sort();
    assert_eq!(payloads, expected);
    assert!(
        dead.iter()
            .all(|letter| letter.reason == Reason::IdReused && letter.message_id == first.id.to_string())
    );
    consumer.stop().await;
}

async fn one_bad_event_does_not_hold_up_the_others(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::faultless()),
        Arc::<App>::default(),
    );
    let mut events: Vec<Envelope> = (0..500).map(|_| settled(1)).collect();
    events[17].payload = bytes::Bytes::from_static(b"\xff\xff\xff");
    events[255] = envelope(events[255].id, &EarningSettled { amount: REJECTED });
    events[499] = envelope(events[499].id, &EarningSettled { amount: PANICS });
    store(&bus, &events).await;
    let consumer = house.consumer(&bus, &app);
    house.quiet(&bus).await;

    assert_eq!(house.tally().await, (497, 497));
    let mut dead = house.dead().await;
    dead.sort_by_key(|letter| letter.sequence);
    let seen: Vec<_> = dead
        .iter()
        .map(|l| (l.sequence, l.reason, l.message_id.clone()))
        .collect();
    let id = |index: usize| events[index].id.to_string();
    assert_eq!(
        seen,
        [
            (18, Reason::Undecodable, id(17)),
            (256, Reason::Rejected, id(255)),
            (500, Reason::Panicked, id(499))
        ]
    );
    assert_eq!(dead[0].payload, b"\xff\xff\xff");
    assert_eq!(dead[1].error, "bad amount -1");
    assert_eq!(dead[2].error, "the amount is -2");
    assert!(
        dead[1].headers.contains("ce-type: vouch.payments.v1.EarningSettled\n"),
        "{}",
        dead[1].headers
    );
    // Halving costs logarithms, not five hundred transactions.
    let calls = app.calls.lock().unwrap().len();
    assert!(calls < 60, "{calls} calls");
    consumer.stop().await;
}

async fn what_no_database_takes_as_text_is_set_aside_all_the_same(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::faultless()),
        Arc::<App>::default(),
    );
    let mut events: Vec<Envelope> = (0..3).map(|_| settled(1)).collect();
    events[0] = envelope(events[0].id, &EarningSettled { amount: REJECTED });
    events[0].source.push('\0');
    events[1] = envelope(events[1].id, &EarningSettled { amount: REJECTED });
    store(&bus, &events).await;
    let consumer = house.consumer(&bus, &app);
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (1, 1));
    let strange: Vec<_> = house
        .dead()
        .await
        .iter()
        .map(|l| l.headers.contains('\u{fffd}'))
        .collect();
    assert_eq!(strange, [true, false]);
    consumer.stop().await;
}

async fn a_handler_that_is_not_ready_is_asked_again(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::faultless()),
        Arc::<App>::default(),
    );
    app.not_ready.lock().unwrap().insert(1_000, 15);
    store(
        &bus,
        &(0..64)
            .map(|n| settled(if n == 40 { 1_000 } else { 1 }))
            .collect::<Vec<_>>(),
    )
    .await;
    let consumer = house.consumer(&bus, &app);
    // The others do not wait for it.
    eventually("the ready ones are applied", SOON, async || match house.tally().await {
        (63, 63) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_ne!(app.not_ready.lock().unwrap()[&1_000], 0, "the others came first");
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (64, 1_063));
    assert!(house.dead().await.is_empty());
    consumer.stop().await;
}

async fn an_outage_is_waited_out_without_halving_the_batch(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::faultless()),
        Arc::<App>::default(),
    );
    *app.outages.lock().unwrap() = 3;
    store(&bus, &(0..100).map(|_| settled(1)).collect::<Vec<_>>()).await;
    let consumer = house.consumer(&bus, &app);
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (100, 100));
    assert_eq!(
        *app.calls.lock().unwrap(),
        [100; 4],
        "three failures and a success, whole each time"
    );
    consumer.stop().await;
}

async fn two_consumers_share_the_work(database: TestDatabase) {
    let (house, bus, app) = (
        House::build(database).await,
        Arc::new(MemoryBus::new(7)),
        Arc::<App>::default(),
    );
    let consumers = [house.consumer(&bus, &app), house.consumer(&bus, &app)];
    let events: Vec<Envelope> = (0..2_000).map(settled).collect();
    for _ in 0..3 {
        for chunk in events.chunks(100) {
            // Lost publishes are the relay's business; here two of three rounds may lose an event.
            bus.publish(chunk).await;
        }
    }
    store_until_accepted(&bus, &events).await;
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (2_000, (0..2_000).sum()));
    assert!(house.dead().await.is_empty());
    for consumer in consumers {
        consumer.stop().await;
    }
}

async fn store_until_accepted(bus: &MemoryBus, events: &[Envelope]) {
    let mut left = events.to_vec();
    while !left.is_empty() {
        let answers = bus.publish(&left).await;
        left = left
            .into_iter()
            .zip(answers)
            .filter(|(_, answer)| answer.is_err())
            .map(|(event, _)| event)
            .collect();
    }
}

async fn a_dead_letter_is_applied_once_its_cause_is_mended(database: TestDatabase) {
    let (house, bus) = (House::build(database).await, Arc::new(MemoryBus::faultless()));
    let app = Arc::<App>::default();
    let relay = house.relay(&bus);
    let before = now();
    house.settle([REJECTED, 7]).await;
    let consumer = house.consumer(&bus, &app);
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (1, 7));
    consumer.stop().await;

    // The mended service takes what the old one refused; the event comes again under its old id.
    let consumer = house.consumer_with(&bus, &app, crate::harness::lenient_router());
    let again = house
        .db
        .write_tx(|txn| async move { outbox::publish_again(&txn, before, now()).await });
    assert_eq!(again.await.expect("published again"), 2);
    house.quiet(&bus).await;
    assert_eq!(house.tally().await, (2, 7 + REJECTED));
    for worker in [relay, consumer] {
        worker.stop().await;
    }
}
