//! The books as a whole: computed anew, mended, and held against those of payments.

use std::collections::BTreeMap;

use tonic::Code;
use vouch_primitives::{AccountId, ClientId, ContractId, RequestId, Uuid};
use vouch_proto::{
    payments::v1 as payments,
    referral::v1::{
        self as pb, RewardKind,
        books_service_client::BooksServiceClient,
        rebuild_response::{Difference, End, Part},
        reconcile_rewards_response::{Mismatch, Part as Compared, mismatch::Standing},
        terms::Qualification,
    },
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::harness::{House, Job, Person, Rosa, minor, usd};

on_both_databases! {
    books_that_are_right_come_out_the_same_at_every_moment,
    planted_differences_are_named_and_mended_in_a_new_epoch,
    what_is_pending_stays_pending_when_it_is_put_in_place,
    reconciling_names_what_is_missing_extra_and_other,
}

const JOINED: &str = "2026-01-15T12:00:00Z";

/// What a rebuild has answered.
pub struct Rebuilt {
    pub differences: Vec<Difference>,
    end: End,
    progress: usize,
}

pub async fn rebuild(house: &House, begin_epoch: bool) -> Rebuilt {
    let request = pb::RebuildRequest {
        request_id: RequestId::new().to_string(),
        begin_epoch,
    };
    let mut client = BooksServiceClient::new(house.channel());
    let mut parts = client.rebuild(request).await.expect("begun").into_inner();
    let (mut differences, mut end, mut progress) = (Vec::new(), None, 0);
    while let Some(part) = parts.message().await.expect("a part") {
        assert_eq!(end, None, "nothing comes after the end");
        match part.part.expect("a part") {
            Part::Progress(so_far) => {
                assert!(so_far.people <= so_far.all_people, "{so_far:?}");
                progress += 1;
            }
            Part::Difference(difference) => differences.push(difference),
            Part::End(it) => end = Some(it),
        }
    }
    house.quiet().await;
    let end = end.expect("an end");
    assert_eq!(end.differences, u64::try_from(differences.len()).expect("few"));
    for table in ["rebuild_run", "rebuilt_total", "rebuilt_pending", "told_event"] {
        assert_eq!(house.count(table).await, 0, "nothing is left in {table}");
    }
    Rebuilt {
        differences,
        end,
        progress,
    }
}

/// The books come out as they are.
pub async fn is_right(house: &House, when: &str) -> End {
    let rebuilt = rebuild(house, false).await;
    assert_eq!(rebuilt.differences, [], "{when}");
    assert_eq!(rebuilt.end.live_sha256, rebuilt.end.rebuilt_sha256, "{when}");
    assert!(rebuilt.progress > 0 && rebuilt.end.ties > 0, "{when}");
    rebuilt.end
}

/// Rosa under the standard terms, with all that may happen to people she vouched for.
pub async fn all_that_happens(database: &TestDatabase) -> (House, Rosa, Vec<Person>) {
    let house = House::start(database, JOINED).await;
    let rosa = house.referrer().await;
    let early = Person::new();
    house.registered(&early, &rosa.code).await;
    house.quiet().await;
    house.publish_standard().await;
    let people: Vec<Person> = (0..5).map(|_| Person::new()).collect();
    let [ada, bob, cleo, dora, emil] = people.as_slice() else {
        panic!("five")
    };
    for person in [ada, bob, dora, emil] {
        house.registered(person, &rosa.code).await;
    }
    house.known(cleo).await;
    let client = ClientId::new();
    house.works(&rosa, client).await;
    let programme = house
        .open_programme(client, (20_000, 50_000), Qualification::Contract)
        .await;
    programme.expect("opened");
    let introduced = house.introduce(&rosa, cleo, client, pb::ReferralKind::Freelancer).await;
    introduced.expect("introduced");
    let job = Job {
        client,
        contract: ContractId::new(),
    };
    let (first, second) = (
        house.earning(ada, 60_010, "2026-01-20"),
        house.earning(bob, 1_777, "2026-03-03"),
    );
    house
        .publish(&[
            house.settlement(&house.earning(&early, 3_333, "2026-01-20")),
            house.settlement(&first),
            house.reversal(&first, 1_111),
            house.settlement(&second),
            house.reversal(&second, 1_777),
            house.reversal(&house.earning(dora, 500, "2026-01-20"), 500),
            house.started(cleo, job, "2026-01-16"),
            house.settlement(&house.earning_of(cleo, job, 7_777, "2026-01-21")),
            house.settlement(&house.earning(emil, 90_000, "2026-02-11")),
        ])
        .await;
    house.quiet().await;
    (house, rosa, people)
}

// R25, R26
async fn books_that_are_right_come_out_the_same_at_every_moment(database: TestDatabase) {
    let (house, rosa, people) = all_that_happens(&database).await;
    let first = is_right(&house, "at once").await;
    house.move_clock("2026-02-08").await;
    is_right(&house, "when the first holds end").await;
    house.move_clock("2026-03-01").await;
    house.stands(&rosa, "2026-02-10", false).await;
    house.stands(&rosa, "2026-02-20", true).await;
    is_right(&house, "after a suspension").await;
    let fred = Person::new();
    house.set_rule(false).await;
    house.registered(&fred, &rosa.code).await;
    house.settled(&fred, 60_000, "2026-02-25").await;
    house.quiet().await;
    is_right(&house, "while somebody is screened").await;
    house.reject(&fred).await;
    house.account(&people[1], "2026-04-01", false).await;
    is_right(&house, "after a rejection").await;
    house.move_clock("2026-05-01").await;
    let last = is_right(&house, "when all windows are over").await;
    assert_ne!(
        first.live_sha256, last.live_sha256,
        "the hash is of what is in the books"
    );
    assert_eq!(first.epoch, last.epoch, "looking begins no epoch");
}

/// What stands in the books of all totals, by kind.
async fn released(house: &House, rosa: &Rosa) -> BTreeMap<String, i64> {
    let request = pb::ExplainBalanceRequest {
        referrer_id: rosa.id.clone(),
        page_size: 100,
        page_token: String::new(),
    };
    let explained = house
        .client()
        .explain_balance(request)
        .await
        .expect("explained")
        .into_inner();
    let rewards = explained.totals.into_iter().flat_map(|total| total.rewards);
    rewards
        .map(|it| {
            let key = format!("{} {}", it.attribution_id, it.kind().as_str_name());
            (key, minor(&it.released))
        })
        .collect()
}

async fn planted_differences_are_named_and_mended_in_a_new_epoch(database: TestDatabase) {
    let (house, rosa, _) = all_that_happens(&database).await;
    house.move_clock("2026-05-01").await;
    let before = is_right(&house, "untouched").await;
    let right = released(&house, &rosa).await;
    house.quiet().await;
    house.releases().await;
    for (planted, wanted) in [
        (
            "UPDATE reward_total SET base_minor = base_minor + 1 WHERE kind = 'INTRODUCTION_COMMISSION'",
            vec![("base", RewardKind::IntroductionCommission)],
        ),
        (
            "UPDATE reward_total SET released_minor = released_minor + 100 WHERE kind = 'SIGN_UP_BONUS'",
            vec![("released", RewardKind::SignUpBonus); 2],
        ),
        (
            "UPDATE reward_total SET accrued_fraction = accrued_fraction + 1 WHERE kind = 'LIFETIME_SHARE' AND base_minor = 3333",
            vec![("accrued", RewardKind::LifetimeShare)],
        ),
        (
            "UPDATE attribution SET hired = (1 = 0) WHERE hired",
            vec![("hired", RewardKind::Unspecified); 4],
        ),
        (
            "UPDATE sign_up_fund SET granted_minor = granted_minor - 1",
            vec![("fund", RewardKind::SignUpBonus)],
        ),
    ] {
        house.tamper(planted).await;
        let found = rebuild(&house, false).await;
        let told: Vec<_> = found
            .differences
            .iter()
            .map(|it| (it.what.as_str(), it.kind()))
            .collect();
        assert_eq!(told, wanted, "{planted}: {:?}", found.differences);
        let in_ties = wanted.iter().any(|(what, _)| *what != "fund");
        assert_eq!(found.end.live_sha256 != found.end.rebuilt_sha256, in_ties, "{planted}");
        assert_eq!(
            found.end.rebuilt_sha256, before.rebuilt_sha256,
            "what comes out does not hang on what was there"
        );

        let mended = rebuild(&house, true).await;
        assert_eq!(mended.differences, found.differences, "named once more, and mended");
        assert!(mended.end.epoch > before.epoch, "a new epoch");
        house.quiet().await;
        let told = house.releases().await;
        assert_eq!(told.len(), right.len(), "every total is told again");
        assert!(
            told.iter().all(|it| it.epoch == mended.end.epoch && it.sequence > 0),
            "{told:?}"
        );
        let sum: i64 = told.iter().map(|it| minor(&it.cumulative)).sum();
        assert_eq!(sum, right.values().sum::<i64>(), "payments is told what is right");
        is_right(&house, planted).await;
        assert_eq!(released(&house, &rosa).await, right);
        let recorded = house.sum("reward_release", "amount_minor").await;
        assert_eq!(recorded, house.sum("reward_total", "released_minor").await, "{planted}");
    }
    go_on(&house, &rosa).await;
}

/// The books go on in the new epoch.
async fn go_on(house: &House, rosa: &Rosa) {
    let late = Person::new();
    house.registered(&late, &rosa.code).await;
    house.settled(&late, 100_000, "2026-05-02").await;
    // Heard before its hold ends: later it would wait for the next midnight.
    house.quiet().await;
    house.move_clock("2026-06-01").await;
    let told = house.releases().await;
    let epoch = is_right(house, "afterwards").await.epoch;
    assert!(!told.is_empty() && told.iter().all(|it| it.epoch == epoch), "{told:?}");
}

async fn what_is_pending_stays_pending_when_it_is_put_in_place(database: TestDatabase) {
    let (house, rosa, people) = all_that_happens(&database).await;
    house
        .tamper("DELETE FROM reward_pending WHERE kind = 'LIFETIME_SHARE'")
        .await;
    let found = rebuild(&house, true).await;
    assert!(!found.differences.is_empty());
    assert!(
        found.differences.iter().all(|it| it.what == "pending"),
        "{:?}",
        found.differences
    );
    is_right(&house, "put in place").await;
    house.move_clock("2026-05-01").await;
    is_right(&house, "when it was released").await;
    let total = house.whole_total(&rosa, &people[0]).await;
    assert_eq!(minor(&total.lifetime_share), 2_944, "5 % of 588.99");
    assert_eq!(minor(&total.pending), 0, "its timer has rung");
}

/// What payments has posted otherwise than it was released.
pub async fn reconcile(house: &House) -> Vec<Mismatch> {
    let mut client = BooksServiceClient::new(house.channel());
    let answer = client.reconcile_rewards(pb::ReconcileRewardsRequest {}).await;
    let mut parts = answer.expect("begun").into_inner();
    let (mut found, mut end) = (Vec::new(), None);
    while let Some(part) = parts.message().await.expect("a part") {
        match part.part.expect("a part") {
            Compared::Mismatch(mismatch) => found.push(mismatch),
            Compared::End(it) => end = Some(it),
        }
    }
    assert_eq!(
        end.expect("an end").mismatches,
        u64::try_from(found.len()).expect("few")
    );
    found
}

/// A release as payments posts it.
pub fn posting(release: &pb::RewardReleased) -> payments::RewardPosting {
    payments::RewardPosting {
        tie_id: release.tie_id.clone(),
        kind: release
            .kind()
            .as_str_name()
            .trim_start_matches("REWARD_KIND_")
            .to_owned(),
        posted: release.cumulative.clone(),
        epoch: release.epoch,
        sequence: release.sequence,
        account_id: release.account_id.clone(),
    }
}

async fn reconciling_names_what_is_missing_extra_and_other(database: TestDatabase) {
    let (house, _, _) = all_that_happens(&database).await;
    house.move_clock("2026-05-01").await;
    // What payments has heard, as it would post it.
    let mut heard = BTreeMap::new();
    for release in house.releases().await {
        heard.insert((release.tie_id.clone(), release.kind), release);
    }
    let right: Vec<_> = heard.values().map(posting).collect();
    assert!(right.len() > 4, "several pages: {right:?}");
    house.has_posted(right.clone());
    assert_eq!(reconcile(&house).await, []);

    let paid: Vec<usize> = (0..right.len()).filter(|at| minor(&right[*at].posted) > 0).collect();
    let [missing, other, elsewhere, ..] = paid.as_slice() else {
        panic!("three totals at least: {right:?}")
    };
    let mut wrong = right.clone();
    wrong[*other].posted = usd(minor(&right[*other].posted) + 1);
    wrong[*elsewhere].account_id = AccountId::new().to_string();
    let extra = Uuid::max();
    wrong.push(payments::RewardPosting {
        tie_id: extra.to_string(),
        ..right[*other].clone()
    });
    wrong.remove(*missing);
    house.has_posted(wrong);
    let mut told: Vec<_> = reconcile(&house)
        .await
        .into_iter()
        .map(|it| (it.standing(), it.tie_id.clone(), minor(&it.released), minor(&it.posted)))
        .collect();
    let amount = |at: usize| minor(&right[at].posted);
    let mut expected = vec![
        (Standing::Missing, right[*missing].tie_id.clone(), amount(*missing), 0),
        (
            Standing::OtherAmount,
            right[*other].tie_id.clone(),
            amount(*other),
            amount(*other) + 1,
        ),
        (
            Standing::OtherAccount,
            right[*elsewhere].tie_id.clone(),
            amount(*elsewhere),
            amount(*elsewhere),
        ),
        (Standing::Extra, extra.to_string(), 0, amount(*other)),
    ];
    told.sort_by_key(|it| (i32::from(it.0), it.1.clone()));
    expected.sort_by_key(|it| (i32::from(it.0), it.1.clone()));
    assert_eq!(told, expected);
    let again = BooksServiceClient::new(house.channel())
        .rebuild(pb::RebuildRequest::default())
        .await
        .expect_err("no id");
    assert_eq!(again.code(), Code::InvalidArgument);
}
