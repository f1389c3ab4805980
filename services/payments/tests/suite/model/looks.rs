//! What is seen of the service, in the words of the model.

use std::collections::BTreeMap;

use sea_orm::QueryResult;
use serde_json::{Value, json};
use vouch_proto::{
    common::v1 as common,
    convert::from_wire_time,
    payments::v1::{self as pb, list_invoices_request::Party},
};
use vouch_testkit::tables::{rows, told};

use super::{
    driver::{Driver, earning_name},
    names::given,
    payouts::payouts,
};
use crate::world::milestones;

/// How many accounts a script speaks of.
const ACCOUNTS: usize = 8;

type Seen = BTreeMap<String, Value>;

pub async fn look(driver: &Driver, what: &str) -> Value {
    match what {
        "balances" => json!(balances(driver).await),
        "ledger" => json!(ledger(driver).await),
        "earnings" => json!(earnings(driver).await),
        "milestones" => json!(all_milestones(driver).await),
        "invoices" => json!(invoices(driver).await),
        "payouts" => json!(payouts(driver).await),
        "told" => facts(driver).await,
        other => panic!("nobody looks at {other}"),
    }
}

fn accounts() -> impl Iterator<Item = (String, String)> {
    (0..ACCOUNTS).map(|number| {
        let name = format!("a{number}");
        let id = given(&name).to_string();
        (name, id)
    })
}

pub fn minor(money: Option<&common::Money>) -> i64 {
    money.map_or(0, |money| money.minor_units)
}

pub fn micros(time: Option<&prost_types::Timestamp>) -> Option<i64> {
    time.and_then(from_wire_time)
        .map(vouch_primitives::Timestamp::as_micros)
}

async fn balances(driver: &Driver) -> Seen {
    let mut seen = Seen::new();
    for (name, id) in accounts() {
        let request = pb::GetBalancesRequest {
            account_id: id,
            as_of_time: None,
        };
        let answer = driver.world.ledger.clone().get_balances(request).await;
        for balance in answer.expect("balances").into_inner().balances {
            let parts = [
                &balance.pending,
                &balance.held,
                &balance.available,
                &balance.receivable,
                &balance.in_transit,
            ];
            let row = parts.map(|part| minor(part.as_ref()));
            let currency = balance.pending.map(|money| money.currency_code).unwrap_or_default();
            if row.iter().any(|minor| *minor != 0) {
                seen.insert(format!("{name} {currency}"), json!(row));
            }
        }
    }
    seen
}

/// The platform's accounts and the escrows, as sums of their transfers.
async fn ledger(driver: &Driver) -> Seen {
    let query = "SELECT a.kind, a.owner_id, a.currency, CAST(\
        (SELECT COALESCE(SUM(amount_minor), 0) FROM transfer WHERE credit_account_id = a.id) - \
        (SELECT COALESCE(SUM(amount_minor), 0) FROM transfer WHERE debit_account_id = a.id) AS BIGINT) \
        FROM ledger_account a WHERE a.kind NOT IN ('PENDING', 'HELD', 'AVAILABLE', 'RECEIVABLE', 'IN_TRANSIT')";
    let mut seen = Seen::new();
    let mut account = |row: &QueryResult| {
        let column = |index| row.try_get_by_index::<String>(index).expect("a text");
        let owner: vouch_primitives::Uuid = row.try_get_by_index(1).expect("an owner");
        let whose = driver.names.name(&owner.to_string()).unwrap_or_else(|| column(2));
        let moved: i64 = row.try_get_by_index(3).expect("a sum");
        // What several clients owe is one sum.
        let sum = seen.entry(format!("{} {whose}", column(0))).or_insert(json!(0));
        *sum = json!(sum.as_i64().unwrap_or_default() + moved);
    };
    rows(&driver.world.db, query.to_owned())
        .await
        .iter()
        .for_each(&mut account);
    seen.retain(|_, sum| *sum != json!(0));
    seen
}

pub fn earning_view(earning: &pb::Earning) -> Value {
    json!({
        "gross": minor(earning.gross.as_ref()), "fee": minor(earning.fee.as_ref()),
        "refunded": minor(earning.refunded.as_ref()), "disputed": minor(earning.disputed.as_ref()),
        "settled": earning.state() == pb::earning::State::Settled,
        "occurred": micros(earning.occur_time.as_ref()), "available": micros(earning.available_time.as_ref()),
    })
}

async fn earnings(driver: &Driver) -> Seen {
    let mut seen = Seen::new();
    for (_, id) in accounts() {
        let mut page_token = String::new();
        loop {
            let (earnings, next) = driver.earnings_page(&id, page_token).await;
            for earning in &earnings {
                let source = driver.source_of(earning).await.expect("a name");
                driver.names.learn(&earning_name(&source), &earning.id);
                seen.insert(source, earning_view(earning));
            }
            if next.is_empty() {
                break;
            }
            page_token = next;
        }
    }
    seen
}

pub fn milestone_view(milestone: &pb::Milestone) -> Value {
    json!({
        "state": milestone.state().as_str_name().trim_start_matches("STATE_"),
        "submitted": micros(milestone.submit_time.as_ref()), "approved": micros(milestone.approve_time.as_ref()),
    })
}

async fn all_milestones(driver: &Driver) -> Seen {
    let mut seen = Seen::new();
    for (_, id) in driver.names.all(|name| name.starts_with('c') && !name.contains('/')) {
        let contract = driver.world.contract_of(&id).await;
        if let Some(pb::contract::Pay::Fixed(_)) = contract.pay {
            for milestone in milestones(&contract) {
                let name = driver.names.name(&milestone.id).expect("a name");
                seen.insert(name, milestone_view(milestone));
            }
        }
    }
    seen
}

pub async fn invoice(driver: &Driver, id: &str) -> pb::Invoice {
    let request = pb::GetInvoiceRequest {
        invoice_id: id.to_owned(),
    };
    let answer = driver.world.invoices.clone().get_invoice(request).await;
    answer.expect("an invoice").into_inner().invoice.expect("an invoice")
}

async fn invoices(driver: &Driver) -> Seen {
    let mut seen = Seen::new();
    for (_, account) in accounts() {
        let mut page_token = String::new();
        loop {
            let request = pb::ListInvoicesRequest {
                party: Some(Party::AccountId(account.clone())),
                contract_id: String::new(),
                page_size: 100,
                page_token,
            };
            let page = driver.world.invoices.clone().list_invoices(request).await;
            let page = page.expect("invoices").into_inner();
            for listed in page.invoices {
                let invoice = invoice(driver, &listed.id).await;
                let lines: Vec<_> = invoice.lines.iter().map(|line| minor(line.amount.as_ref())).collect();
                let (amount, paid) = (minor(invoice.amount.as_ref()), micros(invoice.pay_time.as_ref()));
                let row = json!([invoice.minutes, invoice.minutes_over, amount, paid, lines]);
                seen.insert(driver.invoice_name(&listed), row);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    seen
}

/// What other services were told of earnings, in no order.
async fn facts(driver: &Driver) -> Value {
    let mut names = BTreeMap::new();
    for (name, id) in driver.names.all(|name| name.starts_with("earning of ")) {
        names.insert(id, name.trim_start_matches("earning of ").to_owned());
    }
    let db = &driver.world.db;
    let mut settled: Vec<_> = told::<pb::EarningSettled>(db).await;
    settled.sort_by(|a, b| names[&a.earning_id].cmp(&names[&b.earning_id]));
    let settled = settled.iter().map(|fact| {
        let (settle, occur) = (micros(fact.settle_time.as_ref()), micros(fact.occur_time.as_ref()));
        json!([names[&fact.earning_id], [minor(fact.amount.as_ref()), settle, occur]])
    });
    let row = |earning: &str, amount: Option<&common::Money>, at, occur| {
        (names[earning].clone(), minor(amount), micros(at), micros(occur))
    };
    let reversed = told::<pb::EarningReversed>(db).await;
    let mut reversed: Vec<_> = reversed
        .iter()
        .map(|fact| {
            row(
                &fact.earning_id,
                fact.amount.as_ref(),
                fact.reverse_time.as_ref(),
                fact.occur_time.as_ref(),
            )
        })
        .collect();
    let reinstated = told::<pb::EarningReinstated>(db).await;
    let mut reinstated: Vec<_> = reinstated
        .iter()
        .map(|fact| {
            row(
                &fact.earning_id,
                fact.amount.as_ref(),
                fact.reinstate_time.as_ref(),
                fact.occur_time.as_ref(),
            )
        })
        .collect();
    reversed.sort();
    reinstated.sort();
    json!({"settled": settled.collect::<Vec<_>>(), "reversed": reversed, "reinstated": reinstated})
}
