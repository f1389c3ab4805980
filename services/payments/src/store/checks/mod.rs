//! `ledger_check`, `ledger_check_sum`, `ledger_check_day` and `ledger_check_finding`.
//!
//! On PostgreSQL places in the ledger become visible out of order: a transaction may commit place 6 while 5 is still open. A
//! run that goes by places would skip 5. So a *mark* is set first: the highest place that is visible, and then the id of the
//! transaction that sets it. Whoever holds a lower place has an older transaction id, as entries are written before
//! transfers; once every transaction up to the mark's has ended, all places up to it are there, or will never be.

mod compare;
mod entity;

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, DbBackend, FromQueryResult, QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{Timestamp, Uuid};
use vouch_storage::{StorageError, Txn};

use self::entity::{check, day, finding, sum};
use super::{
    ROWS, currency,
    ledger::entity::{account, transfer},
    time, unreadable,
};
use crate::domain::{
    LedgerAccountKind,
    check::{Accounts, Booked, Fault, Finding, Followed},
};

pub use self::compare::{Compared, PaidRewards, Which, compare, compare_rewards, paid_rewards};

/// One of the two runs over the transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It follows what is new.
    New,
    /// It begins anew with the first transfer, and ends where the other one stands.
    All,
}

impl Run {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::All => "ALL",
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// All transfers up to this place have been followed.
    pub checked_position: i64,
    /// The place up to which it may go once the mark's transaction and all older ones have ended.
    pub mark_position: i64,
    mark_transaction: i64,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

/// Where a run stands.
///
/// # Errors
/// When the database fails.
pub async fn progress(conn: &impl ConnectionTrait, run: Run) -> Result<Progress, StorageError> {
    read(conn, check::Entity::find_by_id(run.name())).await
}

/// The same, locked: two replicas do not follow the same transfers at a time.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, run: Run) -> Result<Progress, StorageError> {
    read(txn, check::Entity::find_by_id(run.name()).lock(LockType::Update)).await
}

async fn read(conn: &impl ConnectionTrait, query: Select<check::Entity>) -> Result<Progress, StorageError> {
    let row = query
        .one(conn)
        .await?
        .ok_or_else(|| unreadable("ledger_check", "no run"))?;
    Ok(Progress {
        checked_position: row.checked_position,
        mark_position: row.mark_position,
        mark_transaction: row.mark_transaction,
        begun_at: time(row.begun_at),
        ended_at: row.ended_at.map(time),
    })
}

/// The highest place in the ledger that is visible.
///
/// # Errors
/// When the database fails.
pub async fn last_position(conn: &impl ConnectionTrait) -> Result<i64, StorageError> {
    let last = transfer::Entity::find()
        .order_by_desc(transfer::Column::Position)
        .one(conn)
        .await?;
    Ok(last.map_or(0, |row| row.position))
}

/// Sets the mark. The highest place has to be read before the transaction gets its id, which is with its first lock.
///
/// # Errors
/// When the database fails.
pub async fn set_mark(txn: &Txn) -> Result<(), StorageError> {
    let position = last_position(txn).await?;
    let on_postgres = txn.get_database_backend() == DbBackend::Postgres;
    let transaction = if on_postgres {
        ask(txn, "pg_current_xact_id()").await?
    } else {
        0
    };
    check::Entity::update_many()
        .col_expr(check::Column::MarkPosition, Expr::value(position))
        .col_expr(check::Column::MarkTransaction, Expr::value(transaction))
        .filter(check::Column::Run.eq(Run::New.name()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Whether every transaction up to the mark's has ended. `None` if the mark was set in another cluster, from which this
/// database was restored: its transaction ids say nothing here. SQLite has one writer, so that nothing is ever open.
///
/// # Errors
/// When the database fails.
pub async fn is_passable(conn: &impl ConnectionTrait, run: &Progress) -> Result<Option<bool>, StorageError> {
    if conn.get_database_backend() != DbBackend::Postgres {
        return Ok(Some(true));
    }
    let next = ask(conn, "pg_snapshot_xmax(pg_current_snapshot())").await?;
    if next <= run.mark_transaction {
        return Ok(None);
    }
    let oldest = ask(conn, "pg_snapshot_xmin(pg_current_snapshot())").await?;
    Ok(Some(oldest > run.mark_transaction))
}

/// A transaction id of PostgreSQL, which has 64 bits and no type that a driver knows.
async fn ask(conn: &impl ConnectionTrait, function: &str) -> Result<i64, StorageError> {
    #[derive(FromQueryResult)]
    struct Id {
        id: i64,
    }
    let sql = format!("SELECT CAST(CAST({function} AS text) AS bigint) AS id");
    let statement = Statement::from_string(conn.get_database_backend(), sql);
    let found = Id::find_by_statement(statement).one(conn).await?;
    Ok(found.ok_or_else(|| unreadable("ledger_check", function))?.id)
}

/// Begins the run over all transfers anew.
///
/// # Errors
/// When the database fails.
pub async fn begin_all(txn: &Txn, now: Timestamp) -> Result<(), StorageError> {
    let run = Run::All.name();
    check::Entity::update_many()
        .col_expr(check::Column::CheckedPosition, Expr::value(0))
        .col_expr(check::Column::BegunAt, Expr::value(now.as_micros()))
        .col_expr(check::Column::EndedAt, Expr::value(None::<i64>))
        .filter(check::Column::Run.eq(run))
        .exec(txn)
        .await?;
    sum::Entity::delete_many()
        .filter(sum::Column::Run.eq(run))
        .exec(txn)
        .await?;
    Ok(())
}

/// A run has come so far; to its end, if that is said.
///
/// # Errors
/// When the database fails.
pub async fn advance(txn: &Txn, run: Run, to: i64, ended_at: Option<Timestamp>) -> Result<(), StorageError> {
    check::Entity::update_many()
        .col_expr(check::Column::CheckedPosition, Expr::value(to))
        .col_expr(check::Column::EndedAt, Expr::value(ended_at.map(|at| at.as_micros())))
        .filter(check::Column::Run.eq(run.name()))
        .exec(txn)
        .await?;
    Ok(())
}

/// The next transfers behind one place and up to another, in the order of the ledger.
///
/// # Errors
/// When the database fails.
pub async fn transfers(
    conn: &impl ConnectionTrait,
    after: i64,
    to: i64,
    limit: u64,
) -> Result<Vec<Booked>, StorageError> {
    let rows = transfer::Entity::find()
        .filter(transfer::Column::Position.gt(after))
        .filter(transfer::Column::Position.lte(to))
        .order_by_asc(transfer::Column::Position)
        .limit(limit)
        .all(conn)
        .await?;
    let booked = rows.into_iter().map(|row| Booked {
        position: row.position,
        debit: (row.debit_account_id, row.debit_balance_after),
        credit: (row.credit_account_id, row.credit_balance_after),
        amount_minor: row.amount_minor,
        booked_at: time(row.booked_at),
    });
    Ok(booked.collect())
}

/// What these ledger accounts are, and what their transfers have come to in a run.
///
/// # Errors
/// When the database fails.
pub async fn followed(
    conn: &impl ConnectionTrait,
    run: Run,
    ids: &[Uuid],
) -> Result<(Accounts, BTreeMap<Uuid, Followed>), StorageError> {
    let (mut accounts, mut followed) = (Accounts::new(), BTreeMap::new());
    for chunk in ids.chunks(ROWS) {
        let ids = || chunk.iter().copied();
        let rows = account::Entity::find()
            .filter(account::Column::Id.is_in(ids()))
            .all(conn)
            .await?;
        for row in rows {
            accounts.insert(row.id, (kind(&row.kind)?, currency("ledger_account", &row.currency)?));
        }
        let rows = sum::Entity::find()
            .filter(sum::Column::Run.eq(run.name()))
            .filter(sum::Column::AccountId.is_in(ids()))
            .all(conn)
            .await?;
        followed.extend(rows.into_iter().map(|row| {
            let so_far = Followed {
                sum_minor: row.sum_minor,
                after_minor: row.after_minor,
                booked_at: row.booked_at,
            };
            (row.account_id, so_far)
        }));
    }
    Ok((accounts, followed))
}

/// Saves what the transfers of ledger accounts have come to in a run.
///
/// # Errors
/// When the database fails.
pub async fn save_followed(txn: &Txn, run: Run, followed: &BTreeMap<Uuid, Followed>) -> Result<(), StorageError> {
    let rows: Vec<_> = followed
        .iter()
        .map(|(id, so_far)| sum::ActiveModel {
            run: Set(run.name().to_owned()),
            account_id: Set(*id),
            sum_minor: Set(so_far.sum_minor),
            after_minor: Set(so_far.after_minor),
            booked_at: Set(so_far.booked_at),
        })
        .collect();
    for chunk in rows.chunks(ROWS) {
        let replace = OnConflict::columns([sum::Column::Run, sum::Column::AccountId])
            .update_columns([sum::Column::SumMinor, sum::Column::AfterMinor, sum::Column::BookedAt])
            .to_owned();
        sum::Entity::insert_many(chunk.to_vec())
            .on_conflict(replace)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Adds to what the platform's accounts have come to on single days.
///
/// # Errors
/// When the database fails.
pub async fn add_days(txn: &Txn, sums: &BTreeMap<(Uuid, Timestamp), i64>) -> Result<(), StorageError> {
    let rows: Vec<_> = sums
        .iter()
        .map(|((id, of), sum_minor)| day::ActiveModel {
            account_id: Set(*id),
            day: Set(of.as_micros()),
            sum_minor: Set(*sum_minor),
        })
        .collect();
    for chunk in rows.chunks(ROWS) {
        let add = OnConflict::columns([day::Column::AccountId, day::Column::Day])
            .value(
                day::Column::SumMinor,
                Expr::cust("ledger_check_day.sum_minor + excluded.sum_minor"),
            )
            .to_owned();
        day::Entity::insert_many(chunk.to_vec())
            .on_conflict(add)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Keeps what was found, as of now.
///
/// # Errors
/// When the database fails.
pub async fn save_findings(txn: &Txn, now: Timestamp, found: &[Finding]) -> Result<(), StorageError> {
    // A statement cannot replace one row twice.
    let found: BTreeMap<_, _> = found
        .iter()
        .map(|finding| ((finding.subject, finding.fault, finding.position), finding))
        .collect();
    let rows: Vec<_> = found
        .into_values()
        .map(|finding| finding::ActiveModel {
            subject_id: Set(finding.subject),
            fault: Set(finding.fault.name().to_owned()),
            position: Set(finding.position),
            currency: Set(finding.currency.code().to_owned()),
            expected_minor: Set(finding.expected_minor),
            found_minor: Set(finding.found_minor),
            found_at: Set(now.as_micros()),
        })
        .collect();
    for chunk in rows.chunks(ROWS) {
        let replace = OnConflict::columns([
            finding::Column::SubjectId,
            finding::Column::Fault,
            finding::Column::Position,
        ])
        .update_columns([
            finding::Column::ExpectedMinor,
            finding::Column::FoundMinor,
            finding::Column::FoundAt,
        ])
        .to_owned();
        finding::Entity::insert_many(chunk.to_vec())
            .on_conflict(replace)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// What was found and is still so, the first of each subject first.
///
/// # Errors
/// When the database fails.
pub async fn findings(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<Finding>, StorageError> {
    let rows = finding::Entity::find()
        .order_by_asc(finding::Column::SubjectId)
        .order_by_asc(finding::Column::Position)
        .limit(limit)
        .all(conn)
        .await?;
    let read = |row: finding::Model| {
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == row.fault);
        Ok(Finding {
            subject: row.subject_id,
            fault: fault.ok_or_else(|| unreadable("ledger_check_finding", &row.fault))?,
            position: row.position,
            currency: currency("ledger_check_finding", &row.currency)?,
            expected_minor: row.expected_minor,
            found_minor: row.found_minor,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Forgets what was found about what is stored now, and has been mended.
///
/// # Errors
/// When the database fails.
pub async fn forget_mended(txn: &Txn, fault: Fault, subjects: &[Uuid]) -> Result<(), StorageError> {
    finding::Entity::delete_many()
        .filter(finding::Column::Fault.eq(fault.name()))
        .filter(finding::Column::SubjectId.is_in(subjects.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets what was found about transfers before this moment, and was not found again since.
///
/// # Errors
/// When the database fails.
pub async fn forget_older(txn: &Txn, than: Timestamp) -> Result<(), StorageError> {
    let of_transfers = Fault::ALL
        .into_iter()
        .filter(|fault| !fault.is_of_now())
        .map(Fault::name);
    finding::Entity::delete_many()
        .filter(finding::Column::Fault.is_in(of_transfers))
        .filter(finding::Column::FoundAt.lt(than.as_micros()))
        .exec(txn)
        .await?;
    Ok(())
}

fn kind(name: &str) -> Result<LedgerAccountKind, StorageError> {
    let known = LedgerAccountKind::ALL.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| unreadable("ledger_account", name))
}
