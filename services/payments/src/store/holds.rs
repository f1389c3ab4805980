//! `contract_hold`.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, ExprTrait as _, QueryOrder, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ContractId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, time};
use crate::domain::{Pause, Span};

/// Locked contracts are held up from now on, as their clients could not be charged.
///
/// # Errors
/// When the database fails; it refuses a second hold that has not ended.
pub async fn begin(txn: &Txn, contracts: &[ContractId], from: Timestamp) -> Result<(), StorageError> {
    for chunk in contracts.chunks(ROWS) {
        let rows = chunk.iter().map(|contract| ActiveModel {
            contract_id: Set(contract.as_uuid()),
            from_at: Set(from.as_micros()),
            until_at: Set(None),
        });
        // One that began and ended in this very moment goes on.
        let again = OnConflict::columns([Column::ContractId, Column::FromAt])
            .update_column(Column::UntilAt)
            .to_owned();
        Entity::insert_many(rows)
            .on_conflict(again)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The holds of locked contracts end.
///
/// # Errors
/// When the database fails.
pub async fn end(txn: &Txn, contracts: &[ContractId], until: Timestamp) -> Result<(), StorageError> {
    for chunk in contracts.chunks(ROWS) {
        Entity::update_many()
            .col_expr(Column::UntilAt, Expr::value(until.as_micros()))
            .filter(Column::ContractId.is_in(chunk.iter().map(|id| id.as_uuid())))
            .filter(Column::UntilAt.is_null())
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// The times in which a contract was held up, of those in which some of this time lies.
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

/// The times in which these contracts were held up.
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
    let mut holds: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let contract = ContractId::from_uuid(row.contract_id);
        holds.entry(contract).or_default().push(row.into());
    }
    Ok(holds)
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
#[sea_orm(table_name = "contract_hold")]
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
