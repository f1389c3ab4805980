//! The adapter for Stripe's API, against localstripe, a server that this project did not write; what that does not have is
//! in [`handwritten`].

mod charges;
mod front;
mod handwritten;
mod payouts;
mod refunds;
mod webhooks;

use std::sync::Arc;

use serde_json::Value;
use vouch_messaging::MemoryBus;
use vouch_payments::{
    app::gateway::{PaymentGateway, stripe::Stripe},
    config::{GatewayConfig, GatewayKind},
};
use vouch_primitives::AccountId;
use vouch_proto::{common::v1 as common, payments::v1 as pb};
use vouch_testkit::{StripeServer, TestDatabase};

use self::front::{Fault, Front};
use crate::world::{World, milestones, money};

/// What webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

/// A card that pays.
pub const GOOD: &str = "4242424242424242";
/// A card that can be attached, and that the bank declines whenever it is charged.
pub const DECLINED: &str = "4000000000000341";
/// A card whose holder has to agree each time.
pub const ASKS: &str = "4000002500003155";
/// A bank account that declines a moment later.
pub const SLOWLY_DECLINED: &str = "DE62370400440532013001";

/// localstripe, and what stands before it.
pub struct Provider {
    server: StripeServer,
    pub front: Front,
    client: reqwest::Client,
}

impl Provider {
    pub async fn start() -> Self {
        let server = StripeServer::start().await.expect("localstripe");
        Self {
            front: Front::before(server.endpoint()).await,
            server,
            client: http(),
        }
    }

    /// The adapter, which turns to what stands before.
    pub fn gateway(&self) -> Arc<dyn PaymentGateway> {
        Arc::new(adapter(&format!("http://{}", self.front.address)))
    }

    /// A service with this provider.
    pub async fn world(&self, database: TestDatabase) -> World {
        World::with(database, MemoryBus::faultless(), self.gateway()).await
    }

    /// Talks to localstripe as whoever else has the key.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let url = format!("{}{path}", self.server.endpoint());
        let pairs = reqwest::Url::parse_with_params("http://x/", form).expect("a form");
        let request = self.client.post(url).basic_auth("sk_test_other", None::<&str>);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.query().unwrap_or_default().to_owned());
        read(request).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.server.endpoint());
        read(self.client.get(url).basic_auth("sk_test_other", None::<&str>)).await
    }

    /// All objects of a list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let list = self.get(&format!("{path}?limit=1000")).await;
        list["data"].as_array().expect("a list").clone()
    }

    /// A customer made for this client, with this card or bank account: the token by which it is charged.
    pub async fn instrument(&self, client: &str, number: &str) -> String {
        let customer = self.post("/v1/customers", &[("metadata[vouch_client]", client)]).await;
        let form = if number.starts_with("DE") {
            vec![("type", "sepa_debit"), ("sepa_debit[iban]", number)]
        } else {
            vec![
                ("type", "card"),
                ("card[number]", number),
                ("card[exp_month]", "12"),
                ("card[exp_year]", "2040"),
                ("card[cvc]", "123"),
            ]
        };
        let method = self.post("/v1/payment_methods", &form).await;
        let (customer, method) = (id(&customer), id(&method));
        let path = format!("/v1/payment_methods/{method}/attach");
        self.post(&path, &[("customer", customer)]).await;
        format!("{customer}/{method}")
    }

    /// Sends localstripe's webhooks of these kinds there, signed with this secret.
    pub async fn tell(&self, world: &World, secret: &str, kinds: &[&str]) {
        let url = format!("http://{}/webhooks/stripe", world.webhooks);
        let mut form = vec![("url", url.as_str()), ("secret", secret)];
        form.extend(kinds.iter().map(|kind| ("events[]", *kind)));
        let path = format!("{}/_config/webhooks/vouch", self.server.endpoint());
        let pairs = reqwest::Url::parse_with_params("http://x/", form).expect("a form");
        let request = self
            .client
            .post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.query().unwrap_or_default().to_owned());
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// A contract of one milestone, whose client pays with this card or bank account.
    pub async fn contract(&self, world: &World, amount: common::Money, number: &str) -> pb::Contract {
        let contract = world.contract(AccountId::new(), amount).await;
        let token = self.instrument(&contract.client_id, number).await;
        world.bill(&contract.client_id, &token).await.expect("billed");
        contract
    }
}

/// A client of HTTP, which takes the provider of TLS that the process has.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The adapter for a server at this address.
pub fn adapter(url: &str) -> Stripe {
    let config = GatewayConfig {
        kind: GatewayKind::Stripe,
        default_instrument: String::new(),
        stripe_url: url.to_owned(),
        stripe_secret: "sk_test_vouch".to_owned(),
        webhook_listen: String::new(),
        webhook_secret: WEBHOOK_SECRET.to_owned(),
    };
    Stripe::open(&config).expect("an adapter")
}

async fn read(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer of localstripe");
    let status = answer.status();
    let body = answer.bytes().await.expect("a body");
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    front::json(&body)
}

/// The id of an object.
pub fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

/// How many minor units were charged for good, of each charge.
pub async fn paid(provider: &Provider) -> Vec<i64> {
    let charges = provider.all("/v1/charges").await;
    let paid = charges.iter().filter(|charge| charge["status"] == "succeeded");
    paid.map(|charge| charge["amount"].as_i64().expect("an amount"))
        .collect()
}

/// A charge that is begun and not known yet: the bank takes a moment to decline it, or the answer to a card that pays is lost.
pub async fn begun(provider: &Provider, world: &World, number: &str) -> pb::Charge {
    let contract = provider.contract(world, money("EUR", 7_000), number).await;
    if number == GOOD {
        provider.front.spoil("/v1/payment_intents", Fault::CutAnswer);
    }
    let begun = world.begin_to_fund(first(&contract)).await.expect("begun");
    world.rest().await;
    world.charge(&begun.charge_id).await
}

/// The first milestone of a contract.
pub fn first(contract: &pb::Contract) -> &str {
    &milestones(contract)[0].id
}
