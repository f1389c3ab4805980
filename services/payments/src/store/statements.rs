//! The ledger as it is read: balances, statement lines, the trial balance.

use std::collections::BTreeMap;

use sea_orm::{
    FromQueryResult, QueryOrder, QuerySelect, QueryTrait as _, Statement,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, UnionType},
};
use vouch_primitives::{AccountId, Currency, Money, TransferId};
use vouch_proto::Page;
use vouch_storage::StorageError;

use super::{
    currency,
    ledger::entity::{account, balance, entry, transfer},
    time, unreadable,
};
use crate::domain::{Balances, Book, CurrencyTotal, LedgerAccountKind, Part, StatementLine, statement::LinePosition};

const PARTS: [(LedgerAccountKind, Part); 5] = [
    (LedgerAccountKind::Pending, Part::Pending),
    (LedgerAccountKind::Held, Part::Held),
    (LedgerAccountKind::Available, Part::Available),
    (LedgerAccountKind::InTransit, Part::InTransit),
    (LedgerAccountKind::Receivable, Part::Receivable),
];

/// The balances of an account, by currency code; empty if it never had money.
///
/// # Errors
/// When the database fails.
pub async fn balances(conn: &impl ConnectionTrait, account: AccountId) -> Result<Vec<Balances>, StorageError> {
    let accounts = account::Entity::find()
        .filter(account::Column::OwnerId.eq(account.as_uuid()))
        .filter(account::Column::Kind.is_in(PARTS.map(|(kind, _)| kind.name())))
        .all(conn)
        .await?;
    let amounts = balance::Entity::find()
        .filter(balance::Column::AccountId.is_in(accounts.iter().map(|row| row.id)))
        .all(conn)
        .await?;
    let amounts: BTreeMap<Uuid, i64> = amounts
        .into_iter()
        .map(|row| (row.account_id, row.amount_minor))
        .collect();
    let mut by_currency = BTreeMap::new();
    for row in accounts {
        let currency = currency("ledger_account", &row.currency)?;
        let amount = amounts.get(&row.id).copied().unwrap_or(0);
        let balances = by_currency.entry(row.currency).or_insert(Balances {
            currency,
            pending_minor: 0,
            held_minor: 0,
            available_minor: 0,
            in_transit_minor: 0,
            receivable_minor: 0,
        });
        match part(&row.kind)? {
            Part::Pending => balances.pending_minor = amount,
            Part::Held => balances.held_minor = amount,
            Part::Available => balances.available_minor = amount,
            Part::InTransit => balances.in_transit_minor = amount,
            Part::Receivable => balances.receivable_minor = amount,
        }
    }
    Ok(by_currency.into_values().collect())
}

/// One page of the movements of an account's money in one currency, in the order in which they were booked.
///
/// # Errors
/// When the database fails.
pub async fn lines(
    conn: &impl ConnectionTrait,
    account: AccountId,
    currency: Currency,
    page: Page<LinePosition>,
) -> Result<Vec<StatementLine>, StorageError> {
    let parts: BTreeMap<Uuid, LedgerAccountKind> = Book::accounts_of(account, currency)
        .into_iter()
        .map(|part| (part.id(), part.kind))
        .collect();
    let (size, after) = (page.limit(), page.after);
    let from = after.map_or(0, |position| position.transfer);
    let Some(positions) = positions(&parts, from, size + 1) else {
        return Ok(Vec::new());
    };
    let transfers = transfer::Entity::find()
        .filter(transfer::Column::Position.in_subquery(positions))
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
    let statement = Statement::from_string(conn.get_database_backend(), TRIAL_BALANCE);
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
            CASE a.kind WHEN 'RECEIVABLE' THEN -b.amount_minor ELSE b.amount_minor END AS stored \
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
fn positions(accounts: &BTreeMap<Uuid, LedgerAccountKind>, from: i64, limit: u64) -> Option<SelectStatement> {
    let next = |side: transfer::Column, account: Uuid| {
        let some = transfer::Entity::find()
            .select_only()
            .column(transfer::Column::Position)
            .filter(side.eq(account))
            .filter(transfer::Column::Position.gte(from))
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
    parts: &BTreeMap<Uuid, LedgerAccountKind>,
    currency: Currency,
    credit: bool,
) -> Result<Option<StatementLine>, StorageError> {
    let (account, amount, after) = if credit {
        (row.credit_account_id, row.amount_minor, row.credit_balance_after)
    } else {
        (row.debit_account_id, -row.amount_minor, row.debit_balance_after)
    };
    let Some(kind) = parts.get(&account) else {
        return Ok(None);
    };
    let after = after.ok_or_else(|| unreadable("transfer", row.id))?;
    Ok(Some(StatementLine {
        position: LinePosition {
            transfer: row.position,
            credit,
        },
        transfer_id: TransferId::from_uuid(row.id),
        at: time(entry.event_at),
        part: part(kind.name())?,
        amount: Money::new(amount, currency),
        balance_after: Money::new(after, currency),
        kind: row.kind.clone(),
        source_id: entry.subject_id,
    }))
}

fn part(kind: &str) -> Result<Part, StorageError> {
    let known = PARTS.into_iter().find(|(known, _)| known.name() == kind);
    known
        .map(|(_, part)| part)
        .ok_or_else(|| unreadable("ledger_account", kind))
}
