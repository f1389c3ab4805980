//! Carrying out a command once, however often it is sent.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use prost::Message;
use vouch_primitives::{Clock, Timestamp};
use vouch_storage::idempotency::{self, Claimed, RequestKey};
use vouch_storage::{Db, StorageError, Txn};

/// What every use case that changes something goes through: one transaction, claimed by the request's id.
#[derive(Clone)]
pub struct Commands {
    db: Db,
    clock: Arc<dyn Clock>,
}

impl Commands {
    /// Commands on this database, at this clock's time.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    /// Runs `work` in a transaction, on SQLite one that concurrent commands may share, and stores its answer there; the same request again gets the same answer and
    /// `work` is not run. `work` may run more than once when the transaction loses against another one.
    ///
    /// ```ignore
    /// let client = self.commands.once(&key, |txn, now| async move { create(&txn, now, &command).await }).await?;
    /// ```
    ///
    /// # Errors
    /// The work's error, with nothing stored; [`StorageError::RequestIdReused`] when the id came before with another
    /// request.
    pub async fn once<M, E, F, Fut>(&self, key: &RequestKey, work: F) -> Result<M, E>
    where
        M: Message + Default,
        E: Error + From<StorageError> + Send + 'static,
        F: Fn(Arc<Txn>, Timestamp) -> Fut + Send + Sync,
        Fut: Future<Output = Result<M, E>> + Send,
    {
        let work = &work;
        self.db
            .write_together(|txn| async move {
                let now = self.clock.now();
                match idempotency::claim(&txn, now, key).await? {
                    Claimed::Answered(bytes) => Ok(decode(key, &bytes)?),
                    Claimed::Fresh => {
                        let answer = work(Arc::clone(&txn), now).await?;
                        idempotency::answer(&txn, key.id, &answer.encode_to_vec()).await?;
                        Ok(answer)
                    }
                }
            })
            .await
    }

    /// The answer to a request that was carried out before, if it was: for whoever has to ask somebody else before [`Self::once`],
    /// who need not answer again.
    ///
    /// # Errors
    /// [`StorageError::RequestIdReused`] when the id came before with another request.
    pub async fn answered<M: Message + Default>(&self, key: &RequestKey) -> Result<Option<M>, StorageError> {
        let answer = idempotency::recall(self.db.reader(), key).await?;
        answer.map(|bytes| decode(key, &bytes)).transpose()
    }

    /// The present moment, for queries.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The database, for queries.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// The method and the hash were the same, so the stored bytes are an answer of this type, unless the type changed.
fn decode<M: Message + Default>(key: &RequestKey, bytes: &[u8]) -> Result<M, StorageError> {
    M::decode(bytes).map_err(|error| {
        tracing::error!(%error, request.id = %key.id, "a stored answer cannot be read");
        StorageError::RequestUnanswered { id: key.id }
    })
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("db", &self.db).finish_non_exhaustive()
    }
}
