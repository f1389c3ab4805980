//! Sums over ties.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, ExprTrait as _, QuerySelect, QueryTrait as _, Select, entity::prelude::*};
use vouch_primitives::{Currency, Money, ReferrerId};
use vouch_storage::StorageError;

use super::rows::{attribution, introduction, total};
use crate::store::corrupt;

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
