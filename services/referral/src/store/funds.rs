//! `sign_up_fund`: what referrers were granted of one-off bonuses. Its rows are locked after those of the people.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{Currency, ReferrerId};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, ties};
use crate::domain::Fund;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_up_fund")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub referrer_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    pub granted_minor: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Funds by referrer and currency.
pub type Funds = BTreeMap<(ReferrerId, Currency), Fund>;

/// Locks the funds, in ascending order; those that are not there yet are made.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn, wanted: &BTreeSet<(ReferrerId, Currency)>) -> Result<Funds, StorageError> {
    let wanted: Vec<_> = wanted.iter().copied().collect();
    let mut funds = Funds::new();
    for chunk in wanted.chunks(ROWS) {
        let rows = chunk.iter().map(|(referrer, currency)| ActiveModel {
            referrer_id: Set(referrer.as_uuid()),
            currency: Set(currency.code().to_owned()),
            granted_minor: Set(0),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
        let locked = Entity::find()
            .filter(Column::ReferrerId.is_in(chunk.iter().map(|(referrer, _)| referrer.as_uuid())))
            .order_by_asc(Column::ReferrerId)
            .order_by_asc(Column::Currency)
            .lock(LockType::NoKeyUpdate)
            .all(txn)
            .await?;
        for row in locked {
            let currency = row.currency.parse().map_err(corrupt)?;
            let fund = Fund {
                currency,
                granted_minor: row.granted_minor,
            };
            funds.insert((ReferrerId::from_uuid(row.referrer_id), currency), fund);
        }
    }
    Ok(funds)
}

/// The funds that do not hold what was granted: what they hold, and what was granted.
///
/// # Errors
/// If the database fails.
pub async fn wrong(conn: &impl ConnectionTrait) -> Result<BTreeMap<(ReferrerId, Currency), (i64, i64)>, StorageError> {
    let granted = ties::granted(conn).await?;
    let mut sums: BTreeMap<_, _> = granted.into_iter().map(|(key, minor)| (key, (0, minor))).collect();
    for row in Entity::find().all(conn).await? {
        let key = (
            ReferrerId::from_uuid(row.referrer_id),
            row.currency.parse().map_err(corrupt)?,
        );
        sums.entry(key).or_insert((0, 0)).0 = row.granted_minor;
    }
    sums.retain(|_, (live, granted)| live != granted);
    Ok(sums)
}

/// Stores the funds, which are locked.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, funds: &Funds) -> Result<(), StorageError> {
    let rows: Vec<_> = funds
        .iter()
        .map(|((referrer, currency), fund)| ActiveModel {
            referrer_id: Set(referrer.as_uuid()),
            currency: Set(currency.code().to_owned()),
            granted_minor: Set(fund.granted_minor),
        })
        .collect();
    for chunk in rows.chunks(ROWS) {
        let key = [Column::ReferrerId, Column::Currency];
        Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::columns(key).update_column(Column::GrantedMinor).to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}
