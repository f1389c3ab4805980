//! `contract`: what payments told of contracts.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{AccountId, ClientId, ContractId, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::ROWS;
use crate::domain::Contract;

/// What is known of a contract: its end may be heard of first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractNews {
    /// The contract.
    pub id: ContractId,
    /// Who pays.
    pub client: ClientId,
    /// Who works.
    pub person: PersonId,
    /// The account that is paid.
    pub account: AccountId,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contract")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_id: Uuid,
    pub person_id: Uuid,
    pub account_id: Uuid,
    pub began_at: Option<i64>,
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores news of contracts that all began, or all ended.
///
/// # Errors
/// If the database fails.
pub async fn note(txn: &Txn, news: &[ContractNews]) -> Result<(), StorageError> {
    let told = |began: bool| match began {
        true => Column::BeganAt,
        false => Column::EndedAt,
    };
    for began in [true, false] {
        let of_kind: Vec<_> = news.iter().filter(|it| it.began.is_some() == began).collect();
        for chunk in of_kind.chunks(ROWS) {
            let rows = chunk.iter().map(|it| ActiveModel {
                id: Set(it.id.as_uuid()),
                client_id: Set(it.client.as_uuid()),
                person_id: Set(it.person.as_uuid()),
                account_id: Set(it.account.as_uuid()),
                began_at: Set(it.began.map(Timestamp::as_micros)),
                ended_at: Set(it.ended.map(Timestamp::as_micros)),
            });
            Entity::insert_many(rows)
                .on_conflict(OnConflict::column(Column::Id).update_column(told(began)).to_owned())
                .exec_without_returning(txn)
                .await?;
        }
    }
    Ok(())
}

/// The contracts of some accounts that have begun.
///
/// # Errors
/// If the database fails.
pub async fn of_accounts(
    conn: &impl ConnectionTrait,
    accounts: &BTreeSet<AccountId>,
) -> Result<Vec<Contract>, StorageError> {
    let accounts: Vec<_> = accounts.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in accounts.chunks(ROWS) {
        let rows = Entity::find()
            .filter(Column::AccountId.is_in(chunk.iter().copied()))
            .filter(Column::BeganAt.is_not_null())
            .all(conn)
            .await?;
        found.extend(rows.into_iter().filter_map(|row| {
            Some(Contract {
                id: ContractId::from_uuid(row.id),
                account: AccountId::from_uuid(row.account_id),
                client: ClientId::from_uuid(row.client_id),
                began: Timestamp::from_micros(row.began_at?),
                ended: row.ended_at.map(Timestamp::from_micros),
            })
        }));
    }
    Ok(found)
}

/// What is known of the contracts of some people.
///
/// # Errors
/// If the database fails.
pub async fn of_people(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<Vec<ContractNews>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let theirs = Column::PersonId.is_in(chunk.iter().copied());
        let rows = Entity::find().filter(theirs).all(conn).await?;
        found.extend(rows.into_iter().map(|row| ContractNews {
            id: ContractId::from_uuid(row.id),
            client: ClientId::from_uuid(row.client_id),
            person: PersonId::from_uuid(row.person_id),
            account: AccountId::from_uuid(row.account_id),
            began: row.began_at.map(Timestamp::from_micros),
            ended: row.ended_at.map(Timestamp::from_micros),
        }));
    }
    Ok(found)
}

/// Those of some people who have had a contract.
///
/// # Errors
/// If the database fails.
pub async fn hired(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let rows: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::PersonId)
            .distinct()
            .filter(Column::PersonId.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(rows.into_iter().map(PersonId::from_uuid));
    }
    Ok(found)
}

/// Whether an account has had a contract with a client.
///
/// # Errors
/// If the database fails.
pub async fn work_together(
    conn: &impl ConnectionTrait,
    account: AccountId,
    client: ClientId,
) -> Result<bool, StorageError> {
    let found = Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .filter(Column::ClientId.eq(client.as_uuid()))
        .one(conn)
        .await?;
    Ok(found.is_some())
}

/// Whether a person has had a contract with a client, with any account.
///
/// # Errors
/// If the database fails.
pub async fn knows(conn: &impl ConnectionTrait, person: PersonId, client: ClientId) -> Result<bool, StorageError> {
    let found = Entity::find()
        .filter(Column::PersonId.eq(person.as_uuid()))
        .filter(Column::ClientId.eq(client.as_uuid()))
        .one(conn)
        .await?;
    Ok(found.is_some())
}
