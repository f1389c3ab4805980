//! `person`: the rows that are locked while somebody's earnings or attribution change.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::PersonId;
use vouch_storage::{StorageError, Txn};

use super::ROWS;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "person")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Makes sure that the people are known. Concurrent transactions meet the rows in the same order.
///
/// # Errors
/// If the database fails.
pub async fn ensure(txn: &Txn, people: &BTreeSet<PersonId>) -> Result<(), StorageError> {
    let people: Vec<PersonId> = people.iter().copied().collect();
    for chunk in people.chunks(ROWS) {
        let rows = chunk.iter().map(|id| ActiveModel { id: Set(id.as_uuid()) });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Locks the people, in ascending order and in a statement of its own: what is read after it sees what the lock's
/// former holder has committed. The lock bears with the keys that this transaction and others hold by their new rows.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn, people: &BTreeSet<PersonId>) -> Result<(), StorageError> {
    let people: Vec<PersonId> = people.iter().copied().collect();
    for chunk in people.chunks(ROWS) {
        Entity::find()
            .filter(Column::Id.is_in(chunk.iter().map(|id| id.as_uuid())))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate)
            .all(txn)
            .await?;
    }
    Ok(())
}
