//! Which token verifies whose address.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};
use vouch_primitives::{PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{EmailHash, TokenHash, Verification};

/// Remembers a token that is being mailed to a person, for this address.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, token: TokenHash, sent: &Verification) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        token_hash: Set(token.0.to_vec()),
        person_id: Set(sent.person_id.as_uuid()),
        email_sha256: Set(sent.email.0.to_vec()),
        created_at: Set(sent.sent_at.as_micros()),
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// To whom, where and when a token was mailed.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, token: TokenHash) -> Result<Option<Verification>, StorageError> {
    let row = entity::Entity::find_by_id(token.0.to_vec()).one(conn).await?;
    row.map(verification).transpose()
}

/// Forgets all tokens of a person.
///
/// # Errors
/// When the database fails.
pub async fn delete_of(txn: &Txn, person: PersonId) -> Result<(), StorageError> {
    let of_person = entity::Column::PersonId.eq(person.as_uuid());
    entity::Entity::delete_many().filter(of_person).exec(txn).await?;
    Ok(())
}

fn verification(row: entity::Model) -> Result<Verification, StorageError> {
    let wrong_length = |hash: Vec<u8>| unreadable("email_verification.email_sha256", format!("{} bytes", hash.len()));
    Ok(Verification {
        person_id: PersonId::from_uuid(row.person_id),
        email: EmailHash(row.email_sha256.try_into().map_err(wrong_length)?),
        sent_at: Timestamp::from_micros(row.created_at),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "email_verification")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub person_id: Uuid,
        pub email_sha256: Vec<u8>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
