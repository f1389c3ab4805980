//! `account`: whose an account is.

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{OnConflict, SelectStatement},
};
use vouch_primitives::{AccountId, PersonId};
use vouch_storage::{StorageError, Txn};

use super::ROWS;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub person_id: Uuid,
}

/// The ids of the accounts of these people, for a query about accounts.
pub(super) fn ids_of(people: &[PersonId]) -> SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::PersonId.is_in(people.iter().map(|person| person.as_uuid())))
        .into_query()
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes whose accounts are; those that are known are left as they are.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, owners: &[(AccountId, PersonId)]) -> Result<(), StorageError> {
    for chunk in owners.chunks(ROWS) {
        let rows = chunk.iter().map(|(account, person)| ActiveModel {
            id: Set(account.as_uuid()),
            person_id: Set(person.as_uuid()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Whose an account is, if it has been heard of.
///
/// # Errors
/// When the database fails.
pub async fn person_of(conn: &impl ConnectionTrait, id: AccountId) -> Result<Option<PersonId>, StorageError> {
    let found = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    Ok(found.map(|account| PersonId::from_uuid(account.person_id)))
}
