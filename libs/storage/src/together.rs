//! Group commit on SQLite: callers who come at the same time share one transaction, and so one wait for the disk.
//!
//! They stand in line, and the open transaction goes from one to the next. Each does its own work, in its own task and
//! behind a savepoint, and hands the transaction on. Whoever opened it sends a committer to the end of the line as it was
//! then; when the committer's turn comes it commits for all, and only then anybody is answered. Nobody waits for company:
//! who finds no one else in line commits at once, as ever.
//!
//! A group that breaks (a panic, a caller that is dropped, a savepoint that cannot be taken back) is rolled back as a
//! whole; nobody of it was answered, and those who are without fault work again, each in a transaction of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use tokio::{
    sync::{Mutex, MutexGuard, oneshot},
    time::timeout,
};

use crate::{Db, StorageError, Txn, Wake, db::Outcome, error::is_lost_race};

/// How long the line may be, as for the connection itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where callers stand; who is first has the open transaction, if there is one.
#[derive(Default)]
pub(crate) struct Line {
    open: Mutex<Option<Group>>,
    /// How many stand in it. It decides how a transaction is committed, never whether.
    waiting: AtomicUsize,
}

/// A transaction that holds the finished work of its members. Dropping it rolls it back and tells them so.
struct Group {
    transaction: DatabaseTransaction,
    members: Vec<Member>,
}

struct Member {
    /// Whom its work wakes; a refused one has done none.
    wakes: Option<Vec<Wake>>,
    /// Is told what came of the commit.
    answer: oneshot::Sender<Result<(), DbErr>>,
}

/// How a caller's turn ended.
enum Turn<T, E> {
    /// It is in, or will never be.
    Over(Result<T, E>),
    /// This is the answer when the group is in: also a refusal may come of what others of the group have written.
    Joined(Result<T, E>, oneshot::Receiver<Result<(), DbErr>>),
    /// It is to be done again: it lost a race, or its group broke.
    Again,
}

impl Db {
    /// As [`write_tx`](Self::write_tx), for many small transactions at the same time: on SQLite those that meet are
    /// committed together. A work that fails takes back its own changes alone, and may have seen those of others before
    /// it in the group, which are in or not together with its own. On PostgreSQL, whose server does the same by itself,
    /// there is no difference.
    ///
    /// # Errors
    /// As [`write_tx`](Self::write_tx).
    pub async fn write_together<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: Fn(Arc<Txn>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<StorageError> + Send,
    {
        if self.backend() != DbBackend::Sqlite {
            return self.write_tx(work).await;
        }
        match self.turn(&work).await {
            Turn::Over(result) => return result,
            Turn::Joined(result, answer) => match answer.await {
                Ok(Ok(())) => return result,
                Ok(Err(error)) if !is_lost_race(&error) => return Err(StorageError::from(error).into()),
                Ok(Err(_)) | Err(_) => {}
            },
            Turn::Again => {}
        }
        self.write_tx(work).await
    }

    /// Waits for the turn, works, and hands the transaction on.
    async fn turn<T, E, F, Fut>(&self, work: &F) -> Turn<T, E>
    where
        F: Fn(Arc<Txn>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StorageError>,
    {
        let line = self.line();
        let mut open = match line.stand().await {
            Ok(open) => open,
            Err(error) => return Turn::Over(Err(error.into())),
        };
        let Some(group) = open.take() else {
            return match self.begin().await {
                Ok(transaction) => self.first(open, transaction, work).await,
                Err(error) => Turn::Over(Err(error.into())),
            };
        };
        let Group { transaction, members } = group;
        if transaction.execute_unprepared("SAVEPOINT member").await.is_err() {
            return Turn::Again;
        }
        let txn = Arc::new(Txn::new(transaction));
        let result = work(Arc::clone(&txn)).await;
        let Ok(txn) = Arc::try_unwrap(txn) else {
            return Turn::Over(Err(StorageError::TransactionKept.into()));
        };
        let (transaction, failure, wakes) = txn.into_parts();
        let whole = result.is_ok() && failure.is_none();
        let end = if whole {
            "RELEASE member"
        } else {
            "ROLLBACK TO member; RELEASE member"
        };
        let ended = transaction.execute_unprepared(end).await.is_ok();
        let mut group = Group { transaction, members };
        if !ended {
            // The transaction is not what it was, and is dropped.
            return Turn::Again;
        }
        let turn = match result {
            Ok(value) if whole => Turn::Joined(Ok(value), group.join(Some(wakes))),
            result => match refused(result, failure) {
                Turn::Over(refusal) => Turn::Joined(refusal, group.join(None)),
                turn => turn,
            },
        };
        *open = Some(group);
        turn
    }

    /// The first of a group has no need of a savepoint: nothing else is in the transaction yet.
    async fn first<T, E, F, Fut>(
        &self,
        mut open: MutexGuard<'_, Option<Group>>,
        transaction: DatabaseTransaction,
        work: &F,
    ) -> Turn<T, E>
    where
        F: Fn(Arc<Txn>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StorageError>,
    {
        let txn = Arc::new(Txn::new(transaction));
        let result = work(Arc::clone(&txn)).await;
        let Ok(txn) = Arc::try_unwrap(txn) else {
            return Turn::Over(Err(StorageError::TransactionKept.into()));
        };
        let (transaction, failure, wakes) = txn.into_parts();
        let value = match result {
            Ok(value) if failure.is_none() => value,
            result => {
                // A rollback that fails leaves a broken connection, whose transaction is gone with it.
                let _ = transaction.rollback().await;
                return refused(result, failure);
            }
        };
        if self.line().waiting.load(Ordering::Relaxed) == 0 {
            return match transaction.commit().await {
                Ok(()) => {
                    self.committed(&wakes);
                    Turn::Over(Ok(value))
                }
                Err(error) => match Outcome::<T, E>::failed(error) {
                    Outcome::LostRace(_) => Turn::Again,
                    Outcome::Done(result) => Turn::Over(result),
                },
            };
        }
        let mut group = Group {
            transaction,
            members: Vec::new(),
        };
        let answer = group.join(Some(wakes));
        *open = Some(group);
        let db = self.clone();
        // In a task of its own: the group is committed even if all of its callers have left.
        tokio::spawn(async move { db.commit_together().await });
        Turn::Joined(Ok(value), answer)
    }

    /// Waits for the turn and commits whatever group is open.
    async fn commit_together(&self) {
        let mut open = self.line().open.lock().await;
        let Some(Group { transaction, members }) = open.take() else {
            return;
        };
        let outcome = transaction.commit().await;
        for Member { wakes, answer } in members {
            if let (Ok(()), Some(wakes)) = (&outcome, &wakes) {
                self.committed(wakes);
            }
            // A caller that has left needs no answer.
            let _ = answer.send(outcome.clone());
        }
    }
}

impl Line {
    /// Stands in line until it is one's turn.
    async fn stand(&self) -> Result<MutexGuard<'_, Option<Group>>, StorageError> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _leaves = Leaves(self);
        let too_long = |_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        Ok(timeout(PATIENCE, self.open.lock()).await.map_err(too_long)?)
    }
}

/// Leaves the line when it is dropped, whether the turn has come or the caller has gone.
struct Leaves<'a>(&'a Line);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Group {
    fn join(&mut self, wakes: Option<Vec<Wake>>) -> oneshot::Receiver<Result<(), DbErr>> {
        let (answer, told) = oneshot::channel();
        self.members.push(Member { wakes, answer });
        told
    }
}

/// What a work comes to that was taken back: the first failed statement decides whether it is done again.
fn refused<T, E: From<StorageError>>(result: Result<T, E>, failure: Option<DbErr>) -> Turn<T, E> {
    match (result, failure) {
        (_, Some(failure)) if is_lost_race(&failure) => Turn::Again,
        (Ok(_), Some(failure)) => Turn::Over(Err(StorageError::from(failure).into())),
        (result, _) => Turn::Over(result),
    }
}

#[cfg(test)]
mod tests;
