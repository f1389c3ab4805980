//! Statements, and what there was at past moments, against a naive sum over everything.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use sea_orm::{ConnectionTrait, Statement};
use vouch_payments::{
    app::App,
    domain::{Release, RewardKey, RewardKind},
    store,
};
use vouch_primitives::{AccountId, Currency, Timestamp, Uuid};
use vouch_proto::{
    convert::{from_wire_time, to_wire_time},
    payments::v1 as pb,
};
use vouch_storage::{DatabaseConfig, Db, Txn};
use vouch_testkit::{Engine, TestDatabase, on_both_databases};

use crate::{
    tables::tried,
    world::{World, app_at, money, start},
};

on_both_databases! {
    any_period_opens_and_closes_with_what_was_there,
    a_clock_that_is_behind_books_nothing_into_the_past,
    the_past_is_looked_up_by_index,
}

/// Posts rewards of so many ties at a moment, each with a total of its own, up or down from what it was.
pub async fn post(db: &Db, account: AccountId, moment: Timestamp, round: i64, ties: u128) {
    let app = app_at(db, moment);
    let releases = releases(account, moment, round, ties);
    let (app, releases) = (&app, &releases);
    let work = |txn: Arc<Txn>| async move { app.on_rewards_released(&txn, releases).await };
    db.write_tx(work).await.expect("posted");
}

/// The same inside a transaction, the second round of one tie.
pub async fn post_in(txn: &Txn, app: &App, account: AccountId) -> Result<(), vouch_payments::error::Error> {
    app.on_rewards_released(txn, &releases(account, start(), 2, 1)).await
}

fn releases(account: AccountId, moment: Timestamp, round: i64, ties: u128) -> Vec<Release> {
    let release = |tie: u128| Release {
        key: RewardKey {
            tie_id: Uuid::new_v5(&account.as_uuid(), &tie.to_be_bytes()),
            kind: RewardKind::LifetimeShare,
            currency: Currency::USD,
        },
        account_id: account,
        cumulative_minor: i64::try_from(tie).expect("small") * (round % 7) * 31 % 997,
        epoch: 1,
        sequence: round,
        released_at: moment,
        funder: None,
    };
    (1..=ties).map(release).collect()
}

type Balances = BTreeMap<i32, i64>;

const PARTS: [pb::statement_line::Part; 5] = [
    pb::statement_line::Part::Pending,
    pb::statement_line::Part::Held,
    pb::statement_line::Part::Available,
    pb::statement_line::Part::InTransit,
    pb::statement_line::Part::Receivable,
];

fn by_part(balance: Option<pb::Balance>) -> Balances {
    let balance = balance.unwrap_or_default();
    let amounts = [
        balance.pending,
        balance.held,
        balance.available,
        balance.in_transit,
        balance.receivable,
    ];
    let minor = |amount: Option<vouch_proto::common::v1::Money>| amount.map_or(0, |money| money.minor_units);
    PARTS.map(i32::from).into_iter().zip(amounts.map(minor)).collect()
}

/// What lines come to; on the receivable a positive amount pays the debt down.
fn sum<'a>(lines: impl Iterator<Item = &'a pb::StatementLine>) -> Balances {
    let mut sums: Balances = PARTS.map(|part| (part.into(), 0)).into();
    for line in lines {
        let minor = line.amount.as_ref().map_or(0, |money| money.minor_units);
        let owed = line.part == i32::from(pb::statement_line::Part::Receivable);
        *sums.entry(line.part).or_insert(0) += if owed { -minor } else { minor };
    }
    sums
}

fn booked_at(line: &pb::StatementLine) -> Timestamp {
    from_wire_time(line.book_time.as_ref().expect("a moment")).expect("a moment")
}

async fn statement(
    world: &World,
    account: AccountId,
    [from, until]: [Timestamp; 2],
    page_size: u32,
) -> (Balances, Balances, Vec<pb::StatementLine>) {
    let (mut lines, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::GetStatementRequest {
            account_id: account.to_string(),
            currency_code: "USD".to_owned(),
            start_time: Some(to_wire_time(from)),
            end_time: Some(to_wire_time(until)),
            page_size,
            page_token,
        };
        let answer = world.reports.clone().get_statement(request).await;
        let page = answer.expect("a statement").into_inner();
        lines.extend(page.lines);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return (by_part(page.opening), by_part(page.closing), lines);
        }
    }
}

// B2
async fn any_period_opens_and_closes_with_what_was_there(database: TestDatabase) {
    let world = World::new(database).await;
    let (dana, kim) = (AccountId::new(), AccountId::new());
    let day = |day: u32| start().add_days(day);
    for round in 1..=12_i64 {
        // Some rounds share their moment with the one before.
        let moment = day(u32::try_from(round / 2).expect("small"));
        post(&world.db, dana, moment, round, 120).await;
        post(&world.db, kim, moment, round, 3).await;
    }
    world.clock.set(day(30)).expect("forwards");
    let all = world.statement(dana, "USD", 100).await;
    assert!(all.len() > 1_000, "{} lines", all.len());
    for (number, (from, until)) in (0..8)
        .flat_map(|from| (from..9).map(move |until| (from, until)))
        .enumerate()
    {
        let period = [day(from), day(until)];
        let page_size = [100, 99, 7][number % 3];
        if page_size == 7 && until - from > 2 {
            continue;
        }
        let (opening, closing, lines) = statement(&world, dana, period, page_size).await;
        let before = |moment| sum(all.iter().filter(|line| booked_at(line) < moment));
        assert_eq!(opening, before(period[0]), "opening of {period:?}");
        assert_eq!(closing, before(period[1]), "closing of {period:?}");
        let expected: Vec<_> = all
            .iter()
            .filter(|line| period[0] <= booked_at(line) && booked_at(line) < period[1])
            .collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), expected, "lines of {period:?}");
    }
    // What was there at a moment is what was there with all that was booked at it.
    for of in 0..8 {
        let request = pb::GetBalancesRequest {
            account_id: dana.to_string(),
            as_of_time: Some(to_wire_time(day(of))),
        };
        let answer = world.ledger.clone().get_balances(request).await.expect("balances");
        let expected = sum(all.iter().filter(|line| booked_at(line) <= day(of)));
        assert_eq!(by_part(answer.into_inner().balances.pop()), expected, "at day {of}");
    }
    let never = pb::GetStatementRequest {
        account_id: AccountId::new().to_string(),
        currency_code: "KWD".to_owned(),
        ..Default::default()
    };
    let empty = world
        .reports
        .clone()
        .get_statement(never)
        .await
        .expect("a statement")
        .into_inner();
    assert_eq!(empty.opening.and_then(|of| of.available), Some(money("KWD", 0)));
    assert_eq!((empty.lines.len(), empty.next_page_token.as_str()), (0, ""));
    world.stop().await;
}

async fn a_clock_that_is_behind_books_nothing_into_the_past(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    post(&world.db, dana, start().add_days(2), 1, 1).await;
    post(&world.db, dana, start().add_days(1), 2, 1).await;
    world.clock.set(start().add_days(3)).expect("forwards");
    let lines = world.statement(dana, "USD", 100).await;
    let moments: Vec<_> = lines.iter().map(booked_at).collect();
    assert_eq!(moments, [start().add_days(2); 2]);
    world.stop().await;
}

/// What the database says about how it will carry these out, as they are meant for one account or for all.
async fn plans(db: &Db, statements: &[Statement]) -> String {
    let explain = if db.backend() == sea_orm::DbBackend::Sqlite {
        "EXPLAIN QUERY PLAN"
    } else {
        "EXPLAIN"
    };
    let mut plans = String::new();
    for statement in statements {
        let values = statement.values.clone().map_or_else(Vec::new, |values| values.0);
        let asked = Statement::from_sql_and_values(db.backend(), format!("{explain} {}", statement.sql), values);
        for row in db.reader().query_all_raw(asked).await.expect("a plan") {
            let column = if db.backend() == sea_orm::DbBackend::Sqlite {
                3
            } else {
                0
            };
            plans += &row.try_get_by_index::<String>(column).expect("text");
            plans.push('\n');
        }
    }
    plans
}

async fn the_past_is_looked_up_by_index(database: TestDatabase) {
    let config = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 5,
    };
    let (world, engine) = (World::new(database).await, database_engine(&config));
    let dana = AccountId::new();
    for round in 1..=4 {
        post(
            &world.db,
            dana,
            start().add_days(u32::try_from(round).expect("small")),
            round,
            300,
        )
        .await;
        post(&world.db, AccountId::new(), start(), 1, 100).await;
    }
    tried(&world.db, "ANALYZE").await.expect("statistics");
    let tape: Arc<Mutex<Vec<Statement>>> = Arc::default();
    let seen = Arc::clone(&tape);
    let observe = move |statement: &Statement| seen.lock().expect("sound").push(statement.clone());
    let db = Db::connect_observed(&config, observe).await.expect("a database");
    let taped = || std::mem::take(&mut *tape.lock().expect("sound"));
    let moment = start().add_days(3);
    store::statements::balances_before(db.reader(), dana, moment)
        .await
        .expect("balances");
    let of_account = taped();
    assert_eq!(of_account.len(), 1, "one statement");
    let period = vouch_payments::domain::Period {
        from: moment,
        until: start().add_days(9),
    };
    let page = vouch_proto::Page { size: 100, after: None };
    store::statements::lines(db.reader(), dana, Currency::USD, period, page)
        .await
        .expect("lines");
    let of_lines = taped();
    store::availability::earnings(db.reader(), dana, None, 10)
        .await
        .expect("earnings");
    let of_waiting = taped();
    for statements in [&of_account, &of_lines[..1].to_vec()] {
        let plan = plans(&world.db, statements).await;
        for index in ["transfer_of_debit_account", "transfer_of_credit_account"] {
            assert!(plan.contains(index), "{engine:?} without {index}: {plan}");
        }
    }
    let plan = plans(&world.db, &of_account).await;
    for scan in ["SCAN transfer", "Seq Scan on transfer"] {
        assert!(!plan.contains(scan), "{engine:?} scans: {plan}");
    }
    if engine == Engine::Sqlite {
        let plan = plans(&world.db, &of_waiting).await;
        assert!(plan.contains("earning_waiting"), "{plan}");
    }
    db.close().await.expect("closed");
    world.stop().await;
}

fn database_engine(config: &DatabaseConfig) -> Engine {
    if config.url.starts_with("sqlite:") {
        Engine::Sqlite
    } else {
        Engine::Postgres
    }
}
