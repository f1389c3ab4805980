//! People, and those who are about to register by an acceptance that is under way: their address is taken already,
//! but nobody sees them.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Set, TryInsertResult,
    sea_query::{Expr, LockType},
};
use vouch_primitives::{AccountId, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{BasicInformation, Person};

/// What came of inserting a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The person is in.
    Yes,
    /// Another person has this account e-mail.
    EmailTaken,
}

/// Adds a person.
///
/// # Errors
/// When the database fails.
pub async fn insert_person(txn: &Txn, person: &Person) -> Result<Inserted, StorageError> {
    let row = entity::ActiveModel {
        registered_at: Set(Some(person.registered_at.as_micros())),
        email_verified_at: Set(person.email_verified_at.map(Timestamp::as_micros)),
        ..row(person.id, person.account_id, &person.information)
    };
    insert(txn, row).await
}

/// Keeps the place of somebody who is about to register.
///
/// # Errors
/// When the database fails.
pub async fn reserve_person(
    txn: &Txn,
    id: PersonId,
    account_id: AccountId,
    information: &BasicInformation,
) -> Result<Inserted, StorageError> {
    insert(txn, row(id, account_id, information)).await
}

/// Reads a person and locks their row; `None` if they are not registered.
///
/// # Errors
/// When the database fails.
pub async fn lock_person(txn: &Txn, id: PersonId) -> Result<Option<Person>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid())
        .lock(LockType::Update)
        .one(txn)
        .await?;
    row.and_then(registered).transpose()
}

/// Reads a person; `None` if they are not registered.
///
/// # Errors
/// When the database fails.
pub async fn find_person(conn: &impl ConnectionTrait, id: PersonId) -> Result<Option<Person>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid()).one(conn).await?;
    row.and_then(registered).transpose()
}

/// Registers the person whose place was kept.
///
/// # Errors
/// When the database fails, or nobody's place was kept.
pub async fn register_reserved(txn: &Txn, id: PersonId, now: Timestamp) -> Result<Person, StorageError> {
    entity::Entity::update_many()
        .col_expr(entity::Column::RegisteredAt, Expr::value(now.as_micros()))
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await?;
    find_person(txn, id)
        .await?
        .ok_or_else(|| unreadable("person", "no place was kept"))
}

/// Gives the place of somebody back who will not register.
///
/// # Errors
/// When the database fails.
pub async fn delete_reserved(txn: &Txn, id: PersonId) -> Result<(), StorageError> {
    let reserved = entity::Entity::delete_many().filter(entity::Column::RegisteredAt.is_null());
    reserved.filter(entity::Column::Id.eq(id.as_uuid())).exec(txn).await?;
    Ok(())
}

/// Saves that a person's address is verified.
///
/// # Errors
/// When the database fails.
pub async fn save_verified(txn: &Txn, id: PersonId, at: Timestamp) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .col_expr(entity::Column::EmailVerifiedAt, Expr::value(at.as_micros()))
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

async fn insert(txn: &Txn, row: entity::ActiveModel) -> Result<Inserted, StorageError> {
    // A statement that fails would spoil the transaction; this one tells how many rows there are.
    let inserted = entity::Entity::insert(row)
        .on_conflict_do_nothing_on([entity::Column::AccountEmail])
        .exec_without_returning(txn)
        .await?;
    Ok(if matches!(inserted, TryInsertResult::Inserted(1)) {
        Inserted::Yes
    } else {
        Inserted::EmailTaken
    })
}

fn row(id: PersonId, account_id: AccountId, information: &BasicInformation) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(id.as_uuid()),
        account_id: Set(account_id.as_uuid()),
        legal_name: Set(information.legal_name.clone()),
        display_name: Set(information.display_name.clone()),
        country_code: Set(information.country.as_str().to_owned()),
        time_zone: Set(information.time_zone.as_str().to_owned()),
        account_email: Set(information.account_email.as_str().to_owned()),
        registered_at: Set(None),
        email_verified_at: Set(None),
    }
}

fn registered(row: entity::Model) -> Option<Result<Person, StorageError>> {
    row.registered_at
        .map(|registered_at| person(row, Timestamp::from_micros(registered_at)))
}

fn person(row: entity::Model, registered_at: Timestamp) -> Result<Person, StorageError> {
    Ok(Person {
        id: PersonId::from_uuid(row.id),
        account_id: AccountId::from_uuid(row.account_id),
        information: BasicInformation {
            legal_name: row.legal_name,
            display_name: row.display_name,
            country: row
                .country_code
                .parse()
                .map_err(|error| unreadable("person.country_code", error))?,
            time_zone: row
                .time_zone
                .parse()
                .map_err(|error| unreadable("person.time_zone", error))?,
            account_email: row
                .account_email
                .parse()
                .map_err(|error| unreadable("person.account_email", error))?,
        },
        registered_at,
        email_verified_at: row.email_verified_at.map(Timestamp::from_micros),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Uuid,
        pub legal_name: String,
        pub display_name: String,
        pub country_code: String,
        pub time_zone: String,
        pub account_email: String,
        pub registered_at: Option<i64>,
        pub email_verified_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
