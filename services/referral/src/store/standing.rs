//! `standing_change`, `account_change` and `related_party`: what earnings are judged by.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ClientId, PersonId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::ROWS;
use crate::domain::Standing;

mod standing_change {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "standing_change")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub referrer_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub changed_at: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub good: bool,
        pub reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod account_change {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_change")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub changed_at: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub open: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod related_party {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "related_party")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub client_id: Uuid,
        pub reason: String,
        pub found_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An account that was closed or opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// Whose.
    pub person: PersonId,
    /// When.
    pub at: Timestamp,
    /// Whether it is open since.
    pub open: bool,
}

/// Notes a change of a referrer's standing.
///
/// # Errors
/// If the database fails.
pub async fn change(
    txn: &Txn,
    referrer: ReferrerId,
    at: Timestamp,
    good: bool,
    reason: &str,
) -> Result<(), StorageError> {
    let row = standing_change::ActiveModel {
        referrer_id: Set(referrer.as_uuid()),
        changed_at: Set(at.as_micros()),
        good: Set(good),
        reason: Set(reason.to_owned()),
    };
    standing_change::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The standing of some referrers; those without a change are left out.
///
/// # Errors
/// If the database fails.
pub async fn of_referrers(
    conn: &impl ConnectionTrait,
    referrers: &BTreeSet<ReferrerId>,
) -> Result<HashMap<ReferrerId, Standing>, StorageError> {
    let referrers: Vec<_> = referrers.iter().map(|id| id.as_uuid()).collect();
    let mut changes = Vec::new();
    for chunk in referrers.chunks(ROWS) {
        let wanted = standing_change::Column::ReferrerId.is_in(chunk.iter().copied());
        for row in standing_change::Entity::find().filter(wanted).all(conn).await? {
            let at = Timestamp::from_micros(row.changed_at);
            changes.push((ReferrerId::from_uuid(row.referrer_id), (at, row.good)));
        }
    }
    Ok(standings(changes))
}

/// Notes that accounts were closed or opened again.
///
/// # Errors
/// If the database fails.
pub async fn note_accounts(txn: &Txn, changes: &[AccountChange]) -> Result<(), StorageError> {
    for chunk in changes.chunks(ROWS) {
        let rows = chunk.iter().map(|change| account_change::ActiveModel {
            person_id: Set(change.person.as_uuid()),
            changed_at: Set(change.at.as_micros()),
            open: Set(change.open),
        });
        account_change::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// When the accounts of some people were open; those without a change are left out.
///
/// # Errors
/// If the database fails.
pub async fn accounts(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<HashMap<PersonId, Standing>, StorageError> {
    Ok(by_person(account_changes(conn, people).await?))
}

/// When accounts were open, by their changes in any order.
#[must_use]
pub fn by_person(told: impl IntoIterator<Item = AccountChange>) -> HashMap<PersonId, Standing> {
    standings(told.into_iter().map(|it| (it.person, (it.at, it.open))))
}

/// What the changes of each make, in any order.
fn standings<K: Eq + Hash>(changes: impl IntoIterator<Item = (K, (Timestamp, bool))>) -> HashMap<K, Standing> {
    let mut of_each: HashMap<K, Vec<_>> = HashMap::new();
    for (id, change) in changes {
        of_each.entry(id).or_default().push(change);
    }
    of_each
        .into_iter()
        .map(|(id, changes)| (id, Standing::of(changes)))
        .collect()
}

/// When the accounts of some people were closed or opened again.
///
/// # Errors
/// If the database fails.
pub async fn account_changes(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<Vec<AccountChange>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let wanted = account_change::Column::PersonId.is_in(chunk.iter().copied());
        let rows = account_change::Entity::find().filter(wanted).all(conn).await?;
        found.extend(rows.into_iter().map(|row| AccountChange {
            person: PersonId::from_uuid(row.person_id),
            at: Timestamp::from_micros(row.changed_at),
            open: row.open,
        }));
    }
    Ok(found)
}

/// Notes that a person and a client are related, and returns whether that is new.
///
/// # Errors
/// If the database fails.
pub async fn relate(
    txn: &Txn,
    person: PersonId,
    client: ClientId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let row = related_party::ActiveModel {
        person_id: Set(person.as_uuid()),
        client_id: Set(client.as_uuid()),
        reason: Set(reason.to_owned()),
        found_at: Set(now.as_micros()),
    };
    let inserted = related_party::Entity::insert_many([row])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(inserted > 0)
}

/// The clients to whom some people are related.
///
/// # Errors
/// If the database fails.
pub async fn related(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<HashMap<PersonId, Vec<ClientId>>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found: HashMap<PersonId, Vec<ClientId>> = HashMap::new();
    for chunk in people.chunks(ROWS) {
        let wanted = related_party::Column::PersonId.is_in(chunk.iter().copied());
        for row in related_party::Entity::find().filter(wanted).all(conn).await? {
            let client = ClientId::from_uuid(row.client_id);
            found
                .entry(PersonId::from_uuid(row.person_id))
                .or_default()
                .push(client);
        }
    }
    Ok(found)
}
