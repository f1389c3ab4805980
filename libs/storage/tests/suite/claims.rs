//! Rows stay claimed while their work is done elsewhere.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, Order, Query},
};
use tokio::time::timeout;
use vouch_primitives::{EventId, Uuid};
use vouch_storage::{Claim, Db, StorageError, Txn, Wake};
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use crate::table::{note, notes, ready};

on_both_databases! {
    finishing_writes_and_wakes,
    dropping_leaves_the_rows,
    a_failure_at_the_end_leaves_the_rows,
}

async fn with_rows(database: &TestDatabase, count: usize) -> (Db, Vec<Uuid>) {
    let db = ready(database).await;
    let keys: Vec<Uuid> = (0..count).map(|_| EventId::new().as_uuid()).collect();
    let rows = &keys;
    db.write_tx(|txn| async move { note(&*txn, rows, 0).await })
        .await
        .unwrap();
    (db, keys)
}

/// Takes the first rows that nobody else has.
async fn take(claim: &Claim, count: u64) -> Vec<Uuid> {
    let query = Query::select()
        .column("key")
        .from("effect")
        .order_by("key", Order::Asc)
        .limit(count)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    let rows = claim.query_all(&query).await.expect("rows");
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn delete(txn: &Txn, keys: &[Uuid]) -> Result<(), StorageError> {
    let keys = keys.iter().copied();
    txn.execute(
        Query::delete()
            .from_table("effect")
            .and_where(Expr::col("key").is_in(keys)),
    )
    .await?;
    Ok(())
}

/// A connection is rolled back on its way into the pool, which is soon after the drop.
async fn become_free(db: &Db, keys: &[Uuid]) {
    eventually(
        "these rows and no others are free",
        Duration::from_secs(5),
        async || {
            let free = take(&db.begin_claim().await.unwrap(), 100).await;
            if free == keys {
                Ok(())
            } else {
                Err(format!("free: {free:?}"))
            }
        },
    )
    .await;
}

async fn left(db: &Db) -> Vec<Uuid> {
    notes(db).await.into_iter().map(|(key, _)| key).collect()
}

async fn finishing_writes_and_wakes(database: TestDatabase) {
    let (db, keys) = with_rows(&database, 4).await;
    let before = db.commits();
    let claim = db.begin_claim().await.unwrap();
    let taken = &take(&claim, 3).await;
    assert_eq!(taken, &keys[..3]);
    let finished = claim
        .finish(|txn| async move {
            delete(&txn, taken).await?;
            txn.wake(Wake::Outbox);
            Ok::<_, StorageError>(taken.len())
        })
        .await;
    assert_eq!(finished.unwrap(), 3);
    assert_eq!(left(&db).await, keys[3..]);
    assert_eq!(db.commits(), before + 1);
    timeout(Duration::from_secs(5), db.wakeup(Wake::Outbox).notified())
        .await
        .expect("a wake-up");
}

async fn dropping_leaves_the_rows(database: TestDatabase) {
    let (db, keys) = with_rows(&database, 4).await;
    let claim = db.begin_claim().await.unwrap();
    assert_eq!(take(&claim, 4).await, keys);
    drop(claim);
    become_free(&db, &keys).await;
}

async fn a_failure_at_the_end_leaves_the_rows(database: TestDatabase) {
    let (db, keys) = with_rows(&database, 2).await;
    let claim = db.begin_claim().await.unwrap();
    let taken = &take(&claim, 2).await;
    let failed = claim
        .finish(|txn| async move {
            delete(&txn, taken).await?;
            Err::<(), _>(StorageError::Configuration("fails".to_owned()))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(left(&db).await, keys);
    become_free(&db, &keys).await;
}

#[tokio::test]
async fn two_claims_have_different_rows() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (db, keys) = with_rows(&database, 6).await;
    let (one, other) = (db.begin_claim().await.unwrap(), db.begin_claim().await.unwrap());
    assert_eq!(take(&one, 3).await, keys[..3]);
    assert_eq!(take(&other, 6).await, keys[3..]);
    drop(one);
    become_free(&db, &keys[..3]).await;
}

#[tokio::test]
async fn sqlite_refuses_writes_before_the_end() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let (db, keys) = with_rows(&database, 1).await;
    let claim = db.begin_claim().await.unwrap();
    assert!(note(&claim, &keys, 1).await.is_err());
}

#[tokio::test]
async fn the_rows_stay_claimed_until_the_end_is_written() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (db, keys) = with_rows(&database, 2).await;
    let claim = db.begin_claim().await.unwrap();
    let (db, taken) = (&db, &take(&claim, 2).await);
    let seen_meanwhile = claim
        .finish(|txn| async move {
            let seen = take(&db.begin_claim().await?, 2).await;
            delete(&txn, taken).await?;
            Ok::<_, StorageError>(seen)
        })
        .await;
    assert_eq!((taken, seen_meanwhile.unwrap()), (&keys, vec![]));
}
