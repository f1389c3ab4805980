//! How much of each limit is used up.

use std::collections::HashSet;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use vouch_primitives::{ClientId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity};
use super::ROWS;
use crate::domain::{AddressHash, Limit};

/// How many invitations a client has sent since `begun`. Others who send for the same client wait until the transaction
/// ends.
///
/// # Errors
/// When the database fails.
pub async fn used_by(txn: &Txn, client: ClientId, begun: Timestamp) -> Result<u32, StorageError> {
    let row = row(Limit::Plan, client.as_uuid().as_bytes(), begun, 0);
    // Changing nothing locks the row, whether it was there or not.
    let untouched = OnConflict::columns([Column::Kind, Column::Holder, Column::Begun])
        .value(Column::Used, Expr::col((Entity, Column::Used)))
        .to_owned();
    let locked = Entity::insert(row)
        .on_conflict(untouched)
        .exec_with_returning(txn)
        .await?;
    Ok(u32::try_from(locked.used).unwrap_or(u32::MAX))
}

/// Counts invitations that a client has sent since `begun`.
///
/// # Errors
/// When the database fails.
pub async fn use_up(txn: &Txn, client: ClientId, begun: Timestamp, sent: usize) -> Result<(), StorageError> {
    let sent = i64::try_from(sent).unwrap_or(i64::MAX);
    Entity::update_many()
        .col_expr(Column::Used, Expr::col(Column::Used).add(sent))
        .filter(Column::Kind.eq(name_of(Limit::Plan)))
        .filter(Column::Holder.eq(client.as_uuid().as_bytes().as_slice()))
        .filter(Column::Begun.eq(begun.as_micros()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Counts one more invitation since `begun` for each of these addresses that has got fewer than `most`; returns these.
/// No address may come twice.
///
/// # Errors
/// When the database fails.
pub async fn take(
    txn: &Txn,
    addresses: &[AddressHash],
    begun: Timestamp,
    most: u32,
) -> Result<HashSet<AddressHash>, StorageError> {
    let mut taken = HashSet::new();
    // In one order, so that two who send to the same addresses wait for one another and not in a circle.
    let mut addresses = addresses.to_vec();
    addresses.sort_unstable();
    let one_more = OnConflict::columns([Column::Kind, Column::Holder, Column::Begun])
        .value(Column::Used, Expr::col((Entity, Column::Used)).add(1))
        .action_and_where(Expr::col((Entity, Column::Used)).lt(i64::from(most)))
        .to_owned();
    for chunk in addresses.chunks(ROWS) {
        let rows = chunk.iter().map(|hash| row(Limit::Address, &hash.0, begun, 1));
        let counted = Entity::insert_many(rows)
            .on_conflict(one_more.clone())
            .exec_with_returning(txn)
            .await?;
        let hashes = counted.into_iter().filter_map(|row| row.holder.try_into().ok());
        taken.extend(hashes.map(AddressHash));
    }
    Ok(taken)
}

/// Takes the count of [`take`] back.
///
/// # Errors
/// When the database fails.
pub async fn give_back(txn: &Txn, addresses: &[AddressHash], begun: Timestamp) -> Result<(), StorageError> {
    for chunk in addresses.chunks(ROWS) {
        Entity::update_many()
            .col_expr(Column::Used, Expr::col(Column::Used).sub(1))
            .filter(Column::Kind.eq(name_of(Limit::Address)))
            .filter(Column::Holder.is_in(chunk.iter().map(|hash| hash.0.to_vec())))
            .filter(Column::Begun.eq(begun.as_micros()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

const fn name_of(limit: Limit) -> &'static str {
    match limit {
        Limit::Plan => "PLAN",
        Limit::Address => "ADDRESS",
    }
}

fn row(limit: Limit, holder: &[u8], begun: Timestamp, used: i64) -> ActiveModel {
    ActiveModel {
        kind: Set(name_of(limit).to_owned()),
        holder: Set(holder.to_vec()),
        begun: Set(begun.as_micros()),
        used: Set(used),
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quota")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        /// The client's id, or the hash of the address.
        #[sea_orm(primary_key, auto_increment = false)]
        pub holder: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub begun: i64,
        pub used: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
