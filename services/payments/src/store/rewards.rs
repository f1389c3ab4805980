//! `reward_total` and `reward_posting`.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    Condition, ExprTrait as _, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{AccountId, Money};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, unreadable};
use crate::domain::{Release, RewardKey, RewardKind, RewardPosting, RewardTotal};

const TABLE: &str = "reward_total";

/// Locks the totals that these releases are for; one that is not there yet is begun.
///
/// # Errors
/// When the database fails.
pub async fn lock(
    txn: &Txn,
    releases: &BTreeMap<RewardKey, Release>,
) -> Result<BTreeMap<RewardKey, RewardTotal>, StorageError> {
    let totals = locked(txn, releases).await?;
    let missing: Vec<RewardTotal> = releases
        .iter()
        .filter(|(key, _)| !totals.contains_key(key))
        .map(|(_, release)| release.nothing_posted())
        .collect();
    if missing.is_empty() {
        return Ok(totals);
    }
    for chunk in missing.chunks(ROWS) {
        Entity::insert_many(chunk.iter().map(row))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    // Somebody else may have begun one of them at the same time; only a new statement sees that.
    locked(txn, releases).await
}

/// Saves postings and the totals that they have moved.
///
/// # Errors
/// When the database fails; a second posting of one release is refused.
pub async fn save(txn: &Txn, postings: &[RewardPosting], totals: &[RewardTotal]) -> Result<(), StorageError> {
    for chunk in totals.chunks(ROWS) {
        let moved = OnConflict::columns([Column::TieId, Column::Kind, Column::Currency])
            .update_columns([Column::Epoch, Column::Sequence, Column::PostedMinor])
            .to_owned();
        Entity::insert_many(chunk.iter().map(row))
            .on_conflict(moved)
            .exec_without_returning(txn)
            .await?;
    }
    for chunk in postings.chunks(ROWS) {
        let rows = chunk.iter().map(|posting| {
            let Release {
                key,
                epoch,
                sequence,
                released_at,
                ..
            } = posting.release;
            posting::ActiveModel {
                tie_id: Set(key.tie_id),
                kind: Set(key.kind.name().to_owned()),
                currency: Set(key.currency.code().to_owned()),
                epoch: Set(epoch),
                sequence: Set(sequence),
                difference_minor: Set(posting.difference_minor),
                released_at: Set(released_at.as_micros()),
            }
        });
        posting::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// What was posted to an account, by tie, kind and currency: as many as the page needs.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    conn: &impl ConnectionTrait,
    account: AccountId,
    page: &Page<RewardKey>,
) -> Result<Vec<RewardTotal>, StorageError> {
    page_of(conn, to(account), page).await
}

/// One page of the totals of all accounts, by tie, kind and currency.
///
/// # Errors
/// When the database fails.
pub async fn of_all(conn: &impl ConnectionTrait, page: &Page<RewardKey>) -> Result<Vec<RewardTotal>, StorageError> {
    page_of(conn, Entity::find(), page).await
}

async fn page_of(
    conn: &impl ConnectionTrait,
    mut query: Select<Entity>,
    page: &Page<RewardKey>,
) -> Result<Vec<RewardTotal>, StorageError> {
    if let Some(after) = page.after {
        let (kind, currency) = (after.kind.name(), after.currency.code());
        let same_tie = Condition::all().add(Column::TieId.eq(after.tie_id));
        let same_kind = same_tie.clone().add(Column::Kind.eq(kind));
        let later = Condition::any()
            .add(Column::TieId.gt(after.tie_id))
            .add(same_tie.add(Column::Kind.gt(kind)))
            .add(same_kind.add(Column::Currency.gt(currency)));
        query = query.filter(later);
    }
    all(conn, in_order(query).limit(page.limit())).await
}

/// What was posted to an account in all for whom it has referred, by currency code.
///
/// # Errors
/// When the database fails.
pub async fn sums_of_account(conn: &impl ConnectionTrait, account: AccountId) -> Result<Vec<Money>, StorageError> {
    by_currency(
        conn,
        to(account).filter(Column::Kind.ne(RewardKind::RefereeBenefit.name())),
    )
    .await
}

/// What was posted to an account in all for being referred [R24], by currency code.
///
/// # Errors
/// When the database fails.
pub async fn benefits_of_account(conn: &impl ConnectionTrait, account: AccountId) -> Result<Vec<Money>, StorageError> {
    by_currency(
        conn,
        to(account).filter(Column::Kind.eq(RewardKind::RefereeBenefit.name())),
    )
    .await
}

fn to(account: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.as_uuid()))
}

/// What was posted to all accounts, by currency code.
///
/// # Errors
/// When the database fails.
pub async fn sums(conn: &impl ConnectionTrait) -> Result<Vec<Money>, StorageError> {
    by_currency(conn, Entity::find()).await
}

async fn by_currency(conn: &impl ConnectionTrait, of: Select<Entity>) -> Result<Vec<Money>, StorageError> {
    let rows: Vec<(String, i64)> = of
        .select_only()
        .column(Column::Currency)
        // PostgreSQL makes a number without an end of a sum.
        .column_as(Column::PostedMinor.sum().cast_as("bigint"), "posted")
        .group_by(Column::Currency)
        .order_by_asc(Column::Currency)
        .into_tuple()
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|(code, minor)| Ok(Money::new(minor, currency(TABLE, &code)?)))
        .collect()
}

/// All kinds of a tie are locked together, which costs nothing: they are released together.
async fn locked(
    txn: &Txn,
    releases: &BTreeMap<RewardKey, Release>,
) -> Result<BTreeMap<RewardKey, RewardTotal>, StorageError> {
    let ties = releases.keys().map(|key| key.tie_id);
    let query = Entity::find().filter(Column::TieId.is_in(ties)).lock(LockType::Update);
    let totals = all(txn, in_order(query)).await?;
    Ok(totals.into_iter().map(|total| (total.key, total)).collect())
}

fn in_order(query: Select<Entity>) -> Select<Entity> {
    query
        .order_by_asc(Column::TieId)
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Currency)
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<RewardTotal>, StorageError> {
    query.all(conn).await?.into_iter().map(RewardTotal::try_from).collect()
}

fn row(total: &RewardTotal) -> ActiveModel {
    ActiveModel {
        tie_id: Set(total.key.tie_id),
        kind: Set(total.key.kind.name().to_owned()),
        currency: Set(total.key.currency.code().to_owned()),
        account_id: Set(total.account_id.as_uuid()),
        epoch: Set(total.epoch),
        sequence: Set(total.sequence),
        posted_minor: Set(total.posted_minor),
    }
}

impl TryFrom<Model> for RewardTotal {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let kind = RewardKind::ALL.into_iter().find(|kind| kind.name() == model.kind);
        let key = RewardKey {
            tie_id: model.tie_id,
            kind: kind.ok_or_else(|| unreadable(TABLE, &model.kind))?,
            currency: currency(TABLE, &model.currency)?,
        };
        Ok(Self {
            key,
            account_id: AccountId::from_uuid(model.account_id),
            epoch: model.epoch,
            sequence: model.sequence,
            posted_minor: model.posted_minor,
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reward_total")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tie_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub account_id: Uuid,
        pub epoch: i64,
        pub sequence: i64,
        pub posted_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod posting {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reward_posting")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tie_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub epoch: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub sequence: i64,
        pub difference_minor: i64,
        pub released_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
