//! `erasure`: who was erased, and what goes with them.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait, QuerySelect, Statement, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{PersonId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, marks};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: Uuid,
    pub erased_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is said about people, and by what they were known when they signed up. Where there was an appeal, there is one still; so
/// it is with a consent, and with the name of a site.
const OF_PEOPLE: [&str; 6] = [
    "UPDATE introduction SET message = '' WHERE payee_person_id IN",
    "UPDATE screening_case SET appeal = CASE appeal WHEN '' THEN '' ELSE '-' END, \
     reason = CASE decided_by WHEN 'rule' THEN reason ELSE '' END WHERE person_id IN",
    "UPDATE signal SET appeal = CASE appeal WHEN '' THEN '' ELSE '-' END, reason = '' WHERE person_id IN",
    "UPDATE related_party SET reason = '' WHERE person_id IN",
    "UPDATE touch SET device_sha256 = NULL, network_sha256 = NULL WHERE visitor_id IN (SELECT s.link_cookie_id \
     FROM sign_up s JOIN account a ON a.id = s.account_id WHERE a.person_id IN",
    "UPDATE sign_up SET link_cookie_id = NULL, domain_sha256 = NULL WHERE account_id IN (SELECT id FROM account \
     WHERE person_id IN",
];

/// What is said about referrers and by them: of those for whom they vouched, too.
const OF_REFERRERS: [&str; 7] = [
    "UPDATE introduction SET message = '' WHERE referrer_id IN",
    "UPDATE screening_case SET appeal = CASE appeal WHEN '' THEN '' ELSE '-' END WHERE person_id IN (SELECT \
     referee_person_id FROM attribution WHERE referrer_id IN",
    "UPDATE screening_case SET appeal = CASE appeal WHEN '' THEN '' ELSE '-' END WHERE person_id IN (SELECT \
     payee_person_id FROM introduction WHERE referrer_id IN",
    "UPDATE signal SET appeal = CASE appeal WHEN '' THEN '' ELSE '-' END, reason = '' WHERE referrer_id IN",
    "UPDATE standing_change SET reason = '' WHERE referrer_id IN",
    "UPDATE attribution_terms SET consent = '-' WHERE attribution_id IN (SELECT id FROM attribution WHERE referrer_id IN",
    "UPDATE referral_link SET source = CASE source WHEN '' THEN '' ELSE '-' END, campaign = '' WHERE referrer_id IN",
];

/// Notes who was erased.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, now: Timestamp, people: &BTreeSet<PersonId>) -> Result<(), StorageError> {
    let people: Vec<_> = people.iter().collect();
    for chunk in people.chunks(ROWS) {
        let rows = chunk.iter().map(|person| ActiveModel {
            person_id: Set(person.as_uuid()),
            erased_at: Set(now.as_micros()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::column(Column::PersonId).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Who of these was erased.
///
/// # Errors
/// If the database fails.
pub async fn among(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::PersonId)
            .filter(Column::PersonId.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(ids.into_iter().map(PersonId::from_uuid));
    }
    Ok(found)
}

/// Empties what was said about these people and by them as these referrers, and forgets by what they were known when they signed
/// up. The people are locked. What is in the books stays: ids, codes, sums and moments.
///
/// # Errors
/// If the database fails.
pub async fn empty(
    txn: &Txn,
    people: &BTreeSet<PersonId>,
    referrers: &BTreeSet<ReferrerId>,
) -> Result<(), StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let referrers: Vec<_> = referrers.iter().map(|id| id.as_uuid()).collect();
    of_each(txn, &OF_PEOPLE, &people).await?;
    of_each(txn, &OF_REFERRERS, &referrers).await
}

/// Those whom these referrers have vouched for, and about whose screening somebody has appealed.
///
/// # Errors
/// If the database fails.
pub async fn appealed_for(
    conn: &impl ConnectionTrait,
    referrers: &BTreeSet<ReferrerId>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let backend = conn.get_database_backend();
    let referrers: Vec<_> = referrers.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in referrers.chunks(ROWS) {
        let theirs = marks(backend, 1, chunk.len());
        let sql = format!(
            "SELECT person_id FROM screening_case WHERE appeal <> '' AND person_id IN (SELECT referee_person_id \
             FROM attribution WHERE referrer_id IN ({theirs}) UNION SELECT payee_person_id FROM introduction \
             WHERE referrer_id IN ({theirs}))"
        );
        let values = chunk.iter().map(|id| (*id).into());
        for row in conn
            .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?
        {
            found.insert(PersonId::from_uuid(row.try_get_by_index(0)?));
        }
    }
    Ok(found)
}

async fn of_each(txn: &Txn, changes: &[&str], ids: &[Uuid]) -> Result<(), StorageError> {
    let backend = txn.get_database_backend();
    for chunk in ids.chunks(ROWS) {
        let marks = marks(backend, 1, chunk.len());
        for change in changes {
            // A change that looks elsewhere for whom it concerns has a bracket more.
            let end = if change.contains("(SELECT") { ")" } else { "" };
            let sql = format!("{change} ({marks}){end}");
            let values = chunk.iter().map(|id| (*id).into());
            txn.execute_raw(Statement::from_sql_and_values(backend, sql, values))
                .await?;
        }
    }
    Ok(())
}
