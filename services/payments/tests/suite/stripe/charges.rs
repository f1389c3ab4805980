//! Clients are charged, or are not, and never twice.

use std::time::Duration;

use vouch_payments::app::gateway::{Answer, ChargeOrder, GatewayError, PaymentGateway};
use vouch_primitives::{AccountId, ChargeId, ChargeOrderId, ClientId, Clock, Money, SystemClock};
use vouch_proto::payments::v1::{self as pb, charge::State, milestone};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use super::{ASKS, DECLINED, GOOD, Provider, SLOWLY_DECLINED, adapter, begun, first, front::Fault, paid};
use crate::{
    tables::count,
    world::{SOON, milestones, refusal, start, usd},
};

on_both_databases! {
    a_card_is_charged_once,
    what_the_bank_declines_is_not_charged,
    what_may_have_been_charged_is_asked_for,
    what_takes_its_time_is_asked_for_until_it_is_known,
    only_the_clients_own_instruments_are_taken,
}

const INTENTS: &str = "/v1/payment_intents";

async fn a_card_is_charged_once(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let contract = provider.contract(&world, usd(125_000), GOOD).await;
    let milestone = world.fund(first(&contract)).await.expect("funded");
    assert_eq!(milestone.state(), milestone::State::Funded);
    let intents = provider.all(INTENTS).await;
    let [intent] = &intents[..] else {
        panic!("one intent, not {intents:?}");
    };
    assert_eq!(
        (&intent["amount"], &intent["currency"]),
        (&125_000.into(), &"usd".into())
    );
    assert_eq!(intent["metadata"]["vouch_client"], contract.client_id.as_str());
    let seen = provider.front.changes(INTENTS);
    let key = seen[0].key.as_deref().expect("an idempotency key");
    assert_eq!(intent["metadata"]["vouch_order"], key, "the key is the order's own id");
    assert_eq!(
        (paid(&provider).await, count(&world.db, "journal_entry").await),
        (vec![125_000], 1)
    );
    world.stop().await;
}

async fn what_the_bank_declines_is_not_charged(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    for (number, reason) in [
        (DECLINED, pb::Refusal::Declined),
        (ASKS, pb::Refusal::AuthenticationRequired),
    ] {
        let contract = provider.contract(&world, usd(5_000), number).await;
        let begun = world.begin_to_fund(first(&contract)).await.expect("begun");
        let charge = world.until_charged(&begun.charge_id).await;
        assert_eq!((charge.state(), charge.reason()), (State::GivenUp, reason), "{number}");
        let contract = world.contract_of(&contract.id).await;
        assert_eq!(milestones(&contract)[0].state(), milestone::State::Agreed);
    }
    assert_eq!(paid(&provider).await, [0; 0]);
    let intents = provider.all(INTENTS).await;
    let mut states: Vec<_> = intents.iter().filter_map(|intent| intent["status"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(
        states,
        ["canceled", "requires_payment_method"],
        "nothing will come of them later"
    );
    world.stop().await;
}

/// The order arrives or it does not, and either way nobody hears so: the service asks, and the client pays once.
async fn what_may_have_been_charged_is_asked_for(database: TestDatabase) {
    for (fault, orders) in [(Fault::CutAnswer, 1), (Fault::CutRequest, 2), (Fault::SayFailed, 1)] {
        let provider = Provider::start().await;
        let world = provider.world(TestDatabase::new(database.engine()).await).await;
        let contract = provider.contract(&world, usd(5_000), GOOD).await;
        provider.front.spoil(INTENTS, fault);
        let begun = world.begin_to_fund(first(&contract)).await.expect("begun");
        world.rest().await;
        assert_eq!(
            world.charge(&begun.charge_id).await.state(),
            State::Pending,
            "{fault:?}"
        );
        world.advance_to(start().add_days(1)).await;
        let charge = world.charge(&begun.charge_id).await;
        assert_eq!(
            (charge.state(), charge.attempt_count),
            (State::Succeeded, 1),
            "{fault:?}"
        );
        let given = provider.front.changes(INTENTS);
        assert_eq!(given.len(), orders, "{fault:?}");
        assert!(given.iter().all(|order| order.key == given[0].key), "{given:?}");
        assert_eq!(
            (paid(&provider).await, count(&world.db, "journal_entry").await),
            (vec![5_000], 1)
        );
        world.stop().await;
    }
}

/// localstripe takes a moment, by its own clock, to decline the debit of a bank account.
async fn what_takes_its_time_is_asked_for_until_it_is_known(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let begun = begun(&provider, &world, SLOWLY_DECLINED).await;
    assert_eq!(begun.state(), State::Pending);
    let charge = eventually("the debit", SOON, async || {
        let later = world.clock.now().saturating_add(Duration::from_secs(60));
        world.clock.set(later).expect("forwards");
        world.rest().await;
        let charge = world.charge(&begun.id).await;
        match charge.state() {
            State::Pending => Err(format!("{charge:?}")),
            _ => Ok(charge),
        }
    })
    .await;
    assert_eq!((charge.state(), charge.attempt_count), (State::GivenUp, 1));
    assert_eq!(charge.reason(), pb::Refusal::Declined);
    assert_eq!(count(&world.db, "journal_entry").await, 0);
    assert_eq!(paid(&provider).await, [0; 0]);
    world.stop().await;
}

async fn only_the_clients_own_instruments_are_taken(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let (ours, others) = (ClientId::new().to_string(), ClientId::new().to_string());
    let (own, foreign) = (
        provider.instrument(&ours, GOOD).await,
        provider.instrument(&others, GOOD).await,
    );
    let mixed = format!(
        "{}/{}",
        own.split('/').next().expect("a customer"),
        foreign.split('/').nth(1).expect("a method")
    );
    for token in [
        foreign.as_str(),
        &mixed,
        "cus_none/pm_none",
        "pm_1",
        "sandbox-accepts",
        "cus_1/../charges",
    ] {
        let refused = refusal(world.bill(&ours, token).await);
        assert_eq!(refused.1, "INSTRUMENT_UNKNOWN", "{token}");
    }
    let method = world.bill(&ours, &own).await.expect("billed");
    assert!(!method.verified, "localstripe says nothing of a check");
    // What was taken and is gone when it is charged is refused, and the contract can be funded in another way.
    let contract = provider.contract(&world, usd(1_000), GOOD).await;
    let token = provider.instrument(&contract.client_id, GOOD).await;
    world.bill(&contract.client_id, &token).await.expect("billed");
    let method = token.split('/').nth(1).expect("a method");
    provider
        .post(&format!("/v1/payment_methods/{method}/detach"), &[])
        .await;
    let begun = world.begin_to_fund(first(&contract)).await.expect("begun");
    let charge = world.until_charged(&begun.charge_id).await;
    assert_eq!(
        (charge.state(), charge.reason()),
        (State::GivenUp, pb::Refusal::Unknown)
    );
    assert_eq!(paid(&provider).await, [0; 0]);
    world.stop().await;
}

fn order(client: ClientId, instrument: String) -> ChargeOrder {
    ChargeOrder {
        id: ChargeOrderId::new(),
        charge: ChargeId::new(),
        attempt: 1,
        begun_at: SystemClock.now(),
        client,
        instrument,
        amount: Money::new(1_250, "EUR".parse().expect("a currency")),
    }
}

/// A process that died after it gave an order gives it again, a second or a week later: localstripe does not look at the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_given_again_is_carried_out_once() {
    let provider = Provider::start().await;
    let client = ClientId::new();
    let order = order(client, provider.instrument(&client.to_string(), GOOD).await);
    let gateway = provider.gateway();
    assert_eq!(gateway.find_charge(&order).await, Ok(None), "nobody has heard of it");
    provider.front.spoil(INTENTS, Fault::CutAnswer);
    let lost = gateway.charge(&order).await;
    assert!(matches!(lost, Err(GatewayError::Unknown(_))), "{lost:?}");
    let again = gateway.charge(&order).await.expect("an answer");
    assert!(matches!(again, Answer::Succeeded { .. }), "{again:?}");
    assert_eq!(gateway.charge(&order).await, Ok(again.clone()));
    assert_eq!(gateway.find_charge(&order).await, Ok(Some(again)));
    // Other orders of the same customer are not mistaken for it, however many there are.
    for _ in 0..3 {
        let other = ChargeOrder {
            id: ChargeOrderId::new(),
            ..order.clone()
        };
        assert_eq!(gateway.find_charge(&other).await, Ok(None));
        gateway.charge(&other).await.expect("an answer");
    }
    assert_eq!(paid(&provider).await, [1_250; 4]);
}

/// An order is unheard of only when nobody can have heard of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_there_leaves_it_open_what_was_carried_out() {
    let nobody = adapter("http://127.0.0.1:1");
    let order = order(ClientId::new(), "cus_1/pm_1".to_owned());
    // It may have been given by a process that died: as long as it cannot be asked for, that is unknown.
    let given = nobody.charge(&order).await;
    assert!(matches!(given, Err(GatewayError::Unknown(_))), "{given:?}");
    assert!(nobody.find_charge(&order).await.is_err());
    assert!(nobody.find_instrument(order.client, &order.instrument).await.is_err());
    let found = nobody.find_destination(AccountId::new(), "acct_1/ba_1").await;
    assert!(found.is_err(), "{found:?}");
}
