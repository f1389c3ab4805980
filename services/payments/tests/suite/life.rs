//! The life of a milestone, from the offer to the money.

use tonic::Code;
use vouch_primitives::AccountId;
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{self as pb, earning, milestone::State},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{count, counts, told, tried},
    world::{SOON, World, at, milestones, refusal, start, usd},
};

on_both_databases! {
    a_milestone_becomes_money,
    its_statement_tells_the_way_of_the_money,
    silence_approves_at_its_own_moment,
    a_late_approval_counts_from_when_silence_approved,
    the_fee_is_taken_on_the_running_total,
    a_batch_of_settlements_is_one_transaction,
    a_milestone_does_not_jump,
    amounts_that_do_not_fit_are_refused_before_anything_is_written,
}

async fn a_milestone_becomes_money(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(125_000)).await;
    let id = &milestones(&contract)[0].id;
    assert_eq!(milestones(&contract)[0].state(), State::Agreed);
    assert_eq!(world.fund(id).await.expect("funded").state(), State::Funded);
    world.clock.set(at("2026-03-10T12:00:00Z")).expect("forwards");
    let submitted = world.submit(id).await.expect("submitted");
    assert_eq!(
        submitted.auto_approve_time,
        Some(to_wire_time(at("2026-03-24T12:00:00Z")))
    );
    world.clock.set(at("2026-03-12T08:00:00Z")).expect("forwards");
    let approved = world.approve(id).await.expect("approved");
    assert_eq!(approved.state(), State::Approved);
    assert_eq!(approved.approve_time, Some(to_wire_time(at("2026-03-12T08:00:00Z"))));
    assert_eq!(world.balances(ada, "USD").await, [112_500, 0, 0]);
    let earning = world.earning(&approved.earning_id).await;
    let expected = pb::Earning {
        id: approved.earning_id.clone(),
        contract_id: contract.id.clone(),
        client_id: contract.client_id.clone(),
        account_id: ada.to_string(),
        gross: Some(usd(125_000)),
        fee: Some(usd(12_500)),
        refunded: Some(usd(0)),
        disputed: Some(usd(0)),
        state: earning::State::Pending.into(),
        occur_time: Some(to_wire_time(at("2026-03-10T12:00:00Z"))),
        available_time: Some(to_wire_time(at("2026-03-17T08:00:00Z"))),
        source: Some(earning::Source::MilestoneId(approved.id.clone())),
    };
    assert_eq!(earning, expected);
    assert!(told::<pb::EarningSettled>(&world.db).await.is_empty());
    world.clock.set(at("2026-03-17T08:00:00Z")).expect("forwards");
    world.until_balances(ada, "USD", [0, 112_500, 0]).await;
    let settled = pb::EarningSettled {
        earning_id: earning.id.clone(),
        contract_id: contract.id,
        client_id: contract.client_id,
        person_id: contract.person_id,
        account_id: contract.account_id,
        amount: Some(usd(125_000)),
        occur_time: earning.occur_time,
        settle_time: earning.available_time,
    };
    assert_eq!(told::<pb::EarningSettled>(&world.db).await, [settled]);
    assert_eq!(world.earning(&earning.id).await.state(), earning::State::Settled);
    assert_eq!(count(&world.db, "timer").await, 0, "nothing waits any more");
    eventually("the relay", SOON, async || {
        match count(&world.db, "outbox_pending").await {
            0 => Ok(()),
            waiting => Err(format!("{waiting} events wait")),
        }
    })
    .await;
    world.stop().await;
}

async fn its_statement_tells_the_way_of_the_money(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(125_000)).await;
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 112_500, 0]).await;
    let lines = world.statement(ada, "USD", 0).await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let minor = |money: &Option<_>| {
                money
                    .as_ref()
                    .map_or(0, |m: &vouch_proto::common::v1::Money| m.minor_units)
            };
            (
                line.kind.as_str(),
                line.part(),
                minor(&line.amount),
                minor(&line.balance_after),
            )
        })
        .collect();
    use pb::statement_line::Part::{Available, Pending};
    let expected = [
        ("EARNING_APPROVED", Pending, 125_000, 125_000),
        ("SERVICE_FEE", Pending, -12_500, 112_500),
        ("EARNING_SETTLED", Pending, -112_500, 0),
        ("EARNING_SETTLED", Available, 112_500, 112_500),
    ];
    assert_eq!(told, expected);
    assert!(lines.iter().all(|line| line.source_id == earning.id));
    world.stop().await;
}

async fn silence_approves_at_its_own_moment(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    world.fund(id).await.expect("funded");
    world.submit(id).await.expect("submitted");
    // The clock leaps over both moments: each is judged when it was due.
    world.clock.set(start().add_days(100)).expect("forwards");
    world.until_balances(ada, "USD", [0, 900, 0]).await;
    let read = world.contract_of(&contract.id).await;
    let milestone = &milestones(&read)[0];
    assert_eq!(milestone.approve_time, Some(to_wire_time(start().add_days(14))));
    let events = told::<pb::EarningSettled>(&world.db).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].occur_time, Some(to_wire_time(start())));
    assert_eq!(events[0].settle_time, Some(to_wire_time(start().add_days(19))));
    let lines = world.statement(ada, "USD", 0).await;
    let moments: Vec<_> = lines.iter().map(|line| line.time).collect();
    let (approved, settled) = (milestone.approve_time, events[0].settle_time);
    assert_eq!(
        moments,
        [approved, approved, settled, settled],
        "booked late, and true since then"
    );
    world.stop().await;
}

async fn a_late_approval_counts_from_when_silence_approved(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    world.fund(id).await.expect("funded");
    world.submit(id).await.expect("submitted");
    world.clock.set(start().add_days(15)).expect("forwards");
    // Whoever comes first, the client or the timer: the answer is the same.
    let approved = world.approve(id).await.expect("approved");
    assert_eq!(approved.approve_time, Some(to_wire_time(start().add_days(14))));
    let earning = world.earning(&approved.earning_id).await;
    assert_eq!(earning.available_time, Some(to_wire_time(start().add_days(19))));
    assert_eq!(count(&world.db, "earning").await, 1);
    world.stop().await;
}

// F14
async fn the_fee_is_taken_on_the_running_total(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(5)).await;
    let mut fees = vec![world.earn(&milestones(&contract)[0].id).await.fee];
    for amount in [5, 19, 1] {
        let milestone = world.milestone(&contract.id, usd(amount)).await.expect("a milestone");
        fees.push(world.earn(&milestone.id).await.fee);
    }
    // Totals of 5, 10, 29 and 30: fees of 0, 1, 2 and 3 in all.
    assert_eq!(fees, [0, 1, 1, 1].map(|fee| Some(usd(fee))));
    assert_eq!(world.balances(ada, "USD").await, [27, 0, 0]);
    world.stop().await;
}

async fn a_batch_of_settlements_is_one_transaction(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, grace) = (AccountId::new(), AccountId::new());
    for account in [ada, grace] {
        let contract = world.contract(account, usd(1_000)).await;
        world.earn(&milestones(&contract)[0].id).await;
        for _ in 0..9 {
            let milestone = world.milestone(&contract.id, usd(1_000)).await.expect("a milestone");
            world.earn(&milestone.id).await;
        }
    }
    let before = world.db.commits();
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 9_000, 0]).await;
    world.until_balances(grace, "USD", [0, 9_000, 0]).await;
    assert_eq!(told::<pb::EarningSettled>(&world.db).await.len(), 20);
    let settled = world.db.commits() - before;
    // One for the timers, a few of the relay's, and a few of the check of the books, if it looks just now.
    assert!(settled <= 8, "{settled} transactions for one batch");
    world.stop().await;
}

async fn a_milestone_does_not_jump(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    let refused = |answer| refusal::<pb::Milestone>(answer);
    let not = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    assert_eq!(refused(world.submit(id).await), not("MILESTONE_NOT_FUNDED"));
    assert_eq!(refused(world.approve(id).await), not("MILESTONE_NOT_SUBMITTED"));
    world.fund(id).await.expect("funded");
    let transfers = count(&world.db, "transfer").await;
    assert_eq!(world.fund(id).await.expect("a repeat").state(), State::Funded);
    assert_eq!(count(&world.db, "transfer").await, transfers, "the client pays once");
    assert_eq!(refused(world.approve(id).await), not("MILESTONE_NOT_SUBMITTED"));
    let submitted = world.submit(id).await.expect("submitted");
    world.clock.set(start().add_days(1)).expect("forwards");
    assert_eq!(
        world.submit(id).await.expect("a repeat"),
        submitted,
        "silence counts from the first time"
    );
    assert_eq!(refused(world.fund(id).await), not("MILESTONE_NOT_AGREED"));
    let approved = world.approve(id).await.expect("approved");
    let before = counts(&world.db).await;
    assert_eq!(world.approve(id).await.expect("a repeat"), approved);
    let asked_again = |(table, rows)| (table, rows + i64::from(table == "request"));
    assert_eq!(
        counts(&world.db).await,
        before.into_iter().map(asked_again).collect::<Vec<_>>()
    );
    assert_eq!(refused(world.submit(id).await), not("MILESTONE_NOT_FUNDED"));
    world.stop().await;
}

async fn amounts_that_do_not_fit_are_refused_before_anything_is_written(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1)).await;
    // Nobody may agree on so much, but the books are not to rely on it.
    let large = format!("UPDATE milestone SET amount_minor = {}", i64::MAX);
    assert_eq!(tried(&world.db, &large).await, Ok(1));
    world.fund(&milestones(&contract)[0].id).await.expect("funded");
    let other = world.milestone(&contract.id, usd(1)).await.expect("a milestone");
    let before = counts(&world.db).await;
    let refused = refusal(world.fund(&other.id).await);
    assert_eq!(refused, (Code::FailedPrecondition, "AMOUNT_TOO_LARGE".to_owned()));
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}
