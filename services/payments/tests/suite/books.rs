//! What the database itself refuses, and what the trial balance finds.

use vouch_primitives::{AccountId, EventId, Uuid};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, tried},
    world::{World, money, released, usd},
};

on_both_databases! {
    what_was_booked_cannot_be_changed,
    money_cannot_be_wrong,
    the_trial_balance_finds_what_was_tampered_with,
}

async fn what_was_booked_cannot_be_changed(database: TestDatabase) {
    let world = World::new(database).await;
    let earning = world.earning_of(AccountId::new(), usd(1_000)).await;
    world.refund(&earning.id, usd(100)).await.expect("refunded");
    let dana = AccountId::new();
    world
        .hear(EventId::new(), &released(Uuid::from_u128(1), dana, usd(5), (1, 1)))
        .await;
    world.until_balances(dana, "USD", [0, 5, 0]).await;
    for (table, column) in [
        ("transfer", "amount_minor"),
        ("journal_entry", "event_at"),
        ("reversal", "amount_minor"),
        ("reward_posting", "difference_minor"),
    ] {
        let rows = count(&world.db, table).await;
        assert!(rows > 0, "{table} is empty");
        for change in [
            format!("UPDATE {table} SET {column} = {column} + 1"),
            format!("DELETE FROM {table}"),
        ] {
            let answer = tried(&world.db, &change).await;
            assert!(
                answer.as_ref().is_err_and(|e| e.contains("append-only")),
                "{change}: {answer:?}"
            );
        }
        assert_eq!(count(&world.db, table).await, rows);
    }
    world.stop().await;
}

async fn money_cannot_be_wrong(database: TestDatabase) {
    let world = World::new(database).await;
    let earning = world.earning_of(AccountId::new(), usd(1_000)).await;
    world.earning_of(AccountId::new(), money("JPY", 1_000)).await;
    let transfer = |amount: &str, currency: &str, from: &str, to: &str| {
        format!(
            "INSERT INTO transfer (id, entry_id, kind, debit_account_id, credit_account_id, currency, amount_minor) \
             SELECT (SELECT max_id.offer_id FROM contract max_id ORDER BY id LIMIT 1), (SELECT id FROM journal_entry \
             LIMIT 1), 'REFUND', (SELECT id FROM ledger_account WHERE kind = '{from}' AND currency = 'USD'), \
             (SELECT id FROM ledger_account WHERE kind = '{to}' AND currency = '{currency}'), 'USD', {amount}"
        )
    };
    let wrong = [
        (
            "UPDATE balance SET amount_minor = -1".to_owned(),
            "balance_is_not_negative",
        ),
        (
            "UPDATE earning SET refunded_minor = gross_minor + 1".to_owned(),
            "earning_is_refunded_at_most_once",
        ),
        ("UPDATE earning SET held_minor = -1".to_owned(), "earning_holds_no_debt"),
        ("UPDATE milestone SET state = 'FUNDED'".to_owned(), "milestone_"),
        (
            "UPDATE contract SET net_gross_minor = -1".to_owned(),
            "contract_total_is_not_negative",
        ),
        (transfer("0", "USD", "FEES", "CLEARING"), "transfer_amount_is_positive"),
        (transfer("1", "USD", "FEES", "FEES"), "transfer_has_two_accounts"),
        (
            transfer("1", "JPY", "FEES", "CLEARING"),
            "FOREIGN KEY|transfer_credit_account",
        ),
        (
            "INSERT INTO journal_entry SELECT (SELECT offer_id FROM contract LIMIT 1), source, source_id, subject_id, \
             event_at, created_at FROM journal_entry LIMIT 1"
                .to_owned(),
            "journal_entry.source|journal_entry_is_booked_once",
        ),
        (
            "INSERT INTO earning SELECT contract_id, contract_id, source, source_id, client_id, person_id, account_id, \
             currency, gross_minor, fee_minor, 0, 0, 0, occurred_at, approved_at, available_at, NULL, review_until FROM earning"
                .to_owned(),
            "earning.source|earning_is_made_once",
        ),
    ];
    for (sql, why) in wrong {
        let answer = tried(&world.db, &sql).await;
        let told = |error: &String| {
            why.split('|')
                .any(|part| error.to_lowercase().contains(&part.to_lowercase()))
        };
        assert!(answer.as_ref().is_err_and(told), "{sql}: {answer:?}");
    }
    assert_eq!(
        tried(&world.db, &transfer("1", "USD", "FEES", "CLEARING")).await,
        Ok(1),
        "the rest of it is right"
    );
    assert_eq!(world.earning(&earning.id).await, earning);
    world.stop().await;
}

async fn the_trial_balance_finds_what_was_tampered_with(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, kim) = (AccountId::new(), AccountId::new());
    world.earning_of(ada, usd(1_000)).await;
    world.earning_of(kim, money("JPY", 1_000)).await;
    let minor = |money: Option<vouch_proto::common::v1::Money>| money.map(|m| (m.currency_code, m.minor_units));
    let totals = async || -> Vec<_> {
        let totals = world.trial_balance().await.into_iter();
        totals
            .map(|total| {
                (
                    minor(total.imbalance).expect("money"),
                    total.wrong_balances,
                    total.transfers,
                )
            })
            .collect()
    };
    let sound = vec![(("JPY".to_owned(), 0), 0, 3), (("USD".to_owned(), 0), 0, 3)];
    assert_eq!(totals().await, sound);
    let change = |by: &str| {
        format!(
            "UPDATE balance SET amount_minor = amount_minor {by} 7 WHERE account_id = \
             (SELECT id FROM ledger_account WHERE kind = 'PENDING' AND currency = 'USD')"
        )
    };
    assert_eq!(tried(&world.db, &change("+")).await, Ok(1));
    assert_eq!(
        totals().await,
        [(("JPY".to_owned(), 0), 0, 3), (("USD".to_owned(), -7), 1, 3)]
    );
    assert_eq!(tried(&world.db, &change("-")).await, Ok(1));
    assert_eq!(totals().await, sound);
    world.stop().await;
}
