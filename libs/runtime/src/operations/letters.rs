//! Dead letters: retried by the handlers that refused them, or discarded; either way on record.

use prost::Message;
use tonic::Status;
use vouch_messaging::dead_letter::{self, DeadLetter, Filter, Outcome, Reason};
use vouch_messaging::{NotApplied, reapply::Reapply};
use vouch_primitives::Timestamp;
use vouch_proto::Page;
use vouch_proto::operations::v1 as pb;
use vouch_storage::idempotency::{self, RequestKey};
use vouch_storage::{StorageError, Txn};

use super::{DEAD_LETTER_FINAL, HANDLER_UNAVAILABLE, Operations, convert, stored};
use crate::grpc::status as refuse;

/// Why a dead letter was not closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotClosed {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("there is no dead letter {0}")]
    Unknown(i64),
    #[error("dead letter {0} is {1}: it can only be discarded")]
    Final(i64, Reason),
    #[error("the handler cannot do this just now: {0}")]
    Outage(String),
    #[error("{reason}: {error}")]
    Refused { reason: Reason, error: String },
}

impl From<NotApplied> for NotClosed {
    fn from(error: NotApplied) -> Self {
        match error {
            NotApplied::Storage(error) => Self::Storage(error),
            NotApplied::Outage(text) => Self::Outage(text),
            NotApplied::Refused { reason, error } => Self::Refused { reason, error },
        }
    }
}

impl From<NotClosed> for Status {
    fn from(error: NotClosed) -> Self {
        let text = error.to_string();
        match error {
            NotClosed::Storage(error) => stored(error),
            NotClosed::Unknown(id) => refuse::not_found("dead_letter", id),
            NotClosed::Final(..) => refuse::failed_precondition(DEAD_LETTER_FINAL, text),
            NotClosed::Outage(error) => {
                tracing::warn!(error, "a dead letter could not be retried");
                refuse::unavailable("the handler cannot do this just now", HANDLER_UNAVAILABLE)
            }
            // Whoever retries turns this into an answer.
            NotClosed::Refused { .. } => refuse::internal(&error),
        }
    }
}

impl Operations {
    /// Retries one; a failure is an answer, too, and the same request again gets the same one.
    pub(super) async fn retry_one(
        &self,
        key: &RequestKey,
        id: i64,
        by: &str,
    ) -> Result<pb::RetryDeadLetterResponse, Status> {
        let applied = self.commands.once(key, |txn, now| async move {
            self.apply(&txn, now, id, by).await?;
            Ok::<_, NotClosed>(pb::RetryDeadLetterResponse {
                applied: true,
                dead_letter: None,
            })
        });
        match applied.await {
            Err(NotClosed::Refused { reason, error }) => {
                let error = &error;
                let noted = self.commands.once(key, |txn, now| async move {
                    let letter = dead_letter::note_failure(&txn, now, id, reason, error).await?;
                    Ok::<_, NotClosed>(pb::RetryDeadLetterResponse {
                        applied: false,
                        dead_letter: Some(convert::letter(&letter.ok_or(NotClosed::Unknown(id))?)),
                    })
                });
                Ok(noted.await?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Retries a page, each letter by itself, so that one that fails does not hold up the others. What was applied when
    /// the call breaks off stays applied; the same request goes on with the rest.
    pub(super) async fn retry_page(
        &self,
        key: &RequestKey,
        filter: &Filter,
        page: &Page<i64>,
        by: &str,
    ) -> Result<pb::RetryDeadLettersResponse, Status> {
        let reader = self.work.db.reader();
        if let Some(answer) = idempotency::recall(reader, key).await.map_err(stored)? {
            let unreadable = |_| stored(StorageError::RequestUnanswered { id: key.id });
            return pb::RetryDeadLettersResponse::decode(answer.as_slice()).map_err(unreadable);
        }
        let letters = dead_letter::find(reader, filter, page.after, page.limit()).await;
        let listed = page.cut(letters.map_err(stored)?, |letter| letter.id);
        let mut answer = pb::RetryDeadLettersResponse {
            next_page_token: listed.next_page_token(),
            ..Default::default()
        };
        for letter in listed.items.iter().filter(|letter| !letter.reason.is_final()) {
            let id = letter.id;
            let db = &self.work.db;
            match db
                .write_tx(|txn| async move { self.apply(&txn, self.now(), id, by).await })
                .await
            {
                Ok(()) => answer.applied += 1,
                Err(NotClosed::Refused { reason, error }) => {
                    let error = &error;
                    let noted = db.write_tx(|txn| async move {
                        dead_letter::note_failure(&txn, self.now(), id, reason, error).await
                    });
                    answer
                        .failed
                        .extend(noted.await.map_err(stored)?.as_ref().map(convert::letter));
                }
                // Somebody else has closed it meanwhile.
                Err(NotClosed::Unknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let answer = &answer;
        let remembered = self.commands.once(key, |_, _| async move { Ok(answer.clone()) });
        remembered.await.map_err(|error: StorageError| stored(error))
    }

    /// Closes one without applying it.
    pub(super) async fn discard(
        &self,
        key: &RequestKey,
        id: i64,
        reason: &str,
        by: &str,
    ) -> Result<pb::DiscardDeadLetterResponse, Status> {
        let closed = self.commands.once(key, |txn, now| async move {
            let letter = dead_letter::lock(&txn, id).await?.ok_or(NotClosed::Unknown(id))?;
            let closed = dead_letter::close(&txn, now, letter, Outcome::Discarded, by, reason).await?;
            Ok::<_, NotClosed>(pb::DiscardDeadLetterResponse {
                closed: Some(convert::closed(&closed)),
            })
        });
        let closed = closed.await?;
        tracing::warn!(dead_letter = id, by, reason, "a dead letter was discarded");
        Ok(closed)
    }

    /// Applies a letter and closes it, in the running transaction.
    async fn apply(&self, txn: &Txn, now: Timestamp, id: i64, by: &str) -> Result<(), NotClosed> {
        let letter = dead_letter::lock(txn, id).await?.ok_or(NotClosed::Unknown(id))?;
        if letter.reason.is_final() {
            return Err(NotClosed::Final(id, letter.reason));
        }
        self.reapplier(&letter)?.reapply(txn, now, &letter).await?;
        dead_letter::close(txn, now, letter, Outcome::Applied, by, "").await?;
        Ok(())
    }

    fn reapplier(&self, letter: &DeadLetter) -> Result<&dyn Reapply, NotClosed> {
        let mut all = self.reappliers.iter();
        let found = all.find(|one| one.handles(&letter.event_type)).map(|one| &**one);
        found.ok_or_else(|| NotClosed::Refused {
            reason: Reason::UnknownType,
            error: "no handler for this type".to_owned(),
        })
    }
}
