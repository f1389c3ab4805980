//! The commands by which talent's money leaves, and what is seen of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vouch_primitives::AccountId;
use vouch_proto::payments::v1::{self as pb, withdraw_request::What};

use super::{
    commands::{Answer, amount},
    driver::{Driver, id_of, text},
    looks::minor,
    names::given,
};
use crate::world::request_id;

impl Driver {
    pub async fn out(&self, command: &str, it: &Value) -> Answer {
        match command {
            "tax_form" => {
                self.world
                    .tax_form(AccountId::from_uuid(given(text(it, "account"))))
                    .await;
                Ok(json!({}))
            }
            "way_out" => self.way_out(it).await,
            "withdraw" => self.withdraw(it).await,
            _ => self.cancel_payout(it).await,
        }
    }

    async fn way_out(&self, it: &Value) -> Answer {
        let name = format!("PAYOUT_METHOD_KIND_{}", text(it, "kind"));
        let request = pb::AddPayoutMethodRequest {
            request_id: request_id(),
            account_id: id_of(text(it, "account")),
            kind: pb::PayoutMethodKind::from_str_name(&name).expect("a kind").into(),
            currency_code: text(it, "currency").to_owned(),
            provider_token: text(it, "token").to_owned(),
        };
        let send = async |request| self.world.payouts.clone().add_payout_method(request).await;
        let method = self.call(request, send).await?.payout_method.expect("a method");
        self.names.learn(text(it, "as"), &method.id);
        Ok(json!({}))
    }

    async fn withdraw(&self, it: &Value) -> Answer {
        let everything = pb::withdraw_request::Everything {
            currency_code: text(it, "currency").to_owned(),
        };
        let request = pb::WithdrawRequest {
            request_id: request_id(),
            account_id: id_of(text(it, "account")),
            payout_method_id: self.names.id_or_none_there_is(text(it, "way")),
            what: Some(amount(it, "amount").map_or(What::Everything(everything), What::Amount)),
        };
        let send = async |request| self.world.payouts.clone().withdraw(request).await;
        let payout = self.call(request, send).await?.payout.expect("a payout");
        self.names.learn(text(it, "as"), &payout.id);
        Ok(view(&payout))
    }

    async fn cancel_payout(&self, it: &Value) -> Answer {
        let request = pb::CancelPayoutRequest {
            request_id: request_id(),
            payout_id: self.names.id_or_none_there_is(text(it, "payout")),
        };
        let send = async |request| self.world.payouts.clone().cancel_payout(request).await;
        Ok(view(&self.call(request, send).await?.payout.expect("a payout")))
    }
}

fn view(payout: &pb::Payout) -> Value {
    let state = payout.state().as_str_name().trim_start_matches("STATE_");
    json!({"amount": minor(payout.amount.as_ref()), "fee": minor(payout.fee.as_ref()), "state": state})
}

pub async fn payouts(driver: &Driver) -> BTreeMap<String, Value> {
    let mut seen = BTreeMap::new();
    for (name, id) in driver.names.all(|name| name.starts_with('o')) {
        seen.insert(name, view(&driver.world.payout(&id).await));
    }
    seen
}
