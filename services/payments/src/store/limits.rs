//! `weekly_limit`.

use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use vouch_primitives::ContractId;
use vouch_storage::{StorageError, Txn};

use super::{time, unreadable};
use crate::domain::{Contract, Pay, Week, WeeklyLimits};

const TABLE: &str = "weekly_limit";

/// The weekly limits of these contracts; none of those that are not hourly.
///
/// # Errors
/// When the database fails.
pub async fn of<'a>(
    conn: &impl ConnectionTrait,
    contracts: impl IntoIterator<Item = &'a Contract>,
) -> Result<BTreeMap<ContractId, WeeklyLimits>, StorageError> {
    let hourly: BTreeMap<ContractId, u32> = contracts
        .into_iter()
        .filter_map(|contract| match contract.pay {
            Pay::Hourly {
                weekly_limit_minutes, ..
            } => Some((contract.id, weekly_limit_minutes)),
            Pay::Fixed { .. } | Pay::Recurring { .. } => None,
        })
        .collect();
    if hourly.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = Entity::find()
        .filter(Column::ContractId.is_in(hourly.keys().map(|id| id.as_uuid())))
        .all(conn)
        .await?;
    let mut changes: BTreeMap<Uuid, Vec<(Week, u32)>> = BTreeMap::new();
    for row in rows {
        let minutes = u32::try_from(row.minutes).map_err(|error| unreadable(TABLE, error))?;
        let change = (Week::of(time(row.week)), minutes);
        changes.entry(row.contract_id).or_default().push(change);
    }
    let limits = hourly.into_iter().map(|(id, agreed)| {
        let changes = changes.remove(&id.as_uuid()).unwrap_or_default();
        (id, WeeklyLimits::new(agreed, changes))
    });
    Ok(limits.collect())
}

/// Saves the limit of a locked contract from a week on, in place of all that was set from that week or a later one.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, contract: ContractId, from: Week, minutes: u32) -> Result<(), StorageError> {
    let week = from.start().as_micros();
    Entity::delete_many()
        .filter(Column::ContractId.eq(contract.as_uuid()))
        .filter(Column::Week.gte(week))
        .exec(txn)
        .await?;
    let row = ActiveModel {
        contract_id: Set(contract.as_uuid()),
        week: Set(week),
        minutes: Set(i32::try_from(minutes).map_err(|error| unreadable(TABLE, error))?),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "weekly_limit")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub contract_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub week: i64,
    pub minutes: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
