//! `payout_run` and `payout_skip`.

use sea_orm::{
    ActiveValue::Set, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::LockType, sea_query::OnConflict,
};
use vouch_primitives::{AccountId, Money, PayoutRunId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, time, unreadable};
use crate::domain::{PayoutRun, PayoutSkip};

const TABLE: &str = "payout_run";

/// Saves a run: a new one, or how far it has come.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, run: &PayoutRun) -> Result<(), StorageError> {
    let row = ActiveModel {
        id: Set(run.id.as_uuid()),
        due_at: Set(run.due_at.as_micros()),
        started_at: Set(run.started_at.as_micros()),
        finished_at: Set(run.finished_at.map(|at| at.as_micros())),
        due: Set(signed(run.due)?),
        made: Set(signed(run.made)?),
        skipped: Set(signed(run.skipped)?),
    };
    let moved = OnConflict::column(Column::Id)
        .update_columns([Column::FinishedAt, Column::Made, Column::Skipped])
        .to_owned();
    Entity::insert(row)
        .on_conflict(moved)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Locks and reads a run, if it has begun.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: PayoutRunId) -> Result<Option<PayoutRun>, StorageError> {
    let locked = Entity::find_by_id(id.as_uuid()).lock(LockType::Update).one(txn).await?;
    locked.map(PayoutRun::try_from).transpose()
}

/// Reads a run, if it has begun.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: PayoutRunId) -> Result<Option<PayoutRun>, StorageError> {
    let found = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    found.map(PayoutRun::try_from).transpose()
}

/// One page of the runs, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &impl ConnectionTrait, page: Page<i64>) -> Result<Vec<PayoutRun>, StorageError> {
    let mut query = Entity::find().order_by_desc(Column::DueAt).limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::DueAt.lt(after));
    }
    query.all(conn).await?.into_iter().map(PayoutRun::try_from).collect()
}

/// Notes whom a run has passed over.
///
/// # Errors
/// When the database fails.
pub async fn insert_skips(txn: &Txn, skips: &[PayoutSkip]) -> Result<(), StorageError> {
    for chunk in skips.chunks(ROWS) {
        let rows = chunk.iter().map(|skip| skip::ActiveModel {
            run_id: Set(skip.run_id.as_uuid()),
            schedule_id: Set(skip.schedule_id),
            account_id: Set(skip.account_id.as_uuid()),
            currency: Set(skip.available.currency.code().to_owned()),
            reason: Set(skip.reason.clone()),
            available_minor: Set(skip.available.minor),
            skipped_at: Set(skip.at.as_micros()),
        });
        skip::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// One page of whom a run has passed over, by schedule.
///
/// # Errors
/// When the database fails.
pub async fn skips(
    conn: &impl ConnectionTrait,
    run: PayoutRunId,
    page: Page<Uuid>,
) -> Result<Vec<PayoutSkip>, StorageError> {
    let mut query = skip::Entity::find()
        .filter(skip::Column::RunId.eq(run.as_uuid()))
        .order_by_asc(skip::Column::ScheduleId)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(skip::Column::ScheduleId.gt(after));
    }
    all_skips(conn, query).await
}

/// When a schedule was passed over the last time.
///
/// # Errors
/// When the database fails.
pub async fn last_skip(conn: &impl ConnectionTrait, schedule: Uuid) -> Result<Option<PayoutSkip>, StorageError> {
    let query = skip::Entity::find()
        .filter(skip::Column::ScheduleId.eq(schedule))
        .order_by_desc(skip::Column::SkippedAt)
        .limit(1);
    Ok(all_skips(conn, query).await?.pop())
}

async fn all_skips(conn: &impl ConnectionTrait, query: Select<skip::Entity>) -> Result<Vec<PayoutSkip>, StorageError> {
    query.all(conn).await?.into_iter().map(PayoutSkip::try_from).collect()
}

fn signed(number: u64) -> Result<i64, StorageError> {
    i64::try_from(number).map_err(|error| unreadable(TABLE, error))
}

fn unsigned(number: i64) -> Result<u64, StorageError> {
    u64::try_from(number).map_err(|error| unreadable(TABLE, error))
}

impl TryFrom<Model> for PayoutRun {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        Ok(Self {
            id: PayoutRunId::from_uuid(model.id),
            due_at: time(model.due_at),
            started_at: time(model.started_at),
            finished_at: model.finished_at.map(time),
            due: unsigned(model.due)?,
            made: unsigned(model.made)?,
            skipped: unsigned(model.skipped)?,
        })
    }
}

impl TryFrom<skip::Model> for PayoutSkip {
    type Error = StorageError;

    fn try_from(model: skip::Model) -> Result<Self, StorageError> {
        Ok(Self {
            run_id: PayoutRunId::from_uuid(model.run_id),
            schedule_id: model.schedule_id,
            account_id: AccountId::from_uuid(model.account_id),
            available: Money::new(model.available_minor, currency("payout_skip", &model.currency)?),
            reason: model.reason,
            at: time(model.skipped_at),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payout_run")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub due_at: i64,
        pub started_at: i64,
        pub finished_at: Option<i64>,
        pub due: i64,
        pub made: i64,
        pub skipped: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod skip {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payout_skip")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub schedule_id: Uuid,
        pub account_id: Uuid,
        pub currency: String,
        pub reason: String,
        pub available_minor: i64,
        pub skipped_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
