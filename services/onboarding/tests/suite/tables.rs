//! A look behind the port, for what no answer shows.

use prost::{Message, Name};
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use vouch_storage::Db;

/// The events of one type that were told, in the order of their making.
pub async fn told<M: Message + Name + Default>(db: &Db) -> Vec<M> {
    let query = format!(
        "SELECT payload FROM outbox WHERE event_type = '{}' ORDER BY event_id",
        M::full_name()
    );
    let rows = rows(db, query).await;
    rows.iter()
        .map(|row| M::decode(&payload(row)[..]).expect("an event"))
        .collect()
}

/// The payloads of all events.
pub async fn payloads(db: &Db) -> Vec<Vec<u8>> {
    rows(db, "SELECT payload FROM outbox".to_owned())
        .await
        .iter()
        .map(payload)
        .collect()
}

/// How many rows the table has.
pub async fn count(db: &Db, table: &str) -> i64 {
    let rows = rows(db, format!("SELECT COUNT(*) FROM {table}")).await;
    rows[0].try_get_by_index(0).expect("a number")
}

/// How many rows there are of everything that a use case can write.
pub async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let tables = [
        "person",
        "email_verification",
        "acceptance",
        "onboarding_case",
        "offer",
        "room",
        "note",
        "mail",
        "timer",
        "outbox",
        "request",
    ];
    let mut counts = Vec::new();
    for table in tables {
        counts.push((table, count(db, table).await));
    }
    counts
}

fn payload(row: &QueryResult) -> Vec<u8> {
    row.try_get_by_index(0).expect("a payload")
}

async fn rows(db: &Db, query: String) -> Vec<QueryResult> {
    db.reader()
        .query_all_raw(Statement::from_string(db.backend(), query))
        .await
        .expect("rows")
}
