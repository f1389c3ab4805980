//! `payout`.

use sea_orm::{
    ActiveValue::Set, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::CaseStatement,
    sea_query::LockType,
};
use vouch_primitives::{AccountId, Money, PayoutId, PayoutMethodId, PayoutRunId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, time, unreadable};
use crate::domain::{Payout, PayoutState, Refusal};

const TABLE: &str = "payout";

/// Inserts new payouts.
///
/// # Errors
/// When the database fails; it refuses a second payout of one run to one account in one currency.
pub async fn insert(txn: &Txn, payouts: &[Payout]) -> Result<(), StorageError> {
    for chunk in payouts.chunks(ROWS) {
        Entity::insert_many(chunk.iter().map(row))
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Saves how far payouts have come; nothing else about them can change.
///
/// # Errors
/// When the database fails.
pub async fn save_states(txn: &Txn, payouts: &[Payout]) -> Result<(), StorageError> {
    for chunk in payouts.chunks(ROWS) {
        let (mut state, mut at, mut reason) = (CaseStatement::new(), CaseStatement::new(), CaseStatement::new());
        for payout in chunk {
            let is_it = || Column::Id.eq(payout.id.as_uuid());
            state = state.case(is_it(), payout.state.name());
            at = at.case(is_it(), payout.state.at().map(|at| at.as_micros()));
            reason = reason.case(is_it(), payout.state.reason().map(|reason| reason.name().to_owned()));
        }
        Entity::update_many()
            .col_expr(Column::State, state.into())
            .col_expr(Column::StateAt, at.into())
            .col_expr(Column::Reason, reason.into())
            .filter(Column::Id.is_in(chunk.iter().map(|payout| payout.id.as_uuid())))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// The payouts that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[PayoutId]) -> Result<Vec<Payout>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// Locks and reads a payout.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: PayoutId) -> Result<Option<Payout>, StorageError> {
    let locked = Entity::find_by_id(id.as_uuid()).lock(LockType::Update).one(txn).await?;
    locked.map(Payout::try_from).transpose()
}

/// Locks and reads the payouts that are sent together, in ascending id.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_dispatch(txn: &Txn, dispatch: Uuid) -> Result<Vec<Payout>, StorageError> {
    let query = Entity::find()
        .filter(Column::DispatchId.eq(dispatch))
        .order_by_asc(Column::Id)
        .lock(LockType::Update);
    all(txn, query).await
}

/// One page of an account's payouts, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    account: AccountId,
    page: Page<PayoutId>,
) -> Result<Vec<Payout>, StorageError> {
    let mut query = Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

/// How many payouts of these runs there are of each state: run, state, number.
///
/// # Errors
/// When the database fails.
pub async fn count_states(
    conn: &impl ConnectionTrait,
    runs: &[PayoutRunId],
) -> Result<Vec<(PayoutRunId, String, u64)>, StorageError> {
    let rows: Vec<(Uuid, String, i64)> = Entity::find()
        .select_only()
        .columns([Column::RunId, Column::State])
        .column_as(Column::Id.count(), "payouts")
        .filter(Column::RunId.is_in(runs.iter().map(|run| run.as_uuid())))
        .group_by(Column::RunId)
        .group_by(Column::State)
        .into_tuple()
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|(run, state, number)| {
            let number = u64::try_from(number).map_err(|error| unreadable(TABLE, error))?;
            Ok((PayoutRunId::from_uuid(run), state, number))
        })
        .collect()
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Payout>, StorageError> {
    query.all(conn).await?.into_iter().map(Payout::try_from).collect()
}

fn row(payout: &Payout) -> ActiveModel {
    ActiveModel {
        id: Set(payout.id.as_uuid()),
        account_id: Set(payout.account_id.as_uuid()),
        currency: Set(payout.amount.currency.code().to_owned()),
        method_id: Set(payout.method_id.as_uuid()),
        amount_minor: Set(payout.amount.minor),
        fee_minor: Set(payout.fee_minor),
        run_id: Set(payout.run_id.map(PayoutRunId::as_uuid)),
        dispatch_id: Set(payout.dispatch_id),
        requested_at: Set(payout.requested_at.as_micros()),
        state: Set(payout.state.name().to_owned()),
        state_at: Set(payout.state.at().map(|at| at.as_micros())),
        reason: Set(payout.state.reason().map(|reason| reason.name().to_owned())),
    }
}

impl TryFrom<Model> for Payout {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let reason = model.reason.as_deref().map(|name| {
            let known = Refusal::ALL.into_iter().find(|reason| reason.name() == name);
            known.ok_or_else(|| unreadable(TABLE, name))
        });
        let state = match (model.state.as_str(), model.state_at.map(time), reason.transpose()?) {
            ("REQUESTED", None, None) => PayoutState::Requested,
            ("DISPATCHED", Some(at), None) => PayoutState::Dispatched { at },
            ("PAID", Some(at), None) => PayoutState::Paid { at },
            ("FAILED", Some(at), Some(reason)) => PayoutState::Failed { at, reason },
            ("CANCELLED", Some(at), None) => PayoutState::Cancelled { at },
            ("RETURNED", Some(at), Some(reason)) => PayoutState::Returned { at, reason },
            (state, ..) => return Err(unreadable(TABLE, state)),
        };
        Ok(Self {
            id: PayoutId::from_uuid(model.id),
            account_id: AccountId::from_uuid(model.account_id),
            method_id: PayoutMethodId::from_uuid(model.method_id),
            amount: Money::new(model.amount_minor, currency(TABLE, &model.currency)?),
            fee_minor: model.fee_minor,
            run_id: model.run_id.map(PayoutRunId::from_uuid),
            dispatch_id: model.dispatch_id,
            requested_at: time(model.requested_at),
            state,
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payout")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Uuid,
        pub currency: String,
        pub method_id: Uuid,
        pub amount_minor: i64,
        pub fee_minor: i64,
        pub run_id: Option<Uuid>,
        pub dispatch_id: Uuid,
        pub requested_at: i64,
        pub state: String,
        pub state_at: Option<i64>,
        pub reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
