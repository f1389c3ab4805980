use std::sync::{
    Mutex as StdMutex,
    atomic::{AtomicBool, AtomicUsize},
};

use futures::future::join_all;
use sea_orm::Statement;
use tokio::{sync::Semaphore, task::JoinHandle};
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use super::*;
use crate::DatabaseConfig;

on_both_databases! { each_of_many_gets_its_own_answer, work_that_kept_its_transaction_hurts_nobody_else }

const SOON: Duration = Duration::from_secs(10);

async fn open(database: &TestDatabase) -> Db {
    let url = database.url().to_owned();
    let config = DatabaseConfig {
        url,
        max_connections: 8,
    };
    let db = Db::connect(&config).await.expect("connected");
    execute(&db, "CREATE TABLE kept (id INTEGER PRIMARY KEY)")
        .await
        .expect("made");
    db
}

async fn execute(db: &Db, statement: &str) -> Result<(), StorageError> {
    db.write_tx(|txn| async move {
        txn.execute_unprepared(statement).await?;
        Ok(())
    })
    .await
}

async fn insert(txn: &Txn, id: usize) -> Result<(), StorageError> {
    txn.execute_unprepared(&format!("INSERT INTO kept VALUES ({id})"))
        .await?;
    Ok(())
}

async fn kept(db: &Db) -> Vec<i32> {
    let all = Statement::from_string(db.backend(), "SELECT id FROM kept ORDER BY id");
    let rows = db.reader().query_all_raw(all).await.expect("read");
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("a number"))
        .collect()
}

/// On SQLite, counts the commits from now on, and lets them fail if it is told to.
async fn commits(db: &Db, fail: bool) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let pool = db.writer().get_sqlite_connection_pool();
    let mut connection = pool.acquire().await.expect("a connection");
    let mut handle = connection.lock_handle().await.expect("a handle");
    handle.set_commit_hook(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        !fail
    });
    count
}

/// A caller that has the turn, and keeps it until `gate` lets it go.
fn holder(db: &Db, id: usize, gate: &Arc<Semaphore>) -> JoinHandle<Result<(), StorageError>> {
    let (db, gate) = (db.clone(), Arc::clone(gate));
    tokio::spawn(async move {
        let gate = &gate;
        db.write_together(|txn| async move {
            insert(&txn, id).await?;
            gate.acquire().await.expect("open").forget();
            Ok(())
        })
        .await
    })
}

fn caller(db: &Db, id: usize) -> JoinHandle<Result<(), StorageError>> {
    let db = db.clone();
    tokio::spawn(async move { db.write_together(|txn| async move { insert(&txn, id).await }).await })
}

/// Waits until so many stand in line behind the one whose turn it is.
async fn stand_in_line(db: &Db, callers: usize) {
    eventually("the line", SOON, async || {
        let waiting = db.line().waiting.load(Ordering::SeqCst);
        if waiting == callers && db.line().open.try_lock().is_err() {
            Ok(())
        } else {
            Err(format!("{waiting} in line"))
        }
    })
    .await;
}

/// One who has the turn and holds it, and three in line behind it.
async fn four(db: &Db) -> (Arc<Semaphore>, Vec<JoinHandle<Result<(), StorageError>>>) {
    let gate = Arc::new(Semaphore::new(0));
    let mut callers = vec![holder(db, 1, &gate)];
    stand_in_line(db, 0).await;
    for id in 2..=4 {
        callers.push(caller(db, id));
        stand_in_line(db, id - 1).await;
    }
    (gate, callers)
}

async fn each_of_many_gets_its_own_answer(database: TestDatabase) {
    let db = open(&database).await;
    let answers = join_all((0..40).map(|id| {
        let db = db.clone();
        async move {
            db.write_together(|txn| async move {
                insert(&txn, id).await?;
                let refusal = StorageError::Configuration(id.to_string());
                if id % 4 == 1 { Err(refusal) } else { Ok(id) }
            })
            .await
        }
    }))
    .await;
    for (id, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(answer) => assert!(answer == id && id % 4 != 1),
            Err(StorageError::Configuration(text)) => assert!(text == id.to_string() && id % 4 == 1),
            Err(error) => panic!("{error}"),
        }
    }
    let expected: Vec<i32> = (0..40).filter(|id| id % 4 != 1).collect();
    assert_eq!(kept(&db).await, expected);
}

async fn work_that_kept_its_transaction_hurts_nobody_else(database: TestDatabase) {
    let db = open(&database).await;
    let hoard = StdMutex::new(Vec::new());
    let keep = async {
        let outcome = db
            .write_together(|txn| {
                hoard.lock().expect("whole").push(Arc::clone(&txn));
                async move { insert(&txn, 100).await }
            })
            .await;
        hoard.lock().expect("whole").clear();
        outcome
    };
    let others = join_all((0..8).map(|id| caller(&db, id)));
    let (kept_it, others) = tokio::join!(keep, others);
    assert!(matches!(kept_it, Err(StorageError::TransactionKept)));
    for other in others {
        other.expect("joined").expect("written");
    }
    assert_eq!(kept(&db).await, (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn those_who_meet_share_one_commit() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = open(&database).await;
    let before = db.commits();
    let commits = commits(&db, false).await;
    let (gate, callers) = four(&db).await;
    assert_eq!(kept(&db).await, Vec::<i32>::new());
    gate.add_permits(1);
    for caller in callers {
        caller.await.expect("joined").expect("written");
    }
    assert_eq!(kept(&db).await, [1, 2, 3, 4]);
    assert_eq!((commits.load(Ordering::SeqCst), db.commits() - before), (1, 4));
}

#[tokio::test]
async fn a_statement_that_fails_takes_back_its_own_transaction_alone() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = open(&database).await;
    let commits = commits(&db, false).await;
    let (gate, callers) = four(&db).await;
    let other = db.clone();
    // The second insert fails; what the work makes of that does not matter.
    let spoilt = tokio::spawn(async move {
        other
            .write_together(|txn| async move {
                insert(&txn, 5).await?;
                let _ = insert(&txn, 1).await;
                txn.wake(Wake::Mail);
                Ok::<_, StorageError>(())
            })
            .await
    });
    stand_in_line(&db, 4).await;
    gate.add_permits(1);
    for caller in callers {
        caller.await.expect("joined").expect("written");
    }
    spoilt.await.expect("joined").expect_err("a duplicate key");
    assert_eq!(kept(&db).await, [1, 2, 3, 4]);
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    let woken = timeout(Duration::from_millis(1), async {
        db.wakeup(Wake::Mail).notified().await
    });
    woken.await.expect_err("nobody is woken for what is not in");
}

#[tokio::test]
async fn nobody_is_told_that_it_is_in_before_it_is() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = open(&database).await;
    let commits = commits(&db, true).await;
    let (gate, callers) = four(&db).await;
    gate.add_permits(1);
    for caller in callers {
        caller.await.expect("joined").expect_err("the commit fails");
    }
    assert_eq!((kept(&db).await, commits.load(Ordering::SeqCst)), (vec![], 1));
}

#[tokio::test]
async fn a_panic_or_a_caller_that_leaves_costs_the_others_nothing() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = open(&database).await;
    let (gate, mut callers) = four(&db).await;
    let other = db.clone();
    let panicked = AtomicBool::new(false);
    let panics = tokio::spawn(async move {
        let panicked = &panicked;
        other
            .write_together(|txn| async move {
                insert(&txn, 5).await?;
                assert!(panicked.swap(true, Ordering::SeqCst), "as was to be shown");
                Ok::<_, StorageError>(())
            })
            .await
    });
    stand_in_line(&db, 4).await;
    callers.push(caller(&db, 6));
    stand_in_line(&db, 5).await;
    let leaves = callers.remove(2);
    leaves.abort();
    stand_in_line(&db, 4).await;
    gate.add_permits(2);
    for caller in callers {
        caller.await.expect("joined").expect("written");
    }
    panics.await.expect_err("a panic stays one");
    assert_eq!(kept(&db).await, [1, 2, 4, 6]);
    caller(&db, 7).await.expect("joined").expect("the line goes on");
}

#[tokio::test]
async fn nobody_is_refused_for_what_never_came_to_be() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let db = open(&database).await;
    let commits = commits(&db, true).await;
    let (gate, callers) = four(&db).await;
    let other = db.clone();
    let refused = tokio::spawn(async move {
        other
            .write_together(|txn| async move {
                let first = Statement::from_string(DbBackend::Sqlite, "SELECT id FROM kept WHERE id = 1");
                match txn.query_one_raw(first).await? {
                    Some(_) => Err(StorageError::Configuration("taken".to_owned())),
                    None => Ok(()),
                }
            })
            .await
    });
    stand_in_line(&db, 4).await;
    gate.add_permits(1);
    for caller in callers {
        caller.await.expect("joined").expect_err("the commit fails");
    }
    let refusal = refused.await.expect("joined").expect_err("the commit fails");
    assert!(!matches!(refusal, StorageError::Configuration(_)), "{refusal:?}");
    assert_eq!(commits.load(Ordering::SeqCst), 1);
}
