//! `client_programme`: what clients pay for introductions to them [R32]. Its rows are locked last.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{ClientId, ClientProgrammeId, Money, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::{ClientProgramme, ClientTerms, Qualification};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client_programme")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_id: Uuid,
    pub currency: String,
    pub reward_minor: i64,
    pub qualification: String,
    pub hold_days: i32,
    pub budget_minor: i64,
    pub granted_minor: i64,
    pub opened_at: i64,
    pub closed_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a new programme, and returns whether it is in: a client has one open programme at most.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, programme: &ClientProgramme) -> Result<bool, StorageError> {
    let row = ActiveModel {
        id: Set(programme.id.as_uuid()),
        client_id: Set(programme.client.as_uuid()),
        currency: Set(programme.terms.reward.currency.code().to_owned()),
        reward_minor: Set(programme.terms.reward.minor),
        qualification: Set(programme.terms.qualification.name().to_owned()),
        hold_days: Set(i32::try_from(programme.terms.hold_days).map_err(corrupt)?),
        budget_minor: Set(programme.budget_minor),
        granted_minor: Set(programme.granted_minor),
        opened_at: Set(programme.opened_at.as_micros()),
        closed_at: Set(programme.closed_at.map(Timestamp::as_micros)),
    };
    let inserted = Entity::insert_many([row])
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(inserted > 0)
}

/// Stores what can change of a programme, which is locked.
///
/// # Errors
/// If the database fails, or refuses: no more is granted than the budget.
pub async fn save(txn: &Txn, programme: &ClientProgramme) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::BudgetMinor, Expr::value(programme.budget_minor))
        .col_expr(Column::GrantedMinor, Expr::value(programme.granted_minor))
        .col_expr(
            Column::ClosedAt,
            Expr::value(programme.closed_at.map(Timestamp::as_micros)),
        )
        .filter(Column::Id.eq(programme.id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Locks programmes, in ascending order.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    txn: &Txn,
    ids: &BTreeSet<ClientProgrammeId>,
) -> Result<BTreeMap<ClientProgrammeId, ClientProgramme>, StorageError> {
    let rows = Entity::find()
        .filter(Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(txn)
        .await?;
    let read = |row| read(row).map(|programme| (programme.id, programme));
    rows.into_iter().map(read).collect()
}

/// The programme with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: ClientProgrammeId) -> Result<Option<ClientProgramme>, StorageError> {
    Ok(with_ids(conn, &BTreeSet::from([id])).await?.pop())
}

/// The programmes with these ids.
///
/// # Errors
/// If the database fails.
pub async fn with_ids(
    conn: &impl ConnectionTrait,
    ids: &BTreeSet<ClientProgrammeId>,
) -> Result<Vec<ClientProgramme>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let wanted = Entity::find().filter(Column::Id.is_in(chunk.iter().copied()));
        for row in wanted.all(conn).await? {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// All programmes of some clients.
///
/// # Errors
/// If the database fails.
pub async fn of_clients(
    conn: &impl ConnectionTrait,
    clients: &BTreeSet<ClientId>,
) -> Result<Vec<ClientProgramme>, StorageError> {
    let clients: Vec<_> = clients.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in clients.chunks(ROWS) {
        let wanted = Entity::find().filter(Column::ClientId.is_in(chunk.iter().copied()));
        for row in wanted.all(conn).await? {
            found.push(read(row)?);
        }
    }
    Ok(found)
}

/// A client's programmes, newest first, as many as the page needs.
///
/// # Errors
/// If the database fails.
pub async fn page_of(
    conn: &impl ConnectionTrait,
    client: ClientId,
    page: &Page<ClientProgrammeId>,
) -> Result<Vec<ClientProgramme>, StorageError> {
    // Ids are made in the order of time.
    let mut wanted = Entity::find()
        .filter(Column::ClientId.eq(client.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        wanted = wanted.filter(Column::Id.lt(after.as_uuid()));
    }
    wanted.all(conn).await?.into_iter().map(read).collect()
}

fn read(row: Model) -> Result<ClientProgramme, StorageError> {
    let qualification = Qualification::ALL.into_iter().find(|it| it.name() == row.qualification);
    Ok(ClientProgramme {
        id: ClientProgrammeId::from_uuid(row.id),
        client: ClientId::from_uuid(row.client_id),
        terms: ClientTerms {
            reward: Money::new(row.reward_minor, row.currency.parse().map_err(corrupt)?),
            qualification: qualification.ok_or_else(|| corrupt("unknown qualification"))?,
            hold_days: u32::try_from(row.hold_days).map_err(corrupt)?,
        },
        budget_minor: row.budget_minor,
        granted_minor: row.granted_minor,
        opened_at: Timestamp::from_micros(row.opened_at),
        closed_at: row.closed_at.map(Timestamp::from_micros),
    })
}
