//! `contract`.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ExprTrait as _, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{CaseStatement, LockType, OnConflict, Query, SelectStatement},
};
use vouch_primitives::{
    AccountId, BasisPoints, BonusPaymentId, ChargeId, ClientId, ContractId, EarningId, InvoiceId, MilestoneId, Money,
    OfferId, PersonId, TimeEntryId, terms::PayPeriod,
};
use vouch_proto::Page;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, currency, small, time, unreadable, unsigned};
use crate::domain::{Author, Contract, ContractState, FeeTerms, Halt, Pay};

const TABLE: &str = "contract";

/// Whose contracts are listed.
#[derive(Clone, Copy, Debug)]
pub enum Party {
    /// Of the account that is paid.
    Account(AccountId),
    /// Of the client that pays.
    Client(ClientId),
}

impl Party {
    /// The column that names the party, and its id.
    pub(super) const fn column(self) -> (&'static str, Uuid) {
        match self {
            Self::Account(id) => ("account_id", id.as_uuid()),
            Self::Client(id) => ("client_id", id.as_uuid()),
        }
    }
}

/// Inserts the contracts whose id and offer are both new, and returns the ids of these.
///
/// # Errors
/// When the database fails.
pub async fn insert_new(txn: &Txn, contracts: &[Contract]) -> Result<Vec<ContractId>, StorageError> {
    let mut sorted: Vec<&Contract> = contracts.iter().collect();
    sorted.sort_by_key(|contract| contract.id);
    let mut inserted = Vec::new();
    for chunk in sorted.chunks(ROWS) {
        let rows: Vec<_> = chunk.iter().map(|contract| row(contract)).collect::<Result<_, _>>()?;
        let new = Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_with_returning(txn)
            .await?;
        inserted.extend(new.into_iter().map(|model| ContractId::from_uuid(model.id)));
    }
    Ok(inserted)
}

/// The contracts that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, ids: &[ContractId]) -> Result<Vec<Contract>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    all(conn, Entity::find().filter(Column::Id.is_in(ids))).await
}

/// One page of somebody's contracts, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    party: Party,
    page: Page<ContractId>,
) -> Result<Vec<Contract>, StorageError> {
    let (column, of_party) = party.column();
    let mut query = Entity::find()
        .filter(Expr::col(column).eq(of_party))
        .order_by_desc(Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query).await
}

/// Locks a contract, and so all that belongs to it. `None` if there is none.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: ContractId) -> Result<Option<Contract>, StorageError> {
    Ok(locked(txn, Column::Id.eq(id.as_uuid())).await?.remove(&id))
}

/// Locks the contracts that there are of these.
///
/// # Errors
/// When the database fails.
pub async fn lock_all(txn: &Txn, ids: &[ContractId]) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    locked(txn, Column::Id.is_in(ids.iter().map(|id| id.as_uuid()))).await
}

/// Locks the contracts of these milestones. Read the milestones afterwards: a statement sees what was committed before
/// it began, not what it waited for.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_milestones(
    txn: &Txn,
    ids: &[MilestoneId],
) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    locked(txn, Column::Id.in_subquery(contract_ids("milestone", ids))).await
}

/// Locks all contracts of the person who works under this one, in ascending id, and so all time of that person: entries of
/// two contracts must not overlap.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_worker(txn: &Txn, id: ContractId) -> Result<Option<Contract>, StorageError> {
    let person = person_ids("contract", id.as_uuid());
    Ok(locked(txn, Column::PersonId.in_subquery(person)).await?.remove(&id))
}

/// Locks all contracts of the person whose time entry this is. Read the entry afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_time_entry(txn: &Txn, id: TimeEntryId) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let person = person_ids("time_entry", id.as_uuid());
    locked(txn, Column::PersonId.in_subquery(person)).await
}

/// Locks the contracts whose weeks become these invoices. Read the entries afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_weeks(txn: &Txn, ids: &[InvoiceId]) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let with_entries = Query::select()
        .column("contract_id")
        .from("time_entry")
        .and_where(Expr::col("invoice_id").is_in(ids.iter().map(|id| id.as_uuid())))
        .to_owned();
    locked(txn, Column::Id.in_subquery(with_entries)).await
}

/// Locks the contracts of these invoices. Read the invoices afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_invoices(txn: &Txn, ids: &[InvoiceId]) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    locked(txn, Column::Id.in_subquery(contract_ids("invoice", ids))).await
}

/// Locks the contracts of these bonus payments. Read the bonus payments afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_bonuses(
    txn: &Txn,
    ids: &[BonusPaymentId],
) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    locked(txn, Column::Id.in_subquery(contract_ids("bonus_payment", ids))).await
}

/// Locks the contracts of these earnings. Read the earnings afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_earnings(txn: &Txn, ids: &[EarningId]) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    locked(txn, Column::Id.in_subquery(contract_ids("earning", ids))).await
}

/// Locks the contracts of these charges. Read the charges afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_charges(txn: &Txn, ids: &[ChargeId]) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    let ids = ids.iter().map(|id| id.as_uuid());
    locked(txn, Column::Id.in_subquery(contract_ids("charge", ids))).await
}

/// Saves since when locked contracts are held up by charges that have failed.
///
/// # Errors
/// When the database fails.
pub async fn save_unpaid(txn: &Txn, contracts: &[Contract]) -> Result<(), StorageError> {
    for chunk in contracts.chunks(ROWS) {
        let since = chunk.iter().fold(CaseStatement::new(), |case, contract| {
            let since = contract.unpaid_since.map(|at| at.as_micros());
            case.case(Column::Id.eq(contract.id.as_uuid()), since)
        });
        Entity::update_many()
            .col_expr(Column::UnpaidSince, since.into())
            .filter(Column::Id.is_in(chunk.iter().map(|contract| contract.id.as_uuid())))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Saves the running totals of locked contracts.
///
/// # Errors
/// When the database fails.
pub async fn save_totals(txn: &Txn, contracts: &BTreeMap<ContractId, Contract>) -> Result<(), StorageError> {
    if contracts.is_empty() {
        return Ok(());
    }
    let total = contracts.values().fold(CaseStatement::new(), |case, contract| {
        case.case(Column::Id.eq(contract.id.as_uuid()), contract.net_gross_minor)
    });
    Entity::update_many()
        .col_expr(
            Column::NetGrossMinor,
            total.finally(Expr::col(Column::NetGrossMinor)).into(),
        )
        .filter(Column::Id.is_in(contracts.keys().map(|id| id.as_uuid())))
        .exec(txn)
        .await?;
    Ok(())
}

/// Saves whether work goes on under a locked contract.
///
/// # Errors
/// When the database fails.
pub async fn save_state(txn: &Txn, contract: &Contract) -> Result<(), StorageError> {
    let halt = contract.state.halt();
    Entity::update_many()
        .col_expr(Column::State, Expr::value(contract.state.name()))
        .col_expr(Column::StateAt, Expr::value(halt.map(|halt| halt.at.as_micros())))
        .col_expr(Column::StateReason, Expr::value(halt.map(|halt| halt.reason.clone())))
        .col_expr(Column::HaltedBy, Expr::value(halted_by(contract)))
        .filter(Column::Id.eq(contract.id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

fn person_ids(table: &'static str, id: Uuid) -> SelectStatement {
    Query::select()
        .column("person_id")
        .from(table)
        .and_where(Expr::col("id").eq(id))
        .to_owned()
}

fn contract_ids(table: &'static str, ids: impl Iterator<Item = Uuid>) -> SelectStatement {
    Query::select()
        .column("contract_id")
        .from(table)
        .and_where(Expr::col("id").is_in(ids))
        .to_owned()
}

async fn locked(txn: &Txn, filter: Expr) -> Result<BTreeMap<ContractId, Contract>, StorageError> {
    // Not FOR UPDATE: rows that refer to the contract may still be inserted elsewhere.
    let query = Entity::find()
        .filter(filter)
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate);
    let contracts = all(txn, query).await?;
    Ok(contracts.into_iter().map(|contract| (contract.id, contract)).collect())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Contract>, StorageError> {
    query.all(conn).await?.into_iter().map(Contract::try_from).collect()
}

fn row(contract: &Contract) -> Result<ActiveModel, StorageError> {
    let (rate, limit) = match contract.pay {
        Pay::Hourly {
            rate,
            weekly_limit_minutes,
        } => (Some(rate.minor), Some(small(TABLE, weekly_limit_minutes)?)),
        Pay::Fixed { .. } | Pay::Recurring { .. } => (None, None),
    };
    let recurring = match contract.pay {
        Pay::Recurring { amount, every } => Some((every.name().to_owned(), amount.minor)),
        Pay::Hourly { .. } | Pay::Fixed { .. } => None,
    };
    let (pay_period, period_amount_minor) = recurring.unzip();
    Ok(ActiveModel {
        id: Set(contract.id.as_uuid()),
        offer_id: Set(contract.offer_id.as_uuid()),
        client_id: Set(contract.client_id.as_uuid()),
        person_id: Set(contract.person_id.as_uuid()),
        account_id: Set(contract.account_id.as_uuid()),
        currency: Set(contract.currency().code().to_owned()),
        hourly_rate_minor: Set(rate),
        weekly_limit_minutes: Set(limit),
        pay_period: Set(pay_period),
        period_amount_minor: Set(period_amount_minor),
        fee_terms_version: Set(small(TABLE, contract.fee_terms.version)?),
        talent_basis_points: Set(small(TABLE, contract.fee_terms.talent.get())?),
        start_at: Set(contract.start_at.as_micros()),
        created_at: Set(contract.created_at.as_micros()),
        net_gross_minor: Set(contract.net_gross_minor),
        state: Set(contract.state.name().to_owned()),
        state_at: Set(contract.state.halt().map(|halt| halt.at.as_micros())),
        state_reason: Set(contract.state.halt().map(|halt| halt.reason.clone())),
        halted_by: Set(halted_by(contract)),
        unpaid_since: Set(contract.unpaid_since.map(|at| at.as_micros())),
    })
}

fn halted_by(contract: &Contract) -> Option<String> {
    let by = contract.state.halt().and_then(|halt| halt.by);
    by.map(|by| by.name().to_owned())
}

fn pay_period(name: &str) -> Result<PayPeriod, StorageError> {
    let known = PayPeriod::ALL.into_iter().find(|every| every.name() == name);
    known.ok_or_else(|| unreadable(TABLE, name))
}

impl TryFrom<Model> for Contract {
    type Error = StorageError;

    fn try_from(model: Model) -> Result<Self, StorageError> {
        let currency = currency(TABLE, &model.currency)?;
        let hourly = model.hourly_rate_minor.zip(model.weekly_limit_minutes);
        let recurring = model.pay_period.zip(model.period_amount_minor);
        let pay = match (hourly, recurring) {
            (Some((rate, limit)), _) => Pay::Hourly {
                rate: Money::new(rate, currency),
                weekly_limit_minutes: unsigned(TABLE, limit)?,
            },
            (None, Some((every, amount))) => Pay::Recurring {
                amount: Money::new(amount, currency),
                every: pay_period(&every)?,
            },
            (None, None) => Pay::Fixed { currency },
        };
        let halt = model.state_at.zip(model.state_reason);
        let by = model.halted_by.as_deref();
        let by = by.and_then(|name| Author::ALL.into_iter().find(|author| author.name() == name));
        let halt = halt.map(|(at, reason)| Halt {
            at: time(at),
            reason,
            by,
        });
        let state = match (model.state.as_str(), halt) {
            ("ACTIVE", None) => ContractState::Active,
            ("PAUSED", Some(halt)) => ContractState::Paused(halt),
            ("ENDED", Some(halt)) => ContractState::Ended(halt),
            (state, _) => return Err(unreadable(TABLE, state)),
        };
        let talent = BasisPoints::try_new(unsigned(TABLE, model.talent_basis_points)?);
        Ok(Self {
            id: ContractId::from_uuid(model.id),
            offer_id: OfferId::from_uuid(model.offer_id),
            client_id: ClientId::from_uuid(model.client_id),
            person_id: PersonId::from_uuid(model.person_id),
            account_id: AccountId::from_uuid(model.account_id),
            pay,
            fee_terms: FeeTerms {
                version: unsigned(TABLE, model.fee_terms_version)?,
                talent: talent.map_err(|error| unreadable(TABLE, error))?,
            },
            start_at: time(model.start_at),
            created_at: time(model.created_at),
            net_gross_minor: model.net_gross_minor,
            state,
            unpaid_since: model.unpaid_since.map(time),
        })
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "contract")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub offer_id: Uuid,
        pub client_id: Uuid,
        pub person_id: Uuid,
        pub account_id: Uuid,
        pub currency: String,
        pub hourly_rate_minor: Option<i64>,
        pub weekly_limit_minutes: Option<i32>,
        pub pay_period: Option<String>,
        pub period_amount_minor: Option<i64>,
        pub fee_terms_version: i32,
        pub talent_basis_points: i32,
        pub start_at: i64,
        pub created_at: i64,
        pub net_gross_minor: i64,
        pub state: String,
        pub state_at: Option<i64>,
        pub state_reason: Option<String>,
        pub halted_by: Option<String>,
        pub unpaid_since: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
