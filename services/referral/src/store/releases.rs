//! `reward_release`: what was released when. Rows are added with each release, and never change.

use std::{collections::HashMap, fmt, str::FromStr};

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, ExprTrait as _, FromQueryResult, QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
};
use vouch_primitives::{Currency, Money, ReferrerId, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, mark};
use crate::domain::{Release, RewardKind};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reward_release")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub referrer_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub released_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tie_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub epoch: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub amount_minor: i64,
    pub cumulative_minor: i64,
    pub month_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// One release, and what it adds to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// The attribution or introduction.
    pub tie: Uuid,
    /// Whose.
    pub referrer: ReferrerId,
    /// The release.
    pub release: Release,
    /// What it adds, or takes back, in minor units.
    pub amount_minor: i64,
    /// When.
    pub released_at: Timestamp,
}

/// Orders releases: by the moment, then by what was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasePosition {
    /// The moment.
    pub released_at: Timestamp,
    /// The attribution or introduction.
    pub tie: Uuid,
    /// The name of the kind of reward.
    pub kind: String,
    /// The number of the release.
    pub sequence: i64,
}

/// A referrer's releases in one currency within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Whose.
    pub referrer: ReferrerId,
    /// In which currency.
    pub currency: Currency,
    /// From when on.
    pub from: Timestamp,
    /// Up to when, and not at that moment.
    pub until: Timestamp,
}

/// The text is not the position of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the position of a release")]
pub struct InvalidPosition;

/// Adds releases to the record.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, epoch: i64, released: &[Released]) -> Result<(), StorageError> {
    for chunk in released.chunks(ROWS) {
        let rows = chunk.iter().map(|it| ActiveModel {
            tie_id: Set(it.tie),
            kind: Set(it.release.kind.name().to_owned()),
            currency: Set(it.release.cumulative.currency.code().to_owned()),
            epoch: Set(epoch),
            sequence: Set(it.release.sequence),
            referrer_id: Set(it.referrer.as_uuid()),
            amount_minor: Set(it.amount_minor),
            cumulative_minor: Set(it.release.cumulative.minor),
            released_at: Set(it.released_at.as_micros()),
            month_at: Set(it.released_at.start_of_month().as_micros()),
        });
        Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// What the record comes to of these ties of these referrers, in minor units.
///
/// # Errors
/// If the database fails.
pub async fn recorded(
    conn: &impl ConnectionTrait,
    ties: &[(ReferrerId, Uuid)],
) -> Result<HashMap<(Uuid, RewardKind, Currency), i64>, StorageError> {
    let mut found = HashMap::new();
    for chunk in ties.chunks(ROWS) {
        let rows: Vec<(Uuid, String, String, i64)> = Entity::find()
            .select_only()
            .columns([Column::TieId, Column::Kind, Column::Currency])
            .column_as(Column::AmountMinor.sum().cast_as("bigint"), "sum")
            .filter(Column::ReferrerId.is_in(chunk.iter().map(|(referrer, _)| referrer.as_uuid())))
            .filter(Column::TieId.is_in(chunk.iter().map(|(_, tie)| *tie)))
            .group_by(Column::TieId)
            .group_by(Column::Kind)
            .group_by(Column::Currency)
            .into_tuple()
            .all(conn)
            .await?;
        for (tie, kind, currency, sum) in rows {
            let kind = RewardKind::of_name(&kind).ok_or_else(|| corrupt("unknown kind of reward"))?;
            found.insert((tie, kind, currency.parse().map_err(corrupt)?), sum);
        }
    }
    Ok(found)
}

/// What had been released to a referrer in a currency before a moment.
///
/// # Errors
/// If the database fails.
pub async fn before(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    currency: Currency,
    moment: Timestamp,
) -> Result<Money, StorageError> {
    let sum: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Column::AmountMinor.sum().cast_as("bigint"), "sum")
        .filter(Column::ReferrerId.eq(referrer.as_uuid()))
        .filter(Column::Currency.eq(currency.code()))
        .filter(Column::ReleasedAt.lt(moment.as_micros()))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(Money::new(sum.flatten().unwrap_or(0), currency))
}

/// The releases of a period, the oldest first, as many as the page needs.
///
/// # Errors
/// If the database fails.
pub async fn page_of(
    conn: &impl ConnectionTrait,
    period: Period,
    page: &Page<ReleasePosition>,
) -> Result<Vec<Released>, StorageError> {
    let mut wanted = Entity::find()
        .filter(Column::ReferrerId.eq(period.referrer.as_uuid()))
        .filter(Column::Currency.eq(period.currency.code()))
        .filter(Column::ReleasedAt.gte(period.from.as_micros()))
        .filter(Column::ReleasedAt.lt(period.until.as_micros()));
    if let Some(after) = &page.after {
        let row = |values: [Expr; 4]| Expr::tuple(values);
        let columns = row([
            Expr::col(Column::ReleasedAt),
            Expr::col(Column::TieId),
            Expr::col(Column::Kind),
            Expr::col(Column::Sequence),
        ]);
        wanted = wanted.filter(columns.gt(row([
            Expr::value(after.released_at.as_micros()),
            Expr::value(after.tie),
            Expr::value(after.kind.clone()),
            Expr::value(after.sequence),
        ])));
    }
    let rows = wanted
        .order_by_asc(Column::ReleasedAt)
        .order_by_asc(Column::TieId)
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Sequence)
        .limit(page.limit());
    rows.all(conn).await?.into_iter().map(read).collect()
}

/// What was released to a referrer in the last months in which something was: by month, the newest first, and currency.
///
/// # Errors
/// If the database fails.
pub async fn months_of(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    months: u64,
) -> Result<Vec<(Timestamp, Money)>, StorageError> {
    let mark = mark(conn.get_database_backend(), 1);
    let sql = format!(
        "SELECT month_at, currency, CAST(SUM(amount_minor) AS bigint) AS released FROM reward_release \
         WHERE referrer_id = {mark} AND month_at IN (SELECT DISTINCT month_at FROM reward_release \
         WHERE referrer_id = {mark} ORDER BY month_at DESC LIMIT {months}) \
         GROUP BY month_at, currency ORDER BY month_at DESC, currency"
    );
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, [referrer.as_uuid().into()]);
    let rows = Month::find_by_statement(statement).all(conn).await?;
    let read = |row: Month| {
        let currency: Currency = row.currency.parse().map_err(corrupt)?;
        Ok((Timestamp::from_micros(row.month_at), Money::new(row.released, currency)))
    };
    rows.into_iter().map(read).collect()
}

#[derive(FromQueryResult)]
struct Month {
    month_at: i64,
    currency: String,
    released: i64,
}

/// To whom most was released within the months that begin in `[from, until]`, with how much, the most first; of those with
/// the same, the one who is there longer.
///
/// # Errors
/// If the database fails.
pub async fn leaders(
    conn: &impl ConnectionTrait,
    currency: Currency,
    (from, until): (Timestamp, Timestamp),
    most: u64,
) -> Result<Vec<(ReferrerId, Money)>, StorageError> {
    let rows: Vec<(Uuid, i64)> = Entity::find()
        .select_only()
        .column(Column::ReferrerId)
        .column_as(Column::AmountMinor.sum().cast_as("bigint"), "released")
        .filter(Column::MonthAt.between(from.as_micros(), until.as_micros()))
        .filter(Column::Currency.eq(currency.code()))
        .group_by(Column::ReferrerId)
        .having(Column::AmountMinor.sum().gt(0))
        .order_by_desc(Column::AmountMinor.sum())
        .order_by_asc(Column::ReferrerId)
        .limit(most)
        .into_tuple()
        .all(conn)
        .await?;
    let leader = |(id, minor)| (ReferrerId::from_uuid(id), Money::new(minor, currency));
    Ok(rows.into_iter().map(leader).collect())
}

impl Released {
    /// Where it stands among others.
    #[must_use]
    pub fn position(&self) -> ReleasePosition {
        ReleasePosition {
            released_at: self.released_at,
            tie: self.tie,
            kind: self.release.kind.name().to_owned(),
            sequence: self.release.sequence,
        }
    }
}

fn read(row: Model) -> Result<Released, StorageError> {
    let kind = RewardKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of reward"))?;
    Ok(Released {
        tie: row.tie_id,
        referrer: ReferrerId::from_uuid(row.referrer_id),
        release: Release {
            kind,
            cumulative: Money::new(row.cumulative_minor, row.currency.parse().map_err(corrupt)?),
            sequence: row.sequence,
        },
        amount_minor: row.amount_minor,
        released_at: Timestamp::from_micros(row.released_at),
    })
}

impl fmt::Display for ReleasePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            released_at,
            tie,
            kind,
            sequence,
        } = self;
        write!(f, "{}.{tie}.{kind}.{sequence}", released_at.as_micros())
    }
}

impl FromStr for ReleasePosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let parts: Vec<&str> = text.split('.').collect();
        let [micros, tie, kind, sequence] = parts.as_slice() else {
            return Err(InvalidPosition);
        };
        Ok(Self {
            released_at: Timestamp::from_micros(micros.parse().map_err(|_| InvalidPosition)?),
            tie: tie.parse().map_err(|_| InvalidPosition)?,
            kind: RewardKind::of_name(kind).ok_or(InvalidPosition)?.name().to_owned(),
            sequence: sequence.parse().map_err(|_| InvalidPosition)?,
        })
    }
}
