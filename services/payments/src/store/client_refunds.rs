//! `client_refund`.

use sea_orm::{ActiveValue::Set, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ChargeId, ClientId, Money, RefundId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{charges, currency, refusal, small, time, unreadable, unsigned};
use crate::domain::{ClientRefund, ClientRefundState};

const TABLE: &str = "client_refund";

/// Which refunds are listed; each part that is there narrows it down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// To this client.
    pub client_id: Option<ClientId>,
    /// In the state of this name.
    pub state: Option<&'static str>,
}

/// The refunds that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[RefundId]) -> Result<Vec<ClientRefund>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    let found = Entity::find().filter(Column::Id.is_in(ids)).all(conn).await?;
    found.into_iter().map(ClientRefund::try_from).collect()
}

/// One page of refunds, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    filter: Filter,
    page: Page<RefundId>,
) -> Result<Vec<ClientRefund>, StorageError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(page.limit());
    if let Some(client) = filter.client_id {
        query = query.filter(Column::ClientId.eq(client.as_uuid()));
    }
    if let Some(state) = filter.state {
        query = query.filter(Column::State.eq(state));
    }
    if let Some(after) = page.after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    query.all(conn).await?.into_iter().map(ClientRefund::try_from).collect()
}

/// How many the provider has refused.
///
/// # Errors
/// When the database fails.
pub async fn count_refused(conn: &impl ConnectionTrait) -> Result<u64, StorageError> {
    // As it stands in the index, which a parameter would not show.
    let refused = Expr::cust("state = 'refused'");
    Ok(Entity::find().filter(refused).count(conn).await?)
}

/// Inserts a new refund, and counts it against its charge.
///
/// # Errors
/// When the database fails; it refuses a second refund under one id, and more of a charge than was paid.
pub async fn insert(txn: &Txn, refund: &ClientRefund) -> Result<(), StorageError> {
    Entity::insert(row(refund)?).exec_without_returning(txn).await?;
    charges::count_refund(txn, refund.charge_id, refund.amount.minor).await
}

/// Saves where these stand.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, refunds: &[ClientRefund]) -> Result<(), StorageError> {
    let changes = OnConflict::column(Column::Id)
        .update_columns([
            Column::State,
            Column::NextAt,
            Column::Reason,
            Column::SucceededAt,
            Column::Reference,
            Column::Attempt,
            Column::BegunAt,
            Column::Tries,
            Column::Asks,
        ])
        .to_owned();
    for chunk in refunds.chunks(super::ROWS) {
        let rows: Vec<_> = chunk.iter().map(row).collect::<Result<_, _>>()?;
        Entity::insert_many(rows)
            .on_conflict(changes.clone())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

fn row(refund: &ClientRefund) -> Result<ActiveModel, StorageError> {
    let (next_at, reason, succeeded) = match &refund.state {
        ClientRefundState::Pending { look_at } => (Some(look_at.as_micros()), None, None),
        ClientRefundState::Succeeded { at, reference } => (None, None, Some((at.as_micros(), reference.clone()))),
        ClientRefundState::Refused { reason } => (None, Some(reason.name().to_owned()), None),
    };
    let (succeeded_at, reference) = succeeded.unzip();
    Ok(ActiveModel {
        id: Set(refund.id.as_uuid()),
        charge_id: Set(refund.charge_id.as_uuid()),
        client_id: Set(refund.client_id.as_uuid()),
        currency: Set(refund.amount.currency.code().to_owned()),
        amount_minor: Set(refund.amount.minor),
        created_at: Set(refund.created_at.as_micros()),
        state: Set(refund.state.name().to_owned()),
        next_at: Set(next_at),
        reason: Set(reason),
        succeeded_at: Set(succeeded_at),
        reference: Set(reference),
        attempt: Set(small(TABLE, refund.attempt)?),
        begun_at: Set(refund.begun_at.as_micros()),
        tries: Set(small(TABLE, refund.tries)?),
        asks: Set(refund.asks),
    })
}

impl TryFrom<Model> for ClientRefund {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let reason = model.reason.as_deref().map(|name| refusal(TABLE, name)).transpose()?;
        let succeeded = model.succeeded_at.zip(model.reference);
        let state = match (model.state.as_str(), model.next_at, reason, succeeded) {
            ("pending", Some(look_at), None, None) => ClientRefundState::Pending { look_at: time(look_at) },
            ("succeeded", None, None, Some((at, reference))) => ClientRefundState::Succeeded {
                at: time(at),
                reference,
            },
            ("refused", None, Some(reason), None) => ClientRefundState::Refused { reason },
            (state, ..) => return Err(unreadable(TABLE, state)),
        };
        Ok(Self {
            id: RefundId::from_uuid(model.id),
            charge_id: ChargeId::from_uuid(model.charge_id),
            client_id: ClientId::from_uuid(model.client_id),
            amount: Money::new(model.amount_minor, currency(TABLE, &model.currency)?),
            created_at: time(model.created_at),
            attempt: unsigned(TABLE, model.attempt)?,
            begun_at: time(model.begun_at),
            tries: unsigned(TABLE, model.tries)?,
            asks: model.asks,
            state,
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "client_refund")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub charge_id: Uuid,
        pub client_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub created_at: i64,
        pub state: String,
        pub next_at: Option<i64>,
        pub reason: Option<String>,
        pub succeeded_at: Option<i64>,
        pub reference: Option<String>,
        pub attempt: i32,
        pub begun_at: i64,
        pub tries: i32,
        pub asks: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
