//! `match_signal`: how strongly the referrals of people speak for them [R28, R33].

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, FromQueryResult, QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, marks};
use crate::domain::MatchFacts;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "match_signal")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: Uuid,
    pub screened: bool,
    pub hired: bool,
    pub stayed: bool,
    pub good_referrals: i32,
    pub signal: i32,
    pub changed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is known of the referrals of some people; of others nothing is.
///
/// # Errors
/// If the database fails.
pub async fn facts_of(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeMap<PersonId, MatchFacts>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeMap::new();
    for chunk in people.chunks(ROWS) {
        let wanted = Column::PersonId.is_in(chunk.iter().copied());
        for row in Entity::find().filter(wanted).all(conn).await? {
            found.insert(PersonId::from_uuid(row.person_id), read(&row)?);
        }
    }
    Ok(found)
}

/// Locks what is known of the referrals of some people, in ascending order; nothing, at first.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    txn: &Txn,
    now: Timestamp,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeMap<PersonId, MatchFacts>, StorageError> {
    let nothing: Vec<_> = people.iter().map(|person| (*person, MatchFacts::default())).collect();
    let mut found = BTreeMap::new();
    for chunk in nothing.chunks(ROWS) {
        Entity::insert_many(chunk.iter().map(|it| row(now, it)))
            .on_conflict(OnConflict::column(Column::PersonId).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
        let locked = Entity::find()
            .filter(Column::PersonId.is_in(chunk.iter().map(|(person, _)| person.as_uuid())))
            .order_by_asc(Column::PersonId)
            .lock(LockType::NoKeyUpdate)
            .all(txn)
            .await?;
        for row in locked {
            found.insert(PersonId::from_uuid(row.person_id), read(&row)?);
        }
    }
    Ok(found)
}

/// Stores what is known of the referrals of some people.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, now: Timestamp, facts: &[(PersonId, MatchFacts)]) -> Result<(), StorageError> {
    for chunk in facts.chunks(ROWS) {
        let rows = chunk.iter().map(|it| row(now, it));
        let values = [
            Column::Screened,
            Column::Hired,
            Column::Stayed,
            Column::GoodReferrals,
            Column::Signal,
            Column::ChangedAt,
        ];
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::PersonId).update_columns(values).to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

fn row(now: Timestamp, (person, facts): &(PersonId, MatchFacts)) -> ActiveModel {
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    ActiveModel {
        person_id: Set(person.as_uuid()),
        screened: Set(facts.screened),
        hired: Set(facts.hired),
        stayed: Set(facts.stayed),
        good_referrals: Set(small(facts.good_referrals)),
        signal: Set(small(facts.signal().total())),
        changed_at: Set(now.as_micros()),
    }
}

fn read(row: &Model) -> Result<MatchFacts, StorageError> {
    Ok(MatchFacts {
        screened: row.screened,
        hired: row.hired,
        stayed: row.stayed,
        good_referrals: u32::try_from(row.good_referrals).map_err(corrupt)?,
    })
}

/// How many of those for whom some people vouched were screened, hired, and stayed. A person may vouch with more than one
/// account, their own and an agency's.
///
/// # Errors
/// If the database fails.
pub async fn good_referrals(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeMap<PersonId, u32>, StorageError> {
    let backend = conn.get_database_backend();
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeMap::new();
    for chunk in people.chunks(ROWS) {
        let sql = format!(
            "SELECT r.person_id, COUNT(s.person_id) AS good FROM referrer r \
             LEFT JOIN attribution a ON a.referrer_id = r.id AND a.hired AND a.bonus_state = 'DUE' \
             AND NOT a.closed_at_window_end \
             LEFT JOIN screening_case s ON s.person_id = a.referee_person_id AND s.state = 'PASSED' \
             WHERE r.person_id IN ({}) GROUP BY r.person_id",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| (*id).into());
        let statement = Statement::from_sql_and_values(backend, sql, values);
        for row in Good::find_by_statement(statement).all(conn).await? {
            let good = u32::try_from(row.good).map_err(corrupt)?;
            found.insert(PersonId::from_uuid(row.person_id), good);
        }
    }
    Ok(found)
}

#[derive(FromQueryResult)]
struct Good {
    person_id: Uuid,
    good: i64,
}
