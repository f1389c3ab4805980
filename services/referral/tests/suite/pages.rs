//! What a referrer reads comes in pages, and adds up on each of them.

use std::{collections::BTreeSet, time::Duration};

use tonic::Code;
use vouch_primitives::{AttributionId, ClientId, ContractId, RequestId};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    JOINED,
    harness::{self, Earning, House, Job, Person, Rosa, at, minor},
    programme::rosa_and_ada,
};

on_both_databases! {
    attributions_come_in_pages,
    an_explanation_is_whole_over_all_its_pages,
    introductions_come_in_pages_and_are_explained_in_pages,
    a_long_reward_has_pages_of_its_own,
    consent_moves_an_attribution_and_rates_nothing_anew,
}

async fn attributions_come_in_pages(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    for _ in 0..5 {
        house.registered(&Person::new(), &rosa.code).await;
    }
    house.quiet().await;
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListAttributionsRequest {
            referrer_id: rosa.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = house
            .client()
            .list_attributions(request)
            .await
            .expect("a page")
            .into_inner();
        assert!(page.attributions.len() <= 2);
        seen.extend(page.attributions.into_iter().map(|a| a.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!((seen.len(), once.len()), (5, 5));
    eventually("a timer for each", Duration::from_secs(5), async || {
        let next = house.next_due().await;
        if next == Some(at("2026-04-15T12:00:00Z")) {
            Ok(())
        } else {
            Err(format!("{next:?}"))
        }
    })
    .await;
}

async fn an_explanation_is_whole_over_all_its_pages(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    for amount in [1_010, 1_010, 2_000] {
        let person = Person::new();
        house.registered(&person, &rosa.code).await;
        house.settled(&person, amount, "2026-01-20").await;
    }
    house.quiet().await;
    let (mut rewards, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let request = pb::ExplainBalanceRequest {
            referrer_id: rosa.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = house
            .client()
            .explain_balance(request)
            .await
            .expect("a page")
            .into_inner();
        let [total] = page.totals.as_slice() else {
            panic!("one currency, not {:?}", page.totals)
        };
        assert_eq!(minor(&total.released), 200, "floor(50.50) twice, and 100");
        assert_eq!(minor(&total.posted), 77, "what payments says");
        rewards.extend(total.rewards.clone());
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, rewards.len()), (2, 6), "two kinds for each of three");
    assert_eq!(rewards.iter().map(|reward| minor(&reward.released)).sum::<i64>(), 200);
    assert!(
        rewards
            .iter()
            .all(|reward| !reward.more_items && reward.items.len() == 1)
    );
}

/// The ids of all introductions, two to a page.
async fn introductions(house: &House, rosa: &Rosa) -> Vec<String> {
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListIntroductionsRequest {
            referrer_id: rosa.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = house.programme().list_introductions(request).await;
        let page = page.expect("a page").into_inner();
        listed.extend(page.introductions.into_iter().map(|it| it.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listed;
        }
    }
}

async fn introductions_come_in_pages_and_are_explained_in_pages(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    house.publish_terms(|terms| terms.screened = false).await;
    let rosa = house.referrer().await;
    let mut made = Vec::new();
    for hour in 13..20 {
        house.move_clock(&format!("2026-01-15T{hour}:00:00Z")).await;
        let (payee, client) = (Person::new(), ClientId::new());
        house
            .registered(&payee, if hour % 3 == 0 { &rosa.code } else { "" })
            .await;
        house.quiet().await;
        house.works(&rosa, client).await;
        let introduced = house
            .introduce(&rosa, &payee, client, pb::ReferralKind::Freelancer)
            .await;
        made.insert(0, introduced.expect("introduced").id);
        let job = Job {
            client,
            contract: ContractId::new(),
        };
        let earning = house.earning_of(&payee, job, 10_000, "2026-01-20");
        house
            .publish(&[house.started(&payee, job, "2026-01-16"), house.settlement(&earning)])
            .await;
    }
    house.quiet().await;
    house.move_clock("2026-03-01").await;
    assert_eq!(introductions(&house, &rosa).await, made, "the newest first");

    let (mut explained, mut page_token, mut pages) = (0, String::new(), 0);
    loop {
        let request = pb::ExplainBalanceRequest {
            referrer_id: rosa.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = house
            .client()
            .explain_balance(request)
            .await
            .expect("a page")
            .into_inner();
        let [total] = page.totals.as_slice() else {
            panic!("one currency, not {:?}", page.totals)
        };
        assert_eq!(minor(&total.released), 7 * 500 + 2 * 500);
        let ties: BTreeSet<_> = total.rewards.iter().map(|reward| &reward.attribution_id).collect();
        assert!(ties.len() <= 2, "{ties:?}");
        explained += total.rewards.iter().map(|reward| minor(&reward.released)).sum::<i64>();
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((explained, pages), (7 * 500 + 2 * 500, 5));
}

async fn a_long_reward_has_pages_of_its_own(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let ada = Person::new();
    house.registered(&ada, &rosa.code).await;
    // Earned before joining: counts for nothing.
    house.settled(&ada, 99_999, "2026-01-01").await;
    let mut facts = Vec::new();
    for number in 0..21 {
        let earning = house.earning(&ada, 100 + number, "2026-01-20");
        facts.push(house.settlement(&earning));
        facts.extend((number % 3 == 0).then(|| house.reversal(&earning, 10)));
    }
    for number in 0..9 {
        facts.push(house.settlement(&house.earning(&ada, 7 + number, "2026-06-01")));
    }
    house.publish(&facts).await;
    house.quiet().await;
    let request = pb::ExplainBalanceRequest {
        referrer_id: rosa.id.clone(),
        ..Default::default()
    };
    let explained = house.client().explain_balance(request).await.expect("explained");
    let rewards = explained.into_inner().totals.remove(0).rewards;
    assert_eq!(rewards.len(), 2);
    for (reward, count) in rewards.iter().zip([21 + 7 + 9, 21 + 7]) {
        assert_eq!((reward.items.len(), reward.more_items), (20, true));
        for page_size in [1, 7, 100] {
            let items = items_of(&house, reward, page_size).await;
            assert_eq!(items.len(), count, "in pages of {page_size}");
            assert_eq!(items[..20], reward.items);
            assert_eq!(
                items.iter().map(|item| minor(&item.amount)).sum::<i64>(),
                minor(&reward.base)
            );
            let exact = items
                .iter()
                .map(|item| item.exact_ten_thousandths.parse::<i128>().expect("digits"));
            assert_eq!(exact.sum::<i128>().to_string(), reward.exact_ten_thousandths);
        }
    }
    let mut client = house.client();
    let nothing = client.list_reward_items(pb::ListRewardItemsRequest::default()).await;
    let told = harness::fields(&nothing.expect_err("empty"));
    assert_eq!(told, ["attribution_id", "kind", "currency_code"]);
    let request = pb::ListRewardItemsRequest {
        attribution_id: AttributionId::new().to_string(),
        kind: rewards[0].kind,
        currency_code: "USD".to_owned(),
        ..Default::default()
    };
    let unknown = client
        .list_reward_items(request)
        .await
        .expect_err("no such attribution");
    assert_eq!(unknown.code(), Code::NotFound);
}

async fn items_of(house: &House, reward: &pb::ExplainedReward, page_size: u32) -> Vec<pb::ExplainedItem> {
    let (mut items, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListRewardItemsRequest {
            attribution_id: reward.attribution_id.clone(),
            kind: reward.kind,
            currency_code: "USD".to_owned(),
            page_size,
            page_token,
        };
        let page = house
            .client()
            .list_reward_items(request)
            .await
            .expect("a page")
            .into_inner();
        items.extend(page.items);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return items;
        }
    }
}

async fn consent_moves_an_attribution_and_rates_nothing_anew(database: TestDatabase) {
    let (house, rosa, ada) = rosa_and_ada(&database).await;
    house.settled(&ada, 10_000, "2026-01-20").await;
    house.quiet().await;
    let other = house.publish_terms(|terms| terms.lifetime_basis_points = 300).await;
    house.move_clock("2026-02-01").await;
    let request = pb::MigrateAttributionRequest {
        request_id: RequestId::new().to_string(),
        attribution_id: house.attributions(&rosa).await.remove(0).id,
        terms_version: other.version,
        consent: "I, Rosa, agree".to_owned(),
    };
    let moved = house
        .programme()
        .migrate_attribution(request)
        .await
        .expect("moved")
        .into_inner();
    assert_eq!(moved.from_time, Some(to_wire_time(at("2026-02-01"))));
    house.settled(&ada, 10_000, "2026-01-31T23:59:59Z").await;
    let last = house.earning(&ada, 10_000, "2026-02-01");
    house.publish(&[house.settlement(&last)]).await;
    house.quiet().await;
    assert_eq!(house.total(&rosa, &ada).await.1, 500 + 500 + 300);
    is_explained_by_versions(&house, &rosa, &last, (other.version - 1, other.version)).await;
}

/// Each explanation names the version of the terms that decided.
async fn is_explained_by_versions(house: &House, rosa: &Rosa, last: &Earning, (first, other): (u32, u32)) {
    let request = pb::ExplainBalanceRequest {
        referrer_id: rosa.id.clone(),
        ..Default::default()
    };
    let explained = house.client().explain_balance(request).await.expect("explained");
    let rewards = explained.into_inner().totals.remove(0).rewards;
    let told: Vec<_> = rewards
        .iter()
        .map(|it| {
            (
                it.kind(),
                it.terms_version,
                it.basis_points,
                it.terms_content_hash.len(),
            )
        })
        .collect();
    let (share, bonus) = (pb::RewardKind::LifetimeShare, pb::RewardKind::WindowBonus);
    assert_eq!(
        told,
        [(share, 0, 0, 0), (bonus, first, 1_000, 64)],
        "no rate is that of all"
    );
    let items: Vec<_> = rewards[0]
        .items
        .iter()
        .map(|it| (it.terms_version, it.basis_points))
        .collect();
    assert_eq!(items, [(first, 500), (first, 500), (other, 300)]);
    for item in rewards.iter().flat_map(|reward| &reward.items) {
        let exact = minor(&item.amount) * i64::from(item.basis_points);
        assert_eq!(
            item.exact_ten_thousandths,
            exact.to_string(),
            "each item is reckoned by its own rate"
        );
    }
    let request = pb::ExplainEarningRequest {
        referrer_id: rosa.id.clone(),
        earning_id: last.id().to_owned(),
    };
    let outcomes = house
        .programme()
        .explain_earning(request)
        .await
        .expect("explained")
        .into_inner()
        .outcomes;
    let told: Vec<_> = outcomes.iter().map(|it| (it.kind(), it.terms_version)).collect();
    assert_eq!(told, [(share, other), (bonus, first)], "the bonus is the first terms'");
}
