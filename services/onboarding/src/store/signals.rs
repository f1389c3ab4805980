//! What referrals say of people.

use sea_orm::{
    ActiveValue::Set,
    EntityTrait,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};
use vouch_primitives::PersonId;
use vouch_storage::{StorageError, Txn};

use crate::domain::MatchSignal;

/// Forgets what referrals say of a person.
///
/// # Errors
/// When the database fails.
pub async fn erase(txn: &Txn, person: PersonId) -> Result<(), StorageError> {
    entity::Entity::delete_by_id(person.as_uuid()).exec(txn).await?;
    Ok(())
}

/// Notes signals, where nothing later is known. No person may come twice.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, signals: &[MatchSignal]) -> Result<(), StorageError> {
    let newest = OnConflict::column(entity::Column::PersonId)
        .update_columns([entity::Column::Signal, entity::Column::ChangedAt])
        .action_and_where(
            Expr::col((entity::Entity, entity::Column::ChangedAt))
                .lt(Expr::col((Alias::new("excluded"), entity::Column::ChangedAt))),
        )
        .to_owned();
    for signal in signals {
        let row = entity::ActiveModel {
            person_id: Set(signal.person_id.as_uuid()),
            signal: Set(signal.signal.into()),
            changed_at: Set(signal.changed_at.as_micros()),
        };
        entity::Entity::insert(row)
            .on_conflict(newest.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "match_signal")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        pub signal: i64,
        pub changed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
