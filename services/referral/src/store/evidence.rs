//! `evidence`: what spoke for a referrer, and what came of it.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{PersonId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::{Evidence, Means, ReferralKind, Verdict};

/// A piece of evidence that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its id.
    pub id: Uuid,
    /// Who signed up.
    pub person: PersonId,
    /// By what.
    pub means: Means,
    /// For whom it spoke.
    pub referrer: Option<ReferrerId>,
    /// Which type of referral it made, or would have made.
    pub kind: ReferralKind,
    /// What came of it.
    pub verdict: Verdict,
    /// When it happened.
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub person_id: Uuid,
    pub sort: String,
    pub referrer_id: Option<Uuid>,
    pub kind: String,
    pub verdict: String,
    pub happened_at: i64,
    pub noted_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores evidence with what came of it; what is known stays as it is.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, now: Timestamp, judged: &[(PersonId, &Evidence, Verdict)]) -> Result<(), StorageError> {
    for chunk in judged.chunks(ROWS) {
        let rows = chunk.iter().map(|(person, evidence, verdict)| ActiveModel {
            id: Set(evidence.id),
            person_id: Set(person.as_uuid()),
            sort: Set(evidence.sort.means().name().to_owned()),
            referrer_id: Set(evidence.voucher.map(|voucher| voucher.referrer.as_uuid())),
            kind: Set(evidence.kind.name().to_owned()),
            verdict: Set(verdict.name().to_owned()),
            happened_at: Set(evidence.at.as_micros()),
            noted_at: Set(now.as_micros()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Which of these pieces are known.
///
/// # Errors
/// If the database fails.
pub async fn known(conn: &impl ConnectionTrait, people: &BTreeSet<PersonId>) -> Result<BTreeSet<Uuid>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::PersonId.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(ids);
    }
    Ok(found)
}

/// All that spoke for somebody when this person signed up, the newest first; there are few.
///
/// # Errors
/// If the database fails.
pub async fn of_person(conn: &impl ConnectionTrait, person: PersonId) -> Result<Vec<Judged>, StorageError> {
    let rows = Entity::find()
        .filter(Column::PersonId.eq(person.as_uuid()))
        .order_by_desc(Column::HappenedAt)
        .order_by_desc(Column::Id)
        .all(conn)
        .await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Model) -> Result<Judged, StorageError> {
    Ok(Judged {
        id: row.id,
        person: PersonId::from_uuid(row.person_id),
        means: Means::of_name(&row.sort).ok_or_else(|| corrupt("unknown sort of evidence"))?,
        referrer: row.referrer_id.map(ReferrerId::from_uuid),
        kind: ReferralKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of referral"))?,
        verdict: Verdict::of_name(&row.verdict).ok_or_else(|| corrupt("unknown verdict"))?,
        at: Timestamp::from_micros(row.happened_at),
    })
}
