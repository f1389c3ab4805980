//! A mutating request carries an id of its sender's making. It is carried out once; the same request again gets the
//! same answer, and the same id with another request is refused.
//!
//! ```ignore
//! db.write_tx(|txn| async move {
//!     if let Claimed::Answered(bytes) = idempotency::claim(&txn, now, key).await? {
//!         return decode(bytes);
//!     }
//!     let answer = work(&txn).await?;
//!     idempotency::answer(&txn, key.id, &answer.encode_to_vec()).await?;
//!     Ok(answer)
//! })
//! ```

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, Set, TryInsertResult,
    sea_query::{Expr, Query},
};
use vouch_primitives::{RequestId, Timestamp};

use crate::{StorageError, Txn, metrics};

/// How many texts answers are looked through for at once: SQLite takes no more than a thousand alternatives.
const ALTERNATIVES: usize = 250;

/// What a request is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The sender's id.
    pub id: RequestId,
    /// The full name of the request's message.
    pub method: String,
    /// SHA-256 of the encoded request.
    pub hash: [u8; 32],
}

/// What came of claiming a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is new: carry it out and store the answer with [`answer`] in the same transaction.
    Fresh,
    /// It was carried out before, with this answer.
    Answered(Vec<u8>),
}

/// Claims the request. Come first in the transaction: a concurrent one with the same id waits here until this one is
/// committed or rolled back, and a rollback frees the id again.
///
/// # Errors
/// [`StorageError::RequestIdReused`] when the id came before with another method or hash.
pub async fn claim(txn: &Txn, now: Timestamp, key: &RequestKey) -> Result<Claimed, StorageError> {
    loop {
        let row = entity::ActiveModel {
            id: Set(key.id.as_uuid()),
            method: Set(key.method.clone()),
            hash: Set(key.hash.to_vec()),
            answer: Set(None),
            created_at: Set(now.as_micros()),
        };
        let inserted = entity::Entity::insert(row)
            .on_conflict_do_nothing_on([entity::Column::Id])
            .exec_without_returning(txn)
            .await?;
        if matches!(inserted, TryInsertResult::Inserted(1)) {
            return Ok(Claimed::Fresh);
        }
        // The row is committed: whoever else had inserted it, the insert above has waited for. If it is gone by now,
        // it was released in between.
        if let Some(earlier) = find(txn, key).await? {
            let answer = earlier.answer.ok_or(StorageError::RequestUnanswered { id: key.id })?;
            return Ok(Claimed::Answered(answer));
        }
    }
}

/// Forgets at most `limit` of the requests that were claimed before `until`, and returns how many. A request that comes
/// again after that would be carried out again.
///
/// # Errors
/// When the database fails.
pub async fn prune(txn: &Txn, until: Timestamp, limit: u64) -> Result<u64, StorageError> {
    let old = Query::select()
        .column("id")
        .from("request")
        .and_where(Expr::col("created_at").lt(until.as_micros()))
        .limit(limit)
        .to_owned();
    let pruned = entity::Entity::delete_many().filter(entity::Column::Id.in_subquery(old));
    Ok(pruned.exec(txn).await?.rows_affected)
}

/// Tells a request from another one that came before under the same id, and claims nothing.
///
/// # Errors
/// [`StorageError::RequestIdReused`] when the id came before with another method or hash.
pub async fn compare(conn: &impl ConnectionTrait, key: &RequestKey) -> Result<(), StorageError> {
    find(conn, key).await.map(|_| ())
}

/// The answer to a request that was carried out before, if it was; claims nothing.
///
/// # Errors
/// [`StorageError::RequestIdReused`] when the id came before with another method or hash.
pub async fn recall(conn: &impl ConnectionTrait, key: &RequestKey) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(find(conn, key).await?.and_then(|row| row.answer))
}

/// Gives the id of a request back that was claimed and came to nothing; one that was answered stays answered.
///
/// # Errors
/// When the database fails.
pub async fn release(txn: &Txn, id: RequestId) -> Result<(), StorageError> {
    entity::Entity::delete_many()
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .filter(entity::Column::Answer.is_null())
        .exec(txn)
        .await?;
    Ok(())
}

/// Empties the answers that hold one of these texts, such as the id of a person who is erased. The same request again is
/// still known, and gets an answer that says nothing. Looks through all answers, once for some hundreds of texts.
///
/// # Errors
/// When the database fails.
pub async fn erase_answers(txn: &Txn, about: &[String]) -> Result<(), StorageError> {
    let backend = txn.get_database_backend();
    let holds = |text: &String| match backend {
        DbBackend::Sqlite => Expr::cust_with_values("instr(answer, ?) > 0", [text.as_bytes().to_vec()]),
        _ => Expr::cust_with_values("position($1 in answer) > 0", [text.as_bytes().to_vec()]),
    };
    for chunk in about.chunks(ALTERNATIVES) {
        let one_of_them = chunk.iter().map(holds).fold(Condition::any(), Condition::add);
        entity::Entity::update_many()
            .col_expr(entity::Column::Answer, Expr::value(Vec::<u8>::new()))
            .filter(Expr::cust("length(answer) > 0"))
            .filter(one_of_them)
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Stores the answer of a request that was claimed in this transaction.
///
/// # Errors
/// When the database fails.
pub async fn answer(txn: &Txn, id: RequestId, answer: &[u8]) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .col_expr(entity::Column::Answer, Expr::value(answer))
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

async fn find(conn: &impl ConnectionTrait, key: &RequestKey) -> Result<Option<entity::Model>, StorageError> {
    match entity::Entity::find_by_id(key.id.as_uuid()).one(conn).await? {
        Some(row) if row.method != key.method || row.hash != key.hash => {
            metrics::repeated(&key.method, true);
            Err(StorageError::RequestIdReused { id: key.id })
        }
        found => {
            if found.as_ref().is_some_and(|row| row.answer.is_some()) {
                metrics::repeated(&key.method, false);
            }
            Ok(found)
        }
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "request")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub method: String,
        pub hash: Vec<u8>,
        pub answer: Option<Vec<u8>>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
