//! A look behind the port, for what no answer shows.

use prost::{Message, Name};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use vouch_storage::Db;

/// The events of one type that a service told, in the order of their making.
///
/// # Panics
/// If the database fails.
pub async fn told<M: Message + Name + Default>(db: &Db) -> Vec<M> {
    let query = format!(
        "SELECT payload FROM outbox WHERE event_type = '{}' ORDER BY event_id",
        M::full_name()
    );
    let payload = |row: &QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
    rows(db, query)
        .await
        .iter()
        .map(|row| M::decode(&payload(row)[..]).expect("an event"))
        .collect()
}

/// How many rows the table has.
///
/// # Panics
/// If the database fails.
pub async fn count(db: &Db, table: &str) -> i64 {
    let rows = rows(db, format!("SELECT COUNT(*) FROM {table}")).await;
    rows[0].try_get_by_index(0).expect("a number")
}

/// The rows of a query.
///
/// # Panics
/// If the database fails.
pub async fn rows(db: &Db, query: String) -> Vec<QueryResult> {
    let statement = Statement::from_string(db.backend(), query);
    db.reader().query_all_raw(statement).await.expect("rows")
}

/// All that is in the database, as text; bytes are written in hexadecimal digits.
///
/// # Panics
/// If the database fails.
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
    let rows = rows(db, query.to_owned()).await;
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("a text"))
        .collect()
}
