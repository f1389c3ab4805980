//! A look behind the port, for what no answer shows.

use prost::{Message, Name};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use vouch_storage::Db;

/// The events of one type that were told, in the order of their making.
pub async fn told<M: Message + Name + Default>(db: &Db) -> Vec<M> {
    let query = format!(
        "SELECT payload FROM outbox WHERE event_type = '{}' ORDER BY event_id",
        M::full_name()
    );
    let rows = db
        .reader()
        .query_all_raw(Statement::from_string(db.backend(), query))
        .await
        .expect("rows");
    let payload = |row: &sea_orm::QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
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
        .await
        .expect("a row");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

/// How many rows there are of everything that a command can write.
pub async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in [
        "client",
        "hiring_manager",
        "invitation",
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
