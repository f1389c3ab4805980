//! A look behind the port, for what no answer shows.

use sea_orm::QueryResult;
use vouch_storage::Db;
use vouch_testkit::tables::rows;

pub use vouch_testkit::tables::{count, told};

/// The payloads of all events.
pub async fn payloads(db: &Db) -> Vec<Vec<u8>> {
    rows(db, "SELECT payload FROM outbox".to_owned())
        .await
        .iter()
        .map(payload)
        .collect()
}

/// How many rows there are of everything that a use case can write.
pub async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let tables = [
        "person",
        "email_verification",
        "quota",
        "acceptance",
        "agency",
        "agency_invitation",
        "onboarding_case",
        "task",
        "task_decision",
        "task_document",
        "offer",
        "room",
        "note",
        "talent_profile",
        "profile_section",
        "talent_search",
        "document",
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
