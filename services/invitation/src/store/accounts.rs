//! Which addresses belong to accounts.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};
use vouch_primitives::PersonId;
use vouch_storage::{StorageError, Txn};

use super::ROWS;
use crate::domain::{AccountAddress, AddressHash};

/// Notes whose addresses these are, or that they were given up, where nothing later is known. No address may come twice.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, addresses: &[AccountAddress]) -> Result<(), StorageError> {
    let known = || Expr::col((entity::Entity, entity::Column::Since));
    let told = |column| Expr::col((Alias::new("excluded"), column));
    let released = told(entity::Column::Released).eq(true);
    // Of two words of the same moment, that it was given up counts: what is sent to the address is then an invitation, which
    // does no harm.
    let newer = known().lt(told(entity::Column::Since));
    let newer = newer.or(known().eq(told(entity::Column::Since)).and(released));
    let newest = OnConflict::column(entity::Column::EmailSha256)
        .update_columns([
            entity::Column::PersonId,
            entity::Column::Released,
            entity::Column::Since,
        ])
        .action_and_where(newer)
        .to_owned();
    for chunk in addresses.chunks(ROWS) {
        let rows = chunk.iter().map(|address| entity::ActiveModel {
            email_sha256: Set(address.hash.0.to_vec()),
            person_id: Set(address.person_id.as_uuid()),
            released: Set(address.released),
            since: Set(address.since.as_micros()),
        });
        entity::Entity::insert_many(rows)
            .on_conflict(newest.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Whose these addresses are, as far as they belong to accounts.
///
/// # Errors
/// When the database fails.
pub async fn owners(
    conn: &impl ConnectionTrait,
    addresses: &[AddressHash],
) -> Result<HashMap<AddressHash, PersonId>, StorageError> {
    let mut found = HashMap::new();
    for chunk in addresses.chunks(ROWS) {
        let rows = entity::Entity::find()
            .filter(entity::Column::EmailSha256.is_in(chunk.iter().map(|hash| hash.0.to_vec())))
            .filter(entity::Column::Released.eq(false))
            .all(conn)
            .await?;
        let known = rows.into_iter().filter_map(|row| {
            let hash = row.email_sha256.try_into().ok()?;
            Some((AddressHash(hash), PersonId::from_uuid(row.person_id)))
        });
        found.extend(known);
    }
    Ok(found)
}

/// The addresses that are these people's, or were theirs last.
///
/// # Errors
/// When the database fails.
pub async fn of_people(conn: &impl ConnectionTrait, people: &[PersonId]) -> Result<Vec<AddressHash>, StorageError> {
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let rows = entity::Entity::find().filter(of(chunk)).all(conn).await?;
        found.extend(
            rows.into_iter()
                .filter_map(|row| row.email_sha256.try_into().ok())
                .map(AddressHash),
        );
    }
    Ok(found)
}

/// Notes that these people have given up all of their addresses.
///
/// # Errors
/// When the database fails.
pub async fn release_of(txn: &Txn, people: &[PersonId]) -> Result<(), StorageError> {
    for chunk in people.chunks(ROWS) {
        entity::Entity::update_many()
            .col_expr(entity::Column::Released, Expr::value(true))
            .filter(of(chunk))
            .exec(txn)
            .await?;
    }
    Ok(())
}

fn of(people: &[PersonId]) -> Expr {
    entity::Column::PersonId.is_in(people.iter().map(|person| person.as_uuid()))
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_address")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub email_sha256: Vec<u8>,
        pub person_id: Uuid,
        pub released: bool,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
