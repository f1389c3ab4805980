//! `invoice` and `invoice_line`.

use sea_orm::{
    ActiveValue::Set, ExprTrait as _, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::CaseStatement,
};
use vouch_primitives::{AccountId, ClientId, ContractId, InvoiceId, Money, PersonId, TimeEntryId};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, contracts::Party, currency, small, time, unreadable, unsigned};
use crate::domain::{Invoice, InvoiceLine, InvoiceState, Protection, Span, Week, WorkPeriod, invoice::InvoicePosition};

const TABLE: &str = "invoice";

/// The invoices that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[InvoiceId]) -> Result<Vec<Invoice>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// The lines of an invoice, in the order of time.
///
/// # Errors
/// When the database fails.
pub async fn lines(conn: &impl ConnectionTrait, id: InvoiceId) -> Result<Vec<InvoiceLine>, StorageError> {
    let rows = line::Entity::find()
        .filter(line::Column::InvoiceId.eq(id.as_uuid()))
        .order_by_asc(line::Column::StartAt)
        .all(conn)
        .await?;
    rows.into_iter().map(InvoiceLine::try_from).collect()
}

/// One page of somebody's invoices, of one contract or of all, the latest week first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    party: Party,
    contract: Option<ContractId>,
    page: Page<InvoicePosition>,
) -> Result<Vec<Invoice>, StorageError> {
    let (column, of_party) = party.column();
    let mut query = Entity::find()
        .filter(Expr::col(column).eq(of_party))
        .order_by_desc(Column::Week)
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(contract) = contract {
        query = query.filter(Column::ContractId.eq(contract.as_uuid()));
    }
    if let Some(after) = page.after {
        let week = after.week.start().as_micros();
        let same_week = Column::Week.eq(week).and(Column::Id.lt(after.id.as_uuid()));
        query = query.filter(Column::Week.lt(week).or(same_week));
    }
    all(conn, query).await
}

/// Inserts new invoices with their lines.
///
/// # Errors
/// When the database fails; a second invoice of one contract and week is refused.
pub async fn insert(txn: &Txn, invoices: &[(Invoice, Vec<InvoiceLine>)]) -> Result<(), StorageError> {
    for chunk in invoices.chunks(ROWS) {
        let rows = chunk.iter().map(|(invoice, _)| row(invoice));
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    let lines = invoices
        .iter()
        .flat_map(|(invoice, lines)| lines.iter().map(|line| line_row(invoice.id, line)));
    let lines: Vec<_> = lines.collect::<Result<_, _>>()?;
    for chunk in lines.chunks(ROWS) {
        line::Entity::insert_many(chunk.to_vec())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Saves where invoices stand; nothing else about them can change.
///
/// # Errors
/// When the database fails.
pub async fn save_states(txn: &Txn, invoices: &[Invoice]) -> Result<(), StorageError> {
    for chunk in invoices.chunks(ROWS) {
        let (mut state, mut paid_at) = (CaseStatement::new(), CaseStatement::new());
        for invoice in chunk {
            let is_it = || Column::Id.eq(invoice.id.as_uuid());
            state = state.case(is_it(), invoice.state.name());
            paid_at = paid_at.case(is_it(), invoice.state.paid_at().map(|at| at.as_micros()));
        }
        Entity::update_many()
            .col_expr(Column::State, state.into())
            .col_expr(Column::PaidAt, paid_at.into())
            .filter(Column::Id.is_in(chunk.iter().map(|invoice| invoice.id.as_uuid())))
            .exec(txn)
            .await?;
    }
    Ok(())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Invoice>, StorageError> {
    query.all(conn).await?.into_iter().map(Invoice::try_from).collect()
}

fn row(invoice: &Invoice) -> Result<ActiveModel, StorageError> {
    Ok(ActiveModel {
        id: Set(invoice.id.as_uuid()),
        contract_id: Set(invoice.contract_id.as_uuid()),
        client_id: Set(invoice.client_id.as_uuid()),
        person_id: Set(invoice.person_id.as_uuid()),
        account_id: Set(invoice.account_id.as_uuid()),
        currency: Set(invoice.amount.currency.code().to_owned()),
        week: Set(invoice.week.start().as_micros()),
        period_start: Set(invoice.period.map(|period| period.start.as_micros())),
        period_end: Set(invoice.period.map(|period| period.end.as_micros())),
        rate_minor: Set(invoice.rate.minor),
        limit_minutes: Set(small(TABLE, invoice.limit_minutes)?),
        minutes: Set(small(TABLE, invoice.minutes)?),
        minutes_over: Set(small(TABLE, invoice.minutes_over)?),
        amount_minor: Set(invoice.amount.minor),
        state: Set(invoice.state.name().to_owned()),
        paid_at: Set(invoice.state.paid_at().map(|at| at.as_micros())),
    })
}

fn line_row(invoice: InvoiceId, line: &InvoiceLine) -> Result<line::ActiveModel, StorageError> {
    Ok(line::ActiveModel {
        time_entry_id: Set(line.entry_id.as_uuid()),
        invoice_id: Set(invoice.as_uuid()),
        start_at: Set(line.span.start().as_micros()),
        end_at: Set(line.span.end().as_micros()),
        description: Set(line.description.clone()),
        minutes: Set(small(TABLE, line.minutes)?),
        minutes_over: Set(small(TABLE, line.minutes_over)?),
        amount_minor: Set(line.amount_minor),
        tracked: Set(line.protection.tracked),
        billing_verified: Set(line.protection.billing_verified),
    })
}

impl TryFrom<Model> for Invoice {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let currency = currency(TABLE, &model.currency)?;
        let state = match (model.state.as_str(), model.paid_at) {
            ("OPEN", None) => InvoiceState::Open,
            ("PAID", Some(paid_at)) => InvoiceState::Paid { paid_at: time(paid_at) },
            ("UNPAID", None) => InvoiceState::Unpaid,
            (state, _) => return Err(unreadable(TABLE, state)),
        };
        Ok(Self {
            id: InvoiceId::from_uuid(model.id),
            contract_id: ContractId::from_uuid(model.contract_id),
            client_id: ClientId::from_uuid(model.client_id),
            person_id: PersonId::from_uuid(model.person_id),
            account_id: AccountId::from_uuid(model.account_id),
            week: Week::of(time(model.week)),
            period: model.period_start.zip(model.period_end).map(|(start, end)| WorkPeriod {
                start: time(start),
                end: time(end),
            }),
            rate: Money::new(model.rate_minor, currency),
            limit_minutes: unsigned(TABLE, model.limit_minutes)?,
            minutes: unsigned(TABLE, model.minutes)?,
            minutes_over: unsigned(TABLE, model.minutes_over)?,
            amount: Money::new(model.amount_minor, currency),
            state,
        })
    }
}

impl TryFrom<line::Model> for InvoiceLine {
    type Error = StorageError;

    fn try_from(model: line::Model) -> Result<Self, StorageError> {
        let span = Span::try_new(time(model.start_at), time(model.end_at));
        Ok(Self {
            entry_id: TimeEntryId::from_uuid(model.time_entry_id),
            span: span.map_err(|error| unreadable("invoice_line", error))?,
            minutes: unsigned(TABLE, model.minutes)?,
            minutes_over: unsigned(TABLE, model.minutes_over)?,
            amount_minor: model.amount_minor,
            protection: Protection::of(
                model.tracked,
                unsigned(TABLE, model.minutes)?,
                &model.description,
                model.billing_verified,
            ),
            description: model.description,
        })
    }
}

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub contract_id: Uuid,
        pub client_id: Uuid,
        pub person_id: Uuid,
        pub account_id: Uuid,
        pub currency: String,
        pub week: i64,
        pub period_start: Option<i64>,
        pub period_end: Option<i64>,
        pub rate_minor: i64,
        pub limit_minutes: i32,
        pub minutes: i32,
        pub minutes_over: i32,
        pub amount_minor: i64,
        pub state: String,
        pub paid_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod line {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_line")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub time_entry_id: Uuid,
        pub invoice_id: Uuid,
        pub start_at: i64,
        pub end_at: i64,
        pub description: String,
        pub minutes: i32,
        pub minutes_over: i32,
        pub amount_minor: i64,
        pub tracked: bool,
        pub billing_verified: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
