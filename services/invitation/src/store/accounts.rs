//! Which addresses belong to accounts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait, OnConflict},
};
use vouch_primitives::{PersonId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::ROWS;
use crate::domain::{AccountAddress, AddressHash};

/// That an address was somebody's who is not its last owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// The address.
    pub hash: AddressHash,
    /// Who had it.
    pub person_id: PersonId,
    /// From when on it was somebody else's.
    pub until: Timestamp,
}

/// Notes whose addresses these are, or that they were given up, where nothing later is known, and whose they were before. They
/// come in the order in which they became so.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, addresses: &[AccountAddress]) -> Result<(), StorageError> {
    let hashes: BTreeSet<_> = addresses.iter().map(|address| address.hash).collect();
    let hashes: Vec<_> = hashes.into_iter().collect();
    let mut owners: BTreeMap<AddressHash, Vec<(Timestamp, PersonId)>> = BTreeMap::new();
    for chunk in hashes.chunks(ROWS) {
        let known = entity::Column::EmailSha256.is_in(chunk.iter().map(|hash| hash.0.to_vec()));
        for row in entity::Entity::find().filter(known).all(txn).await? {
            if let Ok(hash) = row.email_sha256.try_into() {
                let owner = (Timestamp::from_micros(row.since), PersonId::from_uuid(row.person_id));
                owners.entry(AddressHash(hash)).or_default().push(owner);
            }
        }
    }
    for address in addresses {
        let owner = (address.since, address.person_id);
        owners.entry(address.hash).or_default().push(owner);
    }
    let mut former = Vec::new();
    for (hash, mut owners) in owners {
        owners.sort_unstable();
        for pair in owners.windows(2).filter(|pair| pair[0].1 != pair[1].1) {
            let ((_, person_id), (until, _)) = (pair[0], pair[1]);
            former.push(Former { hash, person_id, until });
        }
    }
    save_former(txn, &former).await?;
    let newest: BTreeMap<_, _> = addresses.iter().map(|address| (address.hash, *address)).collect();
    save_newest(txn, &newest.into_values().collect::<Vec<_>>()).await
}

async fn save_former(txn: &Txn, former: &[Former]) -> Result<(), StorageError> {
    let last: BTreeMap<_, _> = former.iter().map(|it| ((it.hash, it.person_id), it.until)).collect();
    let last: Vec<_> = last.into_iter().collect();
    let told = || Expr::col((Alias::new("excluded"), former::Column::Until));
    let later = OnConflict::columns([former::Column::EmailSha256, former::Column::PersonId])
        .update_column(former::Column::Until)
        .action_and_where(Expr::col((former::Entity, former::Column::Until)).lt(told()))
        .to_owned();
    for chunk in last.chunks(ROWS) {
        let rows = chunk.iter().map(|((hash, person), until)| former::ActiveModel {
            email_sha256: Set(hash.0.to_vec()),
            person_id: Set(person.as_uuid()),
            until: Set(until.as_micros()),
        });
        former::Entity::insert_many(rows)
            .on_conflict(later.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The addresses that were these people's and are somebody else's by now, or were later.
///
/// # Errors
/// When the database fails.
pub async fn former_of(conn: &impl ConnectionTrait, people: &[PersonId]) -> Result<Vec<Former>, StorageError> {
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let theirs = former::Column::PersonId.is_in(chunk.iter().map(|person| person.as_uuid()));
        let rows = former::Entity::find().filter(theirs).all(conn).await?;
        found.extend(rows.into_iter().filter_map(|row| {
            Some(Former {
                hash: AddressHash(row.email_sha256.try_into().ok()?),
                person_id: PersonId::from_uuid(row.person_id),
                until: Timestamp::from_micros(row.until),
            })
        }));
    }
    Ok(found)
}

/// Each address comes once.
async fn save_newest(txn: &Txn, addresses: &[AccountAddress]) -> Result<(), StorageError> {
    let known = || Expr::col((entity::Entity, entity::Column::Since));
    let told = |column| Expr::col((Alias::new("excluded"), column));
    let released = told(entity::Column::Released).eq(true);
    // Of two words of the same moment, that it was given up counts: what is sent to the address is then an invitation, which
    // does no harm.
    let newer = known().lt(told(entity::Column::Since));
    let newer = newer.or(known().eq(told(entity::Column::Since)).and(released));
    let newest = OnConflict::column(entity::Column::EmailSha256)
        .update_columns([
            entity::Column::PersonId,
            entity::Column::Released,
            entity::Column::Since,
        ])
        .action_and_where(newer)
        .to_owned();
    for chunk in addresses.chunks(ROWS) {
        let rows = chunk.iter().map(|address| entity::ActiveModel {
            email_sha256: Set(address.hash.0.to_vec()),
            person_id: Set(address.person_id.as_uuid()),
            released: Set(address.released),
            since: Set(address.since.as_micros()),
        });
        entity::Entity::insert_many(rows)
            .on_conflict(newest.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Whose these addresses are, as far as they belong to accounts.
///
/// # Errors
/// When the database fails.
pub async fn owners(
    conn: &impl ConnectionTrait,
    addresses: &[AddressHash],
) -> Result<HashMap<AddressHash, PersonId>, StorageError> {
    let mut found = HashMap::new();
    for chunk in addresses.chunks(ROWS) {
        let rows = entity::Entity::find()
            .filter(entity::Column::EmailSha256.is_in(chunk.iter().map(|hash| hash.0.to_vec())))
            .filter(entity::Column::Released.eq(false))
            .all(conn)
            .await?;
        let known = rows.into_iter().filter_map(|row| {
            let hash = row.email_sha256.try_into().ok()?;
            Some((AddressHash(hash), PersonId::from_uuid(row.person_id)))
        });
        found.extend(known);
    }
    Ok(found)
}

/// The addresses that are these people's, or were theirs last.
///
/// # Errors
/// When the database fails.
pub async fn of_people(conn: &impl ConnectionTrait, people: &[PersonId]) -> Result<Vec<AddressHash>, StorageError> {
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let rows = entity::Entity::find().filter(of(chunk)).all(conn).await?;
        found.extend(
            rows.into_iter()
                .filter_map(|row| row.email_sha256.try_into().ok())
                .map(AddressHash),
        );
    }
    Ok(found)
}

/// Notes that these people have given up all of their addresses.
///
/// # Errors
/// When the database fails.
pub async fn release_of(txn: &Txn, people: &[PersonId]) -> Result<(), StorageError> {
    for chunk in people.chunks(ROWS) {
        entity::Entity::update_many()
            .col_expr(entity::Column::Released, Expr::value(true))
            .filter(of(chunk))
            .exec(txn)
            .await?;
    }
    Ok(())
}

fn of(people: &[PersonId]) -> Expr {
    entity::Column::PersonId.is_in(people.iter().map(|person| person.as_uuid()))
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_address")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub email_sha256: Vec<u8>,
        pub person_id: Uuid,
        pub released: bool,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod former {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "former_address")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub email_sha256: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        pub until: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
