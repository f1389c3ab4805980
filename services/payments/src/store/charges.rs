//! `charge` and `charge_attempt`.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set, Condition, ExprTrait, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{BillingMethodId, ChargeId, ClientId, ContractId, Money, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, refusal, small, time, unreadable, unsigned};
use crate::domain::{Attempt, Charge, ChargeState, ChargedInstrument, EarningSource, EndedAttempt, charge::order_id};

const TABLE: &str = "charge";

/// The charges that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[ChargeId]) -> Result<Vec<Charge>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// The charge of what is paid for that is alive: begun, and not given up. `None` if there is none.
///
/// # Errors
/// When the database fails.
pub async fn alive(conn: &impl ConnectionTrait, purpose: EarningSource) -> Result<Option<Charge>, StorageError> {
    let query = Entity::find()
        .filter(Column::Purpose.eq(purpose.kind()))
        .filter(Column::PurposeId.eq(purpose.id()))
        .filter(Column::State.ne("GIVEN_UP"));
    Ok(all(conn, query).await?.pop())
}

/// One page of a client's charges, of one contract or of all, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    client: ClientId,
    contract: Option<ContractId>,
    page: Page<ChargeId>,
) -> Result<Vec<Charge>, StorageError> {
    let mut query = Entity::find()
        .filter(Column::ClientId.eq(client.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(contract) = contract {
        query = query.filter(Column::ContractId.eq(contract.as_uuid()));
    }
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

/// The attempts at a charge that have ended, in their order.
///
/// # Errors
/// When the database fails.
pub async fn attempts(conn: &impl ConnectionTrait, id: ChargeId) -> Result<Vec<EndedAttempt>, StorageError> {
    let rows = attempt::Entity::find()
        .filter(attempt::Column::ChargeId.eq(id.as_uuid()))
        .order_by_asc(attempt::Column::Number)
        .all(conn)
        .await?;
    rows.into_iter().map(EndedAttempt::try_from).collect()
}

/// Since when each of these contracts is held up by a charge that has failed; those that are not are left out.
///
/// # Errors
/// When the database fails.
pub async fn held_up_since(
    conn: &impl ConnectionTrait,
    contracts: impl IntoIterator<Item = ContractId>,
) -> Result<BTreeMap<ContractId, Timestamp>, StorageError> {
    let failed = Condition::all()
        .add(Column::ContractId.is_in(contracts.into_iter().map(ContractId::as_uuid)))
        .add(Column::FirstFailedAt.is_not_null())
        .add(Column::State.ne("SUCCEEDED"));
    let mut since = BTreeMap::new();
    for charge in all(conn, Entity::find().filter(failed)).await? {
        if let Some(at) = charge.holds_up_since() {
            let earliest = since.entry(charge.contract_id).or_insert(at);
            *earliest = at.min(*earliest);
        }
    }
    Ok(since)
}

/// Inserts new charges, and saves where those stand that exist.
///
/// # Errors
/// When the database fails; it refuses a second charge that is alive for one purpose.
pub async fn save(txn: &Txn, charges: &[Charge]) -> Result<(), StorageError> {
    for chunk in charges.chunks(ROWS) {
        let changes = OnConflict::column(Column::Id)
            .update_columns([
                Column::State,
                Column::NextAt,
                Column::Reason,
                Column::FirstFailedAt,
                Column::GivenUpAt,
                Column::SucceededAt,
                Column::Reference,
                Column::Attempt,
                Column::BillingMethodId,
                Column::Instrument,
                Column::Verified,
                Column::BegunAt,
                Column::Tries,
                Column::Asks,
            ])
            .to_owned();
        let rows: Vec<_> = chunk.iter().map(row).collect::<Result<_, _>>()?;
        Entity::insert_many(rows)
            .on_conflict(changes)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Keeps what became of attempts.
///
/// # Errors
/// When the database fails; it refuses a second end of one attempt, and a second success of one charge.
pub async fn insert_attempts(txn: &Txn, ended: &[EndedAttempt]) -> Result<(), StorageError> {
    for chunk in ended.chunks(ROWS) {
        let rows: Vec<_> = chunk.iter().map(attempt_row).collect::<Result<_, _>>()?;
        attempt::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Counts that so much of a charge goes back.
///
/// # Errors
/// When the database fails; it refuses to give more back than was paid.
pub async fn count_refund(txn: &Txn, id: ChargeId, minor: i64) -> Result<(), StorageError> {
    let refunded = ExprTrait::add(Expr::col(Column::RefundedMinor), minor);
    Entity::update_many()
        .col_expr(Column::RefundedMinor, refunded)
        .filter(Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Charge>, StorageError> {
    query.all(conn).await?.into_iter().map(Charge::try_from).collect()
}

fn row(charge: &Charge) -> Result<ActiveModel, StorageError> {
    let (next_at, succeeded) = match &charge.state {
        ChargeState::Pending { look_at: at } | ChargeState::Failed { retry_at: at, .. } => (Some(*at), None),
        ChargeState::Succeeded { at, reference } => (None, Some((at.as_micros(), reference.clone()))),
        ChargeState::GivenUp { .. } => (None, None),
    };
    let (succeeded_at, reference) = succeeded.unzip();
    let micros = |at: Option<Timestamp>| at.map(|at| at.as_micros());
    let instrument = charge.attempt.instrument.as_ref();
    let method = instrument.and_then(|instrument| instrument.method);
    Ok(ActiveModel {
        id: Set(charge.id.as_uuid()),
        contract_id: Set(charge.contract_id.as_uuid()),
        client_id: Set(charge.client_id.as_uuid()),
        purpose: Set(charge.purpose.kind().to_owned()),
        purpose_id: Set(charge.purpose.id()),
        currency: Set(charge.amount.currency.code().to_owned()),
        amount_minor: Set(charge.amount.minor),
        created_at: Set(charge.created_at.as_micros()),
        state: Set(charge.state.name().to_owned()),
        next_at: Set(micros(next_at)),
        reason: Set(charge.state.reason().map(|reason| reason.name().to_owned())),
        first_failed_at: Set(micros(charge.first_failed_at)),
        given_up_at: Set(micros(charge.given_up_at)),
        succeeded_at: Set(succeeded_at),
        reference: Set(reference),
        attempt: Set(small(TABLE, charge.attempt.number)?),
        billing_method_id: Set(method.map(BillingMethodId::as_uuid)),
        instrument: Set(instrument.map(|instrument| instrument.token.clone())),
        verified: Set(instrument.is_some_and(|instrument| instrument.verified)),
        begun_at: Set(charge.attempt.begun_at.as_micros()),
        tries: Set(small(TABLE, charge.attempt.tries)?),
        asks: Set(charge.attempt.asks),
        refunded_minor: Set(charge.refunded_minor),
    })
}

fn attempt_row(ended: &EndedAttempt) -> Result<attempt::ActiveModel, StorageError> {
    let instrument = ended.attempt.instrument.as_ref();
    let method = instrument.and_then(|instrument| instrument.method);
    Ok(attempt::ActiveModel {
        order_id: Set(order_id(ended.charge_id, ended.attempt.number).as_uuid()),
        charge_id: Set(ended.charge_id.as_uuid()),
        number: Set(small(TABLE, ended.attempt.number)?),
        billing_method_id: Set(method.map(BillingMethodId::as_uuid)),
        instrument: Set(instrument.map(|instrument| instrument.token.clone())),
        verified: Set(instrument.is_some_and(|instrument| instrument.verified)),
        begun_at: Set(ended.attempt.begun_at.as_micros()),
        tries: Set(small(TABLE, ended.attempt.tries)?),
        ended_at: Set(ended.ended_at.as_micros()),
        reference: Set(ended.outcome.as_ref().ok().cloned()),
        reason: Set(ended.outcome.as_ref().err().map(|reason| reason.name().to_owned())),
    })
}

fn instrument(method: Option<Uuid>, token: Option<String>, verified: bool) -> Option<ChargedInstrument> {
    token.map(|token| ChargedInstrument {
        method: method.map(BillingMethodId::from_uuid),
        token,
        verified,
    })
}

impl TryFrom<Model> for Charge {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let reason = model.reason.as_deref().map(|name| refusal(TABLE, name)).transpose()?;
        let succeeded = model.succeeded_at.zip(model.reference);
        let state = match (model.state.as_str(), model.next_at, reason, succeeded) {
            ("PENDING", Some(look_at), None, None) => ChargeState::Pending { look_at: time(look_at) },
            ("SUCCEEDED", None, None, Some((at, reference))) => ChargeState::Succeeded {
                at: time(at),
                reference,
            },
            ("FAILED", Some(retry_at), Some(reason), None) => ChargeState::Failed {
                reason,
                retry_at: time(retry_at),
            },
            ("GIVEN_UP", None, Some(reason), None) => ChargeState::GivenUp { reason },
            (state, ..) => return Err(unreadable(TABLE, state)),
        };
        let purpose = EarningSource::from_parts(&model.purpose, model.purpose_id);
        Ok(Self {
            id: ChargeId::from_uuid(model.id),
            contract_id: ContractId::from_uuid(model.contract_id),
            client_id: ClientId::from_uuid(model.client_id),
            purpose: purpose.ok_or_else(|| unreadable(TABLE, &model.purpose))?,
            amount: Money::new(model.amount_minor, currency(TABLE, &model.currency)?),
            created_at: time(model.created_at),
            attempt: Attempt {
                number: unsigned(TABLE, model.attempt)?,
                instrument: instrument(model.billing_method_id, model.instrument, model.verified),
                begun_at: time(model.begun_at),
                tries: unsigned(TABLE, model.tries)?,
                asks: model.asks,
            },
            first_failed_at: model.first_failed_at.map(time),
            given_up_at: model.given_up_at.map(time),
            refunded_minor: model.refunded_minor,
            state,
        })
    }
}

impl TryFrom<attempt::Model> for EndedAttempt {
    type Error = StorageError;

    fn try_from(model: attempt::Model) -> Result<Self, StorageError> {
        let outcome = match (model.reference, model.reason.as_deref()) {
            (Some(reference), None) => Ok(reference),
            (None, Some(reason)) => Err(refusal(TABLE, reason)?),
            _ => return Err(unreadable("charge_attempt", model.order_id)),
        };
        Ok(Self {
            charge_id: ChargeId::from_uuid(model.charge_id),
            attempt: Attempt {
                number: unsigned(TABLE, model.number)?,
                instrument: instrument(model.billing_method_id, model.instrument, model.verified),
                begun_at: time(model.begun_at),
                tries: unsigned(TABLE, model.tries)?,
                asks: false,
            },
            ended_at: time(model.ended_at),
            outcome,
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "charge")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub client_id: Uuid,
        pub purpose: String,
        pub purpose_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub created_at: i64,
        pub state: String,
        pub next_at: Option<i64>,
        pub reason: Option<String>,
        pub first_failed_at: Option<i64>,
        pub given_up_at: Option<i64>,
        pub succeeded_at: Option<i64>,
        pub reference: Option<String>,
        pub attempt: i32,
        pub billing_method_id: Option<Uuid>,
        pub instrument: Option<String>,
        pub verified: bool,
        pub begun_at: i64,
        pub tries: i32,
        pub asks: bool,
        pub refunded_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod attempt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "charge_attempt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: Uuid,
        pub charge_id: Uuid,
        pub number: i32,
        pub billing_method_id: Option<Uuid>,
        pub instrument: Option<String>,
        pub verified: bool,
        pub begun_at: i64,
        pub tries: i32,
        pub ended_at: i64,
        pub reference: Option<String>,
        pub reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
