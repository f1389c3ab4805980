//! `referral_invitation`: how far invitations of friends have come.

mod words;

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{ClientId, PersonId, ReferralInvitationId, ReferrerId, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, hash_of};
use crate::domain::{AddressHash, ReferralInvitation, ReferralKind, Stage};

pub use words::{Said, add_tokens, erase_words, insert_words, of_tokens, revoke_tokens, words_of};

/// How many invitations there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From one referrer, in a day of UTC.
    pub per_day: u32,
    /// To one address, from all referrers, in a week of UTC.
    pub address_per_week: u32,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The referrer's of the day.
    Day,
    /// The address's of the week.
    Week,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "referral_invitation")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub referrer_id: Uuid,
    pub email_sha256: Vec<u8>,
    pub kind: String,
    pub client_id: Option<Uuid>,
    pub stage: String,
    pub sent_at: i64,
    pub accepted_at: Option<i64>,
    pub person_id: Option<Uuid>,
    pub since: i64,
    pub day_begun: i64,
    pub number_of_day: i32,
    pub week_begun: i64,
    pub number_of_week: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a new invitation with its numbers, unless a limit is reached. The referrer is locked.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    txn: &Txn,
    invitation: &mut ReferralInvitation,
    limits: Limits,
) -> Result<Result<(), Full>, StorageError> {
    let (day, week) = (invitation.sent_at.start_of_day(), invitation.sent_at.start_of_week());
    let of_day = Entity::find()
        .filter(Column::ReferrerId.eq(invitation.referrer.as_uuid()))
        .filter(Column::DayBegun.eq(day.as_micros()));
    let of_week = Entity::find()
        .filter(Column::EmailSha256.eq(invitation.address.0.as_slice()))
        .filter(Column::WeekBegun.eq(week.as_micros()));
    let next = |count: u64| u32::try_from(count + 1).map_err(corrupt);
    invitation.number_of_day = next(of_day.count(txn).await?)?;
    if invitation.number_of_day > limits.per_day {
        return Ok(Err(Full::Day));
    }
    // Somebody else may write to the same address at this very moment: one of the two takes the next number.
    loop {
        invitation.number_of_week = next(of_week.clone().count(txn).await?)?;
        if invitation.number_of_week > limits.address_per_week {
            return Ok(Err(Full::Week));
        }
        let inserted = Entity::insert_many([write(invitation)?])
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
        if inserted > 0 {
            return Ok(Ok(()));
        }
    }
}

/// A referrer's invitations, newest first.
///
/// # Errors
/// If the database fails.
pub async fn page(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    page: &Page<ReferralInvitationId>,
) -> Result<Vec<ReferralInvitation>, StorageError> {
    let mut query = Entity::find().filter(Column::ReferrerId.eq(referrer.as_uuid()));
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit()).all(conn).await?;
    rows.into_iter().map(read).collect()
}

/// Locks invitations, in ascending order.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn, ids: &BTreeSet<ReferralInvitationId>) -> Result<Vec<ReferralInvitation>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find()
            .filter(Column::Id.is_in(chunk.iter().copied()))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate)
            .all(txn)
            .await?;
        for row in rows {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// To which addresses these invitations went.
///
/// # Errors
/// If the database fails.
pub async fn addresses_of(
    conn: &impl ConnectionTrait,
    ids: &BTreeSet<ReferralInvitationId>,
) -> Result<BTreeSet<AddressHash>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find().filter(Column::Id.is_in(chunk.iter().copied()));
        for row in rows.all(conn).await? {
            found.insert(AddressHash(hash_of(row.email_sha256)?));
        }
    }
    Ok(found)
}

/// Which invitations went to these addresses.
///
/// # Errors
/// If the database fails.
pub async fn ids_to(
    conn: &impl ConnectionTrait,
    addresses: &BTreeSet<AddressHash>,
) -> Result<BTreeSet<ReferralInvitationId>, StorageError> {
    let addresses = addresses.iter().map(|hash| hash.0.to_vec().into()).collect();
    ids_where(conn, Column::EmailSha256, addresses).await
}

/// With which invitations these people have signed up, or were introduced.
///
/// # Errors
/// If the database fails.
pub async fn ids_of(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<ReferralInvitationId>, StorageError> {
    let people = people.iter().map(|id| id.as_uuid().into()).collect();
    ids_where(conn, Column::PersonId, people).await
}

/// Which invitations are these referrers'.
///
/// # Errors
/// If the database fails.
pub async fn ids_from(
    conn: &impl ConnectionTrait,
    referrers: &BTreeSet<ReferrerId>,
) -> Result<BTreeSet<ReferralInvitationId>, StorageError> {
    let referrers = referrers.iter().map(|id| id.as_uuid().into()).collect();
    ids_where(conn, Column::ReferrerId, referrers).await
}

/// Which of these wait for an answer.
///
/// # Errors
/// If the database fails.
pub async fn open_among(
    conn: &impl ConnectionTrait,
    ids: &BTreeSet<ReferralInvitationId>,
) -> Result<BTreeSet<ReferralInvitationId>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in ids.chunks(ROWS) {
        let open: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Id.is_in(chunk.iter().copied()))
            .filter(Column::Stage.is_in([Stage::Sent.name(), Stage::Clicked.name()]))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(open.into_iter().map(ReferralInvitationId::from_uuid));
    }
    Ok(found)
}

async fn ids_where(
    conn: &impl ConnectionTrait,
    column: Column,
    values: Vec<Value>,
) -> Result<BTreeSet<ReferralInvitationId>, StorageError> {
    let mut found = BTreeSet::new();
    for chunk in values.chunks(ROWS) {
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(column.is_in(chunk.iter().cloned()))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(ids.into_iter().map(ReferralInvitationId::from_uuid));
    }
    Ok(found)
}

/// Stores how far invitations have come, which are locked.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, invitations: &[ReferralInvitation]) -> Result<(), StorageError> {
    for chunk in invitations.chunks(ROWS) {
        let rows: Vec<_> = chunk.iter().map(write).collect::<Result<_, _>>()?;
        let progress = [Column::Stage, Column::AcceptedAt, Column::PersonId, Column::Since];
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::Id).update_columns(progress).to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

fn write(invitation: &ReferralInvitation) -> Result<ActiveModel, StorageError> {
    let number = |number: u32| i32::try_from(number).map_err(corrupt);
    Ok(ActiveModel {
        id: Set(invitation.id.as_uuid()),
        referrer_id: Set(invitation.referrer.as_uuid()),
        email_sha256: Set(invitation.address.0.to_vec()),
        kind: Set(invitation.kind.name().to_owned()),
        client_id: Set(invitation.client.map(ClientId::as_uuid)),
        stage: Set(invitation.stage.name().to_owned()),
        sent_at: Set(invitation.sent_at.as_micros()),
        accepted_at: Set(invitation.accepted_at.map(Timestamp::as_micros)),
        person_id: Set(invitation.person.map(PersonId::as_uuid)),
        since: Set(invitation.since.as_micros()),
        day_begun: Set(invitation.sent_at.start_of_day().as_micros()),
        number_of_day: Set(number(invitation.number_of_day)?),
        week_begun: Set(invitation.sent_at.start_of_week().as_micros()),
        number_of_week: Set(number(invitation.number_of_week)?),
    })
}

fn read(row: Model) -> Result<ReferralInvitation, StorageError> {
    Ok(ReferralInvitation {
        id: ReferralInvitationId::from_uuid(row.id),
        referrer: ReferrerId::from_uuid(row.referrer_id),
        address: AddressHash(hash_of(row.email_sha256)?),
        kind: ReferralKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of referral"))?,
        client: row.client_id.map(ClientId::from_uuid),
        stage: Stage::of_name(&row.stage).ok_or_else(|| corrupt("unknown stage"))?,
        sent_at: Timestamp::from_micros(row.sent_at),
        accepted_at: row.accepted_at.map(Timestamp::from_micros),
        person: row.person_id.map(PersonId::from_uuid),
        since: Timestamp::from_micros(row.since),
        number_of_day: u32::try_from(row.number_of_day).map_err(corrupt)?,
        number_of_week: u32::try_from(row.number_of_week).map_err(corrupt)?,
    })
}
