//! `bonus_payment`.

use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{BonusPaymentId, ContractId, EarningId, Money};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, time};
use crate::domain::BonusPayment;

/// The bonus payments that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[BonusPaymentId]) -> Result<Vec<BonusPayment>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// One page of a contract's bonus payments, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    contract: ContractId,
    page: Page<BonusPaymentId>,
) -> Result<Vec<BonusPayment>, StorageError> {
    let mut query = Entity::find()
        .filter(Column::ContractId.eq(contract.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

/// Inserts new bonus payments, and saves whether those are paid that exist; nothing else about them can change.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, bonuses: &[BonusPayment]) -> Result<(), StorageError> {
    for chunk in bonuses.chunks(ROWS) {
        let paid = OnConflict::column(Column::Id)
            .update_columns([Column::EarningId, Column::UnpaidSince])
            .to_owned();
        Entity::insert_many(chunk.iter().map(row))
            .on_conflict(paid)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<BonusPayment>, StorageError> {
    query.all(conn).await?.into_iter().map(BonusPayment::try_from).collect()
}

fn row(bonus: &BonusPayment) -> ActiveModel {
    ActiveModel {
        id: Set(bonus.id.as_uuid()),
        contract_id: Set(bonus.contract_id.as_uuid()),
        currency: Set(bonus.amount.currency.code().to_owned()),
        amount_minor: Set(bonus.amount.minor),
        message: Set(bonus.message.clone()),
        given_at: Set(bonus.given_at.as_micros()),
        earning_id: Set(bonus.earning_id.map(EarningId::as_uuid)),
        unpaid_since: Set(bonus.unpaid_since.map(|at| at.as_micros())),
    }
}

impl TryFrom<Model> for BonusPayment {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        Ok(Self {
            id: BonusPaymentId::from_uuid(model.id),
            contract_id: ContractId::from_uuid(model.contract_id),
            amount: Money::new(model.amount_minor, currency("bonus_payment", &model.currency)?),
            message: model.message,
            given_at: time(model.given_at),
            earning_id: model.earning_id.map(EarningId::from_uuid),
            unpaid_since: model.unpaid_since.map(time),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bonus_payment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub message: String,
        pub given_at: i64,
        pub earning_id: Option<Uuid>,
        pub unpaid_since: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
