//! `rebuild_run`, `rebuilt_total` and `rebuilt_pending`: the books as they come out of the facts, beside those in use.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use sea_orm::{ActiveValue::Set, ConnectionTrait, FromQueryResult, Statement, entity::prelude::*};
use vouch_primitives::{Currency, PersonId, Share, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, mark, marks};
use crate::domain::{Reward, RewardKind, Tie};

/// The rows of a run that has died are kept so long.
const KEPT: Duration = Duration::from_secs(86_400);

/// Totals by kind and currency.
pub type Rewards = BTreeMap<(RewardKind, Currency), Reward>;

mod run {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rebuild_run")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub begun_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod total {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rebuilt_total")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub tie_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub base_minor: i64,
        pub accrued_minor: i64,
        pub accrued_fraction: i32,
        pub released_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod pending {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rebuilt_pending")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub tie_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub free_at: i64,
        pub share_minor: i64,
        pub share_fraction: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Begins a run, and forgets those that have died, one of the same id among them.
///
/// # Errors
/// If the database fails.
pub async fn begin(txn: &Txn, run: Uuid, now: Timestamp) -> Result<(), StorageError> {
    end(txn, run).await?;
    run::Entity::delete_many()
        .filter(run::Column::BegunAt.lt(now.saturating_sub(KEPT).as_micros()))
        .exec(txn)
        .await?;
    let row = run::ActiveModel {
        id: Set(run),
        begun_at: Set(now.as_micros()),
    };
    run::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Ends a run: all that it has written goes.
///
/// # Errors
/// If the database fails.
pub async fn end(txn: &Txn, run: Uuid) -> Result<(), StorageError> {
    run::Entity::delete_by_id(run).exec(txn).await?;
    Ok(())
}

/// Stores what has come out for some ties.
///
/// # Errors
/// If the database fails.
pub async fn write(txn: &Txn, run: Uuid, ties: &[Tie]) -> Result<(), StorageError> {
    let (mut totals, mut shares) = (Vec::new(), Vec::new());
    for tie in ties {
        for ((kind, currency), reward) in &tie.rewards {
            let (minor, fraction) = parts(reward.accrued)?;
            totals.push(total::ActiveModel {
                run_id: Set(run),
                tie_id: Set(tie.id),
                kind: Set(kind.name().to_owned()),
                currency: Set(currency.code().to_owned()),
                base_minor: Set(reward.base),
                accrued_minor: Set(minor),
                accrued_fraction: Set(fraction),
                released_minor: Set(reward.released),
            });
            for (from, share) in &reward.pending {
                let (minor, fraction) = parts(*share)?;
                shares.push(pending::ActiveModel {
                    run_id: Set(run),
                    tie_id: Set(tie.id),
                    kind: Set(kind.name().to_owned()),
                    currency: Set(currency.code().to_owned()),
                    free_at: Set(from.as_micros()),
                    share_minor: Set(minor),
                    share_fraction: Set(fraction),
                });
            }
        }
    }
    for chunk in totals.chunks(ROWS) {
        total::Entity::insert_many(chunk.to_vec())
            .exec_without_returning(txn)
            .await?;
    }
    for chunk in shares.chunks(ROWS) {
        pending::Entity::insert_many(chunk.to_vec())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Reads what has come out for some ties.
///
/// # Errors
/// If the database fails.
pub async fn read(
    conn: &impl ConnectionTrait,
    run: Uuid,
    ties: &[Uuid],
) -> Result<HashMap<Uuid, Rewards>, StorageError> {
    let mut found: HashMap<Uuid, Rewards> = HashMap::new();
    let key = |kind: &str, currency: &str| {
        let kind = RewardKind::of_name(kind).ok_or_else(|| corrupt("unknown kind of reward"))?;
        Ok::<_, StorageError>((kind, currency.parse().map_err(corrupt)?))
    };
    for chunk in ties.chunks(ROWS) {
        let theirs = total::Column::TieId.is_in(chunk.iter().copied());
        let rows = total::Entity::find()
            .filter(total::Column::RunId.eq(run))
            .filter(theirs);
        for row in rows.all(conn).await? {
            let reward = Reward {
                base: row.base_minor,
                accrued: share(row.accrued_minor, row.accrued_fraction)?,
                released: row.released_minor,
                ..Reward::default()
            };
            let key = key(&row.kind, &row.currency)?;
            found.entry(row.tie_id).or_default().insert(key, reward);
        }
        let theirs = pending::Column::TieId.is_in(chunk.iter().copied());
        let rows = pending::Entity::find()
            .filter(pending::Column::RunId.eq(run))
            .filter(theirs);
        for row in rows.all(conn).await? {
            let reward = found.entry(row.tie_id).or_default();
            let reward = reward.entry(key(&row.kind, &row.currency)?).or_default();
            let share = share(row.share_minor, row.share_fraction)?;
            reward.pending.insert(Timestamp::from_micros(row.free_at), share);
        }
    }
    Ok(found)
}

#[derive(FromQueryResult)]
struct Payee {
    id: Uuid,
}

/// Those for whose earnings somebody is paid, by id, at most `limit` of those after this one.
///
/// # Errors
/// If the database fails.
pub async fn payees(
    conn: &impl ConnectionTrait,
    after: Option<PersonId>,
    limit: u64,
) -> Result<Vec<PersonId>, StorageError> {
    let backend = conn.get_database_backend();
    let (first, second) = (mark(backend, 1), mark(backend, 2));
    let sql = format!(
        "SELECT referee_person_id AS id FROM attribution WHERE referee_person_id > {first} \
         UNION SELECT payee_person_id FROM introduction WHERE payee_person_id > {second} ORDER BY id LIMIT {limit}"
    );
    let after = after.map_or(Uuid::nil(), PersonId::as_uuid);
    let statement = Statement::from_sql_and_values(backend, sql, [after.into(), after.into()]);
    let rows = Payee::find_by_statement(statement).all(conn).await?;
    Ok(rows.into_iter().map(|row| PersonId::from_uuid(row.id)).collect())
}

/// Those of some people for whose earnings somebody is paid.
///
/// # Errors
/// If the database fails.
pub async fn payees_among(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let people: Vec<Uuid> = people.iter().map(|id| id.as_uuid()).collect();
    let backend = conn.get_database_backend();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS / 2) {
        let (first, second) = (
            marks(backend, 1, chunk.len()),
            marks(backend, chunk.len() + 1, chunk.len()),
        );
        let sql = format!(
            "SELECT referee_person_id AS id FROM attribution WHERE referee_person_id IN ({first}) \
             UNION SELECT payee_person_id FROM introduction WHERE payee_person_id IN ({second})"
        );
        let values = chunk.iter().chain(chunk).map(|id| (*id).into());
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = Payee::find_by_statement(statement).all(conn).await?;
        found.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.id)));
    }
    Ok(found)
}

#[derive(FromQueryResult)]
struct Count {
    people: i64,
}

/// How many there are of them.
///
/// # Errors
/// If the database fails.
pub async fn count_payees(conn: &impl ConnectionTrait) -> Result<u64, StorageError> {
    let sql = "SELECT COUNT(*) AS people FROM (SELECT referee_person_id FROM attribution \
               UNION SELECT payee_person_id FROM introduction) AS payees";
    let statement = Statement::from_string(conn.get_database_backend(), sql);
    let row = Count::find_by_statement(statement).one(conn).await?;
    Ok(row.map_or(0, |row| row.people.unsigned_abs()))
}

fn parts(share: Share) -> Result<(i64, i32), StorageError> {
    let minor = share.floor_minor().ok_or_else(|| corrupt("a total does not fit"))?;
    Ok((minor, i32::from(share.fraction())))
}

fn share(minor: i64, fraction: i32) -> Result<Share, StorageError> {
    Ok(Share::from_parts(minor, u16::try_from(fraction).map_err(corrupt)?))
}
