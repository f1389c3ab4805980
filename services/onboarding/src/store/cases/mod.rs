//! Cases with their offers. The terms of an offer are kept as the client sent them and handed out beside the case.

pub(super) mod entity;
mod row;

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set,
    TryInsertResult,
    sea_query::{CaseStatement, Expr, ExprTrait, LockType, SelectStatement},
};
use vouch_primitives::{CaseId, ClientId, PersonId, RoomId, Timestamp, Uuid};
use vouch_proto::common::v1::ContractTerms;
use vouch_storage::{StorageError, Txn};

use self::entity::{case, offer};
pub use self::row::{plan_from_text, talent_from_text};
use super::clouds;
use crate::domain::{Agency, Case, ContractStart, Step};

/// Adds a case with its offer, if it has one; `agency` is whose case it is, if it is an agency's. `false` if there is one with this
/// id already; it is left as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert_case(
    txn: &Txn,
    case: &Case,
    terms: Option<&ContractTerms>,
    agency: Option<&Agency>,
) -> Result<bool, StorageError> {
    let listing = agency.map(|agency| agency.listing.as_str().to_owned());
    let row = case::ActiveModel {
        listing: Set(listing),
        ..row::case_to_row(case)
    };
    let inserted = case::Entity::insert(row)
        .on_conflict_do_nothing_on([case::Column::Id])
        .exec_without_returning(txn)
        .await?;
    if !matches!(inserted, TryInsertResult::Inserted(1)) {
        return Ok(false);
    }
    if let Some(offer) = row::offer_to_row(case, terms) {
        offer::Entity::insert(offer).exec_without_returning(txn).await?;
    }
    Ok(true)
}

/// Reads a case and the terms of its offer.
///
/// # Errors
/// When the database fails.
pub async fn find_case(
    conn: &impl ConnectionTrait,
    id: CaseId,
) -> Result<Option<(Case, Option<ContractTerms>)>, StorageError> {
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
pub async fn lock_case(txn: &Txn, id: CaseId) -> Result<Option<(Case, Option<ContractTerms>)>, StorageError> {
    Ok(lock_cases(txn, &[id]).await?.into_iter().next())
}

/// Reads cases with the terms of their offers and locks them, in ascending order of id.
///
/// # Errors
/// When the database fails.
pub async fn lock_cases(txn: &Txn, ids: &[CaseId]) -> Result<Vec<(Case, Option<ContractTerms>)>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    let wanted = case::Entity::find()
        .filter(case::Column::Id.is_in(ids))
        .order_by_asc(case::Column::Id);
    load(txn, wanted.lock(LockType::Update)).await
}

/// The case of a person that has waited longest among those in which there is something left to do at `now`; an offer comes
/// before a talent cloud [B11].
///
/// # Errors
/// When the database fails.
pub async fn find_open_case(
    conn: &impl ConnectionTrait,
    person: PersonId,
    now: Timestamp,
) -> Result<Option<(Case, Option<ContractTerms>)>, StorageError> {
    let waiting = case::Entity::find()
        .filter(case::Column::PersonId.eq(person.as_uuid()))
        .filter(case::Column::State.is_in(row::open_states()))
        // Offers come before talent clouds, also in the alphabet.
        .order_by_asc(case::Column::Brings)
        .order_by_asc(case::Column::OpenedAt)
        .order_by_asc(case::Column::Id);
    let found = load(conn, waiting).await?;
    Ok(found.into_iter().find(|(case, _)| case.is_open(now)))
}

/// At most `limit` cases of a person, or of a client's invitations, or of both, that come before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_cases(
    conn: &impl ConnectionTrait,
    person: Option<PersonId>,
    client: Option<ClientId>,
    before: Option<CaseId>,
    limit: u64,
) -> Result<Vec<(Case, Option<ContractTerms>)>, StorageError> {
    let mut wanted = case::Entity::find();
    // An id follows from its invitation's and says nothing of age.
    if let Some(before) = before {
        let Some(last) = case::Entity::find_by_id(before.as_uuid()).one(conn).await? else {
            return Ok(vec![]);
        };
        let older = case::Column::OpenedAt.lt(last.opened_at);
        let same = case::Column::OpenedAt
            .eq(last.opened_at)
            .and(case::Column::Id.lt(last.id));
        wanted = wanted.filter(older.or(same));
    }
    if let Some(person) = person {
        wanted = wanted.filter(case::Column::PersonId.eq(person.as_uuid()));
    }
    if let Some(client) = client {
        wanted = wanted.filter(case::Column::ClientId.eq(client.as_uuid()));
    }
    let wanted = wanted
        .order_by_desc(case::Column::OpenedAt)
        .order_by_desc(case::Column::Id);
    load(conn, wanted.limit(limit)).await
}

/// Reads the cases of a person that are at this step, and locks them, in ascending order of id.
///
/// # Errors
/// When the database fails.
pub async fn lock_cases_at(
    txn: &Txn,
    person: PersonId,
    step: Step,
) -> Result<Vec<(Case, Option<ContractTerms>)>, StorageError> {
    let wanted = case::Entity::find()
        .filter(case::Column::PersonId.eq(person.as_uuid()))
        .filter(case::Column::State.eq(step.as_str()))
        .order_by_asc(case::Column::Id);
    load(txn, wanted.lock(LockType::Update)).await
}

/// The ids of all cases in which there is something left to do.
pub fn open_ones() -> SelectStatement {
    case::Entity::find()
        .select_only()
        .column(case::Column::Id)
        .filter(case::Column::State.is_in(row::open_states()))
        .filter(clouds::is_left().not())
        .into_query()
}

/// Saves where a case stands.
///
/// # Errors
/// When the database fails.
pub async fn save_case(txn: &Txn, case: &Case, terms: Option<&ContractTerms>) -> Result<(), StorageError> {
    case::Entity::update(row::case_to_row(case)).exec(txn).await?;
    if let Some(offer) = row::offer_to_row(case, terms) {
        offer::Entity::update(offer).exec(txn).await?;
    }
    Ok(())
}

/// Saves that the offers of these cases have lapsed.
///
/// # Errors
/// When the database fails.
pub async fn save_lapsed(txn: &Txn, cases: &[CaseId], now: Timestamp) -> Result<(), StorageError> {
    case::Entity::update_many()
        .col_expr(case::Column::State, Expr::value(row::LAPSED))
        .col_expr(case::Column::Since, Expr::value(now.as_micros()))
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
) -> Result<Vec<(Case, Option<ContractTerms>)>, StorageError> {
    let cases = wanted.all(conn).await?;
    if cases.is_empty() {
        return Ok(vec![]);
    }
    let of_cases = offer::Column::CaseId.is_in(cases.iter().map(|case| case.id));
    let offers = offer::Entity::find().filter(of_cases).all(conn).await?;
    let mut offers: HashMap<Uuid, offer::Model> = offers.into_iter().map(|offer| (offer.case_id, offer)).collect();
    let places = cases
        .iter()
        .filter_map(|case| Some((case.talent_cloud_id?, case.person_id)));
    let left = clouds::left(conn, &places.collect::<Vec<_>>()).await?;
    cases
        .into_iter()
        .map(|row| {
            let left_at = row.talent_cloud_id.and_then(|cloud| left.get(&(cloud, row.person_id)));
            let offer = offers.remove(&row.id);
            let (case, terms) = row::from_rows(row, offer.as_ref())?;
            let left_at = left_at.copied();
            Ok((Case { left_at, ..case }, terms))
        })
        .collect()
}
