//! The table `timer`, and the statements of the worker.

use sea_orm::{
    Condition, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};
use vouch_primitives::Timestamp;

use crate::{StorageError, Txn};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Uuid,
    pub due_at: i64,
    pub next_at: i64,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub traceparent: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The timers to be tried by `now`, the earliest first.
pub(super) fn due(now: Timestamp) -> Select<Entity> {
    Entity::find()
        .filter(Column::NextAt.lte(now.as_micros()))
        .order_by_asc(Column::NextAt)
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Key)
}

/// Locks the rows and leaves out those that another transaction has locked; SQLite has one writer and needs neither.
pub(super) fn skip_locked(query: Select<Entity>) -> Select<Entity> {
    query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
}

/// The timer of this row, if it has not been moved since it was read.
pub(super) fn same_as(row: &Model) -> Condition {
    Condition::all()
        .add(Column::Kind.eq(&row.kind))
        .add(Column::Key.eq(row.key))
        .add(Column::NextAt.eq(row.next_at))
}

/// Sets the next try, unless the timer has been moved since `row` was read.
pub(super) async fn put_off(
    txn: &Txn,
    row: &Model,
    next: Timestamp,
    attempts: i32,
    error: Option<&str>,
) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(next.as_micros()))
        .col_expr(Column::Attempts, Expr::value(attempts))
        .col_expr(Column::LastError, Expr::value(error.map(str::to_owned)))
        .filter(same_as(row))
        .exec(txn)
        .await?;
    Ok(())
}
