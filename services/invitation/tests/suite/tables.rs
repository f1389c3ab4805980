//! A look behind the port, for what no answer shows.

use vouch_storage::Db;

pub use vouch_testkit::tables::{count, everything, told};

/// How many rows there are of everything that a command can write.
pub async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in [
        "client",
        "hiring_manager",
        "invitation",
        "invitation_token",
        "talent_cloud",
        "talent_cloud_member",
        "quota",
        "suppression",
        "unsubscribe_token",
        "mail",
        "timer",
        "outbox",
        "request",
    ] {
        counts.push((table, count(db, table).await));
    }
    counts
}
