//! Amounts at the end of what is allowed, and beyond.

use vouch_messaging::dead_letter;
use vouch_primitives::{AccountId, EventId, Money};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::counts,
    world::{SOON, World, fixed_offer, milestones, start, usd, violations},
};

on_both_databases! {
    what_is_too_large_is_refused_before_anything_is_written,
    the_books_answer_for_the_largest_amounts,
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
