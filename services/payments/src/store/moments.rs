//! The whole ledger at a past moment, without reading all of it.

use std::collections::BTreeMap;

use sea_orm::{FromQueryResult, Statement, entity::prelude::*};
use vouch_primitives::{Money, Timestamp};
use vouch_storage::StorageError;

use super::{currency, kinds_without_balance, statements::HELD_BEFORE};
use crate::domain::{CurrencyTotals, LedgerAccountKind, account::Side};

/// What there was of each kind of money before a moment, by currency code. Of an account with a balance that is what its
/// last transfer has noted. Of the platform's it is the sum of all days before, as far as they have been followed
/// ([`super::checks`]), of what is not followed yet, and of the day itself.
///
/// # Errors
/// When the database fails.
pub async fn trial_balance_before(
    conn: &impl ConnectionTrait,
    moment: Timestamp,
) -> Result<Vec<CurrencyTotals>, StorageError> {
    let (of_people, of_platform) = (of_people(), of_platform());
    let sql = format!("{of_people} UNION ALL {of_platform} ORDER BY currency");
    let values = [moment.as_micros().into(), moment.start_of_day().as_micros().into()];
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let mut by_currency: BTreeMap<String, CurrencyTotals> = BTreeMap::new();
    for row in KindRow::find_by_statement(statement).all(conn).await? {
        let kind = LedgerAccountKind::ALL.into_iter().find(|kind| kind.name() == row.kind);
        let (Some(kind), currency) = (kind, currency("ledger_account", &row.currency)?) else {
            continue;
        };
        let totals = by_currency.entry(row.currency).or_insert_with(|| CurrencyTotals {
            imbalance: Money::zero(currency),
            kinds: Vec::new(),
        });
        totals.kinds.push((kind, Money::new(row.amount, currency)));
        totals.imbalance.minor -= match kind.normal_side() {
            Side::Credit => row.amount,
            Side::Debit => -row.amount,
        };
    }
    Ok(by_currency.into_values().collect())
}

fn of_people() -> String {
    format!(
        "SELECT kind, currency, CAST(SUM(amount) AS bigint) AS amount FROM (\
             SELECT a.kind AS kind, a.currency AS currency, {HELD_BEFORE} AS amount FROM ledger_account a \
             WHERE a.kind NOT IN ({})\
         ) held GROUP BY kind, currency",
        kinds_without_balance()
    )
}

fn of_platform() -> String {
    let side = |side: &str| {
        format!(
            "COALESCE((SELECT CAST(SUM(t.amount_minor) AS bigint) FROM transfer t \
             WHERE t.{side}_account_id = a.id AND t.booked_at >= $2 AND t.booked_at < $1), 0)"
        )
    };
    format!(
        "SELECT a.kind AS kind, a.currency AS currency, \
             COALESCE((SELECT CAST(SUM(d.sum_minor) AS bigint) FROM ledger_check_day d \
                 WHERE d.account_id = a.id AND d.day < $2), 0) \
             + COALESCE((SELECT CAST(SUM(CASE WHEN t.credit_account_id = a.id THEN t.amount_minor \
                 WHEN t.debit_account_id = a.id THEN -t.amount_minor ELSE 0 END) AS bigint) \
                 FROM transfer t WHERE t.position > c.checked_position AND t.booked_at < $2), 0) \
             + {} - {} AS amount \
         FROM ledger_account a JOIN ledger_check c ON c.run = 'NEW' \
         WHERE a.kind IN ({})",
        side("credit"),
        side("debit"),
        kinds_without_balance(),
    )
}

#[derive(FromQueryResult)]
struct KindRow {
    kind: String,
    currency: String,
    amount: i64,
}
