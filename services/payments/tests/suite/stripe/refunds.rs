//! Money of a charge goes back, once for each order.

use vouch_payments::app::gateway::{Answer, ChargeOrder, GatewayError, RefundOrder};
use vouch_primitives::{ChargeId, ChargeOrderId, ClientId, Clock, Money, RefundId, RefundOrderId, SystemClock};
use vouch_proto::payments::v1::client_refund::State;
use vouch_testkit::{TestDatabase, on_both_databases};

use super::{DECLINED, GOOD, Provider, first, front::Fault};
use crate::world::{start, usd};

on_both_databases! {
    a_refund_of_the_service_goes_back_once,
}

const REFUNDS: &str = "/v1/refunds";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_goes_back_once() {
    let provider = Provider::start().await;
    let gateway = provider.gateway();
    let client = ClientId::new();
    let charge = ChargeOrder {
        id: ChargeOrderId::new(),
        charge: ChargeId::new(),
        attempt: 1,
        begun_at: SystemClock.now(),
        client,
        instrument: provider.instrument(&client.to_string(), GOOD).await,
        amount: Money::new(10_000, "USD".parse().expect("a currency")),
    };
    let Ok(Answer::Succeeded { reference }) = gateway.charge(&charge).await else {
        panic!("not charged");
    };
    let refund = |minor| RefundOrder {
        id: RefundOrderId::new(),
        refund: RefundId::new(),
        charge: charge.clone(),
        charge_reference: reference.clone(),
        amount: Money::new(minor, charge.amount.currency),
    };
    let (part, rest) = (refund(2_500), refund(7_500));
    assert_eq!(gateway.find_refund(&part).await, Ok(None));
    provider.front.spoil(REFUNDS, Fault::CutAnswer);
    let lost = gateway.refund(&part).await;
    assert!(matches!(lost, Err(GatewayError::Unknown(_))), "{lost:?}");
    let found = gateway.find_refund(&part).await.expect("an answer").expect("found");
    assert!(matches!(found, Answer::Succeeded { .. }), "{found:?}");
    assert_eq!(
        gateway.refund(&part).await,
        Ok(found.clone()),
        "given again, it is found"
    );
    let other = gateway.refund(&rest).await.expect("an answer");
    assert_ne!(other, found);
    let refunds = provider.all(REFUNDS).await;
    let mut amounts: Vec<_> = refunds.iter().filter_map(|refund| refund["amount"].as_i64()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [2_500, 7_500]);
    let keys = provider.front.changes(REFUNDS);
    assert_eq!(keys.len(), 2, "{keys:?}");
}

/// The answer is lost on the way, and the service asks: the client gets its money once.
async fn a_refund_of_the_service_goes_back_once(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let contract = provider.contract(&world, usd(10_000), GOOD).await;
    let earning = world.earn(first(&contract)).await;
    provider.front.spoil(REFUNDS, Fault::CutAnswer);
    world.refund(&earning.id, usd(2_500)).await.expect("refunded");
    world
        .until_refunded(&contract.client_id, &[(State::Pending, 2_500)])
        .await;
    world.advance_to(start().add_days(1)).await;
    let refund = world
        .until_refunded(&contract.client_id, &[(State::Succeeded, 2_500)])
        .await
        .remove(0);
    let there = provider.all(REFUNDS).await;
    let [one] = &there[..] else {
        panic!("one refund, not {there:?}");
    };
    assert_eq!(one["amount"], 2_500);
    assert_eq!(refund.provider_reference, super::id(one));
    assert_eq!(one["metadata"]["vouch_refund"], refund.id.as_str());
    world.stop().await;
}

/// A payment that never came cannot go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_charged_is_not_refunded() {
    let provider = Provider::start().await;
    let gateway = provider.gateway();
    let client = ClientId::new();
    let charge = ChargeOrder {
        id: ChargeOrderId::new(),
        charge: ChargeId::new(),
        attempt: 1,
        begun_at: SystemClock.now(),
        client,
        instrument: provider.instrument(&client.to_string(), DECLINED).await,
        amount: Money::new(10_000, "USD".parse().expect("a currency")),
    };
    let refused = gateway.charge(&charge).await.expect("an answer");
    assert!(matches!(refused, Answer::Refused { .. }), "{refused:?}");
    let intent = super::id(&provider.all("/v1/payment_intents").await[0]).to_owned();
    for charge_reference in [intent.as_str(), "sandbox-1", "pi_1/../x"] {
        let order = RefundOrder {
            id: RefundOrderId::new(),
            refund: RefundId::new(),
            charge: charge.clone(),
            charge_reference: charge_reference.to_owned(),
            amount: charge.amount,
        };
        let refused = gateway.refund(&order).await.expect("an answer");
        assert!(
            matches!(refused, Answer::Refused { .. }),
            "{charge_reference}: {refused:?}"
        );
    }
    assert!(provider.all(REFUNDS).await.is_empty());
}
