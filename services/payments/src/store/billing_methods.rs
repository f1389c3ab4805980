//! `billing_client` and `billing_method`.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{BillingMethodId, ClientId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::time;
use crate::domain::BillingMethod;

/// Locks a client's billing methods, also if there are none yet. Read them afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, client: ClientId) -> Result<(), StorageError> {
    let row = client::ActiveModel {
        id: Set(client.as_uuid()),
    };
    client::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    client::Entity::find_by_id(client.as_uuid())
        .lock(LockType::Update)
        .one(txn)
        .await?;
    Ok(())
}

/// One that is there and was not removed.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: BillingMethodId) -> Result<Option<BillingMethod>, StorageError> {
    Ok(all(conn, present().filter(Column::Id.eq(id.as_uuid()))).await?.pop())
}

/// A client's, in the order in which they were added.
///
/// # Errors
/// When the database fails.
pub async fn of_client(conn: &impl ConnectionTrait, client: ClientId) -> Result<Vec<BillingMethod>, StorageError> {
    all(conn, present().filter(Column::ClientId.eq(client.as_uuid()))).await
}

/// Those that are charged, of these clients.
///
/// # Errors
/// When the database fails.
pub async fn defaults(
    conn: &impl ConnectionTrait,
    clients: impl IntoIterator<Item = ClientId>,
) -> Result<BTreeMap<ClientId, BillingMethod>, StorageError> {
    let query = present()
        .filter(Column::IsDefault.eq(true))
        .filter(Column::ClientId.is_in(clients.into_iter().map(ClientId::as_uuid)));
    let found = all(conn, query).await?;
    Ok(found.into_iter().map(|method| (method.client_id, method)).collect())
}

/// Inserts a new one.
///
/// # Errors
/// When the database fails; it refuses a second one that is charged, and one token twice.
pub async fn insert(txn: &Txn, method: &BillingMethod) -> Result<(), StorageError> {
    let row = ActiveModel {
        id: Set(method.id.as_uuid()),
        client_id: Set(method.client_id.as_uuid()),
        instrument: Set(method.instrument.clone()),
        label: Set(method.label.clone()),
        verified: Set(method.verified),
        is_default: Set(method.is_default),
        added_at: Set(method.added_at.as_micros()),
        removed_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Has this one charged from now on, and no other of its client; `None` for none at all.
///
/// # Errors
/// When the database fails.
pub async fn make_default(txn: &Txn, client: ClientId, id: Option<BillingMethodId>) -> Result<(), StorageError> {
    // One after the other: at no time two of them are the one that is charged.
    let of_client = Column::ClientId.eq(client.as_uuid());
    Entity::update_many()
        .col_expr(Column::IsDefault, Expr::value(false))
        .filter(of_client)
        .filter(Column::IsDefault.eq(true))
        .exec(txn)
        .await?;
    if let Some(id) = id {
        Entity::update_many()
            .col_expr(Column::IsDefault, Expr::value(true))
            .filter(Column::Id.eq(id.as_uuid()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Takes one that is not charged away; charges that name it keep it.
///
/// # Errors
/// When the database fails.
pub async fn remove(txn: &Txn, id: BillingMethodId, at: Timestamp) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::RemovedAt, Expr::value(at.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

fn present() -> Select<Entity> {
    Entity::find()
        .filter(Column::RemovedAt.is_null())
        .order_by_asc(Column::Id)
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<BillingMethod>, StorageError> {
    Ok(query.all(conn).await?.into_iter().map(Into::into).collect())
}

impl From<Model> for BillingMethod {
    fn from(model: Model) -> Self {
        Self {
            id: BillingMethodId::from_uuid(model.id),
            client_id: ClientId::from_uuid(model.client_id),
            instrument: model.instrument,
            label: model.label,
            verified: model.verified,
            is_default: model.is_default,
            added_at: time(model.added_at),
        }
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "billing_method")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub client_id: Uuid,
        pub instrument: String,
        pub label: String,
        pub verified: bool,
        pub is_default: bool,
        pub added_at: i64,
        pub removed_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod client {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "billing_client")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
