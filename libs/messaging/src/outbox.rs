//! The outbox: facts are stored in the transaction that makes them true, and leave from there.
//!
//! `outbox` keeps every event, so that it can be published again long after; `outbox_pending` holds one small row for
//! each event that the bus has not acknowledged yet.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QuerySelect,
    sea_query::{Asterisk, Expr, OnConflict, Order, Query},
};
use vouch_primitives::{EventId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn, Wake, trace};

use crate::NewEvent;

/// How many rows one statement inserts: 6 columns each, far below SQLite's 32,766 parameters.
const ROWS_PER_INSERT: usize = 1_000;

/// Records `events` as part of the running transaction and wakes the relay once it is committed.
///
/// # Errors
/// If the database fails.
pub async fn append(txn: &Txn, now: Timestamp, events: &[NewEvent]) -> Result<(), StorageError> {
    if events.is_empty() {
        return Ok(());
    }
    let current = trace::current();
    for chunk in events.chunks(ROWS_PER_INSERT) {
        let archived = chunk.iter().map(|event| archive::ActiveModel {
            event_id: Set(event.id.as_uuid()),
            event_type: Set(event.event_type.clone()),
            aggregate_id: Set(event.aggregate_id),
            payload: Set(event.payload.clone()),
            traceparent: Set(event.traceparent.clone().or_else(|| current.clone())),
            created_at: Set(now.as_micros()),
        });
        archive::Entity::insert_many(archived)
            .exec_without_returning(txn)
            .await?;
        let pending = chunk.iter().map(|event| pending_row(event.id.as_uuid()));
        waiting::Entity::insert_many(pending)
            .exec_without_returning(txn)
            .await?;
    }
    txn.wake(Wake::Outbox);
    Ok(())
}

/// How many events the bus has not acknowledged.
///
/// # Errors
/// If the database fails.
pub async fn pending(conn: &impl ConnectionTrait) -> Result<u64, StorageError> {
    Ok(waiting::Entity::find().count(conn).await?)
}

/// When the oldest of them was appended.
///
/// # Errors
/// If the database fails.
pub async fn oldest_pending(conn: &impl ConnectionTrait) -> Result<Option<Timestamp>, StorageError> {
    let query = Query::select()
        .expr(Expr::col("created_at").min())
        .from("outbox_pending")
        .inner_join(
            "outbox",
            Expr::col(("outbox", "event_id")).equals(("outbox_pending", "event_id")),
        )
        .to_owned();
    let Some(row) = conn.query_one(&query).await? else {
        return Ok(None);
    };
    let oldest: Option<i64> = row.try_get_by_index(0)?;
    Ok(oldest.map(Timestamp::from_micros))
}

/// How many events were appended in `[from, until)`.
///
/// # Errors
/// If the database fails.
pub async fn count(conn: &impl ConnectionTrait, from: Timestamp, until: Timestamp) -> Result<u64, StorageError> {
    let between = archive::Entity::find()
        .filter(archive::Column::CreatedAt.gte(from.as_micros()))
        .filter(archive::Column::CreatedAt.lt(until.as_micros()));
    Ok(between.count(conn).await?)
}

/// Which of these events the outbox does not have.
///
/// # Errors
/// If the database fails.
pub async fn unknown(conn: &impl ConnectionTrait, ids: &[EventId]) -> Result<Vec<EventId>, StorageError> {
    let known: Vec<Uuid> = archive::Entity::find()
        .select_only()
        .column(archive::Column::EventId)
        .filter(archive::Column::EventId.is_in(ids.iter().map(|id| id.as_uuid())))
        .into_tuple()
        .all(conn)
        .await?;
    let unknown = ids.iter().filter(|id| !known.contains(&id.as_uuid()));
    Ok(unknown.copied().collect())
}

/// Hands the events appended in `[from, until)` to the relay once more, under the ids that they have; those that
/// still wait are left as they are. Consumers that have applied them ignore them. Returns how many there are.
///
/// # Errors
/// If the database fails.
pub async fn publish_again(txn: &Txn, from: Timestamp, until: Timestamp) -> Result<u64, StorageError> {
    let between = Expr::col("created_at")
        .gte(from.as_micros())
        .and(Expr::col("created_at").lt(until.as_micros()));
    hand_over(txn, between).await
}

/// The same for single events.
///
/// # Errors
/// If the database fails.
pub async fn publish_these_again(txn: &Txn, ids: &[EventId]) -> Result<u64, StorageError> {
    hand_over(txn, Expr::col("event_id").is_in(ids.iter().map(|id| id.as_uuid()))).await
}

async fn hand_over(txn: &Txn, which: Expr) -> Result<u64, StorageError> {
    let select = Query::select()
        .column("event_id")
        .from("outbox")
        .and_where(which)
        // In one order, so that two who hand over the same events wait for one another.
        .order_by("event_id", Order::Asc)
        .to_owned();
    let mut insert = Query::insert();
    insert.into_table("outbox_pending").columns(["event_id"]);
    insert
        .select_from(select)
        .map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?;
    insert.on_conflict(OnConflict::column("event_id").do_nothing().to_owned());
    let inserted = txn.execute(&insert).await?.rows_affected();
    txn.wake(Wake::Outbox);
    Ok(inserted)
}

/// Forgets events appended before `until` that the bus has acknowledged, at most `limit` of them, and returns how
/// many. What is forgotten cannot be published again: `until` must lie before every consumer's longest outage.
///
/// # Errors
/// If the database fails.
pub async fn prune(txn: &Txn, until: Timestamp, limit: u64) -> Result<u64, StorageError> {
    let waits = Query::select()
        .expr(Expr::col(Asterisk))
        .from("outbox_pending")
        .and_where(Expr::col(("outbox_pending", "event_id")).equals(("outbox", "event_id")))
        .to_owned();
    let old = Query::select()
        .column("event_id")
        .from("outbox")
        .and_where(Expr::col("created_at").lt(until.as_micros()))
        .and_where(Expr::exists(waits).not())
        .limit(limit)
        .to_owned();
    let deleted = archive::Entity::delete_many()
        .filter(archive::Column::EventId.in_subquery(old))
        .exec(txn)
        .await?;
    Ok(deleted.rows_affected)
}

fn pending_row(event_id: Uuid) -> waiting::ActiveModel {
    waiting::ActiveModel {
        event_id: Set(event_id),
        attempts: Set(0),
        next_at: Set(0),
        last_error: Set(None),
    }
}

pub(crate) mod archive {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        pub event_type: String,
        pub aggregate_id: Uuid,
        pub payload: Vec<u8>,
        pub traceparent: Option<String>,
        pub created_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod waiting {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox_pending")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        pub attempts: i32,
        pub next_at: i64,
        pub last_error: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
