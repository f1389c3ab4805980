//! Messages that could not be applied, kept with the reason until somebody has looked at them.
//!
//! A dead letter is not in the inbox: when its cause is mended and the producer publishes the event again, it is
//! applied like any other.

use std::{fmt, str::FromStr};

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryOrder, QuerySelect,
};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn};

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
}

/// How many messages were set aside and not discarded.
///
/// # Errors
/// If the database fails.
pub async fn count(conn: &impl ConnectionTrait) -> Result<u64, StorageError> {
    Ok(row::Entity::find().count(conn).await?)
}

/// The messages that were set aside, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<DeadLetter>, StorageError> {
    let rows = row::Entity::find()
        .order_by_asc(row::Column::Id)
        .limit(limit)
        .all(conn)
        .await?;
    rows.into_iter().map(DeadLetter::try_from).collect()
}

/// Removes a dead letter that somebody has dealt with. Returns whether it was there.
///
/// # Errors
/// If the database fails.
pub async fn discard(txn: &Txn, id: i64) -> Result<bool, StorageError> {
    Ok(row::Entity::delete_by_id(id).exec(txn).await?.rows_affected > 0)
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
        error: Set(storable(&letter.error)),
        created_at: Set(now.as_micros()),
    });
    row::Entity::insert_many(rows)
        .on_conflict_do_nothing_on([row::Column::MessageId, row::Column::ContentHash])
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// PostgreSQL's text has no NUL, which a message may bring along.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Reason {
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
        })
    }
}

mod row {
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
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
