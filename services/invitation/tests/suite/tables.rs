//! A look behind the port, for what no answer shows.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use vouch_storage::Db;

pub use vouch_testkit::tables::{count, told};

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

/// All that is in the database, as text; bytes are written in hexadecimal digits.
pub async fn everything(db: &Db) -> String {
    let (tables, columns) = match db.backend() {
        DbBackend::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'table'",
            "SELECT group_concat('quote(' || name || ')', '||') FROM pragma_table_info('{}')",
        ),
        _ => (
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
            "SELECT '\"{}\"::text'",
        ),
    };
    let mut all = String::new();
    for table in texts(db, tables).await {
        let row = texts(db, &columns.replace("{}", &table)).await.concat();
        all.extend(texts(db, &format!("SELECT {row} FROM \"{table}\"")).await);
    }
    all
}

async fn texts(db: &Db, query: &str) -> Vec<String> {
    let rows = db
        .reader()
        .query_all_raw(Statement::from_string(db.backend(), query))
        .await
        .expect("rows");
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("a text"))
        .collect()
}
