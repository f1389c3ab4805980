//! `payout_instrument`: where the money of accounts goes, by a fingerprint that tells no more than that it is the same place.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, FromQueryResult, Statement, entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{AccountId, PersonId, ReferrerId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, accounts, marks, referrers, ties};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_instrument")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub fingerprint_sha256: Vec<u8>,
    pub added_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where the money of an account may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Whose.
    pub account: AccountId,
    /// The same for the same place.
    pub fingerprint: [u8; 32],
    /// When it was added.
    pub added_at: Timestamp,
}

#[derive(FromQueryResult)]
struct Pair {
    one: Uuid,
    other: Uuid,
}

/// Stores instruments, and returns who owns their accounts, as far as they have registered.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, added: &[Instrument]) -> Result<BTreeSet<PersonId>, StorageError> {
    let mut owners = BTreeSet::new();
    for chunk in added.chunks(ROWS) {
        let rows = chunk.iter().map(|it| ActiveModel {
            account_id: Set(it.account.as_uuid()),
            fingerprint_sha256: Set(it.fingerprint.to_vec()),
            added_at: Set(it.added_at.as_micros()),
        });
        Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
        let ids: Vec<_> = chunk.iter().map(|it| it.account).collect();
        let registered = accounts::with_ids(txn, &ids).await?;
        owners.extend(registered.into_iter().map(|account| account.person));
    }
    Ok(owners)
}

/// The referees whose money goes where that of their referrer goes, or of another referee of the same referrer, with that
/// referrer: as far as one of the two is among `people`.
///
/// # Errors
/// If the database fails.
pub async fn shared(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<(ReferrerId, PersonId)>, StorageError> {
    let pairs = pairs(conn, people).await?;
    let of_pairs = pairs.iter().flat_map(|(one, other)| [*one, *other]).collect();
    let referrals = ties::referrals(conn, &of_pairs).await?;
    let referrers = referrals.iter().map(|(referrer, _)| *referrer).collect();
    let who = referrers::people(conn, &referrers).await?;
    let both_ways = pairs.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
    let mut found = BTreeSet::new();
    for (referee, other) in both_ways {
        let theirs = referrals.iter().filter(|(_, person)| *person == referee);
        found.extend(
            theirs.filter(|(referrer, _)| who.get(referrer) == Some(&other) || referrals.contains(&(*referrer, other))),
        );
    }
    Ok(found)
}

/// Those among `people`, each with somebody else whose money goes to the same place.
async fn pairs(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeSet<(PersonId, PersonId)>, StorageError> {
    let backend = conn.get_database_backend();
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found = BTreeSet::new();
    for chunk in people.chunks(ROWS) {
        let sql = format!(
            "SELECT DISTINCT mine.person_id AS one, theirs.person_id AS other FROM account mine \
             JOIN payout_instrument i ON i.account_id = mine.id \
             JOIN payout_instrument o ON o.fingerprint_sha256 = i.fingerprint_sha256 AND o.account_id <> i.account_id \
             JOIN account theirs ON theirs.id = o.account_id AND theirs.person_id <> mine.person_id \
             WHERE mine.person_id IN ({})",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| (*id).into());
        let rows = Pair::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
        let rows = rows.all(conn).await?.into_iter();
        found.extend(rows.map(|row| (PersonId::from_uuid(row.one), PersonId::from_uuid(row.other))));
    }
    Ok(found)
}
