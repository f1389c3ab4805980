//! The referral service alone, over its real gRPC port, on both databases; payments and onboarding are played.

mod attributing;
mod books;
mod client_programmes;
mod dashboard;
mod enrolment;
mod erasing;
mod harness;
mod importing;
mod introducing;
mod inviting;
mod locks;
mod pages;
mod played;
mod programme;
mod signals;
mod statements;
mod streamed;
mod touches;

use std::time::Duration;

use harness::{House, Person};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tonic::Code;
use vouch_primitives::RequestId;
use vouch_proto::referral::v1 as pb;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

on_both_databases! {
    an_earning_pays_whether_it_comes_before_or_after_its_attribution,
    a_reversal_that_comes_before_its_earning_waits_for_it,
    a_reversal_that_contradicts_its_earning_counts_for_nothing,
    the_same_fact_twice_pays_once,
    the_bonus_is_released_when_the_window_ends_and_follows_late_news,
    any_order_of_facts_comes_to_the_same_totals,
    nobody_vouches_for_themselves_and_wrong_codes_bind_nobody,
    the_first_attribution_stays_for_ever,
    enrolling_again_gives_the_same_code,
    bad_requests_tell_all_that_is_wrong,
    the_explanation_leads_down_to_each_earning,
    a_database_made_anew_ties_the_same_people_under_the_same_ids,
}

const JOINED: &str = "2026-01-15T12:00:00Z";

async fn an_earning_pays_whether_it_comes_before_or_after_its_attribution(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let (early, late) = (Person::new(), Person::new());
    house.settled(&early, 10_010, "2026-01-20").await;
    house.registered(&early, &rosa.code).await;
    house.registered(&late, &rosa.code).await;
    house.settled(&late, 10_010, "2026-01-20").await;
    house.quiet().await;
    for person in [&early, &late] {
        assert_eq!(
            house.total(&rosa, person).await,
            (10_010, 500, 0),
            "floor(5 % of 100.10)"
        );
    }
}

async fn a_reversal_that_contradicts_its_earning_counts_for_nothing(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let (ada, bob) = (Person::new(), Person::new());
    for person in [&ada, &bob] {
        house.registered(person, &rosa.code).await;
    }
    let (known, late) = (
        house.earning(&ada, 10_000, "2026-01-20"),
        house.earning(&ada, 20_000, "2026-01-21"),
    );
    // One that comes after its earning is a dead letter; one that came before it cannot be known to be wrong.
    house.publish(&[house.settlement(&known)]).await;
    house.quiet().await;
    house
        .publish(&[
            house.reversal(&known.said_of(&bob), 1_000),
            house.reversal(&late.said_of(&bob), 2_000),
        ])
        .await;
    house.quiet().await;
    assert_eq!(house.count("dead_letter").await, 1);
    house.publish(&[house.settlement(&late)]).await;
    house.quiet().await;
    let total = house.total(&rosa, &ada).await;
    assert_eq!((total.0, total.1), (30_000, 1_500));
    books::is_right(&house, "with what contradicts").await;
    // What rejudges them knows of no more.
    house.move_clock("2026-02-01").await;
    house.stands(&rosa, "2026-01-20", false).await;
    house.stands(&rosa, "2026-01-22", true).await;
    books::is_right(&house, "with all judged anew").await;
    assert_eq!(house.count("dead_letter").await, 1);
}

async fn a_reversal_that_comes_before_its_earning_waits_for_it(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    let earning = house.earning(&ada, 10_000, "2026-01-20");
    house.publish(&[house.reversal(&earning, 4_000)]).await;
    house.quiet().await;
    assert_eq!(house.releases().await, [], "a parked reversal releases nothing");
    house.publish(&[house.settlement(&earning)]).await;
    house.quiet().await;
    assert_eq!(house.total(&rosa, &ada).await, (6_000, 300, 0));
}

async fn the_same_fact_twice_pays_once(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    let earning = house.earning(&ada, 10_000, "2026-01-20");
    let (settled, reversed) = (house.settlement(&earning), house.reversal(&earning, 1_000));
    // The same events again, and the same facts under new event ids, as a producer that was restored would send them.
    for _ in 0..3 {
        house
            .publish(&[settled.clone(), reversed.clone(), settled.clone()])
            .await;
        house
            .publish(&[harness::under_a_new_id(&settled), harness::under_a_new_id(&reversed)])
            .await;
        house.quiet().await;
    }
    house.registered(&ada, &rosa.code).await;
    house.quiet().await;
    assert_eq!(house.total(&rosa, &ada).await, (9_000, 450, 0));
}

async fn the_bonus_is_released_when_the_window_ends_and_follows_late_news(database: TestDatabase) {
    let house = House::start(&database, "2026-11-30T10:00:00Z").await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    let inside = house.earning(&ada, 10_000, "2027-02-28T09:59:59.999999Z");
    let outside = house.earning(&ada, 700, "2027-02-28T10:00:00Z");
    house
        .publish(&[house.settlement(&inside), house.settlement(&outside)])
        .await;
    house.quiet().await;
    house.move_clock("2027-02-28T09:59:59.999999Z").await;
    assert_eq!(
        house.total(&rosa, &ada).await,
        (10_700, 535, 0),
        "the window has not ended"
    );
    house.move_clock("2027-02-28T10:00:00Z").await;
    assert_eq!(
        house.total(&rosa, &ada).await,
        (10_700, 535, 1_000),
        "10 % of what was earned inside"
    );

    house.publish(&[house.reversal(&inside, 5_000)]).await;
    house.settled(&ada, 15, "2026-12-24").await;
    house.quiet().await;
    assert_eq!(
        house.total(&rosa, &ada).await,
        (5_715, 285, 501),
        "late news takes back and tops up"
    );
    let sequences: Vec<_> = house.releases().await.iter().map(|r| (r.kind, r.sequence)).collect();
    let bonuses = sequences
        .iter()
        .filter(|(kind, _)| *kind == i32::from(pb::RewardKind::WindowBonus))
        .count();
    assert!(bonuses >= 2, "each change of the bonus is told: {sequences:?}");
}

async fn any_order_of_facts_comes_to_the_same_totals(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    for seed in 0..12 {
        let mut rng = StdRng::seed_from_u64(seed);
        let ada = Person::new();
        let (mut sum, mut inside) = (0, 0);
        let mut facts = vec![house.registration(&ada, &rosa.code)];
        for _ in 0..rng.random_range(1..12) {
            let amount = rng.random_range(1..100_000);
            let date = ["2026-01-16", "2026-04-15T11:59:59.999999Z", "2026-04-15T12:00:00Z"];
            let date = date[rng.random_range(0..3)];
            let earning = house.earning(&ada, amount, date);
            let back = rng.random_range(0..=amount);
            facts.push(house.settlement(&earning));
            facts.extend((back > 0).then(|| house.reversal(&earning, back)));
            // A chargeback that was won is as if it had not been.
            if back > 0 && rng.random_bool(0.5) {
                facts.push(house.reversal(&earning, amount - back + 1));
                facts.push(house.reinstatement(&earning, amount - back + 1));
            }
            sum += amount - back;
            inside += if date == "2026-04-15T12:00:00Z" {
                0
            } else {
                amount - back
            };
        }
        facts.extend(facts.clone().into_iter().filter(|_| rng.random_bool(0.3)));
        facts.shuffle(&mut rng);
        for batch in facts.chunks(rng.random_range(1..8)) {
            house.publish(batch).await;
        }
        house.quiet().await;
        let (earned, share, _) = house.total(&rosa, &ada).await;
        assert_eq!((earned, share), (sum, sum * 500 / 10_000), "seed {seed}");
        assert_eq!(house.window_earnings(&rosa, &ada).await, inside, "seed {seed}");
        let told = house
            .releases()
            .await
            .into_iter()
            .filter_map(|release| release.cumulative);
        let least = told.map(|cumulative| cumulative.minor_units).min();
        assert!(
            least.is_none_or(|least| least >= 0),
            "seed {seed}: {least:?} was released"
        );
    }
}

async fn nobody_vouches_for_themselves_and_wrong_codes_bind_nobody(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let own_second_account = Person {
        id: rosa.person.clone(),
        ..Person::new()
    };
    house.registered(&own_second_account, &rosa.code).await;
    house.registered(&Person::new(), "2222-2222").await;
    house.registered(&Person::new(), "no code at all").await;
    house.registered(&Person::new(), "").await;
    let typed = rosa.code.to_lowercase().replace('-', " ");
    let ada = Person::new();
    house.registered(&ada, &typed).await;
    house.quiet().await;
    let bound: Vec<_> = house
        .attributions(&rosa)
        .await
        .into_iter()
        .map(|a| a.referee_person_id)
        .collect();
    assert_eq!(
        bound,
        [ada.id],
        "a code is understood as people type it, and only a right one binds"
    );
}

async fn the_first_attribution_stays_for_ever(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    house.quiet().await;
    let second_account = Person {
        id: ada.id.clone(),
        ..Person::new()
    };
    house.registered(&second_account, &otto.code).await;
    house.quiet().await;
    assert_eq!(house.attributions(&rosa).await.len(), 1);
    assert_eq!(house.attributions(&otto).await, []);
}

async fn enrolling_again_gives_the_same_code(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let again = house.enrol(&rosa.account).await.expect("enrolled already");
    assert_eq!(again.code, rosa.code);
    assert!(
        again.link.ends_with(&format!("/join?code={}", rosa.code)),
        "{}",
        again.link
    );
    let unknown = house
        .enrol(&RequestId::new().to_string())
        .await
        .expect_err("nobody has heard of it");
    assert_eq!(
        (unknown.code(), house.reason(&unknown)),
        (Code::NotFound, "ACCOUNT_UNKNOWN".to_owned())
    );
}

async fn bad_requests_tell_all_that_is_wrong(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let mut client = house.client();
    let status = client
        .enrol_referrer(pb::EnrolReferrerRequest::default())
        .await
        .expect_err("empty");
    assert_eq!(harness::fields(&status), ["request_id", "account_id"]);
    let request = pb::ListAttributionsRequest {
        referrer_id: "x".to_owned(),
        page_size: 101,
        page_token: "y".to_owned(),
    };
    let status = client.list_attributions(request).await.expect_err("all wrong");
    assert_eq!(harness::fields(&status), ["referrer_id", "page_size", "page_token"]);
    let status = client
        .explain_balance(pb::ExplainBalanceRequest::default())
        .await
        .expect_err("empty");
    assert_eq!(harness::fields(&status), ["referrer_id"]);
    let status = client
        .get_terms(pb::GetTermsRequest { version: 7 })
        .await
        .expect_err("no such version");
    assert_eq!(status.code(), Code::NotFound);
}

async fn the_explanation_leads_down_to_each_earning(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    let first = house.earning(&ada, 1_010, "2026-01-20");
    let second = house.earning(&ada, 1_009, "2026-05-20");
    house
        .publish(&[
            house.settlement(&first),
            house.settlement(&second),
            house.reversal(&first, 10),
        ])
        .await;
    house.quiet().await;
    house.move_clock("2026-06-01").await;
    let request = pb::ExplainBalanceRequest {
        referrer_id: rosa.id.clone(),
        ..Default::default()
    };
    let totals = house
        .client()
        .explain_balance(request)
        .await
        .expect("explained")
        .into_inner()
        .totals;
    let [total] = totals.as_slice() else {
        panic!("one currency, not {totals:?}")
    };
    assert_eq!(harness::minor(&total.released), 200, "floor(100.45) + floor(100.00)");
    assert_eq!(harness::minor(&total.posted), 77, "what payments says");
    let told: Vec<_> = total
        .rewards
        .iter()
        .map(|r| {
            (
                r.kind(),
                harness::minor(&r.base),
                r.exact_ten_thousandths.as_str(),
                harness::minor(&r.due),
            )
        })
        .collect();
    let expected = [
        (pb::RewardKind::LifetimeShare, 2_009, "1004500", 100),
        (pb::RewardKind::WindowBonus, 1_000, "1000000", 100),
    ];
    assert_eq!(told, expected);
    for reward in &total.rewards {
        let sum: i128 = reward
            .items
            .iter()
            .map(|i| i.exact_ten_thousandths.parse::<i128>().expect("digits"))
            .sum();
        assert_eq!(sum.to_string(), reward.exact_ten_thousandths, "the items add up");
        assert_eq!(
            reward.items.iter().map(|i| harness::minor(&i.amount)).sum::<i64>(),
            harness::minor(&reward.base)
        );
        assert_eq!((reward.terms_version, reward.terms_content_hash.len()), (1, 64));
    }
}

/// Payments counts by the tie: a tie under another id would be paid once more.
async fn a_database_made_anew_ties_the_same_people_under_the_same_ids(database: TestDatabase) {
    let anew = TestDatabase::new(database.engine()).await;
    let houses = [
        House::start(&database, JOINED).await,
        House::start(&anew, "2026-01-16").await,
    ];
    let (rosa, ada) = (Person::new(), Person::new());
    // When Rosa has enrolled in both.
    let joined = harness::at("2026-01-16");
    let earning = houses[0].earning(&ada, 10_000, "2026-01-20");
    let mut told = Vec::new();
    for house in &houses {
        let rosa = house.enrolled(&rosa).await;
        house
            .publish(&[
                house.registration_at(joined, &ada, &rosa.code),
                house.settlement(&earning),
            ])
            .await;
        house.quiet().await;
        let ties: Vec<_> = house.attributions(&rosa).await.into_iter().map(|a| a.id).collect();
        assert_eq!(ties.len(), 1);
        let releases = eventually("the release", Duration::from_secs(20), async || {
            let releases = house.releases().await;
            (releases.len() == 1)
                .then_some(releases)
                .ok_or_else(|| "none yet".to_owned())
        })
        .await;
        told.push((ties, releases));
    }
    let (second, first) = (told.pop().expect("two"), told.pop().expect("two"));
    assert_eq!(second.0, first.0);
    let (earlier, later) = (&first.1[0], &second.1[0]);
    let of_the_same_life = pb::RewardReleased {
        epoch: earlier.epoch,
        release_time: earlier.release_time,
        ..later.clone()
    };
    assert_eq!(&of_the_same_life, earlier, "payments finds nothing to add");
    assert!(earlier.epoch < later.epoch);
}
