//! `contract_pause`.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, ExprTrait as _, QueryOrder, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ContractId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::time;
use crate::domain::{Pause, Span};

/// A locked contract is paused from now on.
///
/// # Errors
/// When the database fails; it refuses a second pause that has not ended.
pub async fn begin(txn: &Txn, contract: ContractId, from: Timestamp) -> Result<(), StorageError> {
    let row = ActiveModel {
        contract_id: Set(contract.as_uuid()),
        from_at: Set(from.as_micros()),
        until_at: Set(None),
    };
    // One that began and ended in this very moment goes on.
    let again = OnConflict::columns([Column::ContractId, Column::FromAt])
        .update_column(Column::UntilAt)
        .to_owned();
    Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The pause of a locked contract ends, if it is in one.
///
/// # Errors
/// When the database fails.
pub async fn end(txn: &Txn, contract: ContractId, until: Timestamp) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::UntilAt, Expr::value(until.as_micros()))
        .filter(Column::ContractId.eq(contract.as_uuid()))
        .filter(Column::UntilAt.is_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// The pauses of a contract in which some of this time lies.
///
/// # Errors
/// When the database fails.
pub async fn meeting(
    conn: &impl ConnectionTrait,
    contract: ContractId,
    span: Span,
) -> Result<Vec<Pause>, StorageError> {
    let not_before = Column::UntilAt
        .is_null()
        .or(Column::UntilAt.gt(span.start().as_micros()));
    let rows = Entity::find()
        .filter(Column::ContractId.eq(contract.as_uuid()))
        .filter(Column::FromAt.lt(span.end().as_micros()))
        .filter(not_before)
        .order_by_asc(Column::FromAt)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(Pause::from).collect())
}

/// All pauses of these contracts.
///
/// # Errors
/// When the database fails.
pub async fn of(
    conn: &impl ConnectionTrait,
    contracts: &[ContractId],
) -> Result<BTreeMap<ContractId, Vec<Pause>>, StorageError> {
    let rows = Entity::find()
        .filter(Column::ContractId.is_in(contracts.iter().map(|id| id.as_uuid())))
        .order_by_asc(Column::FromAt)
        .all(conn)
        .await?;
    let mut pauses: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let contract = ContractId::from_uuid(row.contract_id);
        pauses.entry(contract).or_default().push(row.into());
    }
    Ok(pauses)
}

impl From<Model> for Pause {
    fn from(model: Model) -> Self {
        Self {
            from: time(model.from_at),
            until: model.until_at.map(time),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contract_pause")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub contract_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_at: i64,
    pub until_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
