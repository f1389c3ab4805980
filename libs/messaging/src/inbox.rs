//! The inbox: which events were applied. The id is claimed in the transaction that applies the event.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, TryInsertResult,
    sea_query::{Expr, Query},
};
use sha2::{Digest, Sha256};
use vouch_primitives::{EventId, Timestamp};
use vouch_storage::{StorageError, Txn};

use crate::Envelope;

/// SHA-256 over the type and the payload: two events with one id must agree on it.
pub type ContentHash = [u8; 32];

/// What is wrong with an event whose id another one has.
pub const CLASH: &str = "an event with this id and another content was applied before";

/// What the inbox says to a batch.
pub struct Claimed {
    /// Seen for the first time: to be applied now.
    pub fresh: HashSet<EventId>,
    /// An event with this id but with another content was applied before.
    pub clashing: HashSet<EventId>,
}

/// Claims the ids of a batch. They must be distinct and in ascending order, so that two consumers that meet on the
/// same ids wait for one another instead of deadlocking.
pub async fn claim(txn: &Txn, now: Timestamp, events: &[(EventId, ContentHash)]) -> Result<Claimed, StorageError> {
    let rows = events.iter().map(|(id, hash)| row::ActiveModel {
        event_id: Set(id.as_uuid()),
        content_hash: Set(hash.to_vec()),
        received_at: Set(now.as_micros()),
    });
    let inserted = row::Entity::insert_many(rows)
        .on_conflict_do_nothing_on([row::Column::EventId])
        .exec_with_returning_keys(txn)
        .await?;
    let fresh: HashSet<EventId> = match inserted {
        TryInsertResult::Inserted(ids) => ids.into_iter().map(EventId::from_uuid).collect(),
        TryInsertResult::Empty | TryInsertResult::Conflicted => HashSet::new(),
    };
    let known: HashMap<EventId, &ContentHash> = events
        .iter()
        .filter(|(id, _)| !fresh.contains(id))
        .map(|(id, hash)| (*id, hash))
        .collect();
    let mut clashing = HashSet::new();
    if !known.is_empty() {
        let ids = known.keys().map(|id| id.as_uuid());
        for applied in row::Entity::find()
            .filter(row::Column::EventId.is_in(ids))
            .all(txn)
            .await?
        {
            let id = EventId::from_uuid(applied.event_id);
            if known
                .get(&id)
                .is_some_and(|hash| hash.as_slice() != applied.content_hash)
            {
                clashing.insert(id);
            }
        }
    }
    Ok(Claimed { fresh, clashing })
}

/// Forgets at most `limit` of the events that were applied before `until`, and returns how many. What is forgotten
/// would be applied again: `until` must lie before all that a stream or an outbox still holds.
///
/// # Errors
/// If the database fails.
pub async fn prune(txn: &Txn, until: Timestamp, limit: u64) -> Result<u64, StorageError> {
    let old = Query::select()
        .column("event_id")
        .from("inbox")
        .and_where(Expr::col("received_at").lt(until.as_micros()))
        .limit(limit)
        .to_owned();
    let pruned = row::Entity::delete_many().filter(row::Column::EventId.in_subquery(old));
    Ok(pruned.exec(txn).await?.rows_affected)
}

pub fn content_hash(event: &Envelope) -> ContentHash {
    hash_of(&event.event_type, &event.payload)
}

pub fn hash_of(event_type: &str, payload: &[u8]) -> ContentHash {
    Sha256::new()
        .chain_update(event_type)
        .chain_update([0])
        .chain_update(payload)
        .finalize()
        .into()
}

pub mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "inbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        pub content_hash: Vec<u8>,
        pub received_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
