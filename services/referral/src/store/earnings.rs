//! `earning`, `earning_month` and `reversal`: what payments told.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{AccountId, ClientId, ContractId, Currency, EarningId, Money, PersonId, ReversalId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, corrupt};
use crate::domain::Movement;

/// Money that was settled to talent for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earning {
    /// The earning.
    pub id: EarningId,
    /// Who earned it.
    pub person: PersonId,
    /// The account that was paid.
    pub account: AccountId,
    /// Who paid.
    pub client: ClientId,
    /// Under which contract.
    pub contract: ContractId,
    /// The gross amount, above zero.
    pub amount: Money,
    /// When it was earned.
    pub occurred_at: Timestamp,
    /// When it settled.
    pub settled_at: Timestamp,
}

/// What takes an earning back, or a part of it; or gives again what a chargeback had taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// The reversal.
    pub id: ReversalId,
    /// What it takes from.
    pub earning: EarningId,
    /// Who had earned it.
    pub person: PersonId,
    /// How much of the gross amount; below zero where it is given again.
    pub amount: Money,
    /// When.
    pub reversed_at: Timestamp,
}

impl Earning {
    /// What it adds.
    #[must_use]
    pub fn movement(&self) -> Movement {
        Movement {
            amount: self.amount,
            account: self.account,
            client: self.client,
            contract: self.contract,
            occurred_at: self.occurred_at,
            settled_at: self.settled_at,
        }
    }

    /// What a reversal takes of it: it inherits all but the amount. One that is said of somebody else, or in another currency,
    /// takes nothing of it.
    #[must_use]
    pub fn less(&self, reversal: &Reversal) -> Option<Movement> {
        if (reversal.person, reversal.amount.currency) != (self.person, self.amount.currency) {
            return None;
        }
        Some(Movement {
            amount: Money::new(-reversal.amount.minor, reversal.amount.currency),
            ..self.movement()
        })
    }
}

mod earning {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "earning")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub account_id: Uuid,
        pub client_id: Uuid,
        pub contract_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub occurred_at: i64,
        pub settled_at: i64,
        pub month_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The months of which there are earnings.
mod month {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "earning_month")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub month_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod reversal {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reversal")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub earning_id: Uuid,
        pub person_id: Uuid,
        pub currency: String,
        pub amount_minor: i64,
        pub reversed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stores earnings and returns the new ones. The primary key is what makes an earning count once.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, earnings: &[Earning]) -> Result<Vec<Earning>, StorageError> {
    let mut fresh = Vec::new();
    for chunk in earnings.chunks(ROWS) {
        let rows = chunk.iter().map(|earning| earning::ActiveModel {
            id: Set(earning.id.as_uuid()),
            person_id: Set(earning.person.as_uuid()),
            account_id: Set(earning.account.as_uuid()),
            client_id: Set(earning.client.as_uuid()),
            contract_id: Set(earning.contract.as_uuid()),
            currency: Set(earning.amount.currency.code().to_owned()),
            amount_minor: Set(earning.amount.minor),
            occurred_at: Set(earning.occurred_at.as_micros()),
            settled_at: Set(earning.settled_at.as_micros()),
            month_at: Set(earning.occurred_at.start_of_month().as_micros()),
        });
        let inserted = earning::Entity::insert_many(rows)
            .on_conflict(OnConflict::column(earning::Column::Id).do_nothing().to_owned())
            .exec_with_returning(txn)
            .await?;
        for row in inserted {
            fresh.push(read_earning(&row)?);
        }
    }
    Ok(fresh)
}

/// Notes of which months there are earnings. Two transactions of a new month meet here, so that their people are locked before.
///
/// # Errors
/// If the database fails.
pub async fn note_months(txn: &Txn, earnings: &[Earning]) -> Result<(), StorageError> {
    let months: BTreeSet<Timestamp> = earnings.iter().map(|it| it.occurred_at.start_of_month()).collect();
    if months.is_empty() {
        return Ok(());
    }
    let rows = months.iter().map(|month| month::ActiveModel {
        month_at: Set(month.as_micros()),
    });
    month::Entity::insert_many(rows)
        .on_conflict(OnConflict::column(month::Column::MonthAt).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The months of which there are earnings, as far as something of `[from, until)` is in them. By them and by a person earnings are
/// found; of a person who is locked there are none in others.
///
/// # Errors
/// If the database fails.
pub async fn months(conn: &impl ConnectionTrait, from: Timestamp, until: Timestamp) -> Result<Vec<i64>, StorageError> {
    let months = month::Entity::find()
        .filter(month::Column::MonthAt.gte(from.start_of_month().as_micros()))
        .filter(month::Column::MonthAt.lt(until.as_micros()))
        .order_by_asc(month::Column::MonthAt)
        .all(conn)
        .await?;
    Ok(months.into_iter().map(|row| row.month_at).collect())
}

/// Stores reversals and returns the new ones.
///
/// # Errors
/// If the database fails.
pub async fn insert_reversals(txn: &Txn, reversals: &[Reversal]) -> Result<Vec<Reversal>, StorageError> {
    let mut fresh = Vec::new();
    for chunk in reversals.chunks(ROWS) {
        let rows = chunk.iter().map(|reversal| reversal::ActiveModel {
            id: Set(reversal.id.as_uuid()),
            earning_id: Set(reversal.earning.as_uuid()),
            person_id: Set(reversal.person.as_uuid()),
            currency: Set(reversal.amount.currency.code().to_owned()),
            amount_minor: Set(reversal.amount.minor),
            reversed_at: Set(reversal.reversed_at.as_micros()),
        });
        let inserted = reversal::Entity::insert_many(rows)
            .on_conflict(OnConflict::column(reversal::Column::Id).do_nothing().to_owned())
            .exec_with_returning(txn)
            .await?;
        for row in inserted {
            fresh.push(read_reversal(&row)?);
        }
    }
    Ok(fresh)
}

/// The earnings with these ids, as far as they have arrived.
///
/// # Errors
/// If the database fails.
pub async fn with_ids(conn: &impl ConnectionTrait, ids: &BTreeSet<EarningId>) -> Result<Vec<Earning>, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = earning::Entity::find()
            .filter(earning::Column::Id.is_in(chunk.iter().copied()))
            .all(conn)
            .await?;
        for row in rows {
            found.push(read_earning(&row)?);
        }
    }
    Ok(found)
}

/// Which earnings of some people.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All that they have earned.
    All,
    /// What was earned in `[from, until)`.
    Between(Timestamp, Timestamp),
    /// What one client paid.
    Client(ClientId),
    /// What was earned by these contracts.
    Contracts(Vec<ContractId>),
}

/// What some people have earned, less what was reversed of it, by person.
///
/// # Errors
/// If the database fails.
pub async fn movements(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
    scope: &Scope,
) -> Result<HashMap<PersonId, Vec<Movement>>, StorageError> {
    let earnings = of_people(conn, people, scope).await?;
    let reversals = reversals_of(conn, &earnings.keys().copied().collect()).await?;
    Ok(movements_of(&earnings, &reversals))
}

/// What moves by earnings, and by reversals as far as their earnings are among them; by who had earned it.
#[must_use]
pub fn movements_of<'r>(
    earnings: &HashMap<EarningId, Earning>,
    reversals: impl IntoIterator<Item = &'r Reversal>,
) -> HashMap<PersonId, Vec<Movement>> {
    let mut found: HashMap<PersonId, Vec<Movement>> = HashMap::new();
    for earning in earnings.values() {
        found.entry(earning.person).or_default().push(earning.movement());
    }
    for reversal in reversals {
        let earning = earnings.get(&reversal.earning);
        let movement = earning.and_then(|earning| earning.less(reversal));
        found.entry(reversal.person).or_default().extend(movement);
    }
    found
}

/// What some people have earned, as far as it is in the scope.
///
/// # Errors
/// If the database fails.
pub async fn of_people(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
    scope: &Scope,
) -> Result<HashMap<EarningId, Earning>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut earnings: HashMap<EarningId, Earning> = HashMap::new();
    let months = match scope {
        Scope::Between(from, until) => months(conn, *from, *until).await?,
        _ => months(conn, Timestamp::EPOCH, Timestamp::MAX).await?,
    };
    for chunk in people.chunks(ROWS) {
        let mut query = earning::Entity::find()
            .filter(earning::Column::MonthAt.is_in(months.iter().copied()))
            .filter(earning::Column::PersonId.is_in(chunk.iter().copied()));
        query = match scope {
            Scope::All => query,
            Scope::Between(from, until) => query
                .filter(earning::Column::OccurredAt.gte(from.as_micros()))
                .filter(earning::Column::OccurredAt.lt(until.as_micros())),
            Scope::Client(client) => query.filter(earning::Column::ClientId.eq(client.as_uuid())),
            Scope::Contracts(contracts) => {
                query.filter(earning::Column::ContractId.is_in(contracts.iter().map(|id| id.as_uuid())))
            }
        };
        for row in query.all(conn).await? {
            let earning = read_earning(&row)?;
            earnings.insert(earning.id, earning);
        }
    }
    Ok(earnings)
}

/// All reversals of some earnings, parked ones too.
///
/// # Errors
/// If the database fails.
pub async fn reversals_of(
    conn: &impl ConnectionTrait,
    earnings: &BTreeSet<EarningId>,
) -> Result<Vec<Reversal>, StorageError> {
    let earnings: Vec<_> = earnings.iter().map(|id| id.as_uuid()).collect();
    let mut found = Vec::new();
    for chunk in earnings.chunks(ROWS) {
        let rows = reversal::Entity::find()
            .filter(reversal::Column::EarningId.is_in(chunk.iter().copied()))
            .order_by_asc(reversal::Column::Id)
            .all(conn)
            .await?;
        for row in rows {
            found.push(read_reversal(&row)?);
        }
    }
    Ok(found)
}

fn read_earning(row: &earning::Model) -> Result<Earning, StorageError> {
    Ok(Earning {
        id: EarningId::from_uuid(row.id),
        person: PersonId::from_uuid(row.person_id),
        account: AccountId::from_uuid(row.account_id),
        client: ClientId::from_uuid(row.client_id),
        contract: ContractId::from_uuid(row.contract_id),
        amount: money(row.amount_minor, &row.currency)?,
        occurred_at: Timestamp::from_micros(row.occurred_at),
        settled_at: Timestamp::from_micros(row.settled_at),
    })
}

fn read_reversal(row: &reversal::Model) -> Result<Reversal, StorageError> {
    Ok(Reversal {
        id: ReversalId::from_uuid(row.id),
        earning: EarningId::from_uuid(row.earning_id),
        person: PersonId::from_uuid(row.person_id),
        amount: money(row.amount_minor, &row.currency)?,
        reversed_at: Timestamp::from_micros(row.reversed_at),
    })
}

fn money(minor: i64, currency: &str) -> Result<Money, StorageError> {
    let currency: Currency = currency.parse().map_err(corrupt)?;
    Ok(Money::new(minor, currency))
}
