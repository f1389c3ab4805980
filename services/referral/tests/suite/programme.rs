//! The standard terms over the real port: screening, holds, the sign-up bonus, introductions, standing.

use std::collections::BTreeSet;

use futures::future::join_all;
use vouch_primitives::{ClientId, ContractId, RequestId};
use vouch_proto::{payments::v1::RewardPosting, referral::v1 as pb};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    books::{posting, rebuild, reconcile},
    harness::{House, Job, Person, Rosa, fields, minor},
};

on_both_databases! {
    rewards_are_held_until_screening_passes_and_pending_for_the_hold,
    a_rejection_voids_and_one_appeal_can_turn_it,
    what_is_earned_while_a_referrer_is_suspended_never_counts,
    news_of_a_closed_account_takes_the_bonus_back_whole,
    a_client_introduction_pays_once_its_contract_is_completed_in_any_order,
    an_agency_pays_for_all_contracts_with_that_client_alone,
    related_parties_never_accrue_whenever_they_are_found,
    the_sign_up_bonus_stops_at_the_cap_however_many_qualify_at_once,
    what_a_referee_gets_in_turn_comes_and_goes_with_the_sign_up_bonus,
    unfit_terms_are_refused_and_published_ones_bind_what_comes_later,
    consent_is_to_the_terms_in_force_and_counts_for_what_lies_ahead,
}

const JOINED: &str = "2026-01-15T12:00:00Z";

/// Rosa under the standard terms, and somebody she vouches for.
pub async fn rosa_and_ada(database: &TestDatabase) -> (House, Rosa, Person) {
    let house = House::start(database, JOINED).await;
    house.publish_standard().await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    house.quiet().await;
    (house, rosa, ada)
}

/// Due, held, pending and released of one referee, in cents.
async fn stand(house: &House, rosa: &Rosa, person: &Person) -> [i64; 4] {
    let total = house.whole_total(rosa, person).await;
    let due = minor(&total.lifetime_share) + minor(&total.bonus) + minor(&total.sign_up_bonus);
    [due, minor(&total.held), minor(&total.pending), minor(&total.released)]
}

// R21
async fn rewards_are_held_until_screening_passes_and_pending_for_the_hold(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    house.set_rule(false).await;
    house.settled(&ada, 10_000, "2026-01-20").await;
    house.quiet().await;
    assert_eq!(stand(&house, &rosa, &ada).await, [500, 500, 0, 0]);
    house.move_clock("2026-02-20").await;
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [500, 500, 0, 0],
        "nobody has screened"
    );
    assert_eq!(house.releases().await, []);
    house.pass(&ada).await;
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [500, 0, 0, 500],
        "the hold has long ended"
    );
    // Settled on 26 February, and so pending until 12 March; the batch is at midnight.
    house.settled(&ada, 10_010, "2026-02-21T10:00:00Z").await;
    house.quiet().await;
    assert_eq!(stand(&house, &rosa, &ada).await, [1_000, 0, 500, 500]);
    house.move_clock("2026-03-12T23:59:59.999999Z").await;
    assert_eq!(stand(&house, &rosa, &ada).await, [1_000, 0, 500, 500]);
    house.move_clock("2026-03-13").await;
    assert_eq!(stand(&house, &rosa, &ada).await, [1_000, 0, 0, 1_000]);
    let told: Vec<_> = house.releases().await.into_iter().map(|it| it.sequence).collect();
    assert_eq!(told, [1, 2]);
}

// R21
async fn a_rejection_voids_and_one_appeal_can_turn_it(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    house.set_rule(false).await;
    house.settled(&ada, 60_000, "2026-01-20").await;
    house.move_clock("2026-02-20").await;
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [13_000, 13_000, 0, 0],
        "share and sign-up bonus"
    );
    house.reject(&ada).await;
    assert_eq!(stand(&house, &rosa, &ada).await, [0, 0, 0, 0]);
    let attribution = house.attributions(&rosa).await.remove(0).id;
    let appeal = || pb::AppealScreeningRequest {
        request_id: RequestId::new().to_string(),
        attribution_id: attribution.clone(),
        message: "She is real".to_owned(),
    };
    house.screening().appeal_screening(appeal()).await.expect("once");
    let again = house.screening().appeal_screening(appeal()).await.expect_err("twice");
    assert_eq!(house.reason(&again), "NO_APPEAL");
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [0, 0, 0, 0],
        "an appeal alone changes nothing"
    );
    house.pass(&ada).await;
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [13_000, 0, 10_000, 3_000],
        "the bonus is granted now"
    );
    house.move_clock("2026-03-20").await;
    assert_eq!(stand(&house, &rosa, &ada).await, [13_000, 0, 0, 13_000]);
}

// R25
async fn what_is_earned_while_a_referrer_is_suspended_never_counts(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    house.move_clock("2026-03-01").await;
    let before = house.earning(&ada, 1_000, "2026-01-31T23:59:59Z");
    let during = house.earning(&ada, 2_000, "2026-02-01");
    let after = house.earning(&ada, 4_000, "2026-02-10");
    house
        .publish(&[house.settlement(&during), house.settlement(&after)])
        .await;
    house.quiet().await;
    assert_eq!(house.total(&rosa, &ada).await.1, 300);
    house.stands(&rosa, "2026-02-01", false).await;
    assert_eq!(
        house.total(&rosa, &ada).await.1,
        0,
        "what was earned since is taken out"
    );
    house.stands(&rosa, "2026-02-10", true).await;
    assert_eq!(house.total(&rosa, &ada).await.1, 200);
    house
        .publish(&[house.settlement(&before), house.reversal(&during, 500)])
        .await;
    house.quiet().await;
    assert_eq!(
        house.total(&rosa, &ada).await.1,
        250,
        "judged by when it was earned; a reversal inherits that"
    );
    let verdicts = house.verdicts(&rosa, &during).await;
    assert_eq!(verdicts, [pb::EarningVerdict::ReferrerSuspended; 2]);
}

// R26
async fn news_of_a_closed_account_takes_the_bonus_back_whole(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    house.settled(&ada, 10_000, "2026-01-20").await;
    house.move_clock("2026-05-01").await;
    assert_eq!(stand(&house, &rosa, &ada).await, [1_500, 0, 0, 1_500]);
    house.account(&ada, "2026-04-15T12:00:01Z", false).await;
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [1_500, 0, 0, 1_500],
        "closed when the window was over"
    );
    house.account(&ada, "2026-04-01", false).await;
    assert_eq!(stand(&house, &rosa, &ada).await, [500, 0, 0, 500]);
    house.account(&ada, "2026-04-15T12:00:00Z", true).await;
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [1_500, 0, 0, 1_500],
        "open again at that instant"
    );
}

// R36
async fn a_client_introduction_pays_once_its_contract_is_completed_in_any_order(database: TestDatabase) {
    let (house, rosa, _) = rosa_and_ada(&database).await;
    let mut introduced = Vec::new();
    for order in 0..4 {
        let (payee, client) = (Person::new(), ClientId::new());
        house.known(&payee).await;
        house.works(&rosa, client).await;
        let introduction = house
            .introduce(&rosa, &payee, client, pb::ReferralKind::ClientIntroduction)
            .await;
        let job = || Job {
            client,
            contract: ContractId::new(),
        };
        let (first, second) = (job(), job());
        let earning = house.earning_of(&payee, first, 10_000, "2026-01-20");
        let other = house.earning_of(&payee, second, 7_000, "2026-01-20");
        let mut facts = [
            house.started(&payee, first, "2026-01-16"),
            house.settlement(&earning),
            house.settlement(&other),
            house.started(&payee, second, "2026-01-17"),
        ];
        facts.rotate_left(order);
        // One after the other, so that each order is heard as such.
        for fact in facts {
            house.publish(&[fact]).await;
            house.quiet().await;
        }
        introduced.push((introduction.expect("introduced").id, payee, first, other));
    }
    house.move_clock("2026-02-20").await;
    for (id, payee, first, other) in introduced {
        let commission = async || {
            let total = house.introduction(&rosa, &id).await.totals.remove(0);
            [minor(&total.earnings), minor(&total.commission), minor(&total.released)]
        };
        assert_eq!(
            commission().await,
            [10_000, 0, 0],
            "the first contract alone, and not completed"
        );
        house.publish(&[house.ended(&payee, first, "2026-02-19")]).await;
        house.quiet().await;
        assert_eq!(commission().await, [10_000, 500, 500]);
        let verdicts = house.verdicts(&rosa, &other).await;
        assert_eq!(verdicts, [pb::EarningVerdict::NotIntroduced]);
    }
}

// R12
async fn an_agency_pays_for_all_contracts_with_that_client_alone(database: TestDatabase) {
    let (house, person, _) = rosa_and_ada(&database).await;
    let (owner, client) = (Person::new(), ClientId::new());
    house.known(&owner).await;
    let agency = Person {
        account: house.agency(&owner).await,
        ..owner.clone()
    };
    house.works(&person, client).await;
    let rosa = house.agency_of(&person).await;
    for (referrer, payee, reason) in [
        (&person, &agency, "REFERRER_NOT_AGENCY"),
        (&rosa, &owner, "ACCOUNT_NOT_AGENCY"),
    ] {
        let refused = house.introduce(referrer, payee, client, pb::ReferralKind::Agency).await;
        assert_eq!(house.reason(&refused.expect_err("a person")), reason);
    }
    let client = ClientId::new();
    let stranger = house.introduce(&rosa, &agency, client, pb::ReferralKind::Agency).await;
    assert_eq!(house.reason(&stranger.expect_err("not hers")), "NOT_YOUR_CLIENT");
    house.works(&rosa, client).await;
    let introduced = house.introduce(&rosa, &agency, client, pb::ReferralKind::Agency).await;
    let id = introduced.expect("introduced").id;
    let again = house.introduce(&rosa, &agency, client, pb::ReferralKind::Agency).await;
    assert_eq!(house.reason(&again.expect_err("once")), "INTRODUCED_ALREADY");
    for (client, amount) in [(client, 10_000), (client, 5_000), (ClientId::new(), 90_000)] {
        let job = Job {
            client,
            contract: ContractId::new(),
        };
        let earning = house.earning_of(&agency, job, amount, "2026-01-20");
        house
            .publish(&[house.settlement(&earning), house.started(&agency, job, "2026-01-16")])
            .await;
    }
    house.quiet().await;
    let total = house.introduction(&rosa, &id).await.totals.remove(0);
    assert_eq!((minor(&total.earnings), minor(&total.commission)), (15_000, 750));
}

async fn related_parties_never_accrue_whenever_they_are_found(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    let (job, other) = (Job::new(), Job::new());
    let own = house.earning_of(&ada, job, 10_000, "2026-01-20");
    house.publish(&[house.settlement(&own)]).await;
    house
        .publish(&[house.settlement(&house.earning_of(&ada, other, 1_000, "2026-01-20"))])
        .await;
    house.quiet().await;
    assert_eq!(house.total(&rosa, &ada).await, (11_000, 550, 0));
    house.relate(&ada, job.client).await;
    assert_eq!(house.total(&rosa, &ada).await, (1_000, 50, 0));
    house
        .publish(&[house.settlement(&house.earning_of(&ada, job, 700, "2026-01-21"))])
        .await;
    house.quiet().await;
    assert_eq!(house.total(&rosa, &ada).await, (1_000, 50, 0));
    assert_eq!(
        house.verdicts(&rosa, &own).await,
        [pb::EarningVerdict::RelatedParties; 2]
    );
}

// R6
async fn the_sign_up_bonus_stops_at_the_cap_however_many_qualify_at_once(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    house
        .publish_terms(|terms| terms.sign_up_bonuses[0].cap = vouch_money(30_000))
        .await;
    let rosa = house.referrer().await;
    let people: Vec<Person> = (0..8).map(|_| Person::new()).collect();
    for person in &people {
        house.registered(person, &rosa.code).await;
    }
    house.quiet().await;
    // Each of them in a batch of its own, so that they meet.
    join_all(people.iter().map(|person| house.settled(person, 50_000, "2026-01-20"))).await;
    house.quiet().await;
    let bonuses = async || {
        let all = house.attributions(&rosa).await;
        all.iter()
            .map(|it| minor(&it.totals[0].sign_up_bonus))
            .filter(|it| *it > 0)
            .collect::<Vec<_>>()
    };
    assert_eq!(bonuses().await, [10_000; 3]);
    house.settled(&Person::new(), 50_000, "2026-01-21").await;
    house.quiet().await;
    assert_eq!(bonuses().await, [10_000; 3]);
}

// R24
async fn what_a_referee_gets_in_turn_comes_and_goes_with_the_sign_up_bonus(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let published = house
        .publish_terms(|terms| terms.sign_up_bonuses[0].referee_benefit = vouch_money(2_500))
        .await;
    assert_eq!(published.sign_up_bonuses[0].referee_benefit, vouch_money(2_500));
    house.set_rule(false).await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    house.settled(&ada, 60_000, "2026-01-20").await;
    house.quiet().await;
    let benefit = async || house.whole_total(&rosa, &ada).await.referee_benefit;
    assert_eq!(benefit().await, vouch_money(0), "held, as the bonus is");
    house.move_clock("2026-02-20").await;
    house.pass(&ada).await;
    house.quiet().await;
    assert_eq!(benefit().await, vouch_money(2_500));
    assert_eq!(
        stand(&house, &rosa, &ada).await,
        [13_000, 0, 0, 13_000],
        "what the referrer gets is as it would be without"
    );

    let told = house.releases().await;
    let paid = |told: &[pb::RewardReleased], kind| {
        told.iter()
            .filter(|it| it.kind() == kind)
            .map(|it| (it.account_id.clone(), minor(&it.cumulative)))
            .collect::<BTreeSet<_>>()
    };
    let (bonus, in_turn) = (pb::RewardKind::SignUpBonus, pb::RewardKind::RefereeBenefit);
    assert_eq!(paid(&told, bonus), BTreeSet::from([(rosa.account.clone(), 10_000)]));
    assert_eq!(paid(&told, in_turn), BTreeSet::from([(ada.account.clone(), 2_500)]));
    let posted: Vec<_> = told.iter().map(posting).collect();
    house.has_posted(posted.clone());
    assert_eq!(reconcile(&house).await, []);
    let without = |it: &RewardPosting| it.kind != "REFEREE_BENEFIT";
    house.has_posted(posted.into_iter().filter(without).collect());
    let missing: Vec<_> = reconcile(&house)
        .await
        .iter()
        .map(|it| (it.kind(), minor(&it.released)))
        .collect();
    assert_eq!(missing, [(in_turn, 2_500)]);

    let all: i64 = told.iter().map(|it| minor(&it.cumulative)).sum();
    assert_eq!(
        house.released_to_all().await,
        all,
        "the metric counts what payments is told"
    );

    // A new epoch tells it again; and somebody who was rejected gets nothing.
    let fred = Person::new();
    house.registered(&fred, &rosa.code).await;
    house.settled(&fred, 60_000, "2026-02-20").await;
    house.quiet().await;
    house.reject(&fred).await;
    assert_eq!(rebuild(&house, true).await.differences, []);
    house.quiet().await;
    let told = house.releases().await;
    let all_of_rosa = [(rosa.account.clone(), 10_000), (rosa.account, 0)];
    assert_eq!(paid(&told, bonus), BTreeSet::from(all_of_rosa));
    let in_turn_to_all = [(ada.account, 2_500), (fred.account, 0)];
    assert_eq!(paid(&told, in_turn), BTreeSet::from(in_turn_to_all));
    assert_eq!(house.released_to_all().await, all);
}

// R25
async fn unfit_terms_are_refused_and_published_ones_bind_what_comes_later(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let (early, late) = (Person::new(), Person::new());
    house.registered(&early, &rosa.code).await;
    house.quiet().await;
    let unfit = house.try_publish("", |terms| {
        terms.lifetime_basis_points = 1_100;
        terms.hold_days = 0;
        terms.sign_up_bonuses[0].cap = None;
    });
    let unfit = unfit.await.expect_err("a loss");
    let told = [
        "terms.lifetime_basis_points",
        "terms.introduction_basis_points",
        "terms.hold_days",
    ];
    assert_eq!(fields(&unfit), told);
    let words = "I accept that these terms may pay more than the service fee brings in.";
    let published = house
        .try_publish(words, |terms| terms.lifetime_basis_points = 1_100)
        .await
        .expect("in so many words");
    assert_eq!(published.content_hash.len(), 64);
    house.registered(&late, &rosa.code).await;
    for person in [&early, &late] {
        house.settled(person, 10_000, "2026-01-20").await;
    }
    house.quiet().await;
    assert_eq!(
        house.total(&rosa, &early).await.1,
        500,
        "old attributions are not touched"
    );
    assert_eq!(house.total(&rosa, &late).await.1, 1_100);
    let request = pb::CompareTermsRequest {
        from_version: published.version - 1,
        to_version: published.version,
    };
    let compared = house.programme().compare_terms(request).await.expect("both are there");
    let compared = compared.into_inner().differences;
    let hold = compared
        .iter()
        .find(|it| it.name == "lifetime_basis_points")
        .expect("differs");
    assert_eq!((hold.from.as_str(), hold.to.as_str()), ("500", "1100"));
}

async fn consent_is_to_the_terms_in_force_and_counts_for_what_lies_ahead(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    // The clock of whoever told this is ahead.
    house.settled(&ada, 100_000, "2026-02-02").await;
    house.quiet().await;
    let other = house.publish_terms(|terms| terms.lifetime_basis_points = 300).await;
    house.move_clock("2026-02-01").await;
    let attribution_id = house.attributions(&rosa).await.remove(0).id;
    let to = |terms_version| pb::MigrateAttributionRequest {
        request_id: RequestId::new().to_string(),
        attribution_id: attribution_id.clone(),
        terms_version,
        consent: "I, Rosa, agree".to_owned(),
    };
    let before = house.programme().migrate_attribution(to(other.version - 1)).await;
    assert_eq!(house.reason(&before.expect_err("not in force")), "TERMS_NOT_IN_FORCE");
    let moved = house.programme().migrate_attribution(to(other.version)).await;
    moved.expect("in force");
    assert_eq!(house.total(&rosa, &ada).await.1, 3_000);
    crate::books::is_right(&house, "after a consent").await;
}

fn vouch_money(minor: i64) -> Option<vouch_proto::common::v1::Money> {
    Some(vouch_primitives::Money::new(minor, vouch_primitives::Currency::USD).into())
}
