//! `referrer`: who vouches.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{AccountId, PersonId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, vanity};
use crate::domain::{ReferralCode, TypedCode};

/// Somebody who vouches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The referrer's id.
    pub id: ReferrerId,
    /// Who it is.
    pub person: PersonId,
    /// The account that rewards are paid to.
    pub account: AccountId,
    /// The code to share; unique for ever [R22].
    pub code: ReferralCode,
    /// When they enrolled.
    pub enrolled_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "referrer")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub person_id: Uuid,
    #[sea_orm(unique)]
    pub account_id: Uuid,
    #[sea_orm(unique)]
    pub code: String,
    pub enrolled_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a referrer, and returns whether it is new: not so if the account is enrolled or the code is taken.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, referrer: &Referrer) -> Result<bool, StorageError> {
    let row = ActiveModel {
        id: Set(referrer.id.as_uuid()),
        person_id: Set(referrer.person.as_uuid()),
        account_id: Set(referrer.account.as_uuid()),
        code: Set(referrer.code.as_str().to_owned()),
        enrolled_at: Set(referrer.enrolled_at.as_micros()),
    };
    let inserted = Entity::insert_many([row])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(inserted > 0)
}

/// Reads a referrer.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: ReferrerId) -> Result<Option<Referrer>, StorageError> {
    Entity::find_by_id(id.as_uuid()).one(conn).await?.map(read).transpose()
}

/// Who these referrers are.
///
/// # Errors
/// If the database fails.
pub async fn people(
    conn: &impl ConnectionTrait,
    referrers: &BTreeSet<ReferrerId>,
) -> Result<HashMap<ReferrerId, PersonId>, StorageError> {
    let ids: Vec<_> = referrers.iter().map(|id| id.as_uuid()).collect();
    let mut found = HashMap::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find()
            .filter(Column::Id.is_in(chunk.iter().copied()))
            .all(conn)
            .await?;
        found.extend(
            rows.into_iter()
                .map(|row| (ReferrerId::from_uuid(row.id), PersonId::from_uuid(row.person_id))),
        );
    }
    Ok(found)
}

/// Locks referrers, in ascending order and after the people: their standing does not change meanwhile.
///
/// # Errors
/// If the database fails.
pub async fn lock_all(txn: &Txn, referrers: &BTreeSet<ReferrerId>) -> Result<(), StorageError> {
    if referrers.is_empty() {
        return Ok(());
    }
    Entity::find()
        .filter(Column::Id.is_in(referrers.iter().map(|id| id.as_uuid())))
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(txn)
        .await?;
    Ok(())
}

/// Locks a referrer, and reads them.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn, id: ReferrerId) -> Result<Option<Referrer>, StorageError> {
    let row = Entity::find_by_id(id.as_uuid())
        .lock(LockType::NoKeyUpdate)
        .one(txn)
        .await?;
    row.map(read).transpose()
}

/// The referrers that these people are.
///
/// # Errors
/// If the database fails.
pub async fn of_people(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<ReferrerId>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let rows = Entity::find().filter(Column::PersonId.is_in(chunk.iter().copied()));
        found.extend(
            rows.all(conn)
                .await?
                .into_iter()
                .map(|row| ReferrerId::from_uuid(row.id)),
        );
    }
    Ok(found)
}

/// The referrer of an account.
///
/// # Errors
/// If the database fails.
pub async fn of_account(conn: &impl ConnectionTrait, id: AccountId) -> Result<Option<Referrer>, StorageError> {
    Entity::find()
        .filter(Column::AccountId.eq(id.as_uuid()))
        .one(conn)
        .await?
        .map(read)
        .transpose()
}

/// The referrers with these ids.
///
/// # Errors
/// If the database fails.
pub async fn with_ids(conn: &impl ConnectionTrait, ids: &BTreeSet<ReferrerId>) -> Result<Vec<Referrer>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut referrers = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find().filter(Column::Id.is_in(chunk.iter().copied()));
        for row in rows.all(conn).await? {
            referrers.push(read(row)?);
        }
    }
    Ok(referrers)
}

/// The referrers of some codes as they were typed, drawn ones and those of their own choice, and since when each is theirs.
///
/// # Errors
/// If the database fails.
pub async fn of_typed(
    conn: &impl ConnectionTrait,
    codes: &BTreeSet<TypedCode>,
) -> Result<HashMap<TypedCode, (Referrer, Timestamp)>, StorageError> {
    let (mut drawn, mut chosen) = (BTreeSet::new(), BTreeSet::new());
    for code in codes {
        match code {
            TypedCode::Drawn(code) => drawn.insert(code.clone()),
            TypedCode::Vanity(code) => chosen.insert(code.clone()),
        };
    }
    let found = of_codes(conn, &drawn).await?;
    let mut typed: HashMap<_, _> = found
        .into_iter()
        .map(|referrer| {
            (
                TypedCode::Drawn(referrer.code.clone()),
                (referrer.clone(), referrer.enrolled_at),
            )
        })
        .collect();
    let claimed = vanity::of_codes(conn, &chosen).await?;
    let theirs = with_ids(conn, &claimed.values().map(|(id, _)| *id).collect()).await?;
    let by_id: HashMap<_, _> = theirs.into_iter().map(|referrer| (referrer.id, referrer)).collect();
    for (code, (id, since)) in claimed {
        typed.extend(
            by_id
                .get(&id)
                .map(|referrer| (TypedCode::Vanity(code), (referrer.clone(), since))),
        );
    }
    Ok(typed)
}

async fn of_codes(conn: &impl ConnectionTrait, codes: &BTreeSet<ReferralCode>) -> Result<Vec<Referrer>, StorageError> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let codes = codes.iter().map(|code| code.as_str().to_owned());
    let rows = Entity::find().filter(Column::Code.is_in(codes)).all(conn).await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Model) -> Result<Referrer, StorageError> {
    Ok(Referrer {
        id: ReferrerId::from_uuid(row.id),
        person: PersonId::from_uuid(row.person_id),
        account: AccountId::from_uuid(row.account_id),
        code: row.code.parse().map_err(corrupt)?,
        enrolled_at: Timestamp::from_micros(row.enrolled_at),
    })
}
