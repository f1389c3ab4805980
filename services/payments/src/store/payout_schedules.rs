//! `payout_schedule`.

use sea_orm::{
    ActiveValue::Set,
    PaginatorTrait, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{CaseStatement, LockType, OnConflict},
};
use vouch_primitives::{AccountId, Money, PayoutMethodId, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{accounts::ids_of, currency, time, unreadable};
use crate::domain::{Frequency, PayoutSchedule};

const TABLE: &str = "payout_schedule";

/// Saves a schedule in place of the one that the account had in this currency.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, schedule: &PayoutSchedule) -> Result<(), StorageError> {
    let row = ActiveModel {
        id: Set(schedule.id()),
        account_id: Set(schedule.account_id.as_uuid()),
        currency: Set(schedule.currency().code().to_owned()),
        method_id: Set(schedule.method_id.as_uuid()),
        frequency: Set(schedule.frequency.name().to_owned()),
        minimum_minor: Set(schedule.minimum.minor),
        next_at: Set(schedule.next_at.map(|at| at.as_micros())),
    };
    let replace = OnConflict::column(Column::Id)
        .update_columns([
            Column::MethodId,
            Column::Frequency,
            Column::MinimumMinor,
            Column::NextAt,
        ])
        .to_owned();
    Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The schedules of an account, by currency code.
///
/// # Errors
/// When the database fails.
pub async fn of_account(conn: &impl ConnectionTrait, account: AccountId) -> Result<Vec<PayoutSchedule>, StorageError> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .order_by_asc(Column::Currency);
    all(conn, query).await
}

/// How many schedules are due at this moment.
///
/// # Errors
/// When the database fails.
pub async fn count_due(conn: &impl ConnectionTrait, at: Timestamp) -> Result<u64, StorageError> {
    Ok(due(at).count(conn).await?)
}

/// Locks and reads some of the schedules that are due at this moment, in ascending id.
///
/// # Errors
/// When the database fails.
pub async fn lock_due(txn: &Txn, at: Timestamp, limit: u64) -> Result<Vec<PayoutSchedule>, StorageError> {
    let query = due(at)
        .order_by_asc(Column::NextAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock(LockType::Update);
    all(txn, query).await
}

/// These are done with at this moment: each is next at the first moment of its frequency after it.
///
/// # Errors
/// When the database fails.
pub async fn move_on(txn: &Txn, schedules: &[PayoutSchedule], now: Timestamp) -> Result<(), StorageError> {
    let mut next = CaseStatement::new();
    for frequency in Frequency::ALL {
        let at = frequency.next_after(now).map(|at| at.as_micros());
        next = next.case(Column::Frequency.eq(frequency.name()), at);
    }
    Entity::update_many()
        .col_expr(Column::NextAt, next.into())
        .filter(Column::Id.is_in(schedules.iter().map(PayoutSchedule::id)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Nothing of these people is paid out by itself any more.
///
/// # Errors
/// When the database fails.
pub async fn stop(txn: &Txn, people: &[PersonId]) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::Frequency, Expr::value(Frequency::OnDemand.name()))
        .col_expr(Column::NextAt, Expr::value(None::<i64>))
        .filter(Column::AccountId.in_subquery(ids_of(people)))
        .exec(txn)
        .await?;
    Ok(())
}

fn due(at: Timestamp) -> Select<Entity> {
    Entity::find().filter(Column::NextAt.lte(at.as_micros()))
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<PayoutSchedule>, StorageError> {
    let rows = query.all(conn).await?;
    rows.into_iter().map(PayoutSchedule::try_from).collect()
}

impl TryFrom<Model> for PayoutSchedule {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let frequency = Frequency::ALL.into_iter().find(|known| known.name() == model.frequency);
        Ok(Self {
            account_id: AccountId::from_uuid(model.account_id),
            method_id: PayoutMethodId::from_uuid(model.method_id),
            frequency: frequency.ok_or_else(|| unreadable(TABLE, &model.frequency))?,
            minimum: Money::new(model.minimum_minor, currency(TABLE, &model.currency)?),
            next_at: model.next_at.map(time),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payout_schedule")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Uuid,
        pub currency: String,
        pub method_id: Uuid,
        pub frequency: String,
        pub minimum_minor: i64,
        pub next_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
