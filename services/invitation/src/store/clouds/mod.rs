//! Talent clouds.

pub mod members;

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::OnConflict,
};
use vouch_primitives::{ClientId, TalentCloudId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{Column, Entity, Model};
use crate::domain::TalentCloud;

/// Adds a talent cloud, unless the client has another of that name; tells whether it was added.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, cloud: &TalentCloud) -> Result<bool, StorageError> {
    let names = OnConflict::columns([Column::ClientId, Column::Name])
        .do_nothing()
        .to_owned();
    let added = Entity::insert(row(cloud))
        .on_conflict(names)
        .exec_without_returning(txn)
        .await?;
    Ok(added == 1)
}

/// Reads a talent cloud.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: TalentCloudId) -> Result<Option<TalentCloud>, StorageError> {
    let row = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    Ok(row.map(cloud))
}

/// Reads a talent cloud that the transaction is going to change, or to put somebody into.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: TalentCloudId) -> Result<Option<TalentCloud>, StorageError> {
    let row = Entity::find_by_id(id.as_uuid()).lock_exclusive().one(txn).await?;
    Ok(row.map(cloud))
}

/// Whether another talent cloud of the client has this name.
///
/// # Errors
/// When the database fails.
pub async fn has_name(txn: &Txn, cloud: &TalentCloud) -> Result<bool, StorageError> {
    let other = Entity::find()
        .filter(Column::ClientId.eq(cloud.client_id.as_uuid()))
        .filter(Column::Name.eq(&cloud.name))
        .filter(Column::Id.ne(cloud.id.as_uuid()))
        .one(txn)
        .await?;
    Ok(other.is_some())
}

/// Notes the name of a talent cloud and whether it is archived.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, cloud: &TalentCloud) -> Result<(), StorageError> {
    row(cloud).update(txn).await?;
    Ok(())
}

/// A client's talent clouds, the oldest first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    client: ClientId,
    archived: bool,
    after: Option<TalentCloudId>,
    limit: u64,
) -> Result<Vec<TalentCloud>, StorageError> {
    let mut query = Entity::find().filter(Column::ClientId.eq(client.as_uuid()));
    if !archived {
        query = query.filter(Column::ArchivedAt.is_null());
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    let rows = query.order_by_asc(Column::Id).limit(limit).all(conn).await?;
    Ok(rows.into_iter().map(cloud).collect())
}

/// How many talent clouds of a client are in use.
///
/// # Errors
/// When the database fails.
pub async fn count_in_use(conn: &impl ConnectionTrait, client: ClientId) -> Result<u64, StorageError> {
    let in_use = Entity::find()
        .filter(Column::ClientId.eq(client.as_uuid()))
        .filter(Column::ArchivedAt.is_null());
    Ok(in_use.count(conn).await?)
}

/// Whose a talent cloud is.
///
/// # Errors
/// When the database fails.
pub async fn client_of(conn: &impl ConnectionTrait, id: TalentCloudId) -> Result<Option<ClientId>, StorageError> {
    Ok(find(conn, id).await?.map(|cloud| cloud.client_id))
}

fn row(cloud: &TalentCloud) -> entity::ActiveModel {
    entity::ActiveModel {
        id: Set(cloud.id.as_uuid()),
        client_id: Set(cloud.client_id.as_uuid()),
        name: Set(cloud.name.clone()),
        created_at: Set(cloud.created_at.as_micros()),
        archived_at: Set(cloud.archived_at.map(Timestamp::as_micros)),
    }
}

fn cloud(row: Model) -> TalentCloud {
    TalentCloud {
        id: TalentCloudId::from_uuid(row.id),
        client_id: ClientId::from_uuid(row.client_id),
        name: row.name,
        created_at: Timestamp::from_micros(row.created_at),
        archived_at: row.archived_at.map(Timestamp::from_micros),
    }
}

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "talent_cloud")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub client_id: Uuid,
        pub name: String,
        pub created_at: i64,
        pub archived_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
