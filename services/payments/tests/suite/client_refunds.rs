//! What clients get back through the payment provider.

use tonic::{Code, Status};
use vouch_primitives::{AccountId, Clock, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{
        self as pb, Refusal, charge_service_client::ChargeServiceClient, client_refund::State,
        record_chargeback_request::Payment, resolve_dispute_request::Outcome,
    },
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    hours::{add, hourly, refused, time},
    tables::{count, told, tried},
    world::{SOON, World, at, milestones, refusal, request_id, start, usd},
};

on_both_databases! {
    what_is_refunded_goes_back_once,
    every_door_gives_the_money_back,
    every_instrument_does_as_it_says_with_refunds,
    refunds_are_listed_for_those_whom_they_concern,
    what_is_owed_is_paid_by_bank_and_not_given_back_by_the_provider,
}

impl World {
    pub async fn client_refunds(&self, client: &str, state: State) -> Vec<pb::ClientRefund> {
        let (mut refunds, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListClientRefundsRequest {
                client_id: client.to_owned(),
                state: state.into(),
                page_size: 1,
                page_token,
            };
            let answer = self.charges.clone().list_client_refunds(request).await;
            let page = answer.expect("a page").into_inner();
            refunds.extend(page.refunds);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return refunds;
            }
        }
    }

    /// The refunds to a client, once this is all that has ended.
    pub async fn until_refunded(&self, client: &str, ended: &[(State, i64)]) -> Vec<pb::ClientRefund> {
        eventually("the refunds", SOON, async || {
            let refunds = self.client_refunds(client, State::Unspecified).await;
            let stand =
                |refund: &pb::ClientRefund| (refund.state(), refund.amount.as_ref().map_or(0, |m| m.minor_units));
            let found: Vec<_> = refunds.iter().map(stand).collect();
            if found == ended {
                Ok(refunds)
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await
    }

    async fn retry_refund(&self, id: &str) -> Result<pb::ClientRefund, Status> {
        let request = pb::RetryClientRefundRequest {
            request_id: request_id(),
            client_refund_id: id.to_owned(),
        };
        let answer = self.charges.clone().retry_client_refund(request).await?;
        Ok(answer.into_inner().refund.expect("a refund"))
    }

    /// An earning of a milestone whose client pays by this instrument.
    async fn earned_by(&self, instrument: &str, minor: i64) -> pb::Earning {
        let contract = self.contract(AccountId::new(), usd(minor)).await;
        self.bill(&contract.client_id, instrument).await.expect("billed");
        self.earn(&milestones(&contract)[0].id).await
    }

    async fn charge_of(&self, client: &str) -> pb::Charge {
        let mut charges = self.charges_of(client, "").await;
        charges.pop().expect("a charge")
    }
}

async fn what_is_refunded_goes_back_once(database: TestDatabase) {
    let world = World::new(database).await;
    let earning = world.earned_by("sandbox-accepts", 1_000).await;
    let client = &earning.client_id;
    assert_eq!(world.charge_of(client).await.refunded, Some(usd(0)));
    world.refund(&earning.id, usd(400)).await.expect("refunded");
    let refund = world.until_refunded(client, &[(State::Succeeded, 400)]).await.remove(0);
    let charge = world.charge_of(client).await;
    let reversed = told::<pb::EarningReversed>(&world.db).await.remove(0);
    let expected = pb::ClientRefund {
        id: reversed.reversal_id,
        charge_id: charge.id.clone(),
        client_id: client.clone(),
        amount: Some(usd(400)),
        state: State::Succeeded.into(),
        create_time: Some(to_wire_time(start())),
        attempt_count: 1,
        reason: Refusal::Unspecified.into(),
        succeed_time: Some(to_wire_time(start())),
        provider_reference: refund.provider_reference.clone(),
    };
    assert_eq!(refund, expected);
    assert!(refund.provider_reference.starts_with("sandbox-"), "{refund:?}");
    assert_eq!(charge.refunded, Some(usd(400)));
    world.refund(&earning.id, usd(600)).await.expect("refunded");
    world
        .until_refunded(client, &[(State::Succeeded, 400), (State::Succeeded, 600)])
        .await;
    assert_eq!(world.charge_of(client).await.refunded, Some(usd(1_000)));
    for (sql, why) in [
        (
            "UPDATE charge SET refunded_minor = refunded_minor + 1",
            "charge_is_refunded_at_most_once",
        ),
        (
            "UPDATE client_refund SET amount_minor = 0",
            "client_refund_amount_is_positive",
        ),
        ("UPDATE client_refund SET state = 'pending'", "client_refund_that"),
        ("UPDATE client_refund SET state = 'gone'", "client_refund_"),
        (
            "UPDATE client_refund SET reference = NULL",
            "client_refund_that_succeeded_is_told",
        ),
    ] {
        let refused = tried(&world.db, sql).await;
        assert!(
            refused.as_ref().is_err_and(|error| error.contains(why)),
            "{sql}: {refused:?}"
        );
    }
    world.rest().await;
    assert_eq!(world.client_refunds(client, State::Pending).await, []);
    world.stop().await;
}

/// Escrow that is given up, a dispute that the client wins in part, and a chargeback that is won too late for its milestone.
async fn every_door_gives_the_money_back(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let (client, id) = (contract.client_id.clone(), milestones(&contract)[0].id.clone());
    world.fund(&id).await.expect("funded");
    let payment = Payment::MilestoneId(id.clone());
    let part = world.charge_back(payment.clone(), usd(300), "a").await.expect("taken");
    world.give_back(&id).await.expect("given up");
    world.give_back(&id).await.expect("given up before");
    world.until_refunded(&client, &[(State::Succeeded, 700)]).await;
    // There is nothing left that this one could take, so that nothing goes back with it.
    let nothing = world.charge_back(payment, usd(50), "b").await.expect("recorded");
    world.win_back(&nothing.id).await.expect("won");
    world.win_back(&part.id).await.expect("won");
    world
        .until_refunded(&client, &[(State::Succeeded, 700), (State::Succeeded, 300)])
        .await;
    assert_eq!(world.charge_of(&client).await.refunded, Some(usd(1_000)));

    let earning = world.earned_by("sandbox-accepts", 1_000).await;
    let dispute = world.dispute(&earning.id, usd(600)).await.expect("a dispute");
    let split = Outcome::Split;
    world.resolve(&dispute.id, split, Some(150)).await.expect("resolved");
    world
        .until_refunded(&earning.client_id, &[(State::Succeeded, 450)])
        .await;
    assert_eq!(count(&world.db, "client_refund").await, 3);
    world.stop().await;
}

async fn every_instrument_does_as_it_says_with_refunds(database: TestDatabase) {
    let world = World::new(database).await;
    let mut cases = Vec::new();
    for (instrument, state, reason, minutes) in [
        ("sandbox-accepts", State::Succeeded, Refusal::Unspecified, 0),
        ("sandbox-refund-late", State::Succeeded, Refusal::Unspecified, 1),
        ("sandbox-refund-times-out", State::Succeeded, Refusal::Unspecified, 1),
        ("sandbox-refund-declines", State::Refused, Refusal::Declined, 0),
        ("sandbox-refund-late-declines", State::Refused, Refusal::Declined, 1),
    ] {
        let earning = world.earned_by(instrument, 1_000).await;
        world.refund(&earning.id, usd(1_000)).await.expect("refunded");
        cases.push((instrument, earning.client_id, state, reason, minutes));
    }
    let now = world.clock.now();
    world.rest().await;
    for (instrument, client, state, ..) in cases.iter().filter(|case| case.4 > 0) {
        let listed = world.client_refunds(client, State::Pending).await;
        assert_eq!(listed.len(), 1, "{instrument}, which will be {state:?}");
    }
    world.advance_to(now.add_days(1)).await;
    for (instrument, client, state, reason, minutes) in &cases {
        let refund = world.until_refunded(client, &[(*state, 1_000)]).await.remove(0);
        assert_eq!(refund.reason(), *reason, "{instrument}");
        assert_eq!(refund.attempt_count, 1, "{instrument}");
        let learnt = now.saturating_add(std::time::Duration::from_secs(60 * minutes));
        let succeeded = (*state == State::Succeeded).then(|| to_wire_time(learnt));
        assert_eq!(refund.succeed_time, succeeded, "{instrument}");
    }
    let refused = world.client_refunds("", State::Refused).await;
    assert_eq!(refused.len(), 2);
    let again = world.retry_refund(&refused[0].id).await.expect("tried again");
    assert_eq!((again.state(), again.attempt_count), (State::Pending, 2));
    let again = world.until_refunded(&again.client_id, &[(State::Refused, 1_000)]).await;
    assert_eq!(again[0].attempt_count, 2, "it was given as an order of its own");
    let done = world.client_refunds("", State::Succeeded).await.remove(0);
    let refused = refusal(world.retry_refund(&done.id).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, "CLIENT_REFUND_NOT_REFUSED".to_owned())
    );
    assert_eq!(refusal(world.retry_refund(&request_id()).await).0, Code::NotFound);
    world.stop().await;
}

async fn refunds_are_listed_for_those_whom_they_concern(database: TestDatabase) {
    let world = World::new(database).await;
    let (mine, theirs) = (
        world.earned_by("sandbox-refund-declines", 1_000).await,
        world.earned_by("sandbox-accepts", 1_000).await,
    );
    for earning in [&mine, &theirs] {
        world.refund(&earning.id, usd(1_000)).await.expect("refunded");
    }
    let listed = world.until_refunded(&mine.client_id, &[(State::Refused, 1_000)]).await;
    let client = mine.client_id.parse().expect("an id");
    let mut caller = ChargeServiceClient::new(world.channel(Caller::Client(client)));
    let of = |client_id: &str| pb::ListClientRefundsRequest {
        client_id: client_id.to_owned(),
        ..Default::default()
    };
    let own = caller.list_client_refunds(of(&mine.client_id)).await;
    assert_eq!(own.expect("a page").into_inner().refunds, listed);
    let others = caller.list_client_refunds(of(&theirs.client_id)).await;
    assert_eq!(refusal(others).0, Code::PermissionDenied);
    assert!(
        caller.list_client_refunds(of("")).await.is_err(),
        "all are for operators"
    );
    let request = pb::RetryClientRefundRequest {
        request_id: request_id(),
        client_refund_id: listed[0].id.clone(),
    };
    assert_eq!(
        refusal(caller.retry_client_refund(request).await).0,
        Code::PermissionDenied
    );
    world.stop().await;
}

/// The end is that of a charge that succeeds, but for the way back.
async fn what_is_owed_is_paid_by_bank_and_not_given_back_by_the_provider(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(6_000), 600).await;
    let client = &contract.client_id;
    let bad = world.bill(client, "sandbox-insufficient-funds").await;
    bad.expect("a billing method");
    world.advance_to(at("2026-03-03T12:00:00Z")).await;
    let worked = time(&contract.id, "2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
    add(&world, worked).await.expect("added");
    world.advance_to(at("2026-03-09T12:00:00Z")).await;
    let charge = world.charges_of(client, "").await.remove(0);
    let came = async |request_id: &str| {
        let request = pb::RecordChargePaymentRequest {
            request_id: request_id.to_owned(),
            charge_id: charge.id.clone(),
            reference: "bank-17".to_owned(),
        };
        let answer = world.charges.clone().record_charge_payment(request).await?;
        Ok::<_, Status>(answer.into_inner().charge.expect("a charge"))
    };
    let not_owed = refused("CHARGE_NOT_OWED");
    assert_eq!(refusal(came(&request_id()).await), not_owed, "it is tried again");
    world.advance_to(at("2026-03-16")).await;
    assert_eq!(world.receivables(client).await, [usd(6_000)]);
    let id = request_id();
    let paid = came(&id).await.expect("recorded");
    assert_eq!(paid.state(), pb::charge::State::Succeeded);
    assert_eq!((paid.provider_reference.as_str(), paid.attempts.len()), ("bank-17", 5));
    assert_eq!(came(&id).await.expect("the same answer"), paid);
    assert_eq!(refusal(came(&request_id()).await), not_owed);
    assert_eq!(refusal(world.retry(&charge.id).await), refused("CHARGE_NOT_FAILED"));
    assert!(world.receivables(client).await.is_empty());
    assert_eq!(world.contract_of(&contract.id).await, contract, "work goes on");
    assert_eq!(world.balances(ada, "USD").await, [5_400, 0, 0]);
    let [invoice] = <[_; 1]>::try_from(told::<pb::InvoicePaid>(&world.db).await).expect("told once");
    assert_eq!(invoice.amount, Some(usd(6_000)));
    // The way back is the bank's.
    world.refund(&invoice.earning_id, usd(1_000)).await.expect("refunded");
    let back = world.until_refunded(client, &[(State::Refused, 1_000)]).await;
    assert_eq!(back[0].reason(), Refusal::NoBillingMethod);
    let bounced = pb::RecordChargebackRequest {
        request_id: request_id(),
        payment: Some(Payment::InvoiceId(invoice.invoice_id.clone())),
        amount: Some(usd(6_000)),
        provider_reference: "bank-17 has bounced".to_owned(),
    };
    let bounced = world.disputes.clone().record_chargeback(bounced).await;
    bounced.expect("recorded");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    for total in world.trial_balance().await {
        assert_eq!((total.imbalance, total.wrong_balances), (Some(usd(0)), 0));
    }
    world.stop().await;
}
