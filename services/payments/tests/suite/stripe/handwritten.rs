//! **Written by us**, after Stripe's published reference, for what localstripe does not have: transfers and their reversals,
//! connected accounts, disputes. What passes against it shows that the adapter does what we have read, not that we have read
//! it right: `docs/gateway.md` says what is proven against what.

use std::{collections::BTreeMap, sync::Mutex};

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::front::{Passage, json as read, lock};

#[derive(Debug, Default)]
pub struct Handwritten {
    transfers: Mutex<Vec<Value>>,
    accounts: Mutex<BTreeMap<String, Value>>,
    disputes: Mutex<BTreeMap<String, Value>>,
}

/// What comes of a request.
type Answer = (StatusCode, Value);

impl Handwritten {
    /// A connected account that was made for this account of the house, with one bank account.
    pub fn connect(&self, name: &str, account: &str, payouts_enabled: bool) {
        let connected = json!({
            "id": name, "object": "account", "payouts_enabled": payouts_enabled,
            "metadata": { "vouch_account": account },
        });
        lock(&self.accounts).insert(name.to_owned(), connected);
    }

    /// A dispute about a payment intent, as it stands from now on.
    pub fn dispute(&self, name: &str, intent: &str, (amount, currency): (i64, &str), status: &str) {
        let dispute = json!({
            "id": name, "object": "dispute", "amount": amount, "currency": currency, "status": status,
            "payment_intent": intent,
        });
        lock(&self.disputes).insert(name.to_owned(), dispute);
    }

    /// Amount, what of it was taken back, and to which connected account, of each transfer.
    pub fn transfers(&self) -> Vec<(i64, i64, String)> {
        let number = |transfer: &Value, name: &str| transfer[name].as_i64().expect("a number");
        let transfers = lock(&self.transfers);
        let told = transfers.iter().map(|transfer| {
            let destination = transfer["destination"].as_str().expect("an account");
            (
                number(transfer, "amount"),
                number(transfer, "amount_reversed"),
                destination.to_owned(),
            )
        });
        told.collect()
    }

    pub async fn answer(
        &self,
        passage: &Passage,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Answer> {
        let parts: Vec<&str> = uri.path().trim_start_matches("/v1/").split('/').collect();
        let query = pairs(uri.query().unwrap_or_default());
        match (method, &parts[..]) {
            (&Method::POST, ["transfers"]) => Some(self.transfer(&pairs(&String::from_utf8_lossy(body)))),
            (&Method::GET, ["transfers"]) => Some(self.transfers_of(&query)),
            (&Method::POST, ["transfers", id, "reversals"]) => {
                Some(self.reverse(id, &pairs(&String::from_utf8_lossy(body))))
            }
            (&Method::GET, ["accounts", name]) => Some(found(lock(&self.accounts).get(*name).cloned())),
            (&Method::GET, ["accounts", name, "external_accounts", external]) => {
                let known = lock(&self.accounts).contains_key(*name);
                Some(found(known.then(|| {
                    json!({
                        "id": external, "object": "bank_account", "last4": "6789", "fingerprint": format!("print-{external}"),
                    })
                })))
            }
            (&Method::GET, ["disputes", name]) => {
                let dispute = lock(&self.disputes).get(*name).cloned();
                Some(found(match dispute {
                    Some(dispute) => Some(with_intent(passage, headers, dispute).await),
                    None => None,
                }))
            }
            _ => None,
        }
    }

    fn transfer(&self, form: &BTreeMap<String, String>) -> Answer {
        let of = |name: &str| form.get(name).cloned().unwrap_or_default();
        let mut transfers = lock(&self.transfers);
        let transfer = json!({
            "id": format!("tr_{}", transfers.len() + 1), "object": "transfer", "amount_reversed": 0,
            "amount": of("amount").parse::<i64>().expect("an amount"), "currency": of("currency"),
            "destination": of("destination"), "transfer_group": of("transfer_group"),
            "metadata": { "vouch_order": of("metadata[vouch_order]") },
        });
        transfers.push(transfer.clone());
        (StatusCode::OK, transfer)
    }

    fn transfers_of(&self, query: &BTreeMap<String, String>) -> Answer {
        let group = query.get("transfer_group").expect("a group");
        let transfers = lock(&self.transfers);
        let of_group = transfers
            .iter()
            .filter(|transfer| transfer["transfer_group"] == group.as_str());
        let data: Vec<Value> = of_group.cloned().collect();
        (
            StatusCode::OK,
            json!({ "object": "list", "data": data, "has_more": false }),
        )
    }

    fn reverse(&self, id: &str, form: &BTreeMap<String, String>) -> Answer {
        let amount: i64 = form["amount"].parse().expect("an amount");
        let mut transfers = lock(&self.transfers);
        let transfer = transfers.iter_mut().find(|transfer| transfer["id"] == id);
        let transfer = transfer.expect("a transfer");
        let reversed = transfer["amount_reversed"].as_i64().expect("a number") + amount;
        if reversed > transfer["amount"].as_i64().expect("a number") {
            return (
                StatusCode::BAD_REQUEST,
                json!({ "error": { "type": "invalid_request_error" } }),
            );
        }
        transfer["amount_reversed"] = reversed.into();
        (
            StatusCode::OK,
            json!({ "id": "trr_1", "object": "transfer_reversal", "amount": amount }),
        )
    }
}

fn found(thing: Option<Value>) -> Answer {
    match thing {
        Some(thing) => (StatusCode::OK, thing),
        None => {
            let missing = json!({ "error": { "type": "invalid_request_error", "code": "resource_missing" } });
            (StatusCode::NOT_FOUND, missing)
        }
    }
}

/// The intent is localstripe's own.
async fn with_intent(passage: &Passage, headers: &HeaderMap, mut dispute: Value) -> Value {
    let path = format!(
        "/v1/payment_intents/{}",
        dispute["payment_intent"].as_str().expect("an id")
    );
    let (_, intent) = passage
        .forward(Method::GET, &path, headers, axum::body::Bytes::new())
        .await;
    dispute["payment_intent"] = read(&intent);
    dispute
}

/// What a form or a query says.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{text}")).expect("an address");
    url.query_pairs().into_owned().collect()
}
