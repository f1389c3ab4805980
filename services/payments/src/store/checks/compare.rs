//! What is stored beside what transfers and postings have come to.

use sea_orm::{FromQueryResult, Statement, Value, entity::prelude::*};
use vouch_primitives::{Currency, Uuid};
use vouch_storage::StorageError;

use super::Run;
use crate::{
    domain::check::{Fault, Finding},
    store::{currency, kinds_without_balance},
};

/// Which balances are compared.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Of these accounts, at most a thousand.
    These(&'a [Uuid]),
    /// So many in ascending id, behind this one.
    Behind(Uuid, u64),
    /// Those that were found wrong.
    Wrong,
}

/// A subject, whether its amounts could be compared, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The ledger account, or the tie.
    pub subject: Uuid,
    /// Whether nothing has moved since; otherwise the amounts belong to two moments.
    pub at_rest: bool,
    /// What is wrong.
    pub finding: Option<Finding>,
}

/// Compares stored balances with the sums of a run, of accounts with a balance, where the run has followed the last
/// transfer. One statement sees one state: a balance is saved with its transfers.
///
/// # Errors
/// When the database fails.
pub async fn compare(conn: &impl ConnectionTrait, run: Run, which: Which<'_>) -> Result<Vec<Compared>, StorageError> {
    let mut values: Vec<Value> = vec![run.name().into()];
    let (condition, limit) = match which {
        Which::These(ids) => {
            values.extend(ids.iter().map(|id| Value::from(*id)));
            let places: Vec<String> = (2..ids.len() + 2).map(|place| format!("${place}")).collect();
            if places.is_empty() {
                return Ok(Vec::new());
            }
            (format!("a.id IN ({})", places.join(", ")), String::new())
        }
        Which::Behind(id, limit) => {
            values.push(id.into());
            ("a.id > $2".to_owned(), format!(" LIMIT {limit}"))
        }
        Which::Wrong => {
            let wrong = "a.id IN (SELECT subject_id FROM ledger_check_finding WHERE fault = 'BALANCE')";
            (wrong.to_owned(), String::new())
        }
    };
    let last = |side: &str| {
        format!(
            "COALESCE((SELECT position FROM transfer WHERE {side}_account_id = a.id \
             ORDER BY booked_at DESC, position DESC LIMIT 1), 0) AS last_{side}"
        )
    };
    let sql = format!(
        "SELECT a.id, a.currency, COALESCE(b.amount_minor, 0) AS stored, COALESCE(s.sum_minor, 0) AS followed, \
             c.checked_position, {}, {} \
         FROM ledger_account a JOIN ledger_check c ON c.run = $1 LEFT JOIN balance b ON b.account_id = a.id \
         LEFT JOIN ledger_check_sum s ON s.run = $1 AND s.account_id = a.id \
         WHERE a.kind NOT IN ({}) AND {condition} ORDER BY a.id{limit}",
        last("debit"),
        last("credit"),
        kinds_without_balance(),
    );
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let rows = BalanceRow::find_by_statement(statement).all(conn).await?;
    rows.into_iter().map(Compared::try_from).collect()
}

#[derive(FromQueryResult)]
struct BalanceRow {
    id: Uuid,
    currency: String,
    stored: i64,
    followed: i64,
    checked_position: i64,
    last_debit: i64,
    last_credit: i64,
}

impl TryFrom<BalanceRow> for Compared {
    type Error = StorageError;

    fn try_from(row: BalanceRow) -> Result<Self, StorageError> {
        let at_rest = row.last_debit.max(row.last_credit) <= row.checked_position;
        let finding = Finding {
            subject: row.id,
            fault: Fault::Balance,
            position: 0,
            currency: currency("ledger_account", &row.currency)?,
            expected_minor: row.followed,
            found_minor: row.stored,
        };
        let wrong = at_rest && row.stored != row.followed;
        Ok(Self {
            subject: row.id,
            at_rest,
            finding: wrong.then_some(finding),
        })
    }
}

/// Compares what was posted for ties with their postings: so many in ascending id, behind this one.
///
/// # Errors
/// When the database fails.
pub async fn compare_rewards(
    conn: &impl ConnectionTrait,
    behind: Uuid,
    limit: u64,
) -> Result<Vec<Compared>, StorageError> {
    let sql = format!(
        "SELECT t.tie_id, t.currency, t.posted_minor AS posted, COALESCE((SELECT CAST(SUM(p.difference_minor) AS bigint) \
             FROM reward_posting p WHERE p.tie_id = t.tie_id AND p.kind = t.kind AND p.currency = t.currency), 0) AS summed \
         FROM reward_total t WHERE t.tie_id IN (\
             SELECT DISTINCT tie_id FROM reward_total WHERE tie_id > $1 ORDER BY tie_id LIMIT {limit}) \
         ORDER BY t.tie_id, t.kind, t.currency"
    );
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, [behind.into()]);
    let rows = TieRow::find_by_statement(statement).all(conn).await?;
    rows.into_iter().map(Compared::try_from).collect()
}

#[derive(FromQueryResult)]
struct TieRow {
    tie_id: Uuid,
    currency: String,
    posted: i64,
    summed: i64,
}

impl TryFrom<TieRow> for Compared {
    type Error = StorageError;

    fn try_from(row: TieRow) -> Result<Self, StorageError> {
        let finding = Finding {
            subject: row.tie_id,
            fault: Fault::RewardTotal,
            position: 0,
            currency: currency("reward_total", &row.currency)?,
            expected_minor: row.summed,
            found_minor: row.posted,
        };
        Ok(Self {
            subject: row.tie_id,
            at_rest: true,
            finding: (row.posted != row.summed).then_some(finding),
        })
    }
}

/// What was paid for rewards in a currency, twice over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidRewards {
    /// The programme's account.
    pub account: Uuid,
    /// In which currency.
    pub currency: Currency,
    /// What its transfers have come to, those too that no run has followed yet.
    pub paid_minor: i64,
    /// What the totals of all ties say.
    pub posted_minor: i64,
}

/// What was paid for rewards, by currency code, in one statement that sees one state.
///
/// # Errors
/// When the database fails.
pub async fn paid_rewards(conn: &impl ConnectionTrait) -> Result<Vec<PaidRewards>, StorageError> {
    // Whose a new transfer is may not lead the planner to the index of a whole account.
    let sql = "SELECT a.id, a.currency, COALESCE((SELECT CAST(SUM(CASE WHEN t.debit_account_id = a.id THEN t.amount_minor \
                 WHEN t.credit_account_id = a.id THEN -t.amount_minor ELSE 0 END) AS bigint) \
                 FROM transfer t WHERE t.position > c.checked_position), 0) - COALESCE(s.sum_minor, 0) AS paid, \
             COALESCE((SELECT CAST(SUM(r.posted_minor) AS bigint) FROM reward_total r \
                 WHERE r.currency = a.currency AND r.kind <> 'CLIENT_REWARD'), 0) AS posted \
         FROM ledger_account a JOIN ledger_check c ON c.run = 'NEW' \
         LEFT JOIN ledger_check_sum s ON s.run = 'NEW' AND s.account_id = a.id \
         WHERE a.owner_id = $1 AND a.kind = 'REWARD_EXPENSE' ORDER BY a.currency";
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, [Uuid::nil().into()]);
    let rows = PaidRow::find_by_statement(statement).all(conn).await?;
    let read = |row: PaidRow| {
        Ok(PaidRewards {
            account: row.id,
            currency: currency("ledger_account", &row.currency)?,
            paid_minor: row.paid,
            posted_minor: row.posted,
        })
    };
    rows.into_iter().map(read).collect()
}

#[derive(FromQueryResult)]
struct PaidRow {
    id: Uuid,
    currency: String,
    paid: i64,
    posted: i64,
}
