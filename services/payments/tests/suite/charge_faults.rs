//! The provider is away, nobody knows what it did, the process dies: a client pays once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::future::{join_all, pending};
use vouch_messaging::MemoryBus;
use vouch_payments::app::gateway::{
    Answer, ChargeOrder, Destination, GatewayError, Instrument, PaymentGateway, PayoutOrder, RefundOrder,
};
use vouch_primitives::{AccountId, ChargeOrderId, ClientId};
use vouch_proto::payments::v1::{self as pb, charge::State};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::count,
    world::{SOON, World, milestones, start, usd},
};

on_both_databases! {
    who_dies_between_the_provider_and_the_commit_charges_once,
    of_sixteen_that_fund_at_once_one_charges,
    what_is_unknown_is_asked_for_and_never_guessed,
    many_charges_are_sent_together,
}

/// What the provider does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Carries the order out, and says so.
    Answer,
    /// Carries it out, and never answers.
    CarryOutAndHang,
    /// Carries it out, and the answer is lost.
    CarryOutAndFail,
    /// Is away.
    BeAway,
    /// Gets nothing, and nobody knows that.
    Lose,
}

/// A provider that counts.
#[derive(Debug, Default)]
struct Provider {
    script: Mutex<Vec<Next>>,
    /// The orders that it has carried out, and how often each was given.
    orders: Mutex<BTreeMap<ChargeOrderId, u32>>,
    /// How often it was asked for an order.
    asked: Mutex<u32>,
}

impl Provider {
    fn with(script: &[Next]) -> Arc<Self> {
        let script = script.iter().rev().copied().collect();
        Arc::new(Self {
            script: Mutex::new(script),
            ..Self::default()
        })
    }

    fn carry_out(&self, order: &ChargeOrder) -> Answer {
        *self.orders.lock().expect("orders").entry(order.id).or_default() += 1;
        Answer::Succeeded {
            reference: order.id.to_string(),
        }
    }

    /// How often each order was given that was carried out.
    fn given(&self) -> Vec<u32> {
        self.orders.lock().expect("orders").values().copied().collect()
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().expect("a count")
    }
}

#[async_trait]
impl PaymentGateway for Provider {
    async fn find_instrument(&self, _: ClientId, _: &str) -> Result<Option<Instrument>, GatewayError> {
        Ok(Some(Instrument { verified: true }))
    }

    async fn find_destination(&self, _: AccountId, _: &str) -> Result<Option<Destination>, GatewayError> {
        Ok(None)
    }

    async fn charge(&self, order: &ChargeOrder) -> Result<Answer, GatewayError> {
        let next = self.script.lock().expect("a script").pop().unwrap_or(Next::Answer);
        match next {
            Next::Answer => Ok(self.carry_out(order)),
            Next::CarryOutAndHang => {
                self.carry_out(order);
                pending().await
            }
            Next::CarryOutAndFail => {
                self.carry_out(order);
                Err(GatewayError::Unknown("time-out".to_owned()))
            }
            Next::BeAway => Err(GatewayError::Unreachable("away".to_owned())),
            Next::Lose => Err(GatewayError::Unknown("time-out".to_owned())),
        }
    }

    async fn find_charge(&self, order: &ChargeOrder) -> Result<Option<Answer>, GatewayError> {
        *self.asked.lock().expect("a count") += 1;
        let known = self.orders.lock().expect("orders").contains_key(&order.id);
        Ok(known.then(|| Answer::Succeeded {
            reference: order.id.to_string(),
        }))
    }

    async fn pay_out(&self, _: &PayoutOrder) -> Result<Answer, GatewayError> {
        Err(GatewayError::Unreachable("not here".to_owned()))
    }

    async fn find_payout(&self, _: &PayoutOrder) -> Result<Option<Answer>, GatewayError> {
        Ok(None)
    }

    async fn refund(&self, _: &RefundOrder) -> Result<Answer, GatewayError> {
        Err(GatewayError::Unreachable("not here".to_owned()))
    }

    async fn find_refund(&self, _: &RefundOrder) -> Result<Option<Answer>, GatewayError> {
        Ok(None)
    }
}

async fn world(database: TestDatabase, provider: &Arc<Provider>) -> World {
    let provider = Arc::clone(provider);
    World::with(database, MemoryBus::faultless(), provider).await
}

/// The provider has the money, and the process dies before it has written so. The next one gives the same order again.
async fn who_dies_between_the_provider_and_the_commit_charges_once(database: TestDatabase) {
    let provider = Provider::with(&[Next::CarryOutAndHang]);
    let first = world(database, &provider).await;
    let contract = first.contract(AccountId::new(), usd(1_000)).await;
    let begun = first.begin_to_fund(&milestones(&contract)[0].id).await.expect("begun");
    eventually("the order", SOON, async || match provider.given()[..] {
        [1] => Ok(()),
        ref given => Err(format!("{given:?}")),
    })
    .await;
    assert_eq!(first.charge(&begun.charge_id).await.state(), State::Pending);
    let second = world(first.killed().await, &provider).await;
    assert_eq!(second.charge(&begun.charge_id).await.state(), State::Pending);
    // The lease of who died runs out.
    second.advance_to(start().add_days(1)).await;
    let charge = second.charge(&begun.charge_id).await;
    assert_eq!((charge.state(), charge.attempt_count), (State::Succeeded, 1));
    assert_eq!(provider.given(), [2], "one order, given twice and carried out once");
    let contract = second.contract_of(&contract.id).await;
    assert_eq!(milestones(&contract)[0].state(), pb::milestone::State::Funded);
    assert_eq!(count(&second.db, "journal_entry").await, 1);
    second.stop().await;
}

async fn of_sixteen_that_fund_at_once_one_charges(database: TestDatabase) {
    let provider = Provider::with(&[]);
    let world = world(database, &provider).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    let funded = join_all((0..16).map(|_| world.begin_to_fund(id))).await;
    let charges: Vec<String> = funded.into_iter().map(|one| one.expect("funded").charge_id).collect();
    assert!(charges.iter().all(|charge| *charge == charges[0]), "{charges:?}");
    world.until_charged(&charges[0]).await;
    world.rest().await;
    assert_eq!(provider.given(), [1]);
    assert_eq!(
        (count(&world.db, "charge").await, count(&world.db, "transfer").await),
        (1, 1)
    );
    world.stop().await;
}

/// An order that may have been carried out is asked for; one that certainly was not is given again, under the same id.
async fn what_is_unknown_is_asked_for_and_never_guessed(database: TestDatabase) {
    for (script, given, asked) in [
        (&[Next::CarryOutAndFail][..], 1, 1),
        (&[Next::BeAway, Next::BeAway], 1, 0),
        (&[Next::Lose, Next::Lose, Next::BeAway, Next::CarryOutAndFail], 1, 3),
    ] {
        let provider = Provider::with(script);
        let world = world(TestDatabase::new(database.engine()).await, &provider).await;
        let contract = world.contract(AccountId::new(), usd(1_000)).await;
        let begun = world.begin_to_fund(&milestones(&contract)[0].id).await.expect("begun");
        world.rest().await;
        assert_eq!(
            world.charge(&begun.charge_id).await.state(),
            State::Pending,
            "{script:?}"
        );
        assert_eq!(
            world.contract_of(&contract.id).await.unpaid_time,
            None,
            "nothing has failed"
        );
        world.advance_to(start().add_days(1)).await;
        let charge = world.charge(&begun.charge_id).await;
        assert_eq!(
            (charge.state(), charge.attempt_count),
            (State::Succeeded, 1),
            "{script:?}"
        );
        assert_eq!((provider.given(), provider.asked()), (vec![given], asked), "{script:?}");
        world.stop().await;
    }
}

/// Many milestones are charged in few transactions, and each once.
async fn many_charges_are_sent_together(database: TestDatabase) {
    let provider = Provider::with(&[Next::BeAway; 120]);
    let world = world(database, &provider).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    for _ in 0..120 {
        let milestone = world.milestone(&contract.id, usd(10)).await.expect("a milestone");
        world.begin_to_fund(&milestone.id).await.expect("begun");
    }
    world.rest().await;
    let before = world.db.commits();
    world.clock.set(start().add_days(1)).expect("forwards");
    world.rest().await;
    let commits = world.db.commits() - before;
    assert_eq!(provider.given(), vec![1; 120]);
    assert_eq!(count(&world.db, "journal_entry").await, 120);
    assert!(commits < 40, "{commits} transactions for 120 charges");
    world.stop().await;
}
