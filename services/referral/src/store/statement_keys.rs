//! `statement_key`: the public keys by which statements are checked. None is ever deleted, as statements are kept.

use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn};

use super::hash_of;

/// A key that has signed statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementKey {
    /// Its id.
    pub id: String,
    /// Its public half.
    pub public: [u8; 32],
    /// When it was first used.
    pub first_used_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "statement_key")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: String,
    pub public_key: Vec<u8>,
    pub first_used_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Keeps a key; one that is there stays as it is.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, key: &StatementKey) -> Result<(), StorageError> {
    let row = ActiveModel {
        key_id: Set(key.id.clone()),
        public_key: Set(key.public.to_vec()),
        first_used_at: Set(key.first_used_at.as_micros()),
    };
    Entity::insert_many([row])
        .on_conflict(OnConflict::column(Column::KeyId).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// All keys, the newest first. There are few, ever.
///
/// # Errors
/// If the database fails.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<StatementKey>, StorageError> {
    let rows = Entity::find()
        .order_by_desc(Column::FirstUsedAt)
        .order_by_asc(Column::KeyId)
        .all(conn)
        .await?;
    let read = |row: Model| {
        Ok(StatementKey {
            id: row.key_id,
            public: hash_of(row.public_key)?,
            first_used_at: Timestamp::from_micros(row.first_used_at),
        })
    };
    rows.into_iter().map(read).collect()
}
