//! Work that is done outside the database, publishing or sending, on rows that nobody else should take meanwhile.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use crate::{Db, StorageError, Txn, db::Outcome};

/// The most time that the work outside may take, after which PostgreSQL lets the rows go.
const PATIENCE: &str = "SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// Rows that stay claimed while the work on them is done outside the database.
///
/// Read the rows through the claim with `FOR UPDATE SKIP LOCKED` (`lock_with_behavior`), do the work, and write its
/// outcome in [`finish`](Claim::finish). On PostgreSQL this is one open transaction, whose row locks hide the rows
/// from other claims and die with the process. On SQLite nothing is held: one process has the file, and it must not
/// run two claimants of the same rows. Dropping a claim frees its rows.
///
/// Whoever dies between the work and `finish` leaves rows that will be worked on again: the work must bear that.
#[derive(Debug)]
pub struct Claim {
    db: Db,
    /// The transaction that holds the locks, on PostgreSQL.
    holding: Option<Txn>,
}

impl Claim {
    /// Runs the closing writes and frees the rows: in the claim's own transaction on PostgreSQL, in a
    /// [`write_tx`](Db::write_tx) on SQLite.
    ///
    /// # Errors
    /// As [`Db::write_tx`]. On PostgreSQL the writes are not tried again, since the locks are gone by then.
    pub async fn finish<T, E, F, Fut>(self, work: F) -> Result<T, E>
    where
        F: Fn(Arc<Txn>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<StorageError> + Send,
    {
        match self.holding {
            None => self.db.write_tx(work).await,
            Some(txn) => match self.db.run(txn, &work).await {
                Outcome::Done(result) => result,
                Outcome::LostRace(error) => Err(error),
            },
        }
    }

    pub(crate) async fn begin(db: &Db) -> Result<Self, StorageError> {
        let holding = match db.backend() {
            DbBackend::Postgres => {
                let txn = Txn::new(db.begin().await?);
                txn.execute_unprepared(PATIENCE).await?;
                Some(txn)
            }
            _ => None,
        };
        Ok(Self {
            db: db.clone(),
            holding,
        })
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Claim {
    fn get_database_backend(&self) -> DbBackend {
        self.db.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.holding {
            Some(txn) => txn.execute_raw(statement).await,
            None => self.db.reader().execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &self.holding {
            Some(txn) => txn.execute_unprepared(sql).await,
            None => self.db.reader().execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.holding {
            Some(txn) => txn.query_one_raw(statement).await,
            None => self.db.reader().query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.holding {
            Some(txn) => txn.query_all_raw(statement).await,
            None => self.db.reader().query_all_raw(statement).await,
        }
    }
}
