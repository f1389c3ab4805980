//! People, and those who are about to register by an acceptance that is under way, whom nobody sees yet. Several may
//! name the same address; one of them can have proved it.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Set, SqlErr,
    sea_query::{Expr, LockType},
};
use vouch_primitives::{AccountId, EmailAddress, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{BasicInformation, Person};

/// Adds a person.
///
/// # Errors
/// When the database fails.
pub async fn insert_person(txn: &Txn, person: &Person) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        registered_at: Set(Some(person.registered_at.as_micros())),
        email_verified_at: Set(person.email_verified_at.map(Timestamp::as_micros)),
        ..row(person.id, person.account_id, &person.information)
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
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
) -> Result<(), StorageError> {
    let row = row(id, account_id, information);
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Whether somebody has proved that this address is theirs.
///
/// # Errors
/// When the database fails.
pub async fn is_proved(conn: &impl ConnectionTrait, email: &EmailAddress) -> Result<bool, StorageError> {
    let proved = entity::Entity::find()
        .filter(entity::Column::AccountEmail.eq(email.as_str()))
        .filter(entity::Column::EmailVerifiedAt.is_not_null())
        .one(conn)
        .await?;
    Ok(proved.is_some())
}

/// Reads a person and locks their row; `None` if they are not registered. The lock bears with the keys that others
/// hold by their new rows.
///
/// # Errors
/// When the database fails.
pub async fn lock_person(txn: &Txn, id: PersonId) -> Result<Option<Person>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid())
        .lock(LockType::NoKeyUpdate)
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

/// Reads the person whose own account this is; `None` if they are not registered.
///
/// # Errors
/// When the database fails.
pub async fn find_by_account(conn: &impl ConnectionTrait, account: AccountId) -> Result<Option<Person>, StorageError> {
    let query = entity::Entity::find().filter(entity::Column::AccountId.eq(account.as_uuid()));
    query.one(conn).await?.and_then(registered).transpose()
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

/// Saves that a person's address is verified, and tells whether it could be: an address is proved by one person. After
/// a `false` the transaction is of no use.
///
/// # Errors
/// When the database fails.
pub async fn save_verified(txn: &Txn, id: PersonId, at: Timestamp) -> Result<bool, StorageError> {
    let saved = entity::Entity::update_many()
        .col_expr(entity::Column::EmailVerifiedAt, Expr::value(at.as_micros()))
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await;
    match saved {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(false),
        outcome => Ok(outcome.map(|_| true)?),
    }
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
