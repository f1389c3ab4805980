//! What referrers see of their referrals, who refers best, and how strongly referrals speak for people.

use vouch_primitives::RequestId;
use vouch_proto::{
    convert::to_wire_time,
    referral::v1::{self as pb, referee_count::State},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::harness::{House, Job, Person, Rosa, at, fields, minor};

on_both_databases! {
    a_dashboard_counts_referees_and_tells_where_the_money_stands,
    a_statement_tells_each_release_of_its_period_and_adds_up,
    leaders_are_those_to_whom_most_was_released_within_the_months,
    good_referrals_raise_the_signal_of_both_and_a_rejection_takes_it_back,
}

const JOINED: &str = "2026-01-15T12:00:00Z";

async fn house(database: &TestDatabase) -> (House, Rosa) {
    let house = House::start(database, JOINED).await;
    house.publish_standard().await;
    let rosa = house.referrer().await;
    (house, rosa)
}

async fn referee(house: &House, rosa: &Rosa) -> Person {
    let person = Person::new();
    house.registered(&person, &rosa.code).await;
    house.quiet().await;
    person
}

async fn statement(house: &House, rosa: &Rosa, from: &str, until: &str, size: u32) -> (i64, i64, Vec<i64>) {
    let (mut token, mut amounts) = (String::new(), Vec::new());
    loop {
        let request = pb::GetStatementRequest {
            referrer_id: rosa.id.clone(),
            currency_code: "USD".to_owned(),
            from_time: Some(to_wire_time(at(from))),
            until_time: Some(to_wire_time(at(until))),
            page_size: size,
            page_token: token,
        };
        let page = house
            .dashboard()
            .get_statement(request)
            .await
            .expect("a page")
            .into_inner();
        amounts.extend(page.lines.iter().map(|line| minor(&line.amount)));
        token = page.next_page_token;
        if token.is_empty() {
            return (minor(&page.opening), minor(&page.closing), amounts);
        }
    }
}

// R19
async fn a_dashboard_counts_referees_and_tells_where_the_money_stands(database: TestDatabase) {
    let (house, rosa) = house(&database).await;
    house.set_rule(false).await;
    let (_joined, screened, rejected) = (
        referee(&house, &rosa).await,
        referee(&house, &rosa).await,
        referee(&house, &rosa).await,
    );
    let (held, stayed, left) = (
        referee(&house, &rosa).await,
        referee(&house, &rosa).await,
        referee(&house, &rosa).await,
    );
    house.pass(&screened).await;
    house.pass(&stayed).await;
    house.pass(&left).await;
    house.reject(&rejected).await;
    house.settled(&held, 10_000, "2026-01-20").await;
    house.settled(&stayed, 20_000, "2026-01-20").await;
    house.settled(&left, 1_000, "2026-01-20").await;
    house.quiet().await;
    house.move_clock("2026-02-20").await;
    house.account(&left, "2026-02-01", false).await;
    house.move_clock("2026-04-16").await;
    house.settled(&stayed, 2_000, "2026-04-14").await;
    house.quiet().await;
    let request = pb::GetDashboardRequest {
        referrer_id: rosa.id.clone(),
    };
    let seen = house
        .dashboard()
        .get_dashboard(request)
        .await
        .expect("seen")
        .into_inner();
    let counts: Vec<_> = seen.referees.iter().map(|it| (it.state(), it.referees)).collect();
    // Whoever is held has stayed as well: screening is no part of that.
    let expected = [
        (State::Joined, 1),
        (State::Screened, 1),
        (State::Stayed, 2),
        (State::Left, 1),
        (State::Rejected, 1),
    ];
    assert_eq!(counts, expected);
    let [balance] = seen.balances.as_slice() else {
        panic!("one currency, not {:?}", seen.balances)
    };
    let figures = [&balance.held, &balance.pending, &balance.available, &balance.paid].map(minor);
    // Held: 5 % and 10 % of 100.00. Pending: of 20.00. Released: of 200.00, and 5 % of 10.00.
    assert_eq!(figures, [1_500, 300, 3_050, 77]);
    let months: Vec<_> = seen.months.iter().map(|it| (it.month, minor(&it.released))).collect();
    let month = |text| Some(to_wire_time(at(text)));
    assert_eq!(months, [(month("2026-04-01"), 2_000), (month("2026-02-01"), 1_050)]);
}

// R8
async fn a_statement_tells_each_release_of_its_period_and_adds_up(database: TestDatabase) {
    let (house, rosa) = house(&database).await;
    let ada = referee(&house, &rosa).await;
    for (amount, occurred) in [(10_000, "2026-01-20"), (3_000, "2026-02-01"), (2_010, "2026-02-05")] {
        house.settled(&ada, amount, occurred).await;
    }
    let back = house.earning(&ada, 4_000, "2026-02-10");
    house.publish(&[house.settlement(&back)]).await;
    house.quiet().await;
    for day in ["2026-02-08", "2026-02-20", "2026-02-24", "2026-03-01", "2026-03-10"] {
        house.move_clock(day).await;
    }
    house.publish(&[house.reversal(&back, 1_000)]).await;
    house.quiet().await;
    let whole = statement(&house, &rosa, "2026-01-01", "2026-04-01", 1).await;
    assert_eq!(whole, (0, 900, vec![500, 150, 100, 200, -50]));
    let february = statement(&house, &rosa, "2026-02-01", "2026-03-01", 100).await;
    assert_eq!(february, (0, 750, vec![500, 150, 100]));
    let march = statement(&house, &rosa, "2026-03-01", "2026-04-01", 100).await;
    assert_eq!(march, (750, 900, vec![200, -50]));
    let backwards = pb::GetStatementRequest {
        referrer_id: rosa.id.clone(),
        currency_code: "USD".to_owned(),
        from_time: Some(to_wire_time(at("2026-03-01"))),
        until_time: Some(to_wire_time(at("2026-03-01"))),
        ..Default::default()
    };
    let refused = house.dashboard().get_statement(backwards).await.expect_err("no period");
    assert_eq!(fields(&refused), ["until_time"]);
}

async fn leaders_are_those_to_whom_most_was_released_within_the_months(database: TestDatabase) {
    let (house, rosa) = house(&database).await;
    let (olga, nobody) = (house.referrer().await, house.referrer().await);
    let (ada, ben) = (referee(&house, &rosa).await, referee(&house, &olga).await);
    house.settled(&ada, 10_000, "2026-01-20").await;
    house.settled(&ben, 4_000, "2026-01-20").await;
    house.quiet().await;
    house.move_clock("2026-02-20").await;
    house.settled(&ben, 30_000, "2026-02-10").await;
    house.quiet().await;
    house.move_clock("2026-03-20").await;
    let leaders = async |from: &str, until: &str| {
        let request = pb::ListLeadersRequest {
            currency_code: "USD".to_owned(),
            from_time: Some(to_wire_time(at(from))),
            until_time: Some(to_wire_time(at(until))),
            page_size: 0,
        };
        let listed = house
            .dashboard()
            .list_leaders(request)
            .await
            .expect("a list")
            .into_inner();
        let leaders = listed.leaders.into_iter();
        leaders
            .map(|it| (it.place, it.referrer_id, minor(&it.released)))
            .collect::<Vec<_>>()
    };
    let february = leaders("2026-02-11", "2026-02-11").await;
    assert_eq!(february, [(1, rosa.id.clone(), 500), (2, olga.id.clone(), 200)]);
    let both = leaders("2026-02-28", "2026-03-01").await;
    assert_eq!(both, [(1, olga.id.clone(), 1_700), (2, rosa.id.clone(), 500)]);
    assert!(both.iter().all(|(_, id, _)| *id != nobody.id));
}

/// The parts of somebody's signal: screened, hired, stayed, vouching.
async fn signal(house: &House, person: &str) -> [u32; 4] {
    let request = pb::GetMatchSignalRequest {
        person_id: person.to_owned(),
    };
    let signal = house
        .dashboard()
        .get_match_signal(request)
        .await
        .expect("read")
        .into_inner();
    let parts = [signal.screened, signal.hired, signal.stayed, signal.vouching];
    assert_eq!(signal.signal, parts.iter().sum::<u32>());
    parts
}

// R28, R33
async fn good_referrals_raise_the_signal_of_both_and_a_rejection_takes_it_back(database: TestDatabase) {
    let (house, rosa) = house(&database).await;
    house.set_rule(false).await;
    let (ada, ben) = (referee(&house, &rosa).await, referee(&house, &rosa).await);
    assert_eq!(signal(&house, &ada.id).await, [0; 4]);
    house.publish(&[house.started(&ada, Job::new(), "2026-01-16")]).await;
    house.quiet().await;
    assert_eq!(signal(&house, &ada.id).await, [0; 4], "nobody has screened");
    house.pass(&ada).await;
    assert_eq!(signal(&house, &ada.id).await, [3_000, 2_000, 0, 0]);
    assert_eq!(signal(&house, &rosa.person).await, [0; 4]);
    house.move_clock("2026-04-16").await;
    assert_eq!(signal(&house, &ada.id).await, [3_000, 2_000, 2_000, 0]);
    assert_eq!(signal(&house, &rosa.person).await, [0, 0, 0, 750]);
    house.account(&ada, "2026-04-01", false).await;
    assert_eq!(
        signal(&house, &ada.id).await,
        [3_000, 2_000, 0, 0],
        "had left when the window ended"
    );
    assert_eq!(signal(&house, &rosa.person).await, [0; 4]);
    house.reject(&ben).await;
    assert_eq!(signal(&house, &ben.id).await, [0; 4]);
    let told: Vec<_> = house.told::<pb::MatchSignalChanged>().await;
    let of = |id: &str| {
        told.iter()
            .filter(|it| it.person_id == id)
            .map(|it| it.signal)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&ada.id), [5_000, 7_000, 5_000]);
    assert_eq!(of(&rosa.person), [750, 0]);
    assert_eq!(of(&ben.id), Vec::<u32>::new());
    // Asked again, an operator's decision is told again, and the signal is not.
    let request = pb::PassScreeningCaseRequest {
        request_id: RequestId::new().to_string(),
        person_id: ada.id.clone(),
        reason: String::new(),
    };
    house
        .screening()
        .pass_screening_case(request)
        .await
        .expect_err("decided");
    assert_eq!(house.told::<pb::MatchSignalChanged>().await.len(), told.len());
}
