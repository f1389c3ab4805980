//! `client_payment`.

use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ClientId, ClientPaymentId, Money, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{currency, time};
use crate::domain::ClientPayment;

/// Inserts a payment, and says whether it is new: each reference of a client counts once.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, payment: &ClientPayment) -> Result<bool, StorageError> {
    let row = ActiveModel {
        id: Set(payment.id.as_uuid()),
        client_id: Set(payment.client_id.as_uuid()),
        currency: Set(payment.amount.currency.code().to_owned()),
        amount_minor: Set(payment.amount.minor),
        reference: Set(payment.reference.clone()),
        received_at: Set(payment.received_at.as_micros()),
        recorded_at: Set(payment.recorded_at.as_micros()),
        undone_at: Set(payment.undone_at.map(|at| at.as_micros())),
    };
    let once = OnConflict::columns([Column::ClientId, Column::Reference])
        .do_nothing()
        .to_owned();
    let inserted = Entity::insert_many([row])
        .on_conflict(once)
        .exec_without_returning(txn)
        .await?;
    Ok(inserted > 0)
}

/// One payment.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: ClientPaymentId) -> Result<Option<ClientPayment>, StorageError> {
    let found = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    found.map(ClientPayment::try_from).transpose()
}

/// Notes that a payment was undone.
///
/// # Errors
/// When the database fails.
pub async fn undo(txn: &Txn, id: ClientPaymentId, at: Timestamp) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::UndoneAt, Expr::value(at.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// One page of a client's payments, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    client: ClientId,
    page: Page<ClientPaymentId>,
) -> Result<Vec<ClientPayment>, StorageError> {
    let mut query = Entity::find()
        .filter(Column::ClientId.eq(client.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    query
        .all(conn)
        .await?
        .into_iter()
        .map(ClientPayment::try_from)
        .collect()
}

impl TryFrom<Model> for ClientPayment {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        Ok(Self {
            id: ClientPaymentId::from_uuid(model.id),
            client_id: ClientId::from_uuid(model.client_id),
            amount: Money::new(model.amount_minor, currency("client_payment", &model.currency)?),
            reference: model.reference,
            received_at: time(model.received_at),
            recorded_at: time(model.recorded_at),
            undone_at: model.undone_at.map(time),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "client_payment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub client_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub reference: String,
        pub received_at: i64,
        pub recorded_at: i64,
        pub undone_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
