//! `time_entry`.

use sea_orm::{ActiveValue::Set, ExprTrait as _, QueryOrder, QuerySelect, Select, entity::prelude::*};
use vouch_primitives::{AccountId, ClientId, ContractId, InvoiceId, PersonId, TimeEntryId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{contracts::Party, time, unreadable};
use crate::domain::{Others, Span, TimeEntry, Week};

const TABLE: &str = "time_entry";

/// Which entries are listed.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    /// Whose.
    pub party: Party,
    /// Of this contract alone.
    pub contract: Option<ContractId>,
    /// Of this week alone.
    pub week: Option<Week>,
}

/// The entry, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: TimeEntryId) -> Result<Option<TimeEntry>, StorageError> {
    Ok(all(conn, Entity::find_by_id(id.as_uuid())).await?.pop())
}

/// The entries of the weeks that become these invoices.
///
/// # Errors
/// When the database fails.
pub async fn of_invoices(conn: &impl ConnectionTrait, ids: &[InvoiceId]) -> Result<Vec<TimeEntry>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::InvoiceId.is_in(ids))).await
}

/// What the week of `entry` has beside it.
///
/// # Errors
/// When the database fails.
pub async fn others(conn: &impl ConnectionTrait, entry: &TimeEntry) -> Result<Others, StorageError> {
    // A week has few enough entries to read them all.
    let others: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .columns([Column::StartAt, Column::EndAt])
        .filter(Column::InvoiceId.eq(entry.invoice_id().as_uuid()))
        .filter(Column::Id.ne(entry.id.as_uuid()))
        .into_tuple()
        .all(conn)
        .await?;
    let minutes = others
        .iter()
        .map(|(start, end)| time(*end).since(time(*start)).as_secs() / 60);
    Ok(Others {
        entries: others.len(),
        minutes: minutes.sum(),
    })
}

/// An entry of the same person, of whatever contract, other than `entry` and at the same time.
///
/// # Errors
/// When the database fails.
pub async fn overlapping(conn: &impl ConnectionTrait, entry: &TimeEntry) -> Result<Option<TimeEntryId>, StorageError> {
    // No entry is longer than a day, so that an index finds the few that can overlap.
    let (start, end) = (entry.span.start().as_micros(), entry.span.end().as_micros());
    let day_before = entry.span.start().saturating_sub(Span::LONGEST).as_micros();
    let found: Option<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::PersonId.eq(entry.person_id.as_uuid()))
        .filter(Column::StartAt.gte(day_before))
        .filter(Column::StartAt.lt(end))
        .filter(Column::EndAt.gt(start))
        .filter(Column::Id.ne(entry.id.as_uuid()))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.map(TimeEntryId::from_uuid))
}

/// One page of entries, those that were added last first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    which: Which,
    page: Page<TimeEntryId>,
) -> Result<Vec<TimeEntry>, StorageError> {
    let (party, id) = which.party.column();
    let mut query = Entity::find()
        .filter(Expr::col(party).eq(id))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(contract) = which.contract {
        query = query.filter(Column::ContractId.eq(contract.as_uuid()));
    }
    if let Some(week) = which.week {
        query = query.filter(Column::Week.eq(week.start().as_micros()));
    }
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

/// Inserts a new entry.
///
/// # Errors
/// When the database fails; it refuses one that overlaps another one of the person.
pub async fn insert(txn: &Txn, entry: &TimeEntry) -> Result<(), StorageError> {
    Entity::insert(row(entry)).exec_without_returning(txn).await?;
    Ok(())
}

/// Saves when and what an entry is about.
///
/// # Errors
/// When the database fails; it refuses one that overlaps another one of the person, and one that is invoiced.
pub async fn update(txn: &Txn, entry: &TimeEntry) -> Result<(), StorageError> {
    Entity::update(row(entry)).exec(txn).await?;
    Ok(())
}

/// Removes an entry.
///
/// # Errors
/// When the database fails; it refuses one that is invoiced.
pub async fn delete(txn: &Txn, id: TimeEntryId) -> Result<(), StorageError> {
    Entity::delete_by_id(id.as_uuid()).exec(txn).await?;
    Ok(())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<TimeEntry>, StorageError> {
    query.all(conn).await?.into_iter().map(TimeEntry::try_from).collect()
}

fn row(entry: &TimeEntry) -> ActiveModel {
    ActiveModel {
        id: Set(entry.id.as_uuid()),
        contract_id: Set(entry.contract_id.as_uuid()),
        person_id: Set(entry.person_id.as_uuid()),
        account_id: Set(entry.account_id.as_uuid()),
        client_id: Set(entry.client_id.as_uuid()),
        week: Set(entry.span.week().start().as_micros()),
        invoice_id: Set(entry.invoice_id().as_uuid()),
        start_at: Set(entry.span.start().as_micros()),
        end_at: Set(entry.span.end().as_micros()),
        tracked: Set(entry.tracked),
        description: Set(entry.description.clone()),
        created_at: Set(entry.created_at.as_micros()),
    }
}

impl TryFrom<Model> for TimeEntry {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let span = Span::try_new(time(model.start_at), time(model.end_at));
        Ok(Self {
            id: TimeEntryId::from_uuid(model.id),
            contract_id: ContractId::from_uuid(model.contract_id),
            person_id: PersonId::from_uuid(model.person_id),
            account_id: AccountId::from_uuid(model.account_id),
            client_id: ClientId::from_uuid(model.client_id),
            span: span.map_err(|error| unreadable(TABLE, error))?,
            tracked: model.tracked,
            description: model.description,
            created_at: time(model.created_at),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "time_entry")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub person_id: Uuid,
        pub account_id: Uuid,
        pub client_id: Uuid,
        pub week: i64,
        pub invoice_id: Uuid,
        pub start_at: i64,
        pub end_at: i64,
        pub tracked: bool,
        pub description: String,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
