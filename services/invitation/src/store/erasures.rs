//! Who was erased.

use std::collections::{BTreeMap, HashSet};

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::OnConflict};
use vouch_primitives::PersonId;
use vouch_storage::{StorageError, Txn};

use super::ROWS;
use crate::domain::Erasure;

/// Notes who was erased, where it is not noted yet.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, erasures: &[Erasure]) -> Result<(), StorageError> {
    let rows: BTreeMap<_, _> = erasures.iter().map(|erasure| (erasure.person_id, erasure)).collect();
    let rows: Vec<_> = rows.into_values().collect();
    let known = OnConflict::column(entity::Column::PersonId).do_nothing().to_owned();
    for chunk in rows.chunks(ROWS) {
        let rows = chunk.iter().map(|erasure| entity::ActiveModel {
            person_id: Set(erasure.person_id.as_uuid()),
            erased_at: Set(erasure.erased_at.as_micros()),
        });
        entity::Entity::insert_many(rows)
            .on_conflict(known.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Which of these people were erased.
///
/// # Errors
/// When the database fails.
pub async fn among(conn: &impl ConnectionTrait, people: &[PersonId]) -> Result<HashSet<PersonId>, StorageError> {
    let mut erased = HashSet::new();
    for chunk in people.chunks(ROWS) {
        let rows = entity::Entity::find()
            .filter(entity::Column::PersonId.is_in(chunk.iter().map(|person| person.as_uuid())))
            .all(conn)
            .await?;
        erased.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.person_id)));
    }
    Ok(erased)
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "erased_person")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        pub erased_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
