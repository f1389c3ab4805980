//! One handle for both engines.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::Notify;

use crate::{
    Claim, FailPoint, ReadTxn, StorageError, Txn, Wake,
    config::{DatabaseConfig, Purpose, open_postgres, open_sqlite},
    error::{is_broken_connection, is_lost_race},
    fail_point::Armed,
    metrics,
    retry::{RETRIES, pause},
    together::Line,
};

/// A database, SQLite or PostgreSQL. Clones share the connections.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

/// Is shown statements.
type Observer = Arc<dyn Fn(&Statement) + Send + Sync>;

struct Inner {
    config: DatabaseConfig,
    backend: DbBackend,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    commits: AtomicU64,
    running_tasks: AtomicU64,
    armed: Armed,
    wakeups: [Arc<Notify>; Wake::ALL.len()],
    line: Line,
}

impl Db {
    /// Opens the database that `config` names.
    ///
    /// SQLite: a write-ahead log with full synchronisation, foreign keys on, one connection for writing and a pool that
    /// can only read; below version 3.51.3 it is refused. PostgreSQL: one pool, 3 s for a connection, 2 s for a lock,
    /// 10 s for a statement, 15 s idle inside a transaction.
    ///
    /// # Errors
    /// When the configuration cannot work or the database cannot be reached.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, StorageError> {
        Self::open(config, None).await
    }

    /// The same, and `observe` is shown every statement that has a text and values, once it is carried out: for those who
    /// measure. Its time is then not among the metrics.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_observed(
        config: &DatabaseConfig,
        observe: impl Fn(&Statement) + Send + Sync + 'static,
    ) -> Result<Self, StorageError> {
        Self::open(config, Some(Arc::new(observe))).await
    }

    async fn open(config: &DatabaseConfig, observe: Option<Observer>) -> Result<Self, StorageError> {
        let backend = config.backend()?;
        let least = config.least_connections()?;
        if config.max_connections < least {
            return Err(StorageError::Configuration(format!(
                "max_connections must be at least {least}"
            )));
        }
        let (mut writer, mut reader) = if backend == DbBackend::Sqlite {
            let (mut writer, mut reader) = open_sqlite(config).await?;
            metrics::measure(&mut writer);
            metrics::measure(&mut reader);
            metrics::count(&writer, "writer", 1);
            metrics::count(&reader, "reader", config.max_connections);
            (writer, reader)
        } else {
            let mut pool = open_postgres(config, Purpose::Serving).await?;
            metrics::measure(&mut pool);
            metrics::count(&pool, "all", config.max_connections);
            (pool.clone(), pool)
        };
        if let Some(observe) = observe {
            for connection in [&mut writer, &mut reader] {
                let observe = Arc::clone(&observe);
                connection.set_metric_callback(move |done| observe(done.statement));
            }
        }
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            backend,
            writer,
            reader,
            commits: AtomicU64::new(0),
            running_tasks: AtomicU64::new(0),
            armed: Armed::default(),
            wakeups: Default::default(),
            line: Line::default(),
        })))
    }

    /// Which engine it is: [`DbBackend::Sqlite`] or [`DbBackend::Postgres`].
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.0.backend
    }

    /// Connections for reading, each query on its own; SQLite refuses to write through them.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.0.reader
    }

    /// Begins a transaction for reading, whose queries all see the same state (REPEATABLE READ, read only, on
    /// PostgreSQL). It holds a connection: nothing but queries belongs between its begin and its end.
    ///
    /// # Errors
    /// When no connection can be had.
    #[expect(clippy::disallowed_methods, reason = "this is the door for reading")]
    pub async fn read_tx(&self) -> Result<ReadTxn, StorageError> {
        let options = if self.0.backend == DbBackend::Sqlite {
            TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..TransactionOptions::default()
            }
        } else {
            TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            }
        };
        let mut attempt = 0;
        loop {
            match self.0.reader.begin_with_options(options).await {
                Err(error) if attempt < RETRIES && is_broken_connection(&error) => {
                    attempt += 1;
                    pause(attempt).await;
                }
                outcome => return Ok(ReadTxn(outcome?)),
            }
        }
    }

    /// Runs `work` in a transaction and commits it if the work returns `Ok`.
    ///
    /// SQLite takes the write lock at once (`BEGIN IMMEDIATE`); PostgreSQL works at READ COMMITTED, so that rows which
    /// are read in order to be changed must be locked by the query. A transaction that loses against another one
    /// (serialization failure, deadlock, lock time-out, busy) is done again from its start, up to five times with a
    /// random pause: `work` must have no effect outside the database. So is one that meets a broken connection at its
    /// very begin, as after a restart of the server.
    ///
    /// ```ignore
    /// let id = db.write_tx(|txn| async move { store::insert(&txn, &client).await }).await?;
    /// ```
    ///
    /// # Errors
    /// The work's own error, after a rollback; or a [`StorageError`] when the transaction cannot begin or commit. When
    /// the connection breaks during the commit, it is unknown whether the transaction is in.
    pub async fn write_tx<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: Fn(Arc<Txn>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<StorageError> + Send,
    {
        let mut attempt = 0;
        loop {
            let txn = Txn::new(self.begin().await?);
            match self.run(txn, &work).await {
                Outcome::LostRace(_) if attempt < RETRIES => {
                    attempt += 1;
                    pause(attempt).await;
                }
                Outcome::LostRace(error) => return Err(error),
                Outcome::Done(result) => return result,
            }
        }
    }

    /// Begins a [`Claim`].
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin_claim(&self) -> Result<Claim, StorageError> {
        Claim::begin(self).await
    }

    /// How many write transactions this handle and its clones have committed. It tells a test clock that something
    /// has happened.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.commits.load(Ordering::SeqCst)
    }

    /// How many timer tasks are at work outside the database: nothing in the tables shows them.
    #[must_use]
    pub fn running_tasks(&self) -> u64 {
        self.0.running_tasks.load(Ordering::SeqCst)
    }

    /// Is notified after each commit whose transaction called [`Txn::wake`] with `whom`. One waiter is woken; a wake-up
    /// while nobody waits is kept for the next one to come.
    #[must_use]
    pub fn wakeup(&self, whom: Wake) -> Arc<Notify> {
        Arc::clone(&self.0.wakeups[whom.index()])
    }

    /// Ends the process, without any farewell, when it next comes to `point`. For tests of crashes.
    pub fn arm(&self, point: FailPoint) {
        self.0.armed.arm(point);
    }

    /// Says that the process has come to `point`.
    pub fn reached(&self, point: FailPoint) {
        self.0.armed.reached(point);
    }

    /// Asks the database whether it is there.
    ///
    /// # Errors
    /// When it is not.
    pub async fn ping(&self) -> Result<(), StorageError> {
        Ok(self.0.reader.ping().await?)
    }

    /// Closes all connections, those of the clones too, when they have come back.
    ///
    /// # Errors
    /// When the driver reports one.
    pub async fn close(self) -> Result<(), StorageError> {
        self.0.reader.close_by_ref().await?;
        // SQLite folds the write-ahead log into the file when its last connection, the writing one, closes.
        self.0.writer.close_by_ref().await?;
        Ok(())
    }

    pub(crate) fn config(&self) -> &DatabaseConfig {
        &self.0.config
    }

    /// Begins a transaction on whatever connection still works; nothing has happened before, so that it may be tried
    /// again.
    #[expect(clippy::disallowed_methods, reason = "this is what write_tx begins with")]
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StorageError> {
        let immediate = (self.0.backend == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions {
            sqlite_transaction_mode: immediate,
            ..TransactionOptions::default()
        };
        let mut attempt = 0;
        loop {
            match self.0.writer.begin_with_options(options).await {
                Err(error) if attempt < RETRIES && (is_lost_race(&error) || is_broken_connection(&error)) => {
                    attempt += 1;
                    pause(attempt).await;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// One attempt: work, then commit or rollback.
    pub(crate) async fn run<T, E, F, Fut>(&self, txn: Txn, work: &F) -> Outcome<T, E>
    where
        F: Fn(Arc<Txn>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<StorageError>,
    {
        let txn = Arc::new(txn);
        let result = work(Arc::clone(&txn)).await;
        // What the work made of the error does not matter: the first failed statement decides about the retry.
        let lost = txn.failure().is_some_and(is_lost_race);
        let Ok(txn) = Arc::try_unwrap(txn) else {
            // The rollback happens when the last handle is dropped.
            return Outcome::Done(Err(StorageError::TransactionKept.into()));
        };
        match result {
            Ok(value) => match txn.commit().await {
                Ok(wakes) => {
                    self.committed(&wakes);
                    Outcome::Done(Ok(value))
                }
                Err(error) => Outcome::failed(error),
            },
            Err(error) => {
                // A rollback that fails leaves a broken connection, whose transaction is gone with it.
                let _ = txn.rollback().await;
                if lost {
                    Outcome::LostRace(error)
                } else {
                    Outcome::Done(Err(error))
                }
            }
        }
    }

    /// Counts a task as running until the guard is dropped.
    pub(crate) fn task_guard(&self) -> TaskGuard {
        self.0.running_tasks.fetch_add(1, Ordering::SeqCst);
        TaskGuard(self.clone())
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.0.writer
    }

    pub(crate) fn line(&self) -> &Line {
        &self.0.line
    }

    /// What follows a commit.
    pub(crate) fn committed(&self, wakes: &[Wake]) {
        if wakes.contains(&Wake::Outbox) {
            self.reached(FailPoint::CommittedNotPublished);
        }
        self.0.commits.fetch_add(1, Ordering::SeqCst);
        for whom in wakes {
            self.0.wakeups[whom.index()].notify_one();
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.0.config).finish()
    }
}

/// How one attempt at a transaction ended.
pub(crate) enum Outcome<T, E> {
    Done(Result<T, E>),
    LostRace(E),
}

impl<T, E: From<StorageError>> Outcome<T, E> {
    pub(crate) fn failed(error: DbErr) -> Self {
        let lost = is_lost_race(&error);
        let error = StorageError::from(error).into();
        if lost {
            Self::LostRace(error)
        } else {
            Self::Done(Err(error))
        }
    }
}

pub(crate) struct TaskGuard(Db);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.0.running_tasks.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use sea_orm::ConnectionTrait;
    use vouch_testkit::{Engine, TestDatabase};

    use super::*;

    /// As when the disk fails in the middle of a COMMIT: SQLite has then rolled back by itself, and the driver does not
    /// know.
    async fn fail_the_next_commit(db: &Db) {
        let pool = db.0.writer.get_sqlite_connection_pool();
        let mut connection = pool.acquire().await.expect("a connection");
        let failed = AtomicBool::new(false);
        let mut handle = connection.lock_handle().await.expect("a handle");
        handle.set_commit_hook(move || failed.swap(true, Ordering::SeqCst));
    }

    async fn execute(db: &Db, statement: &'static str, then: Result<(), StorageError>) -> Result<(), StorageError> {
        let then = &std::sync::Mutex::new(Some(then));
        db.write_tx(|txn| async move {
            txn.execute_unprepared(statement).await?;
            then.lock().expect("whole").take().unwrap_or(Ok(()))
        })
        .await
    }

    #[tokio::test]
    async fn a_commit_that_fails_takes_no_later_one_with_it() {
        let database = TestDatabase::new(Engine::Sqlite).await;
        let url = database.url().to_owned();
        let db = Db::connect(&DatabaseConfig {
            url,
            max_connections: 2,
        })
        .await
        .expect("connected");
        execute(&db, "CREATE TABLE kept (id INTEGER)", Ok(()))
            .await
            .expect("made");
        fail_the_next_commit(&db).await;
        execute(&db, "INSERT INTO kept VALUES (1)", Ok(()))
            .await
            .expect_err("the commit fails");
        let refusal = StorageError::Configuration("refused".to_owned());
        execute(&db, "INSERT INTO kept VALUES (2)", Err(refusal))
            .await
            .expect_err("rolled back");
        execute(&db, "INSERT INTO kept VALUES (3)", Ok(()))
            .await
            .expect("committed");
        let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM kept");
        let row = db.reader().query_one_raw(count).await.expect("read").expect("a row");
        assert_eq!(row.try_get_by_index::<i64>(0).expect("a number"), 1);
    }
}
