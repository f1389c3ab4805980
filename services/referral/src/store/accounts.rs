//! `account`: who registered, and with which code.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{AccountId, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::Party;

/// An account as it registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What it belongs to.
    pub party: Party,
    /// Who owns it.
    pub person: PersonId,
    /// When it registered.
    pub registered_at: Timestamp,
    /// The referral code as it was typed, right or wrong; empty for none.
    pub typed_code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub party: String,
    pub person_id: Uuid,
    pub registered_at: i64,
    pub typed_code: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores accounts; those that are known already are left as they are.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, accounts: &[Account]) -> Result<(), StorageError> {
    for chunk in accounts.chunks(ROWS) {
        let rows = chunk.iter().map(|account| ActiveModel {
            id: Set(account.id.as_uuid()),
            party: Set(account.party.name().to_owned()),
            person_id: Set(account.person.as_uuid()),
            registered_at: Set(account.registered_at.as_micros()),
            typed_code: Set(account.typed_code.clone()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Reads an account.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: AccountId) -> Result<Option<Account>, StorageError> {
    let row = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    row.map(read).transpose()
}

/// The accounts with these ids.
///
/// # Errors
/// If the database fails.
pub async fn with_ids(conn: &impl ConnectionTrait, ids: &[AccountId]) -> Result<Vec<Account>, StorageError> {
    let mut accounts = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find().filter(Column::Id.is_in(chunk.iter().map(|id| id.as_uuid())));
        for row in rows.all(conn).await? {
            accounts.push(read(row)?);
        }
    }
    Ok(accounts)
}

/// The accounts that are people's own, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn own_of(conn: &impl ConnectionTrait, people: &BTreeSet<PersonId>) -> Result<Vec<Account>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut accounts = Vec::new();
    for chunk in people.chunks(ROWS) {
        let rows = Entity::find()
            .filter(Column::PersonId.is_in(chunk.iter().copied()))
            .filter(Column::Party.eq(Party::Person.name()));
        for row in rows.all(conn).await? {
            accounts.push(read(row)?);
        }
    }
    accounts.sort_by_key(|account| (account.registered_at, account.id));
    Ok(accounts)
}

fn read(row: Model) -> Result<Account, StorageError> {
    Ok(Account {
        id: AccountId::from_uuid(row.id),
        party: Party::of_name(&row.party).ok_or_else(|| corrupt("unknown party"))?,
        person: PersonId::from_uuid(row.person_id),
        registered_at: Timestamp::from_micros(row.registered_at),
        typed_code: row.typed_code,
    })
}
