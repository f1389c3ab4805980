//! Amounts at the end of what is allowed, and beyond.

use std::collections::BTreeSet;

use futures::{StreamExt, future::join_all, stream};
use tonic::Code;
use vouch_messaging::dead_letter;
use vouch_primitives::{AccountId, Currency, EventId, Money};
use vouch_proto::{common::v1 as common, onboarding::v1::OfferAccepted, payments::v1 as pb};
use vouch_storage::DbBackend;
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{counts, tried},
    world::{SOON, World, fixed_offer, milestones, money, refusal, start, usd, violations},
};

on_both_databases! {
    what_is_too_large_is_refused_before_anything_is_written,
    the_books_answer_for_the_largest_amounts,
    a_contract_has_room_for_so_many_milestones,
}

async fn what_is_too_large_is_refused_before_anything_is_written(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1)).await;
    let before = counts(&world.db).await;
    for amount in [Money::LARGEST_MINOR + 1, i64::MAX] {
        let answer = world.milestone(&contract.id, usd(amount)).await;
        assert_eq!(violations(answer), ["amount.minor_units OUT_OF_RANGE"]);
        assert_eq!(counts(&world.db).await, before);
    }
    let too_much = ("Too much", usd(i64::MAX));
    let offer = fixed_offer(ada, &[too_much.clone(), too_much]);
    world.hear(EventId::new(), &offer).await;
    eventually("the dead letter", SOON, async || {
        match dead_letter::count(world.db.reader()).await {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

async fn the_books_answer_for_the_largest_amounts(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(Money::LARGEST_MINOR)).await;
    world.earn(&milestones(&contract)[0].id).await;
    for _ in 0..3 {
        let more = world.milestone(&contract.id, usd(Money::LARGEST_MINOR)).await;
        world.earn(&more.expect("a milestone").id).await;
    }
    let net = 4 * Money::LARGEST_MINOR / 10 * 9;
    assert_eq!(world.balances(ada, "USD").await, [net, 0, 0]);
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, net, 0]).await;
    world.stop().await;
}

async fn a_contract_has_room_for_so_many_milestones(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(100)).await;
    let rows = format!(
        "INSERT INTO milestone (id, contract_id, title, amount_minor, currency, state) {}",
        match world.db.backend() {
            DbBackend::Sqlite =>
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 498) \
                 SELECT randomblob(16), contract_id, title, amount_minor, currency, state FROM milestone, n",
            _ =>
                "SELECT gen_random_uuid(), contract_id, title, amount_minor, currency, state \
                 FROM milestone, generate_series(1, 498)",
        }
    );
    assert_eq!(tried(&world.db, &rows).await, Ok(498));
    let answers = join_all((0..4).map(|_| world.milestone(&contract.id, usd(1)))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 3));
    for answer in refused {
        assert_eq!(
            refusal(answer),
            (Code::FailedPrecondition, "TOO_MANY_MILESTONES".to_owned())
        );
    }
    assert_eq!(milestones(&world.contract_of(&contract.id).await).len(), 500);
    world.stop().await;
}

/// One milestone in each currency that there is: earned, settled, and refunded in part.
async fn every_currency_is_booked_in_its_own_minor_units(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let currencies: BTreeSet<&str> = Currency::all().map(Currency::code).collect();
    assert_eq!(
        Currency::all().map(Currency::decimals).collect::<BTreeSet<_>>(),
        BTreeSet::from([0, 2, 3])
    );
    // Each amount is another one, so that none can stand for another.
    let amounts: Vec<_> = currencies.iter().copied().zip((12_341..).step_by(10)).collect();
    let offers = amounts
        .iter()
        .map(|(code, amount)| fixed_offer(ada, &[("Work", money(code, *amount))]));
    let offers: Vec<_> = offers.collect();
    for offer in &offers {
        world.hear(EventId::new(), offer).await;
    }
    let there = &world;
    let earn = |offer: &OfferAccepted| {
        let id = offer.contract_id.clone();
        async move {
            let contract = there.contract_of(&id).await;
            there.earn(&milestones(&contract)[0].id).await
        }
    };
    let earnings: Vec<_> = stream::iter(offers.iter().map(earn)).buffered(8).collect().await;
    let pending = amounts
        .iter()
        .map(|(code, amount)| [money(code, amount - amount / 10), money(code, 0)]);
    assert_eq!(
        shown(&world, ada).await,
        pending.collect::<Vec<_>>(),
        "10 %, rounded down to the minor unit"
    );
    world.clock.set(start().add_days(5)).expect("forwards");
    eventually("the last settlement", SOON, async || {
        let waiting = shown(&world, ada)
            .await
            .iter()
            .filter(|[pending, _]| pending.minor_units > 0)
            .count();
        (waiting == 0)
            .then_some(())
            .ok_or_else(|| format!("{waiting} are pending"))
    })
    .await;
    let refund = |(earning, (code, amount)): (pb::Earning, (&'static str, i64))| async move {
        assert_eq!(earning.gross, Some(money(code, amount)));
        let refunded = there.refund(&earning.id, money(code, 1_235)).await;
        assert!(refunded.is_ok(), "{refunded:?}");
        let other = if code == "USD" { "EUR" } else { "USD" };
        let refused = there.refund(&earning.id, money(other, 1)).await;
        assert_eq!(refusal(refused).1, "OTHER_CURRENCY");
    };
    let refunds = earnings.into_iter().zip(amounts.iter().copied()).map(refund);
    stream::iter(refunds).buffered(8).collect::<()>().await;
    let left = amounts.iter().map(|(code, amount)| (code, amount - 1_235));
    let available = left.map(|(code, left)| [money(code, 0), money(code, left - left / 10)]);
    assert_eq!(shown(&world, ada).await, available.collect::<Vec<_>>());
    let totals = world.trial_balance().await;
    let told: Vec<_> = totals.into_iter().filter_map(|total| total.imbalance).collect();
    let nothing: Vec<_> = currencies.iter().map(|code| money(code, 0)).collect();
    assert_eq!(told, nothing, "each currency balances by itself");
    world.stop().await;
}

/// Pending and available in each currency.
async fn shown(world: &World, account: AccountId) -> Vec<[common::Money; 2]> {
    let balances = world.all_balances(account).await.into_iter();
    let parts = balances.map(|balance| {
        [
            balance.pending.expect("an amount"),
            balance.available.expect("an amount"),
        ]
    });
    parts.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a contract in each of 150 currencies"]
async fn long_every_currency_on_sqlite() {
    every_currency_is_booked_in_its_own_minor_units(TestDatabase::new(Engine::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a contract in each of 150 currencies"]
async fn long_every_currency_on_postgres() {
    every_currency_is_booked_in_its_own_minor_units(TestDatabase::new(Engine::Postgres).await).await;
}
