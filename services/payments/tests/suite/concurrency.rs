//! Many at once.

use futures::future::{join_all, try_join_all};
use tonic::Code;
use vouch_primitives::{AccountId, EventId, Uuid};
use vouch_proto::payments::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, told},
    world::{World, milestones, refusal, released, request_id, start, usd},
};

on_both_databases! {
    the_same_request_is_carried_out_once,
    of_many_refunds_only_what_there_is_goes_back,
    approvals_make_one_earning,
    refunds_and_settlements_and_rewards_at_once_keep_the_books,
}

async fn the_same_request_is_carried_out_once(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(10_000)).await;
    let request = pb::RefundEarningRequest {
        request_id: request_id(),
        earning_id: earning.id.clone(),
        amount: Some(usd(1_000)),
    };
    let calls = (0..20).map(|_| {
        let (mut earnings, request) = (world.earnings.clone(), request.clone());
        async move { earnings.refund_earning(request).await.map(tonic::Response::into_inner) }
    });
    let answers = try_join_all(calls).await.expect("all are answered");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "the same answer for all"
    );
    assert_eq!(count(&world.db, "reversal").await, 1);
    assert_eq!(world.balances(ada, "USD").await, [8_100, 0, 0]);
    let other = pb::RefundEarningRequest {
        amount: Some(usd(1)),
        ..request
    };
    let reused = world.earnings.clone().refund_earning(other).await;
    assert_eq!(refusal(reused), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
    world.stop().await;
}

async fn of_many_refunds_only_what_there_is_goes_back(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(10_000)).await;
    let answers = join_all((0..25).map(|_| world.refund(&earning.id, usd(1_000)))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (10, 15));
    for answer in refused {
        assert_eq!(
            refusal(answer),
            (Code::FailedPrecondition, "REFUND_TOO_LARGE".to_owned())
        );
    }
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    assert_eq!(told::<pb::EarningReversed>(&world.db).await.len(), 10);
    world.stop().await;
}

async fn approvals_make_one_earning(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    world.fund(id).await.expect("funded");
    world.submit(id).await.expect("submitted");
    // Ten clients and the timer come at the same moment.
    world.clock.set(start().add_days(14)).expect("forwards");
    let answers = try_join_all((0..10).map(|_| world.approve(id)))
        .await
        .expect("approved");
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(count(&world.db, "earning").await, 1);
    assert_eq!(world.balances(ada, "USD").await, [900, 0, 0]);
    world.stop().await;
}

async fn refunds_and_settlements_and_rewards_at_once_keep_the_books(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_007)).await;
    let mut earnings = vec![world.earn(&milestones(&contract)[0].id).await];
    for _ in 0..7 {
        let milestone = world.milestone(&contract.id, usd(1_007)).await.expect("a milestone");
        earnings.push(world.earn(&milestone.id).await);
    }
    let refunds = earnings.iter().flat_map(|earning| {
        let world = &world;
        (0..3).map(move |_| world.refund(&earning.id, usd(101)))
    });
    let rewards = (1..=20).map(|sequence| {
        let release = released(Uuid::from_u128(1), ada, usd(10 * sequence), (1, sequence));
        let world = &world;
        async move { world.hear(EventId::new(), &release).await }
    });
    world.clock.set(start().add_days(5)).expect("forwards");
    let (refunded, _) = tokio::join!(try_join_all(refunds), join_all(rewards));
    assert_eq!(refunded.expect("all are refunded").len(), 24);
    // 8 × 1,007 earned, 24 × 101 refunded, 10 % of the rest as the fee, and 200 as the reward.
    let net = 8 * 1_007 - 24 * 101;
    world.until_balances(ada, "USD", [0, net - net / 10 + 200, 0]).await;
    assert_eq!(told::<pb::EarningSettled>(&world.db).await.len(), 8);
    world.stop().await;
}
