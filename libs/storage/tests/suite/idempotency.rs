//! A request is carried out once.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use tokio::task::JoinSet;
use vouch_primitives::{RequestId, Timestamp};
use vouch_storage::{
    Db, StorageError,
    idempotency::{self, Claimed, RequestKey},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::table::{add, open, read, ready};

on_both_databases! {
    the_work_is_done_once_and_answered_the_same,
    the_same_id_with_another_request_is_refused,
    failed_work_gives_the_id_back,
    a_claim_without_an_answer_is_found_out,
    what_was_released_is_new_and_what_was_answered_stays,
}

fn key(id: RequestId, hash: u8) -> RequestKey {
    RequestKey {
        id,
        method: "vouch.test.v1.AddRequest".to_owned(),
        hash: [hash; 32],
    }
}

/// Counts up, and answers with the count.
async fn add_once(db: &Db, key: &RequestKey) -> Result<Vec<u8>, StorageError> {
    db.write_tx(|txn| async move {
        if let Claimed::Answered(answer) = idempotency::claim(&txn, Timestamp::EPOCH, key).await? {
            return Ok(answer);
        }
        add(&*txn, 1).await?;
        let answer = read(&*txn, 1).await?.to_be_bytes().to_vec();
        idempotency::answer(&txn, key.id, &answer).await?;
        Ok(answer)
    })
    .await
}

async fn the_work_is_done_once_and_answered_the_same(database: TestDatabase) {
    let handles = [ready(&database).await, open(&database).await];
    for round in 1_i64..=5 {
        let key = key(RequestId::new(), 1);
        let mut tasks = JoinSet::new();
        for task in 0..20 {
            let (db, key) = (handles[task % 2].clone(), key.clone());
            tasks.spawn(async move { add_once(&db, &key).await });
        }
        for answer in tasks.join_all().await {
            assert_eq!(answer.expect("an answer"), round.to_be_bytes());
        }
        assert_eq!(read(handles[0].reader(), 1).await.unwrap(), round);
    }
}

async fn the_same_id_with_another_request_is_refused(database: TestDatabase) {
    let db = ready(&database).await;
    let (id, method) = (RequestId::new(), "vouch.test.v1.SubtractRequest".to_owned());
    add_once(&db, &key(id, 1)).await.unwrap();
    for other in [key(id, 2), RequestKey { method, ..key(id, 1) }] {
        let refused = add_once(&db, &other).await;
        assert!(
            matches!(refused, Err(StorageError::RequestIdReused { id: reused }) if reused == id),
            "{refused:?}"
        );
    }
    assert_eq!(read(db.reader(), 1).await.unwrap(), 1);
    add_once(&db, &key(id, 1))
        .await
        .expect("the first one is still answered");
}

async fn failed_work_gives_the_id_back(database: TestDatabase) {
    let (db, key, attempts) = (ready(&database).await, &key(RequestId::new(), 1), &AtomicU32::new(0));
    let failed = db
        .write_tx(|txn| async move {
            attempts.fetch_add(1, SeqCst);
            assert_eq!(idempotency::claim(&txn, Timestamp::EPOCH, key).await?, Claimed::Fresh);
            add(&*txn, 1).await?;
            Err::<(), _>(StorageError::Configuration("the work fails".to_owned()))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(attempts.load(SeqCst), 1, "a failure of the work is not retried");
    assert_eq!(add_once(&db, key).await.unwrap(), 1_i64.to_be_bytes());
}

async fn a_claim_without_an_answer_is_found_out(database: TestDatabase) {
    let (db, key) = (ready(&database).await, &key(RequestId::new(), 1));
    let claim = || db.write_tx(|txn| async move { idempotency::claim(&txn, Timestamp::EPOCH, key).await });
    assert_eq!(claim().await.unwrap(), Claimed::Fresh);
    assert!(matches!(claim().await, Err(StorageError::RequestUnanswered { .. })));
}

async fn what_was_released_is_new_and_what_was_answered_stays(database: TestDatabase) {
    let (db, id) = (ready(&database).await, RequestId::new());
    let (one, other) = (&key(id, 1), &key(id, 2));
    let claim = |key| db.write_tx(move |txn| async move { idempotency::claim(&txn, Timestamp::EPOCH, key).await });
    let release = || db.write_tx(|txn| async move { idempotency::release(&txn, id).await });
    idempotency::compare(db.reader(), one).await.expect("nobody has it");
    assert_eq!(claim(one).await.unwrap(), Claimed::Fresh);
    idempotency::compare(db.reader(), one).await.expect("it is the same");
    let refused = idempotency::compare(db.reader(), other).await;
    assert!(matches!(refused, Err(StorageError::RequestIdReused { id: reused }) if reused == id));
    release().await.unwrap();
    assert_eq!(add_once(&db, other).await.unwrap(), 1_i64.to_be_bytes());
    release().await.unwrap();
    assert_eq!(add_once(&db, other).await.unwrap(), 1_i64.to_be_bytes());
    assert_eq!(read(db.reader(), 1).await.unwrap(), 1);
}
