//! The database alone: the very statements of the path, recorded once and carried out again, with the values that they
//! had, in the transactions that they stood in. No rules, no decoding, no bus.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use sea_orm::{ConnectionTrait, Statement};
use tokio::{sync::watch, task};
use vouch_storage::{Db, StorageError};
use vouch_suite::Error;

/// What one database was asked to do, and by which task.
#[derive(Default)]
pub struct Tape(Mutex<Vec<(Option<task::Id>, Statement)>>);

/// The same, as transactions.
#[derive(Clone, Default)]
pub struct Score {
    /// Of the consumer, one after the other.
    applied: Vec<Vec<Statement>>,
    /// Of the relay: what it took, and how it said that this was published.
    relayed: Vec<Pass>,
}

#[derive(Clone)]
struct Pass {
    /// How many of the consumer's transactions were under way before.
    after: usize,
    due: Statement,
    delete: Statement,
}

impl Tape {
    pub fn record(&self, statement: &Statement) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((task::try_id(), statement.clone()));
    }

    /// Forgets everything.
    pub fn rewind(&self) {
        drop(self.take());
    }

    /// Takes what is on it.
    pub fn take(&self) -> Vec<(Option<task::Id>, Statement)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is on the tape, as transactions. Consumer and relay work at the same time; the relay is who reads and deletes
    /// `outbox_pending`, and it may read once more before it deletes. The consumer's transactions all begin with the inbox.
    pub fn score(&self) -> Score {
        let mut score = Score::default();
        let mut taken = VecDeque::new();
        for (_, statement) in self.take() {
            let text = statement.sql.as_str();
            if !text.starts_with("INSERT") && text.contains("outbox_pending") {
                if text.contains("JOIN") {
                    taken.push_back((score.applied.len(), statement));
                } else if text.starts_with("DELETE")
                    && let Some((after, due)) = taken.pop_front()
                {
                    let delete = statement;
                    score.relayed.push(Pass { after, due, delete });
                }
            } else if text.starts_with("INSERT INTO \"inbox\"") {
                score.applied.push(vec![statement]);
            } else if let Some(transaction) = score.applied.last_mut() {
                transaction.push(statement);
            }
        }
        score
    }
}

impl Score {
    /// How many transactions there are.
    pub fn commits(&self) -> usize {
        self.applied.len() + self.relayed.len()
    }

    /// Carries all of it out. What was at the same time is so again.
    pub async fn play(self, db: &Db) -> Result<(), Error> {
        let (progress, seen) = watch::channel(0);
        let applied = async {
            for (number, transaction) in self.applied.into_iter().enumerate() {
                apply(db, transaction).await?;
                progress.send_replace(number + 1);
            }
            Ok::<_, Error>(())
        };
        let relayed = async {
            let mut seen = seen;
            for Pass { after, due, delete } in self.relayed {
                seen.wait_for(|done| *done >= after).await?;
                let claim = db.begin_claim().await?;
                claim.query_all_raw(due).await?;
                let delete = &Mutex::new(vec![delete]);
                claim.finish(|txn| async move { run(&*txn, delete).await }).await?;
            }
            Ok(())
        };
        tokio::try_join!(applied, relayed).map(drop)
    }
}

/// One transaction.
pub async fn apply(db: &Db, transaction: Vec<Statement>) -> Result<(), StorageError> {
    let once = &Mutex::new(transaction);
    db.write_tx(|txn| async move { run(&*txn, once).await }).await
}

/// The statements are given away, as a copy would cost what the path does not pay.
async fn run(conn: &impl ConnectionTrait, once: &Mutex<Vec<Statement>>) -> Result<(), StorageError> {
    let statements = std::mem::take(&mut *once.lock().unwrap_or_else(PoisonError::into_inner));
    for statement in statements {
        if statement.sql.starts_with("SELECT") || statement.sql.contains(" RETURNING ") {
            conn.query_all_raw(statement).await?;
        } else {
            conn.execute_raw(statement).await?;
        }
    }
    Ok(())
}
