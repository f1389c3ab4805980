//! Amounts at the end of what is allowed, and beyond.

use futures::future::join_all;
use tonic::Code;
use vouch_messaging::dead_letter;
use vouch_primitives::{AccountId, EventId, Money};
use vouch_storage::DbBackend;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{counts, tried},
    world::{SOON, World, fixed_offer, milestones, refusal, start, usd, violations},
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
