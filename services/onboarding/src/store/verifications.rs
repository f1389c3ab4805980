//! Which token verifies whose address.

use sea_orm::{ConnectionTrait, EntityTrait, Set};
use vouch_primitives::{PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use crate::domain::TokenHash;

/// Remembers a token that is being mailed to a person.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, token: TokenHash, person: PersonId, now: Timestamp) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        token_hash: Set(token.0.to_vec()),
        person_id: Set(person.as_uuid()),
        created_at: Set(now.as_micros()),
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// To whom a token was mailed.
///
/// # Errors
/// When the database fails.
pub async fn find_recipient(conn: &impl ConnectionTrait, token: TokenHash) -> Result<Option<PersonId>, StorageError> {
    let row = entity::Entity::find_by_id(token.0.to_vec()).one(conn).await?;
    Ok(row.map(|row| PersonId::from_uuid(row.person_id)))
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "email_verification")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub person_id: Uuid,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
