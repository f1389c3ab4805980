//! The ledger as it is read: balances, now and at past moments, statement lines, the trial balance.

use std::collections::BTreeMap;

use sea_orm::{
    ExprTrait as _, FromQueryResult, QueryOrder, QuerySelect, QueryTrait as _, Statement, Value,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, UnionType},
};
use vouch_primitives::{AccountId, ClientId, Currency, Money, Timestamp, TransferId};
use vouch_proto::Page;
use vouch_storage::StorageError;

use super::{
    currency, kinds_of_debts,
    ledger::entity::{account, balance, entry, transfer},
    time, unreadable,
};
use crate::domain::{
    Balances, CurrencyTotal, Debts, LedgerAccount, LedgerAccountKind, Part, Period, StatementLine,
    statement::LinePosition,
};

/// What the ledger account `a` held before the moment `$1`: two look-ups by index, of the last transfers that it was
/// debited and credited by. What it held stands in the later one.
pub(super) const HELD_BEFORE: &str = "COALESCE((SELECT last.held FROM (\
        SELECT * FROM (SELECT booked_at, position, debit_balance_after AS held FROM transfer \
            WHERE debit_account_id = a.id AND booked_at < $1 ORDER BY booked_at DESC, position DESC LIMIT 1) debit \
        UNION ALL \
        SELECT * FROM (SELECT booked_at, position, credit_balance_after AS held FROM transfer \
            WHERE credit_account_id = a.id AND booked_at < $1 ORDER BY booked_at DESC, position DESC LIMIT 1) credit\
    ) last ORDER BY last.booked_at DESC, last.position DESC LIMIT 1), 0)";

/// The balances of an account, by currency code; empty if it never had money.
///
/// # Errors
/// When the database fails.
pub async fn balances(conn: &impl ConnectionTrait, account: AccountId) -> Result<Vec<Balances>, StorageError> {
    let sql = "SELECT a.kind, a.currency, b.amount_minor AS amount \
        FROM ledger_account a JOIN balance b ON b.account_id = a.id WHERE a.owner_id = $1";
    of_owner(conn, sql, vec![account.as_uuid().into()]).await
}

/// The balances of an account as they were before a moment, by currency code.
///
/// # Errors
/// When the database fails.
pub async fn balances_before(
    conn: &impl ConnectionTrait,
    account: AccountId,
    moment: Timestamp,
) -> Result<Vec<Balances>, StorageError> {
    let sql = format!("SELECT a.kind, a.currency, {HELD_BEFORE} AS amount FROM ledger_account a WHERE a.owner_id = $2");
    of_owner(conn, &sql, vec![moment.as_micros().into(), account.as_uuid().into()]).await
}

/// One page of the movements of an account's money in one currency, in the order in which they were booked.
///
/// # Errors
/// When the database fails.
pub async fn lines(
    conn: &impl ConnectionTrait,
    account: AccountId,
    currency: Currency,
    period: Period,
    page: Page<LinePosition>,
) -> Result<Vec<StatementLine>, StorageError> {
    let parts: BTreeMap<Uuid, Part> = Part::ALL
        .map(|part| (LedgerAccount::of(account, part.kind(), currency).id(), part))
        .into();
    let (size, after) = (page.limit(), page.after);
    let Some(positions) = positions(&parts, period, after, size + 1) else {
        return Ok(Vec::new());
    };
    let transfers = transfer::Entity::find()
        .filter(transfer::Column::Position.in_subquery(positions))
        .order_by_asc(transfer::Column::BookedAt)
        .order_by_asc(transfer::Column::Position)
        .limit(size + 1)
        .all(conn)
        .await?;
    // An entry never changes, so that it does not matter that it is read later.
    let entries = entry::Entity::find()
        .filter(entry::Column::Id.is_in(transfers.iter().map(|row| row.entry_id)))
        .all(conn)
        .await?;
    let entries: BTreeMap<Uuid, entry::Model> = entries.into_iter().map(|row| (row.id, row)).collect();
    let mut lines = Vec::new();
    for row in &transfers {
        let entry = entries
            .get(&row.entry_id)
            .ok_or_else(|| unreadable("transfer", row.id))?;
        for credit in [false, true] {
            lines.extend(line(row, entry, &parts, currency, credit)?);
        }
    }
    lines.retain(|line| after.is_none_or(|after| line.position > after));
    lines.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(lines)
}

/// Sums the whole ledger, by currency code.
///
/// # Errors
/// When the database fails.
pub async fn trial_balance(conn: &impl ConnectionTrait) -> Result<Vec<CurrencyTotal>, StorageError> {
    let sql = TRIAL_BALANCE.replace("DEBTS", &kinds_of_debts());
    let statement = Statement::from_string(conn.get_database_backend(), sql);
    let rows = TrialRow::find_by_statement(statement).all(conn).await?;
    rows.into_iter().map(CurrencyTotal::try_from).collect()
}

/// One statement, so that it sees one state of the ledger. Sums leave as text: PostgreSQL's have no limit.
const TRIAL_BALANCE: &str = "\
    WITH leg AS (\
        SELECT debit_account_id AS account_id, -amount_minor AS amount FROM transfer \
        UNION ALL SELECT credit_account_id, amount_minor FROM transfer\
    ), booked AS (\
        SELECT account_id, SUM(amount) AS amount FROM leg GROUP BY account_id\
    ), stored AS (\
        SELECT a.id, a.currency, COALESCE(s.amount, 0) AS booked, \
            CASE WHEN a.kind IN (DEBTS) THEN -b.amount_minor ELSE b.amount_minor END AS stored \
        FROM ledger_account a LEFT JOIN booked s ON s.account_id = a.id LEFT JOIN balance b ON b.account_id = a.id\
    ) \
    SELECT currency, CAST(-SUM(COALESCE(stored, booked)) AS TEXT) AS imbalance, \
        COUNT(CASE WHEN stored <> booked THEN 1 END) AS wrong_balances, \
        (SELECT COUNT(*) FROM transfer t WHERE t.currency = stored.currency) AS transfers \
    FROM stored GROUP BY currency ORDER BY currency";

#[derive(FromQueryResult)]
struct TrialRow {
    currency: String,
    imbalance: String,
    wrong_balances: i64,
    transfers: i64,
}

impl TryFrom<TrialRow> for CurrencyTotal {
    type Error = StorageError;

    fn try_from(row: TrialRow) -> Result<Self, StorageError> {
        let count = |number| u64::try_from(number).map_err(|error| unreadable("transfer", error));
        let imbalance = row.imbalance.parse().map_err(|error| unreadable("transfer", error))?;
        Ok(Self {
            imbalance: Money::new(imbalance, currency("ledger_account", &row.currency)?),
            wrong_balances: count(row.wrong_balances)?,
            transfers: count(row.transfers)?,
        })
    }
}

/// Where the next transfers of some accounts stand: of each account and side only as many are looked at as are wanted,
/// so that a long history costs no more than a short one.
fn positions(
    accounts: &BTreeMap<Uuid, Part>,
    period: Period,
    after: Option<LinePosition>,
    limit: u64,
) -> Option<SelectStatement> {
    // The other side of the transfer that the last page ended with may be a line of this one.
    let (at, position) = after.map_or((period.from, 0), |after| {
        (after.booked_at.max(period.from), after.transfer)
    });
    let place = Expr::tuple([
        Expr::col(transfer::Column::BookedAt),
        Expr::col(transfer::Column::Position),
    ]);
    let from = Expr::tuple([Expr::value(at.as_micros()), Expr::value(position)]);
    let next = |side: transfer::Column, account: Uuid| {
        let some = transfer::Entity::find()
            .select_only()
            .column(transfer::Column::Position)
            .filter(side.eq(account))
            .filter(place.clone().gte(from.clone()))
            .filter(transfer::Column::BookedAt.lt(period.until.as_micros()))
            .order_by_asc(transfer::Column::BookedAt)
            .order_by_asc(transfer::Column::Position)
            .limit(limit)
            .into_query();
        Query::select()
            .column("position")
            .from_subquery(some, "next")
            .to_owned()
    };
    let mut all = accounts.keys().flat_map(|account| {
        [transfer::Column::DebitAccountId, transfer::Column::CreditAccountId].map(|side| next(side, *account))
    });
    let mut union = all.next()?;
    union.unions(all.map(|select| (UnionType::All, select)));
    Some(union)
}

/// One side of a transfer, if it is one of the account's.
fn line(
    row: &transfer::Model,
    entry: &entry::Model,
    parts: &BTreeMap<Uuid, Part>,
    currency: Currency,
    credit: bool,
) -> Result<Option<StatementLine>, StorageError> {
    let (account, amount, after) = if credit {
        (row.credit_account_id, row.amount_minor, row.credit_balance_after)
    } else {
        (row.debit_account_id, -row.amount_minor, row.debit_balance_after)
    };
    let Some(part) = parts.get(&account) else {
        return Ok(None);
    };
    let after = after.ok_or_else(|| unreadable("transfer", row.id))?;
    Ok(Some(StatementLine {
        position: LinePosition {
            booked_at: time(row.booked_at),
            transfer: row.position,
            credit,
        },
        transfer_id: TransferId::from_uuid(row.id),
        at: time(entry.event_at),
        part: *part,
        amount: Money::new(amount, currency),
        balance_after: Money::new(after, currency),
        kind: row.kind.clone(),
        source_id: entry.subject_id,
    }))
}

/// What a client owes and is owed, in the order of the currencies' codes; those in which it is nothing are left out.
///
/// # Errors
/// When the database fails.
pub async fn debts(conn: &impl ConnectionTrait, client: ClientId) -> Result<Vec<Debts>, StorageError> {
    use LedgerAccountKind::{ClientReceivable, RewardCredit, RewardReceivable};
    let kinds = [ClientReceivable, RewardReceivable, RewardCredit];
    let accounts = account::Entity::find()
        .filter(account::Column::OwnerId.eq(client.as_uuid()))
        .filter(account::Column::Kind.is_in(kinds.map(LedgerAccountKind::name)))
        .all(conn)
        .await?;
    let amounts = balance::Entity::find()
        .filter(balance::Column::AccountId.is_in(accounts.iter().map(|row| row.id)))
        .filter(balance::Column::AmountMinor.gt(0))
        .all(conn)
        .await?;
    let mut by_currency = BTreeMap::new();
    for account in accounts {
        let Some(amount) = amounts.iter().find(|amount| amount.account_id == account.id) else {
            continue;
        };
        let currency = currency("ledger_account", &account.currency)?;
        let nothing = Money::new(0, currency);
        let debts = by_currency.entry(account.currency).or_insert(Debts {
            invoices: nothing,
            rewards: nothing,
            credit: nothing,
        });
        let part = match kinds.into_iter().find(|kind| kind.name() == account.kind) {
            Some(RewardReceivable) => &mut debts.rewards,
            Some(RewardCredit) => &mut debts.credit,
            _ => &mut debts.invoices,
        };
        part.minor = amount.amount_minor;
    }
    Ok(by_currency.into_values().collect())
}

/// The balances of one owner, by currency code. What an owner holds that is no part of an account, such as a contract's
/// escrow, is left out.
async fn of_owner(conn: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Vec<Balances>, StorageError> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let mut by_currency = BTreeMap::new();
    for row in HeldRow::find_by_statement(statement).all(conn).await? {
        if let Some(part) = Part::of_kind(&row.kind) {
            let currency = currency("ledger_account", &row.currency)?;
            let balances = by_currency.entry(row.currency).or_insert(Balances::none(currency));
            *balances.of_mut(part) = row.amount;
        }
    }
    Ok(by_currency.into_values().collect())
}

#[derive(FromQueryResult)]
struct HeldRow {
    kind: String,
    currency: String,
    amount: i64,
}
