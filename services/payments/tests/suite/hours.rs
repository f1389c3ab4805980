//! Time worked by the hour, as talent writes it.

use futures::future::join_all;
use tonic::{Code, Status};
use vouch_primitives::{AccountId, EventId, PersonId};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    onboarding::v1::{OfferAccepted, offer_accepted::Pay},
    payments::v1::{self as pb, list_time_entries_request::Party, time_service_client::TimeServiceClient},
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, counts, tried},
    world::{World, at, offer, refusal, request_id, start, usd, violations},
};

on_both_databases! {
    time_is_written_and_changed_and_removed,
    time_that_cannot_be_is_refused_and_nothing_written,
    nobody_works_twice_at_a_time,
    a_week_is_open_until_monday_noon,
    time_is_listed_in_pages,
    only_a_tracker_says_that_time_was_tracked,
}

/// A contract at this rate, whose work may begin at the start of the test.
pub async fn hourly(
    world: &World,
    person: PersonId,
    account: AccountId,
    rate: common::Money,
    limit: u32,
) -> pb::Contract {
    let pay = Pay::Hourly(common::HourlyPay {
        rate: Some(rate),
        weekly_limit_minutes: limit,
    });
    let offer = OfferAccepted {
        person_id: person.to_string(),
        start_time: Some(to_wire_time(start())),
        ..offer(account, pay)
    };
    world.hear(EventId::new(), &offer).await;
    world.contract_of(&offer.contract_id).await
}

/// Tracked and described time.
pub fn time(contract: &str, start: &str, end: &str) -> pb::AddTimeEntryRequest {
    pb::AddTimeEntryRequest {
        request_id: request_id(),
        contract_id: contract.to_owned(),
        start_time: Some(to_wire_time(at(start))),
        end_time: Some(to_wire_time(at(end))),
        tracked: true,
        description: "Drafts".to_owned(),
    }
}

pub async fn add(world: &World, request: pb::AddTimeEntryRequest) -> Result<pb::TimeEntry, Status> {
    let answer = world.times.clone().add_time_entry(request).await?;
    Ok(answer.into_inner().time_entry.expect("an entry"))
}

pub async fn change(world: &World, entry: &pb::TimeEntry) -> Result<pb::TimeEntry, Status> {
    let request = pb::ChangeTimeEntryRequest {
        request_id: request_id(),
        time_entry_id: entry.id.clone(),
        start_time: entry.start_time,
        end_time: entry.end_time,
        description: entry.description.clone(),
    };
    let answer = world.times.clone().change_time_entry(request).await?;
    Ok(answer.into_inner().time_entry.expect("an entry"))
}

pub async fn remove(world: &World, entry: &pb::TimeEntry) -> Result<(), Status> {
    let request = pb::RemoveTimeEntryRequest {
        request_id: request_id(),
        time_entry_id: entry.id.clone(),
    };
    world.times.clone().remove_time_entry(request).await.map(|_| ())
}

async fn get(world: &World, id: &str) -> Result<pb::TimeEntry, Status> {
    let request = pb::GetTimeEntryRequest {
        time_entry_id: id.to_owned(),
    };
    let answer = world.times.clone().get_time_entry(request).await?;
    Ok(answer.into_inner().time_entry.expect("an entry"))
}

pub fn refused(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

// F5, B6
async fn time_is_written_and_changed_and_removed(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    world.clock.set(at("2026-03-04T18:00:00Z")).expect("forwards");
    let request = time(&contract.id, "2026-03-04T10:00:00Z", "2026-03-04T11:30:00Z");
    let entry = add(&world, request.clone()).await.expect("added");
    let expected = pb::TimeEntry {
        id: entry.id.clone(),
        contract_id: contract.id.clone(),
        start_time: request.start_time,
        end_time: request.end_time,
        tracked: true,
        description: "Drafts".to_owned(),
        close_time: Some(to_wire_time(at("2026-03-09T12:00:00Z"))),
        create_time: Some(to_wire_time(at("2026-03-04T18:00:00Z"))),
    };
    assert_eq!(entry, expected);
    assert_eq!(
        add(&world, request).await.expect("the same"),
        entry,
        "the same request again"
    );
    assert_eq!(count(&world.db, "time_entry").await, 1);
    let described = pb::TimeEntry {
        description: "Sketches".to_owned(),
        ..entry.clone()
    };
    assert_eq!(change(&world, &described).await.expect("changed"), described);
    // Other times than the tracker's are written by hand.
    let shorter = pb::TimeEntry {
        end_time: Some(to_wire_time(at("2026-03-04T11:00:00Z"))),
        ..described
    };
    let changed = change(&world, &shorter).await.expect("changed");
    assert_eq!(
        changed,
        pb::TimeEntry {
            tracked: false,
            ..shorter
        }
    );
    assert_eq!(get(&world, &entry.id).await.expect("there"), changed);
    remove(&world, &entry).await.expect("removed");
    assert_eq!(refusal(get(&world, &entry.id).await).0, Code::NotFound);
    assert_eq!(refusal(remove(&world, &entry).await).0, Code::NotFound);
    world.stop().await;
}

// F5, B6
async fn time_that_cannot_be_is_refused_and_nothing_written(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    let fixed = world.contract(AccountId::new(), usd(100)).await;
    world.clock.set(at("2026-03-04T12:00:00Z")).expect("forwards");
    let before = counts(&world.db).await;
    for (contract, start, end, reason) in [
        (
            &fixed.id,
            "2026-03-04T10:00:00Z",
            "2026-03-04T11:00:00Z",
            "CONTRACT_NOT_HOURLY",
        ),
        (
            &contract.id,
            "2026-03-04T11:00:00Z",
            "2026-03-04T12:01:00Z",
            "TIME_IN_FUTURE",
        ),
        (
            &contract.id,
            "2026-03-02T08:59:00Z",
            "2026-03-02T10:00:00Z",
            "TIME_BEFORE_CONTRACT",
        ),
        (
            &contract.id,
            "2026-02-20T08:00:00Z",
            "2026-02-20T10:00:00Z",
            "WEEK_CLOSED",
        ),
    ] {
        let answer = add(&world, time(contract, start, end)).await;
        assert_eq!(refusal(answer), refused(reason), "{start}");
    }
    for (start, end, field) in [
        ("2026-03-04T10:00:00.5Z", "2026-03-04T11:00:00Z", "start_time"),
        ("2026-03-04T10:00:00Z", "2026-03-04T11:00:01Z", "end_time"),
        ("2026-03-04T10:00:00Z", "2026-03-04T10:00:00Z", "end_time"),
        ("2026-03-02T10:00:00Z", "2026-03-03T10:01:00Z", "end_time"),
        ("2026-03-01T23:00:00Z", "2026-03-02T10:00:00Z", "end_time"),
    ] {
        let answer = add(&world, time(&contract.id, start, end)).await;
        assert_eq!(
            violations(answer),
            [format!("{field} OUT_OF_RANGE")],
            "{start} to {end}"
        );
    }
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

// F4, B8: protection rests on it, so that talent's own word is not enough.
async fn only_a_tracker_says_that_time_was_tracked(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    world.clock.set(at("2026-03-04T18:00:00Z")).expect("forwards");
    let as_of = |caller| TimeServiceClient::new(world.channel(caller));
    let mut talent = as_of(Caller::Person(contract.person_id.parse().expect("an id")));
    let hour = |start: u32, tracked| pb::AddTimeEntryRequest {
        tracked,
        ..time(
            &contract.id,
            &format!("2026-03-04T{start}:00:00Z"),
            &format!("2026-03-04T{}:00:00Z", start + 1),
        )
    };
    let own_word = refusal(talent.add_time_entry(hour(10, true)).await);
    assert_eq!(own_word, (Code::PermissionDenied, "TRACKER_ONLY".to_owned()));
    let by_hand = talent.add_time_entry(hour(10, false)).await.expect("by hand");
    assert!(!by_hand.into_inner().time_entry.expect("an entry").tracked);
    let mut tracker = as_of(Caller::Service("tracker".to_owned()));
    let tracked = tracker.add_time_entry(hour(12, true)).await.expect("tracked");
    assert!(tracked.into_inner().time_entry.expect("an entry").tracked);
    world.stop().await;
}

// B6: whatever the contract, and whoever asks at the same moment; the database refuses it, too.
async fn nobody_works_twice_at_a_time(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, account) = (PersonId::new(), AccountId::new());
    let one = hourly(&world, ada, account, usd(6_000), 2_400).await;
    let two = hourly(&world, ada, account, usd(9_000), 2_400).await;
    let kims = hourly(&world, PersonId::new(), AccountId::new(), usd(9_000), 2_400).await;
    world.clock.set(at("2026-03-04T18:00:00Z")).expect("forwards");
    let both = join_all((0..8).map(|number| {
        let contract = if number % 2 == 0 { &one } else { &two };
        add(
            &world,
            time(&contract.id, "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"),
        )
    }))
    .await;
    let (done, others): (Vec<_>, Vec<_>) = both.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), others.len()), (1, 7));
    for answer in others {
        assert_eq!(refusal(answer), refused("TIME_OVERLAPS"));
    }
    for (start, end, fits) in [
        ("2026-03-04T09:00:00Z", "2026-03-04T10:01:00Z", false),
        ("2026-03-04T10:59:00Z", "2026-03-04T12:00:00Z", false),
        ("2026-03-04T10:20:00Z", "2026-03-04T10:30:00Z", false),
        ("2026-03-03T12:00:00Z", "2026-03-04T12:00:00Z", false),
        ("2026-03-04T09:00:00Z", "2026-03-04T10:00:00Z", true),
        ("2026-03-04T11:00:00Z", "2026-03-04T12:00:00Z", true),
    ] {
        let answer = add(&world, time(&two.id, start, end)).await;
        assert_eq!(answer.is_ok(), fits, "{start} to {end}: {answer:?}");
    }
    let kim = add(&world, time(&kims.id, "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z")).await;
    let kim = kim.expect("another person");
    let longer = pb::TimeEntry {
        end_time: Some(to_wire_time(at("2026-03-04T11:01:00Z"))),
        ..kim
    };
    assert!(change(&world, &longer).await.is_ok());
    let first = done.into_iter().next().expect("one").expect("added");
    let longer = pb::TimeEntry {
        end_time: Some(to_wire_time(at("2026-03-04T11:01:00Z"))),
        ..first
    };
    assert_eq!(refusal(change(&world, &longer).await), refused("TIME_OVERLAPS"));
    let longest = "(SELECT start_at FROM time_entry ORDER BY start_at LIMIT 1)";
    for sql in [
        format!("UPDATE time_entry SET end_at = end_at + 60000000 WHERE start_at = {longest}"),
        format!(
            "INSERT INTO time_entry SELECT contract_id, contract_id, person_id, week, invoice_id, start_at, end_at, \
             tracked, description, created_at, account_id, client_id FROM time_entry WHERE start_at = {longest}"
        ),
    ] {
        let answer = tried(&world.db, &sql).await;
        assert!(
            answer.as_ref().is_err_and(|e| e.contains("time_entry_overlaps")),
            "{sql}: {answer:?}"
        );
    }
    world.stop().await;
}

// F5, B6
async fn a_week_is_open_until_monday_noon(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    world.clock.set(at("2026-03-09T11:59:59.999999Z")).expect("forwards");
    let sunday = time(&contract.id, "2026-03-08T23:00:00Z", "2026-03-09T00:00:00Z");
    let entry = add(&world, sunday).await.expect("just in time");
    let entry = pb::TimeEntry {
        description: "Late".to_owned(),
        ..entry
    };
    change(&world, &entry).await.expect("just in time");
    let monday = time(&contract.id, "2026-03-09T00:00:00Z", "2026-03-09T01:00:00Z");
    let monday = add(&world, monday).await.expect("of the next week");
    assert_eq!(monday.close_time, Some(to_wire_time(at("2026-03-16T12:00:00Z"))));
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    let closed = refused("WEEK_CLOSED");
    assert_eq!(refusal(change(&world, &entry).await), closed);
    assert_eq!(refusal(remove(&world, &entry).await), closed);
    let late = time(&contract.id, "2026-03-08T22:00:00Z", "2026-03-08T23:00:00Z");
    assert_eq!(refusal(add(&world, late).await), closed);
    // Nor can an entry be moved into a week that is closed.
    let back = pb::TimeEntry {
        start_time: Some(to_wire_time(at("2026-03-08T20:00:00Z"))),
        end_time: Some(to_wire_time(at("2026-03-08T21:00:00Z"))),
        ..monday.clone()
    };
    assert_eq!(refusal(change(&world, &back).await), closed);
    assert_eq!(get(&world, &monday.id).await.expect("there"), monday);
    world.stop().await;
}

async fn time_is_listed_in_pages(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, account) = (PersonId::new(), AccountId::new());
    let one = hourly(&world, ada, account, usd(6_000), 2_400).await;
    let two = hourly(&world, ada, account, usd(6_000), 2_400).await;
    world.clock.set(at("2026-03-09T10:00:00Z")).expect("forwards");
    let mut added = Vec::new();
    for (contract, day) in [(&one, "04"), (&two, "05"), (&one, "06"), (&one, "09")] {
        let (start, end) = (format!("2026-03-{day}T01:00:00Z"), format!("2026-03-{day}T02:00:00Z"));
        added.insert(
            0,
            add(&world, time(&contract.id, &start, &end)).await.expect("added").id,
        );
    }
    let list = async |party: Party, contract: &str, week: Option<&str>| {
        let (mut ids, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListTimeEntriesRequest {
                party: Some(party.clone()),
                contract_id: contract.to_owned(),
                week_time: week.map(|moment| to_wire_time(at(moment))),
                page_size: 2,
                page_token,
            };
            let page = world
                .times
                .clone()
                .list_time_entries(request)
                .await
                .expect("a page")
                .into_inner();
            assert!(page.time_entries.len() <= 2);
            ids.extend(page.time_entries.into_iter().map(|entry| entry.id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return ids;
            }
        }
    };
    let of = |positions: &[usize]| -> Vec<String> { positions.iter().map(|at| added[*at].clone()).collect() };
    let all = Party::AccountId(account.to_string());
    assert_eq!(list(all.clone(), "", None).await, added);
    assert_eq!(list(all.clone(), &one.id, None).await, of(&[0, 1, 3]));
    assert_eq!(
        list(all.clone(), &one.id, Some("2026-03-08T23:59:59Z")).await,
        of(&[1, 3])
    );
    assert_eq!(list(all, "", Some("2026-03-09")).await, of(&[0]));
    let client = Party::ClientId(two.client_id.clone());
    assert_eq!(list(client.clone(), "", None).await, of(&[2]));
    assert!(list(client, &one.id, None).await.is_empty(), "of another client");
    world.stop().await;
}
