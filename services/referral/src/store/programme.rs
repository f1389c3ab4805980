//! `terms` and `epoch`.

use std::sync::Arc;

use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{BasisPoints, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::corrupt;
use crate::domain::Terms;

mod terms {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "terms")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i32,
        pub content_hash: String,
        pub lifetime_basis_points: i32,
        pub bonus_basis_points: i32,
        pub window_months: i32,
        pub created_at: i64,
        pub content: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod epoch {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "epoch")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub epoch: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Terms with the hash that identifies their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedTerms {
    /// The terms.
    pub terms: Arc<Terms>,
    /// The SHA-256 of their canonical text, in hexadecimal digits.
    pub content_hash: String,
    /// When they were published here.
    pub published_at: Timestamp,
}

/// Publishes terms, and returns whether they are new: a version that is there already is left as it is.
///
/// # Errors
/// If the database fails.
pub async fn publish(txn: &Txn, now: Timestamp, terms: &Terms, content_hash: &str) -> Result<bool, StorageError> {
    let small = |number: u32| i32::try_from(number).map_err(corrupt);
    let row = terms::ActiveModel {
        version: Set(small(terms.version)?),
        content_hash: Set(content_hash.to_owned()),
        lifetime_basis_points: Set(small(terms.lifetime.get())?),
        bonus_basis_points: Set(small(terms.bonus.get())?),
        window_months: Set(small(terms.window_months)?),
        created_at: Set(now.as_micros()),
        content: Set(match terms.is_of_the_beginning() {
            true => String::new(),
            false => terms.canonical(),
        }),
    };
    let inserted = terms::Entity::insert_many([row])
        .on_conflict(OnConflict::column(terms::Column::Version).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(inserted > 0)
}

/// All versions, the oldest first. There are few, ever.
///
/// # Errors
/// If the database fails.
pub async fn all_terms(conn: &impl ConnectionTrait) -> Result<Vec<PublishedTerms>, StorageError> {
    let rows = terms::Entity::find()
        .order_by_asc(terms::Column::Version)
        .all(conn)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Begins the first epoch, if none has begun. Its number is the moment at which it begins, so that a database made
/// anew has a later one.
///
/// # Errors
/// If the database fails.
pub async fn begin_epoch(txn: &Txn, now: Timestamp) -> Result<(), StorageError> {
    epoch::Entity::insert(epoch::ActiveModel {
        id: Set(1),
        epoch: Set(now.as_micros()),
    })
    .on_conflict(OnConflict::column(epoch::Column::Id).do_nothing().to_owned())
    .exec_without_returning(txn)
    .await?;
    Ok(())
}

/// Waits for whoever else does something of which there is to be one at a time, and keeps it from others.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn) -> Result<(), StorageError> {
    epoch::Entity::find().lock(LockType::NoKeyUpdate).all(txn).await?;
    Ok(())
}

/// Begins another epoch, later than all before it.
///
/// # Errors
/// If the database fails, or no epoch has begun.
pub async fn begin_next_epoch(txn: &Txn, now: Timestamp) -> Result<(), StorageError> {
    let next = now.as_micros().max(current_epoch(txn).await? + 1);
    epoch::Entity::update_many()
        .col_expr(epoch::Column::Epoch, Expr::value(next))
        .exec(txn)
        .await?;
    Ok(())
}

/// The life of this database.
///
/// # Errors
/// If the database fails, or no epoch has begun.
pub async fn current_epoch(conn: &impl ConnectionTrait) -> Result<i64, StorageError> {
    let row = epoch::Entity::find().one(conn).await?;
    row.map(|row| row.epoch).ok_or_else(|| corrupt("no epoch has begun"))
}

fn read(row: terms::Model) -> Result<PublishedTerms, StorageError> {
    let rate = |basis_points: i32| {
        let basis_points = u32::try_from(basis_points).map_err(corrupt)?;
        BasisPoints::try_new(basis_points).map_err(corrupt)
    };
    let version = u32::try_from(row.version).map_err(corrupt)?;
    let terms = match row.content.as_str() {
        "" => {
            let months = u32::try_from(row.window_months).map_err(corrupt)?;
            let (lifetime, bonus) = (rate(row.lifetime_basis_points)?, rate(row.bonus_basis_points)?);
            Terms::of_the_beginning(version, lifetime, bonus, months)
        }
        text => Terms::of_text(version, text).ok_or_else(|| corrupt("unreadable terms"))?,
    };
    Ok(PublishedTerms {
        terms: Arc::new(terms),
        content_hash: row.content_hash,
        published_at: Timestamp::from_micros(row.created_at),
    })
}
