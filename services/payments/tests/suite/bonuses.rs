//! What clients give beside what was agreed.

use tonic::{Code, Status};
use vouch_primitives::{AccountId, BonusPaymentId, ContractId};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    payments::v1::{self as pb, earning::Source},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, counts, told, tried},
    world::{World, money, refusal, request_id, start, usd},
};

on_both_databases! {
    a_bonus_is_an_earning_available_five_days_later,
    a_bonus_that_cannot_be_is_refused_before_anything_is_written,
    bonuses_are_listed_newest_first,
}

/// A client gives a bonus, and is charged for it.
impl World {
    pub async fn give(&self, contract: &str, amount: common::Money) -> Result<pb::BonusPayment, Status> {
        let request = pb::PayBonusRequest {
            request_id: request_id(),
            contract_id: contract.to_owned(),
            amount: Some(amount),
            message: "Thank you".to_owned(),
        };
        let answer = self.bonuses.clone().pay_bonus(request).await?.into_inner();
        self.until_charged(&answer.charge_id).await;
        Ok(self.bonus(&answer.bonus_payment.expect("a bonus payment").id).await)
    }

    pub async fn bonus(&self, id: &str) -> pb::BonusPayment {
        let request = pb::GetBonusPaymentRequest {
            bonus_payment_id: id.to_owned(),
        };
        let read = self.bonuses.clone().get_bonus_payment(request).await.expect("read");
        read.into_inner().bonus_payment.expect("a bonus payment")
    }
}

// F6
async fn a_bonus_is_an_earning_available_five_days_later(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    world.clock.set(start().add_days(1)).expect("forwards");
    let bonus = world.give(&contract.id, usd(200)).await.expect("given");
    assert_eq!(bonus.give_time, Some(to_wire_time(start().add_days(1))));
    assert_eq!(bonus.state(), pb::bonus_payment::State::Paid);
    let earning = world.earning(&bonus.earning_id).await;
    assert_eq!(earning.source, Some(Source::BonusPaymentId(bonus.id)));
    assert_eq!(
        (earning.occur_time, earning.available_time),
        (bonus.give_time, Some(to_wire_time(start().add_days(6))))
    );
    assert_eq!(world.balances(ada, "USD").await, [180, 0, 0]);
    world.clock.set(start().add_days(6)).expect("forwards");
    world.until_balances(ada, "USD", [0, 180, 0]).await;
    let settled = told::<pb::EarningSettled>(&world.db).await;
    assert_eq!(settled.len(), 1);
    assert_eq!(
        (&settled[0].amount, settled[0].occur_time),
        (&Some(usd(200)), bonus.give_time)
    );
    world.refund(&earning.id, usd(200)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}

async fn a_bonus_that_cannot_be_is_refused_before_anything_is_written(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let before = counts(&world.db).await;
    let other = refusal(world.give(&contract.id, money("EUR", 1)).await);
    assert_eq!(other, (Code::FailedPrecondition, "OTHER_CURRENCY".to_owned()));
    let nowhere = world.give(&ContractId::new().to_string(), usd(1)).await;
    assert_eq!(refusal(nowhere).0, Code::NotFound);
    let request = pb::GetBonusPaymentRequest {
        bonus_payment_id: BonusPaymentId::new().to_string(),
    };
    let unknown = world.bonuses.clone().get_bonus_payment(request).await;
    assert_eq!(refusal(unknown).0, Code::NotFound);
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(count(&world.db, "bonus_payment").await, 0);
    world.give(&contract.id, usd(1)).await.expect("given");
    for change in ["currency = 'EUR'", "amount_minor = 0", "message = ''"] {
        let answer = tried(&world.db, &format!("UPDATE bonus_payment SET {change}")).await;
        assert!(answer.is_err(), "{change}: {answer:?}");
    }
    world.stop().await;
}

async fn bonuses_are_listed_newest_first(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let other = world.contract(AccountId::new(), usd(1_000)).await;
    world.give(&other.id, usd(9)).await.expect("given");
    for amount in 1..=3 {
        world.give(&contract.id, usd(amount)).await.expect("given");
    }
    let (mut amounts, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListBonusPaymentsRequest {
            contract_id: contract.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = world.bonuses.clone().list_bonus_payments(request).await;
        let page = page.expect("a list").into_inner();
        assert!(page.bonus_payments.len() <= 2);
        amounts.extend(page.bonus_payments.into_iter().filter_map(|bonus| bonus.amount));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(amounts, [usd(3), usd(2), usd(1)]);
    world.stop().await;
}
