//! Talent is paid: a transfer to the connected account, which is handwritten here, and a payout from there, which is localstripe's.

use serde_json::Value;
use vouch_primitives::{AccountId, EventId, Uuid};
use vouch_proto::payments::v1::{self as pb, PayoutMethodKind, payout::State};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use super::{Provider, front::Fault, id};
use crate::world::{SOON, World, money, refusal, released, start};

on_both_databases! {
    a_payout_goes_out_once_and_may_come_back,
    lost_answers_pay_once,
    what_the_provider_refuses_is_taken_back,
    only_the_accounts_own_destination_is_taken,
}

const TRANSFERS: &str = "/v1/transfers";
const PAYOUTS: &str = "/v1/payouts";
const DESTINATION: &str = "acct_ada/ba_1";

/// Somebody who has this much, and a connected account whose bank takes this currency.
async fn ready(provider: &Provider, world: &World, currency: &str, minor: i64) -> AccountId {
    let account = AccountId::new();
    provider
        .front
        .passage
        .handwritten
        .connect("acct_ada", &account.to_string(), true);
    let method = world
        .add_method(account, PayoutMethodKind::BankTransfer, (DESTINATION, currency))
        .await
        .expect("added");
    assert_eq!(method.label, "•••• 6789");
    world.tax_form(account).await;
    let tie = Uuid::new_v5(&account.as_uuid(), currency.as_bytes());
    world
        .hear(EventId::new(), &released(tie, account, money(currency, minor), (1, 1)))
        .await;
    world.until_balances(account, currency, [0, minor, 0]).await;
    world.pass(3 * 24 * 60).await;
    account
}

/// Takes this much out, and waits until the time to call it off is over.
async fn taken_out(world: &World, account: AccountId, amount: (&str, i64)) -> pb::Payout {
    let payout = world
        .take_out(account, "", Some(money(amount.0, amount.1)))
        .await
        .expect("asked for");
    world.pass(10).await;
    world.rest().await;
    world.payout(&payout.id).await
}

/// The one payout that localstripe has.
async fn the_payout(provider: &Provider) -> Value {
    let payouts = provider.all(PAYOUTS).await;
    assert_eq!(payouts.len(), 1, "{payouts:?}");
    payouts.into_iter().next().expect("one")
}

async fn becomes(provider: &Provider, status: &str) {
    let payout = the_payout(provider).await;
    provider
        .post(&format!("{PAYOUTS}/{}", id(&payout)), &[("status", status)])
        .await;
}

fn transfers(provider: &Provider) -> Vec<(i64, i64, String)> {
    provider.front.passage.handwritten.transfers()
}

// F12
async fn a_payout_goes_out_once_and_may_come_back(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let ada = ready(&provider, &world, "EUR", 50_000).await;
    let payout = taken_out(&world, ada, ("EUR", 20_000)).await;
    assert_eq!(payout.state(), State::Dispatched, "the bank takes its days");
    let sent = the_payout(&provider).await;
    assert_eq!(
        (&sent["amount"], &sent["metadata"]["vouch_payout"]),
        (&19_901.into(), &payout.id.as_str().into())
    );
    assert_eq!(
        transfers(&provider),
        [(19_901, 0, "acct_ada".to_owned())],
        "less the fee"
    );
    let asked = provider.front.changes(PAYOUTS);
    assert_eq!(asked[0].account.as_deref(), Some("acct_ada"));
    becomes(&provider, "in_transit").await;
    world.advance_to(start().add_days(4)).await;
    assert_eq!(world.payout(&payout.id).await.state(), State::Dispatched);
    becomes(&provider, "paid").await;
    world.advance_to(start().add_days(5)).await;
    world.until_payout(&payout.id, State::Paid).await;
    assert_eq!(world.balances(ada, "EUR").await, [0, 30_000, 0]);
    // The bank sends it back, and the money is the talent's again.
    becomes(&provider, "failed").await;
    world.advance_to(start().add_days(12)).await;
    world.until_payout(&payout.id, State::Returned).await;
    assert_eq!(transfers(&provider), [(19_901, 19_901, "acct_ada".to_owned())]);
    assert_eq!(world.balances(ada, "EUR").await, [0, 50_000, 0]);
    assert_eq!(
        (
            provider.front.changes(TRANSFERS).len(),
            provider.front.changes(PAYOUTS).len()
        ),
        (1, 1)
    );
    world.stop().await;
}

/// Whichever of the two steps is not answered, and whether or not it was carried out, talent is paid once.
async fn lost_answers_pay_once(database: TestDatabase) {
    for (path, fault) in [
        (TRANSFERS, Fault::CutAnswer),
        (TRANSFERS, Fault::CutRequest),
        (PAYOUTS, Fault::CutAnswer),
        (PAYOUTS, Fault::CutRequest),
    ] {
        let provider = Provider::start().await;
        let world = provider.world(TestDatabase::new(database.engine()).await).await;
        let ada = ready(&provider, &world, "EUR", 50_000).await;
        provider.front.spoil(path, fault);
        let payout = taken_out(&world, ada, ("EUR", 20_000)).await;
        assert_eq!(payout.state(), State::Dispatched, "{path} {fault:?}");
        world.advance_to(start().add_days(4)).await;
        becomes(&provider, "paid").await;
        world.advance_to(start().add_days(5)).await;
        world.until_payout(&payout.id, State::Paid).await;
        assert_eq!(
            transfers(&provider),
            [(19_901, 0, "acct_ada".to_owned())],
            "{path} {fault:?}"
        );
        assert_eq!(world.balances(ada, "EUR").await, [0, 30_000, 0], "{path} {fault:?}");
        world.stop().await;
    }
}

/// localstripe pays out euros alone: what was transferred for dollars goes back to the platform, also if the answer to that is lost.
async fn what_the_provider_refuses_is_taken_back(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let ada = ready(&provider, &world, "USD", 50_000).await;
    provider.front.spoil("/v1/transfers/tr_1/reversals", Fault::CutAnswer);
    let payout = taken_out(&world, ada, ("USD", 20_000)).await;
    assert_eq!(payout.state(), State::Dispatched, "nobody knows yet where the money is");
    world.advance_to(start().add_days(4)).await;
    world.until_payout(&payout.id, State::Failed).await;
    assert_eq!(transfers(&provider), [(19_901, 19_901, "acct_ada".to_owned())]);
    assert_eq!(world.balances(ada, "USD").await, [0, 50_000, 0]);
    assert!(provider.all(PAYOUTS).await.is_empty());
    world.stop().await;
}

async fn only_the_accounts_own_destination_is_taken(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let (ada, ben) = (AccountId::new(), AccountId::new());
    let handwritten = &provider.front.passage.handwritten;
    handwritten.connect("acct_ada", &ada.to_string(), true);
    handwritten.connect("acct_ben", &ben.to_string(), true);
    handwritten.connect("acct_new", &ada.to_string(), false);
    for token in [
        "acct_ben/ba_1",
        "acct_new/ba_1",
        "acct_none/ba_1",
        "acct_ada",
        "ba_1",
        "acct_ada/../x",
    ] {
        let kind = PayoutMethodKind::BankTransfer;
        let added = world.add_method(ada, kind, (token, "EUR")).await;
        assert_eq!(refusal(added).1, "DESTINATION_UNKNOWN", "{token}");
    }
    let kind = PayoutMethodKind::BankTransfer;
    world.add_method(ada, kind, (DESTINATION, "EUR")).await.expect("added");
    world.stop().await;
}

/// What localstripe tells of a payout makes the service ask at once: it does not wait for its next look.
pub async fn is_told(provider: &Provider, world: &World) {
    let ada = ready(provider, world, "EUR", 50_000).await;
    let payout = taken_out(world, ada, ("EUR", 20_000)).await;
    assert_eq!(payout.state(), State::Dispatched);
    becomes(provider, "paid").await;
    world.until_payout(&payout.id, State::Paid).await;
    becomes(provider, "failed").await;
    world.until_payout(&payout.id, State::Returned).await;
    eventually("the balance", SOON, async || {
        let balances = world.balances(ada, "EUR").await;
        (balances == [0, 50_000, 0])
            .then_some(())
            .ok_or_else(|| format!("{balances:?}"))
    })
    .await;
    assert_eq!(transfers(provider), [(19_901, 19_901, "acct_ada".to_owned())]);
}
