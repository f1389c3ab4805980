//! Rules of a table that come to allow more.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

/// Has a named rule of a table allow `also`, beside all that it has allowed so far, whatever that is by now.
///
/// SQLite has no statement for it. Its manual names this way for changes that leave the rows as they are; making the table anew
/// would need foreign keys to be off, which they cannot be inside a transaction.
pub(super) async fn widen(manager: &SchemaManager<'_>, table: &str, rule: &str, also: &str) -> Result<(), DbErr> {
    let conn = manager.get_connection();
    if manager.get_database_backend() == DbBackend::Postgres {
        let sql = format!("SELECT pg_get_expr(conbin, conrelid) AS rule FROM pg_constraint WHERE conname = '{rule}'");
        let before = text(conn, DbBackend::Postgres, sql).await?;
        let sql = format!(
            "ALTER TABLE {table} DROP CONSTRAINT {rule}; \
             ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK (({also}) OR ({before}))"
        );
        conn.execute_unprepared(&sql).await?;
        return Ok(());
    }
    let sql = format!("SELECT sql AS rule FROM sqlite_schema WHERE name = '{table}'");
    let before = text(conn, DbBackend::Sqlite, sql).await?;
    let head = format!("CONSTRAINT \"{rule}\" CHECK (");
    if before.matches(&head).count() != 1 {
        return Err(DbErr::Migration(format!("{table} has no rule called {rule}")));
    }
    let after = before
        .replace(&head, &format!("{head}({also}) OR "))
        .replace('\'', "''");
    let sql = format!(
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = '{after}' WHERE type = 'table' AND name = '{table}'; \
         PRAGMA writable_schema = RESET"
    );
    conn.execute_unprepared(&sql).await?;
    Ok(())
}

async fn text(conn: &impl ConnectionTrait, backend: DbBackend, sql: String) -> Result<String, DbErr> {
    let row = conn.query_one_raw(Statement::from_string(backend, sql)).await?;
    row.ok_or_else(|| DbErr::Migration("no such rule".to_owned()))?
        .try_get("", "rule")
}
