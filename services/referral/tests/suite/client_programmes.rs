//! What clients pay themselves for introductions to them, and what many who qualify at once come to.

use futures::future::join_all;
use vouch_primitives::{ClientId, ContractId, Currency, Money, RequestId};
use vouch_proto::referral::v1::{self as pb, terms::Qualification};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::harness::{House, Job, Person, Rosa, fields, minor, usd};

on_both_databases! {
    a_client_pays_for_what_comes_of_introductions_within_its_budget,
    a_raised_budget_serves_later_introductions_alone,
    a_rejected_introduction_frees_its_room_for_later_ones,
    a_closed_programme_takes_no_more_introductions,
    a_budget_is_never_overspent_however_many_qualify_at_once,
    the_cap_of_the_standard_terms_holds_however_many_qualify_at_once,
}

const JOINED: &str = "2026-01-15T12:00:00Z";

async fn rosa_and_a_client(database: &TestDatabase) -> (House, Rosa, ClientId) {
    let house = House::start(database, JOINED).await;
    house.publish_standard().await;
    let (rosa, client) = (house.referrer().await, ClientId::new());
    house.works(&rosa, client).await;
    (house, rosa, client)
}

fn job(client: ClientId) -> Job {
    Job {
        client,
        contract: ContractId::new(),
    }
}

/// What the client pays for an introduction, and what of it was released.
async fn rewarded(house: &House, rosa: &Rosa, id: &str) -> (i64, i64) {
    let introduction = house.introduction(rosa, id).await;
    let totals = introduction.totals.iter();
    totals.fold((0, 0), |(due, released), total| {
        (
            due + minor(&total.client_reward),
            released + minor(&total.client_reward_released),
        )
    })
}

// R32
async fn a_client_pays_for_what_comes_of_introductions_within_its_budget(database: TestDatabase) {
    let (house, rosa, client) = rosa_and_a_client(&database).await;
    let (early, before) = house.introduced(&rosa, client).await;
    let opened = house.open_programme(client, (20_000, 50_000), Qualification::ContractCompleted);
    opened.await.expect("opened");
    let again = house.open_programme(client, (1, 1), Qualification::Contract).await;
    assert_eq!(house.reason(&again.expect_err("one is open")), "CLIENT_PROGRAMME_OPEN");
    let mut introduced = Vec::new();
    for _ in 0..3 {
        let (payee, id) = house.introduced(&rosa, client).await;
        let theirs = job(client);
        house.publish(&[house.started(&payee, theirs, "2026-01-16")]).await;
        house.quiet().await;
        assert_eq!(rewarded(&house, &rosa, &id).await, (0, 0), "the contract has not ended");
        introduced.push((payee, id, theirs));
    }
    house.move_clock("2026-02-01").await;
    for (payee, id, theirs) in &introduced {
        house.publish(&[house.ended(payee, *theirs, "2026-01-31")]).await;
        house.quiet().await;
        let spent = introduced.iter().position(|(_, other, _)| other == id) == Some(2);
        let expected = if spent { (0, 0) } else { (20_000, 20_000) };
        assert_eq!(rewarded(&house, &rosa, id).await, expected, "two fit into 500.00");
    }
    assert_eq!(house.granted(client).await, 40_000);
    let early_job = job(client);
    house.publish(&[house.started(&early, early_job, "2026-01-16")]).await;
    house.publish(&[house.ended(&early, early_job, "2026-01-31")]).await;
    house.quiet().await;
    assert_eq!(
        rewarded(&house, &rosa, &before).await,
        (0, 0),
        "made before the programme"
    );
    let told = house.releases().await;
    let told: Vec<_> = told
        .iter()
        .filter(|it| it.kind() == pb::RewardKind::ClientReward)
        .collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().all(|it| it.funding_client_id == client.to_string()),
        "{told:?}"
    );
}

// R32
async fn a_raised_budget_serves_later_introductions_alone(database: TestDatabase) {
    let (house, rosa, client) = rosa_and_a_client(&database).await;
    let opened = house
        .open_programme(client, (20_000, 39_999), Qualification::Contract)
        .await;
    let programme = opened.expect("opened");
    let mut introduced = Vec::new();
    for _ in 0..2 {
        let (payee, id) = house.introduced(&rosa, client).await;
        let theirs = job(client);
        house.publish(&[house.started(&payee, theirs, "2026-01-16")]).await;
        house.quiet().await;
        introduced.push((payee, id, theirs));
    }
    assert_eq!(rewarded(&house, &rosa, &introduced[0].1).await, (20_000, 20_000));
    // The one that the budget had no room for says so, and stays so when there is more.
    let (payee, spent, theirs) = &introduced[1];
    let earning = house.earning_of(payee, *theirs, 1_000, "2026-01-20");
    house.publish(&[house.settlement(&earning)]).await;
    house.quiet().await;
    let verdicts = house.verdicts(&rosa, &earning).await;
    assert_eq!(verdicts, [pb::EarningVerdict::Waiting, pb::EarningVerdict::BudgetSpent]);
    let raise = |amount| pb::RaiseBudgetRequest {
        request_id: RequestId::new().to_string(),
        client_programme_id: programme.id.clone(),
        amount,
    };
    let yen = Some(Money::new(5, "JPY".parse::<Currency>().expect("a currency")).into());
    let other = house.client_programmes().raise_budget(raise(yen)).await;
    assert_eq!(fields(&other.expect_err("yen")), ["amount"]);
    let raised = house
        .client_programmes()
        .raise_budget(raise(usd(1)))
        .await
        .expect("raised");
    assert_eq!(
        minor(&raised.into_inner().programme.expect("a programme").budget),
        40_000
    );
    assert_eq!(rewarded(&house, &rosa, spent).await, (0, 0));
    let (last, late) = house.introduced(&rosa, client).await;
    house.publish(&[house.started(&last, job(client), "2026-01-17")]).await;
    house.quiet().await;
    assert_eq!(rewarded(&house, &rosa, &late).await, (20_000, 20_000));
    assert_eq!(house.granted(client).await, 40_000);
}

// R21, R32
async fn a_rejected_introduction_frees_its_room_for_later_ones(database: TestDatabase) {
    let (house, rosa, client) = rosa_and_a_client(&database).await;
    house.set_rule(false).await;
    let opened = house
        .open_programme(client, (20_000, 20_000), Qualification::Contract)
        .await;
    opened.expect("opened");
    let (one, first) = house.introduced(&rosa, client).await;
    let (other, second) = house.introduced(&rosa, client).await;
    house.publish(&[house.started(&one, job(client), "2026-01-16")]).await;
    house.quiet().await;
    assert_eq!(
        rewarded(&house, &rosa, &first).await,
        (20_000, 0),
        "held until screening passes"
    );
    house.reject(&one).await;
    assert_eq!(
        (rewarded(&house, &rosa, &first).await, house.granted(client).await),
        ((0, 0), 0)
    );
    house.publish(&[house.started(&other, job(client), "2026-01-17")]).await;
    house.quiet().await;
    house.pass(&other).await;
    assert_eq!(rewarded(&house, &rosa, &second).await, (20_000, 20_000));
    house.appeal(&first).await.expect("rejected");
    house.pass(&one).await;
    assert_eq!(rewarded(&house, &rosa, &first).await, (0, 0), "the room is taken");
    assert_eq!(house.granted(client).await, 20_000);
}

// R32
async fn a_closed_programme_takes_no_more_introductions(database: TestDatabase) {
    let (house, rosa, client) = rosa_and_a_client(&database).await;
    let opened = house
        .open_programme(client, (100, 1_000), Qualification::Contract)
        .await;
    let programme = opened.expect("opened");
    let (bound, within) = house.introduced(&rosa, client).await;
    let close = || pb::CloseClientProgrammeRequest {
        request_id: RequestId::new().to_string(),
        client_programme_id: programme.id.clone(),
    };
    let closed = house
        .client_programmes()
        .close_client_programme(close())
        .await
        .expect("closed");
    let again = house
        .client_programmes()
        .close_client_programme(close())
        .await
        .expect("as it is");
    assert_eq!(closed.into_inner(), again.into_inner());
    let raise = pb::RaiseBudgetRequest {
        request_id: RequestId::new().to_string(),
        client_programme_id: programme.id.clone(),
        amount: usd(1),
    };
    let raised = house.client_programmes().raise_budget(raise).await.expect_err("closed");
    assert_eq!(house.reason(&raised), "CLIENT_PROGRAMME_CLOSED");
    let (late, after) = house.introduced(&rosa, client).await;
    for person in [&bound, &late] {
        house.publish(&[house.started(person, job(client), "2026-01-16")]).await;
    }
    house.quiet().await;
    assert_eq!(rewarded(&house, &rosa, &within).await, (100, 100));
    assert_eq!(rewarded(&house, &rosa, &after).await, (0, 0));
    house
        .open_programme(client, (7, 7), Qualification::Contract)
        .await
        .expect("another one");
}

/// Each of them is rejected before they qualify, and passes when all of them have: each call is a transaction of its own,
/// and all of them meet at the one row that counts what was granted.
async fn pass_at_once(house: &House, people: &[(Person, String)]) {
    for (_, tie) in people {
        house.appeal(tie).await.expect("rejected");
    }
    join_all(people.iter().map(|(person, _)| house.pass(person))).await;
}

// R32
async fn a_budget_is_never_overspent_however_many_qualify_at_once(database: TestDatabase) {
    let (house, rosa, client) = rosa_and_a_client(&database).await;
    house.set_rule(false).await;
    let opened = house
        .open_programme(client, (10_000, 59_999), Qualification::Contract)
        .await;
    opened.expect("opened");
    let mut people = Vec::new();
    for _ in 0..16 {
        let (payee, id) = house.introduced(&rosa, client).await;
        house.reject(&payee).await;
        house.publish(&[house.started(&payee, job(client), "2026-01-16")]).await;
        people.push((payee, id));
    }
    house.quiet().await;
    assert_eq!(house.granted(client).await, 0);
    pass_at_once(&house, &people).await;
    assert_eq!(house.granted(client).await, 50_000, "five times 100.00 fit into 599.99");
    let mut sum = 0;
    for (_, id) in &people {
        let (due, released) = rewarded(&house, &rosa, id).await;
        assert_eq!(due, released);
        sum += released;
    }
    assert_eq!(sum, 50_000);
}

// R6
async fn the_cap_of_the_standard_terms_holds_however_many_qualify_at_once(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    house.publish_standard().await;
    house.set_rule(false).await;
    let rosa = house.referrer().await;
    let people: Vec<Person> = (0..60).map(|_| Person::new()).collect();
    for person in &people {
        house.registered(person, &rosa.code).await;
    }
    house.quiet().await;
    let ids: Vec<_> = house.attributions(&rosa).await;
    let mut bound = Vec::new();
    for person in people {
        house.reject(&person).await;
        house.settled(&person, 50_000, "2026-01-20").await;
        let tie = ids
            .iter()
            .find(|it| it.referee_person_id == person.id)
            .expect("attributed");
        bound.push((person, tie.id.clone()));
    }
    house.quiet().await;
    pass_at_once(&house, &bound).await;
    let bonuses = house.attributions(&rosa).await;
    let granted: Vec<_> = bonuses.iter().map(|it| minor(&it.totals[0].sign_up_bonus)).collect();
    assert_eq!(granted.iter().sum::<i64>(), 500_000, "USD 5,000 and no cent more");
    assert_eq!(granted.iter().filter(|minor| **minor == 10_000).count(), 50);
}
