//! Dead letters that somebody has dealt with: the record of what was done, by whom and why.

use std::{collections::HashMap, fmt, str::FromStr};

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn};

use super::{DeadLetter, storable};
use crate::inbox::{self, ContentHash};

/// How a dead letter was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was applied.
    Applied,
    /// It was left unapplied on purpose.
    Discarded,
}

/// A dead letter that somebody has dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedLetter {
    /// The dead letter as it was.
    pub letter: DeadLetter,
    /// How it was closed.
    pub outcome: Outcome,
    /// Who did it.
    pub by: String,
    /// Why; empty if it was applied.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Takes a dead letter off the list of those that wait, and puts it on record. What is discarded enters the inbox, so
/// that it stays unapplied when it comes again.
///
/// # Errors
/// If the database fails.
pub async fn close(
    txn: &Txn,
    now: Timestamp,
    letter: DeadLetter,
    mut outcome: Outcome,
    by: &str,
    reason: &str,
) -> Result<ClosedLetter, StorageError> {
    super::row::Entity::delete_by_id(letter.id).exec(txn).await?;
    if outcome == Outcome::Discarded
        && let Ok(event) = letter.event()
        && let Ok(hash) = ContentHash::try_from(letter.content_hash.as_slice())
    {
        let claimed = inbox::claim(txn, now, &[(event.id, hash)]).await?;
        if claimed.fresh.is_empty() && claimed.clashing.is_empty() {
            // It came again, and was applied, while its letter waited.
            outcome = Outcome::Applied;
        }
    }
    let row = row::ActiveModel {
        id: Set(letter.id),
        message_id: Set(letter.message_id.clone()),
        content_hash: Set(letter.content_hash.clone()),
        stream: Set(letter.stream.clone()),
        sequence: Set(i64::try_from(letter.sequence).unwrap_or(i64::MAX)),
        event_type: Set(letter.event_type.clone()),
        headers: Set(letter.headers.clone()),
        payload: Set(letter.payload.clone()),
        reason: Set(letter.reason.to_string()),
        error: Set(letter.error.clone()),
        created_at: Set(letter.created_at.as_micros()),
        retries: Set(i32::try_from(letter.retries).unwrap_or(i32::MAX)),
        retried_at: Set(letter.retried_at.map(Timestamp::as_micros)),
        outcome: Set(outcome.to_string()),
        closed_by: Set(by.to_owned()),
        closed_reason: Set(storable(reason)),
        closed_at: Set(now.as_micros()),
    };
    row::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(ClosedLetter {
        letter,
        outcome,
        by: by.to_owned(),
        reason: reason.to_owned(),
        at: now,
    })
}

/// What was closed, the latest first, beginning behind the one that was closed at this moment under this number.
///
/// # Errors
/// If the database fails.
pub async fn list_closed(
    conn: &impl ConnectionTrait,
    after: Option<(Timestamp, i64)>,
    limit: u64,
) -> Result<Vec<ClosedLetter>, StorageError> {
    let mut query = row::Entity::find();
    if let Some((at, id)) = after {
        let at = at.as_micros();
        let same = Condition::all()
            .add(row::Column::ClosedAt.eq(at))
            .add(row::Column::Id.lt(id));
        query = query.filter(Condition::any().add(row::Column::ClosedAt.lt(at)).add(same));
    }
    let rows = query
        .order_by_desc(row::Column::ClosedAt)
        .order_by_desc(row::Column::Id)
        .limit(limit)
        .all(conn)
        .await?;
    rows.into_iter().map(ClosedLetter::try_from).collect()
}

/// How the letters of these messages were closed, by message and content; the one that was closed last counts.
pub(crate) async fn outcomes(
    conn: &impl ConnectionTrait,
    message_ids: &[String],
) -> Result<HashMap<(String, Vec<u8>), Outcome>, StorageError> {
    let rows = row::Entity::find()
        .filter(row::Column::MessageId.is_in(message_ids))
        .order_by_asc(row::Column::Id)
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|row| Ok(((row.message_id, row.content_hash), row.outcome.parse()?)))
        .collect()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "APPLIED",
            Self::Discarded => "DISCARDED",
        })
    }
}

impl FromStr for Outcome {
    type Err = DbErr;

    fn from_str(text: &str) -> Result<Self, DbErr> {
        match text {
            "APPLIED" => Ok(Self::Applied),
            "DISCARDED" => Ok(Self::Discarded),
            _ => Err(DbErr::Type(format!("unknown outcome of a dead letter {text:?}"))),
        }
    }
}

impl TryFrom<row::Model> for ClosedLetter {
    type Error = StorageError;

    fn try_from(row: row::Model) -> Result<Self, StorageError> {
        Ok(Self {
            letter: DeadLetter {
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
            },
            outcome: row.outcome.parse()?,
            by: row.closed_by,
            reason: row.closed_reason,
            at: Timestamp::from_micros(row.closed_at),
        })
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "dead_letter_closed")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
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
        pub outcome: String,
        pub closed_by: String,
        pub closed_reason: String,
        pub closed_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
