//! What clients can say about invoices, and when; refunds of invoices.

use vouch_primitives::{AccountId, PersonId};
use vouch_proto::convert::to_wire_time;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    hours::{add, hourly, refused, time},
    hours_contracts::{end, pause},
    hours_invoices::{earning_of, until_invoices},
    world::{World, at, refusal, usd},
};

on_both_databases! {
    an_invoice_is_refunded_whatever_the_contract_does,
    an_invoice_is_disputed_until_friday,
}

// Money for what was done flows in every state of the contract, back as well as forth.
async fn an_invoice_is_refunded_whatever_the_contract_does(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(6_000), 600).await;
    world.clock.set(at("2026-03-09T11:00:00Z")).expect("forwards");
    let hour = time(&contract.id, "2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
    add(&world, hour).await.expect("added");
    pause(&world, &contract.id).await.expect("paused");
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    let invoice = until_invoices(&world, ada, 1).await.remove(0);
    let earning = earning_of(&world, ada, &invoice.id).await;
    world
        .refund(&earning.id, usd(1_000))
        .await
        .expect("refunded while paused");
    end(&world, &contract.id).await.expect("ended");
    world
        .refund(&earning.id, usd(2_000))
        .await
        .expect("refunded once ended");
    assert_eq!(world.balances(ada, "USD").await, [2_700, 0, 0]);
    world.clock.set(at("2026-03-18")).expect("forwards");
    world.until_balances(ada, "USD", [0, 2_700, 0]).await;
    world
        .refund(&earning.id, usd(3_000))
        .await
        .expect("all of it, once available");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}

// F5, B6: clients review until Friday, 23:59, and dispute as long; the money is there on Wednesday.
async fn an_invoice_is_disputed_until_friday(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(6_000), 600).await;
    world.clock.set(at("2026-03-09T11:00:00Z")).expect("forwards");
    let hour = time(&contract.id, "2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
    add(&world, hour).await.expect("added");
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    let shown = until_invoices(&world, ada, 1).await.remove(0);
    let earning = earning_of(&world, ada, &shown.id).await;
    let friday = at("2026-03-13T23:59:59.999999Z");
    assert_eq!(shown.review_until_time, Some(to_wire_time(friday)));
    world.clock.set(friday).expect("forwards");
    world.dispute(&earning.id, usd(100)).await.expect("in the last moment");
    world.clock.set(at("2026-03-14")).expect("forwards");
    let other = world.dispute(&earning.id, usd(100)).await;
    assert_eq!(refusal(other), refused("DISPUTE_EXISTS"));
    world.stop().await;
}
