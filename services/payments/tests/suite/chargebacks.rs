//! Payments that providers take back, and give again.

use tonic::{Code, Status};
use vouch_primitives::{AccountId, InvoiceId};
use vouch_proto::{
    common::v1 as common,
    payments::v1::{self as pb, dispute, milestone::State, record_chargeback_request::Payment},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, counts, told, tried},
    world::{World, milestones, refusal, request_id, start, usd},
};

on_both_databases! {
    what_is_in_escrow_is_taken_and_won_back,
    an_earning_is_taken_and_won_back,
    a_chargeback_ends_a_dispute,
    what_silence_has_approved_is_taken_from_the_earning,
    what_is_missing_is_owed_until_it_comes_back,
    a_chargeback_has_its_limits,
}

impl World {
    async fn charge_back(&self, of: Payment, amount: common::Money, name: &str) -> Result<pb::Chargeback, Status> {
        let request = pb::RecordChargebackRequest {
            request_id: request_id(),
            payment: Some(of),
            amount: Some(amount),
            provider_reference: name.to_owned(),
        };
        let answer = self.disputes.clone().record_chargeback(request).await?;
        Ok(answer.into_inner().chargeback.expect("a chargeback"))
    }

    async fn win_back(&self, chargeback: &str) -> Result<pb::Chargeback, Status> {
        let request = pb::ReverseChargebackRequest {
            request_id: request_id(),
            chargeback_id: chargeback.to_owned(),
        };
        let answer = self.disputes.clone().reverse_chargeback(request).await?;
        Ok(answer.into_inner().chargeback.expect("a chargeback"))
    }

    async fn state_of(&self, contract: &str) -> State {
        milestones(&self.contract_of(contract).await)[0].state()
    }
}

fn not(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

async fn what_is_in_escrow_is_taken_and_won_back(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = milestones(&contract)[0].id.clone();
    let payment = Payment::MilestoneId(id.clone());
    let early = world.charge_back(payment.clone(), usd(1_000), "a").await;
    assert_eq!(refusal(early), not("MILESTONE_NOT_IN_ESCROW"));
    world.fund(&id).await.expect("funded");
    world.submit(&id).await.expect("submitted");
    let half = world.charge_back(payment.clone(), usd(500), "a").await;
    assert_eq!(refusal(half), not("CHARGEBACK_NOT_WHOLE"));
    let taken = world.charge_back(payment, usd(1_000), "a").await.expect("taken");
    assert_eq!(taken.earning_id, "");
    assert_eq!(world.state_of(&contract.id).await, State::ChargedBack);
    assert_eq!(count(&world.db, "timer").await, 0, "silence approves nothing");
    assert_eq!(refusal(world.submit(&id).await), not("MILESTONE_NOT_FUNDED"));
    assert_eq!(refusal(world.fund(&id).await), not("MILESTONE_NOT_AGREED"));
    let won = world.win_back(&taken.id).await.expect("won");
    assert!(won.reverse_time.is_some());
    assert_eq!(world.state_of(&contract.id).await, State::Funded);
    assert_eq!(refusal(world.win_back(&taken.id).await), not("CHARGEBACK_REVERSED"));
    world.submit(&id).await.expect("submitted");
    world.approve(&id).await.expect("approved");
    assert_eq!(world.balances(ada, "USD").await, [900, 0, 0]);
    assert!(
        told::<pb::EarningReversed>(&world.db).await.is_empty(),
        "nothing was earned"
    );
    world.stop().await;
}

async fn an_earning_is_taken_and_won_back(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let bonus = world.give(&contract.id, usd(1_000)).await.expect("given");
    world.refund(&bonus.earning_id, usd(200)).await.expect("refunded");
    let payment = Payment::BonusPaymentId(bonus.id.clone());
    let too_much = world.charge_back(payment.clone(), usd(801), "a").await;
    assert_eq!(refusal(too_much), not("REFUND_TOO_LARGE"));
    let before = world.earning(&bonus.earning_id).await;
    let part = world.charge_back(payment.clone(), usd(300), "a").await.expect("taken");
    assert_eq!(world.balances(ada, "USD").await, [450, 0, 0]);
    assert_eq!(world.earning(&bonus.earning_id).await.refunded, Some(usd(500)));
    world.win_back(&part.id).await.expect("won");
    assert_eq!(world.balances(ada, "USD").await, [720, 0, 0]);
    assert_eq!(world.earning(&bonus.earning_id).await, before);
    world.settle().await;
    let rest = world.charge_back(payment, usd(800), "b").await.expect("taken");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.win_back(&rest.id).await.expect("won");
    assert_eq!(world.balances(ada, "USD").await, [0, 720, 0]);
    let reversed = told::<pb::EarningReversed>(&world.db).await;
    let again = told::<pb::EarningReinstated>(&world.db).await;
    let told: Vec<_> = again
        .into_iter()
        .map(|e| (e.reversal_id, e.earning_id, e.amount))
        .collect();
    let taken = reversed[1..]
        .iter()
        .map(|e| (e.reversal_id.clone(), e.earning_id.clone(), e.amount.clone()));
    assert_eq!(
        told,
        taken.collect::<Vec<_>>(),
        "each chargeback was undone as it was done"
    );
    assert_eq!([part.id, rest.id], [told[0].0.clone(), told[1].0.clone()]);
    world.stop().await;
}

async fn a_chargeback_ends_a_dispute(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let dispute = world.dispute(&earning.id, usd(600)).await.expect("opened");
    let Some(pb::earning::Source::MilestoneId(milestone)) = earning.source.clone() else {
        panic!("of a milestone: {earning:?}")
    };
    let taken = world
        .charge_back(Payment::MilestoneId(milestone), usd(1_000), "a")
        .await
        .expect("taken");
    assert_eq!(taken.earning_id, earning.id);
    assert_eq!(
        world.read_dispute(&dispute.id).await.state(),
        dispute::State::Superseded
    );
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 0, 0], 0)
    );
    world.settle().await;
    world.win_back(&taken.id).await.expect("won");
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 900, 0], 0)
    );
    world.stop().await;
}

async fn what_silence_has_approved_is_taken_from_the_earning(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = milestones(&contract)[0].id.clone();
    world.fund(&id).await.expect("funded");
    world.submit(&id).await.expect("submitted");
    world.clock.set(start().add_days(14)).expect("forwards");
    // Whoever comes first, the provider or the timer.
    let taken = world
        .charge_back(Payment::MilestoneId(id), usd(1_000), "a")
        .await
        .expect("taken");
    assert_ne!(taken.earning_id, "");
    assert_eq!(world.state_of(&contract.id).await, State::Approved);
    assert_eq!(count(&world.db, "earning").await, 1);
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}

async fn what_is_missing_is_owed_until_it_comes_back(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(5)).await;
    world.earn(&milestones(&contract)[0].id).await;
    let other = world.milestone(&contract.id, usd(5)).await.expect("a milestone");
    world.earn(&other.id).await;
    let third = world.milestone(&contract.id, usd(9)).await.expect("a milestone");
    world.earn(&third.id).await;
    // The fee on 14 is that on 19, so that of the second earning only 4 are there.
    let taken = world
        .charge_back(Payment::MilestoneId(other.id), usd(5), "a")
        .await
        .expect("taken");
    assert_eq!(world.balances(ada, "USD").await, [14, 0, 1]);
    world.win_back(&taken.id).await.expect("won");
    assert_eq!(world.balances(ada, "USD").await, [19, 0, 1]);
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 18, 0]).await;
    world.stop().await;
}

async fn a_chargeback_has_its_limits(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let bonus = world.give(&contract.id, usd(1_000)).await.expect("given");
    let payment = Payment::BonusPaymentId(bonus.id);
    world.charge_back(payment.clone(), usd(100), "a").await.expect("taken");
    let before = counts(&world.db).await;
    let twice = world.charge_back(payment.clone(), usd(100), "a").await;
    assert_eq!(refusal(twice), not("CHARGEBACK_EXISTS"));
    let unpaid = Payment::InvoiceId(InvoiceId::new().to_string());
    assert_eq!(refusal(world.charge_back(unpaid, usd(1), "b").await).0, Code::NotFound);
    let unknown = InvoiceId::new().to_string();
    assert_eq!(refusal(world.win_back(&unknown).await).0, Code::NotFound);
    assert_eq!(counts(&world.db).await, before, "a refusal writes nothing");
    for (sql, why) in [
        (
            "UPDATE chargeback SET amount_minor = 0",
            "chargeback_amount_is_positive",
        ),
        (
            "UPDATE chargeback SET earning_id = NULL",
            "chargeback_of_escrow_is_of_a_milestone",
        ),
        ("UPDATE chargeback SET won_back_at = 1", "chargeback_reversal_is_told"),
        ("UPDATE chargeback SET currency = 'EUR'", "FOREIGN KEY|chargeback_"),
    ] {
        let answer = tried(&world.db, sql).await;
        let told = |error: &String| why.split('|').any(|part| error.contains(part));
        assert!(answer.as_ref().is_err_and(told), "{sql}: {answer:?}");
    }
    world.stop().await;
}
