//! `signal`: what makes referrals look wrong. `disposable_domain`: domains that give out addresses for a moment.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, FromQueryResult, QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{AccountId, PersonId, ReferrerId, SignalId, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt, marks};
use crate::domain::{Signal, SignalKind, SignalState, Suspicion};

mod signal {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signal")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub referrer_id: Uuid,
        pub person_id: Uuid,
        pub state: String,
        pub closed: bool,
        pub appeal: String,
        pub reason: String,
        pub raised_at: i64,
        pub closed_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod domain {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "disposable_domain")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub domain: String,
        pub domain_sha256: Vec<u8>,
        pub added_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(FromQueryResult)]
struct Found {
    account_id: Uuid,
}

#[derive(FromQueryResult)]
struct Counted {
    referee_person_id: Uuid,
}

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// What two people may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// A device, whoever has signed up with it.
    Device,
    /// A network, of two referees of one referrer.
    Network,
}

/// Raises signals; those that were raised before stay as they are.
///
/// # Errors
/// If the database fails.
pub async fn raise(txn: &Txn, signals: &[Signal]) -> Result<(), StorageError> {
    for chunk in signals.chunks(ROWS) {
        signal::Entity::insert_many(chunk.iter().map(write))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Locks a signal, and reads it.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn, id: SignalId) -> Result<Option<Signal>, StorageError> {
    let row = signal::Entity::find_by_id(id.as_uuid())
        .lock(LockType::NoKeyUpdate)
        .one(txn)
        .await?;
    row.map(read).transpose()
}

/// Reads a signal.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: SignalId) -> Result<Option<Signal>, StorageError> {
    let row = signal::Entity::find_by_id(id.as_uuid()).one(conn).await?;
    row.map(read).transpose()
}

/// Stores where a signal stands, which is locked.
///
/// # Errors
/// If the database fails.
pub async fn save(txn: &Txn, signal: &Signal) -> Result<(), StorageError> {
    signal::Entity::update(write(signal)).exec(txn).await?;
    Ok(())
}

/// Signals that wait, or that are closed, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn queue(
    conn: &impl ConnectionTrait,
    closed: bool,
    page: &Page<SignalId>,
) -> Result<Vec<Signal>, StorageError> {
    let mut query = signal::Entity::find().filter(signal::Column::Closed.eq(closed));
    if let Some(after) = page.after {
        query = query.filter(signal::Column::Id.gt(after.as_uuid()));
    }
    let rows = query.order_by_asc(signal::Column::Id).limit(page.limit());
    rows.all(conn).await?.into_iter().map(read).collect()
}

/// The signals about a referrer's referees, the newest first.
///
/// # Errors
/// If the database fails.
pub async fn of_referrer(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    page: &Page<SignalId>,
) -> Result<Vec<Signal>, StorageError> {
    let mut query = signal::Entity::find().filter(signal::Column::ReferrerId.eq(referrer.as_uuid()));
    if let Some(after) = page.after {
        query = query.filter(signal::Column::Id.lt(after.as_uuid()));
    }
    let rows = query.order_by_desc(signal::Column::Id).limit(page.limit());
    rows.all(conn).await?.into_iter().map(read).collect()
}

/// What the signals about some people come to, by referrer and referee; those without any are left out.
///
/// # Errors
/// If the database fails.
pub async fn suspicions(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<HashMap<(ReferrerId, PersonId), Suspicion>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found: HashMap<_, Suspicion> = HashMap::new();
    for chunk in people.chunks(ROWS) {
        let rows: Vec<(Uuid, Uuid, String)> = signal::Entity::find()
            .select_only()
            .columns([
                signal::Column::ReferrerId,
                signal::Column::PersonId,
                signal::Column::State,
            ])
            .filter(signal::Column::PersonId.is_in(chunk.iter().copied()))
            .filter(signal::Column::State.ne(SignalState::Cleared.name()))
            .into_tuple()
            .all(conn)
            .await?;
        for (referrer, person, state) in rows {
            let key = (ReferrerId::from_uuid(referrer), PersonId::from_uuid(person));
            let known = found.entry(key).or_default();
            *known = (*known).max(state_of(&state)?.suspicion());
        }
    }
    Ok(found)
}

/// Which of these referees joined when more than `usual` people had joined for their referrer within a day, themselves
/// included: the day that ends with the moment at which they did, whenever that is heard of.
///
/// # Errors
/// If the database fails.
pub async fn bursts(
    conn: &impl ConnectionTrait,
    referees: &BTreeSet<PersonId>,
    usual: u64,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let backend = conn.get_database_backend();
    let referees: Vec<_> = referees.iter().collect();
    let mut found = BTreeSet::new();
    for chunk in referees.chunks(ROWS) {
        // No more is counted than is usual, however many there are.
        let sql = format!(
            "SELECT a.referee_person_id FROM attribution a WHERE a.referee_person_id IN ({}) AND (SELECT 1 FROM attribution o \
             WHERE o.referrer_id = a.referrer_id AND o.joined_at > a.joined_at - {DAY} AND o.joined_at <= a.joined_at \
             LIMIT 1 OFFSET {usual}) IS NOT NULL",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| id.as_uuid().into());
        let rows = Counted::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
        let rows = rows.all(conn).await?;
        found.extend(rows.into_iter().map(|row| PersonId::from_uuid(row.referee_person_id)));
    }
    Ok(found)
}

/// Which of these accounts signed up with something that somebody else had who has signed up, too.
///
/// # Errors
/// If the database fails.
pub async fn sharing(
    conn: &impl ConnectionTrait,
    accounts: &[AccountId],
    what: Shared,
) -> Result<BTreeSet<AccountId>, StorageError> {
    let backend = conn.get_database_backend();
    let (column, same) = match what {
        Shared::Device => ("device_sha256", ""),
        Shared::Network => (
            "network_sha256",
            "JOIN attribution x ON x.referee_person_id = a.person_id JOIN attribution y ON y.referee_person_id = b.person_id \
             AND y.referrer_id = x.referrer_id",
        ),
    };
    let mut found = BTreeSet::new();
    for chunk in accounts.chunks(ROWS) {
        let sql = format!(
            "SELECT DISTINCT s.account_id FROM sign_up s JOIN account a ON a.id = s.account_id \
             JOIN touch t ON t.visitor_id = s.link_cookie_id JOIN touch o ON o.{column} = t.{column} \
             JOIN sign_up p ON p.link_cookie_id = o.visitor_id JOIN account b ON b.id = p.account_id \
             AND b.person_id <> a.person_id {same} WHERE s.account_id IN ({})",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| id.as_uuid().into());
        let rows = Found::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
        let rows = rows.all(conn).await?;
        found.extend(rows.into_iter().map(|row| AccountId::from_uuid(row.account_id)));
    }
    Ok(found)
}

/// Which of these accounts signed up with an address of a domain that gives out addresses for a moment.
///
/// # Errors
/// If the database fails.
pub async fn disposable(
    conn: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<BTreeSet<AccountId>, StorageError> {
    let backend = conn.get_database_backend();
    let mut found = BTreeSet::new();
    for chunk in accounts.chunks(ROWS) {
        let sql = format!(
            "SELECT s.account_id FROM sign_up s JOIN disposable_domain d ON d.domain_sha256 = s.domain_sha256 \
             WHERE s.account_id IN ({})",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| id.as_uuid().into());
        let rows = Found::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
        let rows = rows.all(conn).await?;
        found.extend(rows.into_iter().map(|row| AccountId::from_uuid(row.account_id)));
    }
    Ok(found)
}

/// Adds a domain, by name and hash; one that is there stays.
///
/// # Errors
/// If the database fails.
pub async fn add_domain(txn: &Txn, now: Timestamp, name: &str, hash: [u8; 32]) -> Result<(), StorageError> {
    let row = domain::ActiveModel {
        domain: Set(name.to_owned()),
        domain_sha256: Set(hash.to_vec()),
        added_at: Set(now.as_micros()),
    };
    domain::Entity::insert_many([row])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Takes a domain away.
///
/// # Errors
/// If the database fails.
pub async fn remove_domain(txn: &Txn, name: &str) -> Result<(), StorageError> {
    domain::Entity::delete_by_id(name.to_owned()).exec(txn).await?;
    Ok(())
}

/// The domains, by name.
///
/// # Errors
/// If the database fails.
pub async fn domains(conn: &impl ConnectionTrait, page: &Page<String>) -> Result<Vec<String>, StorageError> {
    let mut query = domain::Entity::find();
    if let Some(after) = &page.after {
        query = query.filter(domain::Column::Domain.gt(after.as_str()));
    }
    let rows = query.order_by_asc(domain::Column::Domain).limit(page.limit());
    Ok(rows.all(conn).await?.into_iter().map(|row| row.domain).collect())
}

fn write(it: &Signal) -> signal::ActiveModel {
    signal::ActiveModel {
        id: Set(it.id.as_uuid()),
        kind: Set(it.kind.name().to_owned()),
        referrer_id: Set(it.referrer.as_uuid()),
        person_id: Set(it.person.as_uuid()),
        state: Set(it.state.name().to_owned()),
        closed: Set(it.state.is_closed()),
        appeal: Set(it.appeal.clone()),
        reason: Set(it.reason.clone()),
        raised_at: Set(it.raised_at.as_micros()),
        closed_at: Set(it.closed_at.map(Timestamp::as_micros)),
    }
}

fn read(row: signal::Model) -> Result<Signal, StorageError> {
    Ok(Signal {
        id: SignalId::from_uuid(row.id),
        kind: SignalKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of signal"))?,
        referrer: ReferrerId::from_uuid(row.referrer_id),
        person: PersonId::from_uuid(row.person_id),
        state: state_of(&row.state)?,
        appeal: row.appeal,
        reason: row.reason,
        raised_at: Timestamp::from_micros(row.raised_at),
        closed_at: row.closed_at.map(Timestamp::from_micros),
    })
}

fn state_of(name: &str) -> Result<SignalState, StorageError> {
    SignalState::of_name(name).ok_or_else(|| corrupt("unknown state of a signal"))
}
