//! A look behind the port, for what no answer shows.

use prost::{Message, Name};
use sea_orm::{ConnectionTrait, Statement};
use vouch_storage::{Db, StorageError};

/// The events of one type that were told, in the order of their making.
pub async fn told<M: Message + Name + Default>(db: &Db) -> Vec<M> {
    let query = format!(
        "SELECT payload FROM outbox WHERE event_type = '{}' ORDER BY event_id",
        M::full_name()
    );
    let rows = db.reader().query_all_raw(Statement::from_string(db.backend(), query));
    let payload = |row: &sea_orm::QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
    let rows = rows.await.expect("rows");
    rows.iter()
        .map(|row| M::decode(&payload(row)[..]).expect("an event"))
        .collect()
}

/// How many rows the table has.
pub async fn count(db: &Db, table: &str) -> i64 {
    let query = format!("SELECT COUNT(*) FROM {table}");
    let row = db
        .reader()
        .query_one_raw(Statement::from_string(db.backend(), query))
        .await;
    row.expect("a row")
        .expect("a row")
        .try_get_by_index(0)
        .expect("a number")
}

/// How many rows there are of everything that a command can write.
pub async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in [
        "contract",
        "milestone",
        "earning",
        "reversal",
        "journal_entry",
        "transfer",
        "reward_posting",
        "timer",
        "outbox",
        "request",
    ] {
        counts.push((table, count(db, table).await));
    }
    counts
}

/// Tries a statement that no program of this house has, and returns what the database says to it.
pub async fn tried(db: &Db, sql: &str) -> Result<u64, String> {
    let outcome = db.write_tx(|txn| async move { Ok(txn.execute_unprepared(sql).await?.rows_affected()) });
    outcome
        .await
        .map_err(|error: StorageError| vouch_storage::describe(&error))
}
