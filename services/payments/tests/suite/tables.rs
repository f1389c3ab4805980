//! A look behind the port, for what no answer shows.

use sea_orm::ConnectionTrait;
use vouch_storage::{Db, StorageError};

pub use vouch_testkit::tables::{count, told};

/// How many rows there are of everything that a command can write.
pub async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in [
        "contract",
        "milestone",
        "billing_method",
        "charge",
        "charge_attempt",
        "weekly_limit",
        "time_entry",
        "invoice",
        "invoice_line",
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
