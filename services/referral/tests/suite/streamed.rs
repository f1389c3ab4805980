//! The books computed from what the streams hold: everything that is stored otherwise is found.

use futures::stream;
use prost::Message;
use tonic::Status;
use vouch_messaging::Envelope;
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::EarningSettled,
    referral::v1::{
        self as pb,
        books_service_client::BooksServiceClient,
        rebuild_from_streams_request::ToldEvent,
        rebuild_response::{Difference, End, Part},
    },
};
use vouch_referral::app::told::event_types;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    books::{all_that_happens, is_right},
    harness::{House, at, fields},
};

on_both_databases! {
    books_come_out_of_the_streams_as_they_are,
    what_is_stored_otherwise_than_it_was_told_is_named,
    what_cannot_be_read_is_named_and_what_is_cut_off_is_forgotten,
}

/// Long before anything.
const BEGINNING: &str = "2020-01-01";

/// Sends these events, a few in each piece.
async fn ask(house: &House, events: &[Envelope], held_since: Timestamp, ends: bool) -> Result<Vec<Part>, Status> {
    let run = RequestId::new().to_string();
    let told = |event: &Envelope| ToldEvent {
        event_id: event.id.to_string(),
        event_type: event.event_type.clone(),
        payload: event.payload.to_vec(),
    };
    let mut pieces: Vec<_> = events
        .chunks(3)
        .map(|chunk| pb::RebuildFromStreamsRequest {
            request_id: run.clone(),
            events: chunk.iter().map(told).collect(),
            ..Default::default()
        })
        .collect();
    pieces.push(pb::RebuildFromStreamsRequest {
        request_id: run,
        held_since_time: Some(to_wire_time(held_since)),
        last: ends,
        ..Default::default()
    });
    let mut client = BooksServiceClient::new(house.channel());
    let mut answer = client.rebuild_from_streams(stream::iter(pieces)).await?.into_inner();
    let mut parts = Vec::new();
    while let Some(response) = answer.message().await? {
        parts.extend(response.part.and_then(|part| part.part));
    }
    Ok(parts)
}

async fn rebuild(house: &House, events: &[Envelope], held_since: Timestamp) -> (Vec<Difference>, End) {
    let parts = ask(house, events, held_since, true).await.expect("gone through");
    for table in ["rebuild_run", "rebuilt_total", "rebuilt_pending", "told_event"] {
        assert_eq!(house.count(table).await, 0, "nothing is left in {table}");
    }
    let differences: Vec<Difference> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Difference(it) => Some(it.clone()),
            _ => None,
        })
        .collect();
    let Some(Part::End(end)) = parts.last() else {
        panic!("no end: {parts:?}")
    };
    assert_eq!(end.differences, u64::try_from(differences.len()).expect("few"));
    (differences, end.clone())
}

async fn books_come_out_of_the_streams_as_they_are(database: TestDatabase) {
    let (house, _, people) = all_that_happens(&database).await;
    house.account(&people[1], "2026-01-20", false).await;
    house.quiet().await;
    for moment in ["2026-01-25", "2026-05-01"] {
        house.move_clock(moment).await;
        let stored = is_right(&house, moment).await;
        let told = house.streamed(&event_types()).await;
        assert!(told.len() > 9, "all is there: {}", told.len());
        let (differences, end) = rebuild(&house, &told, at(BEGINNING)).await;
        assert_eq!(differences, [], "{moment}");
        assert_eq!(end, stored, "{moment}");
        // Of a stream that has lost its beginning, the rest is held against what is stored, and that counts for what is older.
        let (differences, end) = rebuild(&house, &told[told.len() / 2..], Timestamp::MAX).await;
        assert_eq!((differences, end), (Vec::new(), stored), "{moment}");
    }
}

// The books are right in each of these, and what they rest on is not.
async fn what_is_stored_otherwise_than_it_was_told_is_named(database: TestDatabase) {
    let (house, _, people) = all_that_happens(&database).await;
    house.account(&people[1], "2026-01-20", false).await;
    house.quiet().await;
    house.move_clock("2026-05-01").await;
    let right = is_right(&house, "untouched").await;
    let told = house.streamed(&event_types()).await;
    for (planted, mended, what) in [
        (
            "UPDATE earning SET amount_minor = amount_minor + 1 WHERE amount_minor = 60010",
            "UPDATE earning SET amount_minor = amount_minor - 1 WHERE amount_minor = 60011",
            "earning",
        ),
        (
            "UPDATE earning SET client_id = contract_id WHERE amount_minor = 60010",
            "SELECT 1",
            "earning",
        ),
        ("DELETE FROM reversal WHERE amount_minor = 1111", "SELECT 1", "reversal"),
        ("DELETE FROM account_change", "SELECT 1", "account"),
        (
            "UPDATE contract SET began_at = began_at + 1 WHERE began_at IN (SELECT MAX(began_at) FROM contract)",
            "SELECT 1",
            "contract began",
        ),
        ("DELETE FROM earning WHERE amount_minor = 90000", "SELECT 1", "earning"),
    ] {
        house.tamper(planted).await;
        let (differences, end) = rebuild(&house, &told, at(BEGINNING)).await;
        let named = differences
            .iter()
            .any(|it| it.what == what && it.live != it.rebuilt && !it.rebuilt.is_empty());
        assert!(named, "{planted}: {differences:?}");
        assert!(
            differences.iter().all(|it| it.kind == 0),
            "the totals are right: {differences:?}"
        );
        assert_eq!(end.rebuilt_sha256, right.rebuilt_sha256, "{planted}");
        assert_eq!(end.live_sha256, right.live_sha256, "{planted}");
        house.tamper(mended).await;
    }
}

async fn what_cannot_be_read_is_named_and_what_is_cut_off_is_forgotten(database: TestDatabase) {
    let (house, _, _) = all_that_happens(&database).await;
    house.move_clock("2026-05-01").await;
    let mut told = house.streamed(&event_types()).await;
    let settled: Vec<_> = (0..told.len())
        .filter(|at| told[*at].event_type.ends_with(".EarningSettled"))
        .collect();

    // Nobody has told of this one, although the stream goes back far enough.
    let untold = told.remove(settled[0]);
    let earning = EarningSettled::decode(untold.payload.clone())
        .expect("an earning")
        .earning_id;
    let (differences, _) = rebuild(&house, &told, at(BEGINNING)).await;
    let [difference] = differences.as_slice() else {
        panic!("one is named: {differences:?}")
    };
    assert_eq!((difference.what.as_str(), &difference.id), ("earning", &earning));
    assert!(
        difference.rebuilt.is_empty() && difference.live.starts_with("USD 33.33 of "),
        "{difference:?}"
    );
    told.insert(settled[0], untold);

    // What is no event is a dead letter, and tells nothing.
    let mut broken = told[settled[0]].clone();
    broken.payload = b"\xff\xff".as_slice().into();
    told.push(broken.clone());
    let (differences, _) = rebuild(&house, &told, at(BEGINNING)).await;
    let named: Vec<_> = differences.iter().map(|it| (it.what.as_str(), it.id.clone())).collect();
    assert_eq!(named, [("event", broken.id.to_string())]);

    let cut_off = ask(&house, &told, at(BEGINNING), false)
        .await
        .expect_err("no last piece");
    assert_eq!(fields(&cut_off), ["events"]);
    told[0].event_type = "vouch.payments.v1.PayoutPaid".to_owned();
    let strange = ask(&house, &told, at(BEGINNING), true).await.expect_err("not wanted");
    assert_eq!(fields(&strange), ["events[0].event_type"]);
    for table in ["rebuild_run", "told_event"] {
        assert_eq!(house.count(table).await, 0, "nothing is left in {table}");
    }
}
