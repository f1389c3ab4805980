//! `payout_account` and `payout_method`.

use sea_orm::{
    ActiveValue::Set,
    ExprTrait as _, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{AccountId, Currency, PayoutMethodId, PersonId, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{accounts::ids_of, currency, time, unreadable};
use crate::domain::{PayoutKind, PayoutMethod};

const TABLE: &str = "payout_method";

/// Locks the payout methods of an account against whoever else adds one.
///
/// # Errors
/// When the database fails.
pub async fn lock_account(txn: &Txn, account: AccountId) -> Result<(), StorageError> {
    let row = account::ActiveModel {
        id: Set(account.as_uuid()),
    };
    account::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    account::Entity::find_by_id(account.as_uuid())
        .lock(LockType::Update)
        .one(txn)
        .await?;
    Ok(())
}

/// Inserts a new method, unless the account has one of its kind and currency that leads to the same place. Returns whether
/// it did.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, method: &PayoutMethod) -> Result<bool, StorageError> {
    let row = ActiveModel {
        id: Set(method.id.as_uuid()),
        account_id: Set(method.account_id.as_uuid()),
        kind: Set(method.kind.name().to_owned()),
        currency: Set(method.currency.code().to_owned()),
        provider_token: Set(method.provider_token.clone()),
        label: Set(method.label.clone()),
        fingerprint_hash: Set(method.fingerprint_hash.to_vec()),
        added_at: Set(method.added_at.as_micros()),
        removed_at: Set(None),
    };
    let inserted = Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(inserted == 1)
}

/// Saves when a method was removed; nothing else about it can change.
///
/// # Errors
/// When the database fails.
pub async fn save_removed(txn: &Txn, method: &PayoutMethod) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(
            Column::RemovedAt,
            Expr::value(method.removed_at.map(|at| at.as_micros())),
        )
        .filter(Column::Id.eq(method.id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Removes the methods of these people, and what could be shown of them. The provider's token stays: it names what is on
/// its way.
///
/// # Errors
/// When the database fails.
pub async fn erase(txn: &Txn, people: &[PersonId], now: Timestamp) -> Result<(), StorageError> {
    let removed_at = Expr::col(Column::RemovedAt).if_null(now.as_micros());
    Entity::update_many()
        .col_expr(Column::RemovedAt, removed_at)
        .col_expr(Column::Label, Expr::value(""))
        .filter(Column::AccountId.in_subquery(ids_of(people)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Locks and reads a method.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: PayoutMethodId) -> Result<Option<PayoutMethod>, StorageError> {
    let locked = Entity::find_by_id(id.as_uuid()).lock(LockType::Update).one(txn).await?;
    locked.map(PayoutMethod::try_from).transpose()
}

/// The methods that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[PayoutMethodId]) -> Result<Vec<PayoutMethod>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// The methods of an account that were not removed, in one currency or in all, newest first.
///
/// # Errors
/// When the database fails.
pub async fn in_use(
    conn: &impl ConnectionTrait,
    account: AccountId,
    currency: Option<Currency>,
) -> Result<Vec<PayoutMethod>, StorageError> {
    let mut query = of_account(account).filter(Column::RemovedAt.is_null());
    if let Some(currency) = currency {
        query = query.filter(Column::Currency.eq(currency.code()));
    }
    all(conn, query).await
}

/// One page of the methods of an account, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    account: AccountId,
    page: Page<PayoutMethodId>,
) -> Result<Vec<PayoutMethod>, StorageError> {
    let mut query = of_account(account).limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

fn of_account(account: AccountId) -> Select<Entity> {
    Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .order_by_desc(Column::Id)
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<PayoutMethod>, StorageError> {
    query.all(conn).await?.into_iter().map(PayoutMethod::try_from).collect()
}

impl TryFrom<Model> for PayoutMethod {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let kind = PayoutKind::ALL.into_iter().find(|kind| kind.name() == model.kind);
        let hash = <[u8; 32]>::try_from(model.fingerprint_hash);
        Ok(Self {
            id: PayoutMethodId::from_uuid(model.id),
            account_id: AccountId::from_uuid(model.account_id),
            kind: kind.ok_or_else(|| unreadable(TABLE, &model.kind))?,
            currency: currency(TABLE, &model.currency)?,
            provider_token: model.provider_token,
            label: model.label,
            fingerprint_hash: hash.map_err(|_| unreadable(TABLE, model.id))?,
            added_at: time(model.added_at),
            removed_at: model.removed_at.map(time),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    // No `Debug` that could show where money goes.
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payout_method")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Uuid,
        pub kind: String,
        pub currency: String,
        pub provider_token: String,
        pub label: String,
        pub fingerprint_hash: Vec<u8>,
        pub added_at: i64,
        pub removed_at: Option<i64>,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod account {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payout_account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
