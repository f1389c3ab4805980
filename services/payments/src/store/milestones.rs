//! `milestone` and `milestone_event`.

use sea_orm::{
    ActiveValue::Set, PaginatorTrait, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{ContractId, EarningId, MilestoneEventId, MilestoneId, Money};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, time, unreadable};
use crate::domain::{Milestone, MilestoneEvent, MilestoneEventKind, MilestoneState};

const TABLE: &str = "milestone";

/// The milestones that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[MilestoneId]) -> Result<Vec<Milestone>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// The milestones of a contract, in the order in which they were agreed.
///
/// # Errors
/// When the database fails.
pub async fn of_contract(conn: &impl ConnectionTrait, id: ContractId) -> Result<Vec<Milestone>, StorageError> {
    let query = Entity::find()
        .filter(Column::ContractId.eq(id.as_uuid()))
        .order_by_asc(Column::Id);
    all(conn, query).await
}

/// How many milestones a contract has.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &impl ConnectionTrait, id: ContractId) -> Result<u64, StorageError> {
    let of_contract = Entity::find().filter(Column::ContractId.eq(id.as_uuid()));
    Ok(of_contract.count(conn).await?)
}

/// Inserts new milestones, and saves the state of those that exist; nothing else about them can change.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, milestones: &[Milestone]) -> Result<(), StorageError> {
    for chunk in milestones.chunks(ROWS) {
        let state = OnConflict::column(Column::Id)
            .update_columns([
                Column::State,
                Column::TakenMinor,
                Column::SubmittedAt,
                Column::SilentSince,
                Column::ApprovedAt,
                Column::EarningId,
            ])
            .to_owned();
        Entity::insert_many(chunk.iter().map(row))
            .on_conflict(state)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Keeps what was said with a milestone's work.
///
/// # Errors
/// When the database fails.
pub async fn insert_event(txn: &Txn, event: &MilestoneEvent) -> Result<(), StorageError> {
    let row = event::ActiveModel {
        id: Set(event.id.as_uuid()),
        milestone_id: Set(event.milestone_id.as_uuid()),
        kind: Set(event.kind.name().to_owned()),
        message: Set(event.message.clone()),
        happened_at: Set(event.at.as_micros()),
    };
    event::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// One page of what was said with a milestone's work, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn events(
    conn: &impl ConnectionTrait,
    id: MilestoneId,
    page: Page<MilestoneEventId>,
) -> Result<Vec<MilestoneEvent>, StorageError> {
    let mut query = event::Entity::find()
        .filter(event::Column::MilestoneId.eq(id.as_uuid()))
        .order_by_asc(event::Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(event::Column::Id.gt(after.as_uuid()));
    }
    let rows = query.all(conn).await?.into_iter();
    rows.map(MilestoneEvent::try_from).collect()
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Milestone>, StorageError> {
    query.all(conn).await?.into_iter().map(Milestone::try_from).collect()
}

fn row(milestone: &Milestone) -> ActiveModel {
    let (approved_at, earning_id) = match milestone.state {
        MilestoneState::Approved {
            approved_at,
            earning_id,
            ..
        } => (Some(approved_at.as_micros()), Some(earning_id.as_uuid())),
        _ => (None, None),
    };
    ActiveModel {
        id: Set(milestone.id.as_uuid()),
        contract_id: Set(milestone.contract_id.as_uuid()),
        title: Set(milestone.title.clone()),
        amount_minor: Set(milestone.amount.minor),
        currency: Set(milestone.amount.currency.code().to_owned()),
        state: Set(milestone.state.name().to_uppercase().replace(' ', "_")),
        taken_minor: Set(milestone.taken_minor),
        submitted_at: Set(milestone.state.submitted_at().map(|at| at.as_micros())),
        silent_since: Set(milestone.state.silent_since().map(|at| at.as_micros())),
        approved_at: Set(approved_at),
        earning_id: Set(earning_id),
    }
}

impl TryFrom<Model> for Milestone {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let approval = model.approved_at.zip(model.earning_id);
        let submission = model.submitted_at.zip(model.silent_since);
        let state = match (model.state.as_str(), submission, approval) {
            ("AGREED", None, None) => MilestoneState::Agreed,
            ("FUNDING", None, None) => MilestoneState::Funding,
            ("FUNDED", None, None) => MilestoneState::Funded,
            ("SUBMITTED", Some((submitted_at, silent_since)), None) => MilestoneState::Submitted {
                submitted_at: time(submitted_at),
                silent_since: time(silent_since),
            },
            ("APPROVED", Some((submitted_at, silent_since)), Some((approved_at, earning_id))) => {
                MilestoneState::Approved {
                    submitted_at: time(submitted_at),
                    silent_since: time(silent_since),
                    approved_at: time(approved_at),
                    earning_id: EarningId::from_uuid(earning_id),
                }
            }
            ("CANCELLED", None, None) => MilestoneState::Cancelled,
            ("CHARGED_BACK", None, None) => MilestoneState::ChargedBack {
                submitted_at: model.submitted_at.map(time),
            },
            (state, ..) => return Err(unreadable(TABLE, state)),
        };
        Ok(Self {
            id: MilestoneId::from_uuid(model.id),
            contract_id: ContractId::from_uuid(model.contract_id),
            title: model.title,
            amount: Money::new(model.amount_minor, currency(TABLE, &model.currency)?),
            taken_minor: model.taken_minor,
            state,
        })
    }
}

impl TryFrom<event::Model> for MilestoneEvent {
    type Error = StorageError;

    fn try_from(model: event::Model) -> Result<Self, StorageError> {
        let known = MilestoneEventKind::ALL.into_iter();
        let kind = known.into_iter().find(|kind| kind.name() == model.kind);
        Ok(Self {
            id: MilestoneEventId::from_uuid(model.id),
            milestone_id: MilestoneId::from_uuid(model.milestone_id),
            kind: kind.ok_or_else(|| unreadable("milestone_event", &model.kind))?,
            message: model.message,
            at: time(model.happened_at),
        })
    }
}

mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "milestone_event")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub milestone_id: Uuid,
        pub kind: String,
        pub message: String,
        pub happened_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "milestone")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub title: String,
        pub amount_minor: i64,
        pub currency: String,
        pub state: String,
        pub taken_minor: i64,
        pub submitted_at: Option<i64>,
        pub silent_since: Option<i64>,
        pub approved_at: Option<i64>,
        pub earning_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
