//! What waits, and since when.

use std::sync::Arc;

use tonic::Code;
use vouch_messaging::{MemoryBus, NewEvent};
use vouch_primitives::Uuid;
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1 as pb;
use vouch_storage::Txn;
use vouch_storage::timers::{self, NewTimer};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::harness::{START, World, at, body};
use crate::support::Switch;

on_both_databases! {
    the_status_tells_since_when_and_does_without_the_bus,
    timers_are_listed_in_their_order,
}

async fn the_status_tells_since_when_and_does_without_the_bus(of: TestDatabase) {
    let bus = Arc::new(MemoryBus::faultless());
    let world = World::on(&of, bus, Arc::new(Switch::default())).await;
    world
        .append(&[NewEvent::new(Uuid::nil(), &body(1))], "2026-02-01T00:00:00Z")
        .await;
    let timer = |due| NewTimer {
        kind: "test.due",
        key: Uuid::nil(),
        due: at(due),
    };
    for (due, count) in [("2026-02-28T09:00:01Z", 0), ("2026-02-27T00:00:00Z", 1)] {
        let timers = &[timer(due)];
        let set = |txn: Arc<Txn>| async move { timers::schedule(&txn, timers).await };
        world.db.write_tx(set).await.expect("set");
        let status = world.operator.clone().get_status(pb::GetStatusRequest {}).await;
        let status = status.expect("answered").into_inner();
        let due_time = (count > 0).then(|| to_wire_time(at(due)));
        assert_eq!(
            status.due_timers,
            Some(pb::Waiting {
                count,
                oldest_time: due_time
            })
        );
        let oldest_time = Some(to_wire_time(at("2026-02-01T00:00:00Z")));
        assert_eq!(status.unpublished_events, Some(pb::Waiting { count: 1, oldest_time }));
        assert_eq!(status.dead_letters, Some(pb::Waiting::default()));
        assert_eq!(
            (&*status.bus_error, status.consumers.len()),
            ("not connected to the bus", 0)
        );
    }
    world.stop().await;
    let world = World::start(&of).await;
    let status = world.operator.clone().get_status(pb::GetStatusRequest {}).await;
    let status = status.expect("answered").into_inner();
    assert_eq!(
        (&*status.bus_error, &*status.consumers[0].stream),
        ("", "VOUCH_PAYMENTS")
    );
    world.stop().await;
}

async fn timers_are_listed_in_their_order(of: TestDatabase) {
    let world = World::start(&of).await;
    let timer = |kind, days: u64| NewTimer {
        kind,
        key: Uuid::from_u128(days.into()),
        due: at(START).saturating_add(std::time::Duration::from_secs(days * 86_400)),
    };
    let timers = &[
        timer("b", 3),
        timer("a", 3),
        timer("a", 1),
        timer("b", 2),
        timer("b", 1),
    ];
    let set = |txn: Arc<Txn>| async move { timers::schedule(&txn, timers).await };
    world.db.write_tx(set).await.expect("set");
    let list = async |kind: &str| {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListTimersRequest {
                kind: kind.to_owned(),
                page_size: 2,
                page_token: token,
            };
            let page = world
                .operator
                .clone()
                .list_timers(request)
                .await
                .expect("listed")
                .into_inner();
            assert!(page.timers.iter().all(|timer| timer.due_time == timer.next_try_time));
            seen.extend(
                page.timers
                    .into_iter()
                    .map(|timer| format!("{}{}", timer.kind, &timer.key[35..])),
            );
            token = page.next_page_token;
            if token.is_empty() {
                return seen;
            }
        }
    };
    assert_eq!(list("").await, ["a1", "b1", "b2", "a3", "b3"]);
    assert_eq!(list("b").await, ["b1", "b2", "b3"]);
    let request = pb::ListTimersRequest {
        page_token: "x".to_owned(),
        ..Default::default()
    };
    let refused = world.operator.clone().list_timers(request).await.expect_err("no token");
    assert_eq!(refused.code(), Code::InvalidArgument);
    world.stop().await;
}
