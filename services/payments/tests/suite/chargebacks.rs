//! Payments that providers take back, and give again.

use sea_orm::{ConnectionTrait, Statement};
use tonic::{Code, Status};
use vouch_primitives::{AccountId, Clock, InvoiceId};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    payments::v1::{
        self as pb, dispute, dispute_service_client::DisputeServiceClient, milestone::State,
        record_chargeback_request::Payment,
    },
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    hours_contracts::end,
    tables::{count, counts, told, tried},
    world::{World, milestones, money, refusal, request_id, start, usd},
};

on_both_databases! {
    what_is_in_escrow_is_taken_and_won_back,
    a_part_of_escrow_is_taken_and_the_rest_waits,
    what_is_left_of_escrow_can_be_given_up,
    what_nobody_has_any_more_is_lost,
    chargebacks_are_found_and_listed,
    an_earning_is_taken_and_won_back,
    a_chargeback_ends_a_dispute,
    what_silence_has_approved_is_taken_from_the_earning,
    what_is_missing_is_owed_until_it_comes_back,
    a_chargeback_has_its_limits,
}

impl World {
    pub async fn charge_back(&self, of: Payment, amount: common::Money, name: &str) -> Result<pb::Chargeback, Status> {
        let request = pb::RecordChargebackRequest {
            request_id: request_id(),
            payment: Some(of),
            amount: Some(amount),
            provider_reference: name.to_owned(),
        };
        let answer = self.disputes.clone().record_chargeback(request).await?;
        Ok(answer.into_inner().chargeback.expect("a chargeback"))
    }

    pub async fn win_back(&self, chargeback: &str) -> Result<pb::Chargeback, Status> {
        let request = pb::ReverseChargebackRequest {
            request_id: request_id(),
            chargeback_id: chargeback.to_owned(),
        };
        let answer = self.disputes.clone().reverse_chargeback(request).await?;
        Ok(answer.into_inner().chargeback.expect("a chargeback"))
    }

    /// What the platform has lost to providers, in minor units: its account has no stored balance.
    async fn lost(&self) -> i64 {
        let losses = "(SELECT id FROM ledger_account WHERE kind = 'LOSSES')";
        let sum = format!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN debit_account_id IN {losses} THEN amount_minor ELSE -amount_minor END), 0) \
             AS bigint) AS lost FROM transfer WHERE debit_account_id IN {losses} OR credit_account_id IN {losses}"
        );
        let conn = self.db.reader();
        let row = conn.query_one_raw(Statement::from_string(self.db.backend(), sum)).await;
        row.expect("a sum")
            .expect("a row")
            .try_get("", "lost")
            .expect("a number")
    }

    async fn chargebacks(&self, contract: &str, reference: &str) -> Vec<pb::Chargeback> {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListChargebacksRequest {
                contract_id: contract.to_owned(),
                provider_reference: reference.to_owned(),
                page_size: 1,
                page_token,
            };
            let answer = self.disputes.clone().list_chargebacks(request).await;
            let page = answer.expect("a page").into_inner();
            found.extend(page.chargebacks);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
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
    let submitted = world.submit(&id).await.expect("submitted");
    let taken = world.charge_back(payment, usd(1_000), "a").await.expect("taken");
    assert_eq!(taken.earning_id, "");
    assert_eq!(world.state_of(&contract.id).await, State::ChargedBack);
    assert_eq!(count(&world.db, "timer").await, 0, "silence approves nothing");
    assert_eq!(refusal(world.submit(&id).await), not("MILESTONE_NOT_FUNDED"));
    assert_eq!(refusal(world.fund(&id).await), not("MILESTONE_NOT_AGREED"));
    let won = world.win_back(&taken.id).await.expect("won");
    assert!(won.reverse_time.is_some());
    let again = milestones(&world.contract_of(&contract.id).await)[0].clone();
    assert_eq!(again.state(), State::Submitted, "the submission was not forgotten");
    assert_eq!(again.submit_time, submitted.submit_time);
    let silence = world.clock.now().add_days(14);
    assert_eq!(
        again.auto_approve_time,
        Some(to_wire_time(silence)),
        "silence begins anew"
    );
    assert_eq!(refusal(world.win_back(&taken.id).await), not("CHARGEBACK_REVERSED"));
    world.clock.set(silence).expect("forwards");
    world.until_balances(ada, "USD", [900, 0, 0]).await;
    let approved = milestones(&world.contract_of(&contract.id).await)[0].clone();
    let earning = world.earning(&approved.earning_id).await;
    assert_eq!(earning.occur_time, submitted.submit_time, "and counts from then");
    assert!(
        told::<pb::EarningReversed>(&world.db).await.is_empty(),
        "nothing was earned"
    );
    world.stop().await;
}

async fn a_part_of_escrow_is_taken_and_the_rest_waits(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = milestones(&contract)[0].id.clone();
    let payment = || Payment::MilestoneId(id.clone());
    world.fund(&id).await.expect("funded");
    let part = world.charge_back(payment(), usd(300), "a").await.expect("a part");
    let rest = world
        .charge_back(payment(), usd(900), "b")
        .await
        .expect("more than is left");
    assert_eq!((part.lost, rest.lost.clone()), (None, Some(usd(200))));
    assert_eq!(world.lost().await, 200);
    let shown = milestones(&world.contract_of(&contract.id).await)[0].clone();
    assert_eq!(
        (shown.state(), shown.charged_back),
        (State::ChargedBack, Some(usd(1_000)))
    );
    world.win_back(&rest.id).await.expect("won");
    assert_eq!(world.lost().await, 0, "what is won back makes the loss good");
    assert_eq!(
        world.state_of(&contract.id).await,
        State::ChargedBack,
        "some is still away"
    );
    assert_eq!(refusal(world.submit(&id).await), not("MILESTONE_NOT_FUNDED"));
    assert_eq!(refusal(end(&world, &contract.id).await), not("FUNDED_MILESTONES"));
    world.win_back(&part.id).await.expect("won");
    let shown = milestones(&world.contract_of(&contract.id).await)[0].clone();
    assert_eq!((shown.state(), shown.charged_back), (State::Funded, None));
    world.submit(&id).await.expect("submitted");
    world.approve(&id).await.expect("approved");
    assert_eq!(world.balances(ada, "USD").await, [900, 0, 0]);
    world.stop().await;
}

async fn what_is_left_of_escrow_can_be_given_up(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = milestones(&contract)[0].id.clone();
    let payment = || Payment::MilestoneId(id.clone());
    world.fund(&id).await.expect("funded");
    let part = world.charge_back(payment(), usd(300), "a").await.expect("a part");
    world.give_back(&id).await.expect("given up");
    assert_eq!(world.state_of(&contract.id).await, State::Cancelled);
    let all = world.charge_back(payment(), usd(1_000), "b").await.expect("recorded");
    assert_eq!(all.lost, Some(usd(1_000)), "the client had it all back already");
    world.win_back(&part.id).await.expect("won");
    assert_eq!(world.lost().await, 1_000);
    world.win_back(&all.id).await.expect("won");
    assert_eq!(world.lost().await, 0);
    let sum = "SELECT CAST(COALESCE(SUM(b.amount_minor), 0) AS bigint) AS lost FROM balance b";
    let row = world.db.reader();
    let row = row.query_one_raw(Statement::from_string(world.db.backend(), sum)).await;
    let left: i64 = row
        .expect("a sum")
        .expect("a row")
        .try_get("", "lost")
        .expect("a number");
    assert_eq!(left, 0, "nothing is stuck in escrow");
    let unpaid = world.contract(AccountId::new(), usd(7)).await;
    let unpaid = milestones(&unpaid)[0].id.clone();
    world.cancel(&unpaid).await.expect("cancelled");
    let never = world.charge_back(Payment::MilestoneId(unpaid), usd(7), "c").await;
    assert_eq!(refusal(never), not("MILESTONE_NOT_IN_ESCROW"));
    world.stop().await;
}

async fn what_nobody_has_any_more_is_lost(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let bonus = world.give(&contract.id, usd(1_000)).await.expect("given");
    let payment = || Payment::BonusPaymentId(bonus.id.clone());
    world.refund(&bonus.earning_id, usd(400)).await.expect("refunded");
    let all = world.charge_back(payment(), usd(1_000), "a").await.expect("recorded");
    assert_eq!((all.lost, world.lost().await), (Some(usd(400)), 400));
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    let more = world.charge_back(payment(), usd(50), "b").await.expect("recorded");
    assert_eq!((more.lost, world.lost().await), (Some(usd(50)), 450));
    let told = told::<pb::EarningReversed>(&world.db).await;
    assert_eq!(told.len(), 2, "the earning gave the refund and what was left, no more");
    world.win_back(&more.id).await.expect("won");
    world.win_back(&all.id).await.expect("won");
    assert_eq!((world.balances(ada, "USD").await, world.lost().await), ([540, 0, 0], 0));
    world.stop().await;
}

async fn chargebacks_are_found_and_listed(database: TestDatabase) {
    let world = World::new(database).await;
    let mut made = Vec::new();
    for name in ["a", "b"] {
        let contract = world.contract(AccountId::new(), usd(1_000)).await;
        let bonus = world.give(&contract.id, usd(1_000)).await.expect("given");
        let payment = Payment::BonusPaymentId(bonus.id);
        made.push((
            contract,
            world.charge_back(payment, usd(10), name).await.expect("recorded"),
        ));
    }
    let all: Vec<_> = made.iter().map(|(_, one)| one.clone()).collect();
    assert_eq!(world.chargebacks("", "").await, all, "the oldest first, on two pages");
    assert_eq!(world.chargebacks("", "b").await, all[1..]);
    assert_eq!(world.chargebacks(&made[0].0.id, "").await, all[..1]);
    assert!(
        world.chargebacks(&made[0].0.id, "b").await.is_empty(),
        "of somebody else"
    );
    let own = |caller| pb::ListChargebacksRequest {
        contract_id: made[0].0.id.clone(),
        ..caller
    };
    let client = made[0].0.client_id.parse().expect("an id");
    let mut mine = DisputeServiceClient::new(world.channel(Caller::Client(client)));
    let listed = mine.list_chargebacks(own(pb::ListChargebacksRequest::default())).await;
    assert_eq!(listed.expect("a page").into_inner().chargebacks, all[..1]);
    let of_all = mine.list_chargebacks(pb::ListChargebacksRequest::default()).await;
    assert!(of_all.is_err(), "all are for operators");
    let theirs = pb::ListChargebacksRequest {
        contract_id: made[1].0.id.clone(),
        ..Default::default()
    };
    assert_eq!(refusal(mine.list_chargebacks(theirs).await).0, Code::NotFound);
    world.stop().await;
}

async fn an_earning_is_taken_and_won_back(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let bonus = world.give(&contract.id, usd(1_000)).await.expect("given");
    world.refund(&bonus.earning_id, usd(200)).await.expect("refunded");
    let payment = Payment::BonusPaymentId(bonus.id.clone());
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
    let other = world.charge_back(payment.clone(), money("EUR", 100), "b").await;
    assert_eq!(refusal(other), not("OTHER_CURRENCY"));
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
        ("UPDATE chargeback SET lost_minor = 101", "chargeback_loses_a_part"),
        ("UPDATE chargeback SET lost_minor = -1", "chargeback_loses_a_part"),
        ("UPDATE milestone SET taken_minor = 1", "milestone_gives_what_it_has"),
        (
            "UPDATE milestone SET state = 'CHARGED_BACK'",
            "milestone_gives_what_it_has",
        ),
        (
            "UPDATE milestone SET state = 'CHARGED_BACK', taken_minor = 1001",
            "milestone_gives_what_it_has",
        ),
        ("UPDATE chargeback SET currency = 'EUR'", "FOREIGN KEY|chargeback_"),
    ] {
        let answer = tried(&world.db, sql).await;
        let told = |error: &String| why.split('|').any(|part| error.contains(part));
        assert!(answer.as_ref().is_err_and(told), "{sql}: {answer:?}");
    }
    world.stop().await;
}
