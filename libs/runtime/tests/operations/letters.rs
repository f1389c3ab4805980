//! Dead letters: shown, retried, discarded, on record.

use std::sync::atomic::Ordering;

use prost::{Message, Name};
use tonic::Code;
use vouch_messaging::Envelope;
use vouch_primitives::RequestId;
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1 as pb;
use vouch_proto::payments::v1::{EarningReversed, EarningSettled};
use vouch_testkit::answers::{refusal, violations};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::harness::{START, World, at, body, settled};
use crate::support::PATIENCE;

on_both_databases! {
    a_dead_letter_is_shown_retried_and_put_on_record,
    many_are_retried_page_by_page_and_one_that_fails_holds_up_none,
    what_can_never_be_applied_can_only_be_discarded,
    what_was_discarded_stays_unapplied_when_it_comes_again,
}

async fn a_dead_letter_is_shown_retried_and_put_on_record(of: TestDatabase) {
    let world = World::start(&of).await;
    let event = settled(7);
    world.publish(std::slice::from_ref(&event)).await;
    let [letter] = <[_; 1]>::try_from(world.set_aside(1).await).expect("one");
    assert_eq!(letter.message_id, event.id.to_string());
    assert_eq!(
        (letter.reason(), &*letter.error),
        (pb::DeadLetterReason::Rejected, "7 is too much")
    );
    for (filter, found) in filters() {
        assert_eq!(world.letters(filter.clone()).await.len(), found, "{filter:?}");
    }
    let shown = pb::GetDeadLetterRequest { id: letter.id };
    let shown = world
        .operator
        .clone()
        .get_dead_letter(shown)
        .await
        .expect("shown")
        .into_inner();
    assert_eq!(shown.dead_letter.as_ref(), Some(&letter));
    assert_eq!(shown.payload, event.payload);
    assert!(
        shown.headers.contains(&format!("ce-id: {}\n", event.id)),
        "{}",
        shown.headers
    );

    // Refused again: it stays, with the error of this time; the same request changes nothing more.
    let first = RequestId::new();
    for _ in 0..2 {
        let answer = world.retry(first, letter.id).await.expect("answered");
        let stays = answer.dead_letter.expect("it stays");
        assert!(!answer.applied);
        assert_eq!((stays.retries, stays.retry_time), (1, Some(to_wire_time(at(START)))));
    }
    assert_eq!((world.tally().await, world.set_aside(1).await[0].retries), (0, 1));

    world.app.limit.store(100, Ordering::SeqCst);
    assert!(!world.retry(first, letter.id).await.expect("remembered").applied);
    let second = RequestId::new();
    for _ in 0..2 {
        assert!(world.retry(second, letter.id).await.expect("answered").applied);
    }
    assert_eq!(world.tally().await, 1);
    world.set_aside(0).await;
    let [closed] = <[_; 1]>::try_from(world.closed().await).expect("one on record");
    assert_eq!(closed.outcome(), pb::closed_dead_letter::Outcome::Applied);
    assert_eq!(
        (&*closed.closed_by, closed.dead_letter.expect("it").retries),
        ("operator:test", 1)
    );

    let gone = refusal(world.retry(RequestId::new(), letter.id).await);
    assert_eq!(gone, (Code::NotFound, "NOT_FOUND".to_owned()));
    // The producer may tell it again: it has been applied.
    let later = settled(8);
    world.publish(&[event, later]).await;
    eventually("the later one", PATIENCE, async || match world.tally().await {
        2 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    world.stop().await;
}

/// Filters, and how many letters of the test above they let through.
fn filters() -> Vec<(pb::DeadLetterFilter, usize)> {
    let all = pb::DeadLetterFilter::default;
    let start = Some(to_wire_time(at(START)));
    let text = str::to_owned;
    vec![
        (
            pb::DeadLetterFilter {
                stream: text("VOUCH_PAYMENTS"),
                ..all()
            },
            1,
        ),
        (
            pb::DeadLetterFilter {
                stream: text("VOUCH_ONBOARDING"),
                ..all()
            },
            0,
        ),
        (
            pb::DeadLetterFilter {
                event_type: EarningSettled::full_name(),
                ..all()
            },
            1,
        ),
        (
            pb::DeadLetterFilter {
                event_type: EarningReversed::full_name(),
                ..all()
            },
            0,
        ),
        (
            pb::DeadLetterFilter {
                reason: pb::DeadLetterReason::Rejected.into(),
                ..all()
            },
            1,
        ),
        (
            pb::DeadLetterFilter {
                reason: pb::DeadLetterReason::Panicked.into(),
                ..all()
            },
            0,
        ),
        (
            pb::DeadLetterFilter {
                from_time: start,
                ..all()
            },
            1,
        ),
        (
            pb::DeadLetterFilter {
                until_time: start,
                ..all()
            },
            0,
        ),
    ]
}

async fn many_are_retried_page_by_page_and_one_that_fails_holds_up_none(of: TestDatabase) {
    let world = World::start(&of).await;
    let events: Vec<Envelope> = [1, 2, 300, 4, 5].map(settled).into();
    world.publish(&events).await;
    world.set_aside(5).await;
    world.app.limit.store(100, Ordering::SeqCst);
    let (mut applied, mut failed, mut token) = (0, Vec::new(), String::new());
    loop {
        let request = pb::RetryDeadLettersRequest {
            request_id: RequestId::new().to_string(),
            page_size: 2,
            page_token: token,
            filter: None,
        };
        let answer = world.operator.clone().retry_dead_letters(request.clone()).await;
        let answer = answer.expect("answered").into_inner();
        let again = world.operator.clone().retry_dead_letters(request).await;
        assert_eq!(again.expect("answered").into_inner(), answer);
        applied += answer.applied;
        failed.extend(answer.failed);
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let failed: Vec<_> = failed
        .iter()
        .map(|letter| (&*letter.message_id, letter.retries))
        .collect();
    assert_eq!((applied, failed), (4, vec![(&*events[2].id.to_string(), 1)]));
    assert_eq!((world.tally().await, world.set_aside(1).await[0].retries), (4, 1));
    assert_eq!(world.closed().await.len(), 4);
    world.stop().await;
}

async fn what_can_never_be_applied_can_only_be_discarded(of: TestDatabase) {
    let world = World::start(&of).await;
    world.app.limit.store(100, Ordering::SeqCst);
    let true_one = settled(1);
    let forged = Envelope {
        payload: body(2).encode_to_vec().into(),
        ..true_one.clone()
    };
    world.publish(&[true_one.clone(), forged]).await;
    let [letter] = <[_; 1]>::try_from(world.set_aside(1).await).expect("one");
    assert_eq!(letter.reason(), pb::DeadLetterReason::IdReused);
    let refused = refusal(world.retry(RequestId::new(), letter.id).await);
    assert_eq!(refused, (Code::FailedPrecondition, "DEAD_LETTER_FINAL".to_owned()));
    let request = pb::RetryDeadLettersRequest {
        request_id: RequestId::new().to_string(),
        ..Default::default()
    };
    let answer = world
        .operator
        .clone()
        .retry_dead_letters(request)
        .await
        .expect("answered");
    assert_eq!(answer.into_inner(), pb::RetryDeadLettersResponse::default());
    assert_eq!((world.tally().await, world.set_aside(1).await[0].retries), (1, 0));

    assert_eq!(
        violations(world.discard(0, " ").await),
        ["id REQUIRED", "reason REQUIRED"]
    );
    let closed = world.discard(letter.id, "a forgery").await.expect("discarded");
    assert_eq!(closed.outcome(), pb::closed_dead_letter::Outcome::Discarded);
    assert_eq!((&*closed.reason, &*closed.closed_by), ("a forgery", "operator:test"));
    assert_eq!(closed.close_time, Some(to_wire_time(at(START))));
    assert_eq!(closed.dead_letter.as_ref(), Some(&letter));
    assert_eq!(world.closed().await, [closed]);
    world.set_aside(0).await;
    assert_eq!(
        world.discard(letter.id, "again").await.expect_err("gone").code(),
        Code::NotFound
    );
    world.stop().await;
}

async fn what_was_discarded_stays_unapplied_when_it_comes_again(of: TestDatabase) {
    let world = World::start(&of).await;
    let event = settled(7);
    world.publish(std::slice::from_ref(&event)).await;
    let [letter] = <[_; 1]>::try_from(world.set_aside(1).await).expect("one");
    world.discard(letter.id, "a mistake of ours").await.expect("discarded");

    // The handler would take it now.
    world.app.limit.store(100, Ordering::SeqCst);
    world.publish(&[event, settled(8)]).await;
    eventually("the other one", PATIENCE, async || {
        match world.tally().await {
            0 => Err("not yet"),
            _ => Ok(()),
        }
        .map_err(str::to_owned)
    })
    .await;
    assert_eq!(world.tally().await, 1);
    world.set_aside(0).await;
    world.stop().await;
}
