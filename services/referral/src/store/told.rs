//! `told_event`: what the streams hold of earnings, contracts and accounts, for one run.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, Condition, QueryOrder, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::PersonId;
use vouch_storage::{StorageError, Txn};

use super::ROWS;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "told_event")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_type: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    pub person_id: Uuid,
    pub payload: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An event as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldEvent {
    /// Its type.
    pub event_type: String,
    /// The fact that it tells: one for each type and id.
    pub subject: Uuid,
    /// Whom it is about.
    pub person: PersonId,
    /// The encoded message.
    pub payload: Vec<u8>,
}

/// Stores what was told. Of a fact that is told twice the first counts.
///
/// # Errors
/// If the database fails; if there is no such run.
pub async fn insert(txn: &Txn, run: Uuid, events: &[ToldEvent]) -> Result<(), StorageError> {
    for chunk in events.chunks(ROWS) {
        let rows = chunk.iter().map(|event| ActiveModel {
            run_id: Set(run),
            event_type: Set(event.event_type.clone()),
            subject_id: Set(event.subject),
            person_id: Set(event.person.as_uuid()),
            payload: Set(event.payload.clone()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// What was told of some people, types and encoded messages; and forgets it.
///
/// # Errors
/// If the database fails.
pub async fn take_of_people(
    txn: &Txn,
    run: Uuid,
    people: &BTreeSet<PersonId>,
) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let theirs = Condition::all()
            .add(Column::RunId.eq(run))
            .add(Column::PersonId.is_in(chunk.iter().copied()));
        let rows = Entity::find().filter(theirs.clone()).order_by_asc(Column::SubjectId);
        let rows = rows.all(txn).await?;
        found.extend(rows.into_iter().map(|row| (row.event_type, row.payload)));
        Entity::delete_many().filter(theirs).exec(txn).await?;
    }
    Ok(found)
}
