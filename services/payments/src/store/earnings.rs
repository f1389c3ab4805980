//! `earning` and `reversal`.

use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, Select, entity::prelude::*};
use vouch_primitives::{AccountId, ClientId, ContractId, EarningId, Money, PersonId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, time, unreadable};
use crate::domain::{Earning, EarningSource, EarningState, Refund};

const TABLE: &str = "earning";

/// The earnings that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[EarningId]) -> Result<Vec<Earning>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// One page of an account's earnings, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    account: AccountId,
    page: Page<EarningId>,
) -> Result<Vec<Earning>, StorageError> {
    let mut query = Entity::find()
        .filter(Column::AccountId.eq(account.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

/// The earning that was made of this, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn of_source(conn: &impl ConnectionTrait, source: EarningSource) -> Result<Option<Earning>, StorageError> {
    let query = Entity::find()
        .filter(Column::Source.eq(source.kind()))
        .filter(Column::SourceId.eq(source.id()));
    Ok(all(conn, query).await?.pop())
}

/// Inserts new earnings.
///
/// # Errors
/// When the database fails; a second earning of one source is refused.
pub async fn insert(txn: &Txn, earnings: &[Earning]) -> Result<(), StorageError> {
    for chunk in earnings.chunks(ROWS) {
        Entity::insert_many(chunk.iter().map(row))
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Saves that these have settled, each at the moment when it became available.
///
/// # Errors
/// When the database fails.
pub async fn save_settled(txn: &Txn, earnings: &[Earning]) -> Result<(), StorageError> {
    for chunk in earnings.chunks(ROWS) {
        Entity::update_many()
            .col_expr(Column::SettledAt, Expr::col(Column::AvailableAt))
            .col_expr(Column::HeldMinor, Expr::value(0))
            .filter(Column::Id.is_in(chunk.iter().map(|earning| earning.id.as_uuid())))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Saves what has become of the amounts of an earning.
///
/// # Errors
/// When the database fails; it refuses that more is refunded and disputed than there was.
pub async fn save_amounts(txn: &Txn, earning: &Earning) -> Result<(), StorageError> {
    Entity::update_many()
        .col_expr(Column::FeeMinor, Expr::value(earning.fee_minor))
        .col_expr(Column::RefundedMinor, Expr::value(earning.refunded_minor))
        .col_expr(Column::DisputedMinor, Expr::value(earning.disputed_minor))
        .col_expr(Column::HeldMinor, Expr::value(held(earning)))
        .filter(Column::Id.eq(earning.id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Saves a refund and what it has made of its earning.
///
/// # Errors
/// When the database fails; it refuses more refunds than there was to refund.
pub async fn save_refund(txn: &Txn, earning: &Earning, refund: &Refund) -> Result<(), StorageError> {
    save_amounts(txn, earning).await?;
    let row = reversal::ActiveModel {
        id: Set(refund.id.as_uuid()),
        earning_id: Set(refund.earning_id.as_uuid()),
        amount_minor: Set(refund.amount.minor),
        fee_back_minor: Set(refund.fee_back_minor),
        reversed_at: Set(refund.at.as_micros()),
    };
    reversal::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Earning>, StorageError> {
    query.all(conn).await?.into_iter().map(Earning::try_from).collect()
}

const fn held(earning: &Earning) -> i64 {
    match earning.state {
        EarningState::Pending { held_minor } => held_minor,
        EarningState::Settled { .. } => 0,
    }
}

fn row(earning: &Earning) -> ActiveModel {
    let settled_at = match earning.state {
        EarningState::Pending { .. } => None,
        EarningState::Settled { settled_at } => Some(settled_at.as_micros()),
    };
    ActiveModel {
        id: Set(earning.id.as_uuid()),
        contract_id: Set(earning.contract_id.as_uuid()),
        source: Set(earning.source.kind().to_owned()),
        source_id: Set(earning.source.id()),
        client_id: Set(earning.client_id.as_uuid()),
        person_id: Set(earning.person_id.as_uuid()),
        account_id: Set(earning.account_id.as_uuid()),
        currency: Set(earning.gross.currency.code().to_owned()),
        gross_minor: Set(earning.gross.minor),
        fee_minor: Set(earning.fee_minor),
        refunded_minor: Set(earning.refunded_minor),
        disputed_minor: Set(earning.disputed_minor),
        held_minor: Set(held(earning)),
        occurred_at: Set(earning.occurred_at.as_micros()),
        approved_at: Set(earning.approved_at.as_micros()),
        available_at: Set(earning.available_at.as_micros()),
        review_until: Set(earning.review_until.as_micros()),
        settled_at: Set(settled_at),
    }
}

impl TryFrom<Model> for Earning {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let state = match model.settled_at {
            Some(settled_at) => EarningState::Settled {
                settled_at: time(settled_at),
            },
            None => EarningState::Pending {
                held_minor: model.held_minor,
            },
        };
        let source = EarningSource::from_parts(&model.source, model.source_id);
        let source = source.ok_or_else(|| unreadable(TABLE, &model.source))?;
        Ok(Self {
            id: EarningId::from_uuid(model.id),
            contract_id: ContractId::from_uuid(model.contract_id),
            source,
            client_id: ClientId::from_uuid(model.client_id),
            person_id: PersonId::from_uuid(model.person_id),
            account_id: AccountId::from_uuid(model.account_id),
            gross: Money::new(model.gross_minor, currency(TABLE, &model.currency)?),
            fee_minor: model.fee_minor,
            refunded_minor: model.refunded_minor,
            disputed_minor: model.disputed_minor,
            state,
            occurred_at: time(model.occurred_at),
            approved_at: time(model.approved_at),
            available_at: time(model.available_at),
            review_until: time(model.review_until),
        })
    }
}

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "earning")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub source: String,
        pub source_id: Uuid,
        pub client_id: Uuid,
        pub person_id: Uuid,
        pub account_id: Uuid,
        pub currency: String,
        pub gross_minor: i64,
        pub fee_minor: i64,
        pub refunded_minor: i64,
        pub disputed_minor: i64,
        pub held_minor: i64,
        pub occurred_at: i64,
        pub approved_at: i64,
        pub available_at: i64,
        pub review_until: i64,
        pub settled_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod reversal {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reversal")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub earning_id: Uuid,
        pub amount_minor: i64,
        pub fee_back_minor: i64,
        pub reversed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
