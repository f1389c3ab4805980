//! In what ways clients pay.

use std::sync::{Arc, atomic::Ordering};

use tonic::{Code, Response, Status};
use vouch_messaging::MemoryBus;
use vouch_primitives::{AccountId, ClientId};
use vouch_proto::{common::v1 as common, payments::v1 as pb};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    payout_world::Remembering,
    tables::{counts, tried},
    world::{World, milestones, refusal, request_id, usd, violations},
};

on_both_databases! {
    clients_choose_what_is_charged,
    what_is_no_billing_method_is_refused,
    a_client_without_one_is_told_so_before_anything_is_written,
    a_repeat_is_answered_also_while_the_provider_is_away,
}

impl World {
    pub async fn bill(&self, client: &str, instrument: &str) -> Result<pb::BillingMethod, Status> {
        self.add_billing(client, instrument, true).await
    }

    async fn add_billing(&self, client: &str, instrument: &str, default: bool) -> Result<pb::BillingMethod, Status> {
        let request = pb::AddBillingMethodRequest {
            request_id: request_id(),
            client_id: client.to_owned(),
            instrument: instrument.to_owned(),
            label: "Company card".to_owned(),
            make_default: default,
        };
        let answer = self.billing.clone().add_billing_method(request).await?;
        Ok(answer.into_inner().billing_method.expect("a billing method"))
    }

    /// Instrument, whether it is verified, and whether it is charged, of all.
    async fn methods(&self, client: &str) -> Vec<(String, bool, bool)> {
        let request = pb::ListBillingMethodsRequest {
            client_id: client.to_owned(),
        };
        let answer = self.billing.clone().list_billing_methods(request).await;
        let methods = answer.expect("a list").into_inner().billing_methods.into_iter();
        methods
            .map(|method| (method.instrument, method.verified, method.is_default))
            .collect()
    }

    pub async fn receivables(&self, client: &str) -> Vec<common::Money> {
        let request = pb::GetReceivablesRequest {
            client_id: client.to_owned(),
        };
        let answer = self.billing.clone().get_receivables(request).await;
        answer.expect("an answer").into_inner().receivables
    }
}

// F4, B8
async fn clients_choose_what_is_charged(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let client = &contract.client_id;
    let of = |name: &str, verified, default| (format!("sandbox-{name}"), verified, default);
    let first = world
        .add_billing(client, "sandbox-expired", false)
        .await
        .expect("added");
    assert!(first.is_default, "the first one is charged");
    let second = world
        .add_billing(client, "sandbox-unverified", false)
        .await
        .expect("added");
    assert!(!second.is_default);
    assert_eq!(
        world.methods(client).await,
        [of("expired", true, true), of("unverified", false, false)]
    );
    assert!(world.methods(&ClientId::new().to_string()).await.is_empty());
    let id = &milestones(&contract)[0].id;
    let failed = world.fund(id).await.expect("asked for");
    assert_eq!(failed.state(), pb::milestone::State::Agreed);
    let request = pb::MakeBillingMethodDefaultRequest {
        request_id: request_id(),
        billing_method_id: second.id.clone(),
    };
    let default = world.billing.clone().make_billing_method_default(request).await;
    assert!(
        default
            .expect("made")
            .into_inner()
            .billing_method
            .expect("it")
            .is_default
    );
    let funded = world.fund(id).await.expect("funded");
    assert_eq!(funded.state(), pb::milestone::State::Funded);
    let remove = |id: &str| {
        let request = pb::RemoveBillingMethodRequest {
            request_id: request_id(),
            billing_method_id: id.to_owned(),
        };
        let mut billing = world.billing.clone();
        async move { billing.remove_billing_method(request).await }
    };
    remove(&second.id).await.expect("removed");
    assert_eq!(world.methods(client).await, [of("expired", true, true)]);
    assert_eq!(refusal(remove(&second.id).await).0, Code::NotFound);
    // What was removed can be added again.
    let third = world.bill(client, "sandbox-unverified").await.expect("added");
    assert!(third.is_default && third.id != second.id);
    for (sql, why) in [
        ("UPDATE billing_method SET is_default = TRUE", "billing_method"),
        (
            "UPDATE billing_method SET removed_at = 1",
            "billing_method_that_is_removed_is_not_charged",
        ),
        ("UPDATE billing_method SET label = ''", "billing_method_is_named"),
    ] {
        let answer = tried(&world.db, sql).await;
        assert!(
            answer.as_ref().is_err_and(|error| error.contains(why)),
            "{sql}: {answer:?}"
        );
    }
    world.stop().await;
}

async fn what_is_no_billing_method_is_refused(database: TestDatabase) {
    let world = World::new(database).await;
    let client = ClientId::new().to_string();
    world.bill(&client, "sandbox-late").await.expect("added");
    let before = counts(&world.db).await;
    let no = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    assert_eq!(
        refusal(world.bill(&client, "tok_unknown").await),
        no("INSTRUMENT_UNKNOWN")
    );
    assert_eq!(
        refusal(world.bill(&client, "sandbox-late").await),
        no("BILLING_METHOD_EXISTS")
    );
    let request = pb::AddBillingMethodRequest {
        request_id: request_id(),
        client_id: client,
        instrument: "4111 1111 1111 1111".to_owned(),
        label: "5555555555554444".to_owned(),
        make_default: false,
    };
    assert_eq!(
        violations(world.billing.clone().add_billing_method(request).await),
        ["instrument CARD_NUMBER", "label CARD_NUMBER"]
    );
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

async fn a_client_without_one_is_told_so_before_anything_is_written(database: TestDatabase) {
    let world = World::without_default_instrument(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let before = counts(&world.db).await;
    let no = (Code::FailedPrecondition, "NO_BILLING_METHOD".to_owned());
    assert_eq!(refusal(world.fund(&milestones(&contract)[0].id).await), no);
    assert_eq!(refusal(world.give(&contract.id, usd(1)).await), no);
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

/// Whoever has lost the answer gets it again: what was added is there, whether the provider can be asked or not.
async fn a_repeat_is_answered_also_while_the_provider_is_away(database: TestDatabase) {
    let provider = Arc::new(Remembering::default());
    let gateway = Arc::clone(&provider);
    let world = World::with(database, MemoryBus::faultless(), gateway).await;
    let billing = pb::AddBillingMethodRequest {
        request_id: request_id(),
        client_id: ClientId::new().to_string(),
        instrument: "sandbox-accepts".to_owned(),
        label: "Company card".to_owned(),
        make_default: true,
    };
    let payout = pb::AddPayoutMethodRequest {
        request_id: request_id(),
        account_id: AccountId::new().to_string(),
        kind: pb::PayoutMethodKind::BankTransfer.into(),
        currency_code: "USD".to_owned(),
        provider_token: "btok-1".to_owned(),
    };
    let bill = async |request: &pb::AddBillingMethodRequest| {
        let answer = world.billing.clone().add_billing_method(request.clone()).await;
        answer.map(Response::into_inner)
    };
    let pay_out = async |request: &pb::AddPayoutMethodRequest| {
        let answer = world.payouts.clone().add_payout_method(request.clone()).await;
        answer.map(Response::into_inner)
    };
    let billed = bill(&billing).await.expect("added");
    let paid_out = pay_out(&payout).await.expect("added");
    provider.is_away.store(true, Ordering::Relaxed);
    assert_eq!(bill(&billing).await.expect("the same answer"), billed);
    assert_eq!(pay_out(&payout).await.expect("the same answer"), paid_out);
    let away = (Code::Unavailable, "PROVIDER_UNAVAILABLE".to_owned());
    let (mut billing, mut payout) = (billing, payout);
    (billing.request_id, payout.request_id) = (request_id(), request_id());
    assert_eq!(refusal(bill(&billing).await), away);
    assert_eq!(refusal(pay_out(&payout).await), away);
    world.stop().await;
}
