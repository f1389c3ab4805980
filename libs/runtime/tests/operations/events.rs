//! Events: listed, published again, held against what was applied.

use std::sync::atomic::Ordering;

use prost::Name;
use tonic::Code;
use vouch_messaging::NewEvent;
use vouch_primitives::{EventId, RequestId, Uuid};
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1 as pb;
use vouch_proto::operations::v1::unapplied_event::Standing;
use vouch_proto::payments::v1::{EarningReversed, EarningSettled};
use vouch_testkit::answers::refusal;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::harness::{START, World, at, body};

on_both_databases! {
    events_are_listed_and_published_again,
    what_was_not_applied_is_told_by_its_standing,
}

async fn events_are_listed_and_published_again(of: TestDatabase) {
    let world = World::start(&of).await;
    let told: Vec<NewEvent> = (0..5).map(|amount| NewEvent::new(Uuid::nil(), &body(amount))).collect();
    let other = NewEvent::new(Uuid::nil(), &EarningReversed::default());
    world.append(&told[..2], "2026-02-01T00:00:00Z").await;
    world.append(&told[2..], "2026-02-02T00:00:00Z").await;
    world.append(&[other], "2026-02-02T00:00:00Z").await;
    // Too young to count, unless somebody says until when.
    world.append(&[NewEvent::new(Uuid::nil(), &body(9))], START).await;
    world.unpublished(0).await;
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let page = world.published(pb::ListPublishedEventsRequest {
            event_types: vec![EarningSettled::full_name()],
            page_size: 2,
            page_token: token,
            ..Default::default()
        });
        let page = page.await;
        ids.extend(page.events.iter().map(|event| event.event_id.clone()));
        assert!(
            page.events
                .iter()
                .all(|event| event.content_hash.len() == 32 && !event.unpublished)
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = told.iter().map(|event| event.id().to_string()).collect();
    assert_eq!(sorted(&ids), sorted(&expected));
    assert_eq!(sorted(&ids[..2]), sorted(&expected[..2]), "in the order of time");
    let second_day = pb::ListPublishedEventsRequest {
        from_time: Some(to_wire_time(at("2026-02-02T00:00:00Z"))),
        until_time: Some(to_wire_time(at(START))),
        ..Default::default()
    };
    assert_eq!(world.published(second_day).await.events.len(), 4);
    the_listed_are_published_again(&world, &expected).await;
    world.stop().await;
}

async fn the_listed_are_published_again(world: &World, expected: &[String]) {
    let unknown = [EventId::new(), EventId::new()].map(|id| id.to_string());
    let again = |event_ids: Vec<String>| pb::PublishAgainRequest {
        request_id: RequestId::new().to_string(),
        event_ids,
    };
    let mixed = again([&unknown[..], &expected[..1]].concat());
    let refused = world.operator.clone().publish_again(mixed).await.expect_err("unknown");
    let told = refusal::<()>(Err(refused.clone()));
    assert_eq!(told, (Code::NotFound, "EVENTS_UNKNOWN".to_owned()));
    assert!(unknown.iter().all(|id| refused.message().contains(id)), "{refused}");
    assert!(!refused.message().contains(&expected[0]), "{refused}");
    let twice = again(vec![unknown[0].clone(), unknown[0].clone()]);
    assert_eq!(
        world
            .operator
            .clone()
            .publish_again(twice)
            .await
            .expect_err("twice")
            .code(),
        Code::InvalidArgument
    );

    let two = world
        .operator
        .clone()
        .publish_again(again(expected[..2].to_vec()))
        .await
        .expect("handed over");
    assert_eq!(two.into_inner().handed_over, 2);
    let range = pb::PublishRangeAgainRequest {
        request_id: RequestId::new().to_string(),
        from_time: Some(to_wire_time(at("2026-02-02T00:00:00Z"))),
        until_time: Some(to_wire_time(at(START))),
    };
    let four = world
        .operator
        .clone()
        .publish_range_again(range)
        .await
        .expect("handed over")
        .into_inner();
    assert_eq!((four.handed_over, four.still_waiting), (4, 0));
    world.unpublished(0).await;
}

fn sorted(ids: &[String]) -> Vec<&String> {
    let mut ids: Vec<_> = ids.iter().collect();
    ids.sort();
    ids
}

async fn what_was_not_applied_is_told_by_its_standing(of: TestDatabase) {
    let world = World::start(&of).await;
    world.app.limit.store(100, Ordering::SeqCst);
    // The service is its own producer here: what it has told, and what it has heard of it.
    let told: Vec<NewEvent> = [1, 200, 300, 4, 5]
        .map(|amount| NewEvent::new(Uuid::nil(), &body(amount)))
        .into();
    let foreign = NewEvent::new(Uuid::nil(), &EarningReversed::default());
    world.append(&told[..4], "2026-02-01T00:00:00Z").await;
    let letters = world.set_aside(2).await;
    let second = letters
        .iter()
        .find(|letter| letter.message_id == told[2].id().to_string());
    world
        .discard(second.expect("it").id, "not ours")
        .await
        .expect("discarded");
    let mut events = world.published(pb::ListPublishedEventsRequest::default()).await.events;
    events.retain(|event| event.event_id != told[3].id().to_string());
    for (event, content_hash) in [(&told[4], [1; 32]), (&told[3], [2; 32])] {
        events.push(pb::PublishedEvent {
            event_id: event.id().to_string(),
            event_type: EarningSettled::full_name(),
            content_hash: content_hash.to_vec(),
            ..Default::default()
        });
    }
    events.push(pb::PublishedEvent {
        event_id: foreign.id().to_string(),
        event_type: EarningReversed::full_name(),
        content_hash: vec![3; 32],
        ..Default::default()
    });
    let checked = world.check(events).await;
    let mut seen: Vec<_> = checked
        .unapplied
        .iter()
        .map(|one| (one.event_id.clone(), one.standing()))
        .collect();
    let mut expected = vec![
        (told[1].id().to_string(), Standing::DeadLetter),
        (told[2].id().to_string(), Standing::Discarded),
        (told[3].id().to_string(), Standing::OtherContent),
        (told[4].id().to_string(), Standing::Missing),
    ];
    seen.sort();
    expected.sort();
    assert_eq!((checked.applied, seen), (1, expected));
    let none = pb::CheckAppliedRequest::default();
    let refused = world
        .operator
        .clone()
        .check_applied(none)
        .await
        .expect_err("nothing to check");
    assert_eq!(refused.code(), Code::InvalidArgument);
    world.stop().await;
}
