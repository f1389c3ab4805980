//! Documents: what stands in them, on whose side, and that long ones take no more memory than short ones.

use std::collections::HashMap;

use futures::StreamExt as _;
use sha2::{Digest, Sha256};
use tonic::{Code, Status, Streaming};
use vouch_payments::app::{
    documents::{Export, Format},
    ledger::StatementOf,
};
use vouch_primitives::{AccountId, Currency, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{
        self as pb, file_part::Part, list_invoices_request::Party, report_service_client::ReportServiceClient,
    },
};
use vouch_runtime::access::Caller;
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases, tools::resident_kib};

use crate::{
    hours::{add, hourly, time},
    pdf_text::text_of,
    statements::post,
    world::{SOON, World, app_at, at, milestones, money, refusal, request_id, start, usd},
};

on_both_databases! {
    a_statement_is_a_file,
    an_invoice_shows_the_fee_to_the_talent_alone,
    receipts_say_what_was_paid_for,
    invoices_are_a_table_that_is_no_formula,
    a_long_statement_comes_in_short_pieces,
}

/// The file that the parts come to, once its end is known to fit.
pub async fn file<R>(
    answer: Result<tonic::Response<Streaming<R>>, Status>,
    part: fn(R) -> Option<pb::FilePart>,
) -> Result<(pb::FileHead, Vec<u8>), Status> {
    let mut parts = answer?.into_inner();
    let (mut head, mut bytes, mut end) = (None, Vec::new(), None);
    while let Some(answer) = parts.next().await {
        assert!(end.is_none(), "nothing follows the end");
        match part(answer?).and_then(|part| part.part) {
            Some(Part::Head(told)) => head = Some(told),
            Some(Part::Data(piece)) => bytes.extend(piece),
            Some(Part::End(told)) => end = Some(told),
            None => panic!("an empty part"),
        }
    }
    let end = end.expect("an end");
    assert_eq!(
        (end.sha256, end.size),
        (
            Sha256::digest(&bytes).to_vec(),
            u64::try_from(bytes.len()).expect("small")
        )
    );
    Ok((head.expect("a head"), bytes))
}

async fn statement(world: &World, account: AccountId, format: pb::FileFormat) -> (pb::FileHead, Vec<u8>) {
    let request = pb::ExportStatementRequest {
        account_id: account.to_string(),
        currency_code: "USD".to_owned(),
        start_time: Some(to_wire_time(at("2026-03-01T00:00:00Z"))),
        end_time: Some(to_wire_time(at("2026-04-01T00:00:00Z"))),
        format: format.into(),
    };
    let answer = world.reports.clone().export_statement(request).await;
    file(answer, |answer| answer.part).await.expect("a statement")
}

/// Ids by the order in which they appear, as they are others each time.
pub fn named(text: &str) -> String {
    let mut names = HashMap::new();
    let mut named = String::new();
    for word in text.split_inclusive([',', ' ', '\n', '|', '\r']) {
        let bare = word.trim_end_matches([',', ' ', '\n', '|', '\r']);
        if bare.len() == 36 && bare.matches('-').count() == 4 {
            let next = names.len() + 1;
            named += &format!("id{}", names.entry(bare.to_owned()).or_insert(next));
            named += &word[bare.len()..];
        } else {
            named += word;
        }
    }
    named
}

// B2
async fn a_statement_is_a_file(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(125_000)).await;
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 112_500, 0]).await;
    world.refund(&earning.id, usd(25_000)).await.expect("refunded");
    world.clock.set(at("2026-04-02T00:00:00Z")).expect("forwards");
    let (head, csv) = statement(&world, ada, pb::FileFormat::Csv).await;
    assert_eq!(head.file_name, format!("statement-{ada}-USD-2026-03-01-2026-04-01.csv"));
    assert_eq!(head.media_type, "text/csv; charset=utf-8; header=present");
    let expected = "\
booked,happened,part,kind,amount,balance,currency,source,transfer\r
2026-03-01T00:00:00Z,,PENDING,OPENING_BALANCE,,0.00,USD,,\r
2026-03-01T00:00:00Z,,HELD,OPENING_BALANCE,,0.00,USD,,\r
2026-03-01T00:00:00Z,,AVAILABLE,OPENING_BALANCE,,0.00,USD,,\r
2026-03-01T00:00:00Z,,IN_TRANSIT,OPENING_BALANCE,,0.00,USD,,\r
2026-03-01T00:00:00Z,,RECEIVABLE,OPENING_BALANCE,,0.00,USD,,\r
2026-03-02T09:00:00Z,2026-03-02T09:00:00Z,PENDING,EARNING_APPROVED,1250.00,1250.00,USD,id1,id2\r
2026-03-02T09:00:00Z,2026-03-02T09:00:00Z,PENDING,SERVICE_FEE,-125.00,1125.00,USD,id1,id3\r
2026-03-07T09:00:00Z,2026-03-07T09:00:00Z,PENDING,EARNING_SETTLED,-1125.00,0.00,USD,id1,id4\r
2026-03-07T09:00:00Z,2026-03-07T09:00:00Z,AVAILABLE,EARNING_SETTLED,1125.00,1125.00,USD,id1,id4\r
2026-03-07T09:00:00Z,2026-03-07T09:00:00Z,AVAILABLE,SERVICE_FEE_RETURNED,25.00,1150.00,USD,id5,id6\r
2026-03-07T09:00:00Z,2026-03-07T09:00:00Z,AVAILABLE,REFUND,-250.00,900.00,USD,id5,id7\r
2026-04-01T00:00:00Z,,PENDING,CLOSING_BALANCE,,0.00,USD,,\r
2026-04-01T00:00:00Z,,HELD,CLOSING_BALANCE,,0.00,USD,,\r
2026-04-01T00:00:00Z,,AVAILABLE,CLOSING_BALANCE,,900.00,USD,,\r
2026-04-01T00:00:00Z,,IN_TRANSIT,CLOSING_BALANCE,,0.00,USD,,\r
2026-04-01T00:00:00Z,,RECEIVABLE,CLOSING_BALANCE,,0.00,USD,,\r
";
    assert_eq!(named(&String::from_utf8(csv).expect("text")), expected);
    let (head, pdf) = statement(&world, ada, pb::FileFormat::Pdf).await;
    assert_eq!(head.media_type, "application/pdf");
    let text = named(&text_of(&pdf).concat());
    let expected = "\
Statement in USD
Account | id1
From | 2026-03-01 00:00 UTC
Before | 2026-04-01 00:00 UTC
Opening balance
Pending | USD 0.00
Held | USD 0.00
Available | USD 0.00
On its way | USD 0.00
Owed | USD 0.00
";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("Earning approved") && text.contains(" | Available | -250.00 | 900.00\n"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "Available | USD 900.00\nOn its way | USD 0.00\nOwed | USD 0.00\nStatement of account id1 | Page 1\n"
        ),
        "{text}"
    );
    assert_eq!(
        statement(&world, ada, pb::FileFormat::Pdf).await.1,
        pdf,
        "the same data is the same file"
    );
    world.stop().await;
}

/// A week of 11 hours of which 10 may be invoiced, paid on the Monday after.
async fn invoiced(world: &World, account: AccountId, description: &str) -> pb::Invoice {
    let contract = hourly(world, PersonId::new(), account, usd(5_001), 600).await;
    world.clock.set(at("2026-03-06T20:00:00Z")).expect("forwards");
    for (day, tracked) in [("02", true), ("03", false)] {
        let from = format!("2026-03-{day}T10:00:00Z");
        let until = format!("2026-03-{day}T15:30:00Z");
        let entry = pb::AddTimeEntryRequest {
            tracked,
            description: description.to_owned(),
            ..time(&contract.id, &from, &until)
        };
        add(world, entry).await.expect("time");
    }
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    eventually("the invoice", SOON, async || {
        let request = pb::ListInvoicesRequest {
            party: Some(Party::AccountId(account.to_string())),
            ..Default::default()
        };
        let answer = world.invoices.clone().list_invoices(request).await;
        let mut invoices = answer.map_err(|status| status.to_string())?.into_inner().invoices;
        let paid = invoices
            .pop()
            .filter(|invoice| invoice.state() == pb::invoice::State::Paid);
        paid.ok_or_else(|| "not yet".to_owned())
    })
    .await
}

// B6, B8
async fn an_invoice_shows_the_fee_to_the_talent_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let invoice = invoiced(&world, AccountId::new(), "Drafts for Zoë, 10 % more (of all)").await;
    let request = pb::ExportInvoiceRequest {
        invoice_id: invoice.id.clone(),
    };
    let answer = world.reports.clone().export_invoice(request.clone()).await;
    let (head, pdf) = file(answer, |answer| answer.part).await.expect("an invoice");
    assert_eq!(head.file_name, format!("invoice-{}.pdf", invoice.id));
    let talents = named(&text_of(&pdf).concat());
    let client: vouch_primitives::ClientId = invoice.client_id.parse().expect("an id");
    let answer = ReportServiceClient::new(world.channel(Caller::Client(client)))
        .export_invoice(request.clone())
        .await;
    let (_, pdf) = file(answer, |answer| answer.part).await.expect("an invoice");
    let clients = named(&text_of(&pdf).concat());
    let expected = "\
Invoice for the week of 2026-03-02
Invoice | id1
Contract | id2
Client | id3
Account | id4
Week | 2026-03-02 to 2026-03-08
Issued | 2026-03-09 12:00 UTC
State | Paid on 2026-03-09 12:00 UTC
Rate for one hour | USD 50.01
Weekly limit | 10:00 hours
Time
From (UTC) | What was done | Hours | Left out | Protected | Amount
";
    assert!(clients.starts_with(expected), "{clients}");
    for line in ["5:30 | yes | 275.05\n", "4:30 | 1:00 | not tracked | 225.05\n"] {
        assert!(clients.contains(line), "{line}: {clients}");
    }
    assert!(clients.contains("Sum | 10:00 | 1:00 | USD 500.10\n"), "{clients}");
    assert!(
        clients.contains("Zoë") && clients.contains("Paid | USD 500.10\n"),
        "{clients}"
    );
    assert!(!clients.contains("Service fee"), "{clients}");
    assert!(
        talents.contains("Service fee | USD 50.01\nAfter the fee | USD 450.09\n"),
        "{talents}"
    );
    let stranger = Caller::Client(vouch_primitives::ClientId::new());
    let refused = ReportServiceClient::new(world.channel(stranger))
        .export_invoice(request)
        .await;
    assert_eq!(refusal(refused).0, Code::NotFound);
    world.stop().await;
}

async fn receipts_say_what_was_paid_for(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, money("KWD", 1_250_005)).await;
    let earning = world.earn(&milestones(&contract)[0].id).await;
    let receipt = async |earning_id: &str| {
        let request = pb::ExportReceiptRequest {
            earning_id: earning_id.to_owned(),
        };
        let answer = world.reports.clone().export_receipt(request).await;
        let (_, pdf) = file(answer, |answer| answer.part).await.expect("a receipt");
        text_of(&pdf).concat()
    };
    let text = receipt(&earning.id).await;
    for line in [
        "Receipt for a milestone\n",
        "Milestone | Translation\n",
        "Paid | KWD 1,250.005\n",
        "Service fee | KWD 125.000\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let request = pb::PayBonusRequest {
        request_id: request_id(),
        contract_id: contract.id.clone(),
        amount: Some(money("KWD", 7)),
        message: "谢谢, and thank you".to_owned(),
    };
    let bonus = world
        .bonuses
        .clone()
        .pay_bonus(request)
        .await
        .expect("a bonus")
        .into_inner();
    world.until_charged(&bonus.charge_id).await;
    let bonus = world.bonus(&bonus.bonus_payment.expect("a bonus").id).await;
    let text = receipt(&bonus.earning_id).await;
    assert!(
        text.contains("Given for | □□, and thank you\n") && text.contains("Paid | KWD 0.007\n"),
        "{text}"
    );
    assert!(
        text.contains("□ stands for a character that this document cannot show."),
        "{text}"
    );
    world.stop().await;
}

async fn invoices_are_a_table_that_is_no_formula(database: TestDatabase) {
    let world = World::new(database).await;
    let invoice = invoiced(&world, AccountId::new(), "=HYPERLINK(\"http://evil.example\")").await;
    let request = pb::ExportInvoicesRequest {
        client_id: invoice.client_id.clone(),
    };
    let answer = world.reports.clone().export_invoices(request).await;
    let (head, csv) = file(answer, |answer| answer.part).await.expect("invoices");
    assert_eq!(head.file_name, format!("invoices-{}.csv", invoice.client_id));
    let expected = "\
invoice,contract,account,week,issued,state,paid,rate,weekly_limit_minutes,minutes,minutes_over,amount,currency,period_start,period_end\r
id1,id2,id3,2026-03-02,2026-03-09T12:00:00Z,PAID,2026-03-09T12:00:00Z,50.01,600,600,60,500.10,USD,,\r
";
    assert_eq!(named(&String::from_utf8(csv).expect("text")), expected);
    world.stop().await;
}

/// All pieces of a statement, how large the largest of them is, and how much memory the process has by then.
async fn pieces(mut export: Export) -> (usize, usize, Vec<u8>) {
    let (mut many, mut most, mut bytes) = (0, 0, Vec::new());
    while let Some(piece) = export.next().await.expect("a piece") {
        most = most.max(piece.len());
        many += 1;
        bytes.extend(piece);
    }
    (many, most, bytes)
}

async fn a_long_statement_comes_in_short_pieces(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    for round in 1..=8 {
        post(&world.db, dana, start(), round, 400).await;
    }
    let app = app_at(&world.db, start().add_days(1));
    let of = StatementOf::all(dana, Currency::USD);
    let export = async |format| pieces(app.export_statement(of, format).await.expect("a file")).await;
    let (many, most, csv) = export(Format::Csv).await;
    let lines = String::from_utf8(csv).expect("text").lines().count() - 1 - 10;
    assert_eq!(lines, world.statement(dana, "USD", 100).await.len());
    assert!(
        lines > 2_000 && many > 4 && most < 200_000,
        "{many} pieces of at most {most}, {lines} lines"
    );
    let (many, most, pdf) = export(Format::Pdf).await;
    assert!(many > 4 && most < 200_000, "{many} pieces of at most {most}");
    let rows = text_of(&pdf)
        .concat()
        .lines()
        .filter(|line| line.contains("| Available |"))
        .count();
    assert_eq!(rows, lines);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a hundred thousand lines, some minutes"]
async fn long_a_hundred_thousand_lines_take_no_more_memory() {
    let world = World::new(TestDatabase::new(Engine::Sqlite).await).await;
    let dana = AccountId::new();
    let app = app_at(&world.db, start().add_days(1));
    let of = StatementOf::all(dana, Currency::USD);
    let mut held = Vec::new();
    for round in 1..=210 {
        post(&world.db, dana, start(), round, 600).await;
        if round != 20 && round != 210 {
            continue;
        }
        for format in [Format::Csv, Format::Pdf] {
            let mut export = app.export_statement(of, format).await.expect("a file");
            let (before, mut most, mut size) = (resident_kib(std::process::id()), 0, 0);
            while let Some(piece) = export.next().await.expect("a piece") {
                size += piece.len();
                most = most.max(resident_kib(std::process::id()).saturating_sub(before));
            }
            held.push((round, format, size, most));
        }
    }
    // Ten times the lines, and not twice the memory; a little is the places of the pages.
    for short in 0..2 {
        let (short, long) = (held[short], held[short + 2]);
        assert!(long.2 > 8 * short.2, "{held:?}");
        assert!(long.3 < 2 * short.3 + 8 * 1_024, "{held:?}");
    }
    world.stop().await;
}
