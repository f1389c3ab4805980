//! `chargeback`.

use sea_orm::{ActiveValue::Set, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ContractId, EarningId, Money, ReversalId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{currency, time, unreadable};
use crate::domain::{Chargeback, EarningSource};

const TABLE: &str = "chargeback";

/// Which chargebacks are listed; each part that is there narrows it down.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this contract.
    pub contract_id: Option<ContractId>,
    /// The one that its provider calls so.
    pub provider_reference: Option<String>,
}

/// The chargeback, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: ReversalId) -> Result<Option<Chargeback>, StorageError> {
    let found = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    found.map(Chargeback::try_from).transpose()
}

/// Whether the provider has told of a chargeback of this name.
///
/// # Errors
/// When the database fails.
pub async fn is_known(conn: &impl ConnectionTrait, provider_reference: &str) -> Result<bool, StorageError> {
    let of_name = Entity::find().filter(Column::ProviderReference.eq(provider_reference));
    Ok(of_name.count(conn).await? > 0)
}

/// The chargeback that its provider calls so, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn of_reference(
    conn: &impl ConnectionTrait,
    provider_reference: &str,
) -> Result<Option<Chargeback>, StorageError> {
    let of_name = Entity::find().filter(Column::ProviderReference.eq(provider_reference));
    of_name.one(conn).await?.map(Chargeback::try_from).transpose()
}

/// One page of chargebacks, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    filter: Filter,
    page: Page<ReversalId>,
) -> Result<Vec<Chargeback>, StorageError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(page.limit());
    if let Some(contract) = filter.contract_id {
        query = query.filter(Column::ContractId.eq(contract.as_uuid()));
    }
    if let Some(reference) = filter.provider_reference {
        query = query.filter(Column::ProviderReference.eq(reference));
    }
    if let Some(after) = page.after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    query.all(conn).await?.into_iter().map(Chargeback::try_from).collect()
}

/// Inserts a new chargeback, or saves that one was won back; nothing else about it can change.
///
/// # Errors
/// When the database fails; it refuses a provider's reference that is there already.
pub async fn save(txn: &Txn, chargeback: &Chargeback) -> Result<(), StorageError> {
    let won = OnConflict::column(Column::Id)
        .update_columns([Column::ReinstatementId, Column::WonBackAt])
        .to_owned();
    Entity::insert(row(chargeback))
        .on_conflict(won)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

fn row(chargeback: &Chargeback) -> ActiveModel {
    let (reinstatement_id, won_back_at) = chargeback.won_back.unzip();
    ActiveModel {
        id: Set(chargeback.id.as_uuid()),
        payment: Set(chargeback.payment.kind().to_owned()),
        payment_id: Set(chargeback.payment.id()),
        contract_id: Set(chargeback.contract_id.as_uuid()),
        currency: Set(chargeback.amount.currency.code().to_owned()),
        amount_minor: Set(chargeback.amount.minor),
        lost_minor: Set(chargeback.lost_minor),
        earning_id: Set(chargeback.earning_id.map(EarningId::as_uuid)),
        provider_reference: Set(chargeback.provider_reference.clone()),
        charged_back_at: Set(chargeback.charged_back_at.as_micros()),
        reinstatement_id: Set(reinstatement_id.map(ReversalId::as_uuid)),
        won_back_at: Set(won_back_at.map(|at| at.as_micros())),
    }
}

impl TryFrom<Model> for Chargeback {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let payment = EarningSource::from_parts(&model.payment, model.payment_id);
        let payment = payment.ok_or_else(|| unreadable(TABLE, &model.payment))?;
        let reinstatement = model.reinstatement_id.map(ReversalId::from_uuid);
        Ok(Self {
            id: ReversalId::from_uuid(model.id),
            payment,
            contract_id: ContractId::from_uuid(model.contract_id),
            amount: Money::new(model.amount_minor, currency(TABLE, &model.currency)?),
            lost_minor: model.lost_minor,
            earning_id: model.earning_id.map(EarningId::from_uuid),
            provider_reference: model.provider_reference,
            charged_back_at: time(model.charged_back_at),
            won_back: reinstatement.zip(model.won_back_at.map(time)),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "chargeback")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub payment: String,
        pub payment_id: Uuid,
        pub contract_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub lost_minor: i64,
        pub earning_id: Option<Uuid>,
        pub provider_reference: String,
        pub charged_back_at: i64,
        pub reinstatement_id: Option<Uuid>,
        pub won_back_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
