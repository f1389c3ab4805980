//! On a real nats-server, which is stopped and killed.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{context::Context, stream::Stream};
use futures::TryStreamExt;
use prost::{Message, Name};
use vouch_messaging::{
    AUDITOR, Bus, JetStream, NatsConfig, NewEvent, Router, Subscription, dead_letter::Reason, outbox,
};
use vouch_primitives::{Timestamp, Uuid};
use vouch_testkit::{NatsServer, TestDatabase, eventually, on_both_databases};

use crate::harness::{
    App, AppError, EarningReversed, EarningSettled, House, SOON, Worker, append, router, subscription,
};

on_both_databases! {
    nats_carries_events_with_their_headers,
    nats_may_be_down_while_events_are_made,
    nats_may_be_killed_under_load,
    nats_delivers_again_what_a_dead_consumer_had,
    nats_delivers_what_nobody_here_understands_and_it_is_parked,
    nats_tells_all_again_to_whoever_reads_a_stream_from_its_beginning,
}

pub struct World {
    pub house: House,
    nats: NatsServer,
    pub bus: Arc<JetStream>,
    app: Arc<App>,
}

impl World {
    pub async fn build(database: TestDatabase) -> Self {
        let (house, nats) = (House::build(database).await, NatsServer::start().await.expect("nats"));
        let bus = connect(&nats, "referral").await;
        // In whatever order the services are installed.
        bus.provision("referral", &router().subscriptions())
            .await
            .expect("provisioned");
        let producer = connect(&nats, "payments").await;
        producer.provision("payments", &[]).await.expect("provisioned");
        Self {
            house,
            nats,
            bus,
            app: Arc::default(),
        }
    }

    pub fn workers(&self) -> [Worker; 2] {
        [self.house.relay(&self.bus), self.house.consumer(&self.bus, &self.app)]
    }

    pub async fn stream(&self) -> (Context, Stream) {
        let client = async_nats::connect(self.nats.url()).await.expect("a connection");
        let context = async_nats::jetstream::new(client);
        let stream = context.get_stream("VOUCH_PAYMENTS").await.expect("the stream");
        (context, stream)
    }
}

async fn connect(nats: &NatsServer, service: &str) -> Arc<JetStream> {
    let config = NatsConfig {
        url: nats.url(),
        ack_wait_seconds: 2,
        ..NatsConfig::default()
    };
    Arc::new(JetStream::connect(&config, service).await.expect("a bus"))
}

pub async fn stop(workers: [Worker; 2]) {
    for worker in workers {
        worker.stop().await;
    }
}

async fn nats_carries_events_with_their_headers(database: TestDatabase) {
    let world = World::build(database).await;
    let workers = world.workers();
    let about = Uuid::from_u128(42);
    let event = NewEvent::new(about, &EarningSettled { amount: 7 });
    append(&world.house.db, std::slice::from_ref(&event)).await;
    world.house.settle(1..=1_500).await;
    world.house.quiet(&world.bus).await;
    assert_eq!(world.house.tally().await, (1_501, 7 + (1..=1_500).sum::<i64>()));

    let (context, stream) = world.stream().await;
    let config = stream.cached_info().config.clone();
    assert!(config.deny_delete && config.deny_purge);
    assert_eq!(config.subjects, ["vouch.payments.>"]);
    let message = stream
        .get_first_raw_message_by_subject("vouch.payments.v1.EarningSettled", 1)
        .await
        .expect("a message");
    let header = |name: &str| {
        message
            .headers
            .get(name)
            .map(|value| value.to_string())
            .unwrap_or_default()
    };
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", &event.id().to_string()),
        ("Nats-Msg-Id", &event.id().to_string()),
        ("ce-type", "vouch.payments.v1.EarningSettled"),
        ("ce-source", "/vouch/payments"),
        ("ce-subject", &about.to_string()),
        ("Nats-Expected-Stream", "VOUCH_PAYMENTS"),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    assert!(header("ce-time").ends_with('Z'));
    stop(workers).await;

    // Provisioning again, by anybody, changes nothing and loses nothing.
    world
        .bus
        .provision("referral", &router().subscriptions())
        .await
        .expect("provisioned");
    let streams: Vec<String> = context.stream_names().try_collect().await.expect("names");
    assert_eq!(streams.len(), 2, "{streams:?}");
    assert!(world.bus.lag(&subscription()).await.expect("lag").is_zero());
}

async fn nats_may_be_down_while_events_are_made(database: TestDatabase) {
    let mut world = World::build(database).await;
    let workers = world.workers();
    world.house.settle(1..=10).await;
    world.house.quiet(&world.bus).await;
    world.nats.stop().await.expect("stopped");
    eventually("the bus knows", SOON, async || {
        if world.bus.is_connected() {
            Err("connected".into())
        } else {
            Ok(())
        }
    })
    .await;
    for first in (11..=600).step_by(59) {
        world.house.settle(first..first + 59).await;
    }
    assert_eq!(outbox::pending(world.house.db.reader()).await.expect("pending"), 590);
    assert_eq!(world.house.tally().await, (10, 55));

    world.nats.start_again().await.expect("started");
    world.house.quiet(&world.bus).await;
    assert_eq!(world.house.tally().await, (600, (1..=600).sum()));
    stop(workers).await;
}

async fn nats_may_be_killed_under_load(database: TestDatabase) {
    let mut world = World::build(database).await;
    let workers = world.workers();
    let house = &world.house;
    let load = async {
        for first in (0..4_000).step_by(20) {
            house.settle(first..first + 20).await;
        }
    };
    let murder = async {
        for killed_at in [400, 1_500] {
            eventually("some way is made", SOON, async || match house.tally().await {
                (rows, _) if rows >= killed_at => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
            world.nats.kill().await.expect("killed");
            world.nats.start_again().await.expect("started");
        }
    };
    tokio::join!(load, murder);
    house.quiet(&world.bus).await;
    assert_eq!(house.tally().await, (4_000, (0..4_000).sum()));
    assert!(house.dead().await.is_empty());
    stop(workers).await;
}

async fn nats_delivers_again_what_a_dead_consumer_had(database: TestDatabase) {
    let world = World::build(database).await;
    let relay = world.house.relay(&world.bus);
    world.house.settle(1..=100).await;
    // Taken and never settled, as by a process that dies.
    let taken = eventually("messages", SOON, async || {
        let taken = world
            .bus
            .pull(&subscription(), 60, Duration::from_secs(1))
            .await
            .map_err(|e| e.to_string())?;
        if taken.is_empty() {
            Err("none".to_owned())
        } else {
            Ok(taken.len())
        }
    })
    .await;
    let lag = world.bus.lag(&subscription()).await.expect("lag");
    assert_eq!(lag.unacked, u64::try_from(taken).unwrap());
    let consumer = world.house.consumer(&world.bus, &world.app);
    world.house.quiet(&world.bus).await;
    assert_eq!(world.house.tally().await, (100, 5_050));
    stop([relay, consumer]).await;
}

async fn nats_delivers_what_nobody_here_understands_and_it_is_parked(database: TestDatabase) {
    let world = World::build(database).await;
    // An older version, which knows nothing of reversals though its durable consumer delivers them.
    let older = Router::<App, AppError>::new("referral")
        .on::<EarningSettled>(|app, txn, facts| Box::pin(app.insert(txn, facts, |e| e.amount)));
    let workers = [
        world.house.relay(&world.bus),
        world.house.consumer_with(&world.bus, &world.app, older),
    ];
    let reversal = NewEvent::new(Uuid::nil(), &EarningReversed { amount: 3 });
    append(&world.house.db, std::slice::from_ref(&reversal)).await;
    // And somebody who does not know our headers.
    let (context, _) = world.stream().await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-id", "not a uuid");
    let subject = "vouch.payments.v1.EarningSettled";
    let sent = context
        .publish_with_headers(subject, headers, "hello".into())
        .await
        .expect("sent");
    sent.await.expect("stored");
    world.house.settle([5]).await;
    world.house.quiet(&world.bus).await;

    assert_eq!(world.house.tally().await, (1, 5));
    let mut dead = world.house.dead().await;
    dead.sort_by_key(|letter| letter.reason == Reason::UnknownType);
    let [malformed, unknown] = &dead[..] else {
        panic!("{dead:?}")
    };
    assert_eq!(
        (malformed.reason, malformed.headers.as_str()),
        (Reason::Malformed, "ce-id: not a uuid\n")
    );
    assert_eq!(malformed.payload, b"hello");
    assert!(malformed.error.starts_with("header ce-id: "), "{}", malformed.error);
    assert_eq!(
        (unknown.reason, &unknown.message_id),
        (Reason::UnknownType, &reversal.id().to_string())
    );
    assert_eq!(unknown.event_type, "vouch.payments.v1.EarningReversed");
    stop(workers).await;
}

#[tokio::test]
async fn nats_without_room_for_a_stream_says_what_to_do() {
    let nats = NatsServer::start().await.expect("nats");
    let config = NatsConfig {
        url: nats.url(),
        max_bytes: 1 << 50,
        ..NatsConfig::default()
    };
    let bus = JetStream::connect(&config, "payments").await.expect("a bus");
    let refused = bus.provision("payments", &[]).await.expect_err("no such disk");
    let told = refused.to_string();
    for part in [
        "cannot make the stream: ",
        "1125899906842624",
        "nats.max_bytes",
        "max_file_store",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

async fn nats_tells_all_again_to_whoever_reads_a_stream_from_its_beginning(database: TestDatabase) {
    const EVENTS: i64 = 1_200;
    let world = World::build(database).await;
    let workers = world.workers();
    let events: Vec<_> = (0..EVENTS)
        .map(|amount| NewEvent::new(Uuid::from_u128(42), &EarningSettled { amount }))
        .chain([NewEvent::new(Uuid::from_u128(42), &EarningReversed { amount: 1 })])
        .collect();
    append(&world.house.db, &events).await;
    world.house.quiet(&world.bus).await;
    let of = Subscription {
        subjects: vec![EarningSettled::full_name()],
        ..subscription()
    };
    let auditor = connect(&world.nats, AUDITOR).await;
    // One that was left in the middle is no hindrance.
    let mut dead = auditor.replay(&of).await.expect("begun");
    assert_eq!(dead.next(700).await.expect("some").len(), 700);
    let replay = auditor.replay(&of).await.expect("begun anew");
    assert_eq!(replay.messages(), u64::try_from(EVENTS).expect("few"));
    let stolen = dead.next(10).await;
    assert!(stolen.is_err(), "one reads at a time: {stolen:?}");
    let mut replay = auditor.replay(&of).await.expect("begun anew");
    let mut read = Vec::new();
    loop {
        let piece = replay.next(500).await.expect("a piece");
        if piece.is_empty() {
            break;
        }
        read.extend(
            piece
                .into_iter()
                .map(|delivery| delivery.event.expect("an event").payload),
        );
    }
    let amount = |payload: bytes::Bytes| EarningSettled::decode(payload).expect("one").amount;
    let mut amounts: Vec<_> = read.into_iter().map(amount).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, (0..EVENTS).collect::<Vec<_>>());
    assert!(replay.held_since() > Timestamp::EPOCH, "the stream is young");
    auditor.end_replay(&of).await.expect("ended");
    auditor.end_replay(&of).await.expect("which is so already");
    let lag = world.bus.lag(&subscription()).await.expect("a lag");
    assert!(
        lag.is_zero() && lag.redelivered == 0,
        "nobody's work was touched: {lag:?}"
    );
    stop(workers).await;
}
