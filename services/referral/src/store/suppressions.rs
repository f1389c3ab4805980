//! `suppression`: what the suppression list says of addresses. `way_out`: by which links their readers get there.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, QuerySelect,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait as _, OnConflict},
};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn};

use super::{ROWS, hash_of};
use crate::domain::{AddressHash, TokenHash};

/// A word of the list about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Which address.
    pub address: AddressHash,
    /// Whether it gets nothing, or may be written to again.
    pub suppressed: bool,
    /// Since when.
    pub since: Timestamp,
}

mod suppression {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "suppression")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub email_sha256: Vec<u8>,
        pub suppressed: bool,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod way_out {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "way_out")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub email_sha256: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Notes what the list says, where nothing later is known. No address may come twice.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, words: &[Word]) -> Result<(), StorageError> {
    let newer = Expr::col((suppression::Entity, suppression::Column::Since))
        .lt(Expr::col((Alias::new("excluded"), suppression::Column::Since)));
    let newest = OnConflict::column(suppression::Column::EmailSha256)
        .update_columns([suppression::Column::Suppressed, suppression::Column::Since])
        .action_and_where(newer)
        .to_owned();
    for chunk in words.chunks(ROWS) {
        let rows = chunk.iter().map(|word| suppression::ActiveModel {
            email_sha256: Set(word.address.0.to_vec()),
            suppressed: Set(word.suppressed),
            since: Set(word.since.as_micros()),
        });
        suppression::Entity::insert_many(rows)
            .on_conflict(newest.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Which of these addresses get nothing.
///
/// # Errors
/// If the database fails.
pub async fn among(
    conn: &impl ConnectionTrait,
    addresses: &BTreeSet<AddressHash>,
) -> Result<BTreeSet<AddressHash>, StorageError> {
    let addresses: Vec<_> = addresses.iter().map(|hash| hash.0.to_vec()).collect();
    let mut found = BTreeSet::new();
    for chunk in addresses.chunks(ROWS) {
        let listed: Vec<Vec<u8>> = suppression::Entity::find()
            .select_only()
            .column(suppression::Column::EmailSha256)
            .filter(suppression::Column::EmailSha256.is_in(chunk.iter().cloned()))
            .filter(suppression::Column::Suppressed.eq(true))
            .into_tuple()
            .all(conn)
            .await?;
        for hash in listed {
            found.insert(AddressHash(hash_of(hash)?));
        }
    }
    Ok(found)
}

/// Adds links by which the readers of these addresses say that they want no more.
///
/// # Errors
/// If the database fails.
pub async fn add_ways_out(txn: &Txn, ways: &[(TokenHash, AddressHash)]) -> Result<(), StorageError> {
    for chunk in ways.chunks(ROWS) {
        let rows = chunk.iter().map(|(token, address)| way_out::ActiveModel {
            token_hash: Set(token.0.to_vec()),
            email_sha256: Set(address.0.to_vec()),
        });
        way_out::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Whose link this is.
///
/// # Errors
/// If the database fails.
pub async fn of_way_out(conn: &impl ConnectionTrait, token: &TokenHash) -> Result<Option<AddressHash>, StorageError> {
    let row = way_out::Entity::find_by_id(token.0.to_vec()).one(conn).await?;
    row.map(|row| hash_of(row.email_sha256).map(AddressHash)).transpose()
}
