//! Addresses that get nothing, and the links by which readers get there.

use std::collections::{BTreeMap, HashSet};

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::OnConflict,
};
use sha2::{Digest, Sha256};
use vouch_primitives::{EmailAddress, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, unreadable};
use crate::domain::{AddressHash, Suppression, SuppressionReason, TokenHash};

const REASONS: [SuppressionReason; 3] = [
    SuppressionReason::Unsubscribed,
    SuppressionReason::Bounced,
    SuppressionReason::Complained,
];

/// What the list knows of an address: its SHA-256.
#[must_use]
pub fn hash_of(address: &EmailAddress) -> AddressHash {
    AddressHash(Sha256::digest(address.as_str()).into())
}

/// Puts an address on the list, unless it is on it; tells whether it was put there.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, address: AddressHash, suppression: Suppression) -> Result<bool, StorageError> {
    let row = entity::ActiveModel {
        email_sha256: Set(address.0.to_vec()),
        reason: Set(name_of(suppression.reason).to_owned()),
        since: Set(suppression.since.as_micros()),
    };
    let there = OnConflict::column(entity::Column::EmailSha256).do_nothing().to_owned();
    let added = entity::Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(txn)
        .await?;
    Ok(added == 1)
}

/// Takes an address off the list; tells whether it was on it.
///
/// # Errors
/// When the database fails.
pub async fn delete(txn: &Txn, address: AddressHash) -> Result<bool, StorageError> {
    let deleted = entity::Entity::delete_by_id(address.0.to_vec()).exec(txn).await?;
    Ok(deleted.rows_affected == 1)
}

/// What the list says of an address.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, address: AddressHash) -> Result<Option<Suppression>, StorageError> {
    let Some(row) = entity::Entity::find_by_id(address.0.to_vec()).one(conn).await? else {
        return Ok(None);
    };
    let reason = REASONS.into_iter().find(|reason| name_of(*reason) == row.reason);
    Ok(Some(Suppression {
        reason: reason.ok_or_else(|| unreadable("suppression.reason", &row.reason))?,
        since: Timestamp::from_micros(row.since),
    }))
}

/// Which of these addresses are on the list.
///
/// # Errors
/// When the database fails.
pub async fn among(
    conn: &impl ConnectionTrait,
    addresses: &[AddressHash],
) -> Result<HashSet<AddressHash>, StorageError> {
    let mut listed = HashSet::new();
    for chunk in addresses.chunks(ROWS) {
        let found: Vec<Vec<u8>> = entity::Entity::find()
            .select_only()
            .column(entity::Column::EmailSha256)
            .filter(entity::Column::EmailSha256.is_in(chunk.iter().map(|hash| hash.0.to_vec())))
            .into_tuple()
            .all(conn)
            .await?;
        listed.extend(
            found
                .into_iter()
                .filter_map(|hash| hash.try_into().ok())
                .map(AddressHash),
        );
    }
    Ok(listed)
}

/// Adds links by which the readers of these addresses say that they want no more.
///
/// # Errors
/// When the database fails.
pub async fn add_tokens(txn: &Txn, tokens: &[(TokenHash, EmailAddress)], now: Timestamp) -> Result<(), StorageError> {
    for chunk in tokens.chunks(ROWS) {
        let rows = chunk.iter().map(|(TokenHash(hash), email)| token::ActiveModel {
            token_hash: Set(hash.to_vec()),
            email: Set(email.as_str().to_owned()),
            sent_at: Set(Some(now.as_micros())),
        });
        token::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Takes away all links of these addresses.
///
/// # Errors
/// When the database fails.
pub async fn delete_tokens(txn: &Txn, addresses: &[EmailAddress]) -> Result<(), StorageError> {
    for chunk in addresses.chunks(ROWS) {
        token::Entity::delete_many()
            .filter(token::Column::Email.is_in(chunk.iter().map(EmailAddress::as_str)))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Takes away the links that were sent to each of these addresses before a moment: whoever had it then is not who has it now.
///
/// # Errors
/// When the database fails.
pub async fn delete_tokens_until(txn: &Txn, addresses: &BTreeMap<EmailAddress, Timestamp>) -> Result<(), StorageError> {
    for (address, until) in addresses {
        token::Entity::delete_many()
            .filter(token::Column::Email.eq(address.as_str()))
            .filter(token::Column::SentAt.lt(until.as_micros()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Whose link this is.
///
/// # Errors
/// When the database fails.
pub async fn find_by_token(txn: &Txn, token: &TokenHash) -> Result<Option<EmailAddress>, StorageError> {
    let row = token::Entity::find_by_id(token.0.to_vec()).one(txn).await?;
    let email = row.map(|row| row.email.parse());
    email
        .transpose()
        .map_err(|error| unreadable("unsubscribe_token.email", error))
}

const fn name_of(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::Unsubscribed => "UNSUBSCRIBED",
        SuppressionReason::Bounced => "BOUNCED",
        SuppressionReason::Complained => "COMPLAINED",
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "suppression")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub email_sha256: Vec<u8>,
        pub reason: String,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "unsubscribe_token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub email: String,
        /// When it was sent; not known of those of before 2026-11-30.
        pub sent_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
