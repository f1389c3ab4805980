//! Sums over ties.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ConnectionTrait, ExprTrait as _, FromQueryResult, QueryOrder, QuerySelect, QueryTrait as _, Select, Statement,
    entity::prelude::*,
};
use vouch_primitives::{AccountId, Currency, Money, ReferrerId};
use vouch_storage::StorageError;

use super::rows::{attribution, introduction, total};
use crate::{
    domain::RewardKind,
    store::{
        corrupt,
        programme::{self, PublishedTerms},
    },
};

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

/// What was released to all referrers, and with sign-up bonuses to their referees [R24], by currency.
///
/// # Errors
/// If the database fails.
pub async fn released_to_all(conn: &impl ConnectionTrait) -> Result<BTreeMap<Currency, Money>, StorageError> {
    let mut all = by_currency(conn, total::Entity::find()).await?;
    // The amounts are those of the terms, so that there are few of each.
    let sql = "SELECT a.terms_version, t.currency, t.released_minor, t.paid_before_minor, COUNT(*) AS bonuses \
               FROM reward_total t JOIN attribution a ON a.id = t.attribution_id WHERE t.kind = 'SIGN_UP_BONUS' \
               AND a.referee_account_id IS NOT NULL GROUP BY 1, 2, 3, 4";
    let same = SameBonuses::find_by_statement(Statement::from_string(conn.get_database_backend(), sql));
    let terms = programme::all_terms(conn).await?;
    for row in same.all(conn).await? {
        let currency: Currency = row.currency.parse().map_err(corrupt)?;
        let of_version = |it: &&PublishedTerms| i64::from(it.terms.version) == i64::from(row.terms_version);
        let bonus = terms
            .iter()
            .find(of_version)
            .and_then(|it| it.terms.sign_up.get(&currency));
        let each = bonus.map_or(0, |bonus| bonus.benefit(row.released_minor, row.paid_before_minor));
        let benefits = each.checked_mul(row.bonuses);
        let total = all.entry(currency).or_insert(Money::zero(currency));
        let sum = benefits.and_then(|benefits| total.minor.checked_add(benefits));
        total.minor = sum.ok_or_else(|| corrupt("more benefits than an amount holds"))?;
    }
    Ok(all)
}

/// How many sign-up bonuses stand the same, under one version of the terms.
#[derive(FromQueryResult)]
struct SameBonuses {
    terms_version: i32,
    currency: String,
    released_minor: i64,
    paid_before_minor: i64,
    bonuses: i64,
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
