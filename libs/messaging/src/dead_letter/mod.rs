//! Messages that could not be applied, kept with the reason until somebody has looked at them.
//!
//! A dead letter is not in the inbox: when its cause is mended it can be applied like any other event, from here
//! ([`Reapply`](crate::Reapply)) or because the producer publishes it again. Whoever deals with one closes it, and what
//! is closed stays on record.

mod closed;

use std::{fmt, str::FromStr};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn};

use crate::Envelope;

pub(crate) use closed::outcomes;
pub use closed::{ClosedLetter, Outcome, close, list_closed};

/// Why a message was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It lacks what makes it an event: an id, a type, a time …
    Malformed,
    /// No handler for its type: this service is older or newer than the message expects.
    UnknownType,
    /// Its payload is not a message of its type.
    Undecodable,
    /// Its id belongs to another event that was applied before.
    IdReused,
    /// Its handler refused it for good.
    Rejected,
    /// Its handler panicked.
    Panicked,
}

/// A message that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The row's number, in order of arrival.
    pub id: i64,
    /// The event's id, or stream and sequence where there is none.
    pub message_id: String,
    /// The stream that it came from.
    pub stream: String,
    /// Its place in that stream.
    pub sequence: u64,
    /// The event's type; empty where there is none.
    pub event_type: String,
    /// The headers, one `name: value` a line.
    pub headers: String,
    /// The bytes as they came.
    pub payload: Vec<u8>,
    /// Why it is here.
    pub reason: Reason,
    /// What the decoder or the handler said.
    pub error: String,
    /// When it was set aside.
    pub created_at: Timestamp,
    /// How often it was retried since.
    pub retries: u32,
    /// When it was retried last.
    pub retried_at: Option<Timestamp>,
    pub(crate) content_hash: Vec<u8>,
}

/// Which dead letters; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this stream.
    pub stream: Option<String>,
    /// Of this type.
    pub event_type: Option<String>,
    /// For this reason.
    pub reason: Option<Reason>,
    /// Set aside at or after this moment.
    pub from: Option<Timestamp>,
    /// Set aside before this moment.
    pub until: Option<Timestamp>,
}

/// How many messages were set aside and not closed.
///
/// # Errors
/// If the database fails.
pub async fn count(conn: &impl ConnectionTrait) -> Result<u64, StorageError> {
    Ok(row::Entity::find().count(conn).await?)
}

/// When the oldest of them was set aside.
///
/// # Errors
/// If the database fails.
pub async fn oldest(conn: &impl ConnectionTrait) -> Result<Option<Timestamp>, StorageError> {
    let oldest: Option<Option<i64>> = row::Entity::find()
        .select_only()
        .expr(Expr::col(row::Column::CreatedAt).min())
        .into_tuple()
        .one(conn)
        .await?;
    Ok(oldest.flatten().map(Timestamp::from_micros))
}

/// The messages that were set aside, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<DeadLetter>, StorageError> {
    find(conn, &Filter::default(), None, limit).await
}

/// Those that the filter lets through, the oldest first, beginning behind the number `after`.
///
/// # Errors
/// If the database fails.
pub async fn find(
    conn: &impl ConnectionTrait,
    filter: &Filter,
    after: Option<i64>,
    limit: u64,
) -> Result<Vec<DeadLetter>, StorageError> {
    let mut query = row::Entity::find();
    if let Some(after) = after {
        query = query.filter(row::Column::Id.gt(after));
    }
    if let Some(stream) = &filter.stream {
        query = query.filter(row::Column::Stream.eq(stream));
    }
    if let Some(event_type) = &filter.event_type {
        query = query.filter(row::Column::EventType.eq(event_type));
    }
    if let Some(reason) = filter.reason {
        query = query.filter(row::Column::Reason.eq(reason.to_string()));
    }
    if let Some(from) = filter.from {
        query = query.filter(row::Column::CreatedAt.gte(from.as_micros()));
    }
    if let Some(until) = filter.until {
        query = query.filter(row::Column::CreatedAt.lt(until.as_micros()));
    }
    let rows = query.order_by_asc(row::Column::Id).limit(limit).all(conn).await?;
    rows.into_iter().map(DeadLetter::try_from).collect()
}

/// The dead letter of this number.
///
/// # Errors
/// If the database fails.
pub async fn get(conn: &impl ConnectionTrait, id: i64) -> Result<Option<DeadLetter>, StorageError> {
    let row = row::Entity::find_by_id(id).one(conn).await?;
    row.map(DeadLetter::try_from).transpose()
}

/// The dead letter of this number, locked until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(txn: &Txn, id: i64) -> Result<Option<DeadLetter>, StorageError> {
    let row = row::Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    row.map(DeadLetter::try_from).transpose()
}

/// Notes on a dead letter that it failed again, and how; gives it back as it is then, if it is still there.
///
/// # Errors
/// If the database fails.
pub async fn note_failure(
    txn: &Txn,
    now: Timestamp,
    id: i64,
    reason: Reason,
    error: &str,
) -> Result<Option<DeadLetter>, StorageError> {
    row::Entity::update_many()
        .col_expr(row::Column::Reason, Expr::value(reason.to_string()))
        .col_expr(row::Column::Error, Expr::value(short(error)))
        .col_expr(row::Column::Retries, Expr::col(row::Column::Retries).add(1))
        .col_expr(row::Column::RetriedAt, Expr::value(now.as_micros()))
        .filter(row::Column::Id.eq(id))
        .exec(txn)
        .await?;
    get(txn, id).await
}

/// A message on its way into the table.
pub(crate) struct NewDeadLetter {
    pub message_id: String,
    pub content_hash: [u8; 32],
    pub stream: String,
    pub sequence: u64,
    pub event_type: String,
    pub headers: String,
    pub payload: Vec<u8>,
    pub reason: Reason,
    pub error: String,
}

/// Sets messages aside. The same content under the same id is kept once, however often it is delivered.
pub(crate) async fn insert(txn: &Txn, now: Timestamp, letters: &[&NewDeadLetter]) -> Result<(), StorageError> {
    if letters.is_empty() {
        return Ok(());
    }
    let rows = letters.iter().map(|letter| row::ActiveModel {
        id: NotSet,
        message_id: Set(storable(&letter.message_id)),
        content_hash: Set(letter.content_hash.to_vec()),
        stream: Set(letter.stream.clone()),
        sequence: Set(i64::try_from(letter.sequence).unwrap_or(i64::MAX)),
        event_type: Set(storable(&letter.event_type)),
        headers: Set(storable(&letter.headers)),
        payload: Set(letter.payload.clone()),
        reason: Set(letter.reason.to_string()),
        error: Set(short(&letter.error)),
        created_at: Set(now.as_micros()),
        retries: Set(0),
        retried_at: Set(None),
    });
    row::Entity::insert_many(rows)
        .on_conflict_do_nothing_on([row::Column::MessageId, row::Column::ContentHash])
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// What went wrong, in no more than this many characters: it may repeat what the message brought along.
fn short(error: &str) -> String {
    let beginning: String = error.chars().take(1_000).collect();
    storable(&beginning)
}

/// PostgreSQL's text has no NUL, which a message may bring along.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl DeadLetter {
    /// The event that it was meant to be; the error names the header at fault.
    pub(crate) fn event(&self) -> Result<Envelope, String> {
        let header = |wanted: &str| {
            let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
            lines
                .into_iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        Envelope::from_headers(header, self.payload.clone().into())
    }
}

impl Reason {
    /// Whether a message that was set aside for this can ever be applied: one without an id, or with the id of another
    /// event, cannot.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Malformed | Self::IdReused)
    }

    const NAMES: [(Self, &'static str); 6] = [
        (Self::Malformed, "MALFORMED"),
        (Self::UnknownType, "UNKNOWN_TYPE"),
        (Self::Undecodable, "UNDECODABLE"),
        (Self::IdReused, "ID_REUSED"),
        (Self::Rejected, "REJECTED"),
        (Self::Panicked, "PANICKED"),
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            Self::NAMES
                .iter()
                .find(|(reason, _)| reason == self)
                .map_or("", |(_, name)| name),
        )
    }
}

impl FromStr for Reason {
    type Err = DbErr;

    fn from_str(text: &str) -> Result<Self, DbErr> {
        let known = Self::NAMES.iter().find(|(_, name)| *name == text);
        known
            .map(|(reason, _)| *reason)
            .ok_or_else(|| DbErr::Type(format!("unknown dead letter reason {text:?}")))
    }
}

impl TryFrom<row::Model> for DeadLetter {
    type Error = StorageError;

    fn try_from(row: row::Model) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.id,
            message_id: row.message_id,
            stream: row.stream,
            sequence: row.sequence.unsigned_abs(),
            event_type: row.event_type,
            headers: row.headers,
            payload: row.payload,
            reason: row.reason.parse()?,
            error: row.error,
            created_at: Timestamp::from_micros(row.created_at),
            retries: row.retries.unsigned_abs(),
            retried_at: row.retried_at.map(Timestamp::from_micros),
            content_hash: row.content_hash,
        })
    }
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "dead_letter")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub message_id: String,
        pub content_hash: Vec<u8>,
        pub stream: String,
        pub sequence: i64,
        pub event_type: String,
        pub headers: String,
        pub payload: Vec<u8>,
        pub reason: String,
        pub error: String,
        pub created_at: i64,
        pub retries: i32,
        pub retried_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
