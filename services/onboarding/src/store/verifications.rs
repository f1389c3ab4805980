//! Which token verifies whose address, and how many mails somebody has asked for.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};
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

/// Counts one more mail that a person has asked for since `begun`, unless there were `most`; tells whether it was counted.
/// Others who ask for the same person wait until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn take(txn: &Txn, person: PersonId, begun: Timestamp, most: u32) -> Result<bool, StorageError> {
    let row = quota::ActiveModel {
        person_id: Set(person.as_uuid()),
        begun: Set(begun.as_micros()),
        used: Set(1),
    };
    let used = || Expr::col((quota::Entity, quota::Column::Used));
    let one_more = OnConflict::columns([quota::Column::PersonId, quota::Column::Begun])
        .value(quota::Column::Used, used().add(1))
        .action_and_where(used().lt(i64::from(most)))
        .to_owned();
    let counted = quota::Entity::insert_many([row])
        .on_conflict(one_more)
        .exec_with_returning(txn)
        .await?;
    Ok(!counted.is_empty())
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

mod quota {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "verification_quota")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub begun: i64,
        pub used: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
