//! Cases with their offers. The terms of an offer are kept as the client sent them and handed out beside the case.

mod entity;
mod row;

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    TryInsertResult,
    sea_query::{CaseStatement, Expr, ExprTrait, LockType},
};
use vouch_primitives::{CaseId, ClientId, PersonId, RoomId, Timestamp, Uuid};
use vouch_proto::common::v1::ContractTerms;
use vouch_storage::{StorageError, Txn};

use self::entity::{case, offer};
use super::unreadable;
use crate::domain::{Case, ContractStart};

/// Adds a case with its offer. `false` if there is one with this id already; it is left as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert_case(txn: &Txn, case: &Case, terms: &ContractTerms) -> Result<bool, StorageError> {
    let (case, offer) = row::to_rows(case, terms);
    let inserted = case::Entity::insert(case)
        .on_conflict_do_nothing_on([case::Column::Id])
        .exec_without_returning(txn)
        .await?;
    if !matches!(inserted, TryInsertResult::Inserted(1)) {
        return Ok(false);
    }
    offer::Entity::insert(offer).exec_without_returning(txn).await?;
    Ok(true)
}

/// Reads a case and the terms of its offer.
///
/// # Errors
/// When the database fails.
pub async fn find_case(conn: &impl ConnectionTrait, id: CaseId) -> Result<Option<(Case, ContractTerms)>, StorageError> {
    let found = load(conn, case::Entity::find_by_id(id.as_uuid())).await?;
    Ok(found.into_iter().next())
}

/// The two parties of a case.
///
/// # Errors
/// When the database fails.
pub async fn parties_of_case(
    conn: &impl ConnectionTrait,
    id: CaseId,
) -> Result<Option<(ClientId, PersonId)>, StorageError> {
    parties(conn, case::Entity::find_by_id(id.as_uuid())).await
}

/// The two parties of a project room, which are those of its case.
///
/// # Errors
/// When the database fails.
pub async fn parties_of_room(
    conn: &impl ConnectionTrait,
    id: RoomId,
) -> Result<Option<(ClientId, PersonId)>, StorageError> {
    let of_room = offer::Entity::find()
        .select_only()
        .column(offer::Column::CaseId)
        .filter(offer::Column::RoomId.eq(id.as_uuid()));
    let wanted = case::Entity::find().filter(case::Column::Id.in_subquery(of_room.into_query()));
    parties(conn, wanted).await
}

async fn parties(
    conn: &impl ConnectionTrait,
    wanted: Select<case::Entity>,
) -> Result<Option<(ClientId, PersonId)>, StorageError> {
    let found: Option<(Uuid, Uuid)> = wanted
        .select_only()
        .columns([case::Column::ClientId, case::Column::PersonId])
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.map(|(client, person)| (ClientId::from_uuid(client), PersonId::from_uuid(person))))
}

/// Reads a case and the terms of its offer, and locks it.
///
/// # Errors
/// When the database fails.
pub async fn lock_case(txn: &Txn, id: CaseId) -> Result<Option<(Case, ContractTerms)>, StorageError> {
    Ok(lock_cases(txn, &[id]).await?.into_iter().next())
}

/// Reads cases with the terms of their offers and locks them, in ascending order of id.
///
/// # Errors
/// When the database fails.
pub async fn lock_cases(txn: &Txn, ids: &[CaseId]) -> Result<Vec<(Case, ContractTerms)>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    let wanted = case::Entity::find()
        .filter(case::Column::Id.is_in(ids))
        .order_by_asc(case::Column::Id);
    load(txn, wanted.lock(LockType::Update)).await
}

/// The case of a person that has waited longest among those whose offer can still be accepted at `now`.
///
/// # Errors
/// When the database fails.
pub async fn find_open_case(
    conn: &impl ConnectionTrait,
    person: PersonId,
    now: Timestamp,
) -> Result<Option<(Case, ContractTerms)>, StorageError> {
    let waiting = case::Entity::find()
        .filter(case::Column::PersonId.eq(person.as_uuid()))
        .filter(case::Column::State.is_in(row::OPEN))
        .order_by_asc(case::Column::OpenedAt)
        .order_by_asc(case::Column::Id);
    let found = load(conn, waiting).await?;
    Ok(found.into_iter().find(|(case, _)| case.is_open(now)))
}

/// Saves where a case stands.
///
/// # Errors
/// When the database fails.
pub async fn save_case(txn: &Txn, case: &Case, terms: &ContractTerms) -> Result<(), StorageError> {
    let (case, offer) = row::to_rows(case, terms);
    case::Entity::update(case).exec(txn).await?;
    offer::Entity::update(offer).exec(txn).await?;
    Ok(())
}

/// Saves that the offers of these cases have lapsed.
///
/// # Errors
/// When the database fails.
pub async fn save_lapsed(txn: &Txn, cases: &[CaseId]) -> Result<(), StorageError> {
    case::Entity::update_many()
        .col_expr(case::Column::State, Expr::value(row::LAPSED))
        .filter(case::Column::Id.is_in(cases.iter().map(|id| id.as_uuid())))
        .exec(txn)
        .await?;
    Ok(())
}

/// Saves when payments began these contracts, each named once, and returns how many of them there are.
///
/// # Errors
/// When the database fails.
pub async fn save_contract_starts(txn: &Txn, starts: &[ContractStart]) -> Result<u64, StorageError> {
    let contract = || Expr::col(offer::Column::ContractId);
    let started_at = starts.iter().fold(CaseStatement::new(), |cases, start| {
        cases.case(contract().eq(start.contract_id.as_uuid()), start.started_at.as_micros())
    });
    let updated = offer::Entity::update_many()
        .col_expr(offer::Column::ContractStartedAt, started_at.into())
        .filter(offer::Column::ContractId.is_in(starts.iter().map(|start| start.contract_id.as_uuid())))
        .exec(txn)
        .await?;
    Ok(updated.rows_affected)
}

/// The cases of `wanted` in their order. The offers are read in a statement of their own, after the locks.
async fn load(
    conn: &impl ConnectionTrait,
    wanted: Select<case::Entity>,
) -> Result<Vec<(Case, ContractTerms)>, StorageError> {
    let cases = wanted.all(conn).await?;
    if cases.is_empty() {
        return Ok(vec![]);
    }
    let of_cases = offer::Column::CaseId.is_in(cases.iter().map(|case| case.id));
    let offers = offer::Entity::find().filter(of_cases).all(conn).await?;
    let mut offers: HashMap<Uuid, offer::Model> = offers.into_iter().map(|offer| (offer.case_id, offer)).collect();
    cases
        .into_iter()
        .map(|case| {
            let offer = offers
                .remove(&case.id)
                .ok_or_else(|| unreadable("offer", "the case has none"))?;
            row::from_rows(case, offer)
        })
        .collect()
}
