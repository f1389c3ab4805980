//! `Db::write_tx` and the handle itself.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use sea_orm::ConnectionTrait;
use tokio::{sync::Barrier, task::JoinSet, time::timeout};
use vouch_storage::{DatabaseConfig, Db, DbBackend, StorageError, Txn, Wake, describe, is_contended};
use vouch_testkit::{Engine, PostgresServer, TestDatabase, on_both_databases};

use crate::table::{add, open, read, read_locked, ready, write};

on_both_databases! {
    concurrent_increments_lose_nothing,
    an_error_rolls_back,
    a_read_transaction_sees_one_state,
    a_failed_statement_spoils_the_transaction,
    a_kept_transaction_is_not_committed,
    a_cancelled_transaction_is_rolled_back,
    wakes_and_counts_commits_only,
    what_cannot_work_is_refused,
    what_the_data_is_at_fault_for_never_passes,
}

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("refused")]
    Refused,
}

async fn concurrent_increments_lose_nothing(database: TestDatabase) {
    // Two handles, so that on SQLite too the writers meet in the database and not in a pool.
    let handles = [ready(&database).await, open(&database).await];
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let db = handles[task % 2].clone();
        tasks.spawn(async move {
            for _ in 0..100 {
                db.write_tx(|txn| async move {
                    let value = read_locked(&*txn, 1).await?;
                    tokio::task::yield_now().await;
                    write(&*txn, 1, value + 1).await
                })
                .await?;
            }
            Ok::<_, StorageError>(())
        });
    }
    for outcome in tasks.join_all().await {
        outcome.expect("no transaction fails");
    }
    assert_eq!(read(handles[0].reader(), 1).await.unwrap(), 800);
    assert_eq!(handles[0].commits() + handles[1].commits(), 800);
}

async fn an_error_rolls_back(database: TestDatabase) {
    let db = ready(&database).await;
    let refused = db
        .write_tx(|txn| async move {
            add(&*txn, 1).await?;
            Err::<(), _>(AppError::Refused)
        })
        .await;
    assert!(matches!(refused, Err(AppError::Refused)));
    assert_eq!(read(db.reader(), 1).await.unwrap(), 0);
    assert_eq!(db.commits(), 0);
}

async fn a_failed_statement_spoils_the_transaction(database: TestDatabase) {
    let db = ready(&database).await;
    let outcome = db
        .write_tx(|txn| async move {
            add(&*txn, 1).await?;
            let twice = txn.execute_unprepared("INSERT INTO counter VALUES (1, 0)").await;
            assert!(twice.is_err());
            Ok::<_, StorageError>(())
        })
        .await;
    assert!(matches!(&outcome, Err(StorageError::Database(_))), "{outcome:?}");
    assert!(!outcome.unwrap_err().is_transient());
    assert_eq!(read(db.reader(), 1).await.unwrap(), 0);
}

async fn a_kept_transaction_is_not_committed(database: TestDatabase) {
    let db = ready(&database).await;
    let kept: Mutex<Option<Arc<Txn>>> = Mutex::default();
    let keeps = &kept;
    let outcome = db
        .write_tx(|txn| async move {
            add(&*txn, 1).await?;
            keeps.lock().unwrap().replace(txn);
            Ok::<_, StorageError>(())
        })
        .await;
    assert!(matches!(outcome, Err(StorageError::TransactionKept)));
    kept.lock().unwrap().take();
    db.write_tx(|txn| async move { add(&*txn, 10).await }).await.unwrap();
    assert_eq!(read(db.reader(), 1).await.unwrap(), 10);
}

async fn a_cancelled_transaction_is_rolled_back(database: TestDatabase) {
    let db = ready(&database).await;
    let slow = match db.backend() {
        DbBackend::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT max(i) FROM n"
        }
        _ => "SELECT pg_sleep(0.5)",
    };
    let ends_inside_a_statement = db.write_tx(|txn| async move {
        add(&*txn, 1).await?;
        txn.execute_unprepared(slow).await?;
        Ok::<_, StorageError>(())
    });
    assert!(
        timeout(Duration::from_millis(50), ends_inside_a_statement)
            .await
            .is_err()
    );
    let ends_between_statements = db.write_tx(|txn| async move {
        add(&*txn, 1).await?;
        std::future::pending::<Result<(), StorageError>>().await
    });
    assert!(
        timeout(Duration::from_millis(50), ends_between_statements)
            .await
            .is_err()
    );
    db.write_tx(|txn| async move { add(&*txn, 10).await }).await.unwrap();
    assert_eq!(read(db.reader(), 1).await.unwrap(), 10);
}

async fn wakes_and_counts_commits_only(database: TestDatabase) {
    let db = ready(&database).await;
    let short = Duration::from_millis(20);
    let _ = db
        .write_tx(|txn| async move {
            txn.wake(Wake::Mail);
            Err::<(), _>(AppError::Refused)
        })
        .await;
    assert!(
        timeout(short, db.wakeup(Wake::Mail).notified()).await.is_err(),
        "a rollback wakes nobody"
    );
    db.write_tx(|txn| async move {
        txn.wake(Wake::Mail);
        Ok::<_, StorageError>(())
    })
    .await
    .unwrap();
    assert!(
        timeout(short, db.wakeup(Wake::Outbox).notified()).await.is_err(),
        "only whom it may concern"
    );
    timeout(Duration::from_secs(5), db.clone().wakeup(Wake::Mail).notified())
        .await
        .expect("is kept for who comes late");
    assert_eq!(db.commits(), 1);
}

async fn what_cannot_work_is_refused(database: TestDatabase) {
    let config = |url: &str, max_connections| DatabaseConfig {
        url: url.to_owned(),
        max_connections,
    };
    for config in [
        config(database.url(), 1),
        config("postgres://db/x", 4),
        config("mysql://db/x", 5),
        config("sqlite::memory:", 5),
    ] {
        let refused = Db::connect(&config).await;
        assert!(
            matches!(refused, Err(StorageError::Configuration(_))),
            "{config:?}: {refused:?}"
        );
    }
    let db = ready(&database).await;
    db.ping().await.expect("it is there");
    db.clone().close().await.unwrap();
    assert!(db.ping().await.is_err());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let config = DatabaseConfig {
        url: format!("postgres://vouch:s3cret@{address}/payments"),
        max_connections: 5,
    };
    let error = Db::connect(&config).await.expect_err("nobody is there");
    assert!(error.is_transient(), "{error:?}");
    let told = describe(&error);
    let beginning = format!("cannot open the database postgres://vouch@{address}/payments: ");
    assert!(told.starts_with(&beginning) && told.contains("refused"), "{told}");
}

#[tokio::test]
async fn sqlite_makes_its_directory_and_is_durable() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let url = database.url().replace("test.db", "a/b/test.db");
    let db = Db::connect(&DatabaseConfig {
        url,
        max_connections: 5,
    })
    .await
    .unwrap();
    db.write_tx(|txn| async move {
        for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
            let statement = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
            let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, statement);
            let row = txn.query_one_raw(statement).await?.expect("a value");
            assert_eq!(row.try_get_by_index::<String>(0)?, value, "{pragma}");
        }
        Ok::<_, StorageError>(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_open_a_new_sqlite_file_at_once() {
    for _ in 0..50 {
        let database = TestDatabase::new(Engine::Sqlite).await;
        tokio::join!(open(&database), open(&database), open(&database), open(&database));
    }
}

#[tokio::test]
async fn a_full_disk_passes_and_a_constraint_does_not() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = ready(&database).await;
    let full = db
        .write_tx(|txn| async move {
            txn.execute_unprepared("PRAGMA max_page_count = 1").await?;
            let fill = "INSERT INTO effect SELECT randomblob(16), 1 FROM pragma_function_list, pragma_function_list";
            txn.execute_unprepared(fill).await?;
            Ok::<_, StorageError>(())
        })
        .await
        .expect_err("the disk is full");
    assert!(full.is_transient(), "{full:?}");
}

async fn what_the_data_is_at_fault_for_never_passes(database: TestDatabase) {
    let db = ready(&database).await;
    for bad in [
        "INSERT INTO counter VALUES (1, 0)",
        "INSERT INTO counter VALUES (3, NULL)",
        "INSERT INTO nowhere VALUES (1)",
    ] {
        let refused = db
            .write_tx(|txn| async move {
                txn.execute_unprepared(bad).await?;
                Ok::<_, StorageError>(())
            })
            .await
            .expect_err(bad);
        assert!(!refused.is_transient(), "{bad}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_somebody_keeps_are_told_from_an_outage() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let db = &ready(&database).await;
    let (locked, let_go) = (&Barrier::new(2), &Barrier::new(2));
    let holder = db.write_tx(|txn| async move {
        add(&*txn, 1).await?;
        locked.wait().await;
        let_go.wait().await;
        Ok::<_, StorageError>(())
    });
    let waiter = async {
        locked.wait().await;
        let refused = db
            .write_tx(|txn| async move {
                txn.execute_unprepared("SET LOCAL lock_timeout = '20ms'").await?;
                add(&*txn, 1).await
            })
            .await
            .expect_err("the row is locked");
        let_go.wait().await;
        refused
    };
    let (held, refused) = tokio::join!(holder, waiter);
    held.unwrap();
    assert!(refused.is_transient() && is_contended(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_only_reads_may_write_again() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let db = ready(&database).await;
    let refused = db
        .write_tx(|txn| async move {
            txn.execute_unprepared("SET TRANSACTION READ ONLY").await?;
            add(&*txn, 1).await
        })
        .await
        .expect_err("as after a failover");
    assert!(refused.is_transient(), "{refused:?}");
}

#[tokio::test]
async fn sqlite_cannot_be_written_through_the_reader() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = ready(&database).await;
    let refused = add(db.reader(), 1).await.expect_err("read-only").to_string();
    assert_eq!(read(db.reader(), 1).await.unwrap(), 0, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serialization_failure_is_retried() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let db = ready(&database).await;
    let (meeting, attempts) = (&Barrier::new(2), &AtomicU32::new(0));
    let increment = async || {
        db.write_tx(|txn| async move {
            let serializable = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
            txn.execute_unprepared(serializable).await.map_err(StorageError::from)?;
            let value = read(&*txn, 1).await?;
            if attempts.fetch_add(1, SeqCst) < 2 {
                meeting.wait().await;
            }
            // The application's error keeps nothing of the cause: the transaction itself knows.
            write(&*txn, 1, value + 1).await.map_err(|_| AppError::Refused)
        })
        .await
    };
    tokio::try_join!(increment(), increment()).expect("no transaction fails");
    assert_eq!(read(db.reader(), 1).await.unwrap(), 2);
    assert_eq!(attempts.load(SeqCst), 3, "one of the two was done again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_retried() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let db = ready(&database).await;
    let (meeting, attempts) = (Barrier::new(2), AtomicU32::new(0));
    let (meeting, attempts) = (&meeting, &attempts);
    let crossing = async |first, second| {
        db.write_tx(|txn| async move {
            let attempt = attempts.fetch_add(1, SeqCst);
            let value = read_locked(&*txn, first).await?;
            if attempt < 2 {
                meeting.wait().await;
            }
            write(&*txn, first, value + 1).await?;
            let value = read_locked(&*txn, second).await?;
            write(&*txn, second, value + 1).await
        })
        .await
    };
    tokio::try_join!(crossing(1, 2), crossing(2, 1)).expect("no transaction fails");
    assert_eq!(
        [read(db.reader(), 1).await.unwrap(), read(db.reader(), 2).await.unwrap()],
        [2, 2]
    );
    assert_eq!(attempts.load(SeqCst), 3, "one of the two was done again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_locked_too_long_is_tried_again() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (db, attempts) = (ready(&database).await, &AtomicU32::new(0));
    let (locked, let_go) = (&Barrier::new(2), &Barrier::new(2));
    let holder = db.write_tx(|txn| async move {
        add(&*txn, 1).await?;
        locked.wait().await;
        let_go.wait().await;
        Ok::<_, StorageError>(())
    });
    let waiter = async {
        locked.wait().await;
        db.write_tx(|txn| async move {
            // The first attempt ends at lock_timeout; the second one finds the row free.
            if attempts.fetch_add(1, SeqCst) == 1 {
                let_go.wait().await;
            }
            add(&*txn, 1).await
        })
        .await
    };
    tokio::try_join!(holder, waiter).expect("both commit");
    assert_eq!(read(db.reader(), 1).await.unwrap(), 2);
    assert_eq!(attempts.load(SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_fails_no_transaction_that_begins_after_it() {
    let mut server = PostgresServer::start_private().await.expect("a server of its own");
    let url = server.create_database("restarted").await.expect("a database");
    let db = Db::connect(&DatabaseConfig {
        url,
        max_connections: 5,
    })
    .await
    .unwrap();
    let all_connections = &Barrier::new(5);
    let busy = || {
        db.write_tx(|_txn| async move {
            all_connections.wait().await;
            Ok::<_, StorageError>(())
        })
    };
    tokio::try_join!(busy(), busy(), busy(), busy(), busy()).expect("five connections");
    server.restart().await.expect("a restart");
    for _ in 0..5 {
        db.write_tx(|txn| async move {
            txn.execute_unprepared("SELECT 1").await?;
            Ok::<_, StorageError>(())
        })
        .await
        .expect("a fresh connection is had");
    }
    server.stop().await.expect("a stop");
    let down = db.ping().await.expect_err("nobody answers");
    assert!(down.is_transient(), "{down:?}");
}

async fn a_read_transaction_sees_one_state(database: TestDatabase) {
    let db = ready(&database).await;
    let increment = || db.write_tx(|txn| async move { add(&*txn, 1).await });
    let reading = db.read_tx().await.expect("a transaction");
    assert_eq!(read(&reading, 1).await.unwrap(), 0);
    increment().await.unwrap();
    assert_eq!(read(&reading, 1).await.unwrap(), 0, "as it was at the first look");
    assert!(add(&reading, 1).await.is_err(), "it is for reading");
    drop(reading);
    assert_eq!(read(&db.read_tx().await.unwrap(), 1).await.unwrap(), 1);
    increment().await.expect("whoever reads is in nobody's way");
}
