//! `attribution`, `introduction`, `reward_total` and `reward_pending`: the ties and what they have come to.

mod read;
mod rows;
mod sums;
mod write;

use std::{cmp::Reverse, collections::BTreeSet};

use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*,
    sea_query::OnConflict,
};
use vouch_primitives::{AttributionId, PersonId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::rows::{attribution, consent, introduction};
use super::{ROWS, corrupt, releases::Released};
use crate::domain::{Bond, Release, Tie};

pub use self::{
    sums::{ReleasedTotal, granted, released, released_after, released_to_all},
    write::save,
};

/// A tie as it was read, or as it is new, and as it is now.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As it is.
    pub tie: Tie,
    /// As it is stored.
    stored: Tie,
}

impl Loaded {
    /// A tie that has just been stored.
    #[must_use]
    pub fn new(tie: Tie) -> Self {
        Self {
            stored: tie.clone(),
            tie,
        }
    }

    /// The same of a tie that is new: whatever contracts there are, they have come of it now.
    #[must_use]
    pub fn begun(mut self) -> Self {
        if let Bond::Introduction(introduction) = &mut self.stored.bond {
            introduction.contracts.clear();
        }
        self
    }

    /// Whether whoever was vouched for has been hired since.
    #[must_use]
    pub fn is_newly_hired(&self) -> bool {
        self.tie.is_hired() && !self.stored.is_hired()
    }

    /// Whether something has changed that good referrals are told by: screening, the hire, or the end of the window.
    #[must_use]
    pub fn is_told_anew(&self) -> bool {
        let state = |tie: &Tie| (tie.screening, tie.is_hired(), tie.has_stayed());
        state(&self.tie) != state(&self.stored)
    }

    /// What a release adds to those before it, for the record.
    #[must_use]
    pub fn released(&self, release: Release, released_at: Timestamp) -> Released {
        let key = (release.kind, release.cumulative.currency);
        let before = self.stored.rewards.get(&key).map_or(0, |reward| reward.released);
        Released {
            tie: self.tie.id,
            referrer: self.tie.referrer,
            release,
            amount_minor: release.cumulative.minor - before,
            released_at,
        }
    }

    /// The moment of the next release, if it is another than it was.
    #[must_use]
    pub fn moved_release(&self) -> Option<Timestamp> {
        let next = self.tie.next_release();
        next.filter(|_| next != self.stored.next_release())
    }
}

/// Stores new attributions, without totals, and returns the ids of those that are in: a person who has a referrer already
/// keeps that one for ever.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, now: Timestamp, ties: &[Tie]) -> Result<BTreeSet<Uuid>, StorageError> {
    let mut fresh = BTreeSet::new();
    for chunk in ties.chunks(ROWS) {
        let rows: Vec<_> = chunk.iter().map(|tie| write::row(now, tie)).collect::<Result<_, _>>()?;
        let inserted = attribution::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_with_returning(txn)
            .await?;
        fresh.extend(inserted.into_iter().map(|row| row.id));
    }
    Ok(fresh)
}

/// Stores new introductions, each with what is said in it, and returns the ids of those that are in: an account is introduced
/// to a client once.
///
/// # Errors
/// If the database fails.
pub async fn insert_introductions(txn: &Txn, ties: &[(Tie, String)]) -> Result<BTreeSet<Uuid>, StorageError> {
    let mut fresh = BTreeSet::new();
    for chunk in ties.chunks(ROWS) {
        let rows: Vec<_> = chunk
            .iter()
            .map(|(tie, message)| write::introduction_row(tie, message))
            .collect::<Result<_, _>>()?;
        let inserted = introduction::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_with_returning(txn)
            .await?;
        fresh.extend(inserted.into_iter().map(|row| row.id));
    }
    Ok(fresh)
}

/// How many introductions a referrer, who is locked, has made since a moment.
///
/// # Errors
/// If the database fails.
pub async fn introduced_since(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    since: Timestamp,
) -> Result<u64, StorageError> {
    let made = introduction::Entity::find()
        .filter(introduction::Column::ReferrerId.eq(referrer.as_uuid()))
        .filter(introduction::Column::MadeAt.gte(since.as_micros()));
    Ok(made.count(conn).await?)
}

/// Binds an attribution to other terms from a moment on, with the words of the referrer's consent.
///
/// # Errors
/// If the database fails.
pub async fn insert_consent(
    txn: &Txn,
    attribution: AttributionId,
    from: Timestamp,
    version: u32,
    words: &str,
) -> Result<(), StorageError> {
    let row = consent::ActiveModel {
        attribution_id: Set(attribution.as_uuid()),
        from_at: Set(from.as_micros()),
        terms_version: Set(i32::try_from(version).map_err(corrupt)?),
        consent: Set(words.to_owned()),
    };
    let key = [consent::Column::AttributionId, consent::Column::FromAt];
    let values = [consent::Column::TermsVersion, consent::Column::Consent];
    consent::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).update_columns(values).to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The ties by which somebody is paid for what some people earn, with their totals. The people must be locked when the
/// ties are to be changed.
///
/// # Errors
/// If the database fails.
pub async fn of_people(conn: &impl ConnectionTrait, people: &BTreeSet<PersonId>) -> Result<Vec<Loaded>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let (mut attributions, mut introductions) = (Vec::new(), Vec::new());
    for chunk in people.chunks(ROWS) {
        let wanted = attribution::Column::RefereePersonId.is_in(chunk.iter().copied());
        attributions.extend(attribution::Entity::find().filter(wanted).all(conn).await?);
        let wanted = introduction::Column::PayeePersonId.is_in(chunk.iter().copied());
        introductions.extend(introduction::Entity::find().filter(wanted).all(conn).await?);
    }
    let ties = read::ties(conn, &attributions, &introductions).await?;
    Ok(ties.into_iter().map(Loaded::new).collect())
}

/// Those of some people who are attributed.
///
/// # Errors
/// If the database fails.
pub async fn attributed(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let wanted = attribution::Column::RefereePersonId.is_in(chunk.iter().copied());
        let rows = attribution::Entity::find().filter(wanted).all(conn).await?;
        found.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.referee_person_id)));
    }
    Ok(found)
}

/// Those of some people for whom somebody vouched, and who.
///
/// # Errors
/// If the database fails.
pub async fn vouched_for(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<Vec<(PersonId, PersonId)>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let wanted = attribution::Column::RefereePersonId.is_in(chunk.iter().copied());
        let rows = attribution::Entity::find().filter(wanted).all(conn).await?;
        let referrers = rows.iter().map(|row| ReferrerId::from_uuid(row.referrer_id)).collect();
        let who = super::referrers::people(conn, &referrers).await?;
        found.extend(rows.iter().filter_map(|row| {
            let referrer = who.get(&ReferrerId::from_uuid(row.referrer_id))?;
            Some((PersonId::from_uuid(row.referee_person_id), *referrer))
        }));
    }
    Ok(found)
}

/// By whom some people are vouched for, by an attribution or an introduction.
///
/// # Errors
/// If the database fails.
pub async fn referrals(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<(ReferrerId, PersonId)>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let attributed = attribution::Entity::find()
            .select_only()
            .columns([attribution::Column::ReferrerId, attribution::Column::RefereePersonId])
            .filter(attribution::Column::RefereePersonId.is_in(chunk.iter().copied()));
        let introduced = introduction::Entity::find()
            .select_only()
            .columns([introduction::Column::ReferrerId, introduction::Column::PayeePersonId])
            .filter(introduction::Column::PayeePersonId.is_in(chunk.iter().copied()));
        let attributed: Vec<(Uuid, Uuid)> = attributed.into_tuple().all(conn).await?;
        let introduced: Vec<(Uuid, Uuid)> = introduced.into_tuple().all(conn).await?;
        let both = attributed.into_iter().chain(introduced);
        found.extend(both.map(|(referrer, person)| (ReferrerId::from_uuid(referrer), PersonId::from_uuid(person))));
    }
    Ok(found)
}

/// The people for whose earnings a referrer is paid.
///
/// # Errors
/// If the database fails.
pub async fn payees_of(conn: &impl ConnectionTrait, referrer: ReferrerId) -> Result<BTreeSet<PersonId>, StorageError> {
    let attributed: Vec<Uuid> = attribution::Entity::find()
        .select_only()
        .column(attribution::Column::RefereePersonId)
        .filter(attribution::Column::ReferrerId.eq(referrer.as_uuid()))
        .into_tuple()
        .all(conn)
        .await?;
    let introduced: Vec<Uuid> = introduction::Entity::find()
        .select_only()
        .column(introduction::Column::PayeePersonId)
        .filter(introduction::Column::ReferrerId.eq(referrer.as_uuid()))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(attributed
        .into_iter()
        .chain(introduced)
        .map(PersonId::from_uuid)
        .collect())
}

/// The people for whose earnings these ties pay.
///
/// # Errors
/// If the database fails.
pub async fn payees(conn: &impl ConnectionTrait, ties: &[Uuid]) -> Result<BTreeSet<PersonId>, StorageError> {
    let mut people = BTreeSet::new();
    for chunk in ties.chunks(ROWS) {
        let wanted = attribution::Column::Id.is_in(chunk.iter().copied());
        let rows = attribution::Entity::find().filter(wanted).all(conn).await?;
        people.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.referee_person_id)));
        let wanted = introduction::Column::Id.is_in(chunk.iter().copied());
        let rows = introduction::Entity::find().filter(wanted).all(conn).await?;
        people.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.payee_person_id)));
    }
    Ok(people)
}

/// Those of these ties that are attributions.
///
/// # Errors
/// If the database fails.
pub async fn attributions(conn: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Tie>, StorageError> {
    let mut rows = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let wanted = attribution::Column::Id.is_in(chunk.iter().copied());
        rows.extend(attribution::Entity::find().filter(wanted).all(conn).await?);
    }
    read::ties(conn, &rows, &[]).await
}

/// A referrer's attributions, newest first, at most `limit` of those before `before`.
///
/// # Errors
/// If the database fails.
pub async fn of_referrer(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    before: Option<AttributionId>,
    limit: u64,
) -> Result<Vec<Tie>, StorageError> {
    let Some(before) = place(conn, before.map(AttributionId::as_uuid)).await? else {
        return Ok(Vec::new());
    };
    read::ties(conn, &attribution_rows(conn, referrer, before, limit).await?, &[]).await
}

/// A referrer's introductions, newest first, at most `limit` of those before `before`.
///
/// # Errors
/// If the database fails.
pub async fn introductions_of(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    before: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Tie>, StorageError> {
    let Some(before) = place(conn, before).await? else {
        return Ok(Vec::new());
    };
    read::ties(conn, &[], &introduction_rows(conn, referrer, before, limit).await?).await
}

/// A referrer's attributions and introductions together, newest first, at most `limit` of those before `before`.
///
/// # Errors
/// If the database fails.
pub async fn all_of_referrer(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    before: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Tie>, StorageError> {
    let Some(before) = place(conn, before).await? else {
        return Ok(Vec::new());
    };
    let attributions = attribution_rows(conn, referrer, before, limit).await?;
    let introductions = introduction_rows(conn, referrer, before, limit).await?;
    let mut ties = read::ties(conn, &attributions, &introductions).await?;
    let since = |tie: &Tie| match &tie.bond {
        Bond::Attribution(bond) => bond.joined,
        Bond::Introduction(bond) => bond.made,
    };
    ties.sort_by_key(|tie| Reverse((since(tie), tie.id)));
    ties.truncate(usize::try_from(limit).map_err(corrupt)?);
    Ok(ties)
}

/// When a tie came about, and its id, as ids are not in the order of time.
type Place = (i64, Uuid);

/// The place of a tie among those of its referrer, or without one the place before which all stand. There is none of a tie that
/// is not there.
async fn place(conn: &impl ConnectionTrait, id: Option<Uuid>) -> Result<Option<Place>, StorageError> {
    let Some(id) = id else {
        return Ok(Some((i64::MAX, Uuid::max())));
    };
    if let Some(row) = attribution::Entity::find_by_id(id).one(conn).await? {
        return Ok(Some((row.joined_at, id)));
    }
    let row = introduction::Entity::find_by_id(id).one(conn).await?;
    Ok(row.map(|row| (row.made_at, id)))
}

fn before<C: ColumnTrait>((at, id): (C, C), place: Place) -> Condition {
    let of_the_same_moment = Condition::all().add(at.eq(place.0)).add(id.lt(place.1));
    Condition::any().add(at.lt(place.0)).add(of_the_same_moment)
}

async fn attribution_rows(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    place: Place,
    limit: u64,
) -> Result<Vec<attribution::Model>, StorageError> {
    let columns = (attribution::Column::JoinedAt, attribution::Column::Id);
    let page = attribution::Entity::find()
        .filter(attribution::Column::ReferrerId.eq(referrer.as_uuid()))
        .filter(before(columns, place))
        .order_by_desc(attribution::Column::JoinedAt)
        .order_by_desc(attribution::Column::Id)
        .limit(limit);
    Ok(page.all(conn).await?)
}

async fn introduction_rows(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    place: Place,
    limit: u64,
) -> Result<Vec<introduction::Model>, StorageError> {
    let columns = (introduction::Column::MadeAt, introduction::Column::Id);
    let page = introduction::Entity::find()
        .filter(introduction::Column::ReferrerId.eq(referrer.as_uuid()))
        .filter(before(columns, place))
        .order_by_desc(introduction::Column::MadeAt)
        .order_by_desc(introduction::Column::Id)
        .limit(limit);
    Ok(page.all(conn).await?)
}

/// Reads a tie with its totals.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Tie>, StorageError> {
    let attribution: Vec<_> = attribution::Entity::find_by_id(id)
        .one(conn)
        .await?
        .into_iter()
        .collect();
    let introduction: Vec<_> = match attribution.is_empty() {
        true => introduction::Entity::find_by_id(id)
            .one(conn)
            .await?
            .into_iter()
            .collect(),
        false => Vec::new(),
    };
    Ok(read::ties(conn, &attribution, &introduction).await?.pop())
}
