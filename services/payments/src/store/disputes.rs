//! `dispute` and `dispute_note`.

use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::OnConflict};
use vouch_primitives::{ContractId, DisputeId, DisputeNoteId, EarningId, Money, Timestamp};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{currency, time, unreadable};
use crate::domain::{Author, Dispute, DisputeNote, DisputeReason, DisputeState};

const TABLE: &str = "dispute";

/// Which disputes are listed; each part that is there narrows it down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Of this contract.
    pub contract_id: Option<ContractId>,
    /// In the state of this name, as [`DisputeState::name`] has it.
    pub state: Option<&'static str>,
    /// Opened before this moment.
    pub opened_before: Option<Timestamp>,
}

/// The dispute, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: DisputeId) -> Result<Option<Dispute>, StorageError> {
    Ok(all(conn, Entity::find_by_id(id.as_uuid())).await?.pop())
}

/// The open dispute about an earning, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn open_about(conn: &impl ConnectionTrait, earning: EarningId) -> Result<Option<Dispute>, StorageError> {
    let query = Entity::find()
        .filter(Column::EarningId.eq(earning.as_uuid()))
        .filter(Column::State.eq("OPEN"));
    Ok(all(conn, query).await?.pop())
}

/// One page of disputes, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    filter: Filter,
    page: Page<DisputeId>,
) -> Result<Vec<Dispute>, StorageError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(page.limit());
    if let Some(contract) = filter.contract_id {
        query = query.filter(Column::ContractId.eq(contract.as_uuid()));
    }
    if let Some(state) = filter.state {
        query = query.filter(Column::State.eq(state.to_uppercase()));
    }
    if let Some(before) = filter.opened_before {
        query = query.filter(Column::OpenedAt.lt(before.as_micros()));
    }
    if let Some(after) = page.after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    all(conn, query).await
}

/// Inserts a new dispute, or saves the end of one that exists; nothing else about it can change.
///
/// # Errors
/// When the database fails; it refuses a second open dispute about an earning.
pub async fn save(txn: &Txn, dispute: &Dispute) -> Result<(), StorageError> {
    let end = OnConflict::column(Column::Id)
        .update_columns([
            Column::State,
            Column::ClosedAt,
            Column::RefundedMinor,
            Column::Explanation,
        ])
        .to_owned();
    Entity::insert(row(dispute))
        .on_conflict(end)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Keeps what was said about a dispute.
///
/// # Errors
/// When the database fails.
pub async fn insert_note(txn: &Txn, note: &DisputeNote) -> Result<(), StorageError> {
    let row = note::ActiveModel {
        id: Set(note.id.as_uuid()),
        dispute_id: Set(note.dispute_id.as_uuid()),
        author: Set(note.author.name().to_owned()),
        text: Set(note.text.clone()),
        written_at: Set(note.at.as_micros()),
    };
    note::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// One page of what was said about a dispute, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn notes(
    conn: &impl ConnectionTrait,
    id: DisputeId,
    page: Page<DisputeNoteId>,
) -> Result<Vec<DisputeNote>, StorageError> {
    let mut query = note::Entity::find()
        .filter(note::Column::DisputeId.eq(id.as_uuid()))
        .order_by_asc(note::Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(note::Column::Id.gt(after.as_uuid()));
    }
    query.all(conn).await?.into_iter().map(DisputeNote::try_from).collect()
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Dispute>, StorageError> {
    query.all(conn).await?.into_iter().map(Dispute::try_from).collect()
}

fn row(dispute: &Dispute) -> ActiveModel {
    let (closed_at, refunded_minor, explanation) = match &dispute.state {
        DisputeState::Open => (None, None, None),
        DisputeState::Resolved {
            closed_at,
            refunded_minor,
            explanation,
        } => (Some(closed_at), Some(*refunded_minor), Some(explanation.clone())),
        DisputeState::Withdrawn { closed_at } | DisputeState::Superseded { closed_at } => (Some(closed_at), None, None),
    };
    ActiveModel {
        id: Set(dispute.id.as_uuid()),
        earning_id: Set(dispute.earning_id.as_uuid()),
        contract_id: Set(dispute.contract_id.as_uuid()),
        currency: Set(dispute.amount.currency.code().to_owned()),
        amount_minor: Set(dispute.amount.minor),
        held_minor: Set(dispute.held_minor),
        reason: Set(dispute.reason.name().to_owned()),
        description: Set(dispute.description.clone()),
        state: Set(dispute.state.name().to_uppercase()),
        opened_at: Set(dispute.opened_at.as_micros()),
        closed_at: Set(closed_at.map(|at| at.as_micros())),
        refunded_minor: Set(refunded_minor),
        explanation: Set(explanation),
    }
}

impl TryFrom<Model> for Dispute {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let end = (model.refunded_minor, model.explanation);
        let state = match (model.state.as_str(), model.closed_at.map(time), end) {
            ("OPEN", None, _) => DisputeState::Open,
            ("RESOLVED", Some(closed_at), (Some(refunded_minor), Some(explanation))) => DisputeState::Resolved {
                closed_at,
                refunded_minor,
                explanation,
            },
            ("WITHDRAWN", Some(closed_at), _) => DisputeState::Withdrawn { closed_at },
            ("SUPERSEDED", Some(closed_at), _) => DisputeState::Superseded { closed_at },
            (state, ..) => return Err(unreadable(TABLE, state)),
        };
        let reason = DisputeReason::ALL
            .into_iter()
            .find(|reason| reason.name() == model.reason);
        Ok(Self {
            id: DisputeId::from_uuid(model.id),
            earning_id: EarningId::from_uuid(model.earning_id),
            contract_id: ContractId::from_uuid(model.contract_id),
            amount: Money::new(model.amount_minor, currency(TABLE, &model.currency)?),
            held_minor: model.held_minor,
            reason: reason.ok_or_else(|| unreadable(TABLE, &model.reason))?,
            description: model.description,
            opened_at: time(model.opened_at),
            state,
        })
    }
}

impl TryFrom<note::Model> for DisputeNote {
    type Error = StorageError;

    fn try_from(model: note::Model) -> Result<Self, StorageError> {
        let author = Author::ALL.into_iter().find(|author| author.name() == model.author);
        Ok(Self {
            id: DisputeNoteId::from_uuid(model.id),
            dispute_id: DisputeId::from_uuid(model.dispute_id),
            author: author.ok_or_else(|| unreadable("dispute_note", &model.author))?,
            text: model.text,
            at: time(model.written_at),
        })
    }
}

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "dispute")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub earning_id: Uuid,
        pub contract_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub held_minor: i64,
        pub reason: String,
        pub description: String,
        pub state: String,
        pub opened_at: i64,
        pub closed_at: Option<i64>,
        pub refunded_minor: Option<i64>,
        pub explanation: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod note {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "dispute_note")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub dispute_id: Uuid,
        pub author: String,
        pub text: String,
        pub written_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
