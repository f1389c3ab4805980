//! Due moments that survive a restart: scheduled and cancelled in the business transaction, carried out by a
//! [`Worker`], of which several may share a database.
//!
//! A timer is known by its kind and its key, the id of the thing that waits; scheduling it again moves it.

mod entity;
mod spans;
mod worker;

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};
use vouch_primitives::{Timestamp, Uuid};

use self::entity::{Column, Entity};
use crate::{StorageError, Txn, Wake, trace};

pub use worker::{Batch, BatchHandler, Handler, TaskHandler, Worker};

/// The most rows in one statement, well below what either engine takes as parameters.
const ROWS: usize = 1000;

/// A timer to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTimer {
    /// What is to be done, such as `invitation.expire`.
    pub kind: &'static str,
    /// The thing that waits.
    pub key: Uuid,
    /// When it is due.
    pub due: Timestamp,
}

/// A timer whose moment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTimer {
    /// What is to be done.
    pub kind: String,
    /// The thing that waits.
    pub key: Uuid,
    /// When it was due: the moment that was scheduled, however late it is now.
    pub due: Timestamp,
    /// The trace context of its own carrying-out, in the trace in which it was set.
    pub traceparent: Option<String>,
}

/// A timer that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetTimer {
    /// What is to be done.
    pub kind: String,
    /// The thing that waits.
    pub key: Uuid,
    /// When it is due.
    pub due: Timestamp,
    /// When it is tried next: later than it was due once it has failed.
    pub next_try: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong the last time.
    pub last_error: Option<String>,
}

/// Sets the timers; one that is already set with the same kind and key is moved, and its failures are forgotten.
///
/// # Errors
/// When the database fails.
pub async fn schedule(txn: &Txn, timers: &[NewTimer]) -> Result<(), StorageError> {
    // The last one of a kind and key wins, and all transactions take the rows in the same order.
    let latest: BTreeMap<_, _> = timers
        .iter()
        .map(|timer| ((timer.kind, timer.key), timer.due))
        .collect();
    if latest.is_empty() {
        return Ok(());
    }
    let traceparent = trace::current();
    let rows: Vec<_> = latest
        .into_iter()
        .map(|((kind, key), due)| entity::ActiveModel {
            kind: Set(kind.to_owned()),
            key: Set(key),
            due_at: Set(due.as_micros()),
            next_at: Set(due.as_micros()),
            attempts: Set(0),
            last_error: Set(None),
            traceparent: Set(traceparent.clone()),
        })
        .collect();
    for chunk in rows.chunks(ROWS) {
        let moves = OnConflict::columns([Column::Kind, Column::Key])
            .update_columns([
                Column::DueAt,
                Column::NextAt,
                Column::Attempts,
                Column::LastError,
                Column::Traceparent,
            ])
            .to_owned();
        Entity::insert_many(chunk.to_vec())
            .on_conflict(moves)
            .exec_without_returning(txn)
            .await?;
    }
    txn.wake(Wake::Timers);
    Ok(())
}

/// Takes timers back; those that are not set, or no longer, are left out.
///
/// # Errors
/// When the database fails.
pub async fn cancel(txn: &Txn, kind: &str, keys: &[Uuid]) -> Result<(), StorageError> {
    for chunk in keys.chunks(ROWS) {
        Entity::delete_many()
            .filter(Column::Kind.eq(kind))
            .filter(Column::Key.is_in(chunk.iter().copied()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// How many timers are to be tried by `now`.
///
/// # Errors
/// When the database fails.
pub async fn count_due(conn: &impl ConnectionTrait, now: Timestamp) -> Result<u64, StorageError> {
    Ok(Entity::find()
        .filter(Column::NextAt.lte(now.as_micros()))
        .count(conn)
        .await?)
}

/// The moment at which the next timer is to be tried, which may have passed; `None` if there is none.
///
/// # Errors
/// When the database fails.
pub async fn next_due(conn: &impl ConnectionTrait) -> Result<Option<Timestamp>, StorageError> {
    let next: Option<Option<i64>> = Entity::find()
        .select_only()
        .expr(Expr::col(Column::NextAt).min())
        .into_tuple()
        .one(conn)
        .await?;
    Ok(next.flatten().map(Timestamp::from_micros))
}

/// The timers that are set, of this kind or of all, those to be tried first at the head; beginning behind the one of this
/// next try, kind and key.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    kind: Option<&str>,
    after: Option<(Timestamp, &str, Uuid)>,
    limit: u64,
) -> Result<Vec<SetTimer>, StorageError> {
    let mut query = Entity::find();
    if let Some(kind) = kind {
        query = query.filter(Column::Kind.eq(kind));
    }
    if let Some((next, kind, key)) = after {
        let next = next.as_micros();
        let same_kind = Column::Kind.eq(kind).and(Column::Key.gt(key));
        let same_moment = Column::NextAt.eq(next).and(Column::Kind.gt(kind).or(same_kind));
        query = query.filter(Column::NextAt.gt(next).or(same_moment));
    }
    let rows = query
        .order_by_asc(Column::NextAt)
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Key)
        .limit(limit)
        .all(conn)
        .await?;
    let timers = rows.into_iter().map(|row| SetTimer {
        kind: row.kind,
        key: row.key,
        due: Timestamp::from_micros(row.due_at),
        next_try: Timestamp::from_micros(row.next_at),
        attempts: row.attempts.unsigned_abs(),
        last_error: row.last_error,
    });
    Ok(timers.collect())
}
