//! Sums over ties.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, ExprTrait as _, QueryOrder, QuerySelect, QueryTrait as _, Select, entity::prelude::*};
use vouch_primitives::{AccountId, Currency, Money, ReferrerId};
use vouch_storage::StorageError;

use super::rows::{attribution, introduction, total};
use crate::{domain::RewardKind, store::corrupt};

/// What was released to a referrer in all, by currency.
///
/// # Errors
/// If the database fails.
pub async fn released(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
) -> Result<BTreeMap<Currency, Money>, StorageError> {
    let attributions = attribution::Entity::find()
        .select_only()
        .column(attribution::Column::Id)
        .filter(attribution::Column::ReferrerId.eq(referrer.as_uuid()))
        .into_query();
    let introductions = introduction::Entity::find()
        .select_only()
        .column(introduction::Column::Id)
        .filter(introduction::Column::ReferrerId.eq(referrer.as_uuid()))
        .into_query();
    let theirs = total::Column::TieId
        .in_subquery(attributions)
        .or(total::Column::TieId.in_subquery(introductions));
    by_currency(conn, total::Entity::find().filter(theirs)).await
}

/// What was released to all referrers, by currency.
///
/// # Errors
/// If the database fails.
pub async fn released_to_all(conn: &impl ConnectionTrait) -> Result<BTreeMap<Currency, Money>, StorageError> {
    by_currency(conn, total::Entity::find()).await
}

/// What was granted as sign-up bonuses and is not void, by referrer and currency.
///
/// # Errors
/// If the database fails.
pub async fn granted(conn: &impl ConnectionTrait) -> Result<BTreeMap<(ReferrerId, Currency), i64>, StorageError> {
    let rows: Vec<(Uuid, String, i64)> = attribution::Entity::find()
        .select_only()
        .column(attribution::Column::ReferrerId)
        .column(attribution::Column::SignUpCurrency)
        // PostgreSQL makes a number without an end of a sum.
        .column_as(attribution::Column::SignUpMinor.sum().cast_as("bigint"), "granted")
        .filter(attribution::Column::SignUp.eq("GRANTED"))
        .group_by(attribution::Column::ReferrerId)
        .group_by(attribution::Column::SignUpCurrency)
        .into_tuple()
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|(referrer, code, minor)| Ok(((ReferrerId::from_uuid(referrer), code.parse().map_err(corrupt)?), minor)))
        .collect()
}

/// A total: its tie, its kind and currency, the account that it is paid to, and what of it was released.
pub type ReleasedTotal = (Uuid, (RewardKind, Currency), (AccountId, i64));

/// The totals of the ties behind this one, by tie, at most `limit`.
///
/// # Errors
/// If the database fails.
pub async fn released_after(
    conn: &impl ConnectionTrait,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<ReleasedTotal>, StorageError> {
    let rows = total::Entity::find()
        .filter(total::Column::TieId.gt(after.unwrap_or(Uuid::nil())))
        .order_by_asc(total::Column::TieId)
        .limit(limit)
        .all(conn)
        .await?;
    let ids: Vec<_> = rows.iter().map(|row| row.tie_id).collect();
    let mut accounts = HashMap::new();
    let wanted = attribution::Column::Id.is_in(ids.iter().copied());
    let found = attribution::Entity::find().filter(wanted).all(conn).await?;
    accounts.extend(found.into_iter().map(|row| (row.id, row.account_id)));
    let wanted = introduction::Column::Id.is_in(ids);
    let found = introduction::Entity::find().filter(wanted).all(conn).await?;
    accounts.extend(found.into_iter().map(|row| (row.id, row.account_id)));
    rows.into_iter()
        .map(|row| {
            let kind = RewardKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of reward"))?;
            let account = accounts
                .get(&row.tie_id)
                .ok_or_else(|| corrupt("a total without a tie"))?;
            let key = (kind, row.currency.parse().map_err(corrupt)?);
            Ok((row.tie_id, key, (AccountId::from_uuid(*account), row.released_minor)))
        })
        .collect()
}

async fn by_currency(
    conn: &impl ConnectionTrait,
    of: Select<total::Entity>,
) -> Result<BTreeMap<Currency, Money>, StorageError> {
    let rows: Vec<(String, i64)> = of
        .select_only()
        .column(total::Column::Currency)
        // PostgreSQL makes a number without an end of a sum.
        .column_as(total::Column::ReleasedMinor.sum().cast_as("bigint"), "released")
        .group_by(total::Column::Currency)
        .into_tuple()
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|(code, minor)| {
            let currency = code.parse().map_err(corrupt)?;
            Ok((currency, Money::new(minor, currency)))
        })
        .collect()
}
