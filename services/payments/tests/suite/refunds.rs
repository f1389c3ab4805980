//! Refunds: in full, in part, before and after the money was available.

use tonic::Code;
use vouch_primitives::{AccountId, EarningId};
use vouch_proto::{convert::to_wire_time, payments::v1 as pb};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{counts, told},
    world::{World, milestones, money, refusal, start, usd},
};

on_both_databases! {
    refunding_everything_leaves_nothing,
    a_refund_while_pending_is_told_and_the_whole_earning_settles,
    what_is_missing_is_owed_and_repaid_first,
    a_refund_has_its_limits,
    a_rest_of_rounded_fees_goes_where_it_belongs,
}

async fn refunding_everything_leaves_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(10_000)).await;
    let first = world.earn(&milestones(&contract)[0].id).await;
    let other = world.milestone(&contract.id, usd(3_333)).await.expect("a milestone");
    let second = world.earn(&other.id).await;
    assert_eq!(world.balances(ada, "USD").await, [12_000, 0, 0]);
    let refunded = world.refund(&first.id, usd(2_500)).await.expect("refunded");
    assert_eq!((refunded.refunded, refunded.fee), (Some(usd(2_500)), Some(usd(750))));
    assert_eq!(world.balances(ada, "USD").await, [9_750, 0, 0]);
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 9_750, 0]).await;
    world.refund(&first.id, usd(7_500)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [0, 3_000, 0]);
    let last = world.refund(&second.id, usd(3_333)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    assert_eq!(last.fee, Some(usd(0)));
    assert_eq!(told::<pb::EarningReversed>(&world.db).await.len(), 3);
    world.stop().await;
}

async fn a_refund_while_pending_is_told_and_the_whole_earning_settles(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    world.clock.set(start().add_days(1)).expect("forwards");
    world.refund(&earning.id, usd(1_000)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    let reversed = told::<pb::EarningReversed>(&world.db).await.remove(0);
    let contract = world.contract_of(&earning.contract_id).await;
    let expected = pb::EarningReversed {
        reversal_id: reversed.reversal_id.clone(),
        earning_id: earning.id.clone(),
        contract_id: contract.id,
        client_id: contract.client_id,
        person_id: contract.person_id,
        account_id: contract.account_id,
        amount: Some(usd(1_000)),
        occur_time: earning.occur_time,
        reverse_time: Some(to_wire_time(start().add_days(1))),
    };
    assert_eq!(reversed, expected);
    // Who heard of the reversal waits for the earning that it takes from.
    world.clock.set(start().add_days(5)).expect("forwards");
    vouch_testkit::eventually("the settlement", crate::world::SOON, async || {
        let events = told::<pb::EarningSettled>(&world.db).await;
        let amounts: Vec<_> = events.into_iter().map(|event| event.amount).collect();
        if amounts == [Some(usd(1_000))] {
            Ok(())
        } else {
            Err(format!("{amounts:?}"))
        }
    })
    .await;
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}

async fn what_is_missing_is_owed_and_repaid_first(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(5)).await;
    world.earn(&milestones(&contract)[0].id).await;
    let other = world.milestone(&contract.id, usd(5)).await.expect("a milestone");
    let second = world.earn(&other.id).await;
    let third = world.milestone(&contract.id, usd(9)).await.expect("a milestone");
    let third = world.earn(&third.id).await;
    // The fee on 14 is that on 19, so that of the second earning only 4 are there.
    assert_eq!(world.balances(ada, "USD").await, [18, 0, 0]);
    world.refund(&second.id, usd(5)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [14, 0, 1]);
    // The fee on 5 is nothing: its last unit comes back, and pays the debt.
    world.refund(&third.id, usd(9)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [5, 0, 0]);
    let kinds: Vec<_> = world
        .statement(ada, "USD", 0)
        .await
        .into_iter()
        .map(|line| line.kind)
        .collect();
    assert!(kinds.contains(&"RECEIVABLE_REPAID".to_owned()), "{kinds:?}");
    world.stop().await;
}

async fn a_refund_has_its_limits(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let not = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    world.refund(&earning.id, usd(400)).await.expect("refunded");
    world.rest().await;
    let before = counts(&world.db).await;
    assert_eq!(
        refusal(world.refund(&earning.id, usd(601)).await),
        not("REFUND_TOO_LARGE")
    );
    assert_eq!(
        refusal(world.refund(&earning.id, money("EUR", 1)).await),
        not("OTHER_CURRENCY")
    );
    let nowhere = EarningId::new().to_string();
    assert_eq!(refusal(world.refund(&nowhere, usd(1)).await).0, Code::NotFound);
    assert_eq!(counts(&world.db).await, before, "a refusal writes nothing");
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 540, 0]).await;
    world.clock.set(start().add_days(185)).expect("forwards");
    world.refund(&earning.id, usd(100)).await.expect("the last day");
    world.clock.set(start().add_days(186)).expect("forwards");
    assert_eq!(
        refusal(world.refund(&earning.id, usd(100)).await),
        not("REFUND_TOO_LATE")
    );
    world.stop().await;
}

async fn a_rest_of_rounded_fees_goes_where_it_belongs(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(5)).await;
    let first = world.earn(&milestones(&contract)[0].id).await;
    let other = world.milestone(&contract.id, usd(5)).await.expect("a milestone");
    let second = world.earn(&other.id).await;
    let refunded = world.refund(&first.id, usd(5)).await.expect("refunded");
    assert_eq!(
        refunded.fee,
        Some(usd(-1)),
        "the rounding of the contract went back with it"
    );
    assert_eq!(world.balances(ada, "USD").await, [4, 1, 0]);
    world.refund(&second.id, usd(5)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}
