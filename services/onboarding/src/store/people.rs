//! People, and those who are about to register by an acceptance that is under way, whom nobody sees yet. Several may
//! name the same address; one of them can have proved it.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Set, SqlErr,
    sea_query::{Expr, LockType},
};
use vouch_primitives::{AccountId, EmailAddress, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{BasicInformation, Closure, Person};

/// What there is under an id.
#[derive(Clone, Debug)]
pub enum Found {
    /// A person.
    Registered(Box<Person>),
    /// Nobody any more: they were erased at this moment.
    Erased(Timestamp),
}

/// Adds a person.
///
/// # Errors
/// When the database fails.
pub async fn insert_person(txn: &Txn, person: &Person) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        registered_at: Set(Some(person.registered_at.as_micros())),
        ..saved(person)
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

/// Who has proved that this address is theirs.
///
/// # Errors
/// When the database fails.
pub async fn owner_of(conn: &impl ConnectionTrait, email: &EmailAddress) -> Result<Option<PersonId>, StorageError> {
    let owner = entity::Entity::find()
        .filter(entity::Column::AccountEmail.eq(email.as_str()))
        .filter(entity::Column::EmailVerifiedAt.is_not_null())
        .one(conn)
        .await?;
    Ok(owner.map(|row| PersonId::from_uuid(row.id)))
}

/// Whether somebody has proved that this address is theirs.
///
/// # Errors
/// When the database fails.
pub async fn is_proved(conn: &impl ConnectionTrait, email: &EmailAddress) -> Result<bool, StorageError> {
    Ok(owner_of(conn, email).await?.is_some())
}

/// Reads a person and locks their row; `None` if they are not registered, or were erased. The lock bears with the keys that
/// others hold by their new rows.
///
/// # Errors
/// When the database fails.
pub async fn lock_person(txn: &Txn, id: PersonId) -> Result<Option<Person>, StorageError> {
    Ok(match lock_found(txn, id).await? {
        Some(Found::Registered(person)) => Some(*person),
        Some(Found::Erased(_)) | None => None,
    })
}

/// The same, and tells who was erased from who never was.
///
/// # Errors
/// When the database fails.
pub async fn lock_found(txn: &Txn, id: PersonId) -> Result<Option<Found>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid())
        .lock(LockType::NoKeyUpdate)
        .one(txn)
        .await?;
    if let Some(erased_at) = row.as_ref().and_then(|row| row.erased_at) {
        return Ok(Some(Found::Erased(Timestamp::from_micros(erased_at))));
    }
    let person = row.and_then(registered).transpose()?;
    Ok(person.map(|person| Found::Registered(Box::new(person))))
}

/// Reads a person; `None` if they are not registered, or were erased.
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

/// Saves all that can change of a person, and tells whether it could be: an address is proved by one person. After a
/// `false` the transaction is of no use.
///
/// # Errors
/// When the database fails.
pub async fn save_person(txn: &Txn, person: &Person) -> Result<bool, StorageError> {
    match entity::Entity::update(saved(person)).exec(txn).await {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(false),
        outcome => Ok(outcome.map(|_| true)?),
    }
}

/// Leaves nothing of a person but the ids and the moments at which things happened.
///
/// # Errors
/// When the database fails.
pub async fn erase_person(txn: &Txn, id: PersonId, now: Timestamp) -> Result<(), StorageError> {
    let empty = || Set(String::new());
    let row = entity::ActiveModel {
        id: Set(id.as_uuid()),
        legal_name: empty(),
        display_name: empty(),
        country_code: empty(),
        time_zone: empty(),
        account_email: empty(),
        pending_email: Set(None),
        email_verified_at: Set(None),
        close_reason: empty(),
        erased_at: Set(Some(now.as_micros())),
        ..Default::default()
    };
    entity::Entity::update(row).exec(txn).await?;
    Ok(())
}

/// Somebody who is not registered.
fn row(id: PersonId, account_id: AccountId, information: &BasicInformation) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(id.as_uuid()),
        account_id: Set(account_id.as_uuid()),
        legal_name: Set(information.legal_name.clone()),
        display_name: Set(information.display_name.clone()),
        country_code: Set(information.country.as_str().to_owned()),
        time_zone: Set(information.time_zone.as_str().to_owned()),
        account_email: Set(information.account_email.as_str().to_owned()),
        close_reason: Set(String::new()),
        ..Default::default()
    }
}

/// Somebody who is registered, but for when they did.
fn saved(person: &Person) -> entity::ActiveModel {
    let closure = person.closure.as_ref();
    let pending = person.pending_email.as_ref();
    entity::ActiveModel {
        email_verified_at: Set(person.email_verified_at.map(Timestamp::as_micros)),
        pending_email: Set(pending.map(|email| email.as_str().to_owned())),
        closed_at: Set(closure.map(|closure| closure.closed_at.as_micros())),
        close_reason: Set(closure.map(|closure| closure.reason.clone()).unwrap_or_default()),
        ..row(person.id, person.account_id, &person.information)
    }
}

fn registered(row: entity::Model) -> Option<Result<Person, StorageError>> {
    let registered_at = row.registered_at.filter(|_| row.erased_at.is_none());
    registered_at.map(|registered_at| person(row, Timestamp::from_micros(registered_at)))
}

fn person(row: entity::Model, registered_at: Timestamp) -> Result<Person, StorageError> {
    let email = |column: &'static str, text: &str| -> Result<EmailAddress, StorageError> {
        text.parse().map_err(|error| unreadable(column, error))
    };
    let pending_email = row.pending_email.as_deref();
    let pending_email = pending_email.map(|text| email("person.pending_email", text));
    let reason = row.close_reason;
    let closure = row.closed_at.map(Timestamp::from_micros);
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
            account_email: email("person.account_email", &row.account_email)?,
        },
        registered_at,
        email_verified_at: row.email_verified_at.map(Timestamp::from_micros),
        pending_email: pending_email.transpose()?,
        closure: closure.map(|closed_at| Closure { closed_at, reason }),
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
        pub pending_email: Option<String>,
        pub closed_at: Option<i64>,
        pub close_reason: String,
        pub erased_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
