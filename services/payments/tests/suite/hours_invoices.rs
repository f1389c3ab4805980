//! Weeks are closed: invoices, charges, and the money.

use std::slice;

use tonic::Code;
use vouch_primitives::{AccountId, InvoiceId, PersonId};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    payments::v1::{self as pb, earning, invoice::State, invoice_line::Unprotected, list_invoices_request::Party},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    hours::{add, hourly, remove, time},
    hours_contracts::{end, limit, pause},
    tables::{count, told, tried},
    world::{SOON, World, at, money, refusal, usd},
};

on_both_databases! {
    two_weeks_become_invoices_and_money,
    a_late_close_counts_from_its_monday,
    a_week_without_time_becomes_no_invoice,
    many_weeks_close_together,
    one_bad_week_does_not_hold_up_the_others,
    amounts_are_rounded_down_once_in_every_currency,
    an_invoice_cannot_be_wrong,
}

/// All invoices of an account, the latest week first, once there are so many and all are paid or were given up.
pub async fn until_invoices(world: &World, account: AccountId, number: usize) -> Vec<pb::Invoice> {
    eventually("the invoices", SOON, async || {
        let invoices = list(world, Party::AccountId(account.to_string()), "").await;
        let open = invoices.iter().any(|invoice| invoice.state() == State::Open);
        if invoices.len() == number && !open {
            Ok(invoices)
        } else {
            Err(format!("{invoices:?}"))
        }
    })
    .await
}

async fn list(world: &World, party: Party, contract: &str) -> Vec<pb::Invoice> {
    let (mut invoices, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListInvoicesRequest {
            party: Some(party.clone()),
            contract_id: contract.to_owned(),
            page_size: 3,
            page_token,
        };
        let page = world
            .invoices
            .clone()
            .list_invoices(request)
            .await
            .expect("a page")
            .into_inner();
        assert!(page.invoices.len() <= 3);
        invoices.extend(page.invoices);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return invoices;
        }
    }
}

async fn invoice(world: &World, id: &str) -> pb::Invoice {
    let request = pb::GetInvoiceRequest {
        invoice_id: id.to_owned(),
    };
    let answer = world.invoices.clone().get_invoice(request).await.expect("an invoice");
    answer.into_inner().invoice.expect("an invoice")
}

/// The earning that an invoice has become.
pub async fn earning_of(world: &World, account: AccountId, invoice: &str) -> pb::Earning {
    let request = pb::ListEarningsRequest {
        account_id: account.to_string(),
        page_size: 100,
        page_token: String::new(),
    };
    let listed = world
        .earnings
        .clone()
        .list_earnings(request)
        .await
        .expect("a page")
        .into_inner();
    let source = Some(earning::Source::InvoiceId(invoice.to_owned()));
    let found = listed.earnings.into_iter().find(|earning| earning.source == source);
    found.expect("an earning")
}

/// Four entries, 980 minutes, of which 600 may be invoiced; then a week in which the limit is lower.
async fn work_two_weeks(world: &World, contract: &str) {
    world.clock.set(at("2026-03-06T18:00:00Z")).expect("forwards");
    // Not in the order of time: that is what counts.
    for (start, end, tracked, description) in [
        ("2026-03-05T10:00:00Z", "2026-03-05T18:00:00Z", true, "Layout"),
        ("2026-03-03T10:00:00Z", "2026-03-03T15:00:00Z", true, "Drafts"),
        ("2026-03-04T10:00:00Z", "2026-03-04T12:20:00Z", false, ""),
        ("2026-03-06T17:00:00Z", "2026-03-06T18:00:00Z", true, "Proofs"),
    ] {
        let request = pb::AddTimeEntryRequest {
            tracked,
            description: description.to_owned(),
            ..time(contract, start, end)
        };
        add(world, request).await.expect("added");
    }
    limit(world, contract, 61).await.expect("lower from Monday");
    world.clock.set(at("2026-03-09T10:00:00Z")).expect("forwards");
    let second = time(contract, "2026-03-09T08:00:00Z", "2026-03-09T10:00:00Z");
    add(world, second).await.expect("added while the first week is open");
}

// F4, F5, F6, B6, B8, R7
async fn two_weeks_become_invoices_and_money(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(8_551), 600).await;
    work_two_weeks(&world, &contract.id).await;
    world.clock.set(at("2026-03-09T11:59:59.999999Z")).expect("forwards");
    assert_eq!(count(&world.db, "invoice").await, 0);
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    let listed = until_invoices(&world, ada, 1).await.remove(0);
    let first = invoice(&world, &listed.id).await;
    let expected = pb::Invoice {
        id: listed.id.clone(),
        contract_id: contract.id.clone(),
        client_id: contract.client_id.clone(),
        account_id: ada.to_string(),
        week_time: Some(to_wire_time(at("2026-03-02"))),
        rate: Some(usd(8_551)),
        weekly_limit_minutes: 600,
        minutes: 600,
        minutes_over: 380,
        amount: Some(usd(85_510)),
        state: State::Paid.into(),
        issue_time: Some(to_wire_time(at("2026-03-09T12:00:00Z"))),
        review_until_time: Some(to_wire_time(at("2026-03-13T23:59:59.999999Z"))),
        pay_time: Some(to_wire_time(at("2026-03-09T12:00:00Z"))),
        ..pb::Invoice::default()
    };
    assert_eq!(listed, expected);
    let lines: Vec<_> = first
        .lines
        .iter()
        .map(|line| {
            let amount = line.amount.as_ref().map_or(0, |amount| amount.minor_units);
            (
                line.minutes,
                line.minutes_over,
                amount,
                line.unprotected().collect::<Vec<_>>(),
            )
        })
        .collect();
    // 140 minutes alone would be 19,952; 160 alone 22,802: only the sum is rounded.
    let expected_lines = [
        (300, 0, 42_755, vec![]),
        (140, 0, 19_952, vec![Unprotected::NotTracked, Unprotected::NotDescribed]),
        (160, 320, 22_803, vec![]),
        (0, 60, 0, vec![Unprotected::OverLimit]),
    ];
    assert_eq!(lines, expected_lines);
    the_first_week_is_pending(&world, ada, &contract, &listed).await;
    world.clock.set(at("2026-03-16T12:00:00Z")).expect("forwards");
    let second = until_invoices(&world, ada, 2).await.remove(0);
    assert_eq!(
        (second.minutes, second.minutes_over, second.weekly_limit_minutes),
        (61, 59, 61)
    );
    assert_eq!(second.amount, Some(usd(8_693)), "floor of 8,693.51");
    let (gross, net) = (85_510 + 8_693, 85_510 + 8_693 - 9_420);
    assert_eq!(gross / 10, 9_420, "the fee is rounded on the contract's total");
    assert_eq!(world.balances(ada, "USD").await, [net, 0, 0]);
    world.clock.set(at("2026-03-17T23:59:59.999999Z")).expect("forwards");
    assert_eq!(world.balances(ada, "USD").await, [net, 0, 0]);
    world.clock.set(at("2026-03-18")).expect("forwards");
    world.until_balances(ada, "USD", [net - 76_959, 76_959, 0]).await;
    world.clock.set(at("2026-03-25")).expect("forwards");
    world.until_balances(ada, "USD", [0, net, 0]).await;
    assert_eq!(count(&world.db, "timer").await, 0, "nothing waits any more");
    world.stop().await;
}

/// What is told of the first week, and when its money will be there.
async fn the_first_week_is_pending(world: &World, ada: AccountId, contract: &pb::Contract, invoice: &pb::Invoice) {
    let earning = earning_of(world, ada, &invoice.id).await;
    assert_eq!((&earning.gross, &earning.fee), (&Some(usd(85_510)), &Some(usd(8_551))));
    assert_eq!(earning.occur_time, contract.start_time, "nothing was worked before");
    assert_eq!(earning.available_time, Some(to_wire_time(at("2026-03-18"))));
    let issued = pb::InvoiceIssued {
        invoice_id: invoice.id.clone(),
        contract_id: contract.id.clone(),
        client_id: contract.client_id.clone(),
        person_id: contract.person_id.clone(),
        account_id: ada.to_string(),
        amount: Some(usd(85_510)),
        week_time: invoice.week_time,
        issue_time: invoice.issue_time,
        period_start_time: None,
    };
    let paid = pb::InvoicePaid {
        invoice_id: invoice.id.clone(),
        contract_id: contract.id.clone(),
        client_id: contract.client_id.clone(),
        person_id: contract.person_id.clone(),
        account_id: ada.to_string(),
        amount: Some(usd(85_510)),
        earning_id: earning.id,
        pay_time: invoice.pay_time,
    };
    assert_eq!(told::<pb::InvoiceIssued>(&world.db).await, [issued]);
    assert_eq!(told::<pb::InvoicePaid>(&world.db).await, [paid]);
    let client = Party::ClientId(contract.client_id.clone());
    assert_eq!(
        list(world, client.clone(), &contract.id).await,
        slice::from_ref(invoice)
    );
    assert!(
        list(world, client, &contract.offer_id).await.is_empty(),
        "of no contract"
    );
}

// F5, F6: nobody was there on Monday. The week is invoiced as of then; the charge is made when it is made.
async fn a_late_close_counts_from_its_monday(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(6_000), 600).await;
    world.clock.set(at("2026-03-04T12:00:00Z")).expect("forwards");
    let worked = time(&contract.id, "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z");
    add(&world, worked).await.expect("added");
    // What is paused, or has ended, is still paid.
    pause(&world, &contract.id).await.expect("paused");
    end(&world, &contract.id).await.expect("ended");
    world.clock.set(at("2026-03-14T08:00:00Z")).expect("forwards");
    let invoice = until_invoices(&world, ada, 1).await.remove(0);
    assert_eq!(invoice.issue_time, Some(to_wire_time(at("2026-03-09T12:00:00Z"))));
    assert_eq!(invoice.pay_time, Some(to_wire_time(at("2026-03-14T08:00:00Z"))));
    let earning = earning_of(&world, ada, &invoice.id).await;
    assert_eq!(earning.occur_time, contract.start_time, "nothing was worked before");
    assert_eq!(
        earning.available_time,
        Some(to_wire_time(at("2026-03-19T08:00:00Z"))),
        "five days after the charge"
    );
    world.stop().await;
}

// F5
async fn a_week_without_time_becomes_no_invoice(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(6_000), 600).await;
    world.clock.set(at("2026-03-04T12:00:00Z")).expect("forwards");
    let worked = || time(&contract.id, "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z");
    let entry = add(&world, worked()).await.expect("added");
    remove(&world, &entry).await.expect("removed");
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    eventually("the timer has fired", SOON, async || {
        match count(&world.db, "timer").await {
            0 => Ok(()),
            waiting => Err(format!("{waiting} timers wait")),
        }
    })
    .await;
    assert_eq!(
        (count(&world.db, "invoice").await, count(&world.db, "outbox").await),
        (0, 1)
    );
    let unknown = pb::GetInvoiceRequest {
        invoice_id: InvoiceId::new().to_string(),
    };
    assert_eq!(
        refusal(world.invoices.clone().get_invoice(unknown).await).0,
        Code::NotFound
    );
    world.stop().await;
}

// F5
async fn many_weeks_close_together(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let mut contracts = Vec::new();
    for number in 0..20 {
        contracts.push(hourly(&world, PersonId::new(), ada, usd(6_000 + number), 600).await);
    }
    world.clock.set(at("2026-03-09T11:00:00Z")).expect("forwards");
    for contract in &contracts {
        for day in 3..6 {
            let (start, end) = (format!("2026-03-0{day}T10:00:00Z"), format!("2026-03-0{day}T11:00:00Z"));
            add(&world, time(&contract.id, &start, &end)).await.expect("added");
        }
    }
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    let invoices = until_invoices(&world, ada, 20).await;
    let mut amounts: Vec<i64> = invoices
        .iter()
        .filter_map(|i| i.amount.as_ref())
        .map(|a| a.minor_units)
        .collect();
    amounts.sort_unstable();
    assert_eq!(amounts, (0..20).map(|number| 3 * (6_000 + number)).collect::<Vec<_>>());
    assert_eq!(count(&world.db, "invoice_line").await, 60);
    let gross: i64 = amounts.iter().sum();
    let fees: i64 = amounts.iter().map(|amount| amount / 10).sum();
    world.until_balances(ada, "USD", [gross - fees, 0, 0]).await;
    world.clock.set(at("2026-03-18")).expect("forwards");
    world.until_balances(ada, "USD", [0, gross - fees, 0]).await;
    world.stop().await;
}

// F5: a contract whose total is full cannot be paid, which is nobody else's trouble.
async fn one_bad_week_does_not_hold_up_the_others(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, bob) = (AccountId::new(), AccountId::new());
    let full = hourly(&world, PersonId::new(), bob, usd(6_000), 600).await;
    let mut contracts = vec![full.clone()];
    for _ in 0..3 {
        contracts.push(hourly(&world, PersonId::new(), ada, usd(6_000), 600).await);
    }
    world.clock.set(at("2026-03-09T11:00:00Z")).expect("forwards");
    for contract in &contracts {
        let hour = time(&contract.id, "2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
        add(&world, hour).await.expect("added");
    }
    let total = |minor: i64| {
        format!(
            "UPDATE contract SET net_gross_minor = {minor} WHERE id = (SELECT id FROM contract ORDER BY id LIMIT 1)"
        )
    };
    assert_eq!(tried(&world.db, &total(i64::MAX - 5_999)).await, Ok(1));
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    until_invoices(&world, ada, 3).await;
    world.until_balances(ada, "USD", [16_200, 0, 0]).await;
    let waits = list(&world, Party::AccountId(bob.to_string()), "").await;
    assert_eq!(waits[0].state(), State::Open);
    world.until_balances(bob, "USD", [0, 0, 0]).await;
    // What was charged waits, and is earned when there is room.
    assert_eq!(tried(&world.db, &total(0)).await, Ok(1));
    world.clock.set(at("2026-03-09T14:00:00Z")).expect("forwards");
    world.until_balances(bob, "USD", [5_400, 0, 0]).await;
    let paid = until_invoices(&world, bob, 1).await;
    assert_eq!(paid[0].state(), State::Paid);
    world.stop().await;
}

// F5: currencies with no, two and three decimals.
async fn amounts_are_rounded_down_once_in_every_currency(database: TestDatabase) {
    let world = World::new(database).await;
    let cases: [(common::Money, i64); 4] = [
        (money("JPY", 1_999), 333),
        (usd(5_999), 999),
        (money("KWD", 12_345), 2_057),
        (money("JPY", 1), 0),
    ];
    let accounts = cases.each_ref().map(|_| AccountId::new());
    for ((rate, _), account) in cases.iter().zip(accounts) {
        let contract = hourly(&world, PersonId::new(), account, rate.clone(), 600).await;
        world.clock.set(at("2026-03-04T12:00:00Z")).expect("forwards");
        for minute in [10, 20, 30] {
            let start = format!("2026-03-04T10:{minute}:00Z");
            let end = format!("2026-03-04T10:{}:00Z", minute + if minute == 20 { 4 } else { 3 });
            add(&world, time(&contract.id, &start, &end)).await.expect("added");
        }
    }
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    for ((rate, amount), account) in cases.into_iter().zip(accounts) {
        let made = usize::from(amount > 0);
        let invoices = until_invoices(&world, account, made).await;
        let Some(listed) = invoices.first() else { continue };
        assert_eq!(listed.amount, Some(money(&rate.currency_code, amount)));
        let lines = invoice(&world, &listed.id).await.lines;
        let sum: i64 = lines
            .iter()
            .filter_map(|line| line.amount.as_ref())
            .map(|m| m.minor_units)
            .sum();
        assert_eq!(sum, amount, "{}", rate.currency_code);
    }
    world.stop().await;
}

// F5, F4: what the database itself refuses.
async fn an_invoice_cannot_be_wrong(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(8_551), 600).await;
    work_two_weeks(&world, &contract.id).await;
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    until_invoices(&world, ada, 1).await;
    for (sql, why) in [
        ("UPDATE invoice SET amount_minor = amount_minor + 1", "rounded_down"),
        (
            "UPDATE invoice SET minutes = 601, minutes_over = 0, amount_minor = 85652",
            "within_the_limit",
        ),
        (
            "UPDATE invoice SET minutes = 60, amount_minor = 8551",
            "leaves_out_what_is_over",
        ),
        ("UPDATE invoice SET week = week + 1", "invoice_week_begins_on_monday"),
        (
            "UPDATE invoice SET state = 'LOST'",
            "invoice_state_is_known|invoice_payment",
        ),
        ("UPDATE invoice SET paid_at = NULL", "invoice_payment_is_told"),
        ("UPDATE invoice_line SET amount_minor = 1", "append-only"),
        ("DELETE FROM invoice_line", "append-only"),
        ("DELETE FROM time_entry", "FOREIGN KEY|invoice_line_time_entry"),
        (
            "UPDATE time_entry SET tracked = NOT tracked, end_at = end_at - 60000000",
            "FOREIGN KEY|invoice_line_time_entry",
        ),
        ("UPDATE time_entry SET end_at = start_at", "time_entry_is_at_most_a_day"),
        (
            "UPDATE time_entry SET start_at = start_at + 1",
            "time_entry_is_whole_minutes",
        ),
        (
            "UPDATE time_entry SET week = week + 604800000000",
            "time_entry_lies_in_its_week",
        ),
        (
            "INSERT INTO invoice SELECT contract_id, contract_id, client_id, person_id, account_id, currency, week, \
             rate_minor, limit_minutes, minutes, minutes_over, amount_minor, state, paid_at, NULL, NULL FROM invoice",
            "invoice.contract_id|invoice_is_made_once",
        ),
        (
            "INSERT INTO earning SELECT contract_id, contract_id, source, source_id, client_id, person_id, account_id, \
             currency, gross_minor, fee_minor, 0, 0, 0, occurred_at, approved_at, available_at, NULL, review_until FROM earning",
            "earning.source|earning_is_made_once",
        ),
    ] {
        let answer = tried(&world.db, sql).await;
        let as_expected = |error: &String| why.split('|').any(|part| error.contains(part));
        assert!(answer.as_ref().is_err_and(as_expected), "{sql}: {answer:?}");
    }
    let unpaid = "UPDATE invoice SET state = 'UNPAID', paid_at = NULL";
    assert_eq!(tried(&world.db, unpaid).await, Ok(1), "the rest of it is right");
    world.stop().await;
}
