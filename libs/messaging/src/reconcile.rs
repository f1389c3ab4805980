//! The two halves of a reconciliation: what a producer's outbox has told, and what a consumer has not applied of it. The
//! bus takes no part, so that what it has lost is found by name.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use vouch_primitives::{EventId, Timestamp, Uuid};
use vouch_storage::StorageError;

use crate::{
    dead_letter::{self, Outcome},
    inbox,
    outbox::{archive, waiting},
};

pub use crate::inbox::ContentHash;

/// An event that a producer has told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: String,
    /// When it was recorded.
    pub time: Timestamp,
    /// What identifies its content.
    pub hash: ContentHash,
    /// Whether the bus has not acknowledged it yet.
    pub unpublished: bool,
}

/// Which events of an outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Recorded at or after this moment.
    pub from: Timestamp,
    /// Recorded before this moment.
    pub until: Timestamp,
    /// Of these types; of all if empty.
    pub event_types: Vec<String>,
}

/// Why an event counts as not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It has never arrived.
    Missing,
    /// It was set aside and waits for somebody.
    DeadLetter,
    /// It was set aside and discarded.
    Discarded,
    /// Another event with this id was applied.
    OtherContent,
}

/// What an outbox has told, in the order of time and id, beginning behind the event of this time and id.
///
/// # Errors
/// If the database fails.
pub async fn published(
    conn: &impl ConnectionTrait,
    span: &Span,
    after: Option<(Timestamp, EventId)>,
    limit: u64,
) -> Result<Vec<Published>, StorageError> {
    let mut query = archive::Entity::find()
        .filter(archive::Column::CreatedAt.gte(span.from.as_micros()))
        .filter(archive::Column::CreatedAt.lt(span.until.as_micros()));
    if !span.event_types.is_empty() {
        query = query.filter(archive::Column::EventType.is_in(&span.event_types));
    }
    if let Some((time, id)) = after {
        let time = time.as_micros();
        let same = Condition::all()
            .add(archive::Column::CreatedAt.eq(time))
            .add(archive::Column::EventId.gt(id.as_uuid()));
        // The first condition is implied by the second; it lets the engines use the index.
        query = query
            .filter(archive::Column::CreatedAt.gte(time))
            .filter(Condition::any().add(archive::Column::CreatedAt.gt(time)).add(same));
    }
    let rows = query
        .order_by_asc(archive::Column::CreatedAt)
        .order_by_asc(archive::Column::EventId)
        .limit(limit)
        .all(conn)
        .await?;
    let waits: Vec<Uuid> = waiting::Entity::find()
        .select_only()
        .column(waiting::Column::EventId)
        .filter(waiting::Column::EventId.is_in(rows.iter().map(|row| row.event_id)))
        .into_tuple()
        .all(conn)
        .await?;
    let waits: HashSet<Uuid> = waits.into_iter().collect();
    let listed = rows.into_iter().map(|row| Published {
        id: EventId::from_uuid(row.event_id),
        hash: inbox::hash_of(&row.event_type, &row.payload),
        event_type: row.event_type,
        time: Timestamp::from_micros(row.created_at),
        unpublished: waits.contains(&row.event_id),
    });
    Ok(listed.collect())
}

/// Those of these events that were not applied here with this content, and what became of them.
///
/// # Errors
/// If the database fails.
pub async fn unapplied(
    conn: &impl ConnectionTrait,
    events: &[(EventId, ContentHash)],
) -> Result<Vec<(EventId, Standing)>, StorageError> {
    let applied: HashMap<Uuid, Vec<u8>> = inbox::row::Entity::find()
        .filter(inbox::row::Column::EventId.is_in(events.iter().map(|(id, _)| id.as_uuid())))
        .all(conn)
        .await?
        .into_iter()
        .map(|row| (row.event_id, row.content_hash))
        .collect();
    let same = |id: &EventId, hash: &ContentHash| applied.get(&id.as_uuid()).is_some_and(|other| other == hash);
    let names: Vec<String> = events.iter().map(|(id, _)| id.to_string()).collect();
    let set_aside: HashSet<(String, Vec<u8>)> = dead_letter::row::Entity::find()
        .filter(dead_letter::row::Column::MessageId.is_in(&names))
        .all(conn)
        .await?
        .into_iter()
        .map(|row| (row.message_id, row.content_hash))
        .collect();
    let closed = dead_letter::outcomes(conn, &names).await?;
    let standing = |(id, hash): &(EventId, ContentHash)| {
        let letter = (id.to_string(), hash.to_vec());
        match closed.get(&letter) {
            Some(Outcome::Applied) => None,
            // It is in the inbox, where nobody has applied it from.
            Some(Outcome::Discarded) => Some(Standing::Discarded),
            None if same(id, hash) => None,
            // First: the letter that such a clash leaves behind must not make it look like any other.
            None if applied.contains_key(&id.as_uuid()) => Some(Standing::OtherContent),
            None if set_aside.contains(&letter) => Some(Standing::DeadLetter),
            None => Some(Standing::Missing),
        }
    };
    let unapplied = events.iter().filter_map(|event| Some((event.0, standing(event)?)));
    Ok(unapplied.collect())
}
