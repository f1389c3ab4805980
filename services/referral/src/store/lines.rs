//! What rewards are made of: earnings and their reversals as lines, in the order in which they were earned.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::{self, Write as _},
    str::FromStr,
};

use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value, entity::prelude::Uuid};
use vouch_primitives::{AccountId, ClientId, ContractId, Currency, EarningId, Money, PersonId, ReversalId, Timestamp};
use vouch_proto::Page;
use vouch_storage::StorageError;

use super::{corrupt, earnings::months, mark, marks};
use crate::domain::{Booked, Movement, Tie};

/// One earning, or one reversal of an earning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub position: LinePosition,
    /// What it adds or takes: the gross amount, below zero for a reversal.
    pub movement: Movement,
}

/// Orders lines: by the moment of the earning; its reversals, which inherit it, come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePosition {
    /// When the earning was earned.
    pub occurred_at: Timestamp,
    /// The earning.
    pub earning: EarningId,
    /// The reversal; `None` for the earning itself.
    pub reversal: Option<ReversalId>,
}

/// Which lines of somebody: in a currency, earned in `[from, until)`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Whose.
    pub person: PersonId,
    /// In which currency.
    pub currency: Currency,
    /// From when on.
    pub from: Timestamp,
    /// Up to when; `None` without an end.
    pub until: Option<Timestamp>,
}

/// The text is not the position of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the position of a line")]
pub struct InvalidPosition;

#[derive(FromQueryResult)]
struct Row {
    person_id: Uuid,
    currency: String,
    occurred_at: i64,
    earning_id: Uuid,
    reversed: i32,
    line_id: Uuid,
    account_id: Uuid,
    client_id: Uuid,
    contract_id: Uuid,
    settled_at: i64,
    booked_at: i64,
    amount_minor: i64,
}

/// The first lines of some referees from their joining on, `most` for each referee and currency.
///
/// # Errors
/// If the database fails.
pub async fn first_of(
    conn: &impl ConnectionTrait,
    ties: &[Tie],
    most: usize,
) -> Result<HashMap<(PersonId, Currency), Vec<Line>>, StorageError> {
    let mut found: HashMap<_, Vec<Line>> = HashMap::new();
    if ties.is_empty() {
        return Ok(found);
    }
    let backend = conn.get_database_backend();
    // Whoever was introduced only has not joined by anybody.
    let joined = "COALESCE((SELECT a.joined_at FROM attribution a WHERE a.referee_person_id = e.person_id), 0)";
    let wanted = format!(
        "e.person_id IN ({}) AND e.occurred_at >= {joined}",
        marks(backend, 1, ties.len())
    );
    let lines = lines_where(&months(conn, Timestamp::EPOCH, Timestamp::MAX).await?, &wanted);
    let sql = format!(
        "SELECT * FROM (SELECT line.*, ROW_NUMBER() OVER (PARTITION BY person_id, currency ORDER BY {ORDER}) AS nth \
         FROM ({lines}) AS line) AS numbered WHERE nth <= {most} ORDER BY person_id, currency, nth"
    );
    let people = ties.iter().map(|tie| tie.payee.as_uuid().into()).collect();
    for row in all(conn, sql, people).await? {
        let key = (
            PersonId::from_uuid(row.person_id),
            row.currency.parse().map_err(corrupt)?,
        );
        found.entry(key).or_default().push(Line::try_from(row)?);
    }
    Ok(found)
}

/// The lines of a span, as many as the page needs.
///
/// # Errors
/// If the database fails.
pub async fn page_of(
    conn: &impl ConnectionTrait,
    span: Span,
    page: &Page<LinePosition>,
) -> Result<Vec<Line>, StorageError> {
    let backend = conn.get_database_backend();
    let mark = |number| mark(backend, number);
    let from = page.after.map_or(span.from, |after| span.from.max(after.occurred_at));
    let until = span.until.unwrap_or(Timestamp::MAX);
    let mut values: Vec<Value> = vec![
        span.person.as_uuid().into(),
        span.currency.code().into(),
        from.as_micros().into(),
        until.as_micros().into(),
    ];
    let wanted = format!(
        "e.person_id = {} AND e.currency = {} AND e.occurred_at >= {} AND e.occurred_at < {}",
        mark(1),
        mark(2),
        mark(3),
        mark(4)
    );
    let lines = lines_where(&months(conn, from, until).await?, &wanted);
    let mut later = String::new();
    if let Some(after) = page.after {
        let line = after.reversal.map_or(after.earning.as_uuid(), ReversalId::as_uuid);
        values.extend::<[Value; 4]>([
            after.occurred_at.as_micros().into(),
            after.earning.as_uuid().into(),
            i32::from(after.reversal.is_some()).into(),
            line.into(),
        ]);
        later = format!("WHERE ({ORDER}) > ({}, {}, {}, {})", mark(5), mark(6), mark(7), mark(8));
    }
    let sql = format!(
        "SELECT * FROM ({lines}) AS line {later} ORDER BY {ORDER} LIMIT {}",
        page.limit()
    );
    all(conn, sql, values).await?.into_iter().map(Line::try_from).collect()
}

/// All that some people have earned, and each reversal, by person.
///
/// # Errors
/// If the database fails.
pub async fn booked(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<HashMap<PersonId, Vec<Booked>>, StorageError> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    if people.is_empty() {
        return Ok(found);
    }
    let theirs = marks(conn.get_database_backend(), 1, people.len());
    let values = people.iter().map(|person| person.as_uuid().into()).collect();
    let months = months(conn, Timestamp::EPOCH, Timestamp::MAX).await?;
    let lines = lines_where(&months, &format!("e.person_id IN ({theirs})"));
    for row in all(conn, lines, values).await? {
        let (person, booked_at) = (
            PersonId::from_uuid(row.person_id),
            Timestamp::from_micros(row.booked_at),
        );
        let line = Line::try_from(row)?;
        found.entry(person).or_default().push(Booked {
            earning: line.position.earning,
            reversal: line.position.reversal,
            movement: line.movement,
            booked_at,
        });
    }
    Ok(found)
}

const ORDER: &str = "occurred_at, earning_id, reversed, line_id";

fn lines_where(months: &[i64], wanted: &str) -> String {
    // No month begins there: a list is never empty.
    let mut of_months = "-1".to_owned();
    for month in months {
        let _ = write!(of_months, ", {month}");
    }
    let wanted = format!("e.month_at IN ({of_months}) AND {wanted}");
    format!(
        "SELECT e.person_id, e.currency, e.occurred_at, e.id AS earning_id, 0 AS reversed, e.id AS line_id, \
         e.account_id, e.client_id, e.contract_id, e.settled_at, e.settled_at AS booked_at, e.amount_minor \
         FROM earning e WHERE {wanted} \
         UNION ALL SELECT e.person_id, e.currency, e.occurred_at, e.id, 1, r.id, e.account_id, \
         e.client_id, e.contract_id, e.settled_at, r.reversed_at, -r.amount_minor \
         FROM earning e JOIN reversal r ON r.earning_id = e.id AND r.person_id = e.person_id AND r.currency = e.currency \
         WHERE {wanted}"
    )
}

async fn all(conn: &impl ConnectionTrait, sql: String, values: Vec<Value>) -> Result<Vec<Row>, StorageError> {
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    Ok(Row::find_by_statement(statement).all(conn).await?)
}

impl TryFrom<Row> for Line {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let position = LinePosition {
            occurred_at: Timestamp::from_micros(row.occurred_at),
            earning: EarningId::from_uuid(row.earning_id),
            reversal: (row.reversed == 1).then(|| ReversalId::from_uuid(row.line_id)),
        };
        let movement = Movement {
            amount: Money::new(row.amount_minor, row.currency.parse().map_err(corrupt)?),
            account: AccountId::from_uuid(row.account_id),
            client: ClientId::from_uuid(row.client_id),
            contract: ContractId::from_uuid(row.contract_id),
            occurred_at: position.occurred_at,
            settled_at: Timestamp::from_micros(row.settled_at),
        };
        Ok(Self { position, movement })
    }
}

impl fmt::Display for LinePosition {
    /// The micros of the moment, the earning, and the reversal if it is one: `1768478400000000.0190….0191…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.occurred_at.as_micros(), self.earning)?;
        self.reversal.map_or(Ok(()), |reversal| write!(f, ".{reversal}"))
    }
}

impl FromStr for LinePosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.splitn(3, '.');
        let micros = parts.next().and_then(|part| part.parse().ok());
        let earning = parts.next().and_then(|part| part.parse().ok());
        let reversal = parts.next().map(str::parse).transpose();
        Ok(Self {
            occurred_at: Timestamp::from_micros(micros.ok_or(InvalidPosition)?),
            earning: earning.ok_or(InvalidPosition)?,
            reversal: reversal.map_err(|_| InvalidPosition)?,
        })
    }
}
