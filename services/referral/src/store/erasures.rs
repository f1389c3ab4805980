//! `erasure`: who was erased.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::ROWS;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: Uuid,
    pub erased_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes who was erased.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, now: Timestamp, people: &BTreeSet<PersonId>) -> Result<(), StorageError> {
    let people: Vec<_> = people.iter().collect();
    for chunk in people.chunks(ROWS) {
        let rows = chunk.iter().map(|person| ActiveModel {
            person_id: Set(person.as_uuid()),
            erased_at: Set(now.as_micros()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::PersonId).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Who of these was erased.
///
/// # Errors
/// If the database fails.
pub async fn among(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::PersonId)
            .filter(Column::PersonId.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(ids.into_iter().map(PersonId::from_uuid));
    }
    Ok(found)
}
