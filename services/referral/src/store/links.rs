//! `referral_link`: the links that referrers share.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*};
use vouch_primitives::{ClientId, ProjectId, ReferralLinkId, ReferrerId, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::{ReferralKind, ReferralLink, Scope};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "referral_link")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub referrer_id: Uuid,
    pub kind: String,
    pub source: String,
    pub campaign: String,
    pub project_id: Option<Uuid>,
    pub client_id: Option<Uuid>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a new link.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, link: &ReferralLink) -> Result<(), StorageError> {
    let (project, client) = match link.scope {
        Scope::Everywhere => (None, None),
        Scope::Project(id) => (Some(id.as_uuid()), None),
        Scope::Employer(id) => (None, Some(id.as_uuid())),
    };
    let row = ActiveModel {
        id: Set(link.id.as_uuid()),
        referrer_id: Set(link.referrer.as_uuid()),
        kind: Set(link.kind.name().to_owned()),
        source: Set(link.source.clone()),
        campaign: Set(link.campaign.clone()),
        project_id: Set(project),
        client_id: Set(client),
        created_at: Set(link.created_at.as_micros()),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// How many links a referrer has.
///
/// # Errors
/// If the database fails.
pub async fn count(conn: &impl ConnectionTrait, referrer: ReferrerId) -> Result<u64, StorageError> {
    let theirs = Entity::find().filter(Column::ReferrerId.eq(referrer.as_uuid()));
    Ok(theirs.count(conn).await?)
}

/// A referrer's links, newest first.
///
/// # Errors
/// If the database fails.
pub async fn page(
    conn: &impl ConnectionTrait,
    referrer: ReferrerId,
    page: &Page<ReferralLinkId>,
) -> Result<Vec<ReferralLink>, StorageError> {
    let mut query = Entity::find().filter(Column::ReferrerId.eq(referrer.as_uuid()));
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    let rows = query.order_by_desc(Column::Id).limit(page.limit()).all(conn).await?;
    rows.into_iter().map(read).collect()
}

/// The links with these ids.
///
/// # Errors
/// If the database fails.
pub async fn with_ids(
    conn: &impl ConnectionTrait,
    ids: &BTreeSet<ReferralLinkId>,
) -> Result<Vec<ReferralLink>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut links = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::find().filter(Column::Id.is_in(chunk.iter().copied()));
        for row in rows.all(conn).await? {
            links.push(read(row)?);
        }
    }
    Ok(links)
}

fn read(row: Model) -> Result<ReferralLink, StorageError> {
    let scope = match (row.project_id, row.client_id) {
        (Some(id), _) => Scope::Project(ProjectId::from_uuid(id)),
        (None, Some(id)) => Scope::Employer(ClientId::from_uuid(id)),
        (None, None) => Scope::Everywhere,
    };
    Ok(ReferralLink {
        id: ReferralLinkId::from_uuid(row.id),
        referrer: ReferrerId::from_uuid(row.referrer_id),
        kind: ReferralKind::of_name(&row.kind).ok_or_else(|| corrupt("unknown kind of link"))?,
        source: row.source,
        campaign: row.campaign,
        scope,
        created_at: Timestamp::from_micros(row.created_at),
    })
}
