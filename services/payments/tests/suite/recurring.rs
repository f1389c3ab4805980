//! Recurring contracts, invoiced period by period.

use vouch_primitives::{AccountId, EventId, Timestamp};
use vouch_proto::{
    common::v1::{self as common, PayPeriod},
    convert::to_wire_time,
    onboarding::v1::{OfferAccepted, offer_accepted::Pay},
    payments::v1::{self as pb, contract, invoice::State, list_invoices_request::Party},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    exports::{file, named},
    hours::{add, refused, time},
    hours_contracts::end,
    pdf_text::text_of,
    tables::{count, told, tried},
    world::{SOON, World, at, offer, refusal, request_id, start, usd},
};

on_both_databases! {
    months_become_invoices_and_money,
    a_pause_and_the_end_take_their_part,
    no_period_is_paid_in_which_the_client_could_not_pay,
    a_contract_of_periods_takes_nothing_else,
    periods_that_are_long_over_are_closed_one_by_one,
    a_period_is_a_document,
    a_period_that_is_closed_again_has_its_invoice,
    a_period_is_invoiced_once,
}

async fn recurring(world: &World, account: AccountId, amount: common::Money, every: PayPeriod) -> pb::Contract {
    let pay = Pay::Recurring(common::RecurringPay {
        amount: Some(amount),
        every: every.into(),
    });
    let offer = OfferAccepted {
        start_time: Some(to_wire_time(at("2026-03-31T09:00:00Z"))),
        ..offer(account, pay)
    };
    world.hear(EventId::new(), &offer).await;
    // Twice: a contract begins once, and so do its periods.
    world.hear(EventId::new(), &offer).await;
    world.contract_of(&offer.contract_id).await
}

async fn invoices(world: &World, account: AccountId) -> Vec<pb::Invoice> {
    let request = pb::ListInvoicesRequest {
        party: Some(Party::AccountId(account.to_string())),
        page_size: 100,
        ..Default::default()
    };
    let answer = world.invoices.clone().list_invoices(request).await;
    let mut invoices = answer.expect("a page").into_inner().invoices;
    invoices.reverse();
    invoices
}

async fn until_invoices(world: &World, account: AccountId, number: usize) -> Vec<pb::Invoice> {
    eventually("the invoices", SOON, async || {
        let found = invoices(world, account).await;
        let paid = found.iter().all(|invoice| invoice.state() == State::Paid);
        (found.len() == number && paid)
            .then_some(found.clone())
            .ok_or_else(|| format!("{} invoices", found.len()))
    })
    .await
}

async fn move_to(world: &World, moment: &str) {
    world.clock.set(at(moment)).expect("forwards");
}

fn is_of(invoice: &pb::Invoice, start: Timestamp, end: Timestamp) -> bool {
    let period = (invoice.period_start_time, invoice.period_end_time);
    period == (Some(to_wire_time(start)), Some(to_wire_time(end)))
}

fn minor(invoice: &pb::Invoice) -> i64 {
    invoice.amount.as_ref().map_or(0, |amount| amount.minor_units)
}

// B2: from the 31st to the 30th to the 31st, and no more than once each.
async fn months_become_invoices_and_money(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = recurring(&world, ada, usd(100_000), PayPeriod::Month).await;
    let Some(contract::Pay::Recurring(pay)) = &contract.pay else {
        panic!("not recurring: {contract:?}")
    };
    assert_eq!(
        (pay.amount.clone(), pay.every()),
        (Some(usd(100_000)), PayPeriod::Month)
    );
    move_to(&world, "2026-04-29T23:59:59.999999Z").await;
    assert!(
        invoices(&world, ada).await.is_empty(),
        "nothing is billed before the period is over"
    );
    move_to(&world, "2026-04-30").await;
    let invoice = until_invoices(&world, ada, 1).await.remove(0);
    assert!(is_of(&invoice, at("2026-03-31"), at("2026-04-30")), "{invoice:?}");
    assert_eq!(
        (minor(&invoice), invoice.week_time, invoice.rate.clone()),
        (100_000, None, None)
    );
    let end = at("2026-04-30");
    assert_eq!(invoice.issue_time, Some(to_wire_time(end)));
    let review = at("2026-05-04T23:59:59.999999Z");
    assert_eq!(invoice.review_until_time, Some(to_wire_time(review)));
    assert_eq!(world.balances(ada, "USD").await, [90_000, 0, 0]);
    let earning = told::<pb::InvoicePaid>(&world.db).await.remove(0).earning_id;
    let earning = world.earning(&earning).await;
    assert_eq!(earning.occur_time, Some(to_wire_time(at("2026-03-31T09:00:00Z"))));
    assert_eq!(earning.available_time, Some(to_wire_time(at("2026-05-09"))));
    move_to(&world, "2026-05-05").await;
    let late = world.dispute(&earning.id, usd(1)).await;
    assert_eq!(refusal(late), refused("DISPUTE_TOO_LATE"), "the review is over");
    move_to(&world, "2026-05-09").await;
    world.until_balances(ada, "USD", [0, 90_000, 0]).await;
    move_to(&world, "2026-05-31").await;
    let second = until_invoices(&world, ada, 2).await.remove(1);
    assert!(is_of(&second, at("2026-04-30"), at("2026-05-31")), "{second:?}");
    world.stop().await;
}

// B2: for each day on which the contract was paused or had ended, nothing.
async fn a_pause_and_the_end_take_their_part(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = recurring(&world, ada, usd(30_000), PayPeriod::Month).await;
    let pausing = || pb::PauseContractRequest {
        request_id: request_id(),
        contract_id: contract.id.clone(),
        reason: "Not now".to_owned(),
    };
    let resuming = || pb::ResumeContractRequest {
        request_id: request_id(),
        contract_id: contract.id.clone(),
    };
    move_to(&world, "2026-04-10").await;
    world.contracts.clone().pause_contract(pausing()).await.expect("paused");
    move_to(&world, "2026-04-20").await;
    world
        .contracts
        .clone()
        .resume_contract(resuming())
        .await
        .expect("resumed");
    move_to(&world, "2026-04-30").await;
    assert_eq!(minor(&until_invoices(&world, ada, 1).await[0]), 20_000, "20 of 30 days");
    // All of a period: there is no invoice for it, and the next one comes all the same.
    world.contracts.clone().pause_contract(pausing()).await.expect("paused");
    move_to(&world, "2026-05-31").await;
    world
        .contracts
        .clone()
        .resume_contract(resuming())
        .await
        .expect("resumed");
    move_to(&world, "2026-06-09").await;
    end(&world, &contract.id).await.expect("ended");
    move_to(&world, "2026-06-30").await;
    let last = until_invoices(&world, ada, 2).await.remove(1);
    assert!(is_of(&last, at("2026-05-31"), at("2026-06-30")), "{last:?}");
    assert_eq!(minor(&last), 9_000, "9 of 30 days");
    move_to(&world, "2026-07-31").await;
    world.until_balances(ada, "USD", [0, 26_100, 0]).await;
    assert_eq!(count(&world.db, "invoice").await, 2, "and no more");
    assert_eq!(
        count(&world.db, "timer").await,
        0,
        "nothing waits for a contract that has ended"
    );
    world.stop().await;
}

// B2: a contract that is held up is like one that is paused.
async fn no_period_is_paid_in_which_the_client_could_not_pay(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = recurring(&world, ada, usd(7_000), PayPeriod::Week).await;
    let seen = async || {
        let found = invoices(&world, ada).await;
        found.iter().map(|one| (minor(one), one.state())).collect::<Vec<_>>()
    };
    let bill = async |instrument| world.bill(&contract.client_id, instrument).await.expect("a card");
    bill("sandbox-declines-2").await;
    world.advance_to(at("2026-04-14T00:10:00Z")).await;
    // Paid on the third day, so that work went on in four of the next seven.
    assert_eq!(seen().await, [(7_000, State::Paid), (4_000, State::Open)]);
    bill("sandbox-insufficient-funds").await;
    world.advance_to(at("2026-04-23")).await;
    let unpaid = [(7_000, State::Paid), (4_000, State::Unpaid)];
    assert_eq!(seen().await, unpaid, "and no invoice for the third week");
    bill("sandbox-accepts").await;
    let listed = world.charges_of(&contract.client_id, &contract.id).await;
    world.retry(&listed[0].id).await.expect("tried again");
    world.advance_to(at("2026-04-28")).await;
    let paid = [(7_000, State::Paid), (4_000, State::Paid), (5_000, State::Paid)];
    assert_eq!(seen().await, paid, "five days of seven");
    world.stop().await;
}

async fn a_contract_of_periods_takes_nothing_else(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = recurring(&world, AccountId::new(), usd(30_000), PayPeriod::Quarter).await;
    let milestone = world.milestone(&contract.id, usd(100)).await;
    assert_eq!(refusal(milestone), refused("CONTRACT_NOT_FIXED_PRICE"));
    move_to(&world, "2026-04-02T12:00:00Z").await;
    let hour = time(&contract.id, "2026-04-02T10:00:00Z", "2026-04-02T11:00:00Z");
    assert_eq!(refusal(add(&world, hour).await), refused("CONTRACT_NOT_HOURLY"));
    world.give(&contract.id, usd(100)).await.expect("a bonus for good work");
    world.stop().await;
}

// B2: however late the service is, each period has its own invoice, as of its own end.
async fn periods_that_are_long_over_are_closed_one_by_one(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    recurring(&world, ada, usd(7_000), PayPeriod::Week).await;
    let other = AccountId::new();
    recurring(&world, other, usd(7_001), PayPeriod::Week).await;
    move_to(&world, "2026-05-05T12:00:00Z").await;
    let made = until_invoices(&world, ada, 5).await;
    for (invoice, week) in made.iter().zip(0..) {
        let begun = at("2026-03-31").add_days(7 * week);
        assert!(is_of(invoice, begun, begun.add_days(7)), "{invoice:?}");
        assert_eq!(invoice.issue_time, Some(to_wire_time(begun.add_days(7))));
        assert_eq!(minor(invoice), 7_000);
    }
    until_invoices(&world, other, 5).await;
    assert_eq!(told::<pb::InvoiceIssued>(&world.db).await.len(), 10);
    world.stop().await;
}

// B2
async fn a_period_is_a_document(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = recurring(&world, ada, usd(100_000), PayPeriod::Month).await;
    world.advance_to(at("2026-04-30")).await;
    let request = pb::ExportInvoiceRequest {
        invoice_id: invoices(&world, ada).await.remove(0).id,
    };
    let answer = world.reports.clone().export_invoice(request).await;
    let (_, pdf) = file(answer, |answer| answer.part).await.expect("an invoice");
    let text = text_of(&pdf).concat();
    for line in [
        "Invoice for the period of 2026-03-31\n",
        "Period | 2026-03-31 to 2026-04-29\n",
        "Amount | USD 1,000.00\n",
        "Paid | USD 1,000.00\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("Rate"), "{text}");
    let request = pb::ExportInvoicesRequest {
        client_id: contract.client_id,
    };
    let answer = world.reports.clone().export_invoices(request).await;
    let (_, csv) = file(answer, |answer| answer.part).await.expect("invoices");
    let csv = named(&String::from_utf8(csv).expect("text"));
    let row = "id1,id2,id3,,2026-04-30T00:00:00Z,PAID,2026-04-30T00:00:00Z,,,,,1000.00,USD,2026-03-31,2026-04-29\r\n";
    assert!(csv.ends_with(row), "{csv}");
    world.stop().await;
}

async fn a_period_that_is_closed_again_has_its_invoice(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    recurring(&world, ada, usd(7_000), PayPeriod::Week).await;
    world.advance_to(at("2026-04-14")).await;
    assert_eq!(invoices(&world, ada).await.len(), 2);
    // As if nothing had happened since the first one.
    let due = at("2026-04-07").as_micros();
    let again = format!("UPDATE timer SET due_at = {due}, next_at = {due} WHERE kind = 'period.close'");
    assert_eq!(tried(&world.db, &again).await, Ok(1));
    world.rest().await;
    world.advance_to(at("2026-04-21")).await;
    let made = invoices(&world, ada).await;
    assert!(made.iter().all(|invoice| invoice.state() == State::Paid), "{made:?}");
    assert_eq!((made.len(), told::<pb::InvoiceIssued>(&world.db).await.len()), (3, 3));
    world.stop().await;
}

async fn a_period_is_invoiced_once(database: TestDatabase) {
    let world = World::new(database).await;
    assert!(start() < at("2026-03-31"));
    let ada = AccountId::new();
    recurring(&world, ada, usd(7_000), PayPeriod::Week).await;
    move_to(&world, "2026-04-14").await;
    until_invoices(&world, ada, 2).await;
    for (sql, why) in [
        (
            "UPDATE invoice SET period_start = (SELECT MIN(period_start) FROM invoice)",
            "invoice_of_a_period_is_made_once|UNIQUE|period_start",
        ),
        (
            "UPDATE invoice SET period_end = NULL",
            "invoice_is_of_a_week_or_a_period",
        ),
        ("UPDATE invoice SET rate_minor = 1", "invoice_is_of_a_week_or_a_period"),
        ("UPDATE invoice SET amount_minor = 0", "invoice_amount_is_positive"),
        (
            "UPDATE contract SET pay_period = 'DAY'",
            "contract_is_paid_by_the_hour_or_per_period",
        ),
        (
            "UPDATE contract SET period_amount_minor = 0",
            "contract_is_paid_by_the_hour_or_per_period",
        ),
        (
            "UPDATE contract SET hourly_rate_minor = 1, weekly_limit_minutes = 1",
            "contract_is_paid_by_the_hour_or_per_period",
        ),
    ] {
        let answer = tried(&world.db, sql).await;
        let told = |error: &String| why.split('|').any(|part| error.contains(part));
        assert!(answer.as_ref().is_err_and(told), "{sql}: {answer:?}");
    }
    world.stop().await;
}
