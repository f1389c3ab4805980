//! What payments tells of the contracts that accepted offers began, and which of a person's offers are still open.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{CaseStatement, Expr, ExprTrait, Query, SelectStatement},
};
use vouch_primitives::{CaseId, PersonId, Uuid};
use vouch_storage::{StorageError, Txn};

use super::cases::entity::{
    case::{Column as CaseColumn, Entity as Case},
    offer::{ActiveModel, Column, Entity as Offer},
};
use crate::domain::{ContractEnd, Contracts};

/// Saves when these contracts ended, each named once, and returns how many of them there are. Where the news of its start
/// has not come yet, the contract began when its offer was accepted, which is what that news will say.
///
/// # Errors
/// When the database fails.
pub async fn save_ends(txn: &Txn, ends: &[ContractEnd]) -> Result<u64, StorageError> {
    let ids: Vec<Uuid> = ends.iter().map(|end| end.contract_id.as_uuid()).collect();
    let ended_at = ends.iter().fold(CaseStatement::new(), |cases, end| {
        let is_it = Expr::col(Column::ContractId).eq(end.contract_id.as_uuid());
        cases.case(is_it, end.ended_at.as_micros())
    });
    let started_at = Expr::col(Column::ContractStartedAt).if_null(Expr::col(Column::AcceptedAt));
    let updated = Offer::update_many()
        .col_expr(Column::ContractStartedAt, started_at)
        .col_expr(Column::ContractEndedAt, ended_at.into())
        .filter(Column::ContractId.is_in(ids))
        .exec(txn)
        .await?;
    Ok(updated.rows_affected)
}

/// Whether a person has accepted an offer whose contract goes on.
///
/// # Errors
/// When the database fails.
pub async fn of_person(conn: &impl ConnectionTrait, person: PersonId) -> Result<Contracts, StorageError> {
    let open = Offer::find()
        .filter(Column::CaseId.in_subquery(cases_of(person)))
        .filter(Column::AcceptedAt.is_not_null())
        .filter(Column::ContractEndedAt.is_null());
    Ok(match open.count(conn).await? {
        0 => Contracts::Ended,
        _ => Contracts::Open,
    })
}

/// The cases of a person, in ascending order, with the offer of each that has one.
///
/// # Errors
/// When the database fails.
pub async fn cases_and_offers(
    conn: &impl ConnectionTrait,
    person: PersonId,
) -> Result<BTreeMap<CaseId, Option<Uuid>>, StorageError> {
    let ids: Vec<Uuid> = Case::find()
        .select_only()
        .column(CaseColumn::Id)
        .filter(CaseColumn::PersonId.eq(person.as_uuid()))
        .order_by_asc(CaseColumn::Id)
        .into_tuple()
        .all(conn)
        .await?;
    let mut found: BTreeMap<_, _> = ids.into_iter().map(|id| (CaseId::from_uuid(id), None)).collect();
    let offers: Vec<(Uuid, Uuid)> = Offer::find()
        .select_only()
        .columns([Column::CaseId, Column::Id])
        .filter(Column::CaseId.in_subquery(cases_of(person)))
        .into_tuple()
        .all(conn)
        .await?;
    found.extend(
        offers
            .into_iter()
            .map(|(case, offer)| (CaseId::from_uuid(case), Some(offer))),
    );
    Ok(found)
}

/// Forgets why a person declined offers.
///
/// # Errors
/// When the database fails.
pub async fn erase_reasons(txn: &Txn, person: PersonId) -> Result<(), StorageError> {
    Offer::update_many()
        .set(ActiveModel {
            decline_reason: Set(String::new()),
            ..Default::default()
        })
        .filter(Column::CaseId.in_subquery(cases_of(person)))
        .exec(txn)
        .await?;
    Ok(())
}

fn cases_of(person: PersonId) -> SelectStatement {
    Query::select()
        .column(CaseColumn::Id)
        .from(Case)
        .and_where(CaseColumn::PersonId.eq(person.as_uuid()))
        .to_owned()
}
