//! An open write transaction.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

/// Whom to wake once the transaction is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The relay: there are events to publish.
    Outbox,
    /// The timers' worker: the next due moment may have moved.
    Timers,
    /// The sender of mail: there is mail.
    Mail,
}

/// An open write transaction. It is the first argument of every function that writes, and none of them commits:
/// that is for [`Db::write_tx`](crate::Db::write_tx) alone.
#[derive(Debug)]
pub struct Txn {
    inner: DatabaseTransaction,
    /// The first statement that failed. PostgreSQL then refuses the rest and turns the commit into a rollback without
    /// an error, so that this is what tells.
    failure: OnceLock<DbErr>,
    wakes: [AtomicBool; Wake::ALL.len()],
}

impl Txn {
    /// Wakes `whom` after the commit; a transaction that is rolled back wakes nobody.
    pub fn wake(&self, whom: Wake) {
        self.wakes[whom.index()].store(true, Ordering::Relaxed);
    }

    pub(crate) fn new(inner: DatabaseTransaction) -> Self {
        Self {
            inner,
            failure: OnceLock::new(),
            wakes: Default::default(),
        }
    }

    pub(crate) fn failure(&self) -> Option<&DbErr> {
        self.failure.get()
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }

    /// Commits, and returns whom to wake.
    pub(crate) async fn commit(self) -> Result<Vec<Wake>, DbErr> {
        let (inner, failure, wakes) = self.into_parts();
        if let Some(failure) = failure {
            inner.rollback().await?;
            return Err(failure);
        }
        inner.commit().await?;
        Ok(wakes)
    }

    /// The transaction, still open; the first failed statement; and whom to wake.
    pub(crate) fn into_parts(self) -> (DatabaseTransaction, Option<DbErr>, Vec<Wake>) {
        let wakes = Wake::ALL
            .into_iter()
            .filter(|whom| self.wakes[whom.index()].load(Ordering::Relaxed))
            .collect();
        (self.inner, self.failure.into_inner(), wakes)
    }

    fn noted<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        outcome.inspect_err(|error| {
            let _ = self.failure.set(error.clone());
        })
    }
}

impl Wake {
    pub(crate) const ALL: [Self; 3] = [Self::Outbox, Self::Timers, Self::Mail];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Outbox => 0,
            Self::Timers => 1,
            Self::Mail => 2,
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Txn {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.noted(self.inner.execute_raw(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noted(self.inner.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.noted(self.inner.query_one_raw(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.noted(self.inner.query_all_raw(statement).await)
    }
}

/// An open transaction that only reads, and sees one state of the database however long it lasts. Dropping it ends it.
#[derive(Debug)]
pub struct ReadTxn(pub(crate) DatabaseTransaction);

#[async_trait::async_trait]
impl ConnectionTrait for ReadTxn {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }
}
