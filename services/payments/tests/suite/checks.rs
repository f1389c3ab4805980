//! The check of the books: it follows what is new, skips nothing, and finds what is wrong.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::oneshot;
use vouch_payments::app::audit::Audit;
use vouch_primitives::{AccountId, Timestamp};
use vouch_proto::{convert::to_wire_time, payments::v1 as pb, payments::v1::ledger_finding::Fault};
use vouch_storage::{StorageError, Txn};
use vouch_testkit::{TestDatabase, eventually, on_both_databases, tables::rows};

use crate::{
    statements::{post, post_in},
    tables::tried,
    world::{SOON, World, app_at, request_id, start, usd},
};

on_both_databases! {
    sound_books_are_checked_to_their_end,
    whatever_is_tampered_with_is_found,
    transfers_that_no_book_has_made_are_found,
    a_place_that_becomes_visible_late_is_not_skipped,
    the_trial_balance_of_any_moment_is_what_was_booked_by_then,
}

fn audit(world: &World) -> Audit {
    Audit::new(app_at(&world.db, start()))
}

async fn told(world: &World) -> pb::GetLedgerCheckResponse {
    let answer = world
        .audits
        .clone()
        .get_ledger_check(pb::GetLedgerCheckRequest {})
        .await;
    answer.expect("a check").into_inner()
}

/// Looks until all is checked that is there, and everything once more; the service itself looks as well.
async fn checked(world: &World, audit: &Audit) -> pb::GetLedgerCheckResponse {
    eventually("the check", SOON, async || {
        audit.check().await.map_err(|error| error.to_string())?;
        let told = told(world).await;
        let is_done = told.checked_position == told.last_position && told.all_end_time.is_some();
        if is_done { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await
}

/// Has everything checked again, and waits for it.
async fn checked_anew(world: &World, audit: &Audit) -> Vec<(Fault, i64, i64)> {
    let request = pb::CheckLedgerRequest {
        request_id: request_id(),
    };
    world.audits.clone().check_ledger(request).await.expect("begun");
    faults(&checked(world, audit).await)
}

fn faults(told: &pb::GetLedgerCheckResponse) -> Vec<(Fault, i64, i64)> {
    let minor = |money: &Option<vouch_proto::common::v1::Money>| money.as_ref().map_or(0, |money| money.minor_units);
    let mut faults: Vec<_> = told
        .findings
        .iter()
        .map(|finding| (finding.fault(), minor(&finding.expected), minor(&finding.found)))
        .collect();
    faults.sort_by_key(|(fault, expected, _)| (i32::from(*fault), *expected));
    faults
}

async fn sound_books_are_checked_to_their_end(database: TestDatabase) {
    let world = World::new(database).await;
    let audit = audit(&world);
    let nothing = checked(&world, &audit).await;
    assert_eq!((nothing.last_position, nothing.findings), (0, vec![]));
    let earning = world.earning_of(AccountId::new(), usd(100_000)).await;
    world.refund(&earning.id, usd(333)).await.expect("refunded");
    let dana = AccountId::new();
    // More than one batch, and so that something is owed in between.
    for round in 1..=9 {
        post(&world.db, dana, start(), round, 300).await;
    }
    // What is followed of everything ends where the new has been followed to. The service's own first look may come late,
    // and begins once more.
    checked(&world, &audit).await;
    assert_eq!(checked_anew(&world, &audit).await, []);
    let told = checked(&world, &audit).await;
    assert!(told.last_position > 2_000, "{told:?}");
    assert_eq!(told.all_checked_position, told.last_position);
    assert_eq!(told.findings, []);
    world.stop().await;
}

/// Lets the database change what was booked, which it refuses otherwise.
async fn forge(world: &World, sql: &str) {
    let off = if world.db.backend() == sea_orm::DbBackend::Sqlite {
        "DROP TRIGGER IF EXISTS transfer_refuses_UPDATE"
    } else {
        "DROP TRIGGER IF EXISTS transfer_is_append_only ON transfer"
    };
    tried(&world.db, off).await.expect("forged");
    assert_eq!(tried(&world.db, sql).await, Ok(1), "{sql}");
}

async fn whatever_is_tampered_with_is_found(database: TestDatabase) {
    let world = World::new(database).await;
    let audit = audit(&world);
    world.earning_of(AccountId::new(), usd(1_000)).await;
    let dana = AccountId::new();
    post(&world.db, dana, start(), 1, 1).await;
    assert_eq!(checked_anew(&world, &audit).await, []);
    let balance = |by: &str| {
        format!(
            "UPDATE balance SET amount_minor = amount_minor {by} 7 WHERE account_id IN \
            (SELECT id FROM ledger_account WHERE kind = 'PENDING' AND currency = 'USD') AND amount_minor >= 900"
        )
    };
    // A balance of which nothing has moved is found in turn, and what was mended is forgotten.
    assert_eq!(tried(&world.db, &balance("+")).await, Ok(1));
    let told_faults = async || {
        audit.check().await.expect("checked");
        faults(&told(&world).await)
    };
    assert_eq!(told_faults().await, [(Fault::Balance, 900, 907)]);
    assert_eq!(told_faults().await, [(Fault::Balance, 900, 907)]);
    assert_eq!(tried(&world.db, &balance("-")).await, Ok(1));
    assert_eq!(told_faults().await, []);
    // What was posted for a tie.
    assert_eq!(
        tried(&world.db, "UPDATE reward_total SET posted_minor = posted_minor + 5").await,
        Ok(1)
    );
    assert_eq!(
        told_faults().await,
        [(Fault::Rewards, 36, 31), (Fault::RewardTotal, 31, 36)]
    );
    assert_eq!(
        tried(&world.db, "UPDATE reward_total SET posted_minor = posted_minor - 5").await,
        Ok(1)
    );
    assert_eq!(told_faults().await, []);
    world.stop().await;
}

async fn transfers_that_no_book_has_made_are_found(database: TestDatabase) {
    let world = World::new(database).await;
    let audit = audit(&world);
    world.earning_of(AccountId::new(), usd(1_000)).await;
    assert_eq!(checked_anew(&world, &audit).await, []);
    let of = |kind: &str| format!("(SELECT id FROM ledger_account WHERE kind = '{kind}' AND currency = 'USD')");
    let of_pending = "(SELECT b.account_id FROM balance b JOIN ledger_account a ON a.id = b.account_id \
        WHERE a.kind = 'PENDING' AND b.amount_minor = 900)";
    // What is new is found at once.
    let unsound = format!(
        "INSERT INTO transfer (id, entry_id, kind, debit_account_id, credit_account_id, currency, amount_minor, \
             credit_balance_after, booked_at) \
         SELECT (SELECT offer_id FROM contract), (SELECT id FROM journal_entry LIMIT 1), 'REFUND', {}, \
             {of_pending}, 'USD', 5, 910, (SELECT MAX(booked_at) FROM transfer)",
        of("CLEARING"),
    );
    assert_eq!(tried(&world.db, &unsound).await, Ok(1));
    let expected = [(Fault::Balance, 905, 900), (Fault::BalanceAfter, 905, 910)];
    assert_eq!(faults(&checked(&world, &audit).await), expected);
    // What was checked before and changed since is found by the check of everything.
    forge(
        &world,
        "UPDATE transfer SET amount_minor = 999 WHERE kind = 'EARNING_APPROVED'",
    )
    .await;
    let found = checked_anew(&world, &audit).await;
    let of_transfers: Vec<_> = found
        .iter()
        .filter(|(fault, ..)| *fault == Fault::BalanceAfter)
        .collect();
    // The escrow that it leaves, the pending money that it raises, and the unsound one.
    assert_eq!(
        of_transfers,
        [
            &(Fault::BalanceAfter, 1, 0),
            &(Fault::BalanceAfter, 905, 910),
            &(Fault::BalanceAfter, 999, 1_000)
        ]
    );
}

async fn a_place_that_becomes_visible_late_is_not_skipped(database: TestDatabase) {
    let on_sqlite = database.url().starts_with("sqlite:");
    let world = World::new(database).await;
    let audit = audit(&world);
    let (ada, kim) = (AccountId::new(), AccountId::new());
    post(&world.db, ada, start(), 1, 1).await;
    post(&world.db, kim, start(), 1, 1).await;
    let before = checked(&world, &audit).await.checked_position;
    if on_sqlite {
        // One writer: places become visible in their order.
        world.stop().await;
        return;
    }
    let (written, is_written) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    let once = Arc::new(std::sync::Mutex::new(Some((written, may_go_on))));
    let (db, late) = (world.db.clone(), Arc::clone(&once));
    // A transaction has taken the next places, and does not end.
    let slow = tokio::spawn(async move {
        let app = app_at(&db, start());
        let (late, late_app) = (&late, &app);
        db.write_tx(|txn: Arc<Txn>| async move {
            post_in(&txn, late_app, ada).await.expect("posted");
            let taken = late.lock().expect("sound").take();
            if let Some((written, may_go_on)) = taken {
                written.send(()).expect("somebody waits");
                may_go_on.await.expect("a word");
            }
            Ok::<_, StorageError>(())
        })
        .await
    });
    is_written.await.expect("written");
    post(&world.db, kim, start(), 2, 1).await;
    for _ in 0..3 {
        audit.check().await.expect("checked");
    }
    let told_now = told(&world).await;
    assert!(told_now.last_position > before + 1, "a later place is visible");
    assert_eq!(told_now.checked_position, before, "nothing is skipped");
    go_on.send(()).expect("somebody waits");
    slow.await.expect("no panic").expect("committed");
    let told = checked(&world, &audit).await;
    assert_eq!(told.findings, [], "and the late one was followed");
    world.stop().await;
}

async fn kinds_at(world: &World, moment: Timestamp) -> BTreeMap<String, i64> {
    let request = pb::GetTrialBalanceAtRequest {
        as_of_time: Some(to_wire_time(moment)),
    };
    let answer = world
        .audits
        .clone()
        .get_trial_balance_at(request)
        .await
        .expect("totals");
    let mut kinds = BTreeMap::new();
    for totals in answer.into_inner().totals {
        let imbalance = totals.imbalance.expect("money");
        assert_eq!(imbalance.minor_units, 0, "{moment}");
        for kind in totals.kinds {
            let amount = kind.amount.expect("money");
            if amount.minor_units != 0 {
                kinds.insert(format!("{} {}", kind.kind, amount.currency_code), amount.minor_units);
            }
        }
    }
    kinds
}

/// The same, summed over everything.
async fn naive(world: &World, moment: Timestamp) -> BTreeMap<String, i64> {
    let sql = format!(
        "SELECT a.kind, a.currency, CAST(SUM(CASE WHEN (t.credit_account_id = a.id) = (a.kind <> 'RECEIVABLE') \
             THEN t.amount_minor ELSE -t.amount_minor END) AS bigint) FROM ledger_account a \
         JOIN transfer t ON t.debit_account_id = a.id OR t.credit_account_id = a.id \
         JOIN journal_entry e ON e.id = t.entry_id WHERE e.created_at <= {} GROUP BY a.kind, a.currency",
        moment.as_micros()
    );
    let mut kinds = BTreeMap::new();
    for row in rows(&world.db, sql).await {
        let text = |at| row.try_get_by_index::<String>(at).expect("text");
        let amount: i64 = row.try_get_by_index(2).expect("a number");
        if amount != 0 {
            kinds.insert(format!("{} {}", text(0), text(1)), amount);
        }
    }
    kinds
}

async fn the_trial_balance_of_any_moment_is_what_was_booked_by_then(database: TestDatabase) {
    let world = World::new(database).await;
    let audit = audit(&world);
    let dana = AccountId::new();
    let hours = |hours: u64| start().saturating_add(std::time::Duration::from_secs(3_600 * hours));
    let earning = world.earning_of(AccountId::new(), usd(100_000)).await;
    world.refund(&earning.id, usd(333)).await.expect("refunded");
    for round in 1..=8_i64 {
        post(
            &world.db,
            dana,
            hours(7 * u64::try_from(round).expect("small")),
            round,
            40,
        )
        .await;
        if round == 5 {
            checked(&world, &audit).await;
        }
    }
    // Behind the place that is checked, before it, and in the middle of a day.
    for _ in 0..2 {
        for hour in (0..64).step_by(5) {
            assert_eq!(
                kinds_at(&world, hours(hour)).await,
                naive(&world, hours(hour)).await,
                "hour {hour}"
            );
        }
        checked(&world, &audit).await;
    }
    assert!(
        kinds_at(&world, start().saturating_sub(std::time::Duration::from_secs(1)))
            .await
            .is_empty()
    );
    world.stop().await;
}
