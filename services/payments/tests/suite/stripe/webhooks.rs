//! What the provider tells by itself: whose it is, and that it makes the service ask and nothing more.

use axum::http::StatusCode;
use futures::future::join_all;
use ring::hmac;
use serde_json::{Value, json};
use vouch_primitives::{Clock, SystemClock};
use vouch_proto::payments::v1::{self as pb, charge::State};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use super::{DECLINED, GOOD, Provider, SLOWLY_DECLINED, WEBHOOK_SECRET, begun, first, front::Fault, http, payouts};
use crate::{
    tables::count,
    world::{SOON, World, money, usd},
};

on_both_databases! {
    what_localstripe_tells_makes_the_service_ask,
    a_payout_is_asked_for_when_something_is_told_of_it,
    only_what_was_signed_just_now_is_taken,
    a_message_is_never_believed,
    a_dispute_is_a_chargeback_once,
    disputes_in_any_order_come_to_the_same,
    a_dispute_of_a_charge_that_is_not_known_yet_is_not_lost,
}

/// A message, as Stripe would sign it so many seconds from now.
fn signed(body: &str, secret: &str, seconds: i64) -> String {
    let time = SystemClock.now().as_micros() / 1_000_000 + seconds;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

async fn sent(world: &World, body: &str, signature: Option<&str>) -> StatusCode {
    let url = format!("http://{}/webhooks/stripe", world.webhooks);
    let mut request = http().post(url).body(body.to_owned());
    if let Some(signature) = signature {
        request = request.header("Stripe-Signature", signature);
    }
    request.send().await.expect("an answer").status()
}

async fn told(world: &World, kind: &str, object: Value) -> StatusCode {
    let body = json!({ "id": "evt_1", "type": kind, "data": { "object": object } }).to_string();
    let signature = signed(&body, WEBHOOK_SECRET, 0);
    sent(world, &body, Some(&signature)).await
}

/// The clock stands still, so that nothing would be asked for by time.
async fn what_localstripe_tells_makes_the_service_ask(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let kinds = ["payment_intent.succeeded", "payment_intent.payment_failed"];
    provider.tell(&world, WEBHOOK_SECRET, &kinds).await;
    let (good, bad) = (
        begun(&provider, &world, GOOD).await,
        begun(&provider, &world, SLOWLY_DECLINED).await,
    );
    assert_eq!(world.until_charged(&good.id).await.state(), State::Succeeded);
    assert_eq!(world.until_charged(&bad.id).await.state(), State::GivenUp);
    assert_eq!(count(&world.db, "journal_entry").await, 1);
    world.stop().await;
}

async fn a_payout_is_asked_for_when_something_is_told_of_it(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    provider.tell(&world, WEBHOOK_SECRET, &["payout.updated"]).await;
    payouts::is_told(&provider, &world).await;
    world.stop().await;
}

async fn only_what_was_signed_just_now_is_taken(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let charge = begun(&provider, &world, GOOD).await;
    let intents = provider.all("/v1/payment_intents").await;
    assert_eq!(intents[0]["status"], "succeeded");
    let body =
        json!({ "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": intents[0] } }).to_string();
    let refused = StatusCode::BAD_REQUEST;
    assert_eq!(sent(&world, &body, None).await, refused);
    assert_eq!(sent(&world, &body, Some("t=1,v1=00")).await, refused);
    for (secret, seconds) in [
        ("whsec_other", 0),
        ("", 0),
        (WEBHOOK_SECRET, -400),
        (WEBHOOK_SECRET, 400),
    ] {
        let signature = signed(&body, secret, seconds);
        assert_eq!(
            sent(&world, &body, Some(&signature)).await,
            refused,
            "{secret} {seconds}"
        );
    }
    let signature = signed(&body, WEBHOOK_SECRET, 0);
    assert_eq!(
        sent(&world, &format!("{body} "), Some(&signature)).await,
        refused,
        "another message"
    );
    let large = " ".repeat(300 * 1024) + &body;
    let of_large = signed(&large, WEBHOOK_SECRET, 0);
    assert_eq!(
        sent(&world, &large, Some(&of_large)).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(
        world.charge(&charge.id).await.state(),
        State::Pending,
        "nothing of this was followed"
    );
    // The same message many times at once, as providers do.
    let good = signed(&body, WEBHOOK_SECRET, -200);
    let answers = join_all((0..8).map(|_| sent(&world, &body, Some(&good)))).await;
    assert!(answers.iter().all(|answer| answer.is_success()), "{answers:?}");
    assert_eq!(world.charge(&charge.id).await.state(), State::Succeeded);
    assert_eq!(count(&world.db, "journal_entry").await, 1);
    world.stop().await;
}

/// Whoever has the secret could say anything: what is so, the provider is asked.
async fn a_message_is_never_believed(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let charge = begun(&provider, &world, SLOWLY_DECLINED).await;
    let lie = json!({
        "id": "pi_1", "object": "payment_intent", "status": "succeeded", "metadata": { "vouch_charge": charge.id },
    });
    assert_eq!(
        told(&world, "payment_intent.succeeded", lie.clone()).await,
        StatusCode::OK
    );
    assert_ne!(world.charge(&charge.id).await.state(), State::Succeeded);
    eventually("the refusal", SOON, async || {
        told(&world, "payment_intent.succeeded", lie.clone()).await;
        match world.charge(&charge.id).await.state() {
            State::GivenUp => Ok(()),
            state => Err(format!("{state:?}")),
        }
    })
    .await;
    // Things that nobody here knows, and kinds that nobody here follows.
    for (kind, object) in [
        (
            "payment_intent.succeeded",
            json!({ "id": "pi_2", "metadata": { "vouch_charge": pb_id() } }),
        ),
        (
            "payout.paid",
            json!({ "id": "po_2", "metadata": { "vouch_payout": pb_id() } }),
        ),
        ("payout.failed", json!({ "id": "po_2", "metadata": {} })),
        ("charge.dispute.created", json!({ "id": "dp_none" })),
        ("charge.refunded", json!({ "id": "ch_1", "metadata": {} })),
        ("customer.created", json!({ "id": "cus_1" })),
    ] {
        assert_eq!(told(&world, kind, object).await, StatusCode::OK, "{kind}");
    }
    assert_eq!(count(&world.db, "journal_entry").await, 0);
    world.stop().await;
}

fn pb_id() -> String {
    vouch_primitives::ChargeId::new().to_string()
}

/// A milestone that was paid by card, and the intent by which it was.
async fn paid_by_card(provider: &Provider, world: &World) -> (pb::Contract, String) {
    let contract = provider.contract(world, usd(10_000), GOOD).await;
    world.fund(first(&contract)).await.expect("funded");
    let intents = provider.all("/v1/payment_intents").await;
    (contract, super::id(intents.last().expect("an intent")).to_owned())
}

/// Disputes are handwritten here; the intent that they are about is localstripe's.
async fn a_dispute_is_a_chargeback_once(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let (contract, intent) = paid_by_card(&provider, &world).await;
    let dispute = |status| {
        provider
            .front
            .passage
            .handwritten
            .dispute("dp_1", &intent, (10_000, "usd"), status)
    };
    let message = || {
        told(
            &world,
            "charge.dispute.created",
            json!({ "id": "dp_1", "amount": 1, "status": "lost" }),
        )
    };
    dispute("warning_needs_response");
    assert_eq!(message().await, StatusCode::OK);
    assert_eq!(count(&world.db, "chargeback").await, 0, "somebody has only asked");
    dispute("needs_response");
    let answers = join_all((0..6).map(|_| message())).await;
    assert!(answers.iter().all(|answer| *answer == StatusCode::OK), "{answers:?}");
    let taken = chargebacks(&world, &contract.id).await;
    let [one] = &taken[..] else {
        panic!("one chargeback, not {taken:?}");
    };
    assert_eq!(
        (one.provider_reference.as_str(), one.amount.clone()),
        ("dp_1", Some(usd(10_000)))
    );
    assert_eq!(one.reverse_time, None);
    dispute("won");
    let answers = join_all((0..6).map(|_| message())).await;
    assert!(answers.iter().all(|answer| *answer == StatusCode::OK), "{answers:?}");
    let taken = chargebacks(&world, &contract.id).await;
    assert_eq!(taken.len(), 1);
    assert!(taken[0].reverse_time.is_some(), "{taken:?}");
    world.stop().await;
}

/// The end may be told before the beginning: what counts is how it stands when it is asked for.
async fn disputes_in_any_order_come_to_the_same(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let (contract, intent) = paid_by_card(&provider, &world).await;
    let handwritten = &provider.front.passage.handwritten;
    handwritten.dispute("dp_won", &intent, (4_000, "usd"), "won");
    for kind in ["charge.dispute.closed", "charge.dispute.created"] {
        assert_eq!(told(&world, kind, json!({ "id": "dp_won" })).await, StatusCode::OK);
    }
    assert_eq!(
        count(&world.db, "chargeback").await,
        0,
        "it was won before anybody here had heard of it"
    );
    handwritten.dispute("dp_lost", &intent, (4_000, "usd"), "lost");
    for kind in ["charge.dispute.closed", "charge.dispute.created"] {
        assert_eq!(told(&world, kind, json!({ "id": "dp_lost" })).await, StatusCode::OK);
    }
    assert_eq!(chargebacks(&world, &contract.id).await.len(), 1);
    // What Stripe may say tomorrow is not guessed at: it is told again.
    handwritten.dispute("dp_new", &intent, (4_000, "usd"), "mediated");
    let later = told(&world, "charge.dispute.created", json!({ "id": "dp_new" })).await;
    assert_eq!(later, StatusCode::SERVICE_UNAVAILABLE);
    handwritten.dispute("dp_other", &intent, (4_000, "eur"), "lost");
    let other = told(&world, "charge.dispute.created", json!({ "id": "dp_other" })).await;
    assert_eq!(
        other,
        StatusCode::INTERNAL_SERVER_ERROR,
        "another currency than that of the payment"
    );
    assert_eq!(chargebacks(&world, &contract.id).await.len(), 1);
    world.stop().await;
}

/// The clock stands still, so that nothing would be asked for by time.
async fn a_dispute_of_a_charge_that_is_not_known_yet_is_not_lost(database: TestDatabase) {
    let provider = Provider::start().await;
    let world = provider.world(database).await;
    let dispute = async |name: &str, charge: &str| {
        let intents = provider.all("/v1/payment_intents").await;
        let of_charge = |intent: &&Value| intent["metadata"]["vouch_charge"] == charge;
        let intent = super::id(intents.iter().find(of_charge).expect("an intent"));
        let handwritten = &provider.front.passage.handwritten;
        handwritten.dispute(name, intent, (7_000, "eur"), "lost");
        told(&world, "charge.dispute.created", json!({ "id": name })).await
    };
    // It was paid, and nobody here knows: it is asked for at once, if the provider answers.
    let paid = begun(&provider, &world, GOOD).await;
    assert_eq!(world.charge(&paid.id).await.state(), State::Pending);
    provider.front.spoil("/v1/charges", Fault::SayNothing);
    assert_eq!(dispute("dp_paid", &paid.id).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.charge(&paid.id).await.state(), State::Pending);
    for _ in 0..2 {
        assert_eq!(dispute("dp_paid", &paid.id).await, StatusCode::OK);
    }
    assert_eq!(world.charge(&paid.id).await.state(), State::Succeeded);
    assert_eq!(chargebacks(&world, &paid.contract_id).await.len(), 1);
    // As long as it is not known whether it will be paid, it is told again.
    let contract = provider.contract(&world, money("EUR", 7_000), DECLINED).await;
    world.give(&contract.id, money("EUR", 7_000)).await.expect("given");
    let failed = world.charges_of(&contract.client_id, "").await.remove(0);
    assert_eq!(failed.state(), State::Failed);
    assert_eq!(dispute("dp_failed", &failed.id).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(count(&world.db, "chargeback").await, 1);
    world.stop().await;
}

async fn chargebacks(world: &World, contract: &str) -> Vec<pb::Chargeback> {
    let request = pb::ListChargebacksRequest {
        contract_id: contract.to_owned(),
        ..pb::ListChargebacksRequest::default()
    };
    let answer = world.disputes.clone().list_chargebacks(request).await;
    answer.expect("chargebacks").into_inner().chargebacks
}
