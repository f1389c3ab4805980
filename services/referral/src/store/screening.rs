//! `screening_case` and `screening_rule`.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, ExprTrait as _, QueryOrder, QuerySelect, entity::prelude::*,
    sea_query::OnConflict,
};
use vouch_primitives::{PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::{Screening, ScreeningCase, ScreeningRule, ScreeningState};

mod case {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "screening_case")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        pub state: String,
        pub claimed_by: String,
        pub reason: String,
        pub decided_by: String,
        pub appeal: String,
        pub opened_at: i64,
        pub decided_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod rule {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "screening_rule")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub hired: bool,
        pub unrelated: bool,
        pub enabled: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Opens cases; a person who has one keeps it.
///
/// # Errors
/// If the database fails.
pub async fn open(txn: &Txn, cases: &[ScreeningCase]) -> Result<(), StorageError> {
    for chunk in cases.chunks(ROWS) {
        case::Entity::insert_many(chunk.iter().map(write))
            .on_conflict(OnConflict::column(case::Column::PersonId).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Stores cases as they are now.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, cases: &[ScreeningCase]) -> Result<(), StorageError> {
    let values = [
        case::Column::State,
        case::Column::ClaimedBy,
        case::Column::Reason,
        case::Column::DecidedBy,
        case::Column::Appeal,
        case::Column::DecidedAt,
    ];
    for chunk in cases.chunks(ROWS) {
        case::Entity::insert_many(chunk.iter().map(write))
            .on_conflict(
                OnConflict::column(case::Column::PersonId)
                    .update_columns(values)
                    .to_owned(),
            )
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The cases of some people. The people must be locked when the cases are to be changed.
///
/// # Errors
/// If the database fails.
pub async fn cases(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<Vec<ScreeningCase>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let wanted = case::Column::PersonId.is_in(chunk.iter().copied());
        for row in case::Entity::find().filter(wanted).all(conn).await? {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// How some people were screened, as far as money is concerned.
///
/// # Errors
/// If the database fails.
pub async fn of_people(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<HashMap<PersonId, Screening>, StorageError> {
    let cases = cases(conn, people).await?;
    Ok(cases.into_iter().map(|case| (case.person, case.screening())).collect())
}

/// One page of the cases in some states, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn page(
    conn: &impl ConnectionTrait,
    states: &[ScreeningState],
    after: Option<PersonId>,
    limit: u64,
) -> Result<Vec<ScreeningCase>, StorageError> {
    let mut query = case::Entity::find().filter(case::Column::State.is_in(states.iter().map(|state| state.name())));
    if let Some(after) = after {
        let Some(last) = case::Entity::find_by_id(after.as_uuid()).one(conn).await? else {
            return Ok(Vec::new());
        };
        let same = case::Column::OpenedAt
            .eq(last.opened_at)
            .and(case::Column::PersonId.gt(last.person_id));
        query = query.filter(case::Column::OpenedAt.gt(last.opened_at).or(same));
    }
    let rows = query
        .order_by_asc(case::Column::OpenedAt)
        .order_by_asc(case::Column::PersonId)
        .limit(limit)
        .all(conn)
        .await?;
    rows.into_iter().map(read).collect()
}

/// All rules, by name.
///
/// # Errors
/// If the database fails.
pub async fn rules(conn: &impl ConnectionTrait) -> Result<Vec<ScreeningRule>, StorageError> {
    let rows = rule::Entity::find().order_by_asc(rule::Column::Name).all(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| ScreeningRule {
            name: row.name,
            hired: row.hired,
            unrelated: row.unrelated,
            enabled: row.enabled,
        })
        .collect())
}

/// Stores a rule, new or changed.
///
/// # Errors
/// If the database fails.
pub async fn save_rule(txn: &Txn, rule: &ScreeningRule) -> Result<(), StorageError> {
    let row = rule::ActiveModel {
        name: Set(rule.name.clone()),
        hired: Set(rule.hired),
        unrelated: Set(rule.unrelated),
        enabled: Set(rule.enabled),
    };
    let values = [rule::Column::Hired, rule::Column::Unrelated, rule::Column::Enabled];
    rule::Entity::insert(row)
        .on_conflict(OnConflict::column(rule::Column::Name).update_columns(values).to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

fn write(case: &ScreeningCase) -> case::ActiveModel {
    case::ActiveModel {
        person_id: Set(case.person.as_uuid()),
        state: Set(case.state.name().to_owned()),
        claimed_by: Set(case.claimed_by.clone()),
        reason: Set(case.reason.clone()),
        decided_by: Set(case.decided_by.clone()),
        appeal: Set(case.appeal.clone()),
        opened_at: Set(case.opened_at.as_micros()),
        decided_at: Set(case.decided_at.map(Timestamp::as_micros)),
    }
}

fn read(row: case::Model) -> Result<ScreeningCase, StorageError> {
    let states = ScreeningState::ALL.into_iter();
    let state = states.into_iter().find(|state| state.name() == row.state);
    Ok(ScreeningCase {
        person: PersonId::from_uuid(row.person_id),
        state: state.ok_or_else(|| corrupt("unknown state of screening"))?,
        claimed_by: row.claimed_by,
        reason: row.reason,
        decided_by: row.decided_by,
        appeal: row.appeal,
        opened_at: Timestamp::from_micros(row.opened_at),
        decided_at: row.decided_at.map(Timestamp::from_micros),
    })
}
