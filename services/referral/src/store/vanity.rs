//! `vanity_code`: codes of referrers' own choice.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::VanityCode;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "vanity_code")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    #[sea_orm(unique)]
    pub referrer_id: Uuid,
    pub claimed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a code for a referrer, unless the code is taken or the referrer has one.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, now: Timestamp, referrer: ReferrerId, code: &VanityCode) -> Result<(), StorageError> {
    let row = ActiveModel {
        code: Set(code.as_str().to_owned()),
        referrer_id: Set(referrer.as_uuid()),
        claimed_at: Set(now.as_micros()),
    };
    Entity::insert_many([row])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The code of a referrer.
///
/// # Errors
/// If the database fails.
pub async fn of_referrer(conn: &impl ConnectionTrait, id: ReferrerId) -> Result<Option<VanityCode>, StorageError> {
    let row = Entity::find()
        .filter(Column::ReferrerId.eq(id.as_uuid()))
        .one(conn)
        .await?;
    row.map(|row| row.code.parse().map_err(corrupt)).transpose()
}

/// Whose these codes are, and since when.
///
/// # Errors
/// If the database fails.
pub async fn of_codes(
    conn: &impl ConnectionTrait,
    codes: &BTreeSet<VanityCode>,
) -> Result<HashMap<VanityCode, (ReferrerId, Timestamp)>, StorageError> {
    let codes: Vec<&str> = codes.iter().map(VanityCode::as_str).collect();
    let mut found = HashMap::new();
    for chunk in codes.chunks(ROWS) {
        let rows = Entity::find().filter(Column::Code.is_in(chunk.iter().copied()));
        for row in rows.all(conn).await? {
            let owner = (
                ReferrerId::from_uuid(row.referrer_id),
                Timestamp::from_micros(row.claimed_at),
            );
            found.insert(row.code.parse().map_err(corrupt)?, owner);
        }
    }
    Ok(found)
}
