//! Agencies, and the tokens of final agency invitations.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, LockType},
};
use vouch_primitives::{AccountId, CaseId, PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{Agency, Listing, TokenHash};

const PROVISIONAL: &str = "PROVISIONAL";
const PUBLIC: &str = "PUBLIC";

/// Adds an agency. `false` if its owner has one of this name already; that is left as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, agency: &Agency) -> Result<bool, StorageError> {
    let (listing, confirmed_at) = listing_to_row(agency.listing);
    let row = entity::ActiveModel {
        id: Set(agency.id.as_uuid()),
        person_id: Set(agency.owner.as_uuid()),
        name: Set(agency.name.clone()),
        name_key: Set(key_of(&agency.name)),
        listing: Set(listing.to_owned()),
        created_at: Set(agency.created_at.as_micros()),
        confirmed_at: Set(confirmed_at),
    };
    let inserted = entity::Entity::insert(row)
        .on_conflict_do_nothing_on([entity::Column::PersonId, entity::Column::NameKey])
        .exec_without_returning(txn)
        .await?;
    Ok(matches!(inserted, sea_orm::TryInsertResult::Inserted(1)))
}

/// The agency of this name that a person owns, and locks it.
///
/// # Errors
/// When the database fails.
pub async fn lock_named(txn: &Txn, owner: PersonId, name: &str) -> Result<Option<Agency>, StorageError> {
    let row = entity::Entity::find()
        .filter(entity::Column::PersonId.eq(owner.as_uuid()))
        .filter(entity::Column::NameKey.eq(key_of(name)))
        .lock(LockType::Update)
        .one(txn)
        .await?;
    row.map(agency).transpose()
}

/// Reads an agency and locks it.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: AccountId) -> Result<Option<Agency>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid());
    let row = row.lock(LockType::Update).one(txn).await?;
    row.map(agency).transpose()
}

/// Reads an agency.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: AccountId) -> Result<Option<Agency>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid()).one(conn).await?;
    row.map(agency).transpose()
}

/// The agencies that a person owns, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_person(conn: &impl ConnectionTrait, owner: PersonId) -> Result<Vec<Agency>, StorageError> {
    let rows = entity::Entity::find()
        .filter(entity::Column::PersonId.eq(owner.as_uuid()))
        .order_by_asc(entity::Column::CreatedAt)
        .order_by_asc(entity::Column::Id);
    rows.all(conn).await?.into_iter().map(agency).collect()
}

/// Saves how the listing of an agency stands.
///
/// # Errors
/// When the database fails.
pub async fn save_listing(txn: &Txn, agency: &Agency) -> Result<(), StorageError> {
    let (listing, confirmed_at) = listing_to_row(agency.listing);
    entity::Entity::update_many()
        .col_expr(entity::Column::Listing, Expr::value(listing))
        .col_expr(entity::Column::ConfirmedAt, Expr::value(confirmed_at))
        .filter(entity::Column::Id.eq(agency.id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Remembers the token of a final agency invitation; those sent before for the same case are dead [B34].
///
/// # Errors
/// When the database fails.
pub async fn save_invitation(txn: &Txn, token: TokenHash, case: CaseId, now: Timestamp) -> Result<(), StorageError> {
    let earlier = invitation::Entity::delete_many().filter(invitation::Column::CaseId.eq(case.as_uuid()));
    earlier.exec(txn).await?;
    let row = invitation::ActiveModel {
        token_hash: Set(token.0.to_vec()),
        case_id: Set(case.as_uuid()),
        sent_at: Set(now.as_micros()),
    };
    invitation::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Of which case the final agency invitation with this token is.
///
/// # Errors
/// When the database fails.
pub async fn find_invited(conn: &impl ConnectionTrait, token: TokenHash) -> Result<Option<CaseId>, StorageError> {
    let row = invitation::Entity::find_by_id(token.0.to_vec()).one(conn).await?;
    Ok(row.map(|row| CaseId::from_uuid(row.case_id)))
}

/// When the final agency invitation of a case was sent.
///
/// # Errors
/// When the database fails.
pub async fn invited_at(conn: &impl ConnectionTrait, case: CaseId) -> Result<Option<Timestamp>, StorageError> {
    let sent = invitation::Entity::find().filter(invitation::Column::CaseId.eq(case.as_uuid()));
    Ok(sent.one(conn).await?.map(|row| Timestamp::from_micros(row.sent_at)))
}

/// Forgets the names of the agencies of a person.
///
/// # Errors
/// When the database fails.
pub async fn erase_of(txn: &Txn, owner: PersonId) -> Result<(), StorageError> {
    let own = entity::Entity::find().filter(entity::Column::PersonId.eq(owner.as_uuid()));
    for agency in own.all(txn).await? {
        entity::Entity::update_many()
            .col_expr(entity::Column::Name, Expr::value("erased"))
            .col_expr(entity::Column::NameKey, Expr::value(agency.id.to_string()))
            .filter(entity::Column::Id.eq(agency.id))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Names that differ in case and spaces only are one.
fn key_of(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

fn listing_to_row(listing: Listing) -> (&'static str, Option<i64>) {
    let since = match listing {
        Listing::Provisional => None,
        Listing::Public(since) => Some(since.as_micros()),
    };
    (listing.as_str(), since)
}

fn agency(row: entity::Model) -> Result<Agency, StorageError> {
    let listing = match (row.listing.as_str(), row.confirmed_at) {
        (PROVISIONAL, None) => Listing::Provisional,
        (PUBLIC, Some(since)) => Listing::Public(Timestamp::from_micros(since)),
        (unknown, _) => return Err(unreadable("agency.listing", unknown)),
    };
    Ok(Agency {
        id: AccountId::from_uuid(row.id),
        owner: PersonId::from_uuid(row.person_id),
        name: row.name,
        listing,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "agency")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub name: String,
        pub name_key: String,
        pub listing: String,
        pub created_at: i64,
        pub confirmed_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod invitation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "agency_invitation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub case_id: Uuid,
        pub sent_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
